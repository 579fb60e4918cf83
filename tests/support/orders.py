"""Orders, reports and fills with the few words that a test is about."""

from __future__ import annotations

from decimal import Decimal

from foxtrot.execution.order_tracker import OrderTracker
from foxtrot.execution.reports import FillReport, OrderIntent, OrderReport, OrderState
from foxtrot.model.constants import Direction, Exchange, OrderType
from foxtrot.model.requests import OrderRequest

BTC, ETH = "BTCUSDT", "ETHUSDT"
NOW = 1_700_000_000_000_000_000
S = 1_000_000_000


def intent(
    orderid: str = "fx-1",
    volume: float = 1.0,
    *,
    symbol: str = BTC,
    direction: Direction = Direction.LONG,
    created_ns: int = NOW,
) -> OrderIntent:
    """A limit order at 100 that is to be sent."""
    request = OrderRequest(
        symbol, Exchange.BINANCE, direction, OrderType.LIMIT, volume, 100.0, reference="mine"
    )
    return OrderIntent(orderid, request, created_ns)


def report(
    state: OrderState = OrderState.ACCEPTED,
    traded: str = "0",
    *,
    orderid: str = "fx-1",
    venue_id: str = "7",
    volume: str = "1",
    ts_ns: int = NOW,
    symbol: str = BTC,
    direction: Direction = Direction.LONG,
    reason: str = "",
) -> OrderReport:
    """What the venue says of order 7, which we call fx-1."""
    return OrderReport(
        venue_id=venue_id,
        orderid=orderid,
        symbol=symbol,
        exchange=Exchange.BINANCE,
        direction=direction,
        type=OrderType.LIMIT,
        volume=Decimal(volume),
        traded=Decimal(traded),
        state=state,
        ts_ns=ts_ns,
        price=Decimal(100),
        reason=reason,
    )


def fill(
    trade_id: str,
    volume: str,
    *,
    orderid: str = "fx-1",
    venue_id: str = "7",
    symbol: str = BTC,
    direction: Direction = Direction.LONG,
    ts_ns: int = NOW,
) -> FillReport:
    """A fill of order 7, at 100."""
    return FillReport(
        trade_id=trade_id,
        venue_id=venue_id,
        orderid=orderid,
        symbol=symbol,
        exchange=Exchange.BINANCE,
        direction=direction,
        price=Decimal(100),
        volume=Decimal(volume),
        ts_ns=ts_ns,
        fee=Decimal("0.1"),
        fee_currency="USDT",
    )


def tracker_with(orderid: str = "fx-1", volume: float = 1.0, venue_id: str = "7") -> OrderTracker:
    """A tracker with one order: accepted as `venue_id`, or only sent if that is empty."""
    tracker = OrderTracker("BINANCE")
    tracker.intend(intent(orderid, volume), NOW)
    tracker.sent(orderid, NOW)
    if venue_id:
        tracker.accepted(orderid, venue_id, NOW)
    return tracker


def state_of(tracker: OrderTracker, orderid: str = "fx-1") -> OrderState:
    """The state of an order that is known."""
    record = tracker.record(orderid)
    assert record is not None
    return record.state
