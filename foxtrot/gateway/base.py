"""BaseAdapter: what every venue offers, and the few hooks that a venue implements."""

from __future__ import annotations

import asyncio
import threading
from abc import abstractmethod
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import ClassVar

from foxtrot.connectivity.config import StreamConfig
from foxtrot.connectivity.diagnostics import ErrorHistory
from foxtrot.connectivity.lifecycle import SERVING, worst
from foxtrot.connectivity.subscriptions import Entry
from foxtrot.connectivity.supervisor import Session
from foxtrot.core.bridge import AsyncThreadBridge, Lease
from foxtrot.core.clock import Clock, SystemClock
from foxtrot.core.event_engine import EventEngine
from foxtrot.core.logs import correlated, get_logger
from foxtrot.core.settings import FeatureFlags, Settings
from foxtrot.errors import ConfigurationError, FoxtrotError, InvalidState, NotSupported, WrongThread
from foxtrot.gateway.connect_fields import Setting
from foxtrot.gateway.counters import FeedCounters
from foxtrot.gateway.desk import OrderDesk
from foxtrot.gateway.feeds import MarketFeeds
from foxtrot.gateway.order_port import OrderPort, check_type
from foxtrot.model.constants import (
    Channel,
    ConnectionState,
    Environment,
    Exchange,
    Mode,
    StreamState,
)
from foxtrot.model.events import (
    EVENT_CONNECTION,
    EVENT_STREAM,
)
from foxtrot.model.health import (
    AdapterHealth,
    ConnectionStatus,
    Fact,
    Finding,
    SessionHealth,
    StreamKey,
    StreamStatus,
)
from foxtrot.model.objects import (
    BarData,
)
from foxtrot.model.requests import HistoryRequest, SubscribeRequest

log = get_logger("foxtrot.gateway")

Progress = Callable[[int, int], None]
"""Told how much of how much is done."""


def unwatched(done: int, total: int) -> None:
    """Progress that nobody watches."""


CLOSE_DEADLINE_S = 8.0
HISTORY_DEADLINE_S = 600.0


def stream_key(request: SubscribeRequest) -> StreamKey:
    """The stream that a request asks for."""
    detail = request.interval.value if request.channel is Channel.BAR else ""
    return StreamKey(request.channel, request.symbol, request.exchange, detail)


class BaseAdapter(OrderPort):
    """A venue. vnpy's gateway contract, plus unsubscribe, disconnect, restart, health and actions.

    Every public method may be called from any thread and none waits for the network, but
    `query_history` (it returns the bars) and `close` (it returns when all is closed). What is
    pushed is immutable. Reconnecting is the supervisor's work; a venue opens and closes sessions.

    Thread safety: requests are recorded on the caller's thread; everything else of an adapter
    belongs to the bridge's loop thread.
    """

    default_name: ClassVar[str]
    default_setting: ClassVar[Mapping[str, str | int | float | list[str]]]
    message_types: ClassVar[Sequence[str]] = ()
    """The venue's names of its messages, each with a count of those that could not be read."""

    def __init__(
        self,
        event_engine: EventEngine,
        adapter_name: str = "",
        *,
        bridge: AsyncThreadBridge | None = None,
        settings: Settings | None = None,
        config: StreamConfig | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(
            event_engine,
            adapter_name or self.default_name,
            bridge=bridge or AsyncThreadBridge(),
            clock=clock or SystemClock(),
        )
        self.settings = settings or Settings()
        self.counters = {mode: FeedCounters(self.message_types) for mode in Mode}
        self._template = config or StreamConfig()
        self._errors = ErrorHistory(self._template.error_history)
        self._reconnects = self._last_reconnect_ns = 0
        self._served: set[str] = set()
        self._given: Setting = {}
        self._requests: dict[StreamKey, SubscribeRequest] = {}
        self._owners: dict[StreamKey, set[str]] = {}
        self._pins: Mapping[str, Mode] = {}  # replaced, never changed
        self._asking = threading.Lock()
        self._feeds: MarketFeeds | None = None
        self._serial = asyncio.Lock()
        self._lease: Lease | None = None
        self._closed = False
        self._gate = threading.Lock()  # connect and close: one lease at most, none after the end
        self.account_counters = FeedCounters()

    # -- what a venue implements ------------------------------------------------------------

    @classmethod
    def examine(cls) -> Sequence[Finding]:
        """What this machine has, and lacks, of what the venue needs. Asks no other machine."""
        return ()

    @abstractmethod
    def configure(self, setting: Setting) -> None:
        """Validate and keep what `connect` was given.

        Raises:
            ConfigurationError: Names the field and what is allowed.
        """

    @abstractmethod
    def make_session(self, mode: Mode) -> Session:
        """An unopened session that serves market data by `mode`."""

    @abstractmethod
    async def fetch_history(self, request: HistoryRequest, progress: Progress) -> list[BarData]:
        """Bars, oldest first, without gaps or duplicates."""

    async def release(self) -> None:
        """Give back what the venue's sessions shared; called whenever they have been closed."""

    @property
    def environment(self) -> Environment | None:
        """What `connect` was told to talk to."""
        return None

    @property
    def endpoint(self) -> str:
        """Where it connects to, fit to be shown."""
        return ""

    @property
    def web_address(self) -> str:
        """Where it answers HTTP, such as https://api.example; empty if it speaks something else."""
        return ""

    def facts(self) -> Mapping[str, Fact]:
        """What else there is to know of a venue, under dotted names; from any thread, never waits.

        `limits.<name>.left` is how much of a venue's limit is left now.
        """
        return {}

    def last_data_ns(self, key: StreamKey) -> int:
        """When a stream last brought anything, by whatever mode; 0 if that is not known."""
        return 0

    # -- connection -------------------------------------------------------------------------

    def connect(self, setting: Setting) -> None:
        """Start connecting; returns at once. A second call applies a new setting.

        Raises:
            ConfigurationError: The setting is wrong; nothing was started.
            InvalidState: The adapter is closed.
        """
        with self._gate:
            self._refuse_closed()
            self.configure(setting)
            self._given = dict(setting)
            if self._lease is None:
                self._lease = self.bridge.lease(self.adapter_name)
            self._submit(self._restart(), "connect")

    def disconnect(self) -> None:
        """Close the sessions; the subscriptions are kept for the next `connect`."""
        with self._gate:
            if self._lease is not None:
                self._submit(self._stop(), "disconnect")

    def renew(self, setting: Setting) -> None:
        """Connect by this setting from the next `restart` on."""
        with self._gate:
            self._given = dict(setting)

    def restart(self) -> None:
        """Disconnect and connect again with the same subscriptions.

        The setting is read anew, as a secret that it refers to may have been mended: with the old
        one a venue that counts wrong passwords would be asked in vain.

        Raises:
            ConfigurationError: The setting is wrong by now; nothing was changed.
        """
        with self._gate:
            if self._lease is not None:
                self.configure(self._given)
                self._submit(self._restart(), "restart")

    def close(self) -> None:
        """Disconnect for good; returns when everything is closed.

        Raises:
            BridgeTimeout: The venue's sessions did not close in time; they were cancelled.
            WrongThread: Called on the loop thread, which it would wait for.
        """
        if self.bridge.on_loop_thread:
            raise WrongThread(f"close() of {self.adapter_name} would wait for its own thread")
        with self._gate:
            self._closed = True
            lease, self._lease = self._lease, None
        if lease is None:
            return
        try:
            self.bridge.run(self._end(), timeout=CLOSE_DEADLINE_S)
        finally:
            lease.release()

    def apply_settings(self, settings: Settings) -> None:
        """Follow a changed settings file: modes, delays and deadlines, without a reconnect."""
        before, self.settings = self.flags, settings
        feeds, desk, flags = self._feeds, self._desk, self.flags
        if feeds is not None:
            self.bridge.call_soon(feeds.apply, flags)
        if desk is not None:
            self.bridge.call_soon(desk.retune, self.stream_config)
            switched = before.websocket_enabled is not flags.websocket_enabled
            if switched and self.capabilities.polls_orders:
                self.bridge.call_soon(self._refresh, desk)

    def _refresh(self, desk: OrderDesk) -> None:
        self._served.discard(desk.session().name)  # asked for, so that it is no reconnect
        desk.recycle()

    def pin_mode(self, vt_symbol: str, mode: Mode | None) -> None:
        """Stream a subscribed symbol, or poll it, whatever the flags say; None: as they do.

        Raises:
            ConfigurationError: It is not subscribed.
            NotSupported: The venue cannot serve it so.
        """
        channels = {key.channel for key in self._requests.copy() if key.vt_symbol == vt_symbol}
        if not channels:
            raise ConfigurationError("pin_mode", "vt_symbol", f"{vt_symbol} is not subscribed")
        known = self.capabilities
        served = known.polled if mode is Mode.POLLING else known.channels
        if not channels & served:
            raise NotSupported(self.adapter_name, f"polling {vt_symbol}")
        with self._asking:
            others = {each: pin for each, pin in self._pins.items() if each != vt_symbol}
            self._pins = others if mode is None else {**others, vt_symbol: mode}
            feeds, pins = self._feeds, self._pins
            if feeds is not None:
                self.bridge.call_soon(feeds.pin, pins)
        self.log.warning("mode_pinned", vt_symbol=vt_symbol, mode=mode.value if mode else "")

    def unconnected(self) -> str:
        """Why there is no connection and none is being made; empty if that is not so."""
        if self._closed:
            return f"{self.adapter_name} is closed"
        return "" if self._lease is not None else f"{self.adapter_name} was never connected"

    def _refuse_closed(self) -> None:
        if self._closed:
            raise InvalidState(f"{self.adapter_name} is closed; add a new adapter to connect again")

    def _refuse_unconnected(self) -> None:
        self._refuse_closed()
        if self._lease is None:
            raise InvalidState(
                f"{self.adapter_name} has no connect setting yet; call connect first"
            )

    def _submit(self, work: Coroutine[object, object, None], what: str) -> None:
        name = f"{self.adapter_name}.{what}"
        with correlated(name):
            self.bridge.submit(work, name=name)

    async def _restart(self) -> None:
        async with self._serial:
            await self._stop_sessions()
            if self._closed:
                return
            self._feeds = MarketFeeds(
                self.adapter_name,
                make_session=self.make_session,
                capabilities=self.capabilities,
                listener=self,
                bridge=self.bridge,
                clock=self.clock,
                config=self._template,
                flags=self.settings.for_adapter(self.adapter_name),
            )
            self._feeds.pin(self._pins)
            self._feeds.want(list(self._requests))
            self._feeds.start()
            await self._start_desk()

    async def _stop(self) -> None:
        async with self._serial:
            await self._stop_sessions()

    async def _end(self) -> None:
        async with self._serial:
            await self._stop_sessions()
            await self._close_desks()

    async def _stop_sessions(self) -> None:
        feeds, self._feeds = self._feeds, None
        parts = [part.stop() for part in (feeds, self._desk) if part is not None]
        await asyncio.gather(*parts)
        await self.release()

    # -- subscriptions ----------------------------------------------------------------------

    def subscribe(self, request: SubscribeRequest, owner: str = "user") -> None:
        """Want a stream, connected or not; asking twice is asking once.

        Args:
            request: The stream.
            owner: Who asks. A stream lives until every owner has given it back.

        Raises:
            ConfigurationError: Not this venue's exchange, no symbol, or not a channel it has.
            TypeError: It is no SubscribeRequest.
        """
        self._check(request)
        key = stream_key(request)
        with self._asking:
            self._owners.setdefault(key, set()).add(owner)
            self._requests[key] = request
        if self._feeds is not None:
            self.bridge.call_soon(self._follow, key)

    def unsubscribe(self, request: SubscribeRequest, owner: str = "user") -> None:
        """Give a stream back; nothing happens if `owner` did not want it, or others still do."""
        key = stream_key(request)
        with self._asking:
            owners = self._owners.get(key, set())
            owners.discard(owner)
            if owners or self._requests.pop(key, None) is None:
                return
            del self._owners[key]
        if self._feeds is not None:
            self.bridge.call_soon(self._follow, key)

    def _follow(self, key: StreamKey) -> None:
        # Looks at what is wanted by now, so that calls of several threads may arrive in any order.
        if self._feeds is None:
            return
        change = self._feeds.want if key in self._requests else self._feeds.drop
        change((key,))

    def subscriptions(self) -> tuple[SubscribeRequest, ...]:
        """What is wanted now."""
        return tuple(self._requests.copy().values())

    def request_of(self, key: StreamKey) -> SubscribeRequest | None:
        """The request behind a stream, if it is still wanted."""
        return self._requests.get(key)

    def tick_state(self, symbol: str, exchange: Exchange) -> StreamState | None:
        """How well the ticks of a contract are served; None if nobody subscribed to them."""
        feeds, key = self._feeds, StreamKey(Channel.TICK, symbol, exchange)
        return feeds.state_of(key) if feeds is not None else None

    def _check(self, request: SubscribeRequest) -> None:
        check_type(request, SubscribeRequest)
        if request.exchange not in self.exchanges:
            allowed = ", ".join(exchange.value for exchange in self.exchanges)
            problem = f"{request.exchange.value} is not served by {self.adapter_name}; {allowed} is"
            raise ConfigurationError("subscribe", "exchange", problem)
        symbol: object = request.symbol  # a struct is made of whatever a script gives
        if not isinstance(symbol, str) or not symbol.isprintable():
            raise ConfigurationError(
                "subscribe", "symbol", "must be text without control characters"
            )
        if not request.symbol:
            raise ConfigurationError("subscribe", "symbol", "is empty; give one, such as BTCUSDT")
        if request.channel not in self.capabilities.channels:
            allowed = ", ".join(sorted(channel.value for channel in self.capabilities.channels))
            problem = f"{request.channel.value} is not offered; allowed: {allowed}"
            raise ConfigurationError("subscribe", "channel", problem)
        if request.channel is Channel.BAR and request.interval not in self.capabilities.intervals:
            allowed = ", ".join(sorted(i.value for i in self.capabilities.intervals))
            problem = f"{request.interval.value} is not offered; allowed: {allowed}"
            raise ConfigurationError("subscribe", "interval", problem)

    # -- requests ---------------------------------------------------------------------------

    def query_history(
        self, request: HistoryRequest, progress: Progress | None = None
    ) -> list[BarData]:
        """Fetch bars; waits for them, so not for a handler. Works whenever the venue is reachable.

        Raises:
            NotSupported: The venue gives no history.
            InvalidState: `connect` was never called, or the adapter is closed.
            BridgeTimeout: It took longer than ten minutes.
        """
        if not self.capabilities.history:
            raise NotSupported(self.adapter_name, "history")
        self._refuse_unconnected()
        fetch = self.fetch_history(request, progress or unwatched)
        return self.bridge.run(fetch, timeout=HISTORY_DEADLINE_S)

    # -- what it says of itself -------------------------------------------------------------

    @property
    def state(self) -> ConnectionState:
        """The worse of its sessions' states."""
        if self._closed:
            return ConnectionState.CLOSED
        feeds, desk = self._feeds, self._desk
        if feeds is None:
            return ConnectionState.DISCONNECTED
        return feeds.state if desk is None else worst([feeds.state, desk.state])

    def health(self, *, streams: bool = True) -> AdapterHealth:
        """A snapshot, from any thread; without the streams it is cheap, however many there are."""
        feeds, state, sessions = self._feeds, self.state, self._sessions()
        counters = self.counters.values()
        return AdapterHealth(
            adapter_name=self.adapter_name,
            state=state,
            since_ns=_since(state, sessions),
            environment=self.environment,
            endpoint=self.endpoint,
            sessions=sessions,
            streams=self._streams(feeds) if streams else (),
            received=sum(c.received for c in counters),
            rejected=sum(c.rejected for c in counters),
            malformed=sum(c.malformed for c in counters),
            malformed_by_type=self._malformed_by_type(),
            reconnects=self._reconnects,
            last_reconnect_ns=self._last_reconnect_ns,
            errors=self._errors.snapshot(),
            errors_by_class=self._errors.counts(),
            facts=self._facts(),
            trading=self._desk.health() if self._desk is not None else None,
            pinned=dict(self._pins),
        )

    def _sessions(self) -> tuple[SessionHealth, ...]:
        feeds, desk = self._feeds, self._desk
        if feeds is None:
            return ()
        return (*feeds.sessions(), desk.session()) if desk is not None else feeds.sessions()

    def diagnostics(self) -> dict[str, Fact]:
        """Flat facts for a support request; nothing secret."""
        facts: dict[str, Fact] = {
            "adapter": self.adapter_name,
            "state": self.state.value,
            "environment": self.environment.value if self.environment else "",
            "endpoint": self.endpoint,
            "subscriptions": len(self._requests),
            "reconnects": self._reconnects,
            "last_reconnect_ns": self._last_reconnect_ns,
        }
        for mode, counters in self.counters.items():
            for name in FeedCounters.NAMES:
                facts[f"{mode.value}.{name}"] = getattr(counters, name)
        for message_type, count in self._malformed_by_type().items():
            facts[f"malformed.{message_type}"] = count
        for error_class, count in self._errors.counts().items():
            facts[f"errors.{error_class}"] = count
        return facts | self._facts()

    def _facts(self) -> dict[str, Fact]:
        try:
            return dict(self.facts())
        except Exception as error:  # noqa: BLE001 - boundary: a venue's facts hide no other news
            return {"facts.problem": type(error).__name__}

    def _malformed_by_type(self) -> dict[str, int]:
        total: dict[str, int] = {}
        for counters in self.counters.values():
            for message_type, count in counters.malformed_by_type.copy().items():
                total[message_type] = total.get(message_type, 0) + count
        return total

    def actions(self) -> Mapping[str, Callable[[], None]]:
        """What a person may ask of it now, by name; none blocks."""
        if self._closed or self._feeds is None:
            return {}
        return {"restart": self.restart, "disconnect": self.disconnect}

    def __repr__(self) -> str:
        subs = len(self._requests)
        return f"<{type(self).__name__} {self.adapter_name} {self.state.name} subs={subs}>"

    def _streams(self, feeds: MarketFeeds | None) -> tuple[StreamStatus, ...]:
        if feeds is None:
            return self._kept_streams()
        entries = feeds.entries()
        ordered = sorted(entries.items(), key=lambda item: str(item[0]))
        return tuple(self._stream(key, mode, entry) for key, (mode, entry) in ordered)

    def _stream(self, key: StreamKey, mode: Mode, entry: Entry) -> StreamStatus:
        return StreamStatus(
            self.adapter_name,
            key.channel,
            key.symbol,
            key.exchange,
            entry.state,
            mode,
            entry.since_ns,
            key.detail,
            entry.reason,
            self.last_data_ns(key),
        )

    def _kept_streams(self) -> tuple[StreamStatus, ...]:
        """What is wanted while nothing is connected; who holds the lock is not waited for."""
        keys = sorted(self._requests.copy(), key=str)
        entry = Entry(StreamState.PENDING, 0, "not connected")
        return tuple(self._stream(key, Mode.WEBSOCKET, entry) for key in keys)

    @property
    def flags(self) -> FeatureFlags:
        """The settings of the moment."""
        return self.settings.for_adapter(self.adapter_name)

    @property
    def stream_config(self) -> StreamConfig:
        """Deadlines and bounds, with what the settings say laid over them."""
        return self._template.with_flags(self.flags)

    # -- Listener: what the supervisors tell, on the loop thread -----------------------------

    def on_connection(self, status: ConnectionStatus) -> None:
        """Put a change of a session's state."""
        self._count_reconnect(status)
        self.on_event(EVENT_CONNECTION, status, self.adapter_name)

    def _count_reconnect(self, status: ConnectionStatus) -> None:
        if status.state is ConnectionState.DISCONNECTED:
            self._served.discard(status.session)
        elif status.previous is ConnectionState.SYNCING and status.state in SERVING:
            if status.session in self._served:
                self._reconnects += 1
                self._last_reconnect_ns = status.since_ns
            self._served.add(status.session)

    def on_streams(self, keys: Sequence[StreamKey]) -> None:
        """Put the changed states of subscriptions."""
        for status in self._changed_streams(self._feeds, dict.fromkeys(keys)):
            self.on_event(EVENT_STREAM, status, status.symbol)

    def _changed_streams(
        self, feeds: MarketFeeds | None, keys: Mapping[StreamKey, None]
    ) -> Iterator[StreamStatus]:
        if feeds is None:
            yield from (status for status in self._kept_streams() if _key_of(status) in keys)
            return
        # Looked up one by one: a venue reports its streams singly, and may have thousands.
        for key in keys:
            if (entry := feeds.entry(key)) is not None:
                yield self._stream(key, *entry)

    def on_error(self, error: FoxtrotError) -> None:
        """Remember an error."""
        self._errors.add(error, self.clock.time_ns())


def _key_of(status: StreamStatus) -> StreamKey:
    return StreamKey(status.channel, status.symbol, status.exchange, status.detail)


def _since(state: ConnectionState, sessions: Sequence[SessionHealth]) -> int:
    """Since when the worst of the sessions stands there; 0 before the first."""
    times = [each.since_ns for each in sessions if each.state is state]
    return min(times) if times else max((each.since_ns for each in sessions), default=0)
