"""Readings of an engine for many readers: each made once, on a thread of its own, and shared."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

import msgspec

from foxtrot.core.aside import aside
from foxtrot.core.clock import Clock, SystemClock
from foxtrot.monitoring.answers import Answer
from foxtrot.monitoring.veil import Veil, accounts_of

if TYPE_CHECKING:
    from foxtrot.engine.main_engine import MainEngine

T = TypeVar("T")
View: TypeAlias = Callable[["MainEngine"], T]
Asked = tuple[int, object]
"""How often something was changed before it was asked, and what."""

KEPT_S = 1.0
DEADLINE_S = 0.9


class NoAnswer(Exception):
    """What was asked does not answer: something in the process stands still."""


class Reading(msgspec.Struct, Generic[T], frozen=True):
    """What was read, cleaned, and the answer that says so."""

    data: T
    body: bytes


class Readings:
    """Reads views of an engine, at most once a second each, whoever and how many ask.

    A reading that hangs hangs alone, and once: whoever waits for it is told so in time.

    Belongs to the server's loop.

    Args:
        engine: What is read.
        kept_s: For how long a reading serves.
        deadline_s: How long a reader waits.
        clock: Measures both.
    """

    def __init__(
        self,
        engine: MainEngine,
        *,
        kept_s: float = KEPT_S,
        deadline_s: float = DEADLINE_S,
        clock: Clock | None = None,
    ) -> None:
        self._engine, self._clock = engine, clock or SystemClock()
        self._kept_s, self._deadline_s = kept_s, deadline_s
        self._veil = Veil()
        self._kept: dict[object, tuple[float, object]] = {}
        self._under_way: dict[Asked, asyncio.Task[object]] = {}
        self._age = 0

    async def of(self, view: View[T]) -> Reading[T]:
        """What `view` shows.

        Raises:
            NoAnswer: It did not come in time.
        """
        return await self.shared(view, lambda: self._read(view))

    async def shared(self, key: object, read: Callable[[], T]) -> T:
        """What `read` returns, called once for all who ask under `key` meanwhile.

        Raises:
            NoAnswer: It did not come in time.
        """
        if self.has(key):
            return self._kept[key][1]  # type: ignore[return-value]
        asked = self._age, key  # what began before something was changed does not tell of it
        task = self._under_way.get(asked)
        if task is None:
            task = self._under_way[asked] = asyncio.create_task(self._make(asked, read))
            task.add_done_callback(lambda done: self._end(asked, done))
        done, _ = await asyncio.wait([task], timeout=self._deadline_s)
        if not done:
            raise NoAnswer
        return task.result()  # type: ignore[return-value]

    def has(self, key: object) -> bool:
        """Whether what is asked under `key` is there, and needs not be read."""
        made_at, _ = self._kept.get(key, (-math.inf, None))
        return self._clock.monotonic() - made_at < self._kept_s

    def forget(self) -> None:
        """Read anew from now on: something was changed."""
        self._age += 1
        self._kept.clear()

    async def close(self) -> None:
        """Wait for nothing any more."""
        for task in list(self._under_way.values()):
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    def _end(self, asked: Asked, task: asyncio.Task[object]) -> None:
        self._under_way.pop(asked, None)
        if not task.cancelled():
            task.exception()  # who waited has it by now, or went away

    async def _make(self, asked: Asked, read: Callable[[], object]) -> object:
        made = await aside(read, "monitor-reading")
        age, key = asked
        if age == self._age:
            self._kept[key] = (self._clock.monotonic(), made)
        return made

    def _read(self, view: View[T]) -> Reading[T]:
        shown = view(self._engine)
        clean = self._veil.over(msgspec.to_builtins(shown), accounts_of(self._engine))
        data = msgspec.convert(clean, type(shown))
        return Reading(data, msgspec.json.encode(Answer(True, clean)))
