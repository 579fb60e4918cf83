"""An asyncio loop whose time jumps: an outage of an hour takes milliseconds, the same every time.

Only what runs on the loop is in it; threads, sockets and SDKs are not.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

_START_NS = 1_700_000_000_000_000_000
_TURN_S = 1e-9
"""What a turn of the loop takes at least: a deadline missed by a rounding error is met soon."""
_TURNS_PER_S = 100_000
_END_S = 60.0


class TimeStandsError(RuntimeError):
    """Every task waits for another, or something goes round and round without waiting."""


class _JumpingSelector(selectors.SelectSelector):
    """Where a loop would sleep, time jumps to the moment it wanted to wake."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self._since = 0.0
        self._turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise TimeStandsError("every task waits for another")
        self._count_turn()
        ready = super().select(0)
        if not ready:
            self.now += max(timeout, _TURN_S)
        return ready

    def _count_turn(self) -> None:
        self._turns += 1
        if self.now - self._since >= 1.0:
            self._since, self._turns = self.now, 0
        elif self._turns > _TURNS_PER_S:
            self._turns = 0
            raise TimeStandsError(f"{_TURNS_PER_S} turns of the loop within a virtual second")


class VirtualClock:
    """foxtrot's Clock over a virtual loop."""

    def __init__(self, selector: _JumpingSelector) -> None:
        self._selector = selector

    def monotonic(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._selector.now

    def time_ns(self) -> int:
        """Virtual nanoseconds since the epoch."""
        return _START_NS + int(self._selector.now * 1e9)


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop on virtual time."""

    def __init__(self) -> None:
        self.selector = _JumpingSelector()
        super().__init__(self.selector)
        self.clock = VirtualClock(self.selector)

    def time(self) -> float:
        """Virtual seconds."""
        return self.selector.now


def run_virtually(make: Coroutine[object, object, T], loop: VirtualLoop) -> T:
    """Run a coroutine to its end on `loop` and close it; nothing may be left running."""
    asyncio.set_event_loop(loop)  # as on the bridge: ib_insync asks its thread for the loop
    try:
        result = loop.run_until_complete(make)
        left = asyncio.all_tasks(loop)
        assert not left, f"tasks left behind: {left}"
        return result
    finally:
        _end(asyncio.all_tasks(loop), loop)
        asyncio.set_event_loop(None)
        loop.close()


def _end(tasks: set[asyncio.Task[object]], loop: VirtualLoop) -> None:
    """A test that fails leaves no task either, so that it fails for one reason only."""
    for task in tasks:
        task.cancel()
    if tasks:
        with suppress(TimeStandsError):
            loop.run_until_complete(asyncio.wait(tasks, timeout=_END_S))
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()
