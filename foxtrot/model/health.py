"""What foxtrot says of its own state: snapshots, made to be shown and to be turned into JSON."""

from __future__ import annotations

import msgspec

from foxtrot.model.constants import (
    Channel,
    ConnectionState,
    Environment,
    Exchange,
    Mode,
    StreamState,
)


class StreamKey(msgspec.Struct, frozen=True):
    """One stream: a channel of a contract; `detail` tells bars of different intervals apart."""

    channel: Channel
    symbol: str
    exchange: Exchange
    detail: str = ""

    @property
    def vt_symbol(self) -> str:
        """`symbol.EXCHANGE`."""
        return f"{self.symbol}.{self.exchange.value}"

    def __str__(self) -> str:
        tail = f":{self.detail}" if self.detail else ""
        return f"{self.channel.value}:{self.vt_symbol}{tail}"


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at; `advice` says how to mend it, and is empty if all is well."""

    subject: str
    found: str
    advice: str = ""


class ConnectionStatus(msgspec.Struct, frozen=True):
    """One change of a session's state, as the event EVENT_CONNECTION carries it."""

    adapter_name: str
    session: str
    state: ConnectionState
    previous: ConnectionState
    reason: str
    since_ns: int
    attempt: int = 0
    delay_s: float = 0.0


class StreamStatus(msgspec.Struct, frozen=True):
    """State of one subscription, as EVENT_STREAM carries it and `health()` lists it.

    `since_ns` is when it came into this state, `last_data_ns` when it last brought anything, by
    whatever mode; 0 if it never did, or the venue's adapter does not say.
    """

    adapter_name: str
    channel: Channel
    symbol: str
    exchange: Exchange
    state: StreamState
    mode: Mode
    since_ns: int
    detail: str = ""
    reason: str = ""
    last_data_ns: int = 0

    @property
    def vt_symbol(self) -> str:
        """`symbol.EXCHANGE`."""
        return f"{self.symbol}.{self.exchange.value}"


class ErrorRecord(msgspec.Struct, frozen=True):
    """One entry of the bounded error history.

    `kind` names the error, `error_class` whose trouble it is (`errors.ErrorClass`), and `action`
    what is done about it (`errors.Action`).
    """

    ts_ns: int
    kind: str
    action: str
    text: str
    error_class: str = "unknown"


class SessionHealth(msgspec.Struct, frozen=True):
    """State of one session of an adapter."""

    name: str
    state: ConnectionState
    since_ns: int
    reason: str = ""
    attempt: int = 0
    reconnects: int = 0
    last_reconnect_ns: int = 0
    last_ready_ns: int = 0
    received: int = 0
    breaker: str = "closed"


class TradingHealth(msgspec.Struct, frozen=True):
    """State of an adapter's trading: what is open, in doubt, and still to be cancelled.

    `halted` and `journal` say why orders are refused; both are empty while all is well. `pushed` is
    False while the venue's events are asked for instead.
    """

    state: ConnectionState
    halted: str = ""
    open_orders: int = 0
    in_doubt: tuple[str, ...] = ()
    cancels_pending: int = 0
    pushed: bool = False
    reconciled_ns: int = 0
    journal: str = ""


class AdapterHealth(msgspec.Struct, frozen=True):
    """State of one adapter; `state` is the worse of its sessions.

    The counts are those since the adapter was made; `malformed_by_type` adds up to `malformed`.
    """

    adapter_name: str
    state: ConnectionState
    environment: Environment | None = None
    endpoint: str = ""
    sessions: tuple[SessionHealth, ...] = ()
    streams: tuple[StreamStatus, ...] = ()
    received: int = 0
    rejected: int = 0
    malformed: int = 0
    malformed_by_type: dict[str, int] = {}
    reconnects: int = 0
    last_reconnect_ns: int = 0
    errors: tuple[ErrorRecord, ...] = ()
    trading: TradingHealth | None = None


class EngineHealth(msgspec.Struct, frozen=True):
    """Counters of the EventEngine. received = delivered + conflated + dropped + queued.

    Alarms: `quarantined` are handlers that were set aside, `failing` critical ones whose last event
    failed, `backlogs` the lanes that run over. `lanes` are the handlers' own, by name; each keeps
    its own books, but its handlers' troubles are listed here, too.
    """

    running: bool
    received: int = 0
    delivered: int = 0
    conflated: int = 0
    dropped: int = 0
    queued: int = 0
    lag_s: float = 0.0
    handler_errors: int = 0
    quarantined: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()
    backlogs: tuple[str, ...] = ()
    lanes: dict[str, EngineHealth] = {}


class BridgeHealth(msgspec.Struct, frozen=True):
    """State of the loop thread; `blocked_s` is how long it has stood still, 0 while it turns."""

    running: bool
    tasks: tuple[str, ...] = ()
    leases: tuple[str, ...] = ()
    blocked_s: float = 0.0


class Health(msgspec.Struct, frozen=True):
    """What `MainEngine.health()` returns. `problems` lists what could not be read."""

    engine: EngineHealth
    bridge: BridgeHealth
    adapters: tuple[AdapterHealth, ...] = ()
    problems: tuple[str, ...] = ()
