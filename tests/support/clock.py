"""A clock that stands still until it is told to move."""

from __future__ import annotations

import threading


class ManualClock:
    """Both of `Clock`'s times, moved by `advance`; may be read and moved from any thread."""

    def __init__(
        self, monotonic: float = 1_000.0, time_ns: int = 1_700_000_000_000_000_000
    ) -> None:
        self._lock = threading.Lock()
        self._monotonic = monotonic
        self._time_ns = time_ns

    def monotonic(self) -> float:
        """See `Clock`."""
        with self._lock:
            return self._monotonic

    def time_ns(self) -> int:
        """See `Clock`."""
        with self._lock:
            return self._time_ns

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass, on both clocks."""
        with self._lock:
            self._monotonic += seconds
            self._time_ns += round(seconds * 1e9)
