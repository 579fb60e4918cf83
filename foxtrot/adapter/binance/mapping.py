"""Binance's messages as foxtrot's objects, and the sanity gate on their numbers. Pure.

The gate: a price is finite, above zero and below a trillion; a volume is finite, not negative and
below 10^18; a bid is not above its ask; a time lies before the year 10000. msgspec reads numbers in
C and takes ASCII digits only; a wrong type, a missing field or a full-width digit is a
`msgspec.ValidationError`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated

import msgspec

from foxtrot.model.constants import Direction, Exchange, Interval, Product
from foxtrot.model.objects import (
    BarData,
    ContractData,
    DayStatistics,
    DepthData,
    Levels,
    MarketTradeData,
    Source,
    TickData,
)

PRICE_LIMIT = 1e12
VOLUME_LIMIT = 1e18
TIME_LIMIT_MS = 253_402_300_800_000
NS_PER_MS = 1_000_000

INTERVALS = {
    Interval.MINUTE: "1m",
    Interval.MINUTE_5: "5m",
    Interval.MINUTE_15: "15m",
    Interval.HOUR: "1h",
    Interval.HOUR_4: "4h",
    Interval.DAILY: "1d",
    Interval.WEEKLY: "1w",
}
"""The venue's word for each bar length."""

_TAKER = Direction.LONG, Direction.SHORT
"""Who took, by whether the buyer was the maker."""

Level = tuple[float, float]

Size = Annotated[float, msgspec.Meta(ge=0.0, lt=VOLUME_LIMIT)]
"""A step or a bound: orders are rounded to it, so it is finite."""


class Quote(msgspec.Struct, gc=False):
    """`<symbol>@bookTicker`, and GET /api/v3/ticker/bookTicker without `u`."""

    s: str
    b: float
    B: float
    a: float
    A: float
    u: int = 0


class Ticker(msgspec.Struct, gc=False):
    """`<symbol>@ticker`: 24 hours, rolling."""

    E: int
    s: str
    c: float
    Q: float
    o: float
    h: float
    low: float = msgspec.field(name="l")
    v: float
    q: float
    x: float
    b: float
    B: float
    a: float
    A: float


class RestTicker(msgspec.Struct, gc=False):
    """GET /api/v3/ticker/24hr."""

    symbol: str
    lastPrice: float
    lastQty: float
    openPrice: float
    highPrice: float
    lowPrice: float
    volume: float
    quoteVolume: float
    prevClosePrice: float
    bidPrice: float
    bidQty: float
    askPrice: float
    askQty: float
    closeTime: int
    lastId: int = -1


class DepthUpdate(msgspec.Struct, gc=False):
    """`<symbol>@depth@100ms`."""

    E: int
    s: str
    U: int
    u: int
    b: list[Level]
    a: list[Level]


class DepthSnapshot(msgspec.Struct, gc=False):
    """GET /api/v3/depth."""

    lastUpdateId: int
    bids: list[Level]
    asks: list[Level]


class Trade(msgspec.Struct, gc=False):
    """`<symbol>@trade`; `m` is True when the buyer was the maker."""

    E: int
    s: str
    t: int
    p: float
    q: float
    T: int
    m: bool


class RestTrade(msgspec.Struct, gc=False):
    """GET /api/v3/trades."""

    id: int
    price: float
    qty: float
    time: int
    isBuyerMaker: bool


class Candle(msgspec.Struct, gc=False):
    """The `k` of `<symbol>@kline_<interval>`."""

    t: int
    s: str
    i: str
    o: float
    c: float
    h: float
    low: float = msgspec.field(name="l")
    v: float
    q: float
    x: bool


class Filter(msgspec.Struct):
    """One entry of a symbol's `filters`; only what contracts need."""

    filterType: str = ""
    tickSize: Size = 0.0
    stepSize: Size = 0.0
    minQty: Size = 0.0
    maxQty: Size = 0.0
    minNotional: Size = 0.0


class SymbolInfo(msgspec.Struct):
    """One entry of exchangeInfo's `symbols`."""

    symbol: str
    status: str
    baseAsset: str
    quoteAsset: str
    filters: list[Filter]


class CandleUpdate(msgspec.Struct, gc=False):
    """`<symbol>@kline_<interval>`."""

    E: int
    s: str
    k: Candle


Row = tuple[int, float, float, float, float, float, int, float, int, float, float, object]
"""GET /api/v3/klines: start, open, high, low, close, volume, end, quote volume, …"""


def bad_quote(bid: float, bid_volume: float, ask: float, ask_volume: float) -> str:
    """Why a best bid and ask cannot be believed; empty if they can."""
    if not (0.0 < bid < PRICE_LIMIT and 0.0 < ask < PRICE_LIMIT):
        return "price out of range"
    if not (0.0 <= bid_volume < VOLUME_LIMIT and 0.0 <= ask_volume < VOLUME_LIMIT):
        return "volume out of range"
    return "crossed: bid above ask" if bid > ask else ""


def bad_numbers(prices: tuple[float, ...], volumes: tuple[float, ...]) -> str:
    """Why prices or volumes cannot be believed; empty if they can."""
    # A generator for `all` would cost more than the comparisons, here and below.
    for price in prices:
        if not 0.0 < price < PRICE_LIMIT:
            return "price out of range"
    for volume in volumes:
        if not 0.0 <= volume < VOLUME_LIMIT:
            return "volume out of range"
    return ""


def bad_levels(levels: list[Level]) -> str:
    """Why levels of a book cannot be believed; a volume of 0 removes a level."""
    for price, volume in levels:
        if not (0.0 < price < PRICE_LIMIT and 0.0 <= volume < VOLUME_LIMIT):
            return "price or volume out of range"
    return ""


def bad_times(*times_ms: int) -> str:
    """Why times cannot be believed; empty if they can. Python knows no year 10000."""
    for ms in times_ms:
        if not 0 < ms < TIME_LIMIT_MS:
            return "time out of range"
    return ""


def bad_ticker(ticker: Ticker) -> str:
    """Why a `@ticker` cannot be believed; the day's prices are 0 where nobody traded."""
    return (
        bad_numbers((ticker.c,), (ticker.v, ticker.q, ticker.Q))
        or _bad_day(ticker.o, ticker.h, ticker.low, ticker.x)
        or bad_times(ticker.E)
    )


def bad_depth(update: DepthUpdate) -> str:
    """Why a `@depth` cannot be believed; empty if it can."""
    return bad_levels(update.b) or bad_levels(update.a) or bad_times(update.E)


def bad_candle(update: CandleUpdate) -> str:
    """Why a bar of the stream cannot be believed; empty if it can."""
    candle = update.k
    prices = candle.o, candle.h, candle.low, candle.c
    reason = bad_numbers(prices, (candle.v, candle.q)) or bad_times(candle.t, update.E)
    return reason or _bad_range(*prices)


def bad_row(row: Row) -> str:
    """Why a bar fetched by request cannot be believed; empty if it can."""
    reason = bad_numbers(row[1:5], (row[5], row[7])) or bad_times(row[0], row[6])
    return reason or _bad_range(*row[1:5])


def _bad_range(first: float, high: float, low: float, last: float) -> str:
    inside = low <= min(first, last) and max(first, last) <= high
    return "" if inside else "a price outside the bar's own high and low"


def bad_book(book: DepthSnapshot) -> str:
    """Why a book fetched by request cannot be believed; empty if it can."""
    reason = bad_levels(book.bids) or bad_levels(book.asks)
    if reason or not book.bids or not book.asks:
        return reason
    return "crossed: bid above ask" if book.bids[0][0] > book.asks[0][0] else ""


def candle_number(update: CandleUpdate) -> int:
    """Orders the messages of a bar stream: by the bar, then by the moment; its end comes last."""
    return end_number(update.k.t) if update.k.x else first_number(update.k.t) + update.E


def first_number(start_ms: int) -> int:
    """Below the number of anything that is said of a bar, above those of the bars before it."""
    return start_ms << 48


def end_number(start_ms: int) -> int:
    """The number of a closed bar, however it was told: nothing comes after it."""
    return first_number(start_ms + 1) - 1


def start_of(number: int) -> int:
    """The start of the bar that a number is of."""
    return number >> 48


def _bad_day(*prices: float) -> str:
    for price in prices:
        if not 0.0 <= price < PRICE_LIMIT:
            return "price of the day out of range"
    return ""


def day_of_stream(ticker: Ticker) -> DayStatistics:
    """The statistics in a `@ticker` message."""
    return DayStatistics(
        ticker.v, ticker.q, 0.0, ticker.o, ticker.h, ticker.low, ticker.x, 0.0, 0.0
    )


def day_of_rest(ticker: RestTicker) -> DayStatistics:
    """The statistics in a 24 h ticker fetched by request."""
    return DayStatistics(
        ticker.volume,
        ticker.quoteVolume,
        0.0,
        ticker.openPrice,
        ticker.highPrice,
        ticker.lowPrice,
        ticker.prevClosePrice,
        0.0,
        0.0,
    )


def bad_rest_ticker(ticker: RestTicker) -> str:
    """Why a 24 h ticker cannot be believed; empty if it can."""
    volumes = ticker.volume, ticker.quoteVolume, ticker.lastQty
    return (
        bad_numbers((ticker.lastPrice,), volumes)
        or _bad_day(ticker.openPrice, ticker.highPrice, ticker.lowPrice, ticker.prevClosePrice)
        or bad_quote(ticker.bidPrice, ticker.bidQty, ticker.askPrice, ticker.askQty)
        or bad_times(ticker.closeTime)
    )


def tick_of_rest(ticker: RestTicker, source: Source, recv_ns: int) -> TickData:
    """A tick from a 24 h ticker fetched by request."""
    return TickData(
        source,
        ticker.closeTime * NS_PER_MS,
        recv_ns,
        ticker.lastPrice,
        ticker.lastQty,
        ticker.bidPrice,
        ticker.bidQty,
        ticker.askPrice,
        ticker.askQty,
        day_of_rest(ticker),
    )


def market_trade(trade: Trade, source: Source, recv_ns: int) -> MarketTradeData:
    """A print from the stream."""
    side = _TAKER[trade.m]
    event_ns = trade.T * NS_PER_MS
    return MarketTradeData(source, event_ns, recv_ns, str(trade.t), trade.p, trade.q, side)


def market_trade_of_rest(trade: RestTrade, source: Source, recv_ns: int) -> MarketTradeData:
    """A print fetched by request."""
    side = _TAKER[trade.isBuyerMaker]
    event_ns = trade.time * NS_PER_MS
    return MarketTradeData(source, event_ns, recv_ns, str(trade.id), trade.price, trade.qty, side)


def bar_of_stream(candle: Candle, source: Source, interval: Interval) -> BarData:
    """A bar from the stream, closed or still moving."""
    return BarData(
        source.adapter_name,
        source.symbol,
        source.exchange,
        _moment(candle.t),
        interval,
        candle.v,
        candle.q,
        0.0,
        candle.o,
        candle.h,
        candle.low,
        candle.c,
        candle.x,
    )


def bar_of_row(row: Row, source: Source, interval: Interval, now_ms: int) -> BarData:
    """A bar fetched by request; closed if its end lies before `now_ms`."""
    return BarData(
        source.adapter_name,
        source.symbol,
        source.exchange,
        _moment(row[0]),
        interval,
        row[5],
        row[7],
        0.0,
        row[1],
        row[2],
        row[3],
        row[4],
        row[6] < now_ms,
    )


def depth(source: Source, event_ms: int, recv_ns: int, best: tuple[Levels, Levels]) -> DepthData:
    """The best levels of a book."""
    bids, asks = best
    return DepthData(source, event_ms * NS_PER_MS, recv_ns, bids, asks)


def contract(info: Mapping[str, object], adapter_name: str) -> ContractData | None:
    """The contract in one entry of exchangeInfo; None if it cannot be traded now.

    Raises:
        msgspec.ValidationError: The entry does not look like Binance's.
    """
    entry = msgspec.convert(info, SymbolInfo, strict=False)
    if entry.status != "TRADING":
        return None
    filters = {each.filterType: each for each in entry.filters}
    price, lot = filters.get("PRICE_FILTER", Filter()), filters.get("LOT_SIZE", Filter())
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or Filter()
    return ContractData(
        adapter_name,
        entry.symbol,
        Exchange.BINANCE,
        f"{entry.baseAsset}/{entry.quoteAsset}",
        Product.SPOT,
        1.0,
        price.tickSize,
        min_volume=lot.minQty,
        max_volume=lot.maxQty or None,
        volume_step=lot.stepSize,
        min_notional=notional.minNotional,
        stop_supported=True,
        net_position=True,
        history_data=True,
    )


def _moment(ms: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(ms / 1000, dt.UTC)
