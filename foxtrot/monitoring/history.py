"""How busy and how fast it was lately, sampled from health for the plots."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from foxtrot.model.health import Health, Histogram
from foxtrot.model.objects import NS_PER_S
from foxtrot.monitoring import views
from foxtrot.monitoring.readings import NoAnswer, Readings

SAMPLES: Final = 300
PERIOD_S: Final = 2.0


class Sample(msgspec.Struct, frozen=True):
    """One moment: messages a second and milliseconds until handled, of each adapter.

    A latency is null where nothing was measured since the sample before.
    """

    ts_ns: int
    rates: dict[str, float]
    median_ms: dict[str, float | None]
    p99_ms: dict[str, float | None]


class History:
    """The last samples; the oldest are forgotten."""

    def __init__(self, limit: int = SAMPLES) -> None:
        self._samples: deque[Sample] = deque(maxlen=limit)
        self._before: tuple[int, dict[str, int], Mapping[str, Histogram]] | None = None

    def add(self, health: Health, now_ns: int) -> None:
        """Remember the difference to what was told last; the first time, only what is told."""
        counts = {each.adapter_name: each.received for each in health.adapters}
        handled = {name: each.handled_s for name, each in health.engine.latency.items()}
        before, self._before = self._before, (now_ns, counts, handled)
        if before is None or now_ns <= before[0]:
            return
        seconds = (now_ns - before[0]) / NS_PER_S
        rates = {
            name: max(count - before[1].get(name, 0), 0) / seconds for name, count in counts.items()
        }
        fresh = {name: _since(h, before[2].get(name)) for name, h in handled.items()}
        median = {name: quantile_ms(h, 0.5) for name, h in fresh.items()}
        p99 = {name: quantile_ms(h, 0.99) for name, h in fresh.items()}
        self._samples.append(Sample(now_ns, rates, median, p99))

    def samples(self) -> Sequence[Sample]:
        """Oldest first."""
        return tuple(self._samples)


async def sample(history: History, readings: Readings, period_s: float = PERIOD_S) -> None:
    """Take a sample again and again, until cancelled; a moment without an answer is left out."""
    while True:
        with contextlib.suppress(NoAnswer):
            history.add((await readings.of(views.health)).data.health, time.time_ns())
        await asyncio.sleep(period_s)


def quantile_ms(histogram: Histogram, share: float) -> float | None:
    """The duration that `share` of them do not exceed, in milliseconds; null if there are none.

    Taken as evenly spread inside a bucket; above the last bound, the bound.
    """
    wanted, below = histogram.count * share, 0
    if not histogram.count:
        return None
    lower = 0.0
    for upper, count in zip(histogram.bounds_s, histogram.counts, strict=False):
        if count and below + count >= wanted:
            return (lower + (upper - lower) * (wanted - below) / count) * 1000
        below, lower = below + count, upper
    return lower * 1000


def _since(now: Histogram, before: Histogram | None) -> Histogram:
    if before is None or before.bounds_s != now.bounds_s:
        return now
    counts = tuple(max(a - b, 0) for a, b in zip(now.counts, before.counts, strict=True))
    return Histogram(now.bounds_s, counts)
