"""Pure: what the latency of each venue was in the last minute, one figure for each look."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from foxtrot.model.health import Histogram, Latency

KEPT = 60
"""Figures of one venue; the oldest are forgotten."""


class Trails:
    """The mean latency of each venue between two looks, in milliseconds, oldest first."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._before: dict[str, Histogram] = {}
        self._trails: dict[str, deque[float]] = {}

    def look(self, latency: Mapping[str, Latency]) -> dict[str, tuple[float, ...]]:
        """Add what came since the look before; a venue that nothing came of keeps its figures."""
        for name, each in latency.items():
            mean_ms = _mean_ms(each.handled_s, self._before.get(name))
            if mean_ms is not None:
                trail = self._trails.setdefault(name, deque(maxlen=self._kept))
                trail.append(mean_ms)
            self._before[name] = each.handled_s
        return {name: tuple(trail) for name, trail in self._trails.items()}


def _mean_ms(now: Histogram, before: Histogram | None) -> float | None:
    count, sum_s = now.count, now.sum_s
    if before is not None and before.count <= count:
        count, sum_s = count - before.count, sum_s - before.sum_s
    return sum_s / count * 1e3 if count else None
