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
from foxtrot.adapter.binance.snapshots import Snapshots
from foxtrot.connectivity.orchestrator import SubscribeOutcome
from foxtrot.core.logs import get_logger
from foxtrot.errors import (
    ConnectionClosed,
    FoxtrotError,
    SubscriptionRefused,
)
from foxtrot.gateway.counters import FeedCounters
from foxtrot.model.constants import Channel, Interval, Lane
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import Source

log = get_logger("foxtrot.binance.market_data")

_GOING_AWAY = 1001


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
            on_gap=lambda symbol: self._snapshots.want_book(symbol),
            on_rotten=self.fail,
            on_shutdown=self._announced,
        )
        self._ids = itertools.count(1)
        self._connections: list[Connection] = []
        self._placed: dict[StreamKey, Connection] = {}
        self._held: set[StreamKey] = set()
        self._snapshots = Snapshots(
            venue,
            self._client,
            self._frames,
            report=lambda key, state, reason: self.report(key, state, reason),
            renew=self._renew,
            give_up=self._give_up,
        )

    # -- Session ----------------------------------------------------------------------------

    async def open(self) -> None:
        """Open the first connection."""
        await self._connection(0)

    async def run(self) -> None:
        """Fetch snapshots and watch the streams, until the connection is lost."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.raise_when_lost())
            group.create_task(self._snapshots.fetch())
            group.create_task(self._snapshots.watch(lambda: tuple(self._held)))

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
        await self._snapshots.compare_session()

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
            flowing = [key for key in keys if self._frames.flows(key)]
            self._take(flowing)
            result.unanswered.update(key for key in keys if key not in flowing)
        except SubscriptionRefused as error:
            if len(keys) == 1:
                result.refused[keys[0]] = error
                return
            middle = len(keys) // 2
            await self._ask(connection, keys[:middle], result)
            await self._ask(connection, keys[middle:], result)
        else:
            self._take(keys)

    def _take(self, keys: list[StreamKey]) -> None:
        """The venue gives these now."""
        self._held.update(keys)
        self._snapshots.want(keys)

    async def _give_back(self, connection: Connection, names: list[str]) -> None:
        try:
            await connection.request("UNSUBSCRIBE", names, self._venue.config.subscribe_timeout_s)
        except (TimeoutError, SubscriptionRefused) as error:
            reason = type(error).__name__
            log.warning("unsubscribe_failed", venue=self._venue.name, reason=reason)

    async def _renew(self, key: StreamKey) -> None:
        """Ask for one stream afresh; the others on its connection are not touched."""
        connection = self._placed.get(key)
        if connection is None:
            return
        await self._give_back(connection, list(streams_of(key)))
        result = _Result()
        await self._ask(connection, [key], result)
        if result.refused:
            raise result.refused[key]

    async def _give_up(self, key: StreamKey) -> None:
        await self.unsubscribe((key,))

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
        self._held.discard(key)
        connection = self._placed.pop(key, None)
        if connection is not None:
            connection.streams.difference_update(streams_of(key))
        return connection

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
