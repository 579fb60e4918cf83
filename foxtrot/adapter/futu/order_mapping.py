"""Orders in Futu's words and back. Pure; the sanity gate on what OpenD says of orders.

Source: OpenAPI documents, "Trading, definitions", and Trd_Common.proto.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol
from zoneinfo import ZoneInfo

import msgspec

from foxtrot.adapter.futu.mapping import bad_time, ns_of
from foxtrot.adapter.futu.symbols import PLACES, QotMarket, Security, market_of_order
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
from foxtrot.model.objects import NS_PER_S

Name = tuple[str, Exchange]
"""How a contract is spelled: symbol and exchange."""

HK, US, CN, HKCC = 1, 2, 3, 4
"""TrdMarket; HKCC is mainland China reached from Hong Kong."""

_REACHED_BY: Mapping[int, tuple[int, ...]] = {
    QotMarket.HK: (HK,),
    QotMarket.US: (US,),
    QotMarket.SH: (CN, HKCC),
    QotMarket.SZ: (CN, HKCC),
}
"""The TrdMarkets by which an account may reach each QotMarket."""

_DAY, _GTC = 0, 1
"""TimeInForce."""

_SIDES = {Direction.LONG: 1, Direction.SHORT: 2}
_DIRECTIONS = {
    1: Direction.LONG,
    2: Direction.SHORT,
    3: Direction.SHORT,  # sold short
    4: Direction.LONG,  # bought back
}
_KINDS: Mapping[OrderType, int] = {
    OrderType.LIMIT: 1,
    OrderType.MARKET: 2,
    OrderType.FAK: 8,
    OrderType.FOK: 9,
    OrderType.STOP: 10,
    OrderType.STOP_LIMIT: 11,
}
ORDER_TYPES = frozenset(_KINDS)
"""What can be sent: FAK and FOK in Hong Kong alone, paper trading knows limit and market."""

_TYPES = {kind: each for each, kind in _KINDS.items()}
_TYPES |= {16: OrderType.MARKET, 17: OrderType.LIMIT, 18: OrderType.MARKET, 19: OrderType.LIMIT}
"""Algorithmic ones, sent from Futu's app, too; any other is shown as a limit order."""

_ON_PAPER = frozenset({OrderType.LIMIT, OrderType.MARKET})
_AT_ONCE = frozenset({OrderType.FAK, OrderType.FOK})
_PRICED = ORDER_TYPES - {OrderType.MARKET, OrderType.STOP}
_STOPPED = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})

_LARGEST = 1e15

TIMED_OUT, FILLS_TAKEN_BACK = 4, 24
_STATES = {
    0: OrderState.ACCEPTED,  # not submitted yet: Futu has it, and may still submit it
    1: OrderState.ACCEPTED,  # waits to be submitted
    2: OrderState.ACCEPTED,  # on its way to the exchange, which may still refuse it: 21 says so
    3: OrderState.REJECTED,  # could not be submitted
    5: OrderState.ACCEPTED,
    10: OrderState.PARTIALLY_FILLED,
    11: OrderState.FILLED,
    12: OrderState.PENDING_CANCEL,  # after a part was filled
    13: OrderState.PENDING_CANCEL,
    14: OrderState.CANCELED,  # after a part was filled
    15: OrderState.CANCELED,
    21: OrderState.REJECTED,
    22: OrderState.EXPIRED,  # out of force; only a person can put it in force again, at Futu
    23: OrderState.CANCELED,  # deleted, which only an order without fills can be
    FILLS_TAKEN_BACK: OrderState.CANCELED,
}
"""What each OrderStatus proves. 4 (timed out, outcome unknown), -1 and any other prove nothing."""

_REASONS = {
    22: "out of force at Futu",
    23: "deleted at Futu",
    FILLS_TAKEN_BACK: "Futu took its fills back",
}
_NO_PROOF = {TIMED_OUT: "timed out, outcome unknown", -1: "unknown"}

FILL_TAKEN_BACK, FILL_CHANGED = 1, 2
"""OrderFillStatus."""


class WireOrder(Protocol):
    """`Trd_Common.Order`."""

    trdSide: int
    orderType: int
    orderStatus: int
    orderID: int
    orderIDEx: str
    code: str
    qty: float
    price: float
    fillQty: float
    fillAvgPrice: float
    lastErrMsg: str
    secMarket: int
    createTime: str
    updateTime: str
    createTimestamp: float
    updateTimestamp: float
    remark: str
    auxPrice: float

    def HasField(self, field_name: str) -> bool:
        """Whether OpenD tells this field."""


class WireFill(Protocol):
    """`Trd_Common.OrderFill`."""

    trdSide: int
    fillID: int
    fillIDEx: str
    orderID: int
    orderIDEx: str
    code: str
    qty: float
    price: float
    secMarket: int
    createTime: str
    createTimestamp: float
    status: int


class WirePosition(Protocol):
    """`Trd_Common.Position`."""

    positionSide: int
    code: str
    qty: float
    canSellQty: float
    averageCostPrice: float
    dilutedCostPrice: float
    costPrice: float
    plVal: float
    secMarket: int


class Terms(msgspec.Struct, frozen=True):
    """The fields of a new order; `price` and `stop_price` where its kind has one."""

    trd_market: int
    side: int
    kind: int
    sec_market: int
    code: str
    quantity: float
    tif: int
    price: float | None = None
    stop_price: float | None = None


def terms(
    intent: OrderIntent, security: Security, markets: tuple[int, ...], *, real: bool, venue: str
) -> Terms:
    """An intent in Futu's words; numbers exactly as they were asked for.

    What rests does so until it is cancelled where Futu allows that, else to the end of the day.

    Args:
        intent: What to send.
        security: What it is for.
        markets: The TrdMarkets of the account.
        real: Whether the account is; else it is for paper trading.
        venue: Name of the adapter.

    Raises:
        NotSupported: Futu is sent no such order.
    """
    request = intent.request
    reached_by = trd_market(security, markets, venue)
    kind, side = _KINDS.get(request.type), _SIDES.get(request.direction)
    wanted = f"a {request.type.value} {request.direction.value} order"
    if kind is None or side is None:
        raise NotSupported(venue, wanted)
    if request.type in _AT_ONCE and reached_by != HK:
        raise NotSupported(venue, f"{wanted} outside Hong Kong")
    if not real and request.type not in _ON_PAPER:
        raise NotSupported(venue, f"{wanted} in paper trading")
    rests = real and reached_by in (HK, US) and request.type not in _AT_ONCE | {OrderType.MARKET}
    return Terms(
        reached_by,
        side,
        kind,
        PLACES[QotMarket(security.market)].trd_sec_market,
        security.code,
        request.volume,
        _GTC if rests else _DAY,
        price=request.price if request.type in _PRICED else None,
        stop_price=request.stop_price if request.type in _STOPPED else None,
    )


def trd_market(security: Security, markets: tuple[int, ...], venue: str) -> int:
    """The TrdMarket by which an account reaches a contract.

    Raises:
        NotSupported: It has none.
    """
    for each in _REACHED_BY[security.market]:
        if each in markets:
            return each
    raise NotSupported(venue, f"orders for {security.code} in this account")


def is_elsewhere(row: WireOrder | WireFill | WirePosition) -> bool:
    """Whether it is of a market that foxtrot does not trade, such as Singapore's."""
    return market_of_order(row.secMarket) is None


def security_of(row: WireOrder | WireFill | WirePosition) -> Security:
    """What an order or a fill is of.

    Raises:
        ValueError: OpenD names a market that foxtrot does not know.
    """
    market = market_of_order(row.secMarket)
    if market is None or not row.code:
        raise ValueError(f"market {row.secMarket} is not known")
    return Security(market, row.code)


def order_report(
    order: WireOrder, name: Name, before: OrderState | None = None
) -> OrderReport | None:
    """An order as OpenD shows it; None if its status proves nothing, and nothing of it traded.

    Args:
        order: As OpenD shows it.
        name: How its contract is spelled here.
        before: What Futu said of it before, which stays where a status proves nothing.

    Raises:
        ValueError: Its numbers or words cannot be believed.
    """
    traded, volume = quantity(order.fillQty), quantity(order.qty)
    state = _state(order.orderStatus, traded, volume) or before
    if state is None:
        return None
    kind, reason = _TYPES.get(order.orderType, OrderType.LIMIT), _reason(order, state)
    if state is OrderState.CANCELED and kind in _AT_ONCE:
        state, reason = OrderState.EXPIRED, reason or "expired: it could not be filled at once"
    return OrderReport(
        venue_id=venue_id(order),
        orderid=order.remark,
        symbol=name[0],
        exchange=name[1],
        direction=_direction(order.trdSide),
        type=kind,
        volume=volume,
        traded=traded,
        state=state,
        ts_ns=_time_of(
            order,
            order.updateTimestamp or order.createTimestamp,
            order.updateTime or order.createTime,
        ),
        price=_price(order.price) if kind in _PRICED else ZERO,
        stop_price=_price(order.auxPrice) if kind in _STOPPED else ZERO,
        reason=reason,
    )


def no_proof(status: int) -> str:
    """Why a status proves nothing, in words; empty if it proves something."""
    if status in _STATES:
        return ""
    meaning = _NO_PROOF.get(status, "which foxtrot does not know")
    return f"Futu shows order status {status} ({meaning})"


def fill_report(fill: WireFill, name: Name, orderid: str) -> FillReport:
    """A deal.

    Raises:
        ValueError: Its numbers or words cannot be believed.
    """
    volume, price = quantity(fill.qty), _price(fill.price)
    if not volume:
        raise ValueError("nothing was traded")
    if not fill.fillIDEx and not fill.fillID:
        raise ValueError("a deal without a name")  # two of them would be taken for one
    return FillReport(
        trade_id=fill.fillIDEx or str(fill.fillID),
        venue_id=venue_id(fill),
        orderid=orderid,
        symbol=name[0],
        exchange=name[1],
        direction=_direction(fill.trdSide),
        price=price,
        volume=volume,
        ts_ns=_time_of(fill, fill.createTimestamp, fill.createTime),
    )


def fill_between(
    report: OrderReport, average: float, before: Decimal, before_worth: Decimal | None
) -> FillReport:
    """The fill that made an order trade more: paper trading tells of orders alone.

    Args:
        report: The order as it is now.
        average: The mean price of all that traded.
        before: How much had traded.
        before_worth: For how much money; None if that is not known, and the mean is told then.

    Raises:
        ValueError: Nothing traded in between, or at a price that cannot be believed.
    """
    volume, price = report.traded - before, _price(average)
    if volume <= 0 or not price:
        raise ValueError("nothing was traded")
    if before and before_worth is not None:
        # Futu rounds the mean: what comes of it is as exact as a price is, and no more.
        apart = (price * report.traded - before_worth) / volume
        price = round(apart, 6) if apart > 0 else price
    return FillReport(
        trade_id=f"{report.venue_id}-{report.traded.normalize():f}",
        venue_id=report.venue_id,
        orderid=report.orderid,
        symbol=report.symbol,
        exchange=report.exchange,
        direction=report.direction,
        price=price,
        volume=volume,
        ts_ns=report.ts_ns,
    )


def venue_id(row: WireOrder | WireFill) -> str:
    """Futu's name of an order for all clients and days: it is no number."""
    return row.orderIDEx or (str(row.orderID) if row.orderID else "")


def quantity(number: float) -> Decimal:
    """A volume, exactly.

    Raises:
        ValueError: It cannot be one.
    """
    if not 0.0 <= number < _LARGEST:
        raise ValueError(f"{number} is no volume")
    return exact(number)


def moment(seconds: float) -> int:
    """Nanoseconds since the epoch; 0 if OpenD gave no time.

    Raises:
        ValueError: It cannot be one.
    """
    problem = bad_time(seconds)
    if problem:
        raise ValueError(problem)
    return ns_of(seconds)


def may_be(order: WireOrder, intent: OrderIntent, later_ns: int) -> bool:
    """Whether an order whose remark is not told may be this one: it says the same, and is no older.

    One that is told to have none is somebody else's, who ordered the same.

    Args:
        order: As OpenD shows it.
        intent: What was sent.
        later_ns: By how much our clock may be ahead of Futu's.
    """
    request, created = intent.request, order.createTimestamp
    same = (
        not order.HasField("remark")
        and order.code == request.symbol
        and order.qty == request.volume
        and _DIRECTIONS.get(order.trdSide) is request.direction
        and (request.type not in _PRICED or order.price == request.price)
    )
    return same and (not created or created * NS_PER_S >= intent.created_ns - later_ns)


def _time_of(row: WireOrder | WireFill, seconds: float, text: str) -> int:
    """When something happened: Futu's epoch, or its text, in the zone of the market; else 0."""
    market = market_of_order(row.secMarket)
    if seconds or not text or market is None:
        return moment(seconds)
    try:
        told = dt.datetime.fromisoformat(text.strip())
    except ValueError:
        return 0
    return moment(told.replace(tzinfo=ZoneInfo(PLACES[market].zone)).timestamp())


def _state(status: int, traded: Decimal, volume: Decimal) -> OrderState | None:
    """What a status proves; whatever it is, what traded has traded."""
    state = _STATES.get(status)
    if state in (None, OrderState.ACCEPTED) and traded:
        return OrderState.FILLED if traded >= volume else OrderState.PARTIALLY_FILLED
    if state is OrderState.REJECTED and traded:
        return OrderState.CANCELED
    return state


def _reason(order: WireOrder, state: OrderState) -> str:
    said = order.lastErrMsg.strip()
    if state in (OrderState.REJECTED, OrderState.CANCELED, OrderState.EXPIRED):
        usual = "refused by Futu" if state is OrderState.REJECTED else ""
        return said or _REASONS.get(order.orderStatus, usual)
    return no_proof(order.orderStatus)


def _price(number: float) -> Decimal:
    if not 0.0 <= number < _LARGEST:
        raise ValueError(f"{number} is no price")
    return exact(number)


def _direction(side: int) -> Direction:
    if side not in _DIRECTIONS:
        raise ValueError("the side is none that Futu documents")
    return _DIRECTIONS[side]
