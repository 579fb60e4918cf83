"""Every threshold, judged in the process and written down for Prometheus."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from foxtrot.model.constants import Channel, ConnectionState, Exchange, Mode, StreamState
from foxtrot.model.health import (
    AdapterHealth,
    BridgeHealth,
    EngineHealth,
    Health,
    Histogram,
    Latency,
    ProcessHealth,
    RollOutHealth,
    SessionHealth,
    StreamStatus,
    TradingHealth,
)
from foxtrot.monitoring import alerts
from foxtrot.monitoring.alerts import RULES, AlertBook, rules_file

NS = 1_000_000_000
READY = ConnectionState.READY
ROOT = Path(__file__).resolve().parents[3]
ADAPTER = AdapterHealth("V", READY, sessions=(SessionHealth("websocket", READY, 0),))
CALM = Health(EngineHealth(True), BridgeHealth(True), (ADAPTER,))


def adapter(**facts: object) -> Health:
    """A snapshot with one adapter like that."""
    changed = msgspec.structs.replace(ADAPTER, **facts)
    return msgspec.structs.replace(CALM, adapters=(changed,))


def health(**facts: object) -> Health:
    """A snapshot like that."""
    return msgspec.structs.replace(CALM, **facts)


def down(seconds: float) -> Health:
    """The websocket did not serve for so long."""
    return adapter(sessions=(SessionHealth("websocket", READY, 0, down_s=seconds),))


def slow(count: int, seconds: float) -> Health:
    """So many ticks took so long, all together."""
    part = Histogram((1.0,), (count, 0), seconds / 2)
    return health(engine=EngineHealth(True, latency={"V": Latency(part, part)}))


def stream(state: StreamState, since_s: float) -> Health:
    """A stream is in that state since then."""
    status = StreamStatus(
        "V", Channel.TICK, "A", Exchange.BINANCE, state, Mode.WEBSOCKET, round(since_s * NS)
    )
    return adapter(streams=(status,))


def process(**facts: float) -> Health:
    """The process takes that."""
    return health(process=ProcessHealth(**facts))  # type: ignore[arg-type]


def doubt(since_s: float) -> Health:
    """An order is in doubt since then."""
    return adapter(trading=TradingHealth(READY, in_doubt_since_ns=round(since_s * NS)))


Snapshots = list[tuple[float, Health]]
MB = 1024 * 1024
PASSED: dict[str, tuple[Snapshots, str]] = {
    "UptimeLow": ([(0, CALM), (600, down(37.0))], "V websocket served only 99.0%"),
    "LatencyHigh": ([(0, CALM), (60, slow(20, 6.2))], "0.310 s"),
    "ReconnectsMany": ([(0, CALM), (600, adapter(reconnects=6))], "V reconnected 6 times"),
    "ErrorsMany": ([(0, CALM), (60, adapter(received=94, malformed=6))], "6.4%"),
    "MemoryGrows": (
        [
            (0, process(memory_bytes=1)),
            (300, process(memory_bytes=80 * MB)),
            (3000, process(memory_bytes=131 * MB)),
        ],
        "53477376 bytes",
    ),
    "CpuHigh": ([(0, process(cpu_s=0)), (3300, process(cpu_s=33)), (3600, process(cpu_s=110))], ""),
    "OrderInDoubt": ([(31, doubt(0.5))], "for 30 s"),
    "StreamNotServed": ([(100, stream(StreamState.STALE, 39.0))], "for 61 s"),
    "RolledBack": ([(0, health(rollouts={"V": RollOutHealth("polling", 1, 0, "", True)}))], "V"),
    "TradingHalted": ([(0, health(halted="asked to"))], "halted"),
    "HealthUnreadable": ([(0, health(problems=("a", "b")))], "2 parts"),
}
NOT_PASSED: dict[str, Snapshots] = {
    "UptimeLow": [(0, CALM), (600, down(35.0))],
    "LatencyHigh": [(0, CALM), (60, slow(20, 5.8))],
    "ReconnectsMany": [(0, CALM), (600, adapter(reconnects=5))],
    "ErrorsMany": [(0, CALM), (60, adapter(received=100, malformed=5))],
    "MemoryGrows": [
        (0, process(memory_bytes=1)),
        (300, process(memory_bytes=80 * MB)),
        (3000, process(memory_bytes=130 * MB)),
    ],
    "CpuHigh": [(0, process(cpu_s=0)), (3300, process(cpu_s=330)), (3600, process(cpu_s=380))],
    "OrderInDoubt": [(30, doubt(0.5))],
    "StreamNotServed": [(100, stream(StreamState.QUIET, 1.0))],
    "RolledBack": [(0, health(rollouts={"V": RollOutHealth("first", 1)}))],
    "TradingHalted": [(0, CALM)],
    "HealthUnreadable": [(0, CALM)],
}


def looked(snapshots: Snapshots) -> tuple[alerts.Alert, ...]:
    """The alerts after the last of these."""
    book, found = AlertBook(), ()
    for now, seen in snapshots:
        found = book.look(seen, now, round(now * NS))
    return found


def test_every_rule_has_its_case() -> None:
    """A rule that is added is tested from both sides."""
    names = [rule.name for rule in RULES]
    assert sorted(names) == sorted(PASSED) == sorted(NOT_PASSED)


@pytest.mark.parametrize("name", sorted(PASSED))
def test_a_threshold_that_is_passed_is_an_alert(name: str) -> None:
    """That one and no other, with words that say what it is about."""
    snapshots, words = PASSED[name]
    (alert,) = looked(snapshots)
    assert alert.name == name
    assert words in alert.text
    assert alert.since_ns == snapshots[-1][0] * NS


@pytest.mark.parametrize("name", sorted(NOT_PASSED))
def test_what_is_within_its_threshold_is_none(name: str) -> None:
    """At the very threshold nothing is told."""
    assert looked(NOT_PASSED[name]) == ()


def test_an_alert_keeps_the_time_of_its_begin() -> None:
    """As long as it lasts; when it is back it began anew. Critical ones come first."""
    book, halted = AlertBook(), health(halted="x", problems=("a",))
    assert [each.name for each in book.look(halted, 0, 5)] == ["TradingHalted", "HealthUnreadable"]
    assert {each.since_ns for each in book.look(halted, 10, 10)} == {5}
    assert book.look(CALM, 20, 20) == ()
    assert {each.since_ns for each in book.look(halted, 30, 30)} == {30}


def test_the_file_for_prometheus_is_the_same_list() -> None:
    """config/alerts.yml is what the rules say now."""
    assert (ROOT / "config" / "alerts.yml").read_text() == rules_file()


def test_every_rule_has_a_threshold_and_a_subject_in_the_file() -> None:
    """Prometheus gets the same figures, and no words of Python's."""
    text = rules_file()
    for rule in RULES:
        assert f"- alert: Foxtrot{rule.name}\n" in text
        assert f'{rule.sign} {rule.threshold:g}"' in text
    assert "{value" not in text
    assert "{subject" not in text
