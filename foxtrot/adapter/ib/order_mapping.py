"""Orders in TWS's words and back. Pure; the sanity gate on what TWS says of orders.

Source: TWS API documents, "Order Submission", "Available Orders" and "Executions and Commissions".
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import cast

import msgspec

from foxtrot.adapter.ib.instruments import time_zone
from foxtrot.adapter.ib.sdk import RawExecution, RawOrder, RawOrderState
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

EXEC_DETAILS = 11
"""The number of the message that tells a fill."""

_EXEC_TIME = 15
"""Where its time stands."""

_MOMENT = re.compile(r"(\d{8})(?:-(\d\d:\d\d:\d\d)| +(\d\d:\d\d:\d\d) +(\S.*))")

_LARGEST = Decimal(10) ** 15
_UNSET = Decimal(10) ** 300
"""Above it, a number stands for "not set": TWS sends the largest double."""

_SIDES = {Direction.LONG: "BUY", Direction.SHORT: "SELL"}
_DIRECTIONS = {
    "BUY": Direction.LONG,
    "SELL": Direction.SHORT,
    "SSHORT": Direction.SHORT,
    "SLONG": Direction.SHORT,
    "BOT": Direction.LONG,
    "SLD": Direction.SHORT,
}
_KINDS: Mapping[OrderType, tuple[str, str]] = {
    OrderType.LIMIT: ("LMT", "GTC"),
    OrderType.MARKET: ("MKT", "DAY"),
    OrderType.FAK: ("LMT", "IOC"),
    OrderType.FOK: ("LMT", "FOK"),
    OrderType.STOP: ("STP", "GTC"),
    OrderType.STOP_LIMIT: ("STP LMT", "GTC"),
}
"""Type and time in force. What rests does so until it is cancelled, as at every other venue."""

ORDER_TYPES = frozenset(_KINDS)
"""What can be sent."""

_PRICED = ORDER_TYPES - {OrderType.MARKET, OrderType.STOP}
_AT_ONCE = frozenset({OrderType.FAK, OrderType.FOK})
_STOPPED = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
_TYPES = {
    "LMT": OrderType.LIMIT,
    "MKT": OrderType.MARKET,
    "STP": OrderType.STOP,
    "STP LMT": OrderType.STOP_LIMIT,
}
_IN_FORCE = {"IOC": OrderType.FAK, "FOK": OrderType.FOK}

UNCONFIRMED = frozenset({"ApiPending", "PendingSubmit"})
"""TWS has the order, and no word yet of whether IB takes it."""

INACTIVE = "Inactive"
"""Refused, or held by TWS until somebody changes it; which of both, it does not say."""

CANCELLED = frozenset({"ApiCancelled", "Cancelled"})
_WORKING = frozenset({"PreSubmitted", "Submitted", INACTIVE}) | UNCONFIRMED
STATUSES = _WORKING | CANCELLED | {"PendingCancel", "Filled"}
"""All that TWS documents."""


class Terms(msgspec.Struct, frozen=True):
    """What was ordered."""

    direction: Direction
    type: OrderType
    volume: Decimal
    price: Decimal = ZERO
    stop_price: Decimal = ZERO


def order_fields(
    intent: OrderIntent, account: str, adapter_name: str
) -> dict[str, str | float | bool]:
    """The fields of the SDK's Order for an intent; numbers exactly as they were asked for.

    Raises:
        NotSupported: IB is sent no such order.
    """
    request = intent.request
    kind = _KINDS.get(request.type)
    if kind is None or request.direction not in _SIDES:
        raise NotSupported(adapter_name, f"a {request.type.value} {request.direction.value} order")
    fields: dict[str, str | float | bool] = {
        "action": _SIDES[request.direction],
        "totalQuantity": request.volume,
        "orderType": kind[0],
        "tif": kind[1],
        "orderRef": intent.orderid,
        "account": account,
        "transmit": True,
    }
    if request.type in _PRICED:
        fields["lmtPrice"] = request.price
    if request.type in _STOPPED:
        fields["auxPrice"] = request.stop_price
    return fields


def terms(order: RawOrder) -> Terms:
    """What was ordered, as TWS shows it.

    Raises:
        ValueError: Its numbers or words cannot be believed.
    """
    kind = _TYPES.get(order.orderType, OrderType.LIMIT)
    if kind is OrderType.LIMIT:
        kind = _IN_FORCE.get(order.tif, kind)
    return Terms(
        direction=_direction(order.action),
        type=kind,
        volume=quantity(order.totalQuantity),
        price=_signed(order.lmtPrice) if kind in _PRICED else ZERO,
        stop_price=_signed(order.auxPrice) if kind in _STOPPED else ZERO,
    )


def state_of(status: str, traded: Decimal, volume: Decimal, *, refused: bool) -> OrderState:
    """Where an order is that TWS shows with a status.

    Args:
        status: The word of TWS.
        traded: How much of it traded.
        volume: How much was ordered.
        refused: Whether an error said that it was refused.

    Raises:
        ValueError: TWS documents no such status.
    """
    if status not in STATUSES:
        raise ValueError(f"TWS documents no status {status[:40]!r}")
    if status == "Filled" or 0 < volume <= traded:
        return OrderState.FILLED
    if refused and status in CANCELLED | {INACTIVE}:
        return OrderState.REJECTED
    if status in CANCELLED:
        return OrderState.CANCELED
    if status == "PendingCancel":
        return OrderState.PENDING_CANCEL
    return OrderState.PARTIALLY_FILLED if traded else OrderState.ACCEPTED


def completed_report(name: Name, order: RawOrder, state: RawOrderState) -> OrderReport:
    """An order of the list of completed ones: whatever its status, it has ended.

    Raises:
        ValueError: Its numbers or words cannot be believed.
    """
    what, traded = terms(order), quantity(order.filledQuantity)
    ended = state_of(state.status, traded, what.volume, refused=state.status == INACTIVE)
    if ended in (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED, OrderState.PENDING_CANCEL):
        ended = OrderState.CANCELED
    return report(
        name,
        what,
        venue_id=venue_id(order.permId),
        orderid=order.orderRef,
        traded=traded,
        state=ended,
        ts_ns=moment(state.completedTime),
        reason="" if ended is OrderState.FILLED else state.completedStatus,
    )


def report(
    name: Name,
    what: Terms,
    *,
    venue_id: str,
    orderid: str,
    traded: Decimal,
    state: OrderState,
    ts_ns: int,
    reason: str = "",
) -> OrderReport:
    """An order of these terms. One that is filled at once or not at all expires by itself."""
    if state is OrderState.CANCELED and what.type in _AT_ONCE:
        state, reason = OrderState.EXPIRED, reason or "expired: it could not be filled at once"
    return OrderReport(
        venue_id=venue_id,
        orderid=orderid,
        symbol=name[0],
        exchange=name[1],
        direction=what.direction,
        type=what.type,
        volume=what.volume,
        traded=traded,
        state=state,
        ts_ns=ts_ns,
        price=what.price,
        stop_price=what.stop_price,
        reason=reason,
    )


def fill_report(
    name: Name, execution: RawExecution, fee: Decimal = ZERO, fee_currency: str = ""
) -> FillReport:
    """A fill; with its fee, where that is known by now.

    Raises:
        ValueError: Its numbers or words cannot be believed.
    """
    price, volume = _signed(execution.price), quantity(execution.shares)
    if not volume:
        raise ValueError("nothing was traded")
    return FillReport(
        trade_id=trade_id(execution.execId)[0],
        venue_id=venue_id(execution.permId),
        orderid=execution.orderRef,
        symbol=name[0],
        exchange=name[1],
        direction=_direction(execution.side),
        price=price,
        volume=volume,
        ts_ns=round(cast("dt.datetime", execution.time).timestamp()) * NS_PER_S,
        fee=fee,
        fee_currency=fee_currency,
    )


def trade_id(exec_id: str) -> tuple[str, int]:
    """The name of a fill, and the number of its revision.

    A correction bears the name of what it corrects with a greater number after the last dot.
    """
    stem, _, revision = exec_id.rpartition(".")
    return (stem, int(revision)) if stem and revision.isdecimal() else (exec_id, 0)


def venue_id(perm_id: int) -> str:
    """TWS's name of an order for all clients and sessions; empty while it has none."""
    return str(perm_id) if perm_id else ""


def quantity(number: float) -> Decimal:
    """A volume, exactly; 0 where TWS sets none.

    Raises:
        ValueError: It cannot be one.
    """
    found = _number(number)
    if not ZERO <= found < _LARGEST:
        raise ValueError(f"{found} is no volume")
    return found


def fee_of(number: float) -> Decimal:
    """A commission; a rebate is negative.

    Raises:
        ValueError: It cannot be one.
    """
    return _signed(number)


def moment(text: str) -> int:
    """Nanoseconds since the epoch of a time of TWS's; 0 if it cannot be read.

    It is `YYYYmmdd HH:MM:SS zone`, or `YYYYmmdd-HH:MM:SS` in UTC, as TWS's API settings say.
    """
    found = _MOMENT.match(text.strip())
    if found is None:
        return 0
    day, utc_clock, clock, zone = found.groups()
    written, place = f"{day} {utc_clock or clock}", dt.UTC if utc_clock else time_zone(zone)
    try:
        read = dt.datetime.strptime(written, "%Y%m%d %H:%M:%S").replace(tzinfo=place)
    except ValueError:
        return 0
    return max(0, round(read.timestamp())) * NS_PER_S


def dated(decode: Callable[[list[str]], None]) -> Callable[[list[str]], None]:
    """The SDK's decoder of fills, with their times read here.

    It takes UTC for the time of this machine, and drops a fill whose time zone it does not know.
    """

    def decode_dated(fields: list[str]) -> None:
        read_ns = moment(fields[_EXEC_TIME])
        if read_ns:
            fields[_EXEC_TIME] = str(read_ns // NS_PER_S)
        decode(fields)

    return decode_dated


def _signed(number: float) -> Decimal:
    found = _number(number)  # a combination's price may be below zero
    if abs(found) >= _LARGEST:
        raise ValueError(f"{found} is no price")
    return found


def _number(number: float) -> Decimal:
    try:
        found = exact(float(number))
    except (InvalidOperation, TypeError):
        raise ValueError("not a number") from None
    if not found.is_finite():
        raise ValueError(f"{found} is no number")
    return ZERO if found >= _UNSET else found


def _direction(side: str) -> Direction:
    if side not in _DIRECTIONS:
        raise ValueError("the side is none that TWS documents")
    return _DIRECTIONS[side]
