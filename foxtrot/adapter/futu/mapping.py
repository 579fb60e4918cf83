"""OpenD's market data as foxtrot's objects, and the sanity gate on its numbers. Pure.

The gate: a price is finite, above zero and below a trillion; a volume is not negative and below
10^18; a time lies before the year 10000. OpenD says "there is none" by a price of 0 without a
volume. Texts of time bear no zone, so the epoch fields beside them are read.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Protocol

from foxtrot.model.constants import Direction, Interval
from foxtrot.model.objects import BarData, DayStatistics, Levels, Source

PRICE_LIMIT = 1e12
VOLUME_LIMIT = 1e18
COUNT_LIMIT = 10**18 - 64
"""The first whole number that is the limit once it is a float."""
TIME_LIMIT_S = 253_402_300_800.0

QUOTE, BOOK, PRINTS = 1, 2, 4
"""SubType of the streams that are no bars. Source: Qot_Common.proto, SubType."""

BAR_SUBS = {
    Interval.MINUTE: 11,
    Interval.MINUTE_5: 7,
    Interval.MINUTE_15: 8,
    Interval.HOUR: 10,
    Interval.HOUR_4: 21,
    Interval.DAILY: 6,
    Interval.WEEKLY: 12,
}
"""SubType of the bars of each length."""

BAR_KINDS = {
    Interval.MINUTE: 1,
    Interval.MINUTE_5: 6,
    Interval.MINUTE_15: 7,
    Interval.HOUR: 9,
    Interval.HOUR_4: 15,
    Interval.DAILY: 2,
    Interval.WEEKLY: 3,
}
"""KLType of each bar length. Source: Qot_Common.proto, KLType."""

LENGTHS = {
    Interval.MINUTE: dt.timedelta(minutes=1),
    Interval.MINUTE_5: dt.timedelta(minutes=5),
    Interval.MINUTE_15: dt.timedelta(minutes=15),
    Interval.HOUR: dt.timedelta(hours=1),
    Interval.HOUR_4: dt.timedelta(hours=4),
}
"""Of the bars that bear the time of their end; those of a day or a week bear their first day's."""

FORWARD = 1
"""RehabType: prices of the past adjusted to those of today. OpenD's own way."""

CACHED = 3
"""PushDataType of prints that were there before the subscription."""

TAKERS = {1: Direction.LONG, 2: Direction.SHORT}
"""TickerDirection: who took."""


class WireSecurity(Protocol):
    """`Qot_Common.Security`."""

    market: int
    code: str


class WireQuote(Protocol):
    """`Qot_Common.BasicQot`."""

    security: WireSecurity
    name: str
    curPrice: float
    openPrice: float
    highPrice: float
    lowPrice: float
    lastClosePrice: float
    volume: int
    turnover: float
    updateTimestamp: float


class WireSnapshot(WireQuote, Protocol):
    """`Qot_GetSecuritySnapshot.SnapshotBasicData`."""

    bidPrice: float
    askPrice: float
    bidVol: int
    askVol: int


class WireSide(Protocol):
    """`Qot_Common.OrderBook` in columns, best first; see `schema.push_class`."""

    price: Sequence[float]
    volume: Sequence[int]
    orederCount: Sequence[int]


class WirePrint(Protocol):
    """`Qot_Common.Ticker`."""

    sequence: int
    dir: int
    price: float
    volume: int
    timestamp: float
    pushDataType: int


class WireBar(Protocol):
    """`Qot_Common.KLine`."""

    isBlank: bool
    openPrice: float
    highPrice: float
    lowPrice: float
    closePrice: float
    volume: int
    turnover: float
    timestamp: float


def ns_of(seconds: float) -> int:
    """Epoch seconds as nanoseconds, to the microsecond: a double holds no more."""
    return round(seconds * 1e6) * 1_000


def bad_quote(quote: WireQuote) -> str:
    """Why a quote cannot be believed; empty if it can.

    Prices are 0 where nobody traded yet; then there is no volume either.
    """
    last, volume = quote.curPrice, quote.volume
    if not (0.0 < last < PRICE_LIMIT or last == volume == 0):
        return "price out of range"
    if not (0 <= volume < COUNT_LIMIT and 0.0 <= quote.turnover < VOLUME_LIMIT):
        return "volume out of range"
    if not (
        0.0 <= quote.openPrice < PRICE_LIMIT
        and 0.0 <= quote.highPrice < PRICE_LIMIT
        and 0.0 <= quote.lowPrice < PRICE_LIMIT
        and 0.0 <= quote.lastClosePrice < PRICE_LIMIT
    ):
        return "price of the day out of range"
    return bad_time(quote.updateTimestamp)


def bad_touch(snapshot: WireSnapshot) -> str:
    """Why a snapshot's bid and ask cannot be believed; empty if they can; 0 is none.

    In an auction a bid may well be above an ask.
    """
    bid, ask = snapshot.bidPrice, snapshot.askPrice
    if not (0.0 <= bid < PRICE_LIMIT and 0.0 <= ask < PRICE_LIMIT):
        return "price out of range"
    inside = 0 <= snapshot.bidVol < COUNT_LIMIT and 0 <= snapshot.askVol < COUNT_LIMIT
    return "" if inside else "volume out of range"


def bad_print(item: WirePrint) -> str:
    """Why a print cannot be believed; empty if it can."""
    if not 0.0 < item.price < PRICE_LIMIT:
        return "price out of range"
    if not 0 <= item.volume < COUNT_LIMIT:
        return "volume out of range"
    return bad_time(item.timestamp)


def bad_bar(row: WireBar) -> str:
    """Why a bar cannot be believed; empty if it can."""
    first, high, low, last = row.openPrice, row.highPrice, row.lowPrice, row.closePrice
    for price in (first, high, low, last):
        if not 0.0 < price < PRICE_LIMIT:
            return "price out of range"
    if not (0 <= row.volume < COUNT_LIMIT and 0.0 <= row.turnover < VOLUME_LIMIT):
        return "volume out of range"
    if not (low <= min(first, last) and max(first, last) <= high):
        return "a price outside the bar's own high and low"
    return bad_time(row.timestamp) if row.timestamp else "a bar without a time"


def bad_time(seconds: float) -> str:
    """Why a time cannot be believed; empty if it can. 0 is none; Python knows no year 10000."""
    return "" if 0.0 <= seconds < TIME_LIMIT_S else "time out of range"


def day_of(quote: WireQuote) -> DayStatistics:
    """The statistics in a quote or a snapshot."""
    return DayStatistics(
        float(quote.volume),
        quote.turnover,
        0.0,
        quote.openPrice,
        quote.highPrice,
        quote.lowPrice,
        quote.lastClosePrice,
    )


def side_of(side: WireSide, count: int) -> tuple[Levels, str]:
    """One side of a book, best first, as OpenD sends it; and why it cannot be believed, or "".

    With basic rights OpenD sends a row of zeros where there is none; it is left out.

    Raises:
        ValueError: A level lacks what the schema requires.
    """
    prices, volumes = side.price, side.volume
    if not len(prices) == len(volumes) == len(side.orederCount):
        raise ValueError("OrderBook")
    levels = tuple(zip(prices[:count], map(float, volumes[:count])))  # noqa: B905 - as long
    if _good(levels):
        return levels, ""
    levels = tuple(level for level in levels if level != (0.0, 0.0))
    return (levels, "") if _good(levels) else ((), "price or volume out of range")


def _good(levels: Levels) -> bool:
    # A generator for `all` would cost more than the comparisons.
    for price, volume in levels:
        if not (0.0 < price < PRICE_LIMIT and 0.0 <= volume < VOLUME_LIMIT):
            return False
    return True


def start_of(row: WireBar, interval: Interval) -> dt.datetime:
    """When a bar begins, UTC: bars shorter than a day bear the time of their end.

    Source: seen with Futu's own service by its users; OpenD's documents do not say it.
    """
    label = dt.datetime.fromtimestamp(row.timestamp, dt.UTC)
    return label - LENGTHS.get(interval, dt.timedelta())


def bar(row: WireBar, source: Source, interval: Interval, *, closed: bool) -> BarData:
    """A bar that has passed the gate."""
    return BarData(
        source.adapter_name,
        source.symbol,
        source.exchange,
        start_of(row, interval),
        interval,
        float(row.volume),
        row.turnover,
        0.0,
        row.openPrice,
        row.highPrice,
        row.lowPrice,
        row.closePrice,
        closed,
    )


def best(levels: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Price and volume of the best level; zeros where there is none."""
    return levels[0] if levels else (0.0, 0.0)
