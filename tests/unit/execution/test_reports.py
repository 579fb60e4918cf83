"""What strategies and desktops see of an order and a fill."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from foxtrot.execution.reports import (
    OrderRecord,
    OrderState,
    exact,
    order_data,
    trade_data,
)
from foxtrot.model.constants import Direction, Exchange, Offset, OrderType, Status
from tests.support.orders import BTC, NOW, fill, intent


@pytest.mark.parametrize(
    ("state", "traded", "status"),
    [
        (OrderState.INTENT, "0", Status.SUBMITTING),
        (OrderState.SENT, "0", Status.SUBMITTING),
        (OrderState.IN_DOUBT, "0", Status.SUBMITTING),
        (OrderState.ACCEPTED, "0", Status.NOTTRADED),
        (OrderState.PARTIALLY_FILLED, "0.5", Status.PARTTRADED),
        (OrderState.PENDING_CANCEL, "0", Status.NOTTRADED),
        (OrderState.PENDING_CANCEL, "0.5", Status.PARTTRADED),
        (OrderState.FILLED, "1", Status.ALLTRADED),
        (OrderState.CANCELED, "0.5", Status.CANCELLED),
        (OrderState.EXPIRED, "0", Status.CANCELLED),
        (OrderState.REJECTED, "0", Status.REJECTED),
    ],
)
def test_a_state_is_shown_as_a_status_of_vnpy(
    state: OrderState, traded: str, status: Status
) -> None:
    """Whoever knows vnpy knows what it means; rejected is shown only of what was rejected."""
    record = OrderRecord(intent(), state, NOW, traded=Decimal(traded))
    shown = order_data(record, "BINANCE")
    assert (shown.status, shown.traded) == (status, float(traded))
    assert shown.is_active() == record.is_open


def test_an_order_is_shown_with_all_that_was_asked() -> None:
    """The desktop's row is the request, its time that of the request."""
    shown = order_data(OrderRecord(intent(), OrderState.SENT, NOW + 5), "BINANCE")
    assert (shown.vt_orderid, shown.vt_symbol) == ("BINANCE.fx-1", "BTCUSDT.BINANCE")
    assert (shown.type, shown.direction) == (OrderType.LIMIT, Direction.LONG)
    assert (shown.price, shown.volume, shown.reference) == (100.0, 1.0, "mine")
    assert shown.datetime == datetime.fromtimestamp(NOW / 1e9, UTC)
    assert shown.extra is None


def test_doubt_is_said() -> None:
    """An order in doubt looks active and says why nobody knows more."""
    record = OrderRecord(intent(), OrderState.IN_DOUBT, NOW, reason="timeout")
    shown = order_data(record, "BINANCE")
    assert (shown.reason, shown.extra) == ("timeout", {"outcome": "unknown"})


def test_an_expired_order_says_so() -> None:
    """The unfilled rest of a FAK is cancelled, and says by what."""
    record = OrderRecord(intent(), OrderState.EXPIRED, NOW)
    assert order_data(record, "BINANCE").reason == "expired"
    record = OrderRecord(intent(), OrderState.EXPIRED, NOW, reason="EXPIRED_IN_MATCH")
    assert order_data(record, "BINANCE").reason == "EXPIRED_IN_MATCH"


def test_a_fill_is_shown_as_a_trade() -> None:
    """Price, volume, side and fee of the fill, under the order's name."""
    shown = trade_data(fill("9", "0.25"), "BINANCE", Offset.OPEN)
    assert (shown.vt_tradeid, shown.vt_orderid) == ("BINANCE.9", "BINANCE.fx-1")
    assert (shown.symbol, shown.exchange) == (BTC, Exchange.BINANCE)
    assert (shown.price, shown.volume, shown.direction) == (100.0, 0.25, Direction.LONG)
    assert shown.offset is Offset.OPEN
    assert shown.extra == {"fee": "0.1", "fee_currency": "USDT"}
    assert shown.datetime == datetime.fromtimestamp(NOW / 1e9, UTC)


def test_a_float_is_the_decimal_that_was_written() -> None:
    """0.1 is one tenth, not the nearest fraction of powers of two."""
    assert exact(0.1) == Decimal("0.1")
    assert exact(1e-8) == Decimal("0.00000001")
