"""How far each stream has been told: what is older is not told again, by whatever way it comes.

Marks outlive a session, so that neither a reconnect nor a change of mode repeats anything.
"""

from __future__ import annotations

from foxtrot.model.constants import Channel, Exchange
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import TickData

RESYNC_NS = 2_000_000_000
DAY = "day"
"""The part of a tick stream that brings its statistics; quotes are the stream's own."""

_OVERLAPPED = 10_000
_DOUBTS = 3
"""When everything is older than the mark, so often and for so long, then the venue counts anew."""


class Mark:
    """The number of the newest that was told; `at` is set by whoever tells it.

    `heard_ns` is when anything came that could be read, whether or not it was told; `tick` is the
    newest tick that was told, if the stream brings ticks.
    """

    __slots__ = ("_doubted", "_doubts", "_since_ns", "at", "heard_ns", "tick")

    def __init__(self) -> None:
        self.at = -1
        self.heard_ns = 0
        self.tick: TickData | None = None
        self._doubted, self._doubts, self._since_ns = -1, 0, 0

    def is_old(self, number: int, now_ns: int) -> bool:
        """Whether `number` was told before, or is older than what was."""
        if number > self.at:
            return False
        if self._doubted != self.at:
            self._doubted, self._doubts, self._since_ns = self.at, 0, now_ns
        self._doubts += 1
        return self._doubts < _DOUBTS or now_ns - self._since_ns < RESYNC_NS


class Overlap:
    """What was told while two connections bring the same stream, each in its own order.

    The newest number alone would take for old what only comes late. Bounded: of more than ten
    thousand prints the oldest are taken for told.

    Args:
        since: The number of the newest that was told before.
    """

    __slots__ = ("_since", "_told")

    def __init__(self, since: int) -> None:
        self._since = since
        self._told: dict[int, None] = {}

    def is_news(self, number: int) -> bool:
        """Whether `number` was not told yet."""
        return number > self._since and number not in self._told

    def told(self, number: int) -> None:
        """Remember that `number` was told."""
        self._told[number] = None
        if len(self._told) > _OVERLAPPED:
            oldest = next(iter(self._told))
            del self._told[oldest]
            self._since = max(self._since, oldest)


class Marks:
    """The marks of one adapter. Owned by the loop thread."""

    def __init__(self) -> None:
        self._marks: dict[tuple[StreamKey, str], Mark] = {}

    def of(self, key: StreamKey, part: str = "") -> Mark:
        """The mark of a stream, or of a part of it: always the same object."""
        return self._marks.setdefault((key, part), Mark())

    def tick(self, symbol: str) -> TickData | None:
        """The newest tick of a symbol, by whatever mode. From any thread."""
        mark = self._marks.get((StreamKey(Channel.TICK, symbol, Exchange.BINANCE), ""))
        return mark.tick if mark is not None else None

    def heard_ns(self, key: StreamKey) -> int:
        """When a stream last brought anything; 0 if it never did. From any thread."""
        parts = (self._marks.get((key, part)) for part in ("", DAY))
        return max((mark.heard_ns for mark in parts if mark is not None), default=0)

    def forget(self, key: StreamKey) -> None:
        """Nobody wants the stream any more."""
        for marked in [each for each in self._marks if each[0] == key]:
            del self._marks[marked]
