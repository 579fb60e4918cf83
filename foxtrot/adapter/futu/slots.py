"""What is known of each stream: the latest of it, and how far it was told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from foxtrot.adapter.futu.mapping import (
    BAR_KINDS,
    BAR_SUBS,
    BOOK,
    PRINTS,
    QUOTE,
    WireBar,
    WirePrint,
)
from foxtrot.adapter.futu.symbols import Security
from foxtrot.gateway.marks import BaseMark, BaseMarks
from foxtrot.model.constants import Channel, Interval, Lane
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import NO_STATISTICS, BarData, DayStatistics, Levels, Source

Sub: TypeAlias = tuple[Security, int]
"""What OpenD counts as one subscription: a contract and a SubType."""


class Mark(BaseMark):
    """How far a stream was told, by whatever mode.

    `event_ns` is OpenD's time of the newest quote or print, `number` that print's, `book_ns` and
    `levels` are those of the newest book; `moving` is the bar that was told last.
    """

    __slots__ = ("book_ns", "event_ns", "levels", "moving", "number")

    def __init__(self) -> None:
        super().__init__()
        self.number = self.event_ns = self.book_ns = 0
        self.levels: tuple[Levels, Levels] = (), ()
        self.moving: BarData | None = None

    def is_news(self, number: int, event_ns: int) -> bool:
        """Whether a print was not told yet; prints of a contract are numbered upwards.

        A smaller number with a later time is one of an OpenD that counts anew.
        """
        return number > self.number or event_ns > self.event_ns


class Marks(BaseMarks[Mark]):
    """The marks of one adapter."""

    def __init__(self) -> None:
        super().__init__(Mark)


class Slot:
    """What every stream has. `heard_ns` is when this session last heard of it."""

    __slots__ = ("heard_ns", "key", "lane", "mark", "security", "source", "topic")

    def __init__(
        self, key: StreamKey, source: Source, security: Security, mark: Mark, lane: Lane
    ) -> None:
        self.key, self.source, self.security = key, source, security
        self.mark, self.lane, self.topic = mark, lane, source.vt_symbol
        self.heard_ns = 0

    @property
    def subs(self) -> tuple[Sub, ...]:
        """What OpenD is asked for, for this stream."""
        return tuple((self.security, sub_type) for sub_type in sub_types(self.key))


class TickSlot(Slot):
    """The latest of one contract, of which its ticks are made: quote and book come apart.

    A book is shown with the first quote, which every contract has; not every one has a book.
    `booked_ns` is when this session last heard of it; 0 if there is none.
    """

    __slots__ = (
        "ask", "ask_volume", "asks", "bid", "bid_volume", "bids", "booked_ns", "day", "last",
        "quoted",
    )  # fmt: skip

    def __init__(
        self, key: StreamKey, source: Source, security: Security, mark: Mark, lane: Lane
    ) -> None:
        super().__init__(key, source, security, mark, lane)
        self.last = 0.0
        self.quoted = False
        self.day: DayStatistics = NO_STATISTICS
        self.lose_book()

    def lose_book(self) -> None:
        """There is no book any more, or none yet: no bid and ask stand beside the quotes."""
        self.booked_ns = 0
        self.bids: Levels = ()
        self.asks: Levels = ()
        self.bid = self.bid_volume = self.ask = self.ask_volume = 0.0


class DepthSlot(Slot):
    """A book."""

    __slots__ = ()


class TradeSlot(Slot):
    """Prints; `past` has those that were asked for, to be told with the first push."""

    __slots__ = ("past",)

    def __init__(
        self, key: StreamKey, source: Source, security: Security, mark: Mark, lane: Lane
    ) -> None:
        super().__init__(key, source, security, mark, lane)
        self.past: Sequence[WirePrint] = ()

    @property
    def resumes(self) -> bool:
        """Whether an earlier session has told some."""
        return self.mark.number != 0


class BarSlot(Slot):
    """Bars of one length, of which `kind` is the KLType; `past` as that of prints.

    `followed` says whether this session has seen the bar that was told last.
    """

    __slots__ = ("followed", "interval", "kind", "past")

    def __init__(
        self, key: StreamKey, source: Source, security: Security, mark: Mark, lane: Lane
    ) -> None:
        super().__init__(key, source, security, mark, lane)
        self.interval = Interval(key.detail)
        self.kind = BAR_KINDS[self.interval]
        self.past: Sequence[WireBar] = ()
        self.followed = False

    @property
    def resumes(self) -> bool:
        """Whether an earlier session has told some."""
        return self.mark.moving is not None


_KINDS: dict[Channel, type[Slot]] = {
    Channel.TICK: TickSlot,
    Channel.DEPTH: DepthSlot,
    Channel.TRADE: TradeSlot,
    Channel.BAR: BarSlot,
}


def make_slot(
    key: StreamKey, source: Source, security: Security, mark: Mark, *, conflate: bool
) -> Slot:
    """A slot for what a stream will bring; prints and bars are never conflated."""
    latest = conflate and key.channel in (Channel.TICK, Channel.DEPTH)
    lane = Lane.LATEST if latest else Lane.BOUNDED
    return _KINDS[key.channel](key, source, security, mark, lane)


def sub_types(key: StreamKey) -> tuple[int, ...]:
    """The SubTypes that serve a stream; of several, the last one must be had."""
    if key.channel is Channel.TICK:
        return BOOK, QUOTE
    if key.channel is Channel.DEPTH:
        return (BOOK,)
    if key.channel is Channel.TRADE:
        return (PRINTS,)
    return (BAR_SUBS[Interval(key.detail)],)
