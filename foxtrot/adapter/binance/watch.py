"""The websocket session for a ccxt whose inside is not known: its public watch calls only.

Slower than `StreamSession`, and what comes between two calls is conflated. It steps in when
`wire.missing_names` finds something missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from foxtrot.adapter.binance import limits, mapping
from foxtrot.adapter.binance.errors import ends_a_watch
from foxtrot.adapter.binance.frames import FrameRouter
from foxtrot.adapter.binance.sdk_frames import SdkFrames
from foxtrot.adapter.binance.session import BinanceSession, Venue
from foxtrot.adapter.binance.slots import add_slot, drop_slot
from foxtrot.adapter.binance.snapshots import BOOK_LEVELS, Snapshots
from foxtrot.connectivity.orchestrator import SubscribeOutcome
from foxtrot.core.logs import get_logger
from foxtrot.errors import (
    AuthenticationError,
    FoxtrotError,
    PermissionDenied,
    RateLimited,
    StreamingError,
    UnexpectedError,
    VenueError,
    VenueUnavailable,
)
from foxtrot.gateway.counters import FeedCounters
from foxtrot.model.constants import Channel, Interval, StreamState
from foxtrot.model.health import StreamKey

log = get_logger("foxtrot.binance.watch")

_SYMBOLS_PER_CALL = 200
_TICKER = {"name": "ticker"}
"""Without it ccxt watches the mini ticker, which has no bid and no ask."""

_MINI_TICKER = {"name": "miniTicker"}

_OF_THE_SESSION = (AuthenticationError, PermissionDenied, RateLimited, VenueUnavailable)
"""What the venue says of us, not of a stream."""


@dataclass(eq=False, slots=True)
class _Call:
    """A watch call that is repeated, and the one that ends it: with the very same list."""

    watch: Callable[[], Awaitable[None]]
    unwatch: Callable[[], Awaitable[object]]
    weight: int = 0
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


@dataclass(eq=False, slots=True)
class _Group:
    """The streams that share their calls."""

    keys: tuple[StreamKey, ...]
    calls: tuple[_Call, ...]
    refusal: FoxtrotError | None = None
    dropped: bool = False


class WatchSession(BinanceSession):
    """Market data by ccxt's watch calls, each in a task of its own."""

    def __init__(self, venue: Venue, counters: FeedCounters) -> None:
        super().__init__(venue, counters)
        levels = venue.settings.depth_levels
        self._frames = FrameRouter(
            venue.name,
            counters,
            venue.port.event_engine.put,
            levels=levels,
            on_gap=lambda symbol: None,
            on_rotten=self.fail,
            on_shutdown=lambda: None,
        )
        self._told = SdkFrames(self._frames, counters, levels)
        self._held: dict[StreamKey, _Group] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._moves = asyncio.Lock()
        self._refused = asyncio.Event()
        self._snapshots = Snapshots(
            venue,
            self._client,
            self._frames,
            report=lambda key, state, reason: self.report(key, state, reason),
            renew=self._renew,
            give_up=lambda key: self.unsubscribe((key,)),
        )

    # -- Session ----------------------------------------------------------------------------

    async def open(self) -> None:
        """Load the markets, and prove that the websocket answers.

        ccxt's only websocket request whose answer can be awaited is the one that ends a stream;
        the venue says yes to it even where there is none. Of mini tickers we never have any.
        """
        markets = await self._client.load_markets()
        symbol = self._symbol(str(markets[0]["symbol"]))
        try:
            await self._client.watched.un_watch_tickers([symbol], _MINI_TICKER)
        except Exception as error:  # noqa: BLE001 - boundary: ccxt raises its own tree and more
            raise self._client.translated(error) from None

    async def run(self) -> None:
        """Fetch first ticks, watch the streams; until a call fails."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.raise_when_lost())
            group.create_task(self._drop_refused())
            group.create_task(self._snapshots.fetch())
            group.create_task(self._snapshots.watch(lambda: tuple(self._held)))

    async def subscribe(self, keys: Sequence[StreamKey]) -> SubscribeOutcome:
        """Start the calls; a stream that is not refused is held, quiet or not.

        ccxt hides whether the venue said yes. What stays silent is compared with its market later.
        """
        known, refused = self.sources(keys)
        async with self._moves:
            for key, source in known.items():
                add_slot(self._frames, self._venue, key, source)
            async with asyncio.TaskGroup() as asking:
                for some in _grouped(list(known)):
                    asking.create_task(self._ask(some, refused))
        return SubscribeOutcome(refused)

    async def unsubscribe(self, keys: Sequence[StreamKey]) -> None:
        """Give streams back; those that shared a call move to another one before it ends."""
        async with self._moves:
            groups = dict.fromkeys(self._held[key] for key in keys if key in self._held)
            for key in keys:
                self._forget(key)
                self._venue.forget_if_unwanted(key)
            refused: dict[StreamKey, FoxtrotError] = {}
            for group in groups:
                rest = tuple(key for key in group.keys if key in self._held)
                if rest:
                    await self._ask(rest, refused)
                await self._stop(group)
        self._fail_streams(refused)

    async def probe(self) -> None:
        """Ask by request whether the venue lives, and whether the market moved without us."""
        if self._client.held_back:
            return
        await self._client.get("ping", weight=limits.PING_WEIGHT)
        await self._snapshots.compare_session()

    async def close(self) -> None:
        """End the calls, then close the client."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await super().close()

    # -- groups of streams ------------------------------------------------------------------

    async def _ask(
        self, keys: tuple[StreamKey, ...], refused: dict[StreamKey, FoxtrotError]
    ) -> None:
        """Start the calls for `keys`; a refused list is halved until one is left."""
        group = _Group(keys, self._calls(keys))
        for call in group.calls:
            self._start(group, call)
        self._snapshots.want(key for key in keys if key.channel is Channel.TICK)
        await self._wait_heard(group)
        if group.refusal is None:
            self._held.update(dict.fromkeys(keys, group))
            return
        await self._stop(group)
        if len(keys) == 1:
            refused[keys[0]] = group.refusal
            self._forget(keys[0])
            return
        middle = len(keys) // 2
        await self._ask(keys[:middle], refused)
        await self._ask(keys[middle:], refused)

    async def _wait_heard(self, group: _Group) -> None:
        """Wait for data or a refusal, but not for long: a market may be quiet."""
        try:
            async with asyncio.timeout(self._venue.config.subscribe_timeout_s):
                for call in group.calls:
                    await call.heard.wait()
        except TimeoutError:
            return

    async def _renew(self, key: StreamKey) -> None:
        """Ask afresh; the streams that share the call pause for a moment."""
        refused: dict[StreamKey, FoxtrotError] = {}
        async with self._moves:
            group = self._held.get(key)
            if group is None:
                return
            await self._stop(group)
            await self._ask(group.keys, refused)
        self._fail_streams(refused)

    async def _drop_refused(self) -> None:
        """End what is refused after it was believed to be held."""
        while True:
            await self._refused.wait()
            self._refused.clear()
            async with self._moves:
                groups = [group for group in set(self._held.values()) if group.refusal is not None]
                for group in groups:
                    await self._stop(group)
                    for key in group.keys:
                        self._forget(key)
            for group in groups:
                assert group.refusal is not None
                self._fail_streams(dict.fromkeys(group.keys, group.refusal))

    def _fail_streams(self, refused: dict[StreamKey, FoxtrotError]) -> None:
        for key, error in refused.items():
            self.report(key, StreamState.FAILED, str(error))

    def _forget(self, key: StreamKey) -> None:
        drop_slot(self._frames, key)
        self._held.pop(key, None)

    # -- calls ------------------------------------------------------------------------------

    def _start(self, group: _Group, call: _Call) -> None:
        task = asyncio.create_task(self._follow(call))
        call.task = task
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._on_end(group, call, ended))

    async def _follow(self, call: _Call) -> None:
        if call.weight:  # ccxt asks for the book by itself, past our budget
            await self._client.afford(call.weight)
        while True:
            try:
                await call.watch()
            except Exception as error:  # boundary: ccxt raises its own tree
                if not ends_a_watch(error):
                    raise
                continue  # ccxt put two lists on one connection; the other one took ours along
            call.heard.set()

    def _on_end(self, group: _Group, call: _Call, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if group.dropped:
            return
        if error is None:  # ccxt cancels what waits on a connection that it closes
            self.fail(StreamingError("a watch call was cancelled from inside"))
            return
        cause = self._client.translated(error, "the stream")
        of_stream = isinstance(cause, VenueError | UnexpectedError)
        if of_stream and not isinstance(cause, _OF_THE_SESSION):
            group.refusal = cause
            call.heard.set()
            self._refused.set()
        else:
            self.fail(cause)

    async def _stop(self, group: _Group) -> None:
        """End the calls of a group, and its streams at the venue."""
        group.dropped = True
        tasks = [call.task for call in group.calls if call.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for call in group.calls:
            await self._unwatch(call)

    async def _unwatch(self, call: _Call) -> None:
        """Without it ccxt would take the stream for watched, and never ask for it again."""
        asked = asyncio.ensure_future(call.unwatch())
        try:
            await asyncio.wait([asked], timeout=self._venue.config.subscribe_timeout_s)
        finally:
            unanswered = asked.cancel()
            await asyncio.wait([asked])
        if unanswered or asked.cancelled() or asked.exception() is not None:
            reason = "TimeoutError" if unanswered else "the connection is gone"
            log.warning("unsubscribe_failed", venue=self._venue.name, reason=reason)

    def _calls(self, keys: tuple[StreamKey, ...]) -> tuple[_Call, ...]:
        if keys[0].channel is Channel.TICK:
            return self._tick_calls([self._symbol(key.symbol) for key in keys])
        makers = {
            Channel.DEPTH: self._depth_call,
            Channel.TRADE: self._trade_call,
            Channel.BAR: self._bar_call,
        }
        (key,) = keys
        return (makers[key.channel](key, self._symbol(key.symbol)),)

    def _depth_call(self, key: StreamKey, symbol: str) -> _Call:
        sdk, told = self._client.watched, self._told

        async def watch() -> None:
            told.book(key.symbol, await sdk.watch_order_book(symbol, BOOK_LEVELS))

        weight = limits.depth_weight(BOOK_LEVELS)
        return _Call(watch, lambda: sdk.un_watch_order_book(symbol), weight)

    def _trade_call(self, key: StreamKey, symbol: str) -> _Call:
        sdk, told = self._client.watched, self._told

        async def watch() -> None:
            told.trades(key.symbol, await sdk.watch_trades(symbol))

        return _Call(watch, lambda: sdk.un_watch_trades(symbol))

    def _bar_call(self, key: StreamKey, symbol: str) -> _Call:
        sdk, told = self._client.watched, self._told
        interval = mapping.INTERVALS[Interval(key.detail)]

        async def watch() -> None:
            told.bars(key.symbol, interval, await sdk.watch_ohlcv(symbol, interval))

        return _Call(watch, lambda: sdk.un_watch_ohlcv(symbol, interval))

    def _tick_calls(self, symbols: list[str]) -> tuple[_Call, ...]:
        sdk, told = self._client.watched, self._told

        async def watch_quotes() -> None:
            told.quotes(await sdk.watch_bids_asks(symbols))

        async def watch_days() -> None:
            told.days(await sdk.watch_tickers(symbols, _TICKER))

        return (
            _Call(watch_quotes, lambda: sdk.un_watch_bids_asks(symbols)),
            _Call(watch_days, lambda: sdk.un_watch_tickers(symbols, _TICKER)),
        )

    def _symbol(self, symbol: str) -> str:
        return str(self._client.watched.market(symbol)["symbol"])


def _grouped(keys: list[StreamKey]) -> list[tuple[StreamKey, ...]]:
    """Ticks by the list, the others alone: ccxt returns one of a list, and forgets the rest."""
    ticks = [key for key in keys if key.channel is Channel.TICK]
    size = _SYMBOLS_PER_CALL
    lists = [tuple(ticks[start : start + size]) for start in range(0, len(ticks), size)]
    return [*lists, *((key,) for key in keys if key.channel is not Channel.TICK)]
