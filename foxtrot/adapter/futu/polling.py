"""The polling session: ticks by snapshots, many contracts in one request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from foxtrot.adapter.futu import mapping
from foxtrot.adapter.futu.doubts import Doubts, Group
from foxtrot.adapter.futu.errors import WINDOW_S
from foxtrot.adapter.futu.instruments import Instrument
from foxtrot.adapter.futu.limits import PER_WINDOW
from foxtrot.adapter.futu.mapping import WireSnapshot
from foxtrot.adapter.futu.schema import Proto
from foxtrot.adapter.futu.session import FutuSession, Venue
from foxtrot.adapter.futu.snapshots import OF_THE_MOMENT, bad_snapshot, look_at, tick_of
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
SNAPSHOT_PACE_S = WINDOW_S / (PER_WINDOW[Proto.Qot_GetSecuritySnapshot] * _SPARED)
"""What OpenD's window allows: one request in so many seconds."""


class PollingSession(FutuSession):
    """Asks for every wanted contract once per `polling.interval`, as far as OpenD's pace allows."""

    def __init__(self, venue: Venue, counters: FeedCounters) -> None:
        super().__init__(venue, counters)
        self._keys: dict[StreamKey, Instrument] = {}
        self._episodes = Episodes(counters, log.bind(venue=venue.name))
        self._doubts = Doubts()
        self._asked = 0
        """Requests of this round."""
        self._wanted = asyncio.Event()

    # -- Session ----------------------------------------------------------------------------

    async def subscribe(self, keys: Sequence[StreamKey]) -> SubscribeOutcome:
        """Poll these from now on."""
        found, refused = await self.instruments([key for key in keys if key.channel in POLLED])
        for key in keys:
            if key.channel not in POLLED:
                refused[key] = NotSupported(self._venue.name, f"polling of {key.channel.value}")
        self._keys.update(found)
        self._doubts.recall(instrument.security for instrument in found.values())
        self._wanted.set()
        return SubscribeOutcome(refused)

    async def unsubscribe(self, keys: Sequence[StreamKey]) -> None:
        """Poll these no more; an answer under way is dropped."""
        for key in keys:
            self._keys.pop(key, None)
            self._venue.forget_if_unwanted(key)
        self._doubts.keep(self._securities())

    async def run(self) -> None:
        """One round after the other, until the connection is lost."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.raise_when_lost())
            group.create_task(self._rounds())

    # -- rounds -----------------------------------------------------------------------------

    async def _rounds(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if not self._keys:
                await self._wanted.wait()
            self._wanted.clear()
            started, self._asked, at_least_s = loop.time(), 0, 0.0
            try:
                await self._round()
            except (*OF_THE_MOMENT, MalformedMessage) as error:
                asked_s = error.retry_after_s if isinstance(error, RateLimited) else 0.0
                at_least_s = asked_s or _AFTER_ERROR_S
                log.warning("poll_failed", venue=self._venue.name, **labels(error))
                self._venue.port.on_error(error)
            paced_s = max(self._asked, 1) * SNAPSHOT_PACE_S
            rest_s = max(self._interval_s, paced_s, at_least_s)
            passed_s = loop.time() - started
            await self._pause(paced_s - passed_s, rest_s - passed_s)

    @property
    def _interval_s(self) -> float:
        return self._venue.config.polling_interval_s

    async def _pause(self, least_s: float, most_s: float) -> None:
        """Wait for the next round; a new stream need not wait longer than the window asks for."""
        least_s = max(least_s, 0.0)
        await asyncio.sleep(least_s)
        try:
            async with asyncio.timeout(max(most_s - least_s, 0.0)):
                await self._wanted.wait()
        except TimeoutError:
            return

    def _securities(self) -> dict[Security, list[StreamKey]]:
        wanted: dict[Security, list[StreamKey]] = {}
        for key, instrument in self._keys.items():
            wanted.setdefault(instrument.security, []).append(key)
        return wanted

    async def _round(self) -> None:
        """All that OpenD shows, and of what it may not show as much as the interval leaves free."""
        for group in self._doubts.undoubted(self._securities()):
            await self._ask(group)
        # A longer interval leaves no more free: they go at once, and others need the window, too.
        left = max(int(min(self._interval_s, WINDOW_S) / SNAPSHOT_PACE_S) - self._asked, 1)
        while left and (group := self._doubts.next()):
            await self._ask(group)
            left -= 1

    async def _ask(self, group: Group) -> None:
        """Ask for contracts together; refused, each half is asked for by itself in its turn."""
        self._asked += 1
        try:
            found = await look_at(self.client, group)
        except OF_THE_MOMENT:
            raise
        except VenueError as error:
            self._refuse(group, error)
            return
        wanted, news = self._securities(), self._doubts.shown(group)
        for security in group:
            for key in wanted.get(security, ()):
                if security in news:
                    self.report(key, StreamState.POLLING, "OpenD shows it")
                if security in found:
                    self._tell(key, found[security])

    def _refuse(self, group: Group, error: VenueError) -> None:
        alone, wanted = self._doubts.refused(group), self._securities()
        keys = [key for security in group for key in wanted.get(security, ())]
        if alone:
            self._give_up(keys, error)
            return
        reason = f"OpenD refuses it, or one that was asked for with it: {error}"
        for key in keys:
            self.report(key, StreamState.STALE, reason)

    def _give_up(self, keys: list[StreamKey], error: VenueError) -> None:
        for key in keys:
            del self._keys[key]
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
