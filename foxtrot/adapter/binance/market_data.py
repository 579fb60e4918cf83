"""The websocket session: which streams on which connection, asked for, acknowledged, given back."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from foxtrot.adapter.binance import limits, mapping
from foxtrot.adapter.binance.connection import Connection, Unreadable
from foxtrot.adapter.binance.frame_types import CHANNELS
from foxtrot.adapter.binance.frames import FrameRouter
from foxtrot.adapter.binance.session import BinanceSession, Venue
from foxtrot.adapter.binance.slots import add_slot, drop_slot
from foxtrot.adapter.binance.snapshots import Snapshots
from foxtrot.connectivity.diagnostics import labels
from foxtrot.connectivity.orchestrator import SubscribeOutcome, names
from foxtrot.core.logs import get_logger
from foxtrot.errors import ConnectionClosed, FoxtrotError, SubscriptionRefused
from foxtrot.gateway.counters import FeedCounters
from foxtrot.model.constants import Channel, Interval, StreamState
from foxtrot.model.health import StreamKey

log = get_logger("foxtrot.binance.market_data")

_ROTATION_PAUSE_S = 1.0
"""The venue allows 300 new connections in five minutes."""

_ROTATION_RETRY_S = 60.0
_DRAIN_S = 1.0
"""How long the old connection may take to deliver what is on its way."""


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


@dataclass(slots=True)
class _Result:
    refused: dict[StreamKey, FoxtrotError] = field(default_factory=dict)
    unanswered: set[StreamKey] = field(default_factory=set)


class StreamSession(BinanceSession):
    """Market data by websocket: as many connections as the streams need, one router of frames."""

    def __init__(self, venue: Venue, counters: FeedCounters) -> None:
        super().__init__(venue, counters)
        self._announced = asyncio.Event()
        self._snapshots: Snapshots
        self._frames = FrameRouter(
            venue.name,
            counters,
            venue.port.event_engine.put,
            levels=venue.settings.depth_levels,
            on_gap=lambda symbol: self._snapshots.want_book(symbol),
            on_rotten=self.fail,
            on_shutdown=self._announced.set,
        )
        self._ids = itertools.count(1)
        self._connections: list[Connection] = []
        self._dialled = itertools.count(1)
        self._moves = asyncio.Lock()
        self._placed: dict[StreamKey, Connection] = {}
        self._held: set[StreamKey] = set()
        self._unreadable: dict[StreamKey, None] = {}
        self._to_restart = asyncio.Event()
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
        await self._connection()

    async def run(self) -> None:
        """Fetch snapshots, watch streams, replace old connections; until one is lost."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.raise_when_lost())
            group.create_task(self._rotate_in_time())
            group.create_task(self._restart_unreadable())
            group.create_task(self._snapshots.fetch())
            group.create_task(self._snapshots.watch(lambda: tuple(self._held)))

    async def subscribe(self, keys: Sequence[StreamKey]) -> SubscribeOutcome:
        """Ask for streams, 200 names a message; a refused batch is halved until one is left."""
        known, refused = self.sources(keys)
        result = _Result(refused=refused)
        async with self._moves:
            for key, source in known.items():
                add_slot(self._frames, self._venue, key, source)
            for connection, batch in await self._place(list(known)):
                await self._ask(connection, batch, result)
            for key in (*result.refused, *result.unanswered):
                self._forget(key)
        return SubscribeOutcome(result.refused, frozenset(result.unanswered))

    async def unsubscribe(self, keys: Sequence[StreamKey]) -> None:
        """Give streams back; frames that still come are ignored."""
        async with self._moves:
            await self._unsubscribe(keys)

    async def _unsubscribe(self, keys: Sequence[StreamKey]) -> None:
        by_connection: dict[Connection, list[str]] = {}
        for key in keys:
            connection = self._forget(key)
            self._venue.forget_if_unwanted(key)
            if connection is not None:
                by_connection.setdefault(connection, []).extend(streams_of(key))
        for connection, streams in by_connection.items():
            for some in _chunks(streams, limits.NAMES_PER_MESSAGE):
                await self._give_back(connection, some)

    async def probe(self) -> None:
        """Ask on every connection; then ask whether the market moved without telling us."""
        for connection in self._connections:
            await connection.request("LIST_SUBSCRIPTIONS", (), self._venue.config.probe_s)
        await self._snapshots.compare_session()

    # -- connections ------------------------------------------------------------------------

    async def _connection(self) -> Connection:
        """A new connection; a loss before it is open concerns nobody else.

        Raises:
            FoxtrotError: It could not be had.
        """
        number = next(self._dialled)
        strikes = self._venue.config.frame_strikes
        connection = Connection(number, self._frames, self._counters, self._ids, strikes)
        connection.unreadable = lambda found: self._on_unreadable(connection, found)
        outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        connection.lost = lambda error, code: _settle(outcome, self._cause(error, code))
        socket = await self._client.dial(number, connection)
        connection.attach(socket, self._venue.name)
        opened = asyncio.create_task(socket.opened())
        opened.add_done_callback(lambda _: _settle(outcome, None))
        try:
            await outcome
        except BaseException:  # boundary: whatever came in the way, it is raised on
            await self._client.hang_up(socket)
            raise
        finally:
            opened.cancel()
        connection.lost = self._on_lost
        self._connections.append(connection)
        return connection

    async def _place(self, keys: list[StreamKey]) -> list[tuple[Connection, list[StreamKey]]]:
        """Put each stream on a connection with room; in batches of one message each."""
        batches: list[tuple[Connection, list[StreamKey]]] = []
        names = 0
        for key in keys:
            streams = streams_of(key)
            room = (c for c in self._connections if c.room >= len(streams))
            connection = next(room, None) or await self._connection()
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
        asked = [name for key in keys for name in streams_of(key)]
        for key in keys:
            self._frames.begin(key)
        try:
            await connection.request("SUBSCRIBE", asked, self._venue.config.subscribe_timeout_s)
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

    async def _give_back(self, connection: Connection, streams: list[str]) -> None:
        try:
            await connection.request("UNSUBSCRIBE", streams, self._venue.config.subscribe_timeout_s)
        except (TimeoutError, SubscriptionRefused) as error:
            reason = type(error).__name__
            log.warning("unsubscribe_failed", venue=self._venue.name, reason=reason)

    async def _renew(self, key: StreamKey) -> None:
        """Ask for one stream afresh; the others on its connection are not touched."""
        result = _Result()
        async with self._moves:
            await self._ask_afresh([key], result)
        if result.refused:
            raise result.refused[key]

    async def _ask_afresh(self, keys: list[StreamKey], result: _Result) -> None:
        """Give streams back and ask for them again; as many as one message carries."""
        for connection in dict.fromkeys(self._placed[key] for key in keys if key in self._placed):
            there = [key for key in keys if self._placed.get(key) is connection]
            await self._give_back(connection, [name for key in there for name in streams_of(key)])
            await self._ask(connection, there, result)

    async def _give_up(self, key: StreamKey) -> None:
        await self.unsubscribe((key,))

    # -- streams whose frames cannot be read ------------------------------------------------

    def _on_unreadable(self, connection: Connection, found: Unreadable) -> None:
        """Note which streams a row of unreadable frames came from: the ones to restart."""
        channel = CHANNELS.get(found.frame_type)
        keys = [
            key
            for key, where in self._placed.items()
            if where is connection
            and key.channel is channel
            and (not found.symbols or key.symbol in found.symbols)
        ]
        if not keys:
            return
        log.warning(
            "streams_unreadable",
            venue=self._venue.name,
            frame_type=found.frame_type,
            streams=names(keys),
            **labels(found.last),
        )
        self._venue.port.on_error(found.last)
        self._unreadable.update(dict.fromkeys(keys))
        self._to_restart.set()

    async def _restart_unreadable(self) -> None:
        """Ask afresh for what cannot be read, and for nothing else of the session."""
        while True:
            await self._to_restart.wait()
            self._to_restart.clear()
            waiting, self._unreadable = list(self._unreadable), {}
            result = _Result()
            async with self._moves:
                for some in _batches(waiting):
                    await self._ask_afresh(some, result)
                for key in result.refused:
                    self._forget(key)
            for key, error in result.refused.items():
                self.report(key, StreamState.FAILED, str(error))
            log.info("streams_restarted", venue=self._venue.name, streams=names(waiting))

    # -- rotation ---------------------------------------------------------------------------

    async def _rotate_in_time(self) -> None:
        """Replace a connection before the venue cuts it, and all when it announces an end."""
        while True:
            announced = await self._wait_announced(self._next_rotation_s())
            pause_s = _ROTATION_PAUSE_S
            for connection in tuple(self._connections):
                due = announced or self._age_s(connection) >= self._venue.config.rotate_after_s
                if due and not await self._rotate(connection):
                    pause_s = _ROTATION_RETRY_S
            await asyncio.sleep(pause_s)

    async def _wait_announced(self, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                await self._announced.wait()
        except TimeoutError:
            return False
        self._announced.clear()
        log.info("shutdown_announced", venue=self._venue.name)
        return True

    async def _rotate(self, old: Connection) -> bool:
        """Move all streams of `old` to a new connection that delivers before `old` is closed.

        For a moment both deliver; what comes twice is dropped by its number, so nothing is told
        twice, and what comes late by the old one is told late. If it fails, `old` serves until it
        is cut.

        Returns:
            Whether it was done.
        """
        async with self._moves:
            try:
                async with asyncio.timeout(self._venue.config.connect_timeout_s):
                    new = await self._connection()
            except (TimeoutError, FoxtrotError) as error:
                self._say_not_rotated(error)
                return False
            self._frames.overlap(begins=True)
            try:
                return await self._move_streams(old, new)
            finally:
                self._frames.overlap(begins=False)

    async def _move_streams(self, old: Connection, new: Connection) -> bool:
        """Let `new` carry what `old` does; whichever is not needed any more is closed."""
        gone: list[FoxtrotError] = []  # a loss of `new` concerns nobody yet
        new.lost = lambda error, code: gone.append(self._cause(error, code))
        try:
            for some in _chunks(sorted(old.streams), limits.NAMES_PER_MESSAGE):
                await new.request("SUBSCRIBE", some, self._venue.config.subscribe_timeout_s)
            if gone:
                raise gone[0]
        except (TimeoutError, FoxtrotError) as error:
            self._say_not_rotated(error)
            self._connections.remove(new)
            await new.retire()
            return False
        new.lost = self._on_lost
        new.streams = old.streams
        keys = [key for key, where in self._placed.items() if where is old]
        self._placed.update(dict.fromkeys(keys, new))
        log.info("connection_rotated", venue=self._venue.name, streams=len(new.streams))
        self._connections.remove(old)
        await old.retire(_DRAIN_S)
        return True

    def _say_not_rotated(self, error: BaseException) -> None:
        kind = type(error).__name__
        log.warning("rotation_failed", venue=self._venue.name, reason=kind)

    def _next_rotation_s(self) -> float:
        oldest = max((self._age_s(connection) for connection in self._connections), default=0.0)
        return max(self._venue.config.rotate_after_s - oldest, 0.0)

    def _age_s(self, connection: Connection) -> float:
        return asyncio.get_running_loop().time() - connection.opened_at

    # -- slots ------------------------------------------------------------------------------

    def _forget(self, key: StreamKey) -> Connection | None:
        drop_slot(self._frames, key)
        self._held.discard(key)
        connection = self._placed.pop(key, None)
        if connection is not None:
            connection.streams.difference_update(streams_of(key))
        return connection

    # -- loss -------------------------------------------------------------------------------

    def _on_lost(self, error: BaseException | None, code: int) -> None:
        self.fail(self._cause(error, code))

    def _cause(self, error: BaseException | None, code: int) -> FoxtrotError:
        return self._client.translated(error) if error is not None else ConnectionClosed(code)


def _settle(outcome: asyncio.Future[None], error: FoxtrotError | None) -> None:
    if outcome.done():
        return
    if error is not None:
        outcome.set_exception(error)
    else:
        outcome.set_result(None)


def _batches(keys: list[StreamKey]) -> list[list[StreamKey]]:
    """As many streams as one message may name, whatever their kind."""
    size = limits.NAMES_PER_MESSAGE // max((len(streams_of(key)) for key in keys), default=1)
    return [keys[start : start + size] for start in range(0, len(keys), size)]


def _chunks(items: Sequence[str], size: int) -> list[list[str]]:
    return [list(items[start : start + size]) for start in range(0, len(items), size)]
