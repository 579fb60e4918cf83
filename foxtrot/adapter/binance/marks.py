"""How far each stream has been told: what is older is not told again, by whatever way it comes."""

from __future__ import annotations

import msgspec

from foxtrot.gateway.marks import BaseMark, BaseMarks
from foxtrot.model.health import StreamKey

RESYNC_NS = 2_000_000_000
DAY = "day"
"""The detail of the part of a tick stream that brings its statistics; quotes are its own."""

_OVERLAPPED = 10_000
_DOUBTS = 3
"""When everything is older than the mark, so often and for so long, then the venue counts anew."""


class Mark(BaseMark):
    """`at` is the number of the newest that was told, set by whoever tells it."""

    __slots__ = ("_doubted", "_doubts", "_since_ns", "at")

    def __init__(self) -> None:
        super().__init__()
        self.at = -1
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


class Marks(BaseMarks[Mark]):
    """The marks of one adapter; each tick stream has a second one, see `day_of`."""

    def __init__(self) -> None:
        super().__init__(Mark)

    def heard_ns(self, key: StreamKey) -> int:
        """When either part of a stream last brought anything; 0 if none ever did."""
        return max(super().heard_ns(key), super().heard_ns(day_of(key)))

    def forget(self, key: StreamKey) -> None:
        """Nobody wants the stream any more."""
        super().forget(key)
        super().forget(day_of(key))


def day_of(key: StreamKey) -> StreamKey:
    """The part of a tick stream that brings the statistics of the day."""
    return msgspec.structs.replace(key, detail=DAY)
