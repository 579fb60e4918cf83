"""The streaming session: which streams OpenD pushes, asked for, watched, given back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import cast

from foxtrot.adapter.futu.limits import SUBSCRIBED_S
from foxtrot.adapter.futu.line import Sink
from foxtrot.adapter.futu.mapping import FORWARD, QUOTE
from foxtrot.adapter.futu.schema import Message, Proto, c2s_of
from foxtrot.adapter.futu.session import FutuSession, Venue
from foxtrot.adapter.futu.slots import Slot, Sub, make_slot, sub_types
from foxtrot.adapter.futu.snapshots import held_at_opend, snapshots
from foxtrot.adapter.futu.symbols import Security
from foxtrot.adapter.futu.ticks import Assembler
from foxtrot.adapter.futu.watch import StreamWatch
from foxtrot.connectivity.diagnostics import labels
from foxtrot.connectivity.orchestrator import SubscribeOutcome
from foxtrot.core.logs import get_logger
from foxtrot.errors import (
    Action,
    FoxtrotError,
    RateLimited,
    VenueError,
    VenueUnavailable,
)
from foxtrot.gateway.counters import FeedCounters
from foxtrot.model.constants import Channel, StreamState
from foxtrot.model.health import StreamKey

log = get_logger("foxtrot.futu.market_data")

CODES_AT_ONCE = 100
"""Contracts in one request: what is refused is told apart by halves."""

_RETRY_S = 5.0
_MARGIN_S = 1.0
"""Beside the minute that a subscription must last: OpenD's clock is not ours."""

_NO_ANSWER = (RateLimited, VenueUnavailable)
_RIGHTS = ("权限", "permission", "no right", "not authorized")
"""How OpenD says that the user has not paid for a book."""


class StreamSession(FutuSession):
    """Market data as OpenD pushes it. Belongs to the loop thread; pushes come on the SDK's."""

    def __init__(self, venue: Venue, counters: FeedCounters) -> None:
        super().__init__(venue, counters)
        self._slots: dict[StreamKey, Slot] = {}
        self._since: dict[Sub, float] = {}
        self._unwanted = asyncio.Event()
        self._moves = asyncio.Lock()
        self._ticks = Assembler(venue.name, counters, venue.port.event_engine.put)
        self._watch = StreamWatch(
            venue.name,
            lambda: venue.config,
            self._slots,
            held=lambda: held_at_opend(self.client),
            snapshots=lambda securities: snapshots(self.client, securities),
            report=lambda key, state, reason: self.report(key, state, reason),
            renew=self._renew,
            give_up=self._give_up,
        )

    # -- Session ----------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect, and take what is pushed."""
        await super().open()
        client, ticks = self.client, self._ticks
        client.unreadable = ticks.unreadable
        client.on_push(Proto.Qot_UpdateBasicQot, cast("Sink", ticks.on_quotes))
        client.on_push(Proto.Qot_UpdateOrderBook, cast("Sink", ticks.on_book))
        client.on_push(Proto.Qot_UpdateTicker, cast("Sink", ticks.on_prints))
        client.on_push(Proto.Qot_UpdateKL, cast("Sink", ticks.on_bars))

    async def run(self) -> None:
        """Watch the streams and give back what nobody wants, until the connection is lost."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.raise_when_lost())
            group.create_task(self._watch.run())
            group.create_task(self._give_back_in_time())

    async def subscribe(self, keys: Sequence[StreamKey]) -> SubscribeOutcome:
        """Ask for streams, many contracts at once; a refused request is halved until one is left.

        OpenD takes a request as a whole or not at all, so each stream has all its parts or none.
        """
        found, refused = await self.instruments(keys)
        unanswered: set[StreamKey] = set()
        async with self._moves:
            groups: dict[tuple[int, ...], list[StreamKey]] = {}
            for key, instrument in found.items():
                request = self._venue.port.request_of(key)
                mark = self._venue.marks.of(key)
                conflate = request is None or request.conflate
                self._add(
                    make_slot(key, instrument.source, instrument.security, mark, conflate=conflate)
                )
                groups.setdefault(sub_types(key), []).append(key)
            for group in groups.values():
                for start in range(0, len(group), CODES_AT_ONCE):
                    some = group[start : start + CODES_AT_ONCE]
                    await self._ask(some, refused, unanswered)
            for key in (*refused, *unanswered):
                self._forget(key)
        return SubscribeOutcome(refused, frozenset(unanswered))

    async def unsubscribe(self, keys: Sequence[StreamKey]) -> None:
        """Give streams back: OpenD stops to push them now, and frees their quota when it may."""
        async with self._moves:
            for key in keys:
                self._forget(key)
                self._venue.forget_if_unwanted(key)
            orphans = self._orphans()
            self._unwanted.set()
            for sub_type, securities in _by_type(orphans).items():
                await self._stop_pushes(sub_type, securities)

    # -- asking -----------------------------------------------------------------------------

    def _add(self, slot: Slot) -> None:
        self._slots[slot.key] = slot
        self._ticks.add(slot)

    def _forget(self, key: StreamKey) -> None:
        slot = self._slots.pop(key, None)
        if slot is not None:
            self._ticks.drop(slot)

    async def _ask(
        self,
        keys: list[StreamKey],
        refused: dict[StreamKey, FoxtrotError],
        unanswered: set[StreamKey],
    ) -> None:
        try:
            await self._subscribe(keys, sub_types(keys[0]))
        except _NO_ANSWER as error:
            log.info("subscription_put_off", venue=self._venue.name, **labels(error))
            unanswered.update(keys)
        except VenueError as error:
            if len(keys) > 1:
                middle = len(keys) // 2
                await self._ask(keys[:middle], refused, unanswered)
                await self._ask(keys[middle:], refused, unanswered)
            elif not await self._without_book(keys[0], error):
                refused[keys[0]] = error

    async def _without_book(self, key: StreamKey, error: VenueError) -> bool:
        """Whether a contract's ticks can be had without a book, to which the user has no right."""
        about_rights = any(word in error.text.lower() for word in _RIGHTS)
        if key.channel is not Channel.TICK or not about_rights:
            return False
        try:
            await self._subscribe([key], (QUOTE,))
        except VenueError:
            return False
        self._venue.port.on_error(error)
        log.warning("ticks_without_book", venue=self._venue.name, stream=str(key), **labels(error))
        return True

    async def _subscribe(self, keys: Iterable[StreamKey], types: Sequence[int]) -> None:
        """Ask once; what OpenD knows already is pushed at once."""
        securities = dict.fromkeys(self._slots[key].security for key in keys)
        c2s = _sub(securities, types, subscribe=True)
        c2s.isRegOrUnRegPush, c2s.isFirstPush = True, True
        c2s.regPushRehabTypeList.append(FORWARD)
        await self.client.ask(Proto.Qot_Sub, c2s, timeout_s=self._venue.config.subscribe_timeout_s)
        now = asyncio.get_running_loop().time()
        for security in securities:
            for sub_type in types:
                self._since.setdefault((security, sub_type), now)

    async def _renew(self, key: StreamKey) -> None:
        """Ask for one stream again; the others are not touched."""
        if key in self._slots:
            await self._subscribe([key], sub_types(key))

    async def _give_up(self, key: StreamKey, reason: str) -> None:
        """A stream that stays silent has failed; it is asked for again in a while."""
        await self.unsubscribe((key,))
        self.report(key, StreamState.FAILED, reason)

    # -- giving back ------------------------------------------------------------------------

    def _orphans(self) -> list[Sub]:
        """What OpenD gives and no stream needs."""
        needed = {sub for slot in self._slots.values() for sub in slot.subs}
        return [sub for sub in self._since if sub not in needed]

    async def _stop_pushes(self, sub_type: int, securities: list[Security]) -> None:
        c2s = c2s_of(Proto.Qot_RegQotPush)
        _name(c2s, securities, (sub_type,))
        c2s.isRegOrUnReg = False
        try:
            timeout_s = self._venue.config.subscribe_timeout_s
            await self.client.ask(Proto.Qot_RegQotPush, c2s, timeout_s=timeout_s)
        except VenueError as error:  # what still comes is ignored
            log.info("pushes_not_stopped", venue=self._venue.name, **labels(error))

    async def _give_back_in_time(self) -> None:
        """Free the quota of what nobody wants, as soon as a minute has passed since it began."""
        while True:
            await self._unwanted.wait()
            self._unwanted.clear()
            while orphans := self._orphans():
                now = asyncio.get_running_loop().time()
                lasted = SUBSCRIBED_S + _MARGIN_S
                due = [sub for sub in orphans if now - self._since[sub] >= lasted]
                if due:
                    await self._give_back(due)
                else:
                    oldest = min(self._since[sub] for sub in orphans)
                    await asyncio.sleep(oldest + lasted - now)

    async def _give_back(self, subs: list[Sub]) -> None:
        async with self._moves:
            still = set(self._orphans())
            for sub_type, securities in _by_type(sub for sub in subs if sub in still).items():
                c2s = _sub(securities, (sub_type,), subscribe=False)
                try:
                    await self.client.ask(Proto.Qot_Sub, c2s)
                except VenueError as error:
                    log.info("quota_not_freed", venue=self._venue.name, **labels(error))
                    if error.action is Action.WAIT:
                        await asyncio.sleep(_RETRY_S)
                        continue
                for security in securities:
                    self._since.pop((security, sub_type), None)
                log.info("quota_freed", venue=self._venue.name, count=len(securities))


def _sub(securities: Iterable[Security], types: Sequence[int], *, subscribe: bool) -> Message:
    c2s = c2s_of(Proto.Qot_Sub)
    _name(c2s, securities, types)
    c2s.isSubOrUnSub = subscribe
    return c2s


def _name(c2s: Message, securities: Iterable[Security], types: Sequence[int]) -> None:
    for security in securities:
        c2s.securityList.add(market=security.market, code=security.code)
    c2s.subTypeList.extend(types)


def _by_type(subs: Iterable[Sub]) -> dict[int, list[Security]]:
    grouped: dict[int, list[Security]] = {}
    for security, sub_type in subs:
        grouped.setdefault(sub_type, []).append(security)
    return grouped
