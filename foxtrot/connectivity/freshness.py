"""Whether a session is alive, judged by the application data that arrived. Pure.

An SDK's "connected" proves nothing, nor does a pong: only data does, or the venue's answer to a
probe. The session counts what it receives; this module looks at the count now and then.
"""

from __future__ import annotations

from enum import Enum

_LOOKS = 16
"""Looks per idle time; a sign of life is dated by the look that finds it."""


class Verdict(Enum):
    """What to do about a session now."""

    ALIVE = "alive"
    PROBE = "probe"


class SessionLiveness:
    """Idle for `idle_s`: ask the venue. The caller kills the session if it does not answer."""

    def __init__(self, *, idle_s: float, now: float, received: int = 0) -> None:
        self.idle_s = idle_s
        self._received = received
        self._last_sign = now

    def look(self, received: int, now: float) -> Verdict:
        """Judge by the count of application messages `received` so far."""
        if received != self._received:
            self._received, self._last_sign = received, now
        return Verdict.PROBE if now - self._last_sign >= self.idle_s else Verdict.ALIVE

    def answered(self, now: float) -> None:
        """The venue answered a probe."""
        self._last_sign = now

    def silent_s(self, now: float) -> float:
        """Seconds since the last sign of life."""
        return now - self._last_sign

    def next_look_s(self, now: float) -> float:
        """Seconds until the next look is due."""
        return min(max(self._last_sign + self.idle_s - now, 0.0), self.idle_s / _LOOKS)
