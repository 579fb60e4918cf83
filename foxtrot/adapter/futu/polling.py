"""The polling session: ticks by snapshots, many contracts in one request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from foxtrot.adapter.futu import mapping
from foxtrot.adapter.futu.errors import WINDOW_S
from foxtrot.adapter.futu.instruments import Instrument
from foxtrot.adapter.futu.limits import PER_WINDOW, SNAPSHOT_CODES
from foxtrot.adapter.futu.mapping import WireSnapshot
from foxtrot.adapter.futu.schema import Proto
from foxtrot.adapter.futu.session import FutuSession, Venue
from foxtrot.adapter.futu.snapshots import OF_THE_MOMENT, bad_snapshot, snapshots, tick_of
from foxtrot.adapter.futu.symbols import Security
from foxtrot.connectivity.diagnostics import labels
from foxtrot.connectivity.orchestrator import SubscribeOutcome
from foxtrot.core.logs import get_logger
from foxtrot.errors import MalformedMessage, NotSupported, RateLimited, VenueError
from foxtrot.gateway.counters import FeedCounters
from foxtrot.gateway.episodes import Episodes
from foxtrot.model.constants import Channel, Lane, StreamState
from foxtrot.model.health import StreamKey

log = get_logger("foxtrot.futu.polling")

POLLED = frozenset({Channel.TICK})
"""Books, prints and bars can be asked for only where they are subscribed."""

_AFTER_ERROR_S = 5.0
_SPARED = 0.8
"""The part of the window that rounds may use: lookups and comparisons need some too."""


class PollingSession(FutuSession):
    """Asks for every wanted contract once per `polling.interval`, as far as OpenD's pace allows."""

    def __init__(self, venue: Venue, counters: FeedCounters) -> None:
        super().__init__(venue, counters)
        self._keys: dict[StreamKey, Instrument] = {}
        self._episodes = Episodes(counters, log.bind(venue=venue.name))
        self._wanted = asyncio.Event()

    # -- Session ----------------------------------------------------------------------------

    async def subscribe(self, keys: Sequence[StreamKey]) -> SubscribeOutcome:
        """Poll these from now on."""
        found, refused = await self.instruments([key for key in keys if key.channel in POLLED])
        for key in keys:
            if key.channel not in POLLED:
                refused[key] = NotSupported(self._venue.name, f"polling of {key.channel.value}")
        self._keys.update(found)
        self._wanted.set()
        return SubscribeOutcome(refused)

    async def unsubscribe(self, keys: Sequence[StreamKey]) -> None:
        """Poll these no more; an answer under way is dropped."""
        for key in keys:
            self._keys.pop(key, None)
            self._venue.forget_if_unwanted(key)

    async def run(self) -> None:
        """One round after the other, until the connection is lost."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.raise_when_lost())
            group.create_task(self._rounds())

    # -- rounds -----------------------------------------------------------------------------

    async def _rounds(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._keys:
                started, rest_s = loop.time(), self._every_s()
                try:
                    await self._round()
                except (*OF_THE_MOMENT, MalformedMessage) as error:
                    asked_s = error.retry_after_s if isinstance(error, RateLimited) else 0.0
                    rest_s = max(rest_s, asked_s or _AFTER_ERROR_S)
                    log.warning("poll_failed", venue=self._venue.name, **labels(error))
                    self._venue.port.on_error(error)
                await self._pause(started + rest_s - loop.time())

    def _every_s(self) -> float:
        """How often all can be asked for: the user's wish, within OpenD's window."""
        requests = -(-len(self._securities()) // SNAPSHOT_CODES)
        allowed = PER_WINDOW[Proto.Qot_GetSecuritySnapshot] * _SPARED
        return max(self._venue.config.polling_interval_s, requests * WINDOW_S / allowed)

    async def _pause(self, seconds: float) -> None:
        """Wait for the next round; a new stream need not wait long."""
        soonest_s = WINDOW_S / (PER_WINDOW[Proto.Qot_GetSecuritySnapshot] * _SPARED)
        await asyncio.sleep(min(soonest_s, max(seconds, 0.0)))
        try:
            async with asyncio.timeout(max(seconds - soonest_s, 0.0)):
                await self._wanted.wait()
        except TimeoutError:
            return

    def _securities(self) -> dict[Security, list[StreamKey]]:
        wanted: dict[Security, list[StreamKey]] = {}
        for key, instrument in self._keys.items():
            wanted.setdefault(instrument.security, []).append(key)
        return wanted

    async def _round(self) -> None:
        wanted = list(self._securities().items())
        for start in range(0, len(wanted), SNAPSHOT_CODES):
            await self._some(dict(wanted[start : start + SNAPSHOT_CODES]))

    async def _some(self, wanted: dict[Security, list[StreamKey]]) -> None:
        refused: dict[Security, VenueError] = {}
        try:
            found = await snapshots(self.client, wanted, refused)
        finally:
            for security, error in refused.items():
                self._give_up(wanted[security], error)
        for security, keys in wanted.items():
            for key in keys:
                if security in found:
                    self._tell(key, found[security])

    def _give_up(self, keys: list[StreamKey], error: VenueError) -> None:
        for key in keys:
            if self._keys.pop(key, None) is not None:
                self.report(key, StreamState.FAILED, str(error))

    def _tell(self, key: StreamKey, basic: WireSnapshot) -> None:
        self._counters.received += 1
        instrument = self._keys.get(key)
        if instrument is None:
            self._counters.ignored += 1
            return
        mark = self._venue.marks.of(key)
        mark.heard_ns = time.time_ns()
        if self._episodes.refuses(instrument.vt_symbol, "tick", bad_snapshot(basic)):
            return
        mark.tick, mark.event_ns = (
            tick_of(basic, instrument.source),
            mapping.ns_of(basic.updateTimestamp),
        )
        request = self._venue.port.request_of(key)
        conflate = request is None or request.conflate
        self._venue.port.on_tick(mark.tick, Lane.LATEST if conflate else Lane.BOUNDED)
