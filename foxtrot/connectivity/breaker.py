"""The circuit breaker: after repeated failures, stop trying for a while, then try once. Pure.

It counts consecutive attempts that miss READY; a connection that was READY and is lost is no such
failure. While it is open somebody else serves (polling, if the settings allow), and one attempt
after each pause tells whether the venue's streams are back.
"""

from __future__ import annotations

from enum import Enum


class BreakerState(Enum):
    """CLOSED: all is well. OPEN: no attempts. HALF_OPEN: one attempt is under way."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreaker:
    """Says whether to try, by the results it is told.

    Args:
        threshold: Consecutive failures that open it.
        open_s: Seconds from opening to the next single attempt.
    """

    def __init__(self, *, threshold: int, open_s: float) -> None:
        self._threshold, self._open_s = threshold, open_s
        self._failures = 0
        self._opened_at = 0.0
        self.state = BreakerState.CLOSED

    def failed(self, now: float) -> bool:
        """An attempt missed READY; returns whether that opened the breaker."""
        self._failures += 1
        was_closed = self.state is BreakerState.CLOSED
        if was_closed and self._failures < self._threshold:
            return False
        self.state, self._opened_at = BreakerState.OPEN, now
        return was_closed

    def succeeded(self) -> bool:
        """An attempt reached READY; returns whether that closed the breaker."""
        was_open = self.state is not BreakerState.CLOSED
        self.state, self._failures = BreakerState.CLOSED, 0
        return was_open

    def wait_s(self, now: float) -> float:
        """Seconds until the next attempt is allowed; 0 unless open."""
        if self.state is not BreakerState.OPEN:
            return 0.0
        return max(self._opened_at + self._open_s - now, 0.0)

    def trying(self, now: float) -> None:
        """An attempt begins: an open breaker whose time has come is half open."""
        if self.state is BreakerState.OPEN and self.wait_s(now) == 0.0:
            self.state = BreakerState.HALF_OPEN
