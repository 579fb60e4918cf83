"""The websocket session: which streams on which connection, asked for, acknowledged, given back."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from foxtrot.adapter.binance import limits, mapping
from foxtrot.adapter.binance.client import Socket
from foxtrot.adapter.binance.frames import QUOTE_PREFIX, FrameRouter, Head, StreamSlot, TickSlot
from foxtrot.adapter.binance.session import BinanceSession, Venue
from foxtrot.connectivity.orchestrator import SubscribeOutcome
from foxtrot.core.logs import get_logger
from foxtrot.errors import (
    ConnectionClosed,
    FoxtrotError,
    RateLimited,
    StaleStream,
    SubscriptionRefused,
)
from foxtrot.gateway.counters import FeedCounters
from foxtrot.model.constants import Channel, Interval, Lane
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import NO_STATISTICS, Source

log = get_logger("foxtrot.binance.market_data")

_GOING_AWAY = 1001
_SNAPSHOT_LEVELS = 500
_PROBED_SYMBOLS = 20
_SEEDED_AT_ONCE = 100
_FETCH_RETRY_S = 1.0
_SNAPSHOT_RETRY_S = 0.25


def streams_of(key: StreamKey) -> tuple[str, ...]:
    """The venue's names of the streams that serve one of ours."""
    symbol = key.symbol.lower()
    if key.channel is Channel.TICK:
        return f"{symbol}@bookTicker", f"{symbol}@ticker"
    if key.channel is Channel.DEPTH:
        return (f"{symbol}@depth@100ms",)
    if key.channel is Channel.TRADE:
        return (f"{symbol}@trade",)
    return (f"{symbol}@kline_{mapping.INTERVALS[Interval(key.detail)]}",)


class Connection:
    """One websocket connection: its streams, and the requests that wait for an answer."""

    def __init__(
        self, number: int, frames: FrameRouter, counters: FeedCounters, ids: Iterable[int]
    ) -> None:
        self.number = number
        self.streams: set[str] = set()
        self._frames, self._counters, self._ids = frames, counters, iter(ids)
        self._socket: Socket | None = None
        self._answers: dict[int, asyncio.Future[None]] = {}
        self._venue = ""
        self.lost: Callable[[BaseException | None, int], None] = _ignore_loss

    def attach(self, socket: Socket, venue: str) -> None:
        """Use `socket`."""
        self._socket, self._venue = socket, venue

    @property
    def room(self) -> int:
        """How many more streams it may carry."""
        return limits.STREAMS_PER_CONNECTION - len(self.streams)

    async def request(self, method: str, params: Sequence[str], timeout_s: float) -> None:
        """Send a request and wait for the venue's yes.

        Raises:
            SubscriptionRefused: The venue said no.
            TimeoutError: It said nothing.
            ConnectionClosed: The connection is gone.
        """
        assert self._socket is not None
        number = next(self._ids)
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        try:
            await self._socket.send(method, params, number)
            async with asyncio.timeout(timeout_s):
                await answer
        finally:
            self._answers.pop(number, None)

    def on_frame(self, data: bytes) -> None:
        """Take a frame from the socket."""
        self._counters.received += 1
        if data[:5] == QUOTE_PREFIX:
            self._frames.on_quote(data)
            return
        head = self._frames.on_other(data)
        if head is not None:
            self._on_answer(head)

    def on_lost(self, error: BaseException | None, code: int) -> None:
        """Pass on that the socket is gone."""
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ConnectionClosed(code, "lost while waiting for an answer"))
        self.lost(error, code)

    def _on_answer(self, head: Head) -> None:
        refused = bool(head.code or bytes(head.error))
        number = head.id if isinstance(head.id, int) else None
        if number is None and refused:  # the venue could not read the request's id
            number = next(iter(self._answers), None)
        answer = self._answers.get(number) if number is not None else None
        if answer is None or answer.done():
            return
        if refused:
            text = head.msg or "the venue refused the request"
            answer.set_exception(SubscriptionRefused(self._venue, str(head.code or ""), text))
        else:
            answer.set_result(None)


@dataclass(slots=True)
class _Result:
    refused: dict[StreamKey, FoxtrotError] = field(default_factory=dict)
    unanswered: set[StreamKey] = field(default_factory=set)


class StreamSession(BinanceSession):
    """Market data by websocket: as many connections as the streams need, one router of frames."""

    def __init__(self, venue: Venue, counters: FeedCounters) -> None:
        super().__init__(venue, counters)
        self._frames = FrameRouter(
            venue.name,
            counters,
            venue.port.event_engine.put,
            levels=venue.settings.depth_levels,
            on_gap=self._want_snapshot,
            on_rotten=self.fail,
            on_shutdown=self._announced,
        )
        self._ids = itertools.count(1)
        self._connections: list[Connection] = []
        self._placed: dict[StreamKey, Connection] = {}
        self._to_seed: set[str] = set()
        self._to_snapshot: set[str] = set()
        self._work = asyncio.Event()

    # -- Session ----------------------------------------------------------------------------

    async def open(self) -> None:
        """Open the first connection."""
        await self._connection(0)

    async def run(self) -> None:
        """Fetch snapshots as they are needed, until the connection is lost."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.raise_when_lost())
            group.create_task(self._fetch())

    async def subscribe(self, keys: Sequence[StreamKey]) -> SubscribeOutcome:
        """Ask for streams, 200 names a message; a refused batch is halved until one is left."""
        known, refused = self.sources(keys)
        result = _Result(refused=refused)
        for key, source in known.items():
            self._add_slot(key, source)
        for connection, batch in await self._place(list(known)):
            await self._ask(connection, batch, result)
        for key in (*result.refused, *result.unanswered):
            self._forget(key)
        return SubscribeOutcome(result.refused, frozenset(result.unanswered))

    async def unsubscribe(self, keys: Sequence[StreamKey]) -> None:
        """Give streams back; frames that still come are ignored."""
        by_connection: dict[Connection, list[str]] = {}
        for key in keys:
            connection = self._forget(key)
            self._venue.forget_if_unwanted(key)
            if connection is not None:
                by_connection.setdefault(connection, []).extend(streams_of(key))
        for connection, streams in by_connection.items():
            for names in _chunks(streams, limits.NAMES_PER_MESSAGE):
                await self._give_back(connection, names)

    async def probe(self) -> None:
        """Ask on every connection; then ask whether the market moved without telling us."""
        for connection in self._connections:
            await connection.request("LIST_SUBSCRIPTIONS", (), self._venue.config.probe_s)
        await self._compare()

    # -- connections ------------------------------------------------------------------------

    async def _connection(self, number: int) -> Connection:
        connection = Connection(number, self._frames, self._counters, self._ids)
        connection.lost = self._on_lost
        socket = await self._client.dial(number + 1, connection)
        connection.attach(socket, self._venue.name)
        opened = asyncio.ensure_future(socket.opened())
        lost = asyncio.ensure_future(self.raise_when_lost())
        try:
            await asyncio.wait([opened, lost], return_when=asyncio.FIRST_COMPLETED)
        finally:
            opened.cancel()
            lost.cancel()
        if self._lost.done():
            raise self._lost.result()
        self._connections.append(connection)
        return connection

    async def _place(self, keys: list[StreamKey]) -> list[tuple[Connection, list[StreamKey]]]:
        """Put each stream on a connection with room; in batches of one message each."""
        batches: list[tuple[Connection, list[StreamKey]]] = []
        names = 0
        for key in keys:
            streams = streams_of(key)
            room = (c for c in self._connections if c.room >= len(streams))
            connection = next(room, None) or await self._connection(len(self._connections))
            connection.streams.update(streams)
            self._placed[key] = connection
            full = names + len(streams) > limits.NAMES_PER_MESSAGE
            if not batches or batches[-1][0] is not connection or full:
                batches.append((connection, []))
                names = 0
            batches[-1][1].append(key)
            names += len(streams)
        return batches

    async def _ask(self, connection: Connection, keys: list[StreamKey], result: _Result) -> None:
        names = [name for key in keys for name in streams_of(key)]
        try:
            await connection.request("SUBSCRIBE", names, self._venue.config.subscribe_timeout_s)
        except TimeoutError:
            # Data is a better answer than an answer.
            self._complete([key for key in keys if self._flows(key)])
            result.unanswered.update(key for key in keys if not self._flows(key))
        except SubscriptionRefused as error:
            if len(keys) == 1:
                result.refused[keys[0]] = error
                return
            middle = len(keys) // 2
            await self._ask(connection, keys[:middle], result)
            await self._ask(connection, keys[middle:], result)
        else:
            self._complete(keys)

    async def _give_back(self, connection: Connection, names: list[str]) -> None:
        try:
            await connection.request("UNSUBSCRIBE", names, self._venue.config.subscribe_timeout_s)
        except (TimeoutError, SubscriptionRefused) as error:
            reason = type(error).__name__
            log.warning("unsubscribe_failed", venue=self._venue.name, reason=reason)

    def _complete(self, keys: list[StreamKey]) -> None:
        """Fetch what the streams alone do not tell: the first ticks and the books."""
        for key in keys:
            if key.channel is Channel.TICK:
                self._to_seed.add(key.symbol)
            elif key.channel is Channel.DEPTH:
                self._to_snapshot.add(key.symbol)
        self._work.set()

    # -- slots ------------------------------------------------------------------------------

    def _add_slot(self, key: StreamKey, source: Source) -> None:
        request = self._venue.port.request_of(key)
        lane = Lane.LATEST if request is None or request.conflate else Lane.BOUNDED
        frames, marks = self._frames, self._venue.marks
        mark = marks.of(key)
        if key.channel is Channel.TICK:
            day_mark = marks.of(key, "day")
            frames.ticks.setdefault(key.symbol, TickSlot(source, lane, mark, day_mark))
        elif key.channel is Channel.DEPTH:
            frames.depths.setdefault(key.symbol, StreamSlot(source, lane, mark))
        elif key.channel is Channel.TRADE:
            frames.trades.setdefault(key.symbol, StreamSlot(source, lane, mark))
        else:
            interval = Interval(key.detail)
            name = key.symbol, mapping.INTERVALS[interval]
            frames.bars.setdefault(name, StreamSlot(source, lane, mark, interval))

    def _flows(self, key: StreamKey) -> bool:
        """Whether the stream has brought anything yet."""
        frames = self._frames
        if key.channel is Channel.TICK:
            tick = frames.ticks[key.symbol]
            return tick.quoted or tick.day is not NO_STATISTICS
        if key.channel is Channel.DEPTH:
            return bool(frames.depths[key.symbol].frames)
        if key.channel is Channel.TRADE:
            return bool(frames.trades[key.symbol].frames)
        return bool(frames.bars[key.symbol, mapping.INTERVALS[Interval(key.detail)]].frames)

    def _forget(self, key: StreamKey) -> Connection | None:
        frames = self._frames
        if key.channel is Channel.TICK:
            frames.ticks.pop(key.symbol, None)
        elif key.channel is Channel.DEPTH:
            frames.depths.pop(key.symbol, None)
        elif key.channel is Channel.TRADE:
            frames.trades.pop(key.symbol, None)
        else:
            frames.bars.pop((key.symbol, mapping.INTERVALS[Interval(key.detail)]), None)
        connection = self._placed.pop(key, None)
        if connection is not None:
            connection.streams.difference_update(streams_of(key))
        return connection

    # -- snapshots --------------------------------------------------------------------------

    def _want_snapshot(self, symbol: str) -> None:
        self._to_snapshot.add(symbol)
        self._work.set()

    async def _fetch(self) -> None:
        """Fetch what is wanted, one after the other; a refusal of these costs no stream."""
        while True:
            await self._work.wait()
            self._work.clear()
            try:
                await self._seed()
                await self._snapshots()
            except FoxtrotError as error:
                wait_s = error.retry_after_s if isinstance(error, RateLimited) else _FETCH_RETRY_S
                log.warning("snapshot_failed", venue=self._venue.name, reason=str(error))
                self._venue.port.on_error(error)
                await asyncio.sleep(wait_s)
                self._work.set()

    async def _seed(self) -> None:
        """The first ticks; the streams bring them too, so a failure is no reason to retry."""
        wanted, self._to_seed = sorted(self._to_seed), set()
        for symbols in _chunks(wanted, _SEEDED_AT_ONCE):
            for ticker in await self._venue.tickers(self._client, symbols):
                self._frames.seed(ticker)

    async def _snapshots(self) -> None:
        """Books; one that does not reach the stream yet is asked for again after a moment."""
        while self._to_snapshot:
            for symbol in sorted(self._to_snapshot):
                book = await self._venue.book(self._client, symbol, _SNAPSHOT_LEVELS)
                if self._frames.snapshot(symbol, book):
                    self._to_snapshot.discard(symbol)
            if self._to_snapshot:
                await asyncio.sleep(_SNAPSHOT_RETRY_S)

    async def _compare(self) -> None:
        """Silence is fine in a quiet market; a price that moved without us is a dead feed."""
        before = self.received
        symbols = sorted(self._frames.ticks)[:_PROBED_SYMBOLS]
        if not symbols:
            return
        try:
            tickers = await self._venue.tickers(self._client, symbols)
        except FoxtrotError as error:
            log.info("probe_without_snapshot", venue=self._venue.name, reason=str(error))
            return
        moved = [ticker.symbol for ticker in tickers if self._moved(ticker)]
        if moved and self.received == before:
            raise StaleStream(", ".join(moved[:3]))

    def _moved(self, ticker: mapping.RestTicker) -> bool:
        slot = self._frames.ticks.get(ticker.symbol)
        if slot is None:
            return False
        return (slot.quote.b, slot.quote.a) != (ticker.bidPrice, ticker.askPrice)

    # -- loss -------------------------------------------------------------------------------

    def _on_lost(self, error: BaseException | None, code: int) -> None:
        cause = self._client.translated(error) if error is not None else ConnectionClosed(code)
        self.fail(cause)

    def _announced(self) -> None:
        self.fail(ConnectionClosed(_GOING_AWAY, "the venue announced a shutdown"))


def _chunks(items: Sequence[str], size: int) -> list[list[str]]:
    return [list(items[start : start + size]) for start in range(0, len(items), size)]


def _ignore_loss(error: BaseException | None, code: int) -> None:
    """Nobody listens yet."""
