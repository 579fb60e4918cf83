"""How far each stream was told, whoever told it.

Marks outlive a session, so that neither a reconnect nor a change of mode repeats anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from foxtrot.model.constants import Channel, Exchange
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import TickData


class BaseMark:
    """How far one stream was told; a venue adds what it tells old from new by.

    `heard_ns` is when anything of it came that could be read, whether or not it was told; `tick` is
    the newest tick that was told, if it brings ticks.
    """

    __slots__ = ("heard_ns", "tick")

    def __init__(self) -> None:
        self.heard_ns = 0
        self.tick: TickData | None = None


M = TypeVar("M", bound=BaseMark, covariant=True)


class BaseMarks(Generic[M]):
    """The marks of one adapter.

    Thread safety: made and forgotten on the loop thread; a mark is written by whoever serves its
    stream at the moment.

    Args:
        blank: Makes the mark of a stream that was never told.
    """

    def __init__(self, blank: Callable[[], M]) -> None:
        self._blank = blank
        self._marks: dict[StreamKey, M] = {}

    def of(self, key: StreamKey) -> M:
        """The mark of a stream: always the same object."""
        mark = self._marks.get(key)
        if mark is None:
            mark = self._marks[key] = self._blank()
        return mark

    def tick(self, symbol: str, exchange: Exchange) -> TickData | None:
        """The newest tick of a contract, by whatever mode. From any thread."""
        mark = self._marks.get(StreamKey(Channel.TICK, symbol, exchange))
        return mark.tick if mark is not None else None

    def heard_ns(self, key: StreamKey) -> int:
        """When a stream last brought anything; 0 if it never did. From any thread."""
        mark = self._marks.get(key)
        return mark.heard_ns if mark is not None else 0

    def forget(self, key: StreamKey) -> None:
        """Nobody wants the stream any more."""
        self._marks.pop(key, None)
