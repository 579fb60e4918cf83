"""Pure: a health snapshot as the rows of the panel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

import msgspec

from foxtrot.connectivity.rollout import OF_MODE
from foxtrot.desktop.connections.facts import NONE_LEFT, SHORT, groups_of
from foxtrot.model.constants import ConnectionState, Mode, StreamState
from foxtrot.model.health import (
    AdapterHealth,
    ErrorRecord,
    Health,
    RollOutHealth,
    SessionHealth,
    StreamStatus,
)
from foxtrot.model.objects import NS_PER_S, utc


class Tone(Enum):
    """How a state is coloured."""

    PLAIN = "plain"
    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


COLUMNS = (
    "Venue, symbol",
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


SWITCH = "\u25be"
"""Ends a cell that opens a list when it is clicked."""


class Switch(msgspec.Struct, frozen=True):
    """What a person can switch in a row: the venue's mode, or that of one symbol."""

    adapter_name: str
    vt_symbol: str = ""
    pinned: Mode | None = None
    """What was chosen by hand; None: the settings decide."""


class Row(msgspec.Struct, frozen=True):
    """One row: a text for each column, the colours of its state and its age, and what is under it.

    `spanned` is a row of words across all columns, `curve` the latencies that are drawn, in
    milliseconds.
    """

    key: str
    cells: tuple[str, ...]
    tone: Tone = Tone.PLAIN
    fresh: Tone = Tone.PLAIN
    hint: str = ""
    children: tuple[Row, ...] = ()
    switch: Switch | None = None
    curve: tuple[float, ...] = ()
    spanned: bool = False


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
_WORST = {state: place for place, state in enumerate(_STREAM)}
_ERRORS_SHOWN = 10
_WHOLE_MS = 10.0


def rows_of(
    health: Health, now_ns: int, curves: Mapping[str, tuple[float, ...]] | None = None
) -> tuple[Row, ...]:
    """A row for each venue, with its sessions, symbols, errors and own facts under it.

    Args:
        health: What is shown.
        now_ns: The time of it.
        curves: The latencies of each venue, in milliseconds, the newest last.
    """
    known = curves or {}
    return tuple(
        _venue(each, now_ns, known.get(name := each.adapter_name, ()), health.rollouts.get(name))
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


def _venue(
    health: AdapterHealth, now_ns: int, curve: tuple[float, ...], rollout: RollOutHealth | None
) -> Row:
    name = health.adapter_name
    environment = f" ({health.environment.value})" if health.environment else ""
    pinned = _pinned(rollout)
    children = (
        *(_session(name, each, now_ns) for each in health.sessions),
        *_symbols(health, pinned, now_ns),
        *_errors(health, now_ns),
        *_facts(health),
    )
    return _row(
        name,
        f"{name}{environment}",
        State=health.state.value,
        Mode=_mode([each.mode for each in health.streams], pinned),
        Since=age(health.since_ns, now_ns),
        Last_data=age(max((each.last_data_ns for each in health.streams), default=0), now_ns),
        Latency=_milliseconds(curve[-1]) if curve else "",
        Reconnects=str(health.reconnects),
        Errors=str(sum(health.errors_by_class.values())),
        Breaker=next((b for b in map(_breaker, health.sessions) if b != "closed"), "closed"),
        Orders=_orders(health),
        Why=_why(health),
        tone=_tone(health),
        fresh=_freshness(health.streams),
        hint="\n".join(_words(each) for each in _newest(health)),
        children=children,
        switch=Switch(name, "", pinned),
        curve=curve,
    )


def _milliseconds(latency: float) -> str:
    return f"{latency:.0f} ms" if latency >= _WHOLE_MS else f"{latency:.2g} ms"


def _pinned(rollout: RollOutHealth | None) -> Mode | None:
    if rollout is None or not rollout.pinned:
        return None
    return next((mode for mode, stage in OF_MODE.items() if stage.value == rollout.stage), None)


def _mode(modes: Iterable[Mode], pinned: Mode | None) -> str:
    """How it is served, and by whose choice, in a cell that can be switched."""
    served = " + ".join(sorted({each.value for each in modes}, reverse=True)) or "none"
    return f"{served}, by hand {SWITCH}" if pinned else f"{served} {SWITCH}"


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
    if trading is not None and trading.in_doubt:
        return f"in doubt, not to be sent again: {', '.join(trading.in_doubt)}"
    return next((each.reason for each in health.sessions if each.state is health.state), "")


def _breaker(session: SessionHealth) -> str:
    return session.breaker


def _session(name: str, session: SessionHealth, now_ns: int) -> Row:
    return _row(
        f"{name}/{session.name}",
        session.name,
        State=session.state.value,
        Since=age(session.since_ns, now_ns),
        Reconnects=str(session.reconnects),
        Breaker=session.breaker,
        Why=session.reason,
        tone=_CONNECTION.get(session.state, Tone.PLAIN),
    )


def _freshness(streams: Sequence[StreamStatus]) -> Tone:
    tones = [_STREAM[each.state] for each in streams]
    return max(tones, key=list(Tone).index, default=Tone.PLAIN)


def _symbols(health: AdapterHealth, venue: Mode | None, now_ns: int) -> list[Row]:
    streams: dict[str, list[StreamStatus]] = {}
    for each in health.streams:
        streams.setdefault(each.vt_symbol, []).append(each)
    return [_symbol(health, venue, name, streams[name], now_ns) for name in sorted(streams)]


def _symbol(
    health: AdapterHealth,
    venue: Mode | None,
    vt_symbol: str,
    streams: Sequence[StreamStatus],
    now_ns: int,
) -> Row:
    """One symbol: as fresh as the worst of its streams; `venue` is the mode that it was given."""
    name, pinned = health.adapter_name, health.pinned.get(vt_symbol)
    worst = max(streams, key=lambda each: _WORST[each.state])
    by_hand = venue is Mode.POLLING and worst.state is StreamState.POLLING and pinned is None
    told = [each.last_data_ns for each in streams if each.last_data_ns]
    return _row(
        f"{name}/{vt_symbol}",
        vt_symbol,
        State=worst.state.value,
        Mode=_mode([each.mode for each in streams], pinned),
        Since=age(worst.since_ns, now_ns),
        Last_data=age(worst.last_data_ns or min(told, default=0), now_ns),
        Why="its venue was switched to polling by hand" if by_hand else worst.reason,
        tone=_STREAM[worst.state],
        fresh=_STREAM[worst.state],
        children=tuple(_stream(name, each, now_ns) for each in streams),
        switch=Switch(name, vt_symbol, pinned),
    )


def _stream(name: str, stream: StreamStatus, now_ns: int) -> Row:
    return _row(
        f"{name}/{stream.vt_symbol}/{stream.channel.value}{stream.detail}",
        f"{stream.channel.value} {stream.detail}".strip(),
        State=stream.state.value,
        Mode=stream.mode.value,
        Since=age(stream.since_ns, now_ns),
        Last_data=age(stream.last_data_ns, now_ns),
        Why=stream.reason,
        tone=_STREAM[stream.state],
        fresh=_STREAM[stream.state],
    )


def _newest(health: AdapterHealth) -> list[ErrorRecord]:
    return list(reversed(health.errors[-_ERRORS_SHOWN:]))


def _words(error: ErrorRecord) -> str:
    return f"{utc(error.ts_ns):%H:%M:%S} UTC {error.kind}: {error.text} ({error.action})"


def _errors(health: AdapterHealth, now_ns: int) -> list[Row]:
    newest = _newest(health)
    if not newest:
        return []
    key = f"{health.adapter_name}//errors"
    counts = ", ".join(f"{count} {name}" for name, count in sorted(health.errors_by_class.items()))
    title = f"errors: {counts}; the last {age(newest[0].ts_ns, now_ns)} ago, {newest[0].kind}"
    lines = tuple(
        _line(f"{key}/{place}", _words(error), Tone.PLAIN) for place, error in enumerate(newest)
    )
    return [_line(key, title, Tone.PLAIN, lines)]


def _facts(health: AdapterHealth) -> list[Row]:
    return [
        _line(
            key := f"{health.adapter_name}//{group.name}",
            f"{group.name}: {group.summary}" if group.summary else group.name,
            _left(group.left),
            tuple(_line(f"{key}/{line.name}", str(line), _left(line.left)) for line in group.lines),
        )
        for group in groups_of(health.facts)
    ]


def _left(share: float) -> Tone:
    if share <= NONE_LEFT:
        return Tone.BAD
    return Tone.WARNING if share < SHORT else Tone.PLAIN


def _line(key: str, text: str, tone: Tone, children: tuple[Row, ...] = ()) -> Row:
    cells = (text, *("" for _ in COLUMNS[1:]))
    return Row(key, cells, tone, children=children, spanned=True)


def _row(
    key: str,
    name: str,
    *,
    tone: Tone,
    fresh: Tone = Tone.PLAIN,
    hint: str = "",
    children: tuple[Row, ...] = (),
    switch: Switch | None = None,
    curve: tuple[float, ...] = (),
    **cells: str,
) -> Row:
    named = {column.replace(" ", "_"): "" for column in COLUMNS[1:]} | cells
    return Row(key, (name, *named.values()), tone, fresh, hint, children, switch, curve)
