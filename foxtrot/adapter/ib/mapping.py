"""TWS's market data as foxtrot's objects, and the sanity gate on its numbers. Pure.

The gate: a price is finite and below a trillion, and above zero unless the contract's price may
fall below it; a volume is finite, not negative and below 10^18; a time lies before the year 10000.
TWS says "there is none" by a price of -1 or 0 without a size.
"""

from __future__ import annotations

import datetime as dt
from typing import Protocol

import msgspec

from foxtrot.model.constants import Interval, Product
from foxtrot.model.objects import BarData, Source

PRICE_LIMIT = 1e12
VOLUME_LIMIT = 1e18
TIME_LIMIT_S = 253_402_300_800

INTERVALS = {
    Interval.SECOND_5: "5 secs",
    Interval.MINUTE: "1 min",
    Interval.MINUTE_5: "5 mins",
    Interval.MINUTE_15: "15 mins",
    Interval.HOUR: "1 hour",
    Interval.HOUR_4: "4 hours",
    Interval.DAILY: "1 day",
    Interval.WEEKLY: "1 week",
}
"""TWS's word for each bar length."""

BID, ASK, LAST = range(3)
"""What a price or a size of a tick is about."""

PRICES = {1: BID, 2: ASK, 4: LAST, 66: BID, 67: ASK, 68: LAST}
SIZES = {0: BID, 3: ASK, 5: LAST, 69: BID, 70: ASK, 71: LAST}
"""By the number of the tick type, live and delayed. Source: TWS API, "Available Tick Types"."""

ECHOES = {1: 0, 2: 3, 4: 5, 66: 69, 67: 70, 68: 71}
"""The type of the size that repeats what came with a price, by the type of the price."""

VOLUME, _TURNOVER, OPEN_INTEREST, OPEN, HIGH, LOW, PRE_CLOSE = range(7)
"""Places in `DayStatistics`."""

DAY_PRICES = {6: HIGH, 7: LOW, 9: PRE_CLOSE, 14: OPEN, 72: HIGH, 73: LOW, 75: PRE_CLOSE, 76: OPEN}
DAY_SIZES = {8: VOLUME, 74: VOLUME, 22: OPEN_INTEREST, 86: OPEN_INTEREST}

LAST_TIMES = frozenset({45, 88})
"""Tick types that tell when the last trade was, in seconds."""

FUTURES_OPEN_INTEREST = "588"

_BELOW_ZERO = frozenset({Product.FUTURES, Product.SPREAD, Product.OPTION})
"""Energy futures, their options and combinations of legs have had prices below zero."""

MID_POINTS = "MIDPOINT"
"""What bars are made of where no prints are told."""

_QUOTED_ONLY = frozenset({Product.FOREX, Product.CFD})
_NO_PRICE = (-1.0, 0.0)

UNKNOWN = -1.0
"""The volume and the average price of a bar where TWS knows none."""


class SdkBar(Protocol):
    """The part of the SDK's bar that is read; `date` as formatDate 2 has it."""

    date: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    average: float


class Row(msgspec.Struct, frozen=True, gc=False):
    """One bar as TWS tells it; `start` is UTC."""

    start: dt.datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    average: float


def lowest_price(product: Product) -> float:
    """The bound that every price of such a contract is above."""
    return -PRICE_LIMIT if product in _BELOW_ZERO else 0.0


def what_to_show(product: Product) -> str:
    """What bars of such a contract are made of: where no prints are told, of the mid-points."""
    return MID_POINTS if product in _QUOTED_ONLY else "TRADES"


def generic_ticks(product: Product) -> str:
    """What is asked for besides the ticks that come anyway."""
    return FUTURES_OPEN_INTEREST if product is Product.FUTURES else ""


def is_none(price: float, size: float) -> bool:
    """Whether TWS says that there is no such price."""
    return price in _NO_PRICE and size == 0.0


def bad_price(price: float, size: float, lowest: float) -> str:
    """Why a price and its size cannot be believed; empty if they can."""
    if not (lowest < price < PRICE_LIMIT):
        return "price out of range"
    return bad_size(size)


def bad_size(size: float) -> str:
    """Why a size cannot be believed; empty if it can."""
    return "" if 0.0 <= size < VOLUME_LIMIT else "volume out of range"


def bad_time(seconds: float) -> str:
    """Why a time cannot be believed; empty if it can. Python knows no year 10000."""
    return "" if 0 < seconds < TIME_LIMIT_S else "time out of range"


def bad_row(row: Row, lowest: float) -> str:
    """Why a bar cannot be believed; empty if it can."""
    for price in (row.open, row.high, row.low, row.close):
        if not lowest < price < PRICE_LIMIT:
            return "price out of range"
    if row.volume != UNKNOWN and not 0.0 <= row.volume < VOLUME_LIMIT:
        return "volume out of range"
    inside = row.low <= min(row.open, row.close) and max(row.open, row.close) <= row.high
    return "" if inside else "a price outside the bar's own high and low"


def row(sdk_bar: SdkBar) -> Row:
    """One bar as TWS tells it.

    Raises:
        ValueError: Its time cannot be read.
    """
    return Row(
        moment(sdk_bar.date),
        sdk_bar.open,
        sdk_bar.high,
        sdk_bar.low,
        sdk_bar.close,
        sdk_bar.volume,
        sdk_bar.average,
    )


def real_time_row(
    seconds: int, prices: tuple[float, float, float, float], volume: float, average: float
) -> Row:
    """A bar of five seconds that TWS tells when it is over; `prices` from open to close.

    Raises:
        ValueError: Its time cannot be read.
    """
    return Row(moment(str(seconds)), *prices, volume, average)


def bar(row: Row, source: Source, interval: Interval, *, closed: bool) -> BarData:
    """A bar. Its turnover is the volume at the average price."""
    volume = max(row.volume, 0.0)
    return BarData(
        source.adapter_name,
        source.symbol,
        source.exchange,
        row.start,
        interval,
        volume,
        volume * max(row.average, 0.0),
        0.0,
        row.open,
        row.high,
        row.low,
        row.close,
        closed,
    )


def moment(text: str) -> dt.datetime:
    """The begin of a bar as TWS writes it with formatDate 2: epoch seconds, or the day.

    Raises:
        ValueError: It is neither.
    """
    if len(text) == len("20261121") and text.isascii() and text.isdigit():
        return dt.datetime.strptime(text, "%Y%m%d").replace(tzinfo=dt.UTC)
    seconds = int(text)
    if bad_time(seconds):
        raise ValueError("time out of range")
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
