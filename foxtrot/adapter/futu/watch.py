"""Which streams stand still though they should not, and what is done about it.

OpenD may hold a subscription less than it said, and no stream says of itself that it died. What
OpenD has subscribed and what the contract looks like now tell a dead stream from a quiet market.
Quotes hide a book that died beside them: of ticks the book is watched by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
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

Touch: TypeAlias = tuple[float, float]
"""Best bid and ask."""

_NO_TOUCH: Touch = 0.0, 0.0
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
        self._freshness, self._books = (
            StreamFreshness(idle_s=settings.stream_idle_s, longest_s=settings.stream_longest_s)
            for _ in range(2)
        )
        self._touches: dict[StreamKey, tuple[int, Touch]] = {}
        """By the book that was heard last: bid and ask when it was first compared."""
        self._dead: dict[StreamKey, int] = {}
        """Ticks that are stale for their book, and when that was heard last."""

    async def run(self) -> None:
        """Look at every stream now and then, for as long as the session lives."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._config().stream_look_s)
            if self.outage:
                for key in tuple(self._slots):
                    self._report(key, StreamState.STALE, self.outage)
                continue
            now = loop.time()
            activity = {key: slot.heard_ns for key, slot in self._slots.items()}
            sighting, books = self._freshness.look(activity, now), self._silent_books(now)
            for key in sighting.revived:
                if key not in self._dead:
                    self._report(key, StreamState.ACTIVE, "data came")
            if sighting.silent or books:
                await self._compare(sighting.silent, books)

    def _silent_books(self, now: float) -> tuple[StreamKey, ...]:
        """The ticks whose book was not heard for long; those whose book is back are alive again."""
        ticks = {key: slot for key, slot in self._slots.items() if isinstance(slot, TickSlot)}
        heard = {key: slot.booked_ns for key, slot in ticks.items() if slot.booked_ns}
        self._touches = {key: it for key, it in self._touches.items() if heard.get(key) == it[0]}
        for key in [key for key, at_ns in self._dead.items() if heard.get(key) != at_ns]:
            del self._dead[key]
            if key in ticks and self._freshness.state(key) is not StreamState.STALE:
                self._report(key, StreamState.ACTIVE, "its book is no older than its quotes")
        return self._books.look(heard, now).silent

    async def _compare(
        self, silent: Collection[StreamKey], silent_books: Collection[StreamKey]
    ) -> None:
        slots = [self._slots[key] for key in dict.fromkeys((*silent, *silent_books))]
        before = {slot.key: (slot.heard_ns, _booked_ns(slot)) for slot in slots}
        try:
            held = await self._held()
            views = await self._snapshots(slot.security for slot in slots)
            # A stream may be a moment behind the snapshot; what is on its way arrives meanwhile.
            await asyncio.sleep(self._config().stream_look_s)
            for slot in slots:
                heard_ns, booked_ns = before[slot.key]
                view = views.get(slot.security)
                if slot.key in silent and self._is(slot) and slot.heard_ns == heard_ns:
                    await self._judge(slot, view, slot.subs[-1] in held)
                if slot.key in silent_books and self._is(slot) and _booked_ns(slot) == booked_ns:
                    await self._judge_book(slot, booked_ns, view, slot.subs[0] in held)
        except (VenueError, MalformedMessage) as error:
            log.info("streams_not_compared", venue=self._venue, **labels(error))

    def _is(self, slot: Slot) -> bool:
        return self._slots.get(slot.key) is slot

    async def _judge(self, slot: Slot, view: WireSnapshot | None, held: bool) -> None:
        now = asyncio.get_running_loop().time()
        if view is None and held:  # OpenD refuses to show it; it would do so every second
            self._freshness.put_off(slot.key, now)
            return
        told, seen = compared(slot, view) if view is not None and held else (_GONE, None)
        strikes = self._freshness.judge(slot.key, seen, now, told=told)
        if strikes:
            await self._on_stale(slot.key, strikes, StaleStream(str(slot.key)))
        elif self._freshness.state(slot.key) is StreamState.QUIET and slot.key not in self._dead:
            self._report(slot.key, StreamState.QUIET, "its market stands still")

    async def _judge_book(
        self, slot: Slot, booked_ns: int, view: WireSnapshot | None, held: bool
    ) -> None:
        """Compare a book that stands still with what it looked like when it was compared first.

        Not with the book itself: a snapshot may show the best of more exchanges than the book does.
        """
        now, key = asyncio.get_running_loop().time(), slot.key
        if self._freshness.state(key) is StreamState.STALE:  # with it goes all of the stream
            self._books.put_off(key, now)
            return
        touch = (view.bidPrice, view.askPrice) if view is not None else _NO_TOUCH
        told: object = _GONE
        if held:
            if not all(touch):  # not shown, or nobody bids or asks
                self._books.put_off(key, now)
                return
            _, told = self._touches.get(key, (booked_ns, None))
            self._touches.setdefault(key, (booked_ns, touch))
        strikes = self._books.judge(key, touch, now, told=told)
        if not strikes:
            return
        self._dead[key] = booked_ns
        await self._on_stale(key, strikes, StaleStream(f"of books in {key}"))

    async def _on_stale(self, key: StreamKey, strikes: int, error: StaleStream) -> None:
        log.warning("stream_stale", venue=self._venue, strikes=strikes, **labels(error))
        if strikes >= self._config().stream_strikes:
            await self._give_up(key, str(error))
            return
        self._report(key, StreamState.STALE, str(error))
        await self._renew(key)


def _booked_ns(slot: Slot) -> int:
    return slot.booked_ns if isinstance(slot, TickSlot) else 0


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
