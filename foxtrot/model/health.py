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
    """State of one session of an adapter.

    `up_s` and `down_s` add up to the time since its adapter was connected last, without the times
    when it was stopped on purpose: up while it serves, down while it does not, though it should.
    """

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
    up_s: float = 0.0
    down_s: float = 0.0


class TradingHealth(msgspec.Struct, frozen=True):
    """State of an adapter's trading: what is open, in doubt, and still to be cancelled.

    `halted` and `journal` say why orders are refused; both are empty while all is well. `pushed` is
    False while the venue's events are asked for instead. `in_doubt_since_ns` is that of the oldest
    doubt, 0 without one. `outcomes` counts how orders ended since the start, by the name of their
    last state, and as `refused` those that foxtrot itself did not let pass.
    """

    state: ConnectionState
    halted: str = ""
    open_orders: int = 0
    in_doubt: tuple[str, ...] = ()
    cancels_pending: int = 0
    pushed: bool = False
    reconciled_ns: int = 0
    journal: str = ""
    in_doubt_since_ns: int = 0
    outcomes: dict[str, int] = {}


Fact = str | int | float
"""One thing that an adapter says of itself."""


class AdapterHealth(msgspec.Struct, frozen=True):
    """State of one adapter; `state` is the worse of its sessions, since `since_ns`.

    The counts are those since the adapter was made; `malformed_by_type` adds up to `malformed`, and
    `errors_by_class` counts what `errors` has long forgotten. `facts` are the venue's own, under
    dotted names: `pool.idle`, `pace.messages_waiting`; what ends in `.left` under `limits.` is what
    may still be asked of the venue in the window of now. `pinned` are the symbols, as `vt_symbol`,
    whose mode a person chose.
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
    since_ns: int = 0
    errors_by_class: dict[str, int] = {}
    facts: dict[str, Fact] = {}
    pinned: dict[str, Mode] = {}


class Histogram(msgspec.Struct, frozen=True):
    """Counts of durations; `counts[i]` are those up to `bounds_s[i]`, the last those above all."""

    bounds_s: tuple[float, ...]
    counts: tuple[int, ...]
    sum_s: float = 0.0

    @property
    def count(self) -> int:
        """How many durations."""
        return sum(self.counts)


class Latency(msgspec.Struct, frozen=True):
    """How long market data takes, of a sample of it: from the venue to us, and on to its handlers.

    `venue_s` stands on two clocks, so it holds what they differ by; it is empty where the venue
    tells its time in whole seconds, as IB does.
    """

    venue_s: Histogram
    handled_s: Histogram


class EngineHealth(msgspec.Struct, frozen=True):
    """Counters of the EventEngine. received = delivered + conflated + dropped + queued.

    Alarms: `quarantined` are handlers that were set aside, `failing` critical ones whose last event
    failed, `backlogs` the lanes that run over. `lanes` are the handlers' own, by name; each keeps
    its own books, but its handlers' troubles are listed here, too. `latency` is that of market
    data, by adapter.
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
    latency: dict[str, Latency] = {}


class BridgeHealth(msgspec.Struct, frozen=True):
    """State of the loop thread; `blocked_s` is how long it has stood still, 0 while it turns."""

    running: bool
    tasks: tuple[str, ...] = ()
    leases: tuple[str, ...] = ()
    blocked_s: float = 0.0


class ProcessHealth(msgspec.Struct, frozen=True):
    """What the process takes of the machine; 0 for what this system does not tell.

    `threads` are the names of those that Python started; `descriptors` are open files and sockets.
    """

    memory_bytes: int = 0
    cpu_s: float = 0.0
    threads: tuple[str, ...] = ()
    descriptors: int = 0
    started_ns: int = 0


class Alert(msgspec.Struct, frozen=True):
    """A threshold that is passed: `subject` names what it is about, such as an adapter."""

    name: str
    subject: str
    severity: str
    text: str
    value: float
    since_ns: int


class RollOutHealth(msgspec.Struct, frozen=True):
    """Where the roll-out of an adapter's websocket stands.

    `stage` is one of `connectivity.rollout.Stage`, `reason` says why it is there; `until_ns` is
    when it will have been validated, 0 if it does not go on by itself. `pinned`: a person put it
    there.
    """

    stage: str
    since_ns: int
    until_ns: int = 0
    reason: str = ""
    rolled_back: bool = False
    pinned: bool = False


class Health(msgspec.Struct, frozen=True):
    """What `MainEngine.health()` returns. `problems` lists what could not be read.

    `alerts` are those of the watch, if one was added (`foxtrot.monitoring.watch`).
    """

    engine: EngineHealth
    bridge: BridgeHealth
    adapters: tuple[AdapterHealth, ...] = ()
    problems: tuple[str, ...] = ()
    process: ProcessHealth = ProcessHealth()
    alerts: tuple[Alert, ...] = ()
    rollouts: dict[str, RollOutHealth] = {}
    halted: str = ""
