"""Metrics for Prometheus, read from `health()` when somebody scrapes; nothing is counted twice.

Values of labels come from our own adapters, subscriptions and enums, never from a venue's messages,
and there is a bound to how many streams are shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from foxtrot.connectivity.lifecycle import SERVING
from foxtrot.engine.main_engine import MainEngine
from foxtrot.errors import ErrorClass
from foxtrot.model.constants import ConnectionState, StreamState
from foxtrot.model.health import AdapterHealth, EngineHealth, Health, Histogram
from foxtrot.model.objects import NS_PER_S
from foxtrot.monitoring.alerts import RULES, in_doubt_s, not_served_s

STREAMS_SHOWN = 2_000
"""Streams with metrics of their own; of the others only the number is told."""

_LIMIT, _LEFT, _MOST = "limits.", ".left", ".most"

Row = tuple[tuple[str, ...], float]
"""Values of the labels, and the figure."""


def registry(engine: MainEngine) -> CollectorRegistry:
    """A registry with foxtrot's metrics, made anew from `engine.health()` at each scrape."""
    made = CollectorRegistry(auto_describe=False)
    made.register(HealthCollector(engine.health))
    return made


class HealthCollector(Collector):
    """Turns a snapshot into metrics.

    Args:
        health: Takes the snapshot; must not raise.
        time_ns: The time, for ages.
    """

    def __init__(
        self, health: Callable[[], Health], time_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._health, self._time_ns = health, time_ns

    def collect(self) -> Iterator[Metric]:
        """The metrics of now."""
        health, now_ns = self._health(), self._time_ns()
        yield from _process(health)
        yield from _events(health.engine)
        yield from _latency(health.engine)
        yield from _connections(health.adapters)
        yield from _feeds(health.adapters)
        yield from _streams(health.adapters, now_ns)
        yield from _orders(health, now_ns)
        yield from _limits(health.adapters)
        yield from _alarms(health)


def _process(health: Health) -> Iterator[Metric]:
    process, bridge = health.process, health.bridge
    memory, cpu = float(process.memory_bytes), process.cpu_s
    yield _gauge("process_memory_bytes", "Resident memory.", (), [((), memory)])
    start = process.started_ns / NS_PER_S
    yield _gauge("process_start_seconds", "When foxtrot was loaded.", (), [((), start)])
    yield _counter("process_cpu_seconds", "Time on the processors.", (), [((), cpu)])
    yield _gauge("process_threads", "Threads.", (), [((), len(process.threads))])
    yield _gauge("process_descriptors", "Open files and sockets.", (), [((), process.descriptors)])
    yield _gauge("tasks", "Tasks of the loop.", (), [((), len(bridge.tasks))])
    blocked = "For how long the loop has stood still."
    yield _gauge("loop_blocked_seconds", blocked, (), [((), bridge.blocked_s)])


def _events(engine: EngineHealth) -> Iterator[Metric]:
    books = {"": engine, **engine.lanes}
    outcomes = ("delivered", "conflated", "dropped")
    rows = [
        ((lane, outcome), float(getattr(each, outcome)))
        for lane, each in books.items()
        for outcome in outcomes
    ]
    yield _counter("events", "What became of events.", ("lane", "outcome"), rows)
    depth: list[Row] = [((lane,), each.queued) for lane, each in books.items()]
    yield _gauge("queue_depth", "Events that wait.", ("lane",), depth)
    lags: list[Row] = [((lane,), each.lag_s) for lane, each in books.items()]
    yield _gauge("queue_lag_seconds", "Age of the oldest event that waits.", ("lane",), lags)
    errors = float(engine.handler_errors)
    yield _counter("handler_errors", "Failures of handlers.", (), [((), errors)])
    aside = [((), float(len(engine.quarantined)))]
    yield _gauge("handlers_quarantined", "Handlers that were set aside.", (), aside)


def _latency(engine: EngineHealth) -> Iterator[Metric]:
    venue = HistogramMetricFamily(
        "foxtrot_venue_latency_seconds",
        "From the venue's time to the receipt, of a sample; holds what the clocks differ by.",
        labels=("adapter",),
    )
    handled = HistogramMetricFamily(
        "foxtrot_handler_latency_seconds",
        "From the receipt until the handlers are done, of a sample.",
        labels=("adapter",),
    )
    for name, latency in engine.latency.items():
        venue.add_metric((name,), _buckets(latency.venue_s), latency.venue_s.sum_s)
        handled.add_metric((name,), _buckets(latency.handled_s), latency.handled_s.sum_s)
    yield venue
    yield handled


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    bounds = (*map(str, histogram.bounds_s), "+Inf")
    return list(zip(bounds, map(float, accumulate(histogram.counts)), strict=True))


def _connections(adapters: Iterable[AdapterHealth]) -> Iterator[Metric]:
    sessions = [(each.adapter_name, session) for each in adapters for session in each.sessions]
    labels = ("adapter", "session")
    states: list[Row] = [
        ((name, session.name, state.value), float(session.state is state))
        for name, session in sessions
        for state in ConnectionState
    ]
    yield _gauge("connection_state", "1 for the state of a session.", (*labels, "state"), states)
    up: list[Row] = [((name, s.name), float(s.state in SERVING)) for name, s in sessions]
    yield _gauge("connection_up", "Whether a session serves.", labels, up)
    since: list[Row] = [((name, s.name), s.since_ns / NS_PER_S) for name, s in sessions]
    yield _gauge("connection_since_seconds", "When it came into its state.", labels, since)
    up_s: list[Row] = [((name, s.name), s.up_s) for name, s in sessions]
    yield _counter("connection_up_seconds", "Time in which it served.", labels, up_s)
    down_s: list[Row] = [((name, s.name), s.down_s) for name, s in sessions]
    down = "Time in which it did not serve, though it should have."
    yield _counter("connection_down_seconds", down, labels, down_s)
    open_: list[Row] = [((name, s.name), float(s.breaker != "closed")) for name, s in sessions]
    yield _gauge("breaker_open", "Whether attempts are held back.", labels, open_)


def _feeds(adapters: tuple[AdapterHealth, ...]) -> Iterator[Metric]:
    label = ("adapter",)
    reconnects: list[Row] = [((each.adapter_name,), each.reconnects) for each in adapters]
    yield _counter("reconnects", "Sessions that served again.", label, reconnects)
    errors: list[Row] = [
        ((each.adapter_name, kind.value), each.errors_by_class.get(kind.value, 0))
        for each in adapters
        for kind in ErrorClass
    ]
    yield _counter("errors", "Errors, by whose trouble they are.", (*label, "error_class"), errors)
    messages: list[Row] = [((each.adapter_name,), each.received) for each in adapters]
    yield _counter("messages", "Messages of the market.", label, messages)
    unusable: list[Row] = []
    for each in adapters:
        unusable.append(((each.adapter_name, "malformed"), each.malformed))
        unusable.append(((each.adapter_name, "rejected"), each.rejected))
    why = "Messages that could not be read, or held numbers that cannot be."
    yield _counter("messages_unusable", why, (*label, "reason"), unusable)


def _streams(adapters: Iterable[AdapterHealth], now_ns: int) -> Iterator[Metric]:
    counts: list[Row] = []
    shown: list[Row] = []
    ages: list[Row] = []
    worst: list[Row] = []
    for adapter in adapters:
        name = adapter.adapter_name
        states = [stream.state for stream in adapter.streams]
        counts += [((name, state.value), states.count(state)) for state in StreamState]
        worst.append(((name,), not_served_s(adapter, now_ns)))
        for stream in adapter.streams[: max(STREAMS_SHOWN - len(shown), 0)]:
            detail = f":{stream.detail}" if stream.detail else ""
            which = (name, f"{stream.channel.value}{detail}", stream.vt_symbol)
            shown.append(((*which, stream.mode.value, stream.state.value), 1.0))
            ages.append((which, stream.last_data_ns / NS_PER_S))
    yield _gauge("streams", "Subscriptions by state.", ("adapter", "state"), counts)
    longest = "For how long the worst stream has been stale or refused."
    yield _gauge("stream_not_served_seconds", longest, ("adapter",), worst)
    labels = ("adapter", "channel", "symbol")
    yield _gauge("stream_info", "How a stream is served.", (*labels, "mode", "state"), shown)
    yield _gauge("stream_last_data_seconds", "When a stream last brought anything.", labels, ages)


def _orders(health: Health, now_ns: int) -> Iterator[Metric]:
    trading = [(each.adapter_name, each.trading) for each in health.adapters]
    known = [(name, each) for name, each in trading if each is not None]
    ended: list[Row] = [
        ((name, outcome), count) for name, each in known for outcome, count in each.outcomes.items()
    ]
    yield _counter("orders", "How orders ended.", ("adapter", "outcome"), ended)
    label = ("adapter",)
    open_: list[Row] = [((name,), each.open_orders) for name, each in known]
    yield _gauge("orders_open", "Orders that may still trade.", label, open_)
    doubts: list[Row] = [((name,), len(each.in_doubt)) for name, each in known]
    yield _gauge("orders_in_doubt", "Orders of which nobody knows the outcome.", label, doubts)
    ages: list[Row] = [((a.adapter_name,), in_doubt_s(a, now_ns)) for a in health.adapters]
    yield _gauge("order_in_doubt_seconds", "Age of the oldest doubt.", label, ages)
    halted = [((), float(bool(health.halted)))]
    yield _gauge("trading_halted", "Whether new orders are blocked.", (), halted)


def _limits(adapters: Iterable[AdapterHealth]) -> Iterator[Metric]:
    rows: dict[str, list[Row]] = {_LEFT: [], _MOST: []}
    for adapter in adapters:
        for key, value in adapter.facts.items():
            for end, found in rows.items():
                if key.startswith(_LIMIT) and key.endswith(end) and not isinstance(value, str):
                    name = key.removeprefix(_LIMIT).removesuffix(end)
                    found.append(((adapter.adapter_name, name), value))
    labels = ("adapter", "limit")
    yield _gauge("limit_left", "What may still be asked of a venue now.", labels, rows[_LEFT])
    yield _gauge("limit_most", "What may be asked of a venue at most.", labels, rows[_MOST])


def _alarms(health: Health) -> Iterator[Metric]:
    active = {alert.name for alert in health.alerts}
    alerts: list[Row] = [((rule.name,), float(rule.name in active)) for rule in RULES]
    yield _gauge("alert", "1 while a threshold is passed, as seen from inside.", ("alert",), alerts)
    stages: list[Row] = [((name, each.stage), 1.0) for name, each in health.rollouts.items()]
    yield _gauge("rollout_stage", "Where the roll-out stands.", ("adapter", "stage"), stages)
    back: list[Row] = [((name,), each.rolled_back) for name, each in health.rollouts.items()]
    yield _gauge("rollout_rolled_back", "Whether it was taken back.", ("adapter",), back)
    unread = [((), float(len(health.problems)))]
    yield _gauge("health_problems", "Parts that could not say how they are.", (), unread)


def _gauge(name: str, text: str, labels: tuple[str, ...], rows: Iterable[Row]) -> Metric:
    family = GaugeMetricFamily(f"foxtrot_{name}", text, labels=labels)
    for values, figure in rows:
        family.add_metric(values, figure)
    return family


def _counter(name: str, text: str, labels: tuple[str, ...], rows: Iterable[Row]) -> Metric:
    family = CounterMetricFamily(f"foxtrot_{name}", text, labels=labels)
    for values, figure in rows:
        family.add_metric(values, figure)
    return family
