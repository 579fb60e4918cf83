"""Windows that must not be exceeded. Pure: they say how long to wait, the caller waits."""

from __future__ import annotations

from collections import deque


class Spacing:
    """At least `gap_s` between two sends; safe against a venue that counts in rolling seconds."""

    def __init__(self, gap_s: float) -> None:
        self._gap_s = gap_s
        self._free_at = float("-inf")

    def reserve(self, now: float) -> float:
        """Take the next place; returns the seconds to wait for it."""
        at = max(now, self._free_at)
        self._free_at = at + self._gap_s
        return at - now


class RollingWindow:
    """At most `limit` units in any `per_s` seconds, whatever the interleaving."""

    def __init__(self, limit: int, per_s: float) -> None:
        self._limit, self._per_s = limit, per_s
        self._taken: deque[tuple[float, int]] = deque()
        self._used = 0

    def reserve(self, now: float, units: int = 1) -> float:
        """Take `units`; returns the seconds to wait until they may be used.

        Raises:
            ValueError: More units at once than the window ever holds.
        """
        if units > self._limit:
            raise ValueError(f"{units} units at once, but the window holds {self._limit}")
        at = self.free_at(now, units)
        self._forget(at)
        self._taken.append((at, units))
        self._used += units
        return at - now

    def free_at(self, now: float, units: int = 1) -> float:
        """When `units` might be used, were they asked for now; takes nothing."""
        at = max(now, self._taken[-1][0] if self._taken else now)
        used = self._used
        for taken_at, taken in self._taken:
            leaves_at = taken_at + self._per_s
            if leaves_at > at and used + units <= self._limit:
                break
            at = max(at, leaves_at)
            used -= taken
        return at

    def give_back(self, at: float, units: int = 1) -> None:
        """Take back what was reserved for `at` without a wait, and then not used after all."""
        if (at, units) in self._taken:
            self._taken.remove((at, units))
            self._used -= units

    def used(self, now: float) -> int:
        """Units taken in the `per_s` seconds before `now`."""
        self._forget(now)
        return self._used

    def left(self, now: float) -> int:
        """Units that may be taken at once; from any thread, as it changes nothing."""
        taken = tuple(self._taken)
        if taken and taken[-1][0] > now:
            return 0  # somebody waits, and nobody is overtaken
        return self._limit - sum(units for at, units in taken if at + self._per_s > now)

    def _forget(self, now: float) -> None:
        while self._taken and self._taken[0][0] + self._per_s <= now:
            self._used -= self._taken.popleft()[1]
