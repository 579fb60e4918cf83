"""What a screen must remember: when data last came, and what happened lately."""

from __future__ import annotations

import io
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from foxtrot.model.constants import Channel, ConnectionState, StreamState
from foxtrot.model.events import (
    EVENT_BAR,
    EVENT_CONNECTION,
    EVENT_DEPTH,
    EVENT_LOG,
    EVENT_MARKET_TRADE,
    EVENT_STREAM,
    EVENT_TICK,
    Event,
)
from foxtrot.model.health import ConnectionStatus, StreamStatus
from foxtrot.model.objects import LogData

if TYPE_CHECKING:
    from foxtrot.core.event_engine import EventEngine

_KEPT = 200
_TOLD_BY_EVENTS = frozenset(
    {
        *("connection_state", "connecting", "subscription_refused", "order"),
        *("settings_applied", "settings_changed", "settings_refused"),
    }
)
_SKIPPED_FIELDS = frozenset(
    {"event", "level", "logger", "timestamp", "exception", "venue", "session", "correlation_id"}
)

_LEVELS = {
    ConnectionState.READY: logging.INFO,
    ConnectionState.DEGRADED: logging.WARNING,
    ConnectionState.RECONNECTING: logging.WARNING,
    ConnectionState.FAILED: logging.ERROR,
}


class Line(msgspec.Struct, frozen=True):
    """One thing that happened; `level` is the logging module's."""

    ts_ns: int
    level: int
    source: str
    text: str


class Watch:
    """Collects what the screen shows beside the caches of the engine.

    Thread safety: written by the dispatcher and by whoever logs; read by the main thread.
    """

    def __init__(self) -> None:
        self._lines: deque[Line] = deque(maxlen=_KEPT)
        self._seen: dict[tuple[str, str, Channel], int] = {}

    def attach(self, events: EventEngine) -> None:
        """Listen from now on."""
        for type_, channel in (
            (EVENT_TICK, Channel.TICK),
            (EVENT_DEPTH, Channel.DEPTH),
            (EVENT_MARKET_TRADE, Channel.TRADE),
            (EVENT_BAR, Channel.BAR),
        ):
            events.register(type_, self._noter(channel))
        events.register(EVENT_CONNECTION, self._on_connection)
        events.register(EVENT_STREAM, self._on_stream)
        events.register(EVENT_LOG, self._on_log)

    def add(self, line: Line) -> None:
        """Remember a line; the oldest is forgotten."""
        self._lines.append(line)

    def lines(self) -> list[Line]:
        """What happened lately, oldest first."""
        return list(self._lines.copy())

    def seen_ns(self, vt_symbol: str, adapter_name: str) -> int:
        """When data of a symbol last came, on whatever channel; 0 if it never did."""
        return max(self._seen.get((adapter_name, vt_symbol, each), 0) for each in Channel)

    def _noter(self, channel: Channel) -> Callable[[Event], None]:
        def note(event: Event) -> None:
            name = getattr(event.data, "adapter_name", "")
            self._seen[name, event.topic, channel] = time.time_ns()

        return note

    def _on_connection(self, event: Event) -> None:
        status: ConnectionStatus = event.data  # type: ignore[assignment]
        text = f"{status.session} {status.previous.value} → {status.state.value}"
        if status.reason:
            text += f": {status.reason}"
        if status.delay_s:
            text += f"; again in {status.delay_s:.1f} s, attempt {status.attempt}"
        level = _LEVELS.get(status.state, logging.INFO)
        self.add(Line(status.since_ns, level, status.adapter_name, text))

    def _on_stream(self, event: Event) -> None:
        status: StreamStatus = event.data  # type: ignore[assignment]
        if status.state is StreamState.FAILED:
            text = f"{status.channel.value} of {status.vt_symbol} failed: {status.reason}"
            self.add(Line(status.since_ns, logging.WARNING, status.adapter_name, text))

    def _on_log(self, event: Event) -> None:
        entry: LogData = event.data  # type: ignore[assignment]
        self.add(Line(entry.ts_ns or time.time_ns(), entry.level, entry.adapter_name, entry.msg))


class LogTap(io.StringIO):
    """A stream for `logs.configure`: takes the JSON lines of the log into a Watch.

    What the events of the engine tell already is left out.
    """

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    def write(self, text: str) -> int:
        """Take one line of the log."""
        try:
            fields = msgspec.json.decode(text, type=dict[str, object])
        except msgspec.DecodeError:
            fields = {"event": text.strip()}
        event = str(fields.get("event", ""))
        if event and event not in _TOLD_BY_EVENTS:
            level = logging.getLevelName(str(fields.get("level", "info")).upper())
            source = str(fields.get("venue") or fields.get("logger") or "log")
            rest = [f"{k}={v}" for k, v in fields.items() if k not in _SKIPPED_FIELDS]
            line = Line(time.time_ns(), level, source, " ".join([event, *rest]))
            self._watch.add(line)
        return len(text)
