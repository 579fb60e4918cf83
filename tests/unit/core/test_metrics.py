"""How long market data takes, of a sample of it."""

import pytest

from foxtrot.core.event_engine import EventEngine
from foxtrot.core.metrics import BOUNDS_S, SAMPLE_GAP_S, Durations, LatencySample
from foxtrot.model.constants import Exchange, Lane
from foxtrot.model.events import EVENT_LOG, EVENT_TICK, Event
from foxtrot.model.objects import Source, TickData
from tests.support.clock import ManualClock

MS = 1_000_000


def tick(event_ns: int, recv_ns: int, adapter: str = "V") -> Event:
    """A tick with these two times."""
    source = Source.of("A", Exchange.BINANCE, adapter)
    return Event(EVENT_TICK, TickData(source, event_ns, recv_ns), source.vt_symbol, Lane.LATEST)


@pytest.mark.parametrize(
    ("duration_ns", "bound_s"),
    [(-5, 0.0001), (0, 0.0001), (100_000, 0.0001), (100_001, 0.00025), (300 * MS, 0.3)],
)
def test_a_duration_counts_up_to_its_bound(duration_ns: int, bound_s: float) -> None:
    """Bounds are inclusive, as Prometheus has them; below 0 is 0, as two clocks differ."""
    durations = Durations()
    durations.add(duration_ns)
    histogram = durations.read()
    assert histogram.counts[BOUNDS_S.index(bound_s)] == histogram.count == 1
    assert histogram.sum_s == max(duration_ns, 0) / 1e9


def test_what_is_above_all_bounds_is_counted_too() -> None:
    """The last count has no bound."""
    durations = Durations()
    durations.add(3_600_000 * MS)
    assert durations.read().counts[-1] == 1


def test_latency_is_told_apart_by_adapter_and_by_way() -> None:
    """From the venue to us, where it tells its time finely; and from us to the handlers."""
    sample = LatencySample()
    assert sample.take(tick(10 * MS, 30 * MS), 31 * MS)
    assert sample.take(tick(0, 30 * MS, "W"), 35 * MS)
    assert sample.take(tick(1_000 * MS, 1_800 * MS, "X"), 1_801 * MS)
    seen = sample.read()
    assert (seen["V"].venue_s.sum_s, seen["V"].handled_s.sum_s) == (0.02, 0.001)
    assert (seen["W"].venue_s.count, seen["W"].handled_s.sum_s) == (0, 0.005)
    assert (seen["X"].venue_s.count, seen["X"].handled_s.count) == (0, 1)


def test_only_market_data_is_measured() -> None:
    """Anything else has no time of receipt; and adapters without end are not kept."""
    sample = LatencySample()
    assert not sample.take(Event(EVENT_LOG, "words"), 1)
    assert not sample.take(object(), 1)
    for number in range(100):
        sample.take(tick(1, 1, f"V{number}"), 1)
    assert len(sample.read()) == 64


def test_the_engine_measures_a_sample_of_its_ticks() -> None:
    """One after each gap: many at once cost one sample, and what comes later is seen again."""
    clock = ManualClock(time_ns=50 * MS)
    engine = EventEngine(clock=clock)
    engine.start()
    try:
        for _ in range(10):
            engine.put(tick(10 * MS, 30 * MS))
            assert engine.drain()
        clock.advance(SAMPLE_GAP_S * 2)
        engine.put(tick(10 * MS, 30 * MS))
        assert engine.drain()
        latency = engine.health().latency["V"]
    finally:
        engine.stop()
    assert latency.handled_s.count == 2
    assert latency.venue_s.sum_s == pytest.approx(0.04)
    assert latency.handled_s.sum_s == pytest.approx(0.042)
