"""The plots tell rates and latencies of the time between two samples."""

from __future__ import annotations

import asyncio

import pytest

from foxtrot.model.constants import ConnectionState
from foxtrot.model.health import (
    AdapterHealth,
    BridgeHealth,
    EngineHealth,
    Health,
    Histogram,
    Latency,
)
from foxtrot.monitoring.history import History, quantile_ms, sample
from foxtrot.monitoring.readings import NoAnswer

S = 1_000_000_000
BOUNDS = (0.001, 0.01, 0.1)


def health(received: int, counts: tuple[int, ...] = (0, 0, 0, 0)) -> Health:
    histogram = Histogram(BOUNDS, counts)
    engine = EngineHealth(True, latency={"X": Latency(histogram, histogram)})
    adapter = AdapterHealth("X", ConnectionState.READY, received=received)
    return Health(engine, BridgeHealth(True), (adapter,))


def test_a_rate_is_what_came_since_the_sample_before() -> None:
    """The first sample only begins to count, and a count that fell back is no negative rate."""
    history = History()
    for at, received in ((0, 1000), (2, 1100), (3, 1100), (4, 50)):
        history.add(health(received), at * S)
    assert [each.rates["X"] for each in history.samples()] == [50.0, 0.0, 0.0]


def test_a_latency_is_that_of_the_time_since() -> None:
    """What was slow an hour ago is not slow for ever; nothing measured is a gap, not a zero."""
    history = History()
    for at, counts in ((0, (0, 0, 100, 0)), (2, (100, 0, 100, 0)), (4, (100, 0, 100, 0))):
        history.add(health(0, counts), at * S)
    first, second = history.samples()
    assert first.p99_ms["X"] == pytest.approx(0.99)
    assert second.p99_ms["X"] is None


def test_the_oldest_samples_are_forgotten() -> None:
    """However long it runs."""
    history = History(limit=3)
    for at in range(10):
        history.add(health(at), at * S)
    assert [each.ts_ns // S for each in history.samples()] == [7, 8, 9]


def test_two_samples_of_one_moment_are_one() -> None:
    """A clock that stands still or was set back divides nothing by zero."""
    history = History()
    for at in (5, 5, 4):
        history.add(health(at), at * S)
    assert history.samples() == ()


@pytest.mark.parametrize(
    ("counts", "share", "ms"),
    [
        ((0, 0, 0, 0), 0.5, None),
        ((10, 0, 0, 0), 0.5, 0.5),
        ((50, 50, 0, 0), 0.5, 1.0),
        ((0, 100, 0, 0), 0.99, 9.91),
        ((0, 0, 0, 5), 0.5, 100.0),
    ],
)
def test_quantiles_are_read_from_buckets(
    counts: tuple[int, ...], share: float, ms: float | None
) -> None:
    """Evenly spread inside a bucket; above the last bound no more is claimed than it."""
    found = quantile_ms(Histogram(BOUNDS, counts), share)
    assert found is None if ms is None else found == pytest.approx(ms)


async def test_a_moment_without_an_answer_is_left_out() -> None:
    """And sampling goes on."""

    class Deaf:
        def __init__(self) -> None:
            self.asked = asyncio.Event()
            self.count = 0

        async def of(self, view: object) -> object:
            self.count += 1
            if self.count == 3:
                self.asked.set()
            raise NoAnswer

    readings, history = Deaf(), History()
    task = asyncio.create_task(sample(history, readings, 0))  # type: ignore[arg-type]
    async with asyncio.timeout(5):
        await readings.asked.wait()
    task.cancel()
    assert history.samples() == ()
