"""How long to wait before the next attempt. Pure: the caller brings the clock and the dice."""

from __future__ import annotations

import random

JITTER = 0.2
"""Delays are spread by this share to both sides, so that clients do not come back in step."""

_MAX_DOUBLINGS = 64
"""2.0 ** 64 is beyond any maximum; more would overflow in the end."""


def delay_s(attempt: int, base_s: float, max_s: float, dice: float) -> float:
    """Delay before attempt `attempt` (0 is the first retry), in seconds, never above `max_s`.

    Args:
        attempt: How many retries went before.
        base_s: Delay of the first retry.
        max_s: The longest delay, jitter included.
        dice: A number from 0 to 1 that places the delay inside the jitter.
    """
    ceiling = min(base_s * 2.0 ** min(attempt, _MAX_DOUBLINGS), max_s)
    return min(ceiling * (1.0 - JITTER + 2.0 * JITTER * dice), max_s)


class Backoff:
    """Counts failed attempts; starts over only after a connection that stayed up."""

    def __init__(
        self,
        *,
        base_s: float,
        max_s: float,
        max_attempts: int,
        stable_after_s: float,
        rng: random.Random | None = None,
    ) -> None:
        self._stable_after_s = stable_after_s
        self.retune(base_s=base_s, max_s=max_s, max_attempts=max_attempts)
        self._rng = rng or random.Random()  # noqa: S311 - spreads load, hides nothing
        self._ready_at: float | None = None
        self.attempt = 0

    def retune(self, *, base_s: float, max_s: float, max_attempts: int) -> None:
        """Go on counting, with other delays and bounds."""
        self._base_s, self._max_s, self._max_attempts = base_s, max_s, max_attempts

    def next_delay_s(self) -> float:
        """The delay before the next attempt; counts that attempt."""
        delay = delay_s(self.attempt, self._base_s, self._max_s, self._rng.random())
        self.attempt += 1
        return delay

    @property
    def exhausted(self) -> bool:
        """Whether the allowed attempts are used up."""
        return self.attempt >= self._max_attempts

    def ready(self, now: float) -> None:
        """The connection became READY at `now` (monotonic seconds)."""
        self._ready_at = now

    def lost(self, now: float) -> bool:
        """The connection ended at `now`; a short life is no success and resets nothing.

        Returns:
            Whether it had been READY.
        """
        was_ready = self._ready_at is not None
        if self._ready_at is not None and now - self._ready_at >= self._stable_after_s:
            self.attempt = 0
        self._ready_at = None
        return was_ready
