"""The market streams of the simulated Binance: their names, when they are due, what they say."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from foxtrot.simulator import binance_payloads as wire
from foxtrot.simulator.history import INTERVALS_MS, Bar
from foxtrot.simulator.listings import decimal8
from foxtrot.simulator.market import Changes, Market, Step

PERIODS_MS = {
    "bookTicker": 0,
    "trade": 0,
    "aggTrade": 0,
    "ticker": 1_000,
    "miniTicker": 1_000,
    "avgPrice": 1_000,
    "depth": 1_000,
    "depth@100ms": 100,
    **{f"depth{n}": 1_000 for n in (5, 10, 20)},
    **{f"depth{n}@100ms": 100 for n in (5, 10, 20)},
    **{f"kline_{interval}": 2_000 for interval in INTERVALS_MS},
    "kline_1s": 1_000,
}
"""Each channel and how often it speaks at most; 0 means with every update."""

ALL = "!miniTicker@arr"
"""The stream of the statistics of all symbols; it speaks once a second, of those that moved."""

_ALL_MS = PERIODS_MS["miniTicker"]
_PARTIAL = re.compile(r"depth(5|10|20)(@100ms)?")


class LastPublished(msgspec.Struct):
    """What was last sent to anybody about one symbol; prices are the texts on the wire."""

    symbol: str
    update_id: int = 0
    bid: str = ""
    bid_quantity: str = ""
    ask: str = ""
    ask_quantity: str = ""
    price: str = ""
    trade_id: int = 0
    time_ms: int = 0

    def note(self, channel: str, market: Market) -> None:
        """Take over what a frame of `channel` has just told."""
        self.time_ms = market.now_ms(self.symbol)
        if channel in ("bookTicker", "ticker"):
            quote = market.quote(self.symbol)
            self.update_id = quote.update_id
            self.bid, self.bid_quantity = decimal8(quote.bid_e8), decimal8(quote.bid_quantity_e8)
            self.ask, self.ask_quantity = decimal8(quote.ask_e8), decimal8(quote.ask_quantity_e8)
        trades = market.trades(self.symbol)
        if trades and channel in ("trade", "aggTrade", "ticker", "miniTicker"):
            self.price, self.trade_id = decimal8(trades[-1].price_e8), trades[-1].trade_id


def parse_stream(name: str) -> tuple[str, str] | None:
    """Symbol (upper case) and channel of a stream name; None if there is no such stream."""
    symbol, _, channel = name.partition("@")
    if channel not in PERIODS_MS or symbol != symbol.lower():
        return None
    return symbol.upper(), channel


Emit = Callable[[str, str, str, bytes], None]
"""Takes (stream, symbol, channel, frame); the symbol is empty if it is about many."""


class Publisher:
    """Turns the steps of the market into the frames of the streams somebody listens to.

    Args:
        market: Where bars, books and statistics are read.
        emit: Takes every frame.
    """

    def __init__(self, market: Market, emit: Emit) -> None:
        self._market, self._emit = market, emit
        self._streams: dict[str, dict[str, _Stream]] = {}
        self._all: _Stream | None = None
        self._moved: dict[str, None] = {}

    def open(self, name: str) -> tuple[str, ...]:
        """Begin a stream; returns what it is about, nothing for a name that stays silent."""
        if name == ALL:
            self._all = self._all or _Stream(name)
            return tuple(self._market.listings)
        parsed = parse_stream(name)
        if parsed is None or parsed[0] not in self._market.listings:
            return ()
        symbol, channel = parsed
        self._streams.setdefault(symbol, {}).setdefault(channel, _Stream(name))
        return (symbol,)

    def close(self, name: str) -> None:
        """End a stream that nobody listens to any more."""
        if name == ALL:
            self._all = None
            self._moved.clear()
        parsed = parse_stream(name)
        if parsed is None:
            return
        symbol, channel = parsed
        channels = self._streams.get(symbol, {})
        channels.pop(channel, None)
        if not channels:
            self._streams.pop(symbol, None)

    def publish(self, step: Step, event_ms: int, *, at_once: bool = False) -> None:
        """Send what is due after a step; `at_once` means everything."""
        for channel, stream in tuple(self._streams.get(step.symbol, {}).items()):
            if channel in ("depth", "depth@100ms"):
                stream.collect(step)
            period = PERIODS_MS[channel]
            cell = step.time_ms // period if period else 0
            if period and cell == stream.cell and not at_once:
                continue
            stream.cell = cell
            for frame in self._frames(channel, stream, step, event_ms):
                self._emit(stream.name, step.symbol, channel, frame)
        if self._all is not None:
            self._publish_all(self._all, step, event_ms, at_once=at_once)

    def _publish_all(self, stream: _Stream, step: Step, event_ms: int, *, at_once: bool) -> None:
        self._moved[step.symbol] = None
        cell = step.time_ms // _ALL_MS
        if cell == stream.cell and not at_once:
            return
        stream.cell = cell
        rows = [
            wire.mini_ticker_event(symbol, self._market.day(symbol), event_ms)
            for symbol in self._moved
        ]
        self._moved.clear()
        self._emit(stream.name, "", "miniTicker", b"[%b]" % b",".join(rows))

    def _frames(self, channel: str, stream: _Stream, step: Step, event_ms: int) -> list[bytes]:
        symbol, market = step.symbol, self._market
        if channel == "bookTicker":
            return [wire.book_ticker_event(market.quote(symbol))]
        if channel == "trade":
            return [wire.trade_event(symbol, trade, event_ms) for trade in step.trades]
        if channel == "aggTrade":
            return [wire.agg_trade_event(symbol, trade, event_ms) for trade in step.trades]
        if channel == "miniTicker":
            return [wire.mini_ticker_event(symbol, market.day(symbol), event_ms)]
        if channel == "ticker":
            trades = market.trades(symbol)
            last = trades[-1] if trades else None
            return [wire.ticker_event(market.day(symbol), market.quote(symbol), last, event_ms)]
        if channel == "avgPrice":
            bar = market.bar(symbol, "5m", step.time_ms)
            return [wire.average_price_event(symbol, bar, event_ms)]
        if channel in ("depth", "depth@100ms"):
            return [wire.depth_event(stream.collected(), event_ms)]
        partial = _PARTIAL.fullmatch(channel)
        if partial:
            return [wire.depth_snapshot(market.book(symbol, int(partial[1])))]
        return self._klines(channel.removeprefix("kline_"), stream, step, event_ms)

    def _klines(self, interval: str, stream: _Stream, step: Step, event_ms: int) -> list[bytes]:
        """The bar as it stands, after the last word on the one before it."""
        symbol = step.symbol
        bar = self._market.bar(symbol, interval, step.time_ms)
        frames = []
        if stream.bar_ms and stream.bar_ms != bar.start_ms:
            before: Bar = self._market.bar(symbol, interval, stream.bar_ms)
            frames.append(wire.kline_event(symbol, interval, before, event_ms, closed=True))
        stream.bar_ms = bar.start_ms
        frames.append(wire.kline_event(symbol, interval, bar, event_ms, closed=False))
        return frames


class _Stream:
    """What must be remembered of one open stream between two of its frames."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cell = -1
        self.bar_ms = 0
        self._first_id = 0
        self._last: Step | None = None
        self._bids: Changes = {}
        self._asks: Changes = {}

    def collect(self, step: Step) -> None:
        """Add a step to the next depth update."""
        self._first_id = self._first_id or step.first_id
        self._bids.update(step.bids)
        self._asks.update(step.asks)
        self._last = step

    def collected(self) -> Step:
        """The steps since the last call, as one."""
        last = self._last
        assert last is not None
        merged = Step(
            last.symbol, last.time_ms, self._first_id, last.last_id, self._bids, self._asks, ()
        )
        self._first_id, self._bids, self._asks = 0, {}, {}
        return merged
