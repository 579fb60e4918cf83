"""Orders in Binance's words and back."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from foxtrot.adapter.binance import order_mapping
from foxtrot.adapter.binance.order_mapping import ExecutionReport, OrderAnswer, TradeAnswer
from foxtrot.errors import NotSupported
from foxtrot.execution.reports import OrderIntent
from foxtrot.execution.reports import OrderState as S
from foxtrot.model.constants import Direction, Exchange, OrderType
from foxtrot.model.requests import OrderRequest

PUSH = ExecutionReport(
    E=1_700_000_000_001, s="BTCUSDT", c="fx-1", S="BUY", o="LIMIT", f="GTC", q=Decimal("0.5"),
    p=Decimal(100), P=Decimal(0), x="NEW", X="NEW", i=7, l=Decimal(0), z=Decimal(0), L=Decimal(0),
    t=-1, T=1_700_000_000_000,
)  # fmt: skip
ANSWER = OrderAnswer(
    symbol="BTCUSDT", orderId=7, clientOrderId="fx-1", origQty=Decimal("0.5"),
    executedQty=Decimal(0), status="NEW", type="LIMIT", side="BUY", price=Decimal(100),
    timeInForce="GTC", transactTime=1_700_000_000_000,
)  # fmt: skip


def parameters(kind: OrderType, **terms: float) -> dict[str, str]:
    """What is sent for an order of 0.00001 at 100.1."""
    stop = terms.get("stop_price", 0.0)
    request = OrderRequest(
        "BTCUSDT", Exchange.BINANCE, Direction.LONG, kind, 0.00001, 100.1, stop_price=stop
    )
    return order_mapping.parameters(OrderIntent("fx-1", request, 1), "BINANCE")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (OrderType.LIMIT, {"type": "LIMIT", "timeInForce": "GTC", "price": "100.1"}),
        (OrderType.MARKET, {"type": "MARKET"}),
        (OrderType.FAK, {"type": "LIMIT", "timeInForce": "IOC", "price": "100.1"}),
        (OrderType.FOK, {"type": "LIMIT", "timeInForce": "FOK", "price": "100.1"}),
        (OrderType.POST_ONLY, {"type": "LIMIT_MAKER", "price": "100.1"}),
        (OrderType.STOP, {"type": "STOP_LOSS", "stopPrice": "90.5"}),
        (
            OrderType.STOP_LIMIT,
            {
                "type": "STOP_LOSS_LIMIT",
                "timeInForce": "GTC",
                "price": "100.1",
                "stopPrice": "90.5",
            },
        ),
    ],
)
def test_each_type_in_the_venues_words(kind: OrderType, expected: dict[str, str]) -> None:
    """With no field that the venue would refuse, and no number in scientific form."""
    always = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "quantity": "0.00001",
        "newClientOrderId": "fx-1",
        "newOrderRespType": "FULL",
    }
    assert parameters(kind, stop_price=90.5) == always | expected


def test_what_the_venue_has_not_is_refused() -> None:
    """By name, before anything is sent."""
    with pytest.raises(NotSupported, match="order type"):
        parameters(OrderType.RFQ)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("NEW", S.ACCEPTED),
        ("PENDING_NEW", S.ACCEPTED),
        ("PARTIALLY_FILLED", S.PARTIALLY_FILLED),
        ("FILLED", S.FILLED),
        ("CANCELED", S.CANCELED),
        ("PENDING_CANCEL", S.PENDING_CANCEL),
        ("REJECTED", S.REJECTED),
        ("EXPIRED", S.EXPIRED),
        ("EXPIRED_IN_MATCH", S.EXPIRED),
    ],
)
def test_each_status_of_the_venues(status: str, state: S) -> None:
    """In an answer as in a push; what ended by itself says why."""
    answer = msgspec.structs.replace(ANSWER, status=status)
    push = msgspec.structs.replace(PUSH, X=status)
    for report in (order_mapping.order_report(answer), order_mapping.report_of_push(push)):
        assert report.state is state
        assert bool(report.reason) is (state is S.EXPIRED)


def test_a_status_that_nobody_knows_is_refused() -> None:
    """A guess would be worse than asking again."""
    with pytest.raises(ValueError, match="status"):
        order_mapping.report_of_push(msgspec.structs.replace(PUSH, X="HALF_DONE"))


def test_a_cancel_is_about_the_original_order() -> None:
    """The name of the cancel itself is not the order's."""
    push = msgspec.structs.replace(PUSH, X="CANCELED", x="CANCELED", c="of-the-cancel", C="fx-1")
    assert order_mapping.report_of_push(push).orderid == "fx-1"
    answer = msgspec.structs.replace(
        ANSWER, status="CANCELED", clientOrderId="of-the-cancel", origClientOrderId="fx-1"
    )
    assert order_mapping.order_report(answer).orderid == "fx-1"


def test_a_push_without_a_trade_has_no_fill() -> None:
    """New, cancelled, expired: nothing was traded."""
    assert order_mapping.fill_of_push(PUSH) is None


def test_a_fill_in_a_push_and_in_the_list_is_the_same() -> None:
    """So that it counts once; only the push knows our name for the order."""
    push = msgspec.structs.replace(
        PUSH, x="TRADE", X="PARTIALLY_FILLED", l=Decimal("0.2"), L=Decimal(99), t=3,
        n=Decimal("0.1"), N="BNB",
    )  # fmt: skip
    row = TradeAnswer(
        "BTCUSDT", 3, 7, Decimal(99), Decimal("0.2"), 1_700_000_000_000, True, Decimal("0.1"), "BNB"
    )
    pushed, listed = order_mapping.fill_of_push(push), order_mapping.fill_of_trade(row)
    assert pushed == msgspec.structs.replace(listed, orderid="fx-1")


def test_words_of_the_venue_are_cleaned() -> None:
    """A reason goes to screens and logs."""
    push = msgspec.structs.replace(PUSH, X="EXPIRED", r="BAD\x1b[2J\n" + "x" * 1_000)
    reason = order_mapping.report_of_push(push).reason
    assert "\x1b" not in reason
    assert len(reason) < 400
