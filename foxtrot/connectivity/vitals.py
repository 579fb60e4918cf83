"""How an adapter does: what grew in the last minutes. Pure.

Alerts and the roll-out judge by the same figures, which are told apart by their window alone.
"""

from __future__ import annotations

from collections import deque

import msgspec

from foxtrot.errors import ErrorClass
from foxtrot.model.health import AdapterHealth, Histogram, Latency

SHORT_S, LONG_S = 300.0, 3600.0
"""The two windows: errors and latency are judged by the short one, the rest by the long one."""

LEAST_COUNT = 20
"""Of so many messages and errors at least is a share of errors told, and of so many samples at
least a latency: a few prove nothing."""

_STEPS = 60
_NONE = Histogram((), ())


class Trail:
    """What a number was in the last `window_s` seconds, in steps of a sixtieth.

    Args:
        window_s: How far back.
        counter: It only grows; where it shrinks, it was started anew.
    """

    def __init__(self, window_s: float, *, counter: bool = True) -> None:
        self._window_s, self._counter = window_s, counter
        self._points: deque[tuple[float, float]] = deque()
        self.last = self._total = self._now = 0.0

    def add(self, now: float, value: float) -> None:
        """It is `value` now."""
        if not self._points or not self._counter:
            self._total = value
        else:
            self._total += value - self.last if value >= self.last else value
        self.last, self._now = value, now
        if not self._points or now - self._points[-1][0] >= self._window_s / _STEPS:
            self._points.append((now, self._total))
        while len(self._points) > 1 and self._points[1][0] <= now - self._window_s:
            self._points.popleft()

    @property
    def growth(self) -> float:
        """By how much it grew in the window, or since it is known."""
        return self._total - self._points[0][1] if self._points else 0.0

    @property
    def span_s(self) -> float:
        """The seconds in which it did."""
        return self._now - self._points[0][0] if self._points else 0.0

    @property
    def rate(self) -> float:
        """The growth in a second."""
        return self.growth / self.span_s if self.span_s else 0.0


class Vitals(msgspec.Struct, frozen=True):
    """The counters of one adapter that say how it does."""

    messages: int = 0
    faults: int = 0
    """Errors, and messages that could not be used."""
    errors: int = 0
    reconnects: int = 0
    venue_sum_s: float = 0.0
    venue_count: int = 0
    handled_sum_s: float = 0.0
    handled_count: int = 0
    down_s: dict[str, float] = {}
    """Seconds that each session did not serve, though it should have."""


def vitals(adapter: AdapterHealth, latency: Latency | None) -> Vitals:
    """What a snapshot says of one adapter."""
    malformed = ErrorClass.MALFORMED.value  # counted as messages already
    errors = sum(n for name, n in adapter.errors_by_class.items() if name != malformed)
    venue, handled = (latency.venue_s, latency.handled_s) if latency is not None else (_NONE, _NONE)
    return Vitals(
        messages=adapter.received,
        faults=errors + adapter.malformed + adapter.rejected,
        errors=errors,
        reconnects=adapter.reconnects,
        venue_sum_s=venue.sum_s,
        venue_count=venue.count,
        handled_sum_s=handled.sum_s,
        handled_count=handled.count,
        down_s={session.name: session.down_s for session in adapter.sessions},
    )


class _Mean:
    """The mean of durations that are known by their sum and their count."""

    def __init__(self) -> None:
        self._sum, self._count = Trail(SHORT_S), Trail(SHORT_S)

    def add(self, now: float, total: float, count: int) -> None:
        """These are the sums now."""
        self._sum.add(now, total)
        self._count.add(now, count)

    @property
    def count(self) -> float:
        """How many there were in the last minutes."""
        return self._count.growth

    @property
    def value(self) -> float:
        """Their mean; 0 without any."""
        return self._sum.growth / self.count if self.count else 0.0


class Course:
    """How one adapter did lately."""

    def __init__(self) -> None:
        self._messages, self._faults, self._errors = (Trail(SHORT_S) for _ in range(3))
        self._venue, self._handled = _Mean(), _Mean()
        self._reconnects = Trail(LONG_S)
        self._down: dict[str, Trail] = {}

    def add(self, now: float, vitals: Vitals) -> None:
        """These are the counters now."""
        self._messages.add(now, vitals.messages)
        self._faults.add(now, vitals.faults)
        self._errors.add(now, vitals.errors)
        self._venue.add(now, vitals.venue_sum_s, vitals.venue_count)
        self._handled.add(now, vitals.handled_sum_s, vitals.handled_count)
        self._reconnects.add(now, vitals.reconnects)
        for session in {*self._down, *vitals.down_s}:
            trail = self._down.setdefault(session, Trail(LONG_S))
            trail.add(now, vitals.down_s.get(session, trail.last))

    @property
    def error_share(self) -> float:
        """Errors and useless messages of all there was in five minutes, from 0 to 1."""
        count = self._messages.growth + self._errors.growth
        return min(self._faults.growth / count, 1.0) if count >= LEAST_COUNT else 0.0

    @property
    def latency_s(self) -> float | None:
        """Mean time from the venue through the handlers in five minutes; None of too little."""
        if self._handled.count < LEAST_COUNT:
            return None
        return self._venue.value + self._handled.value

    @property
    def reconnects(self) -> float:
        """Reconnects in an hour."""
        return self._reconnects.growth

    @property
    def uptime(self) -> dict[str, float]:
        """Share of the last hour in which each session served; what is not known counts as up."""
        return {name: 1.0 - trail.growth / LONG_S for name, trail in self._down.items()}
