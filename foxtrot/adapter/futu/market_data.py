"""The streaming session: which streams OpenD pushes, asked for, watched, given back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from foxtrot.adapter.futu import overview
from foxtrot.adapter.futu.gaps import fetch_past, resumes
from foxtrot.adapter.futu.instruments import Instrument
from foxtrot.adapter.futu.limits import SUBSCRIBED_S
from foxtrot.adapter.futu.line import Sink
from foxtrot.adapter.futu.mapping import FORWARD, QUOTE
from foxtrot.adapter.futu.schema import Message, Proto, c2s_of
from foxtrot.adapter.futu.session import FutuSession, Venue
from foxtrot.adapter.futu.slots import Slot, Sub, TickSlot, make_slot, sub_types
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
    MalformedMessage,
    RateLimited,
    VenueError,
    VenueUnavailable,
)
from foxtrot.gateway.counters import FeedCounters
from foxtrot.model.constants import StreamState
from foxtrot.model.health import StreamKey

log = get_logger("foxtrot.futu.market_data")

CODES_AT_ONCE = 100
"""Contracts in one request: what is refused is told apart by halves."""

QUOTA_EVERY_S = 60.0
"""How often OpenD is asked what is left of its quotas, which other programs use as well."""
_QUOTA_SOONEST_S = 1.0

_RETRY_S = 5.0
_LASTING_S = SUBSCRIBED_S + 1.0
"""How long a subscription is kept: the minute that it must last, by OpenD's clock, not ours."""

_NO_ANSWER = (RateLimited, VenueUnavailable, MalformedMessage)
_RIGHTS = ("权限", "permission", "no right", "not authorized")
"""How OpenD says that the user has not paid for a book."""


class StreamSession(FutuSession):
    """Market data as OpenD pushes it. Belongs to the loop thread; pushes come on the SDK's."""

    def __init__(self, venue: Venue, counters: FeedCounters) -> None:
        super().__init__(venue, counters)
        self._slots: dict[StreamKey, Slot] = {}
        self._since: dict[Sub, float] = {}
        self._unwanted = asyncio.Event()
        self._uses_quota = asyncio.Event()
        self._ask_anew = asyncio.Event()
        self._loop = asyncio.get_running_loop()
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
        client.unreadable, client.rush = ticks.unreadable, ticks.on_rush
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
            group.create_task(self._ask_all_again())
            group.create_task(self._follow_quota())

    async def subscribe(self, keys: Sequence[StreamKey]) -> SubscribeOutcome:
        """Ask for streams, many contracts at once; a refused request is halved until one is left.

        OpenD takes a request as a whole or not at all, so each stream has all its parts or none.
        """
        found, refused = await self.instruments(keys)
        unanswered: set[StreamKey] = set()
        async with self._moves:
            for key, instrument in found.items():
                self._add(key, instrument)
            for some in _batches(found):
                await self._ask(some, refused, unanswered)
            for key in (*refused, *unanswered):
                self._forget(key)
            self._unwanted.set()  # a part of what was refused may be held
            self._uses_quota.set()
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

    def _add(self, key: StreamKey, instrument: Instrument) -> None:
        request, mark = self._venue.port.request_of(key), self._venue.marks.of(key)
        conflate = request is None or request.conflate
        slot = make_slot(key, instrument.source, instrument.security, mark, conflate=conflate)
        self._slots[key] = slot
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
        slot = self._slots[key]
        if not isinstance(slot, TickSlot) or not about_rights:
            return False
        slot.lose_book()
        try:
            await self._subscribe([key], (QUOTE,))
        except VenueError:
            return False
        self._venue.port.on_error(error)
        log.warning("ticks_without_book", venue=self._venue.name, stream=str(key), **labels(error))
        return True

    async def _subscribe(self, keys: Sequence[StreamKey], types: Sequence[int]) -> None:
        """Ask once; what OpenD knows already is pushed at once."""
        securities = dict.fromkeys(self._slots[key].security for key in keys)
        resumed = [self._slots[key] for key in keys if resumes(self._slots[key])]
        c2s = _sub(securities, types, subscribe=True)
        c2s.isRegOrUnRegPush = c2s.isFirstPush = not resumed
        c2s.regPushRehabTypeList.append(FORWARD)
        timeout_s = self._venue.config.subscribe_timeout_s
        await self.client.ask(Proto.Qot_Sub, c2s, timeout_s=timeout_s)
        now = asyncio.get_running_loop().time()
        for security in securities:
            for sub_type in types:
                self._since.setdefault((security, sub_type), now)
        if resumed:
            await self._resume(resumed)
            await self._push(securities, types, on=True)

    async def _resume(self, slots: Iterable[Slot]) -> None:
        """Fetch what streams have missed, while nothing is pushed."""
        for slot in slots:
            try:
                await fetch_past(self.client, slot, self._venue.port.clock.time_ns())
            except (VenueError, MalformedMessage) as error:
                stream = str(slot.key)
                log.warning("gap_remains", venue=self._venue.name, stream=stream, **labels(error))
                if isinstance(error, VenueError):
                    self._venue.port.on_error(error)

    async def _push(
        self, securities: Iterable[Security], types: Sequence[int], *, on: bool
    ) -> None:
        """Let OpenD push what is subscribed, or stop that."""
        c2s = c2s_of(Proto.Qot_RegQotPush)
        _name(c2s, securities, types)
        c2s.isRegOrUnReg = c2s.isFirstPush = on
        c2s.rehabTypeList.append(FORWARD)
        timeout_s = self._venue.config.subscribe_timeout_s
        await self.client.ask(Proto.Qot_RegQotPush, c2s, timeout_s=timeout_s)

    async def _renew(self, key: StreamKey) -> None:
        """Ask for one stream again; the others are not touched."""
        if key not in self._slots:
            return
        try:
            await self._subscribe([key], sub_types(key))
        except VenueError as error:  # it stays silent, and is looked at again
            log.info("stream_not_renewed", venue=self._venue.name, **labels(error))

    async def _give_up(self, key: StreamKey, reason: str) -> None:
        """A stream that stays silent has failed; it is asked for again in a while."""
        await self.unsubscribe((key,))
        self.report(key, StreamState.FAILED, reason)

    # -- OpenD's own servers ----------------------------------------------------------------

    def _on_notice(self, s2c: Message) -> None:
        super()._on_notice(s2c)
        if s2c.HasField("connectStatus"):
            up = bool(s2c.connectStatus.qotLogined)
            with contextlib.suppress(RuntimeError):  # the loop may be closed by now
                self._loop.call_soon_threadsafe(self._on_servers, up)
        elif s2c.HasField("qotRight"):
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._on_rights)

    def _on_servers(self, up: bool) -> None:
        """OpenD has lost Futu's servers of quotes, or has them again: the line to it stands."""
        if up:
            if self._watch.outage:
                self._ask_anew.set()
            return
        self._ask_anew.clear()  # or what is lost by now would pass for found again
        if not self._watch.outage:
            error = VenueUnavailable(self._venue.name, "", "OpenD has lost Futu's quote servers")
            self._watch.outage = str(error)
            self._venue.port.on_error(error)

    def _on_rights(self) -> None:
        """The user's rights have changed: another device took them, or gave them back."""
        if not self._watch.outage:  # after that everything is asked for anyway
            self._ask_anew.set()

    async def _ask_all_again(self) -> None:
        """After an outage of the servers, or without some right, OpenD may give less than it did.

        Asking costs nothing.
        """
        while True:
            await self._ask_anew.wait()
            if not self._ask_anew.is_set():
                continue  # the servers were lost again meanwhile
            self._ask_anew.clear()
            outage, self._watch.outage = self._watch.outage, ""
            refused: dict[StreamKey, FoxtrotError] = {}
            unanswered: set[StreamKey] = set()
            async with self._moves:
                for some in _batches(self._slots):
                    await self._ask(some, refused, unanswered)
            for key, error in refused.items():
                await self._give_up(key, str(error))
            for key in tuple(self._slots):
                if outage and key not in unanswered:  # those are left to who watches
                    self.report(key, StreamState.ACTIVE, "OpenD has its quote servers again")

    # -- giving back ------------------------------------------------------------------------

    def _orphans(self) -> list[Sub]:
        """What OpenD gives and no stream needs."""
        needed = {sub for slot in self._slots.values() for sub in slot.subs}
        return [sub for sub in self._since if sub not in needed]

    async def _stop_pushes(self, sub_type: int, securities: list[Security]) -> None:
        try:
            await self._push(securities, (sub_type,), on=False)
        except VenueError as error:  # what still comes is ignored
            log.info("pushes_not_stopped", venue=self._venue.name, **labels(error))

    async def _give_back_in_time(self) -> None:
        """Free the quota of what nobody wants, as soon as a minute has passed since it began."""
        while True:
            await self._unwanted.wait()
            self._unwanted.clear()
            while orphans := self._orphans():
                now = asyncio.get_running_loop().time()
                due = [sub for sub in orphans if now - self._since[sub] >= _LASTING_S]
                if due:
                    await self._give_back(due)
                else:
                    oldest = min(self._since[sub] for sub in orphans)
                    await asyncio.sleep(oldest + _LASTING_S - now)

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
                        later = asyncio.get_running_loop().time() - _LASTING_S + _RETRY_S
                        self._since.update({(each, sub_type): later for each in securities})
                        continue
                for security in securities:
                    self._since.pop((security, sub_type), None)
                log.info("quota_freed", venue=self._venue.name, count=len(securities))
            self._uses_quota.set()

    async def _follow_quota(self) -> None:
        """Know what is left of the quotas, for whoever looks at the limits."""
        venue = self._venue
        try:
            while True:
                self._uses_quota.clear()
                try:
                    venue.quota = await overview.quota(self.client, contracts=False)
                except (VenueError, MalformedMessage) as error:  # unknown is neither none nor all
                    venue.quota = None
                    log.info("quota_not_told", venue=venue.name, **labels(error))
                await asyncio.sleep(_QUOTA_SOONEST_S)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(QUOTA_EVERY_S):
                        await self._uses_quota.wait()
        finally:
            venue.quota = None


def _batches(keys: Iterable[StreamKey]) -> Iterator[list[StreamKey]]:
    """Streams that one request can ask for: all need the same of OpenD."""
    groups: dict[tuple[int, ...], list[StreamKey]] = {}
    for key in keys:
        groups.setdefault(sub_types(key), []).append(key)
    for group in groups.values():
        for start in range(0, len(group), CODES_AT_ONCE):
            yield group[start : start + CODES_AT_ONCE]


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
