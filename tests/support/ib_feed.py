"""An assembler of IB's market data that is fed bytes, by the fast path or by the SDK's own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo

from foxtrot.adapter.ib import frames
from foxtrot.adapter.ib.client import IbClient, sdk
from foxtrot.adapter.ib.inbox import Inbox
from foxtrot.adapter.ib.requests import Requests
from foxtrot.adapter.ib.sink import MarketSink
from foxtrot.adapter.ib.slots import BarSlot, DepthSlot, Mark, TickSlot, TradeSlot
from foxtrot.adapter.ib.ticks import Assembler
from foxtrot.errors import MalformedMessage
from foxtrot.gateway.counters import FeedCounters
from foxtrot.model.constants import Exchange, Interval, Lane
from foxtrot.model.events import Event
from foxtrot.model.objects import BarData, DepthData, MarketTradeData, Source, TickData
from tests.support.ib_door import frame

T = TypeVar("T")

TICKS, BOOK, PRINTS, BARS = 11, 12, 13, 14
"""Request ids of the streams that are there."""

AT_S = 1_795_000_000
SOURCE = Source.of("AAPL-USD-STK", Exchange.SMART, "IB")


def price(kind: int, value: object, size: object = "", number: int = TICKS) -> bytes:
    """A tickPrice."""
    return frame(1, 6, number, kind, str(value), str(size), 1)


def size(kind: int, value: object, number: int = TICKS) -> bytes:
    """A tickSize."""
    return frame(2, 6, number, kind, str(value))


def quote(bid: float, ask: float) -> bytes:
    """Both sides, as TWS tells them when both have changed."""
    return price(1, bid, 100) + size(0, 100) + price(2, ask, 200) + size(3, 200)


def stamp(seconds: object, number: int = TICKS) -> bytes:
    """A tickString with the time of the last trade."""
    return frame(46, 6, number, 45, str(seconds))


def row(place: int, operation: int, side: int, at: object, amount: object) -> bytes:
    """An updateMktDepthL2."""
    return frame(13, 1, BOOK, place, "NASDAQ", operation, side, str(at), str(amount), 1)


def printed(seconds: object, at: object, amount: object) -> bytes:
    """A tick-by-tick print."""
    return frame(99, PRINTS, 2, str(seconds), str(at), str(amount), 0, "ARCA", "")


def bar_now(start_s: int, first: float, high: float, low: float, last: float) -> bytes:
    """A historicalDataUpdate."""
    return frame(90, BARS, 3, start_s, first, last, high, low, last, 7)


def bars_past(*starts_s: int) -> bytes:
    """A historicalData with one plain bar for each start."""
    rows = [field for start in starts_s for field in (start, 10, 12, 9, 11, 5, 10.5, 3)]
    return frame(17, BARS, "", "", len(starts_s), *rows)


def bar_over(start_s: int, first: float, high: float, low: float, last: float) -> bytes:
    """A realtimeBar."""
    return frame(50, 3, BARS, start_s, first, high, low, last, 7, last, 3)


class Feed:
    """One connection's streams of one contract.

    Args:
        fast: Whether the fast path reads.
        lowest: The bound that prices are above.
    """

    def __init__(self, *, fast: bool = True, lowest: float = 0.0) -> None:
        self.events: list[Event] = []
        self.torn: list[DepthSlot] = []
        self.rotten: list[MalformedMessage] = []
        self.errors: list[tuple[int, int, str]] = []
        self.counters = FeedCounters()
        self.ticks = Assembler(
            "IB", self.counters, self.events.append, levels=5, on_torn=self.torn.append
        )
        self.inbox = Inbox("IB", Requests("IB"), lambda *_: None)
        self.inbox.on_unreadable = self.ticks.unreadable
        self.inbox.market = MarketSink(self.ticks, lambda *told: self.errors.append(told))
        raw: Any = sdk().Client(self.inbox)
        raw._serverVersion = raw.decoder.serverVersion = 176
        raw._apiReady = True
        raw.decoder.logger = self.inbox.decoder_log
        self.raw = raw
        self._client = cast("IbClient", SimpleNamespace(raw=raw, read=raw._onSocketHasData))
        if fast:
            assert frames.take_over("IB", self._client, self.ticks, self.rotten.append)
        else:
            needed, frames._NEEDED = frames._NEEDED, ("_of_another_sdk",)
            assert not frames.take_over("IB", self._client, self.ticks, self.rotten.append)
            frames._NEEDED = needed
        self.tick_slot = TickSlot(SOURCE, Mark(), Lane.LATEST, lowest)
        self.book_slot = DepthSlot(SOURCE, Mark(), Lane.LATEST, lowest)
        self.print_slot = TradeSlot(SOURCE, Mark(), Lane.BOUNDED, lowest)
        self.print_slot.mark.number = 0
        self.bar_slot = BarSlot(SOURCE, Mark(), lowest, Interval.MINUTE, ZoneInfo("UTC"))
        self.ticks.add(TICKS, self.tick_slot)
        self.ticks.add(BOOK, self.book_slot)
        self.ticks.add(PRINTS, self.print_slot)
        self.ticks.add(BARS, self.bar_slot)

    def __call__(self, *messages: bytes) -> list[object]:
        """Let the socket bring these at once; returns what was told."""
        told = len(self.events)
        self._client.read(b"".join(messages))
        return [event.data for event in self.events[told:]]

    def tick(self, *messages: bytes) -> TickData:
        """The one tick that these bring."""
        return one(self(*messages), TickData)

    def depth(self, *messages: bytes) -> DepthData:
        """The one book that these bring."""
        return one(self(*messages), DepthData)

    def prints(self, *messages: bytes) -> list[MarketTradeData]:
        """The prints that these bring."""
        return [item for item in self(*messages) if isinstance(item, MarketTradeData)]

    def bars(self, *messages: bytes) -> list[BarData]:
        """The bars that these bring."""
        return [item for item in self(*messages) if isinstance(item, BarData)]


def one(items: list[object], kind: type[T]) -> T:
    """The only one, of this kind."""
    (item,) = items
    assert isinstance(item, kind)
    return item
