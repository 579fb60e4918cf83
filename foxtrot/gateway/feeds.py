"""Market data by two ways: every wanted stream is routed to websocket or to polling.

Both ways are supervised sessions. A change of the settings changes the routes; the streams move
from one book to the other and none is forgotten.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from foxtrot.connectivity.config import StreamConfig
from foxtrot.connectivity.lifecycle import SERVING, worst
from foxtrot.connectivity.subscriptions import Entry
from foxtrot.connectivity.supervisor import Listener, Session, Supervisor
from foxtrot.core.bridge import AsyncThreadBridge
from foxtrot.core.clock import Clock
from foxtrot.core.logs import get_logger
from foxtrot.core.settings import FeatureFlags
from foxtrot.gateway.capabilities import Capabilities
from foxtrot.model.constants import ConnectionState, Mode, StreamState
from foxtrot.model.health import SessionHealth, StreamKey

log = get_logger("foxtrot.gateway.feeds")


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
    ) -> None:
        self._venue, self._capabilities, self._bridge = venue, capabilities, bridge
        self._template, self._flags = config, flags
        self._wanted: dict[StreamKey, None] = {}
        self._asked: set[StreamKey] = set()
        self._changed = asyncio.Event()
        self._router: asyncio.Task[None] | None = None
        self._feeds = {
            mode: Supervisor(
                mode.value,
                venue=venue,
                make_session=lambda mode=mode: make_session(mode),  # type: ignore[misc]
                listener=listener,
                bridge=bridge,
                clock=clock,
                config=config.with_flags(flags),
                held_state=held,
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

    def recycle(self) -> None:
        """Replace the sessions by fresh ones."""
        for feed in self._feeds.values():
            feed.recycle()

    # -- snapshots, from any thread ---------------------------------------------------------

    @property
    def state(self) -> ConnectionState:
        """The worse of the sessions in use; polling alone is DEGRADED at best."""
        states = [feed.state for feed in self._feeds.values() if feed.running]
        shown = worst(states)
        polling = self._feeds[Mode.POLLING]
        if shown is ConnectionState.READY and polling.running:
            return ConnectionState.DEGRADED
        if shown is ConnectionState.FAILED and any(state in SERVING for state in states):
            return ConnectionState.DEGRADED
        return shown

    def sessions(self) -> tuple[SessionHealth, ...]:
        """Health of the sessions in use."""
        return tuple(feed.health() for feed in self._feeds.values() if feed.running)

    def entries(self) -> dict[StreamKey, tuple[Mode, Entry]]:
        """How each wanted stream is served, and how well."""
        return {
            key: (mode, entry)
            for mode, feed in self._feeds.items()
            for key, entry in feed.book.wanted.items()
        }

    def mode_of(self, key: StreamKey) -> Mode:
        """How `key` is to be served under the flags of the moment."""
        flags = self._flags
        if not flags.websocket_enabled or key.channel not in self._capabilities.streamed:
            return Mode.POLLING
        listed = not flags.websocket_symbols or key.symbol in flags.websocket_symbols
        return Mode.WEBSOCKET if listed else Mode.POLLING

    # -- the router -------------------------------------------------------------------------

    async def _route(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            routes = {key: self.mode_of(key) for key in self._wanted}
            asked, self._asked = self._asked, set()
            for mode, feed in self._feeds.items():
                feed.drop([key for key in feed.book.wanted if routes.get(key) is not mode])
                # A refused stream is in the book, and is asked for again only if the user does.
                mine = (key for key, to in routes.items() if to is mode)
                feed.want([key for key in mine if key in asked or key not in feed.book])
            await self._start_and_stop(routes)

    async def _start_and_stop(self, routes: dict[StreamKey, Mode]) -> None:
        websocket, polling = self._feeds[Mode.WEBSOCKET], self._feeds[Mode.POLLING]
        enabled = self._flags.websocket_enabled
        needed = {
            websocket: enabled,
            polling: not enabled or Mode.POLLING in routes.values(),
        }
        for feed in sorted(self._feeds.values(), key=lambda feed: not needed[feed]):
            if needed[feed] and not feed.running:
                log.info("feed_started", venue=self._venue, mode=feed.name)
                feed.start()
            elif feed.running and not needed[feed]:
                log.info("feed_stopped", venue=self._venue, mode=feed.name)
                await feed.stop()
