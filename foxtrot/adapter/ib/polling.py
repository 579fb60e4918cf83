"""The polling session: ticks by snapshots and bars by request, each stream at its own pace."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Sequence

import msgspec

from foxtrot.adapter.ib import history, mapping, pages
from foxtrot.adapter.ib.instruments import Instrument
from foxtrot.adapter.ib.purpose import Purpose
from foxtrot.adapter.ib.session import IbSession, Venue
from foxtrot.adapter.ib.snapshots import Snapshot, ask_snapshot
from foxtrot.connectivity.diagnostics import labels
from foxtrot.connectivity.orchestrator import SubscribeOutcome
from foxtrot.core.logs import get_logger
from foxtrot.errors import Action, NotSupported, RateLimited, VenueError
from foxtrot.gateway.base import unwatched
from foxtrot.gateway.counters import FeedCounters
from foxtrot.gateway.episodes import Episodes
from foxtrot.model.constants import Channel, Interval, Lane, StreamState
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import NS_PER_S, BarData
from foxtrot.model.requests import HistoryRequest

log = get_logger("foxtrot.ib.polling")

BARS_EVERY_S = 60.0
"""Historical requests are few: 60 in ten minutes, for all streams and questions together."""

_AFTER_ERROR_S = 5.0
_BARS_BACK, _LEAST_BACK = 5, dt.timedelta(seconds=2 * BARS_EVERY_S)
_SETTLED = dt.timedelta(seconds=5)
"""How long a bar has been over before it counts as such: our clock may be ahead of TWS's."""

POLLED = frozenset({Channel.TICK, Channel.BAR})
"""TWS gives books and prints as streams alone."""


class PollingSession(IbSession):
    """Asks for every wanted stream once per `polling.interval`, as far as TWS's pace allows."""

    def __init__(self, venue: Venue, counters: FeedCounters) -> None:
        super().__init__(venue, counters, Purpose.STREAMING)
        self._keys: dict[StreamKey, Instrument] = {}
        self._tasks: dict[StreamKey, asyncio.Task[None]] = {}
        self._episodes = Episodes(counters, log.bind(venue=venue.name))
        self._changed = asyncio.Event()
        self._places = asyncio.Semaphore(venue.settings.market_data_lines)
        """A snapshot needs a line as long as it lasts; who waits for one is polled later."""

    # -- Session ----------------------------------------------------------------------------

    async def subscribe(self, keys: Sequence[StreamKey]) -> SubscribeOutcome:
        """Poll these from now on."""
        found, refused = await self.instruments([key for key in keys if key.channel in POLLED])
        for key in keys:
            if key.channel not in POLLED:
                refused[key] = NotSupported(self._venue.name, f"polling of {key.channel.value}")
        self._keys.update(found)
        self._changed.set()
        return SubscribeOutcome(refused)

    async def unsubscribe(self, keys: Sequence[StreamKey]) -> None:
        """Poll these no more; an answer under way is dropped."""
        for key in keys:
            self._forget(key)
            self._venue.forget_if_unwanted(key)

    async def run(self) -> None:
        """Poll, each stream in a task of its own; a loss of the connection ends the session."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.raise_when_lost())
            while True:
                await self._changed.wait()
                self._changed.clear()
                for key in self._keys.keys() - self._tasks.keys():
                    self._tasks[key] = group.create_task(self._poll(key))

    def _forget(self, key: StreamKey) -> None:
        self._keys.pop(key, None)
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()

    # -- rounds -----------------------------------------------------------------------------

    async def _poll(self, key: StreamKey) -> None:
        loop = asyncio.get_running_loop()
        once = self._tick if key.channel is Channel.TICK else self._bars
        while key in self._keys:
            started, rest_s = loop.time(), self._every_s(key)
            try:
                await once(key, self._keys[key])
            except VenueError as error:
                if error.action is Action.STOP:
                    self._give_up(key, error)
                    return
                asked_s = error.retry_after_s if isinstance(error, RateLimited) else _AFTER_ERROR_S
                rest_s = max(rest_s, asked_s)
                log.warning("poll_failed", venue=self._venue.name, stream=str(key), **labels(error))
                self._venue.port.on_error(error)
            await asyncio.sleep(max(started + rest_s - loop.time(), 0.0))

    def _every_s(self, key: StreamKey) -> float:
        interval_s = self._venue.config.polling_interval_s
        return interval_s if key.channel is Channel.TICK else max(interval_s, BARS_EVERY_S)

    def _give_up(self, key: StreamKey, error: VenueError) -> None:
        self._keys.pop(key, None)
        self._tasks.pop(key, None)
        self.report(key, StreamState.FAILED, str(error))

    async def _tick(self, key: StreamKey, instrument: Instrument) -> None:
        async with self._places:
            rows = await ask_snapshot(self.client, instrument)
        self._counters.received += 1
        if key not in self._keys:
            self._counters.ignored += 1
            return
        mark, now_ns = self._venue.marks.of(key), time.time_ns()
        mark.heard_ns = now_ns
        snapshot = Snapshot(rows, mapping.lowest_price(instrument.data.product))
        if not snapshot:
            self._counters.stale += 1  # nothing is known of this market now
            return
        if self._episodes.refuses(instrument.vt_symbol, "tick", snapshot.bad):
            return
        mark.tick = snapshot.tick(instrument.source, now_ns)
        request = self._venue.port.request_of(key)
        conflate = request is None or request.conflate
        self._venue.port.on_tick(mark.tick, Lane.LATEST if conflate else Lane.BOUNDED)

    async def _bars(self, key: StreamKey, instrument: Instrument) -> None:
        interval = Interval(key.detail)
        now = dt.datetime.fromtimestamp(self._venue.port.clock.time_ns() / NS_PER_S, dt.UTC)
        start = now - max(_BARS_BACK * pages.LENGTHS[interval], _LEAST_BACK)
        request = HistoryRequest(key.symbol, key.exchange, start, interval=interval)
        bars = await history.fetch(self._venue, self.client, request, unwatched)
        if bars and pages.bar_end(bars[-1].datetime, interval, instrument.zone) > now - _SETTLED:
            bars[-1] = msgspec.structs.replace(bars[-1], closed=False)  # none follows that says so
        self._counters.received += 1
        if key not in self._keys:
            self._counters.ignored += 1
            return
        mark = self._venue.marks.of(key)
        mark.heard_ns = time.time_ns()
        for bar in self._news(bars, mark.moving):
            mark.moving = bar.datetime
            if bar.closed:
                mark.closed(bar.datetime)
            self._venue.port.on_bar(bar)

    def _news(self, bars: list[BarData], known: dt.datetime | None) -> list[BarData]:
        """What was not told yet, or still moved; where nothing was told, the rest is history."""
        if known is None:
            return bars[-1:]
        return [bar for bar in bars if bar.datetime >= known]
