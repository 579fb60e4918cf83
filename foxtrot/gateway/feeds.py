"""Market data by two ways: every wanted stream is routed to websocket or to polling.

Both ways are supervised sessions. A change of the settings changes the routes; the streams move
from one book to the other and none is forgotten.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from foxtrot.connectivity.breaker import BreakerState
from foxtrot.connectivity.config import StreamConfig
from foxtrot.connectivity.lifecycle import SERVING, worst
from foxtrot.connectivity.subscriptions import Entry
from foxtrot.connectivity.supervisor import Listener, Session, Supervisor
from foxtrot.core.bridge import AsyncThreadBridge
from foxtrot.core.clock import Clock
from foxtrot.core.logs import get_logger
from foxtrot.core.settings import FeatureFlags
from foxtrot.errors import FoxtrotError
from foxtrot.gateway.capabilities import Capabilities
from foxtrot.model.constants import ConnectionState, Mode, StreamState
from foxtrot.model.health import ConnectionStatus, SessionHealth, StreamKey

log = get_logger("foxtrot.gateway.feeds")

_DISTRUSTED = frozenset({StreamState.FAILED, StreamState.STALE})
"""States of a websocket stream in which its data is fetched by polling as well."""


class MarketFeeds:
    """The websocket and the polling feed of one adapter.

    Thread safety: everything but `state` and the snapshots belongs to the bridge's loop thread.
    """

    def __init__(
        self,
        venue: str,
        *,
        make_session: Callable[[Mode], Session],
        capabilities: Capabilities,
        listener: Listener,
        bridge: AsyncThreadBridge,
        clock: Clock,
        config: StreamConfig,
        flags: FeatureFlags,
        rng: random.Random | None = None,
    ) -> None:
        self._venue, self._capabilities, self._bridge = venue, capabilities, bridge
        self._listener = listener
        self._template, self._flags = config, flags
        self._pins: Mapping[str, Mode] = {}
        self._wanted: dict[StreamKey, None] = {}
        self._asked: set[StreamKey] = set()
        self._changed = asyncio.Event()
        self._router: asyncio.Task[None] | None = None
        self._feeds = {
            mode: Supervisor(
                mode.value,
                venue=venue,
                make_session=lambda mode=mode: make_session(mode),  # type: ignore[misc]
                listener=self,
                bridge=bridge,
                clock=clock,
                config=config.with_flags(flags),
                held_state=held,
                rng=rng,
            )
            for mode, held in (
                (Mode.WEBSOCKET, StreamState.ACTIVE),
                (Mode.POLLING, StreamState.POLLING),
            )
        }

    # -- what the adapter calls, on the loop thread -----------------------------------------

    def start(self) -> None:
        """Start routing; nothing happens if it runs already."""
        if self._router is None:
            self._changed.set()
            self._router = self._bridge.spawn(self._route(), name=f"{self._venue}.router")

    async def stop(self) -> None:
        """Close both sessions; what is wanted is kept for the next start."""
        router, self._router = self._router, None
        if router is not None:
            router.cancel()
            await asyncio.wait([router])
        await asyncio.gather(*(feed.stop() for feed in self._feeds.values()))

    def want(self, keys: Sequence[StreamKey]) -> None:
        """Add streams."""
        self._wanted.update(dict.fromkeys(keys))
        self._asked.update(keys)
        self._changed.set()

    def drop(self, keys: Sequence[StreamKey]) -> None:
        """Take streams back."""
        for key in keys:
            self._wanted.pop(key, None)
        self._changed.set()

    def apply(self, flags: FeatureFlags) -> None:
        """Route by new flags from now on."""
        self._flags = flags
        for feed in self._feeds.values():
            feed.config = self._template.with_flags(flags)
        self._changed.set()

    def pin(self, pins: Mapping[str, Mode]) -> None:
        """Route these symbols, by `vt_symbol`, as a person says, whatever the flags do."""
        self._pins = pins
        self._changed.set()

    # -- snapshots, from any thread ---------------------------------------------------------

    @property
    def state(self) -> ConnectionState:
        """The worse of the sessions in use; what is served by polling is DEGRADED at best."""
        websocket, polling = self._feeds[Mode.WEBSOCKET], self._feeds[Mode.POLLING]
        shown = worst([feed.state for feed in self._feeds.values() if feed.running])
        if not polling.running:
            return shown
        lasting = self._covered if polling.state in SERVING else self._only_stands_in
        return ConnectionState.DEGRADED if lasting(websocket, polling) else shown

    @staticmethod
    def _covered(websocket: Supervisor, polling: Supervisor) -> bool:
        """Whether every stream is served by one way or the other."""
        polled = polling.book.wanted
        return websocket.state in SERVING or all(key in polled for key in websocket.book.wanted)

    @staticmethod
    def _only_stands_in(websocket: Supervisor, polling: Supervisor) -> bool:
        """Whether the websocket serves, and polling is asked for nothing but what that lacks."""
        streamed = websocket.book.wanted
        return websocket.state in SERVING and all(key in streamed for key in polling.book.wanted)

    def sessions(self) -> tuple[SessionHealth, ...]:
        """Health of the sessions in use."""
        return tuple(feed.health() for feed in self._feeds.values() if feed.running)

    def entries(self) -> dict[StreamKey, tuple[Mode, Entry]]:
        """How each wanted stream is served, and how well."""
        keys = dict.fromkeys(key for feed in self._feeds.values() for key in feed.book.wanted)
        return {key: shown for key in keys if (shown := self.entry(key)) is not None}

    def entry(self, key: StreamKey) -> tuple[Mode, Entry] | None:
        """The same of one stream; None if it is not wanted."""
        shown: tuple[Mode, Entry] | None = None
        for mode, feed in self._feeds.items():
            entry = feed.book.entry(key)
            if entry is not None and (shown is None or (entry.held and not shown[1].held)):
                shown = mode, entry
        if shown is None or shown[0] is not Mode.POLLING or shown[1].reason:
            return shown
        return Mode.POLLING, replace(shown[1], reason=self._why_polled(key))

    def _why_polled(self, key: StreamKey) -> str:
        websocket = self._feeds[Mode.WEBSOCKET]
        entry = websocket.book.entry(key)
        if reason := self._polled_by_choice(key):
            return reason
        if entry is not None and entry.state in _DISTRUSTED:
            return entry.reason
        return f"the websocket is {websocket.state.value}"

    def state_of(self, key: StreamKey) -> StreamState | None:
        """How well one stream is served; None if it is not wanted."""
        entries = [feed.book.entry(key) for feed in self._feeds.values()]
        known = [entry for entry in entries if entry is not None]
        return max(known, key=lambda entry: entry.held).state if known else None

    def mode_of(self, key: StreamKey) -> Mode:
        """How `key` is to be served under the flags of the moment."""
        return Mode.POLLING if self._polled_by_choice(key) else Mode.WEBSOCKET

    def _polled_by_choice(self, key: StreamKey) -> str:
        """Why `key` is polled though nothing is broken; empty if it is to be streamed."""
        flags, pin = self._flags, self._pins.get(key.vt_symbol)
        if pin is Mode.POLLING:
            return "switched to polling by hand"
        if pin is None and not flags.websocket_enabled:
            return "websocket.enabled is off"
        if key.channel not in self._capabilities.streamed:
            return f"the venue does not stream {key.channel.value}"
        chosen = () if pin is Mode.WEBSOCKET else flags.websocket_symbols
        if chosen and key.symbol not in chosen and key.vt_symbol not in chosen:
            return "not one of websocket.symbols"
        return ""

    # -- Listener: the supervisors tell, the router may have to act ------------------------

    def on_connection(self, status: ConnectionStatus) -> None:
        """Pass a change of state on, and see what it means for the routes."""
        self._listener.on_connection(status)
        self._changed.set()

    def on_streams(self, keys: Sequence[StreamKey]) -> None:
        """Pass changed entries on, and see what they mean for the routes."""
        self._listener.on_streams(keys)
        self._changed.set()

    def on_error(self, error: FoxtrotError) -> None:
        """Pass an error on."""
        self._listener.on_error(error)

    # -- the router -------------------------------------------------------------------------

    async def _route(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            streamed = {key for key in self._wanted if self.mode_of(key) is Mode.WEBSOCKET}
            asked, self._asked = self._asked, set()
            websocket, polling = self._feeds[Mode.WEBSOCKET], self._feeds[Mode.POLLING]
            moved = [k for k in websocket.book.wanted if k not in streamed and k in polling.book]
            self._send(websocket, streamed, asked)
            polled = {key for key in self._wanted if key not in streamed or self._orphaned(key)}
            self._send(polling, polled, asked)
            if moved:  # they were polled all along, so nobody else tells that they are now
                self._listener.on_streams(moved)
            await self._start_and_stop(streamed, polled)

    def _send(self, feed: Supervisor, keys: set[StreamKey], asked: set[StreamKey]) -> None:
        """Make `keys` what `feed` wants."""
        feed.drop([key for key in feed.book.wanted if key not in keys])
        # A refused stream is in the book, and is asked for again only if the user does.
        feed.want(
            [key for key in self._wanted if key in keys and (key in asked or key not in feed.book)]
        )

    def _orphaned(self, key: StreamKey) -> bool:
        """Whether a stream that belongs to the websocket has to be polled for now.

        Its own failure sends it there at once, that of the session when the breaker opens. It stays
        until the websocket holds it again, so that there is no gap on the way back.
        """
        if (
            not self._flags.websocket_fallback_on_error
            or key.channel not in self._capabilities.polled
        ):
            return False
        websocket = self._feeds[Mode.WEBSOCKET]
        entry = websocket.book.entry(key)
        if entry is None or (entry.held and entry.state is not StreamState.STALE):
            return False
        if entry.state in _DISTRUSTED or websocket.state is ConnectionState.FAILED:
            return True
        already = key in self._feeds[Mode.POLLING].book
        return already or websocket.breaker.state is not BreakerState.CLOSED

    async def _start_and_stop(self, streamed: set[StreamKey], polled: set[StreamKey]) -> None:
        websocket, polling = self._feeds[Mode.WEBSOCKET], self._feeds[Mode.POLLING]
        enabled = self._flags.websocket_enabled or bool(streamed)
        needed = {websocket: enabled, polling: not enabled or bool(polled)}
        for feed in sorted(self._feeds.values(), key=lambda feed: not needed[feed]):
            if needed[feed] and not feed.running:
                log.info("feed_started", venue=self._venue, mode=feed.name)
                feed.start()
            elif feed.running and not needed[feed]:
                log.info("feed_stopped", venue=self._venue, mode=feed.name)
                await feed.stop()
