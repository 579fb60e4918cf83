"""The nouns of this room: what we intend, what a venue says, and how sure an answer is.

Volumes and prices are exact decimals here; the model's floats are made of them at the border.
"""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Generic, TypeVar

import msgspec

from foxtrot.errors import FoxtrotError
from foxtrot.model.constants import Direction, Exchange, Offset, OrderType, Status
from foxtrot.model.objects import OrderData, TradeData, utc
from foxtrot.model.requests import OrderRequest

T = TypeVar("T")

ZERO = Decimal(0)
EXTERNAL_PREFIX = "ext-"
"""How the `orderid` of an order begins that was not sent by this account's journal."""


def exact(number: float) -> Decimal:
    """The decimal that a person who wrote `number` meant: 0.1 is 0.1."""
    return Decimal(repr(number))


class OrderState(Enum):
    """Where an order is, as far as there is evidence."""

    INTENT = "intent"
    SENT = "sent"
    ACCEPTED = "accepted"
    PARTIALLY_FILLED = "partially_filled"
    PENDING_CANCEL = "pending_cancel"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    IN_DOUBT = "in_doubt"


TERMINAL = frozenset(
    {OrderState.FILLED, OrderState.CANCELED, OrderState.REJECTED, OrderState.EXPIRED}
)
"""States that are never left."""


class OrderIntent(msgspec.Struct, frozen=True):
    """An order that we mean to send; written down before anything is sent."""

    orderid: str
    request: OrderRequest
    created_ns: int


class OrderRecord(msgspec.Struct, frozen=True):
    """All that is known of one order.

    `reason` says why it is in doubt, rejected or expired, in words. `external` orders were not sent
    through this journal; their `orderid` is `ext-<venue_id>`.
    """

    intent: OrderIntent
    state: OrderState
    updated_ns: int
    venue_id: str = ""
    traded: Decimal = ZERO
    reason: str = ""
    external: bool = False

    @property
    def orderid(self) -> str:
        """The client order id."""
        return self.intent.orderid

    @property
    def volume(self) -> Decimal:
        """What was asked for, exactly."""
        return exact(self.intent.request.volume)

    @property
    def is_open(self) -> bool:
        """Whether it may live, or come to live, at the venue."""
        return self.state not in TERMINAL


class OrderReport(msgspec.Struct, frozen=True):
    """One order as the venue shows it, in a push or in an answer.

    `orderid` is the client order id that the venue echoes, "" where it has none. `state` is what
    the venue says: never INTENT, SENT or IN_DOUBT.
    """

    venue_id: str
    orderid: str
    symbol: str
    exchange: Exchange
    direction: Direction
    type: OrderType
    volume: Decimal
    traded: Decimal
    state: OrderState
    ts_ns: int
    price: Decimal = ZERO
    stop_price: Decimal = ZERO
    reason: str = ""


class FillReport(msgspec.Struct, frozen=True):
    """One fill as the venue shows it. `trade_id` is unique within the symbol of an account."""

    trade_id: str
    venue_id: str
    orderid: str
    symbol: str
    exchange: Exchange
    direction: Direction
    price: Decimal
    volume: Decimal
    ts_ns: int
    fee: Decimal = ZERO
    fee_currency: str = ""


class Known(msgspec.Struct, Generic[T], frozen=True):
    """A list that the venue answered with, whole."""

    items: tuple[T, ...]


class Unknown(msgspec.Struct, frozen=True):
    """No answer, or none that could be read. Never the same as an empty list.

    `error` is why nothing more should be asked for now, if that is so.
    """

    reason: str
    error: FoxtrotError | None = None


_SHOWN = {
    OrderState.INTENT: Status.SUBMITTING,
    OrderState.SENT: Status.SUBMITTING,
    OrderState.IN_DOUBT: Status.SUBMITTING,
    OrderState.ACCEPTED: Status.NOTTRADED,
    OrderState.PARTIALLY_FILLED: Status.PARTTRADED,
    OrderState.FILLED: Status.ALLTRADED,
    OrderState.CANCELED: Status.CANCELLED,
    OrderState.EXPIRED: Status.CANCELLED,
    OrderState.REJECTED: Status.REJECTED,
}


def order_data(record: OrderRecord, adapter_name: str) -> OrderData:
    """The order as strategies and desktops see it.

    An order in doubt is SUBMITTING, with `extra={"outcome": "unknown"}`; one whose cancel is under
    way is what it is without that; an expired one is CANCELLED with a reason.
    """
    request, state = record.intent.request, record.state
    status = _SHOWN.get(state) or (Status.PARTTRADED if record.traded else Status.NOTTRADED)
    return OrderData(
        adapter_name,
        request.symbol,
        request.exchange,
        record.orderid,
        type=request.type,
        direction=request.direction,
        offset=request.offset,
        price=request.price,
        volume=request.volume,
        traded=float(record.traded),
        status=status,
        datetime=utc(record.intent.created_ns),
        reference=request.reference,
        reason=record.reason or ("expired" if state is OrderState.EXPIRED else ""),
        extra={"outcome": "unknown"} if state is OrderState.IN_DOUBT else None,
    )


def refused_order(
    request: OrderRequest, orderid: str, adapter_name: str, refusal: str, now_ns: int
) -> OrderData:
    """The order that a request became which was refused here, before it was sent anywhere."""
    reason = f"local:{refusal}"
    record = OrderRecord(
        OrderIntent(orderid, request, now_ns), OrderState.REJECTED, now_ns, reason=reason
    )
    return order_data(record, adapter_name)


def trade_data(fill: FillReport, adapter_name: str, offset: Offset = Offset.NONE) -> TradeData:
    """The fill as strategies and desktops see it; the fee, if any, is in `extra`."""
    fee = {"fee": str(fill.fee), "fee_currency": fill.fee_currency} if fill.fee_currency else None
    return TradeData(
        adapter_name,
        fill.symbol,
        fill.exchange,
        fill.orderid,
        fill.trade_id,
        direction=fill.direction,
        offset=offset,
        price=float(fill.price),
        volume=float(fill.volume),
        datetime=utc(fill.ts_ns),
        extra=fee,
    )
