"""What Prometheus gets: every figure of `health()`, under names and labels that stay bounded."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from foxtrot.engine.main_engine import MainEngine
from foxtrot.model.health import Health
from foxtrot.monitoring.metrics import STREAMS_SHOWN, HealthCollector, registry
from tests.support.fake_adapter import FakeAdapter
from tests.support.full_health import ADAPTER, HEALTH, NOW_NS, stream

EXPECTED: list[tuple[str, dict[str, str], float]] = [
    ("process_memory_bytes", {}, 1_000),
    ("process_cpu_seconds_total", {}, 2.5),
    ("process_threads", {}, 2),
    ("process_descriptors", {}, 12),
    ("process_start_seconds", {}, 900),
    ("tasks", {}, 2),
    ("loop_blocked_seconds", {}, 0.25),
    ("events_total", {"lane": "", "outcome": "conflated"}, 2),
    ("events_total", {"lane": "slow", "outcome": "delivered"}, 9),
    ("queue_depth", {"lane": ""}, 4),
    ("queue_lag_seconds", {"lane": ""}, 0.5),
    ("handler_errors_total", {}, 3),
    ("handlers_quarantined", {}, 1),
    ("venue_latency_seconds_bucket", {"adapter": "V", "le": "0.3"}, 6),
    ("handler_latency_seconds_bucket", {"adapter": "V", "le": "+Inf"}, 7),
    ("handler_latency_seconds_count", {"adapter": "V"}, 7),
    ("handler_latency_seconds_sum", {"adapter": "V"}, 1.5),
    ("connection_state", {"adapter": "V", "session": "polling", "state": "failed"}, 1),
    ("connection_state", {"adapter": "V", "session": "polling", "state": "ready"}, 0),
    ("connection_up", {"adapter": "V", "session": "websocket"}, 1),
    ("connection_since_seconds", {"adapter": "V", "session": "websocket"}, 900),
    ("connection_up_seconds_total", {"adapter": "V", "session": "websocket"}, 100),
    ("connection_down_seconds_total", {"adapter": "V", "session": "websocket"}, 2),
    ("breaker_open", {"adapter": "V", "session": "polling"}, 1),
    ("reconnects_total", {"adapter": "V"}, 4),
    ("errors_total", {"adapter": "V", "error_class": "network"}, 7),
    ("errors_total", {"adapter": "V", "error_class": "venue"}, 0),
    ("messages_total", {"adapter": "V"}, 50),
    ("messages_unusable_total", {"adapter": "V", "reason": "malformed"}, 3),
    ("streams", {"adapter": "V", "state": "stale"}, 1),
    ("stream_not_served_seconds", {"adapter": "V"}, 60),
    ("stream_last_data_seconds", {"adapter": "V", "channel": "tick", "symbol": "A.BINANCE"}, 999),
    ("orders_total", {"adapter": "V", "outcome": "refused"}, 1),
    ("orders_open", {"adapter": "V"}, 5),
    ("orders_in_doubt", {"adapter": "V"}, 1),
    ("order_in_doubt_seconds", {"adapter": "V"}, 12),
    ("trading_halted", {}, 1),
    ("limit_left", {"adapter": "V", "limit": "weight"}, 4_900),
    ("limit_most", {"adapter": "V", "limit": "weight"}, 5_000),
    ("alert", {"alert": "TradingHalted"}, 1),
    ("alert", {"alert": "CpuHigh"}, 0),
    ("rollout_stage", {"adapter": "V", "stage": "first"}, 1),
    ("rollout_rolled_back", {"adapter": "V"}, 1),
    ("health_problems", {}, 1),
]


def scraped(health: Health) -> CollectorRegistry:
    """A registry with that snapshot."""
    made = CollectorRegistry()
    made.register(HealthCollector(lambda: health, lambda: NOW_NS))
    return made


@pytest.mark.parametrize(("name", "labels", "figure"), EXPECTED, ids=lambda value: str(value))
def test_a_figure_is_told_under_its_name(name: str, labels: dict[str, str], figure: float) -> None:
    """As written here, so that dashboards and rules keep working."""
    assert scraped(HEALTH).get_sample_value(f"foxtrot_{name}", labels) == figure


def test_what_is_scraped_can_be_parsed(engine: MainEngine) -> None:
    """In the text format, of an engine that has done nothing yet; each family comes once."""
    engine.add_adapter(FakeAdapter)
    text = generate_latest(registry(engine)).decode()
    names = [family.name for family in text_string_to_metric_families(text)]
    assert len(names) == len(set(names)) > 30
    assert all(name.startswith("foxtrot_") for name in names)


def test_the_number_of_series_is_bounded() -> None:
    """However many streams there are: 2,000 have figures of their own, all are counted."""
    many = tuple(stream(f"S{number}") for number in range(STREAMS_SHOWN + 500))
    two = (ADAPTER, msgspec.structs.replace(ADAPTER, adapter_name="W"))
    adapters = tuple(msgspec.structs.replace(each, streams=many) for each in two)
    made = scraped(msgspec.structs.replace(HEALTH, adapters=adapters))
    families = {family.name: family for family in made.collect()}
    assert len(families["foxtrot_stream_info"].samples) == STREAMS_SHOWN
    assert len(families["foxtrot_stream_last_data_seconds"].samples) == STREAMS_SHOWN
    count = {"adapter": "W", "state": "active"}
    assert made.get_sample_value("foxtrot_streams", count) == len(many)


def test_what_a_venue_says_is_no_label() -> None:
    """Types of messages and texts of errors are the venue's own words, and stay out."""
    hostile = msgspec.structs.replace(
        ADAPTER, malformed_by_type={"evil": 1}, facts={"limits.x.left": "evil", "evil": 1}
    )
    text = generate_latest(scraped(msgspec.structs.replace(HEALTH, adapters=(hostile,)))).decode()
    assert "evil" not in text


@pytest.fixture
def engine() -> Iterator[MainEngine]:
    """A main engine that is closed at the end."""
    with MainEngine() as made:
        yield made
