"""The thresholds that somebody should know of when they are passed: one list, for two judges.

`AlertBook` holds snapshots against them in this process. `rules_file` writes the same list down for
a Prometheus that scrapes `/metrics`; `config/alerts.yml` is made of it. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from foxtrot.connectivity.vitals import LEAST_COUNT, LONG_S, SHORT_S, Course, Trail, vitals
from foxtrot.model.constants import StreamState
from foxtrot.model.health import AdapterHealth, Alert, Health
from foxtrot.model.objects import NS_PER_S

WARNING, CRITICAL = "warning", "critical"

_MIB = 1024 * 1024
_VENUE, _HANDLED = "foxtrot_venue_latency_seconds", "foxtrot_handler_latency_seconds"
_ERRORS = 'sum by (adapter) (increase(foxtrot_errors_total{error_class!="malformed"}[5m]))'
_UNUSABLE = "sum by (adapter) (increase(foxtrot_messages_unusable_total[5m]))"
_MESSAGES = "sum by (adapter) (increase(foxtrot_messages_total[5m]))"
_NOT_SERVED = frozenset({StreamState.STALE, StreamState.FAILED})

Value = tuple[str, float]
"""What a rule is about, and its figure of now."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One threshold.

    `expression` is PromQL over the names of `monitoring.metrics`, to be compared by `sign` with
    `threshold`; `text` says what it means, with `{value}` and `{subject}`.
    """

    name: str
    severity: str
    threshold: float
    expression: str
    text: str
    sign: str = ">"

    def passed(self, value: float) -> bool:
        """Whether `value` is worth an alert."""
        return value < self.threshold if self.sign == "<" else value > self.threshold


UPTIME = Rule(
    "UptimeLow",
    WARNING,
    0.99,
    "1 - increase(foxtrot_connection_down_seconds_total[1h]) / 3600",
    "{subject} served only {value:.1%} of the last hour",
    "<",
)
LATENCY = Rule(
    "LatencyHigh",
    WARNING,
    0.3,
    f"((rate({_VENUE}_sum[5m]) / (rate({_VENUE}_count[5m]) > 0) or rate({_VENUE}_sum[5m]))"
    f" + rate({_HANDLED}_sum[5m]) / rate({_HANDLED}_count[5m])"
    f" and increase({_HANDLED}_count[5m]) >= {LEAST_COUNT})",
    "market data of {subject} takes {value:.3f} s from the venue through its handlers",
)
RECONNECTS = Rule(
    "ReconnectsMany",
    WARNING,
    5,
    "increase(foxtrot_reconnects_total[1h])",
    "{subject} reconnected {value:.0f} times in the last hour",
)
ERRORS = Rule(
    "ErrorsMany",
    WARNING,
    0.05,
    f"({_ERRORS} + {_UNUSABLE}) / ({_MESSAGES} + {_ERRORS} >= {LEAST_COUNT})",
    "{value:.1%} of what {subject} brought in five minutes was in error",
)
MEMORY = Rule(
    "MemoryGrows",
    WARNING,
    50 * _MIB,
    "(delta(foxtrot_process_memory_bytes[1h])"
    f" and (time() - foxtrot_process_start_seconds > {LONG_S + SHORT_S:.0f}))",
    "the process grew by {value:.0f} bytes in the last hour",
)
CPU = Rule(
    "CpuHigh",
    WARNING,
    0.2,
    "rate(foxtrot_process_cpu_seconds_total[5m]) - rate(foxtrot_process_cpu_seconds_total[1h])",
    "the process takes {value:.0%} of a processor more than in the last hour",
)
IN_DOUBT = Rule(
    "OrderInDoubt",
    CRITICAL,
    30.0,
    "foxtrot_order_in_doubt_seconds",
    "{subject} has not known for {value:.0f} s what became of an order",
)
NOT_SERVED = Rule(
    "StreamNotServed",
    CRITICAL,
    60.0,
    "foxtrot_stream_not_served_seconds",
    "a stream of {subject} has stood still for {value:.0f} s",
)
ROLLED_BACK = Rule(
    "RolledBack",
    WARNING,
    0.0,
    "foxtrot_rollout_rolled_back",
    "the websocket of {subject} was rolled back to polling",
)
HALTED = Rule(
    "TradingHalted",
    CRITICAL,
    0.0,
    "foxtrot_trading_halted",
    "trading is halted",
)
UNREADABLE = Rule(
    "HealthUnreadable",
    WARNING,
    0.0,
    "foxtrot_health_problems",
    "{value:.0f} parts could not say how they are",
)

RULES = (
    UPTIME,
    LATENCY,
    RECONNECTS,
    ERRORS,
    MEMORY,
    CPU,
    IN_DOUBT,
    NOT_SERVED,
    ROLLED_BACK,
    HALTED,
    UNREADABLE,
)


class AlertBook:
    """Holds snapshots against the rules, and remembers since when each is passed.

    Thread safety: one thread at a time.
    """

    def __init__(self) -> None:
        self._courses: dict[str, Course] = {}
        self._memory = Trail(LONG_S, counter=False)
        self._cpu = Trail(SHORT_S), Trail(LONG_S)
        self._began: float | None = None
        self._since: dict[tuple[str, str], int] = {}

    def look(self, health: Health, now: float, now_ns: int) -> tuple[Alert, ...]:
        """The alerts of now, the critical ones first.

        Args:
            health: A snapshot, taken now.
            now: Seconds, never stepping back.
            now_ns: The time, as people write it down.
        """
        alerts = [
            self._alert(rule, subject, value, now_ns)
            for rule, values in self._values(health, now, now_ns)
            for subject, value in values
            if rule.passed(value)
        ]
        self._since = {(alert.name, alert.subject): alert.since_ns for alert in alerts}
        return tuple(sorted(alerts, key=lambda alert: (alert.severity != CRITICAL, alert.name)))

    def _alert(self, rule: Rule, subject: str, value: float, now_ns: int) -> Alert:
        since_ns = self._since.get((rule.name, subject), now_ns)
        text = rule.text.format(subject=subject, value=value)
        return Alert(rule.name, subject, rule.severity, text, value, since_ns)

    def _values(
        self, health: Health, now: float, now_ns: int
    ) -> Iterator[tuple[Rule, list[Value]]]:
        yield from self._of_process(health, now)
        for adapter in health.adapters:
            name = adapter.adapter_name
            course = self._courses.setdefault(name, Course())
            course.add(now, vitals(adapter, health.engine.latency.get(name)))
            yield UPTIME, [(f"{name} {each}", share) for each, share in course.uptime.items()]
            yield LATENCY, [(name, course.latency_s or 0.0)]
            yield RECONNECTS, [(name, course.reconnects)]
            yield ERRORS, [(name, course.error_share)]
            yield IN_DOUBT, [(name, in_doubt_s(adapter, now_ns))]
            yield NOT_SERVED, [(name, not_served_s(adapter, now_ns))]
        rolled = {name: each.rolled_back for name, each in health.rollouts.items()}
        yield ROLLED_BACK, [(name, float(back)) for name, back in rolled.items()]

    def _of_process(self, health: Health, now: float) -> Iterator[tuple[Rule, list[Value]]]:
        # What is loaded at the start is no leak.
        self._began = now if self._began is None else self._began
        if now - self._began >= SHORT_S:
            self._memory.add(now, health.process.memory_bytes)
        for trail in self._cpu:
            trail.add(now, health.process.cpu_s)
        yield MEMORY, [("process", self._memory.growth)]
        yield CPU, [("process", self._cpu[0].rate - self._cpu[1].rate)]
        yield HALTED, [("trading", float(bool(health.halted)))]
        yield UNREADABLE, [("health", float(len(health.problems)))]


def in_doubt_s(adapter: AdapterHealth, now_ns: int) -> float:
    """For how long the oldest doubt of an adapter has lasted; 0 without one."""
    since_ns = adapter.trading.in_doubt_since_ns if adapter.trading is not None else 0
    return max(now_ns - since_ns, 0) / NS_PER_S if since_ns else 0.0


def not_served_s(adapter: AdapterHealth, now_ns: int) -> float:
    """For how long the worst stream of an adapter has been stale or refused; 0 if none is."""
    times = [each.since_ns for each in adapter.streams if each.state in _NOT_SERVED]
    return max(now_ns - min(times), 0) / NS_PER_S if times else 0.0


def rules_file() -> str:
    """The rules as Prometheus reads them, in YAML."""
    lines = [
        "# Made of foxtrot/monitoring/alerts.py by scripts/generate-docs; do not edit.",
        "groups:",
        "  - name: foxtrot",
        "    rules:",
    ]
    for rule in RULES:
        lines += _yaml(rule)
    return "\n".join(lines) + "\n"


def _yaml(rule: Rule) -> list[str]:
    expression = f"{rule.expression} {rule.sign} {rule.threshold:g}"
    subject = "{{ $labels.adapter }}" if "{subject}" in rule.text else ""
    # Go's templates have no format of Python's; the figure itself says enough.
    words = rule.text
    for spec in (":.1%", ":.3f", ":.0f", ":.0%"):
        words = words.replace(f"{{value{spec}}}", "{{ $value }}")
    fields: Mapping[str, str] = {"summary": words.replace("{subject}", subject)}
    return [
        f"      - alert: Foxtrot{rule.name}",
        f"        expr: {json.dumps(expression)}",
        "        labels:",
        f"          severity: {rule.severity}",
        "        annotations:",
        *(f"          {name}: {json.dumps(text)}" for name, text in fields.items()),
    ]
