"""What the streams do not tell by themselves, fetched by request beside them.

The first tick of a quiet symbol, the book that differences apply to, the bars that ended during a
gap, and whether a silent stream is quiet or dead. A refusal of these costs no stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

from foxtrot.adapter.binance import mapping
from foxtrot.adapter.binance.client import BinanceClient
from foxtrot.adapter.binance.frames import GONE, FrameRouter
from foxtrot.adapter.binance.marks import DAY, day_of
from foxtrot.adapter.binance.session import Venue
from foxtrot.connectivity.diagnostics import labels
from foxtrot.connectivity.freshness import StreamFreshness
from foxtrot.core.logs import get_logger
from foxtrot.errors import (
    Action,
    FoxtrotError,
    StaleStream,
    UnknownSymbol,
    VenueError,
)
from foxtrot.model.constants import Channel, Exchange, Interval, StreamState
from foxtrot.model.health import StreamKey

log = get_logger("foxtrot.binance.snapshots")

BOOK_LEVELS = 500
_COMPARED_LEVELS = 5
_PROBED_SYMBOLS = 20
_SYMBOLS_AT_ONCE = 100
_BARS_AT_ONCE = 1000
_RETRY_S = 1.0
_BOOK_RETRY_S = 0.25
_ARRIVAL = 0.25
"""The part of a probe's time that data may take which the snapshot knew already."""

_STRIKES_OF_DAY = 2
"""The statistics follow a print by a second, so that one look may see the print alone."""

Report = Callable[[StreamKey, StreamState, str], None]
Step = Callable[[StreamKey], Awaitable[None]]


class Snapshots:
    """Fetches for one websocket session.

    Args:
        venue: What the sessions share.
        client: The session's own.
        frames: Where snapshots are merged into the streams.
        report: Told that a stream is quiet, stale or alive again.
        renew: Asks the venue for one stream afresh.
        give_up: Gives one stream back, for good as far as this session goes.
    """

    def __init__(
        self,
        venue: Venue,
        client: BinanceClient,
        frames: FrameRouter,
        *,
        report: Report,
        renew: Step,
        give_up: Step,
    ) -> None:
        self._venue, self._client, self._frames = venue, client, frames
        self._report, self._renew, self._give_up = report, renew, give_up
        self._seeds: set[str] = set()
        self._books: dict[str, str] = {}
        """Those that are awaited, and what the venue said when it was last asked."""
        self._bars: dict[StreamKey, None] = {}
        self._work = asyncio.Event()
        config = venue.config
        self._freshness = StreamFreshness(
            idle_s=config.stream_idle_s, longest_s=config.stream_longest_s
        )

    def want(self, keys: Iterable[StreamKey]) -> None:
        """Complete streams that have just been subscribed."""
        for key in keys:
            if key.channel is Channel.TICK:
                self._seeds.add(key.symbol)
            elif key.channel is Channel.DEPTH:
                self._books.setdefault(key.symbol, "")
            elif key.channel is Channel.BAR and self._frames.missed_since(key) >= 0:
                self._bars[key] = None
        self._work.set()

    def want_book(self, symbol: str) -> None:
        """Fetch the book of a symbol, after a gap."""
        self._books.setdefault(symbol, "")
        self._work.set()

    async def fetch(self) -> None:
        """Fetch what is wanted, one after the other, for as long as the session lives."""
        while True:
            await self._work.wait()
            await asyncio.sleep(self._held_s)
            self._work.clear()
            for step in (self._fetch_seeds, self._fetch_books, self._fetch_bars):
                await self._try(step)

    async def _try(self, step: Callable[[], Awaitable[None]]) -> None:
        """What one kind of question is refused must not hold up the others for good."""
        if self._held_s:
            self._work.set()
            return
        try:
            await step()
        except FoxtrotError as error:
            log.warning("snapshot_failed", venue=self._venue.name, **labels(error))
            self._venue.port.on_error(error)
            await asyncio.sleep(_RETRY_S)
            self._work.set()

    async def watch(self, keys: Callable[[], Collection[StreamKey]]) -> None:
        """Find streams that stand still, for as long as the session lives."""
        judging: asyncio.Task[None] | None = None
        async with asyncio.TaskGroup() as group:
            while True:
                await asyncio.sleep(self._venue.config.stream_look_s)
                silent = self._look(keys())
                if silent and not self._held_s and (judging is None or judging.done()):
                    judging = group.create_task(self._judge(silent))

    def _look(self, keys: Collection[StreamKey]) -> list[StreamKey]:
        """Say which streams came alive, and which have no book; returns those to compare."""
        now = asyncio.get_running_loop().time()
        parts = [part for key in keys for part in _parts(key)]
        activity = {part: self._frames.activity(part) for part in parts}
        sighting = self._freshness.look(activity, now)
        for key in sighting.revived:
            if key.detail != DAY:
                self._report(key, StreamState.ACTIVE, "data came")
        bookless = [key for key in sighting.silent if self._lacks_book(key)]
        for key in bookless:
            self._freshness.condemn(key, now)
            said = self._books[key.symbol] or "it is asked for"
            self._report(key, StreamState.STALE, f"there is no book: {said}")
        return [key for key in sighting.silent if key not in bookless]

    def _lacks_book(self, key: StreamKey) -> bool:
        """Whether there is nothing to apply the differences of a stream to, however they flow."""
        return key.channel is Channel.DEPTH and key.symbol in self._books

    async def compare_session(self) -> None:
        """Silence of everything is fine in a quiet market.

        Raises:
            StaleStream: A price moved without us.
        """
        if self._held_s:
            return
        told = (symbol for symbol in self._frames.ticks if self._frames.quoted(symbol))
        symbols = sorted(told)[:_PROBED_SYMBOLS]  # what was never told, cannot have moved
        before = {symbol: self._frames.quoted(symbol) for symbol in symbols}
        try:
            tickers = await self._tickers(symbols, {})
        except FoxtrotError as error:
            log.info("probe_without_snapshot", venue=self._venue.name, **labels(error))
            return
        moved = [
            symbol
            for symbol, ticker in tickers.items()
            if symbol in before and before[symbol] != _quoted(ticker)
        ]
        if moved:  # what is on its way arrives meanwhile
            await asyncio.sleep(self._venue.config.probe_s * _ARRIVAL)
        moved = [symbol for symbol in moved if self._frames.quoted(symbol) == before[symbol]]
        if moved:
            raise StaleStream(", ".join(moved[:3]))

    @property
    def _held_s(self) -> float:
        """For how many seconds the venue wants to be asked nothing more."""
        return self._venue.weights.held_s(asyncio.get_running_loop().time())

    # -- first ticks and books --------------------------------------------------------------

    async def _fetch_seeds(self) -> None:
        """After a failure, a stream that goes on saying nothing has it from `_judge`."""
        wanted, self._seeds = sorted(self._seeds), set()
        for ticker in (await self._tickers(wanted, {})).values():
            self._frames.seed(ticker)

    async def _fetch_bars(self) -> None:
        while self._bars:
            key = next(iter(self._bars))
            if not await self._fetch_missed(key):
                self._bars.pop(key, None)
            await self._fetch_seeds()  # prices of now are worth more than bars of the past
            await self._fetch_books()

    async def _fetch_missed(self, key: StreamKey) -> bool:
        """Tell a page of what a stream missed; returns whether there is another one.

        What the venue refuses of one symbol must not hold up the others.
        """
        since_ms = self._frames.missed_since(key)
        if since_ms < 0:  # given back meanwhile
            return False
        page: dict[str, str | int] = {"startTime": since_ms, "limit": _BARS_AT_ONCE}
        try:
            rows = await self._venue.candles(self._client, key.symbol, Interval(key.detail), page)
        except VenueError as error:
            if error.action is Action.WAIT:
                raise
            log.warning("bars_missed", venue=self._venue.name, stream=str(key), **labels(error))
            return False
        if not self._frames.missed(key, rows):
            reason = "a later bar has ended meanwhile"
            log.warning("bars_missed", venue=self._venue.name, stream=str(key), reason=reason)
            return False
        return len(rows) == _BARS_AT_ONCE and self._frames.missed_since(key) > since_ms

    async def _fetch_books(self) -> None:
        """A book that does not reach the stream yet is asked for again after a moment."""
        while self._books:
            for symbol in list(self._books):
                if await self._fetch_book(symbol):
                    self._books.pop(symbol, None)
            if self._books:
                await asyncio.sleep(_BOOK_RETRY_S)

    async def _fetch_book(self, symbol: str) -> bool:
        """Returns whether that is done; a symbol that cannot be had must not hold up the others."""
        try:
            book = await self._venue.book(self._client, symbol, BOOK_LEVELS)
        except UnknownSymbol as error:
            await self._lose(StreamKey(Channel.DEPTH, symbol, Exchange.BINANCE), error)
            return True
        except FoxtrotError as error:
            self._books.pop(symbol, None)
            self._books[symbol] = str(error)  # the last in the row now
            raise
        return self._frames.snapshot(symbol, book, asked=BOOK_LEVELS)

    async def _tickers(
        self, symbols: Sequence[str], unlisted: dict[str, UnknownSymbol]
    ) -> dict[str, mapping.RestTicker]:
        found: dict[str, mapping.RestTicker] = {}
        for start in range(0, len(symbols), _SYMBOLS_AT_ONCE):
            some = symbols[start : start + _SYMBOLS_AT_ONCE]
            tickers = await self._venue.tickers(self._client, some, unlisted)
            found |= {ticker.symbol: ticker for ticker in tickers}
        return found

    # -- quiet or stale ---------------------------------------------------------------------

    async def _judge(self, silent: Sequence[StreamKey]) -> None:
        before = {key: self._frames.activity(key) for key in silent}
        unlisted: dict[str, UnknownSymbol] = {}
        try:
            tickers = await self._tickers(sorted({key.symbol for key in silent}), unlisted)
            for key in dict.fromkeys(_whole(key) for key in silent if key.symbol in unlisted):
                await self._lose(key, unlisted[key.symbol])
            for ticker in tickers.values():
                self._frames.seed(ticker)
            known = [key for key in silent if key.symbol in tickers]
            views = {key: await self._views(key, tickers[key.symbol]) for key in known}
            # A stream may be a moment behind the snapshot; what is on its way arrives meanwhile.
            await asyncio.sleep(self._venue.config.stream_look_s)
            for key, view in views.items():
                if GONE != self._frames.activity(key) == before[key]:
                    await self._judge_one(key, *view)
        except FoxtrotError as error:
            log.info("streams_not_compared", venue=self._venue.name, **labels(error))

    async def _judge_one(self, key: StreamKey, told: object, snapshot: object) -> None:
        now = asyncio.get_running_loop().time()
        strikes = self._freshness.judge(key, snapshot, now, told=told)
        if not strikes:
            if self._freshness.state(key) is StreamState.QUIET and key.detail != DAY:
                self._report(key, StreamState.QUIET, "its market stands still")
            return
        if key.detail == DAY and strikes < _STRIKES_OF_DAY:
            return
        error = StaleStream(str(key))
        log.warning("stream_stale", venue=self._venue.name, strikes=strikes, **labels(error))
        await self._mend(_whole(key), error, strikes)

    async def _mend(self, key: StreamKey, error: StaleStream, strikes: int) -> None:
        """Ask afresh for a stream that stands still in whole or in part; or give it up."""
        if strikes >= self._venue.config.stream_strikes:
            await self._lose(key, error)
            return
        if error.stream == str(key):
            self._report(key, StreamState.STALE, str(error))
        else:  # its quotes are live: polled beside them, an older one could overwrite a newer one
            self._venue.port.on_error(error)
        await self._renew(key)

    async def _lose(self, key: StreamKey, error: FoxtrotError) -> None:
        await self._give_up(key)
        self._report(key, StreamState.FAILED, str(error))

    async def _views(self, key: StreamKey, ticker: mapping.RestTicker) -> tuple[object, object]:
        """What the stream said last (None: not comparable) and what the market looks like now."""
        if key.channel is Channel.TICK and key.detail != DAY:
            return self._frames.quoted(key.symbol), _quoted(ticker)
        if key.channel is Channel.DEPTH:
            book = await self._venue.book(self._client, key.symbol, _COMPARED_LEVELS)
            snapshot = tuple(book.bids), tuple(book.asks)
            return self._frames.levels(key.symbol, _COMPARED_LEVELS), snapshot
        # Prints, bars and statistics move exactly when somebody trades.
        return None, ticker.lastId


def _parts(key: StreamKey) -> tuple[StreamKey, ...]:
    """What of a stream comes by a stream of its own at the venue."""
    if key.channel is Channel.TICK:
        return key, day_of(key)
    return (key,)


def _whole(key: StreamKey) -> StreamKey:
    """The stream that `key` is a part of, or is."""
    return StreamKey(key.channel, key.symbol, key.exchange) if key.detail == DAY else key


def _quoted(ticker: mapping.RestTicker) -> tuple[float, float, float, float]:
    return ticker.bidPrice, ticker.bidQty, ticker.askPrice, ticker.askQty
