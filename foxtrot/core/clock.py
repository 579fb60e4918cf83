"""The two clocks: one to measure with, one to write down."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where code that waits or stamps gets its time from, so that tests can hold it still."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back; only differences mean something."""
        ...

    def time_ns(self) -> int:
        """Nanoseconds since the epoch, as the machine believes."""
        ...


class SystemClock:
    """The machine's own clocks."""

    # The functions themselves, not wrappers: the dispatcher reads the clock once per event.
    monotonic = staticmethod(time.monotonic)
    time_ns = staticmethod(time.time_ns)
