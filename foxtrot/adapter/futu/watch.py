"""Which streams stand still though they should not, and what is done about it.

OpenD may hold a subscription less than it said, and no stream says of itself that it died. What
OpenD has subscribed and what the contract looks like now tell a dead stream from a quiet market.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeAlias

from foxtrot.adapter.futu import mapping
from foxtrot.adapter.futu.mapping import WireSnapshot
from foxtrot.adapter.futu.slots import Slot, Sub, TickSlot
from foxtrot.adapter.futu.snapshots import touch_of
from foxtrot.adapter.futu.symbols import Security
from foxtrot.connectivity.config import StreamConfig
from foxtrot.connectivity.diagnostics import labels
from foxtrot.connectivity.freshness import StreamFreshness
from foxtrot.core.logs import get_logger
from foxtrot.errors import MalformedMessage, StaleStream, VenueError
from foxtrot.model.constants import Channel, StreamState
from foxtrot.model.health import StreamKey

log = get_logger("foxtrot.futu.watch")

Report: TypeAlias = Callable[[StreamKey, StreamState, str], None]
Snapshots: TypeAlias = Callable[[Iterable[Security]], Awaitable[Mapping[Security, WireSnapshot]]]

_GONE = object()
"""What a stream looks like that OpenD does not hold."""


class StreamWatch:
    """Watches the streams of one session. Belongs to the loop thread.

    Args:
        venue: The adapter's name, for logs.
        config: Deadlines, as they are now.
        slots: The streams.
        held: Asks what OpenD has subscribed.
        snapshots: Asks what contracts look like now.
        report: Told that a stream is quiet, stale or alive again.
        renew: Asks OpenD for one stream afresh.
        give_up: Gives one stream up, with the reason.

    Attributes:
        outage: Why nothing can come now; empty if it can.
    """

    def __init__(
        self,
        venue: str,
        config: Callable[[], StreamConfig],
        slots: Mapping[StreamKey, Slot],
        *,
        held: Callable[[], Awaitable[set[Sub]]],
        snapshots: Snapshots,
        report: Report,
        renew: Callable[[StreamKey], Awaitable[None]],
        give_up: Callable[[StreamKey, str], Awaitable[None]],
    ) -> None:
        self._venue, self._config, self._slots = venue, config, slots
        self._held, self._snapshots = held, snapshots
        self._report, self._renew, self._give_up = report, renew, give_up
        self.outage = ""
        settings = config()
        self._freshness = StreamFreshness(
            idle_s=settings.stream_idle_s, longest_s=settings.stream_longest_s
        )

    async def run(self) -> None:
        """Look at every stream now and then, for as long as the session lives."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._config().stream_look_s)
            if self.outage:
                for key in tuple(self._slots):
                    self._report(key, StreamState.STALE, self.outage)
                continue
            activity = {key: slot.heard_ns for key, slot in self._slots.items()}
            sighting = self._freshness.look(activity, loop.time())
            for key in sighting.revived:
                self._report(key, StreamState.ACTIVE, "data came")
            if sighting.silent:
                await self._compare(sighting.silent)

    async def _compare(self, silent: Iterable[StreamKey]) -> None:
        slots = [self._slots[key] for key in silent]
        before = {slot.key: slot.heard_ns for slot in slots}
        try:
            held = await self._held()
            views = await self._snapshots(slot.security for slot in slots)
            # A stream may be a moment behind the snapshot; what is on its way arrives meanwhile.
            await asyncio.sleep(self._config().stream_look_s)
            for slot in slots:
                same = self._slots.get(slot.key) is slot
                if same and slot.heard_ns == before[slot.key]:
                    await self._judge(slot, views.get(slot.security), slot.subs[-1] in held)
        except (VenueError, MalformedMessage) as error:
            log.info("streams_not_compared", venue=self._venue, **labels(error))

    async def _judge(self, slot: Slot, view: WireSnapshot | None, held: bool) -> None:
        now = asyncio.get_running_loop().time()
        if view is None and held:  # OpenD refuses to show it; it would do so every second
            self._freshness.put_off(slot.key, now)
            return
        told, seen = compared(slot, view) if view is not None and held else (_GONE, None)
        strikes = self._freshness.judge(slot.key, seen, now, told=told)
        if not strikes:
            if self._freshness.state(slot.key) is StreamState.QUIET:
                self._report(slot.key, StreamState.QUIET, "its market stands still")
            return
        error = StaleStream(str(slot.key))
        log.warning("stream_stale", venue=self._venue, strikes=strikes, **labels(error))
        if strikes >= self._config().stream_strikes:
            await self._give_up(slot.key, str(error))
            return
        self._report(slot.key, StreamState.STALE, str(error))
        await self._renew(slot.key)


def compared(slot: Slot, view: WireSnapshot) -> tuple[object, object]:
    """What a stream said last (None: it cannot be compared), and what the contract looks like.

    Prints and bars move exactly when somebody trades, and so does the volume of the day.
    """
    if isinstance(slot, TickSlot):
        return (slot.last, slot.day.volume), (view.curPrice, float(view.volume))
    if slot.key.channel is Channel.DEPTH:
        bids, asks = slot.mark.levels
        return (*mapping.best(bids), *mapping.best(asks)), touch_of(view)
    return None, float(view.volume)
