"""Futu's bars: when one begins, which time it bears, and how it is written.

A bar of minutes bears the time of its end: the first one of a US day is that of 09:31:00. A bar of
a day or longer bears the date on which it begins. Days are those of the market's own zone. The
simulated market never closes, so there are bars at any hour.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from foxtrot.simulator.futu_contracts import PLACES, FutuContract, local_text
from foxtrot.simulator.futu_schema import Message
from foxtrot.simulator.history import LAUNCH_MS, Bar
from foxtrot.simulator.listings import E8
from foxtrot.simulator.market import Market

DAY, WEEK, MONTH, YEAR, QUARTER = 2, 3, 4, 5, 11
MINUTES = {1: 1, 10: 3, 6: 5, 12: 10, 7: 15, 8: 30, 9: 60, 13: 120, 14: 180, 15: 240}
"""KLType to its length."""
KINDS = frozenset(MINUTES) | {DAY, WEEK, MONTH, YEAR, QUARTER}
"""Every KLType that there is."""

_MINUTE_MS = 60_000
_MONTHS = {MONTH: 1, QUARTER: 3, YEAR: 12}
_ALL = 1_023
_HIGH, _OPEN, _LOW, _CLOSE, _LAST_CLOSE, _VOLUME, _TURNOVER = 1, 2, 4, 8, 16, 32, 64
_RATE, _CHANGE = 128, 512
SHARES = 9_000_000_000
"""How many there are of every company."""


def start_ms(kind: int, market: int, at_ms: int) -> int:
    """When the bar that holds a moment begins.

    Args:
        kind: A KLType.
        market: A QotMarket.
        at_ms: The moment.
    """
    zone = ZoneInfo(PLACES[market].zone)
    moment = dt.datetime.fromtimestamp(at_ms / 1_000, zone)
    if kind in MINUTES:
        past = moment.hour * 60 + moment.minute
        clock = moment.replace(minute=0, second=0, microsecond=0, hour=0, fold=0)
        if MINUTES[kind] <= 60:
            length_ms = MINUTES[kind] * _MINUTE_MS
            return at_ms // length_ms * length_ms
        return _ms(clock + dt.timedelta(minutes=past // MINUTES[kind] * MINUTES[kind]))
    return _ms(_first_day(kind, moment))


def end_ms(kind: int, market: int, begins_ms: int) -> int:
    """The first moment after the bar that begins at `begins_ms`."""
    if kind in MINUTES and MINUTES[kind] <= 60:
        return begins_ms + MINUTES[kind] * _MINUTE_MS
    zone = ZoneInfo(PLACES[market].zone)
    moment = dt.datetime.fromtimestamp(begins_ms / 1_000, zone)
    if kind in MINUTES:
        return _ms(moment + dt.timedelta(minutes=MINUTES[kind]))
    if kind in _MONTHS:
        month = moment.month - 1 + _MONTHS[kind]
        return _ms(moment.replace(year=moment.year + month // 12, month=month % 12 + 1))
    return _ms(moment + dt.timedelta(days=7 if kind == WEEK else 1))


def label_ms(kind: int, market: int, begins_ms: int) -> int:
    """The time that the bar bears which begins at `begins_ms`."""
    return end_ms(kind, market, begins_ms) if kind in MINUTES else begins_ms


def bars(
    market: Market, contract: FutuContract, kind: int, first_ms: int, last_ms: int
) -> Iterator[Bar]:
    """The bars that bear a time from `first_ms` to `last_ms`, oldest first, up to the present."""
    until_ms = min(last_ms, market.now_ms(contract.name))
    at_ms = start_ms(kind, contract.market, max(LAUNCH_MS, first_ms - _MINUTE_MS * 240))
    while at_ms <= until_ms:
        after_ms = end_ms(kind, contract.market, at_ms)
        label = after_ms if kind in MINUTES else at_ms
        if first_ms <= label <= last_ms:
            yield market.stretch(contract.name, at_ms, after_ms)
        at_ms = after_ms


def write(
    line: Message, contract: FutuContract, kind: int, bar: Bar, last_close_e8: int, fields: int = 0
) -> None:
    """Fill in a `KLine`.

    Args:
        line: What to fill in.
        contract: Whose bar it is.
        kind: Its KLType.
        bar: The bar.
        last_close_e8: Where the bar before it ended.
        fields: Which KLFields are wanted, as one number; 0 for all.
    """
    wanted = fields or _ALL
    at_ms = label_ms(kind, contract.market, bar.start_ms)
    line.time, line.timestamp = local_text(contract.market, at_ms), at_ms / 1_000
    line.isBlank = False
    prices = (
        (_HIGH, "highPrice", bar.high_e8),
        (_OPEN, "openPrice", bar.open_e8),
        (_LOW, "lowPrice", bar.low_e8),
        (_CLOSE, "closePrice", bar.close_e8),
        (_LAST_CLOSE, "lastClosePrice", last_close_e8),
        (_TURNOVER, "turnover", bar.turnover_e8),
    )
    for flag, name, value in prices:
        if wanted & flag:
            setattr(line, name, value / E8)
    if wanted & _VOLUME:
        line.volume = bar.volume_e8 // E8
    if wanted & _RATE:
        line.turnoverRate = bar.volume_e8 / E8 / SHARES
    if wanted & _CHANGE and last_close_e8:
        line.changeRate = (bar.close_e8 / last_close_e8 - 1) * 100


def _first_day(kind: int, moment: dt.datetime) -> dt.datetime:
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if kind == WEEK:
        return day - dt.timedelta(days=day.weekday())
    if kind in _MONTHS:
        months = _MONTHS[kind]
        return day.replace(day=1, month=(day.month - 1) // months * months + 1)
    return day


def _ms(moment: dt.datetime) -> int:
    return int(moment.timestamp() * 1_000)
