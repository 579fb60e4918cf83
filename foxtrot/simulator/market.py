"""The simulated market: prices, order books, trades, day statistics and bars, from one seed.

Pure: no clock, no thread, no I/O. The caller says what time it is, and every step tells what
changed. Each symbol has an order book of `LEVELS` levels a side on a fixed ladder of prices;
the fair price walks near a `history.Path`, trades happen where the book stands, and bars and
statistics are made of those trades.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import msgspec

from foxtrot.errors import UnknownSymbol
from foxtrot.simulator.history import (
    DAY_MS,
    INTERVALS_MS,
    LAUNCH_MS,
    Bar,
    Path,
    bar_end,
    bar_start,
)
from foxtrot.simulator.listings import E8, Listing, listing, notional_e8

LEVELS = 60
STEP_MS = 100
_KEPT_TRADES = 1_000
_SWEEP = 4
_TRADE_CHANCE = 0.4
_PULL, _SPREAD_OF_STEP = 0.05, 1e-5
_HOUR_MS = INTERVALS_MS["1h"]
_SERIES = {1_000: 1_000, 60_000: 1_500, _HOUR_MS: 200}
"""Length of the live bars that are kept, and how many of them."""

Changes = dict[int, int]
"""Price to the new quantity, 0 where the level is gone; both in units of 1e-8."""


class Trade(msgspec.Struct, frozen=True, gc=False):
    """A print. `buyer_is_maker` means that a seller hit a bid."""

    trade_id: int
    price_e8: int
    quantity_e8: int
    time_ms: int
    buyer_is_maker: bool


class Quote(msgspec.Struct, frozen=True, gc=False):
    """The best bid and ask, as of one update of the book."""

    symbol: str
    update_id: int
    bid_e8: int
    bid_quantity_e8: int
    ask_e8: int
    ask_quantity_e8: int


class Book(msgspec.Struct, frozen=True, gc=False):
    """The order book, best levels first."""

    symbol: str
    update_id: int
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]


class Step(msgspec.Struct, frozen=True):
    """What one step changed. The updates `first_id` to `last_id` follow the step before."""

    symbol: str
    time_ms: int
    first_id: int
    last_id: int
    bids: Changes
    asks: Changes
    trades: tuple[Trade, ...]


class Market:
    """All symbols of a venue. A symbol sleeps, costing nothing, until it is first asked for.

    Args:
        listings: What is traded.
        seed: Same seed, same times, same market.
        now_ms: When it starts.

    Thread safety: none; one thread owns it.
    """

    def __init__(self, listings: Sequence[Listing], *, seed: int = 0, now_ms: int) -> None:
        self.listings = {item.symbol: item for item in listings}
        self.on_step: Callable[[Step], None] | None = None
        self._seed, self._now_ms = seed, now_ms
        self._live: dict[str, _Live] = {}

    @classmethod
    def of(cls, symbols: Sequence[str], *, seed: int = 0, now_ms: int) -> Market:
        """A market of these symbols."""
        return cls([listing(symbol) for symbol in symbols], seed=seed, now_ms=now_ms)

    def __repr__(self) -> str:
        return f"<Market symbols={len(self.listings)} awake={len(self._live)}>"

    @property
    def awake(self) -> tuple[str, ...]:
        """The symbols that have been asked for."""
        return tuple(self._live)

    def tick(self, symbol: str, now_ms: int | None = None) -> Step:
        """Advance one symbol by one step; without a time, by 100 ms."""
        live = self._at(symbol)
        return self._told(live.step(live.now_ms + STEP_MS if now_ms is None else now_ms))

    def set_quote(self, symbol: str, bid: float, now_ms: int | None = None) -> Step:
        """Move the book so that its best bid is the level at `bid` or the next one below."""
        live = self._at(symbol)
        at = live.now_ms + STEP_MS if now_ms is None else now_ms
        return self._told(live.jump(round(bid * E8), at))

    def quote(self, symbol: str) -> Quote:
        """The best bid and ask."""
        return self._at(symbol).quote()

    def book(self, symbol: str, levels: int = LEVELS) -> Book:
        """The best levels of the book."""
        return self._at(symbol).book(levels)

    def trades(self, symbol: str) -> Sequence[Trade]:
        """The latest trades, oldest first."""
        return self._at(symbol).trades

    def day(self, symbol: str) -> Bar:
        """The statistics of the last 24 hours, which move in steps of an hour."""
        return self._at(symbol).day()

    def bar(self, symbol: str, interval: str, at_ms: int) -> Bar:
        """The bar of `interval` that holds the moment `at_ms`."""
        start = bar_start(interval, at_ms)
        return self._at(symbol).bar(start, bar_end(interval, start))

    def stretch(self, symbol: str, start_ms: int, end_ms: int) -> Bar:
        """The bar of any stretch of whole seconds; minutes and hours if it is made of them."""
        return self._at(symbol).bar(start_ms, end_ms)

    def bars(
        self, symbol: str, interval: str, start_ms: int | None, end_ms: int | None, limit: int
    ) -> list[Bar]:
        """Bars that start in the range: the first ones from `start_ms`, else the last ones."""
        live = self._at(symbol)
        if start_ms is not None and start_ms > live.now_ms:
            return []
        latest = bar_start(interval, live.now_ms if end_ms is None else min(end_ms, live.now_ms))
        starts = (
            _backwards(interval, latest, limit)
            if start_ms is None
            else _forwards(interval, max(start_ms, LAUNCH_MS), latest, limit)
        )
        return [live.bar(start, bar_end(interval, start)) for start in starts]

    def now_ms(self, symbol: str) -> int:
        """The time of the symbol's last step."""
        return self._at(symbol).now_ms

    def wake(self, symbol: str, now_ms: int) -> None:
        """Start a sleeping symbol at `now_ms`.

        Raises:
            UnknownSymbol: It is not listed.
        """
        if symbol in self._live:
            return
        item = self.listings.get(symbol)
        if item is None:
            raise UnknownSymbol("simulator", "-1121", f"{symbol} is not listed")
        self._live[symbol] = _Live(item, self._seed, now_ms)

    def _at(self, symbol: str) -> _Live:
        if symbol not in self._live:
            self.wake(symbol, self._now_ms)
        return self._live[symbol]

    def _told(self, step: Step) -> Step:
        self._now_ms = max(self._now_ms, step.time_ms)
        if self.on_step is not None:
            self.on_step(step)
        return step


class _Live:
    """One symbol that is awake. Level n of the ladder has the price n times the gap."""

    def __init__(self, item: Listing, seed: int, now_ms: int) -> None:
        self.item = item
        self.now_ms = self.born_ms = now_ms
        self.trades: deque[Trade] = deque(maxlen=_KEPT_TRADES)
        self._path = Path(item, seed)
        # S311: prices of a toy market, not secrets
        self._random = random.Random(f"{seed}:{item.symbol}:live")  # noqa: S311
        self._fair = self._path.price(now_ms)
        self._best = max(LEVELS, int(self._fair) // item.gap_e8)
        self._quantity = {level: self._new_quantity() for level in self._window(self._best)}
        self._update_id = self._path.trade_count(now_ms) * 7
        self._next_trade = self._path.trade_count(now_ms)
        self._series = {length: deque[Bar](maxlen=kept) for length, kept in _SERIES.items()}

    def step(self, now_ms: int) -> Step:
        """Let time pass until `now_ms`."""
        self.now_ms = max(self.now_ms, now_ms)
        pull = (self._path.price(self.now_ms) - self._fair) * _PULL
        self._fair += pull + self._random.gauss(0.0, _SPREAD_OF_STEP) * self._fair
        return self._advance(int(self._fair) // self.item.gap_e8)

    def jump(self, bid_e8: int, now_ms: int) -> Step:
        """Move the best bid to the level at or below `bid_e8`."""
        self.now_ms = max(self.now_ms, now_ms)
        self._fair = float(bid_e8)
        return self._advance(bid_e8 // self.item.gap_e8)

    def quote(self) -> Quote:
        """The best bid and ask."""
        best, gap = self._best, self.item.gap_e8
        return Quote(
            self.item.symbol,
            self._update_id,
            best * gap,
            self._quantity[best],
            (best + 1) * gap,
            self._quantity[best + 1],
        )

    def book(self, levels: int) -> Book:
        """The best levels of the book."""
        best, gap, quantity = self._best, self.item.gap_e8, self._quantity
        depth = range(min(levels, LEVELS))
        bids = tuple(((best - n) * gap, quantity[best - n]) for n in depth)
        asks = tuple(((best + 1 + n) * gap, quantity[best + 1 + n]) for n in depth)
        return Book(self.item.symbol, self._update_id, bids, asks)

    def day(self) -> Bar:
        """The last 23 to 24 hours as one bar: the current hour and the 23 before it."""
        start = bar_start("1h", self.now_ms) + _HOUR_MS - DAY_MS
        return self.bar(start, start + DAY_MS)

    def bar(self, start_ms: int, end_ms: int) -> Bar:
        """The bar of a stretch of time: the path up to the birth, then the trades."""
        length = next(n for n in sorted(_SERIES, reverse=True) if (end_ms - start_ms) % n == 0)
        series = self._series[length]
        known_ms = max(self.born_ms, series[0].start_ms) if series else self.born_ms
        bar = self._past(start_ms, min(end_ms, known_ms), end_ms)
        for piece in _since(series, max(start_ms, known_ms // length * length)):
            if piece.start_ms >= end_ms:
                break
            bar.add(piece)
        if not bar.trades:
            return Bar.flat(start_ms, end_ms, self._close_before(series, start_ms))
        bar.start_ms, bar.end_ms = start_ms, end_ms
        return bar

    def _past(self, start_ms: int, until_ms: int, end_ms: int) -> Bar:
        """The part of a bar that is older than the live trades."""
        if until_ms <= start_ms:
            return Bar.flat(start_ms, end_ms, 0)
        return self._path.bar(start_ms, until_ms, samples=12 if end_ms - start_ms > _HOUR_MS else 6)

    def _close_before(self, series: deque[Bar], at_ms: int) -> int:
        for piece in reversed(series):
            if piece.start_ms < at_ms:
                return piece.close_e8
        return self._path.price_on_grid(min(at_ms, self.born_ms))

    def _advance(self, best: int) -> Step:
        first_id = self._update_id + 1
        bids: Changes = {}
        asks: Changes = {}
        trades = list(self._trade_quietly(bids, asks))
        best = max(LEVELS, best)
        if best != self._best:
            trades.extend(self._sweep(best))
            self._move(best, bids, asks)
        self._refresh(bids, asks)
        self._update_id += len(bids) + len(asks)
        for trade in trades:
            self._count(trade)
        return Step(
            self.item.symbol, self.now_ms, first_id, self._update_id, bids, asks, tuple(trades)
        )

    def _trade_quietly(self, bids: Changes, asks: Changes) -> Iterator[Trade]:
        """Now and then somebody takes a part of the best level."""
        if self._random.random() > _TRADE_CHANCE:
            return
        seller = self._random.random() < 0.5
        level = self._best if seller else self._best + 1
        step = self.item.step_e8
        most = min(self._quantity[level] - step, self.item.lot_e8 // 2) // step
        if most < 1:
            return
        taken = self._random.randint(1, most) * step
        self._quantity[level] -= taken
        (bids if seller else asks)[level * self.item.gap_e8] = self._quantity[level]
        yield self._trade(level, taken, seller)

    def _sweep(self, best: int) -> Iterator[Trade]:
        """The levels on the way to the new price are bought or sold out, the first by trades."""
        up = best > self._best
        levels = range(self._best + 1, best + 1) if up else range(self._best, best, -1)
        for level in levels[:_SWEEP]:
            if level in self._quantity:
                yield self._trade(level, self._quantity[level], not up)

    def _move(self, best: int, bids: Changes, asks: Changes) -> None:
        """Shift the book's window; a level that changes sides is removed here and made there."""
        gap, old, before = self.item.gap_e8, self._quantity, self._best
        now = self._window(best)
        for level in old:
            if level not in now or (level <= before) != (level <= best):
                (bids if level <= before else asks)[level * gap] = 0
        fresh = {}
        for level in now:
            if level in old and (level <= before) == (level <= best):
                fresh[level] = old[level]
                continue
            fresh[level] = self._new_quantity()
            (bids if level <= best else asks)[level * gap] = fresh[level]
        self._quantity, self._best = fresh, best

    def _refresh(self, bids: Changes, asks: Changes) -> None:
        """Somebody changes an order: always at the touch, so that every step is seen there."""
        touch = self._best + (self._random.random() < 0.5)
        deeper = self._best + self._random.randint(-9, 10)
        for level in {touch, deeper}:
            self._quantity[level] = self._new_quantity()
            side = bids if level <= self._best else asks
            side[level * self.item.gap_e8] = self._quantity[level]

    def _count(self, trade: Trade) -> None:
        """Book a trade into the bars and the tape."""
        self.trades.append(trade)
        piece = _bar_of(trade)
        for length, series in self._series.items():
            start = trade.time_ms // length * length
            if not series or series[-1].start_ms != start:
                series.append(Bar.flat(start, start + length, trade.price_e8))
            series[-1].add(piece)

    def _trade(self, level: int, quantity_e8: int, seller: bool) -> Trade:
        trade_id = self._next_trade
        self._next_trade += 1
        return Trade(trade_id, level * self.item.gap_e8, quantity_e8, self.now_ms, seller)

    def _window(self, best: int) -> range:
        return range(best - LEVELS + 1, best + LEVELS + 1)

    def _new_quantity(self) -> int:
        lots = 0.05 + self._random.expovariate(1.0)
        step = self.item.step_e8
        return max(step, int(self.item.lot_e8 * lots) // step * step)


def _bar_of(trade: Trade) -> Bar:
    turnover = notional_e8(trade.price_e8, trade.quantity_e8)
    bar = Bar.flat(trade.time_ms, trade.time_ms, trade.price_e8)
    bar.volume_e8, bar.turnover_e8, bar.trades = trade.quantity_e8, turnover, 1
    bar.first_id = bar.last_id = trade.trade_id
    if not trade.buyer_is_maker:
        bar.taker_volume_e8, bar.taker_turnover_e8 = trade.quantity_e8, turnover
    return bar


def _since(series: deque[Bar], start_ms: int) -> Iterator[Bar]:
    """The kept bars from `start_ms` on; the search runs from the young end."""
    skip = len(series)
    for piece in reversed(series):
        if piece.start_ms < start_ms:
            break
        skip -= 1
    return (series[index] for index in range(skip, len(series)))


def _backwards(interval: str, latest: int, limit: int) -> list[int]:
    starts: list[int] = []
    while len(starts) < limit and latest >= LAUNCH_MS:
        starts.append(latest)
        latest = bar_start(interval, latest - 1)
    return starts[::-1]


def _forwards(interval: str, start_ms: int, latest: int, limit: int) -> list[int]:
    starts: list[int] = []
    start = bar_start(interval, start_ms)
    if start < start_ms:
        start = bar_end(interval, start)
    while len(starts) < limit and start <= latest:
        starts.append(start)
        start = bar_end(interval, start)
    return starts
