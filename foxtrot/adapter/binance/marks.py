"""How far each stream has been told: what is older is not told again, by whatever way it comes.

Marks outlive a session, so that neither a reconnect nor a change of mode repeats anything.
"""

from __future__ import annotations

from foxtrot.model.health import StreamKey

RESYNC_NS = 2_000_000_000
_DOUBTS = 3
"""When everything is older than the mark, so often and for so long, then the venue counts anew."""


class Mark:
    """The number of the newest that was told; `at` is set by whoever tells it."""

    __slots__ = ("_doubted", "_doubts", "_since_ns", "at")

    def __init__(self) -> None:
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


class Marks:
    """The marks of one adapter. Owned by the loop thread."""

    def __init__(self) -> None:
        self._marks: dict[tuple[StreamKey, str], Mark] = {}

    def of(self, key: StreamKey, part: str = "") -> Mark:
        """The mark of a stream, or of a part of it: always the same object."""
        return self._marks.setdefault((key, part), Mark())

    def forget(self, key: StreamKey) -> None:
        """Nobody wants the stream any more."""
        for marked in [each for each in self._marks if each[0] == key]:
            del self._marks[marked]
