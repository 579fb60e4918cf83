"""The streaming session: one connection, the streams on it, asked for, kept alive, given back."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence

from foxtrot.adapter.ib.errors import FARM_CODES, Effect, effect_of, error_of
from foxtrot.adapter.ib.frames import take_over
from foxtrot.adapter.ib.instruments import Instrument
from foxtrot.adapter.ib.lines import PRINTS_AGAIN_S, Line, make_slot, over_limit
from foxtrot.adapter.ib.purpose import Purpose
from foxtrot.adapter.ib.session import IbSession, Venue
from foxtrot.adapter.ib.sink import MarketSink
from foxtrot.adapter.ib.slots import DEPTH_ROWS, DepthSlot, TickSlot
from foxtrot.adapter.ib.snapshots import Snapshot, ask_snapshot
from foxtrot.adapter.ib.ticks import Assembler
from foxtrot.adapter.ib.watch import LineWatch
from foxtrot.connectivity.orchestrator import SubscribeOutcome
from foxtrot.core.logs import get_logger
from foxtrot.errors import ConnectionClosed, FoxtrotError, StreamingError, SubscriptionRefused
from foxtrot.gateway.counters import FeedCounters
from foxtrot.model.constants import Channel, StreamState
from foxtrot.model.health import StreamKey

log = get_logger("foxtrot.ib.market_data")

_SOON_S = 1.0
"""A refusal of a book or of prints comes within this time; of itself TWS does not say yes."""

_BOOK_RESET = 317
_HISTORY_FARM, _CONTRACT_FARM = (2105, 2106), (2157, 2158)
_TICK_CHANNELS = (Channel.TICK, Channel.DEPTH, Channel.TRADE)
_SPEAKS_AT_ONCE = (Channel.TICK, Channel.BAR)


class StreamSession(IbSession):
    """Market data as TWS pushes it. Belongs to the loop thread."""

    def __init__(self, venue: Venue, counters: FeedCounters) -> None:
        super().__init__(venue, counters, Purpose.STREAMING)
        self._lines: dict[StreamKey, Line] = {}
        self._by_id: dict[int, Line] = {}
        self._ticks = Assembler(
            venue.name,
            counters,
            venue.port.event_engine.put,
            levels=DEPTH_ROWS,
            on_torn=self._on_torn,
        )
        self._watch = LineWatch(
            venue.name,
            lambda: venue.config,
            self._lines,
            report=lambda key, state, reason: self.report(key, state, reason),
            renew=self._renew,
            snapshot=self._snapshot,
        )
        self._tasks: set[asyncio.Task[None]] = set()

    # -- Session ----------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect, and read what comes by the fastest way there is."""
        await super().open()
        client = self.client
        client.inbox.on_unreadable = self._ticks.unreadable
        client.inbox.market = MarketSink(self._ticks, self._on_error)
        take_over(self._venue.name, client, self._ticks, self.fail)

    async def run(self) -> None:
        """Watch the streams, until the connection is lost."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.raise_when_lost())
            group.create_task(self._watch.run())

    async def subscribe(self, keys: Sequence[StreamKey]) -> SubscribeOutcome:
        """Ask for streams, each by a request of its own, all at once within the pace.

        TWS confirms no stream but by its data. What was not refused in time is held; a refusal that
        comes later ends it then.
        """
        found, refused = await self.instruments(keys)
        for key, (code, words) in over_limit(self._lines, found, self._venue.settings).items():
            del found[key]
            refused[key] = SubscriptionRefused(self._venue.name, code, words)
        asking = {key: self._ask(self._add(key, found[key])) for key in found}
        if asking:
            await asyncio.wait(asking.values(), timeout=self._venue.config.subscribe_timeout_s)
        for key, task in asking.items():
            line = self._lines.get(key)
            if line is None or line.asking is not task:
                continue
            line.awaited = False
            error = _failure(task)
            if isinstance(error, ConnectionClosed):
                raise error
            if error is not None:
                self._forget(line)
                refused[key] = error
        return SubscribeOutcome(refused)

    async def unsubscribe(self, keys: Sequence[StreamKey]) -> None:
        """Give streams back; what still comes is ignored."""
        for key in keys:
            line = self._lines.get(key)
            if line is not None:
                number = self._forget(line)
                await self._give_back(line, number)
            self._venue.forget_if_unwanted(key)

    async def close(self) -> None:
        """End what is under way, and give the connection back."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await super().close()

    # -- asking -----------------------------------------------------------------------------

    def _add(self, key: StreamKey, instrument: Instrument) -> Line:
        request = self._venue.port.request_of(key)
        conflate = request is None or request.conflate
        slot = make_slot(key, instrument, self._venue.marks.of(key), conflate=conflate)
        line = self._lines[key] = Line(key, instrument, slot)
        return line

    def _ask(self, line: Line) -> asyncio.Task[None]:
        """Ask TWS for a stream, for the first time or again."""
        line.asking = self._spawn(self._ask_once(line))
        line.asking.add_done_callback(lambda task: self._on_asked(line, task))
        return line.asking

    def _on_asked(self, line: Line, task: asyncio.Task[None]) -> None:
        if line.awaited or line.asking is not task or self._lost.done():
            return
        if error := _failure(task):
            self._end(line, error)

    async def _ask_once(self, line: Line) -> None:
        if line.key.channel is Channel.TRADE:
            again_at = line.slot.mark.asked_at + PRINTS_AGAIN_S
            await asyncio.sleep(again_at - asyncio.get_running_loop().time())
        async with line.pace(self._venue.pace):
            number = self.client.new_request_id()
            await self._give_back(line, line.request_id)
            self._release(line)  # not before: whoever ends the stream meanwhile gives it back
            line.slot.begin()
            self._by_id[number] = line
            self._ticks.add(number, line.slot)
            sign = self._ticks.first_sign(number)
            try:
                await self.client.tell(lambda raw: line.ask(number, raw))
                line.request_id = number
                line.slot.mark.asked_at = asyncio.get_running_loop().time()
                await self._wait_for_sign(line, sign)
            finally:
                sign.cancel()
                if line.request_id != number:
                    self._drop(number)

    async def _wait_for_sign(self, line: Line, sign: asyncio.Future[None]) -> None:
        """Until TWS has said anything of the stream, or has had the time to refuse it.

        Raises:
            VenueError: It did.
        """
        at_once = line.key.channel in _SPEAKS_AT_ONCE
        timeout_s = self._venue.config.subscribe_timeout_s
        await asyncio.wait({sign}, timeout=timeout_s if at_once else min(timeout_s, _SOON_S))
        if sign.done():
            sign.result()
        elif at_once:
            self._watch.expect(line, "TWS has not answered")
        else:
            self._watch.trust(line)

    async def _give_back(self, line: Line, number: int) -> None:
        if number:
            await self.client.tell(lambda raw: line.give_back(number, raw))

    def _forget(self, line: Line) -> int:
        """The stream is none of ours any more; returns the id of its request, 0 if it has none."""
        del self._lines[line.key]
        if line.asking is not None:
            line.asking.cancel()
        return self._release(line)

    def _release(self, line: Line) -> int:
        number, line.request_id = line.request_id, 0
        self._drop(number)
        return number

    def _drop(self, number: int) -> None:
        self._by_id.pop(number, None)
        self._ticks.drop(number)

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"{self._venue.name}.stream")
        self._tasks.add(task)
        task.add_done_callback(self._on_ended)
        return task

    def _on_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen: what it means is told where the stream is, or the loss

    # -- troubles ---------------------------------------------------------------------------

    def _on_error(self, req_id: int, code: int, text: str) -> None:
        effect, line = effect_of(code), self._by_id.get(req_id)
        if line is None:
            self._on_notice(effect, code, text)
            return
        error = error_of(self._venue.name, code, text)
        if code == _BOOK_RESET and isinstance(line.slot, DepthSlot):
            line.slot.begin()
        elif effect is not Effect.REFUSED:
            log.info("stream_notice", venue=self._venue.name, stream=str(line.key), reason=text)
        else:
            line.request_id = 0
            self._drop(req_id)
            if not self._ticks.answered(req_id, error):
                self._end(line, error)

    def _on_notice(self, effect: Effect, code: int, text: str) -> None:
        """What concerns many streams: TWS has lost IB, or a data centre, or found it again."""
        reason = str(error_of(self._venue.name, code, text))
        channels = _channels(code)
        if effect in (Effect.LINE_DOWN, Effect.FARM_DOWN) and channels:
            self._watch.broken(channels, reason)
            self._venue.port.on_error(error_of(self._venue.name, code, text))
        elif effect is Effect.FARM_BACK:
            self._watch.mended(channels, reason)
        elif effect is Effect.LINE_BACK:
            for line in self._lines.values():
                self._watch.expect(line, reason)
        elif effect is Effect.LINE_BACK_EMPTY:
            for line in tuple(self._lines.values()):
                self._stop_waiting(line)
                self._release(line)  # TWS has forgotten it
                self._watch.stale(line, reason)

    def _on_torn(self, slot: DepthSlot) -> None:
        for line in tuple(self._lines.values()):
            if line.slot is slot:
                self._stop_waiting(line)
                self._watch.stale(line, "a change did not fit the book")

    def _stop_waiting(self, line: Line) -> None:
        """What was asked for a moment ago has come to nothing: it may be asked for again."""
        if line.request_id and line.asking is not None:
            line.asking.cancel()
            line.asking, line.awaited = None, False

    def _renew(self, line: Line, reason: str) -> None:
        """Ask for a stream afresh, unless that is under way; after several times, give it up."""
        if line.asking is not None and not line.asking.done():
            return
        line.strikes += 1
        if line.strikes > self._venue.config.stream_strikes:
            self._end(line, StreamingError(reason))
        else:
            log.info("stream_renewed", venue=self._venue.name, stream=str(line.key), reason=reason)
            self._ask(line)

    def _end(self, line: Line, error: FoxtrotError) -> None:
        """The stream has failed, and the others have not; it is asked for again in a while."""
        number = self._forget(line)
        if number and not self._lost.done():
            self._spawn(self._give_back(line, number))
        self.report(line.key, StreamState.FAILED, str(error))

    async def _snapshot(self, line: Line) -> Snapshot:
        """What a market looks like; by the ticks of it, where those are streamed and watched."""
        key = StreamKey(Channel.TICK, line.key.symbol, line.key.exchange)
        ticks = self._lines.get(key, line).slot
        if isinstance(ticks, TickSlot) and ticks is not line.slot:
            return Snapshot.told(ticks.quoted(), ticks.lowest)
        rows = await ask_snapshot(self.client, line.instrument)
        return Snapshot(rows, line.slot.lowest)


def _failure(task: asyncio.Task[None]) -> FoxtrotError | None:
    """What came out of asking; a loss of the connection is told by the session."""
    error = None if not task.done() or task.cancelled() else task.exception()
    if error is None or isinstance(error, FoxtrotError):
        return error
    raise error


def _channels(code: int) -> tuple[Channel, ...]:
    """Whose data stands still, or comes again."""
    if code in _CONTRACT_FARM:
        return ()
    if code in _HISTORY_FARM:
        return (Channel.BAR,)
    return _TICK_CHANNELS if code in FARM_CODES else tuple(Channel)
