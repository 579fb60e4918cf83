"""An asyncio loop whose time jumps: an outage of an hour takes milliseconds, the same every time.

Only what runs on the loop is in it; threads, sockets and SDKs are not.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")

_START_NS = 1_700_000_000_000_000_000
_TURN_S = 1e-9
"""What a turn of the loop takes at least: a deadline missed by a rounding error is met soon."""


class _JumpingSelector(selectors.SelectSelector):
    """Where a loop would sleep, time jumps to the moment it wanted to wake."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("virtual time stands still: every task waits for another")
        ready = super().select(0)
        if not ready:
            self.now += max(timeout, _TURN_S)
        return ready


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
    try:
        result = loop.run_until_complete(make)
        left = asyncio.all_tasks(loop)
        assert not left, f"tasks left behind: {left}"
        return result
    finally:
        loop.close()
