"""What is known of each stream: the latest of it, and how far it was told."""

from __future__ import annotations

import datetime as dt
import math
import time
from typing import TypeAlias
from zoneinfo import ZoneInfo

from foxtrot.adapter.ib.depth import DepthBook
from foxtrot.adapter.ib.mapping import Row
from foxtrot.gateway.marks import BaseMark, BaseMarks
from foxtrot.model.constants import Interval, Lane
from foxtrot.model.objects import NO_STATISTICS, DayStatistics, Levels, Source

Quoted: TypeAlias = tuple[float, float, float, float, float, float]
"""Bid, ask and last price, each with its size."""

DEPTH_ROWS = 10
"""Rows asked for of each side."""


class Mark(BaseMark):
    """How far a stream was told, by whatever mode.

    `moving` is the begin of the bar that was told last while it still moved, or just after that of
    one that was told closed: what begins earlier is no news. `number` is that of the newest print,
    `asked_at` when TWS was asked for the stream, in the loop's seconds.
    """

    __slots__ = ("asked_at", "moving", "number")

    def __init__(self) -> None:
        super().__init__()
        self.asked_at = -math.inf
        self.moving: dt.datetime | None = None
        # TWS numbers no prints; counted from the moment, no number comes twice, in no run.
        self.number = time.time_ns() // 1_000

    def closed(self, start: dt.datetime) -> None:
        """The bar that begins at `start` was told closed, and is not told again."""
        self.moving = start + dt.timedelta.resolution


class Marks(BaseMarks[Mark]):
    """The marks of one adapter."""

    def __init__(self) -> None:
        super().__init__(Mark)


class Slot:
    """What every stream has. `heard_ns` is when this session last heard of it."""

    __slots__ = ("heard_ns", "lane", "lowest", "mark", "source", "topic", "untold")

    def __init__(self, source: Source, mark: Mark, lane: Lane, lowest: float) -> None:
        self.source, self.mark, self.lane, self.lowest = source, mark, lane, lowest
        self.topic = source.vt_symbol
        self.heard_ns = 0
        self.untold = False

    def hear(self, now_ns: int) -> None:
        """Note that something came."""
        self.heard_ns = self.mark.heard_ns = now_ns

    def begin(self) -> None:
        """TWS is asked for the stream, perhaps not for the first time."""


class TickSlot(Slot):
    """The latest of one contract, from which its ticks are made.

    `echoes` has the begin of the message that repeats the size of a price, by the type of the
    price, as both are on the wire.
    """

    __slots__ = (
        "ask", "ask_volume", "asks", "bid", "bid_volume", "bids", "day", "echoes", "event_ns",
        "last", "last_volume", "statistics",
    )  # fmt: skip

    def __init__(self, source: Source, mark: Mark, lane: Lane, lowest: float) -> None:
        super().__init__(source, mark, lane, lowest)
        self.bid = self.bid_volume = self.ask = self.ask_volume = 0.0
        self.last = self.last_volume = 0.0
        self.statistics = [0.0] * 9
        self.day: DayStatistics = NO_STATISTICS
        self.event_ns = 0
        self.echoes: dict[bytes, bytes] = {}
        self.bids: Levels = ()
        self.asks: Levels = ()

    def begin(self) -> None:
        """TWS tells the quote again, as far as there is one; the last trade was what it was."""
        self.bid = self.bid_volume = self.ask = self.ask_volume = 0.0

    def quoted(self) -> Quoted:
        """What can be compared with a snapshot."""
        return (
            self.bid, self.bid_volume, self.ask, self.ask_volume, self.last, self.last_volume
        )  # fmt: skip


class DepthSlot(Slot):
    """A book; `torn` while a change did not fit it, until it was asked for again.

    `ticks` is the slot of the same contract's ticks, which show the best levels.
    """

    __slots__ = ("book", "crossed_ns", "ticks", "torn")

    def __init__(self, source: Source, mark: Mark, lane: Lane, lowest: float) -> None:
        super().__init__(source, mark, lane, lowest)
        self.book = DepthBook(DEPTH_ROWS)
        self.torn = False
        self.crossed_ns = 0
        self.ticks: TickSlot | None = None

    def begin(self) -> None:
        """TWS tells the whole book again."""
        self.book.clear()
        self.torn, self.crossed_ns = False, 0


class TradeSlot(Slot):
    """Prints."""

    __slots__ = ()


class BarSlot(Slot):
    """Bars of one length; those of the past come first, as `rows`; `moving` is the newest.

    `zone` is that of the exchange, by whose days its bars of a day begin.
    """

    __slots__ = ("interval", "moving", "rows", "zone")

    def __init__(
        self,
        source: Source,
        mark: Mark,
        lowest: float,
        interval: Interval,
        zone: ZoneInfo,
    ) -> None:
        super().__init__(source, mark, Lane.BOUNDED, lowest)
        self.interval, self.zone = interval, zone
        self.rows: list[Row] = []
        self.moving: Row | None = None

    def begin(self) -> None:
        """TWS tells the last bars again."""
        self.rows, self.moving = [], None
