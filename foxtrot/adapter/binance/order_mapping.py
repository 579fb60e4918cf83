"""Orders in Binance's words and back. Pure; the sanity gate on what the venue says of orders.

Source: Binance spot API documents, "rest-api, Trading endpoints", "user-data-stream" and "enums".
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from foxtrot.core.redaction import TEXT_LIMIT, scrub
from foxtrot.errors import NotSupported
from foxtrot.execution.reports import (
    ZERO,
    FillReport,
    OrderIntent,
    OrderReport,
    OrderState,
    exact,
)
from foxtrot.model.constants import Direction, Exchange, OrderType

NS_PER_MS = 1_000_000

_LARGEST = Decimal(10) ** 15
_LATEST_MS = 10**14
_SIDES = {Direction.LONG: "BUY", Direction.SHORT: "SELL"}
_DIRECTIONS = {side: direction for direction, side in _SIDES.items()}
_KINDS: Mapping[OrderType, Mapping[str, str]] = {
    OrderType.LIMIT: {"type": "LIMIT", "timeInForce": "GTC"},
    OrderType.MARKET: {"type": "MARKET"},
    OrderType.FAK: {"type": "LIMIT", "timeInForce": "IOC"},
    OrderType.FOK: {"type": "LIMIT", "timeInForce": "FOK"},
    OrderType.POST_ONLY: {"type": "LIMIT_MAKER"},
    OrderType.STOP: {"type": "STOP_LOSS"},
    OrderType.STOP_LIMIT: {"type": "STOP_LOSS_LIMIT", "timeInForce": "GTC"},
}
ORDER_TYPES = frozenset(_KINDS)
"""What can be sent."""

_PRICED = ORDER_TYPES - {OrderType.MARKET, OrderType.STOP}
_STOPPED = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
_TYPES = {
    "LIMIT": OrderType.LIMIT,
    "MARKET": OrderType.MARKET,
    "LIMIT_MAKER": OrderType.POST_ONLY,
    "STOP_LOSS": OrderType.STOP,
    "STOP_LOSS_LIMIT": OrderType.STOP_LIMIT,
    "TAKE_PROFIT": OrderType.STOP,
    "TAKE_PROFIT_LIMIT": OrderType.STOP_LIMIT,
}
_IN_FORCE = {"IOC": OrderType.FAK, "FOK": OrderType.FOK}
_STATES = {
    "NEW": OrderState.ACCEPTED,
    "PENDING_NEW": OrderState.ACCEPTED,
    "PARTIALLY_FILLED": OrderState.PARTIALLY_FILLED,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELED,
    "PENDING_CANCEL": OrderState.PENDING_CANCEL,
    "REJECTED": OrderState.REJECTED,
    "EXPIRED": OrderState.EXPIRED,
    "EXPIRED_IN_MATCH": OrderState.EXPIRED,
}


class AnswerFill(msgspec.Struct):
    """One of `fills` in the answer to a new order."""

    tradeId: int
    price: Decimal
    qty: Decimal
    commission: Decimal = ZERO
    commissionAsset: str = ""


class OrderAnswer(msgspec.Struct):
    """An order as POST, GET and DELETE of /order and GET /openOrders show it."""

    symbol: str
    orderId: int
    clientOrderId: str
    origQty: Decimal
    executedQty: Decimal
    status: str
    type: str
    side: str
    price: Decimal = ZERO
    stopPrice: Decimal = ZERO
    timeInForce: str = ""
    origClientOrderId: str = ""
    transactTime: int = 0
    updateTime: int = 0
    fills: list[AnswerFill] = []


class TradeAnswer(msgspec.Struct):
    """One entry of GET /myTrades."""

    symbol: str
    id: int
    orderId: int
    price: Decimal
    qty: Decimal
    time: int
    isBuyer: bool
    commission: Decimal = ZERO
    commissionAsset: str = ""


class ExecutionReport(msgspec.Struct):
    """`executionReport` of the user stream; `C` is the original id where `c` is a cancel's."""

    E: int
    s: str
    c: str
    S: str
    o: str
    f: str
    q: Decimal
    p: Decimal
    P: Decimal
    x: str
    X: str
    i: int
    l: Decimal  # noqa: E741 - the venue's name
    z: Decimal
    L: Decimal
    t: int
    T: int
    C: str = ""
    r: str = ""
    n: Decimal = ZERO
    N: str | None = None


def parameters(intent: OrderIntent, adapter_name: str) -> dict[str, str]:
    """What POST /order takes for an intent; numbers exactly as they were asked for.

    Raises:
        NotSupported: Binance spot has no such order.
    """
    request = intent.request
    kind = _KINDS.get(request.type)
    if kind is None:
        raise NotSupported(adapter_name, f"order type {request.type.value}")
    asked = {
        "symbol": request.symbol,
        "side": _SIDES[request.direction],
        **kind,
        "quantity": f"{exact(request.volume):f}",
        "newClientOrderId": intent.orderid,
        "newOrderRespType": "FULL",
    }
    if request.type in _PRICED:
        asked["price"] = f"{exact(request.price):f}"
    if request.type in _STOPPED:
        asked["stopPrice"] = f"{exact(request.stop_price):f}"
    return asked


def order_report(answer: OrderAnswer) -> OrderReport:
    """An order out of an answer.

    Raises:
        ValueError: Its numbers or words cannot be believed.
    """
    _believable(answer.price, answer.stopPrice, answer.origQty, answer.executedQty)
    return OrderReport(
        venue_id=str(answer.orderId),
        orderid=answer.origClientOrderId or answer.clientOrderId,
        symbol=answer.symbol,
        exchange=Exchange.BINANCE,
        direction=_direction(answer.side),
        type=_type(answer.type, answer.timeInForce),
        volume=answer.origQty,
        traded=answer.executedQty,
        state=_state(answer.status),
        ts_ns=_moment(answer.transactTime or answer.updateTime),
        price=answer.price,
        stop_price=answer.stopPrice,
        reason=_ended(answer.status, ""),
    )


def fills_of(answer: OrderAnswer) -> tuple[FillReport, ...]:
    """The fills in the answer to a new order.

    Raises:
        ValueError: Their numbers cannot be believed.
    """
    direction = _direction(answer.side)
    for fill in answer.fills:
        _traded(fill.price, fill.qty)
    return tuple(
        FillReport(
            trade_id=str(fill.tradeId),
            venue_id=str(answer.orderId),
            orderid=answer.clientOrderId,
            symbol=answer.symbol,
            exchange=Exchange.BINANCE,
            direction=direction,
            price=fill.price,
            volume=fill.qty,
            ts_ns=_moment(answer.transactTime),
            fee=fill.commission,
            fee_currency=fill.commissionAsset,
        )
        for fill in answer.fills
    )


def fill_of_trade(trade: TradeAnswer) -> FillReport:
    """A fill out of GET /myTrades, which does not name the client order id.

    Raises:
        ValueError: Its numbers cannot be believed.
    """
    _traded(trade.price, trade.qty)
    return FillReport(
        trade_id=str(trade.id),
        venue_id=str(trade.orderId),
        orderid="",
        symbol=trade.symbol,
        exchange=Exchange.BINANCE,
        direction=Direction.LONG if trade.isBuyer else Direction.SHORT,
        price=trade.price,
        volume=trade.qty,
        ts_ns=_moment(trade.time),
        fee=trade.commission,
        fee_currency=trade.commissionAsset,
    )


def report_of_push(push: ExecutionReport) -> OrderReport:
    """The order in an execution report.

    Raises:
        ValueError: Its numbers or words cannot be believed.
    """
    _believable(push.p, push.P, push.q, push.z)
    return OrderReport(
        venue_id=str(push.i),
        orderid=push.C or push.c,
        symbol=push.s,
        exchange=Exchange.BINANCE,
        direction=_direction(push.S),
        type=_type(push.o, push.f),
        volume=push.q,
        traded=push.z,
        state=_state(push.X),
        ts_ns=_moment(push.T),
        price=push.p,
        stop_price=push.P,
        reason=_ended(push.X, push.r),
    )


def fill_of_push(push: ExecutionReport) -> FillReport | None:
    """The fill in an execution report, if it tells of one.

    Raises:
        ValueError: Its numbers cannot be believed.
    """
    if push.x != "TRADE":
        return None
    _traded(push.L, push.l)
    return FillReport(
        trade_id=str(push.t),
        venue_id=str(push.i),
        orderid=push.C or push.c,
        symbol=push.s,
        exchange=Exchange.BINANCE,
        direction=_direction(push.S),
        price=push.L,
        volume=push.l,
        ts_ns=_moment(push.T),
        fee=push.n,
        fee_currency=push.N or "",
    )


def _believable(*numbers: Decimal) -> None:
    for number in numbers:
        if not number.is_finite() or not ZERO <= number < _LARGEST:
            raise ValueError(f"{number} is no price or volume")


def _moment(time_ms: int) -> int:
    if not 0 <= time_ms < _LATEST_MS:
        raise ValueError("the time is none of this age")
    return time_ms * NS_PER_MS


def _traded(price: Decimal, volume: Decimal) -> None:
    _believable(price, volume)
    if not price or not volume:
        raise ValueError("nothing was traded, or for nothing")


def _direction(side: str) -> Direction:
    if side not in _DIRECTIONS:
        raise ValueError("the side is neither BUY nor SELL")
    return _DIRECTIONS[side]


def _type(kind: str, in_force: str) -> OrderType:
    known = _TYPES.get(kind, OrderType.LIMIT)
    return _IN_FORCE.get(in_force, known) if known is OrderType.LIMIT else known


def _state(status: str) -> OrderState:
    if status not in _STATES:
        raise ValueError("the status is none that Binance documents")
    return _STATES[status]


def _ended(status: str, why: str) -> str:
    """Why an order ended that nobody cancelled, in words."""
    if why and why != "NONE":
        return f"the venue says {scrub(why, limit=TEXT_LIMIT)}"
    words = {"EXPIRED": "expired", "EXPIRED_IN_MATCH": "expired: it would have met an own order"}
    return words.get(status, "")
