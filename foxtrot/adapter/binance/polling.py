"""The polling session: the same market data by request, round after round."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from foxtrot.adapter.binance import limits, mapping
from foxtrot.adapter.binance.session import BinanceSession, Venue
from foxtrot.connectivity.diagnostics import labels
from foxtrot.connectivity.orchestrator import SubscribeOutcome
from foxtrot.core.logs import get_logger
from foxtrot.errors import Action, UnknownSymbol, VenueError
from foxtrot.gateway.counters import FeedCounters
from foxtrot.gateway.episodes import Episodes
from foxtrot.model.constants import Channel, Exchange, Interval, Lane, StreamState
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import Source

log = get_logger("foxtrot.binance.polling")

_SYMBOLS_AT_ONCE = 100
_TRADES_AT_ONCE = 500
_BARS_AT_ONCE = 1000
"""So many weigh no more than one, and many may have ended since the last round."""


class PollingSession(BinanceSession):
    """Asks for every wanted stream once per `polling.interval`, within the weight budget."""

    def __init__(self, venue: Venue, counters: FeedCounters) -> None:
        super().__init__(venue, counters)
        self._keys: dict[StreamKey, Source] = {}
        self._episodes = Episodes(counters, log.bind(venue=venue.name))
        self._wanted = asyncio.Event()

    # -- Session ----------------------------------------------------------------------------

    async def open(self) -> None:
        """See that the venue answers."""
        await self.probe()

    async def subscribe(self, keys: Sequence[StreamKey]) -> SubscribeOutcome:
        """Poll these from now on."""
        known, refused = self.sources(keys)
        self._keys.update(known)
        self._wanted.set()
        return SubscribeOutcome(refused)

    async def unsubscribe(self, keys: Sequence[StreamKey]) -> None:
        """Poll these no more; an answer under way is dropped."""
        for key in keys:
            self._keys.pop(key, None)
            self._venue.forget_if_unwanted(key)

    async def probe(self) -> None:
        """Ask the venue for a sign of life; while our own budget holds us back, silence is ours."""
        if self._client.held_back:
            return
        await self._client.get("ping", weight=limits.PING_WEIGHT)
        self._counters.received += 1

    async def run(self) -> None:
        """One round after the other; a transport error ends the session."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.raise_when_lost())
            group.create_task(self._rounds())

    # -- rounds -----------------------------------------------------------------------------

    async def _rounds(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._keys and not self._wanted.is_set():
                started = loop.time()
                await self._round()
                spent_s = loop.time() - started
                await self._pause(self._venue.config.polling_interval_s - spent_s)

    async def _pause(self, seconds: float) -> None:
        """Wait for the next round; a new stream need not wait."""
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                await self._wanted.wait()
        except TimeoutError:
            return

    async def _round(self) -> None:
        ticks = [key.symbol for key in self._keys if key.channel is Channel.TICK]
        for start in range(0, len(ticks), _SYMBOLS_AT_ONCE):
            await self._ticks(ticks[start : start + _SYMBOLS_AT_ONCE])
        for key in list(self._keys):
            if key.channel is not Channel.TICK:
                await self._one(key)

    async def _one(self, key: StreamKey) -> None:
        """One stream; what the venue refuses for one symbol must not stop the others."""
        polls = {
            Channel.DEPTH: self._depth,
            Channel.TRADE: self._trades,
            Channel.BAR: self._bars,
        }
        try:
            await polls[key.channel](key)
        except UnknownSymbol as error:
            self._give_up(key, error)
        except VenueError as error:
            if error.action is Action.WAIT:
                raise
            log.warning("poll_refused", venue=self._venue.name, stream=str(key), **labels(error))
            self._venue.port.on_error(error)

    async def _ticks(self, symbols: list[str]) -> None:
        unlisted: dict[str, UnknownSymbol] = {}
        before = {symbol: self._venue.marks.of(_tick_key(symbol)).at for symbol in symbols}
        tickers = await self._venue.tickers(self._client, symbols, unlisted)
        for symbol, error in unlisted.items():
            self._give_up(_tick_key(symbol), error)
        recv_ns = time.time_ns()
        for ticker in tickers:
            self._counters.received += 1
            key = _tick_key(ticker.symbol)
            source = self._keys.get(key)
            if source is None:
                self._counters.ignored += 1
                continue
            mark = self._venue.marks.of(key)
            if mark.at != before.get(ticker.symbol, mark.at):  # told by a stream that is back
                self._counters.stale += 1
                continue
            mark.heard_ns = recv_ns
            reason = mapping.bad_rest_ticker(ticker)
            if not self._episodes.refuses(source.symbol, "tick", reason):
                mark.tick = mapping.tick_of_rest(ticker, source, recv_ns)
                self._venue.port.on_tick(mark.tick, self._lane(key))

    def _give_up(self, key: StreamKey, error: UnknownSymbol) -> None:
        if self._keys.pop(key, None) is not None:
            self.report(key, StreamState.FAILED, str(error))

    async def _depth(self, key: StreamKey) -> None:
        levels, heard_ns = self._venue.settings.depth_levels, self._venue.marks.heard_ns(key)
        book = await self._venue.book(self._client, key.symbol, levels)
        if self._venue.marks.heard_ns(key) > heard_ns:  # by a stream that is back
            self._counters.received += 1
            self._counters.stale += 1
            return
        source = self._source(key)
        if source is None:
            return
        reason = mapping.bad_book(book)
        if not self._episodes.refuses(source.symbol, "depth", reason):
            best = tuple(book.bids[:levels]), tuple(book.asks[:levels])
            depth = mapping.depth(source, 0, time.time_ns(), best)
            self._venue.port.on_depth(depth, self._lane(key))

    async def _trades(self, key: StreamKey) -> None:
        params: dict[str, str | int] = {"symbol": key.symbol, "limit": _TRADES_AT_ONCE}
        answer = await self._client.get("trades", params, weight=limits.TRADES_WEIGHT)
        trades = self._venue.converted(answer, list[mapping.RestTrade], "trades")
        source = self._source(key)
        if source is None:
            return
        for trade in self._news(key, trades):
            times = mapping.bad_times(trade.time)
            reason = mapping.bad_numbers((trade.price,), (trade.qty,)) or times
            if not self._episodes.refuses(source.symbol, "trade", reason):
                item = mapping.market_trade_of_rest(trade, source, time.time_ns())
                self._venue.port.on_market_trade(item)

    def _news(self, key: StreamKey, tape: list[mapping.RestTrade]) -> list[mapping.RestTrade]:
        """The trades that were not told yet; where nothing was, the tape is history, not news."""
        mark = self._venue.marks.of(key)
        newest = max((trade.id for trade in tape), default=max(mark.at, 0))
        first = mark.at < 0
        anew = newest < mark.at and not mark.is_old(newest, time.time_ns())
        news = sorted((trade for trade in tape if trade.id > mark.at), key=lambda each: each.id)
        missed = news[0].id - mark.at - 1 if news and not first else 0
        if missed:
            log.warning("prints_missed", venue=self._venue.name, symbol=key.symbol, count=missed)
        if first or anew or news:
            mark.at = newest
        return [] if first else news

    async def _bars(self, key: StreamKey) -> None:
        interval, told = Interval(key.detail), self._venue.marks.of(key).at
        page = {"limit": 1}  # the others are history, not news
        if told >= 0:
            page = {"limit": _BARS_AT_ONCE, "startTime": mapping.start_of(told)}
        rows = await self._venue.candles(self._client, key.symbol, interval, page)
        source = self._source(key)
        if source is None:
            return
        mark = self._venue.marks.of(key)
        # The last of a full page has ended long ago: it is the first of the next round's.
        for row in rows[:-1] if len(rows) == _BARS_AT_ONCE else rows:
            end = mapping.end_number(row[0])
            if end <= mark.at:
                continue
            if self._episodes.refuses(source.symbol, "bar", mapping.bad_row(row)):
                continue
            # The next bar says that one has ended; our clock may be ahead of the venue's.
            bar = mapping.bar_of_row(row, source, interval, rows[-1][0])
            mark.at = end if bar.closed else max(mark.at, mapping.first_number(row[0]))
            self._venue.port.on_bar(bar)

    def _lane(self, key: StreamKey) -> Lane:
        request = self._venue.port.request_of(key)
        return Lane.LATEST if request is None or request.conflate else Lane.BOUNDED

    def _source(self, key: StreamKey) -> Source | None:
        """The source, if the stream is still wanted now that the answer is here."""
        self._counters.received += 1
        source = self._keys.get(key)
        if source is not None:
            self._venue.marks.of(key).heard_ns = time.time_ns()
        return source


def _tick_key(symbol: str) -> StreamKey:
    return StreamKey(Channel.TICK, symbol, Exchange.BINANCE)
