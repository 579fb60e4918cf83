"""Pure: a health snapshot as the rows of the panel."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import msgspec

from foxtrot.model.constants import ConnectionState, StreamState
from foxtrot.model.health import AdapterHealth, Health, Histogram, StreamStatus
from foxtrot.model.objects import NS_PER_S, utc


class Tone(Enum):
    """How a state is coloured."""

    PLAIN = "plain"
    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


COLUMNS = (
    "Venue, stream",
    "State",
    "Mode",
    "Since",
    "Last data",
    "Latency",
    "Reconnects",
    "Errors",
    "Breaker",
    "Orders",
    "Why",
)


class Row(msgspec.Struct, frozen=True):
    """One row: a text for each column, the colour of its state, and what is under it."""

    key: str
    cells: tuple[str, ...]
    tone: Tone = Tone.PLAIN
    hint: str = ""
    children: tuple[Row, ...] = ()


_CONNECTION = {
    ConnectionState.READY: Tone.GOOD,
    ConnectionState.DEGRADED: Tone.WARNING,
    ConnectionState.CONNECTING: Tone.WARNING,
    ConnectionState.SYNCING: Tone.WARNING,
    ConnectionState.RECONNECTING: Tone.WARNING,
    ConnectionState.FAILED: Tone.BAD,
}
_STREAM = {
    StreamState.ACTIVE: Tone.GOOD,
    StreamState.QUIET: Tone.GOOD,
    StreamState.PENDING: Tone.WARNING,
    StreamState.POLLING: Tone.WARNING,
    StreamState.STALE: Tone.BAD,
    StreamState.FAILED: Tone.BAD,
}
_ERRORS_SHOWN = 10
_TYPICAL = 0.5


def rows_of(health: Health, now_ns: int) -> tuple[Row, ...]:
    """A row for each venue, with its sessions, its streams and its own facts under it."""
    latency = health.engine.latency
    return tuple(
        _venue(each, now_ns, _latency(latency[each.adapter_name].handled_s))
        if each.adapter_name in latency
        else _venue(each, now_ns, "")
        for each in health.adapters
    )


def age(since_ns: int, now_ns: int) -> str:
    """How long ago, in the unit that fits; empty for never."""
    if not since_ns:
        return ""
    seconds = max(now_ns - since_ns, 0) / NS_PER_S
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"


def _latency(handled: Histogram) -> str:
    """Within what most of the sample was handed to its handlers."""
    seen, half = 0, handled.count * _TYPICAL
    for bound_s, count in zip(handled.bounds_s, handled.counts, strict=False):
        seen += count
        if seen and seen >= half:
            return f"≤ {bound_s * 1e3:g} ms"
    return f"> {handled.bounds_s[-1] * 1e3:g} ms" if handled.count else ""


def _venue(health: AdapterHealth, now_ns: int, latency: str) -> Row:
    newest = max((each.last_data_ns for each in health.streams), default=0)
    environment = f" ({health.environment.value})" if health.environment else ""
    breakers = [each.breaker for each in health.sessions if each.breaker != "closed"]
    cells = (
        f"{health.adapter_name}{environment}",
        health.state.value,
        "",
        age(health.since_ns, now_ns),
        age(newest, now_ns),
        latency,
        str(health.reconnects),
        str(sum(health.errors_by_class.values())),
        breakers[0] if breakers else "closed",
        _orders(health),
        _why(health),
    )
    name = health.adapter_name
    return Row(
        name,
        cells,
        _tone(health),
        _history(health),
        (*_sessions(health, now_ns), *_streams(name, health.streams, now_ns), *_facts(health)),
    )


def _tone(health: AdapterHealth) -> Tone:
    trading = health.trading
    if trading is not None and (trading.halted or trading.in_doubt or trading.journal):
        return Tone.BAD
    return _CONNECTION.get(health.state, Tone.PLAIN)


def _orders(health: AdapterHealth) -> str:
    trading = health.trading
    if trading is None:
        return ""
    parts = [f"{trading.open_orders} open"]
    if trading.in_doubt:
        parts.append(f"{len(trading.in_doubt)} in doubt")
    if trading.cancels_pending:
        parts.append(f"{trading.cancels_pending} being cancelled")
    return ", ".join(parts)


def _why(health: AdapterHealth) -> str:
    trading = health.trading
    if trading is not None and (trading.halted or trading.journal):
        return f"HALTED: {trading.halted}" if trading.halted else trading.journal
    worst = next((each.reason for each in health.sessions if each.state is health.state), "")
    return worst


def _history(health: AdapterHealth) -> str:
    newest = health.errors[-_ERRORS_SHOWN:]
    return "\n".join(f"{utc(e.ts_ns):%H:%M:%S} {e.kind}: {e.text}" for e in reversed(newest))


def _sessions(health: AdapterHealth, now_ns: int) -> list[Row]:
    return [
        _row(
            f"{health.adapter_name}/{each.name}",
            each.name,
            State=each.state.value,
            Since=age(each.since_ns, now_ns),
            Reconnects=str(each.reconnects),
            Breaker=each.breaker,
            Why=each.reason,
            tone=_CONNECTION.get(each.state, Tone.PLAIN),
        )
        for each in health.sessions
    ]


def _streams(name: str, streams: Sequence[StreamStatus], now_ns: int) -> list[Row]:
    return [
        _row(
            f"{name}/{each.vt_symbol}/{each.channel.value}{each.detail}",
            f"{each.vt_symbol} {each.channel.value} {each.detail}".strip(),
            State=each.state.value,
            Mode=each.mode.value,
            Since=age(each.since_ns, now_ns),
            Last_data=age(each.last_data_ns, now_ns),
            Why=each.reason,
            tone=_STREAM[each.state],
        )
        for each in streams
    ]


def _facts(health: AdapterHealth) -> list[Row]:
    return [
        _row(f"{health.adapter_name}//{name}", name, State=str(value))
        for name, value in sorted(health.facts.items())
    ]


def _row(key: str, name: str, *, tone: Tone = Tone.PLAIN, **cells: str) -> Row:
    named = {column.replace(" ", "_"): "" for column in COLUMNS[1:]} | cells
    return Row(key, (name, *named.values()), tone)
