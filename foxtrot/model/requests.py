"""What a caller asks of an adapter."""

from __future__ import annotations

from datetime import datetime

import msgspec

from foxtrot.model.constants import Channel, Direction, Exchange, Interval, Offset, OrderType


class SubscribeRequest(msgspec.Struct, frozen=True):
    """Asks for one channel of one contract.

    `interval` counts for bars only. With `conflate=False` every tick is delivered in order, out of
    a bounded queue, instead of the newest per symbol when the consumer falls behind.
    """

    symbol: str
    exchange: Exchange
    channel: Channel = Channel.TICK
    interval: Interval = Interval.MINUTE
    conflate: bool = True

    @property
    def vt_symbol(self) -> str:
        """`symbol.EXCHANGE`."""
        return f"{self.symbol}.{self.exchange.value}"


class OrderRequest(msgspec.Struct, frozen=True):
    """Asks for a new order. `price` counts for limit types, `stop_price` for stop types."""

    symbol: str
    exchange: Exchange
    direction: Direction
    type: OrderType
    volume: float
    price: float = 0.0
    offset: Offset = Offset.NONE
    reference: str = ""
    stop_price: float = 0.0

    @property
    def vt_symbol(self) -> str:
        """`symbol.EXCHANGE`."""
        return f"{self.symbol}.{self.exchange.value}"


class CancelRequest(msgspec.Struct, frozen=True):
    """Asks to cancel an order, named by its `orderid`."""

    orderid: str
    symbol: str
    exchange: Exchange

    @property
    def vt_symbol(self) -> str:
        """`symbol.EXCHANGE`."""
        return f"{self.symbol}.{self.exchange.value}"


class HistoryRequest(msgspec.Struct, frozen=True):
    """Asks for bars from `start` to `end` (now, if None); both timezone-aware."""

    symbol: str
    exchange: Exchange
    start: datetime
    end: datetime | None = None
    interval: Interval = Interval.MINUTE

    @property
    def vt_symbol(self) -> str:
        """`symbol.EXCHANGE`."""
        return f"{self.symbol}.{self.exchange.value}"
