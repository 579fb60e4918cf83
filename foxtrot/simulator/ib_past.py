"""How TWS speaks of the past: sizes of bars, durations, moments, and what there is. Pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from foxtrot.simulator.history import DAY_MS, LAUNCH_MS, Bar
from foxtrot.simulator.ib_limits import HISTORY, INVALID, NO_SUCH_TIME
from foxtrot.simulator.ib_listings import IbContract
from foxtrot.simulator.ib_ticks import price, size
from foxtrot.simulator.ib_wire import Value
from foxtrot.simulator.listings import E8
from foxtrot.simulator.market import Market

SIZES_S = {
    **{f"{n} secs": n for n in (1, 5, 10, 15, 30)},
    "1 min": 60,
    **{f"{n} mins": n * 60 for n in (2, 3, 5, 10, 15, 20, 30)},
    "1 hour": 3_600,
    **{f"{n} hours": n * 3_600 for n in (2, 3, 4, 8)},
}
DAYS, WEEKS, MONTHS = "1 day", "1 week", "1 month"
BY_DATE = {DAYS: 1, "1D": 1, WEEKS: 7, "1W": 7, MONTHS: 30, "1M": 30}
"""Bars that are told by their date at the exchange, and how many days they have, or some more."""

SMALL_S = 30
SOURCES = {
    "STK": ("TRADES", "MIDPOINT", "BID", "ASK", "BID_ASK", "ADJUSTED_LAST"),
    "CASH": ("MIDPOINT", "BID", "ASK", "BID_ASK"),
    "IND": ("TRADES",),
}
"""What there is of a type of contract; of all others, what there is of futures."""
_OF_FUTURES = ("TRADES", "MIDPOINT", "BID", "ASK", "BID_ASK")

KNOWN = frozenset(
    {
        *SOURCES["STK"],
        "AGGTRADES",
        "FEE_RATE",
        "HISTORICAL_VOLATILITY",
        "OPTION_IMPLIED_VOLATILITY",
        "SCHEDULE",
    }
)
"""What can be asked for at all; of what is in no `SOURCES` there is nothing here."""

_UNIT_S = {"S": 1, "D": 86_400, "W": 7 * 86_400, "M": 30 * 86_400, "Y": 365 * 86_400}
_LEAST, _MOST = {"S": 30}, {"S": 86_400, "D": 365, "W": 52, "M": 12, "Y": 20}
_LEGAL = ", ".join((*SIZES_S, DAYS, "1W", "1M"))
_INVALID = "Historical data requested duration is invalid."
_TOO_LONG = {
    "S": "Historical data request for greater than 86400 seconds rejected.",
    "D": "Historical data requests for durations longer than 365 days must be made in years.",
    "W": "Historical data request for durations longer than 52 weeks must be made in years.",
    "M": "Historical data request for durations longer than 12 months must be made in years.",
}
_NO_TIME = "The date, time, or time-zone entered is invalid."
_YEARS = range(1970, 3000)
_MOST_BARS = 50_000
_DURATION = re.compile(r"(\d+) ([SDWMY])")
_MOMENT = re.compile(r"(\d{8})(?:[- ]+(\d\d:\d\d:\d\d))?(?: +(\S.*))?")


class Invalid(Exception):
    """A request of the past that TWS would not validate; the text says why, in its words."""

    def __init__(self, text: str, code: int = INVALID) -> None:
        self.code = code
        super().__init__(text)


class Span(msgspec.Struct, frozen=True):
    """From when, until when (exclusive), in milliseconds, and how long each bar is."""

    start_ms: int
    end_ms: int
    bar_size: str

    @property
    def by_date(self) -> bool:
        """Whether its bars are told by date."""
        return self.bar_size in BY_DATE

    @property
    def small(self) -> bool:
        """Whether its bars are so small that the pace is counted."""
        return SIZES_S.get(self.bar_size, SMALL_S + 1) <= SMALL_S


def sources(contract: IbContract) -> tuple[str, ...]:
    """What can be shown of a contract."""
    return SOURCES.get(contract.sec_type, _OF_FUTURES)


def moment_ms(text: str, contract: IbContract) -> int:
    """A moment as a client writes it: in UTC, in a zone that it names, or else at the exchange.

    Raises:
        Invalid: It is none.
    """
    match = _MOMENT.fullmatch(text.strip())
    if match is None:
        raise Invalid(_NO_TIME, NO_SUCH_TIME)
    try:
        zone = ZoneInfo(match[3] or ("UTC" if "-" in text else contract.session.zone))
        clock = match[2] or "00:00:00"
        at = dt.datetime.strptime(match[1] + clock, "%Y%m%d%H:%M:%S").replace(tzinfo=zone)
    except (ValueError, ZoneInfoNotFoundError, OSError):  # a zone may be a folder of them
        raise Invalid(_NO_TIME, NO_SUCH_TIME) from None
    if at.year not in _YEARS:
        raise Invalid(_NO_TIME, NO_SUCH_TIME)
    return int(at.timestamp() * 1_000)


def span(bar_size: str, duration: str, end_ms: int) -> Span:
    """What a size, a duration and an end ask for.

    Raises:
        Invalid: Size or duration are none, or there would be too much.
    """
    length_s = _length_s(duration)
    bar_s = SIZES_S.get(bar_size) or BY_DATE.get(bar_size, 0) * 86_400
    if not bar_s:
        raise Invalid(f"Historical data bar size setting is invalid. Legal ones are: {_LEGAL}")
    if length_s / bar_s > _MOST_BARS or (bar_s <= SMALL_S and length_s > 86_400):
        raise Invalid("Time length exceed max.", HISTORY)
    return Span(end_ms - length_s * 1_000, end_ms, bar_size)


def _length_s(duration: str) -> int:
    match = _DURATION.fullmatch(duration)
    if match is None:
        unit = "integer{SPACE}unit (S|D|W|M|Y)"
        raise Invalid(f"When specifying a unit, historical data request duration format is {unit}.")
    count, unit = int(match[1]), match[2]
    if count < _LEAST.get(unit, 1):
        raise Invalid(_INVALID)
    if count > _MOST[unit]:
        raise Invalid(_TOO_LONG.get(unit, _INVALID))
    return count * _UNIT_S[unit]


def bars(market: Market, contract: IbContract, asked: Span) -> Iterator[Bar]:
    """The bars that begin in a span and after the contract's head, and have begun by now."""
    now_ms = market.now_ms(contract.name)
    begin = max(asked.start_ms, head_ms(contract))
    start = bar_start(asked.bar_size, contract, begin)
    if start < begin and not asked.by_date:
        start = bar_end(asked.bar_size, contract, start)
    while start < asked.end_ms and start <= now_ms:
        end = bar_end(asked.bar_size, contract, start)
        yield market.stretch(contract.name, start, end)
        start = end


def head_ms(contract: IbContract) -> int:
    """When the data of a contract begins."""
    return max(LAUNCH_MS, moment_ms(contract.head, contract))


def bar_start(bar_size: str, contract: IbContract, at_ms: int) -> int:
    """When the bar begins that holds a moment; days are the exchange's, weeks begin on Monday."""
    if bar_size not in BY_DATE:
        length = SIZES_S[bar_size] * 1_000
        return at_ms // length * length
    day = _local(contract, at_ms).date()
    if BY_DATE[bar_size] == BY_DATE[WEEKS]:
        day -= dt.timedelta(days=day.weekday())
    if BY_DATE[bar_size] == BY_DATE[MONTHS]:
        day = day.replace(day=1)
    return _midnight_ms(contract, day)


def bar_end(bar_size: str, contract: IbContract, start_ms: int) -> int:
    """When a bar is over; days have 23 to 25 hours, months their own length."""
    if bar_size not in BY_DATE:
        return start_ms + SIZES_S[bar_size] * 1_000
    return bar_start(bar_size, contract, _beyond(contract, start_ms, BY_DATE[bar_size]))


def _beyond(contract: IbContract, start_ms: int, days: int) -> int:
    """A moment in the bar after one of so many days."""
    more = 2 if days == BY_DATE[MONTHS] else 0
    day = _local(contract, start_ms).date() + dt.timedelta(days=days + more)
    return _midnight_ms(contract, day) + DAY_MS // 2


def time_text(at_ms: int, contract: IbContract, *, by_date: bool, form: int) -> str:
    """A moment as TWS tells it: form 1 in the exchange's time, form 2 in seconds; days by date."""
    local = _local(contract, at_ms)
    if by_date:
        return f"{local:%Y%m%d}"
    return str(at_ms // 1_000) if form == 2 else stamp(at_ms, contract)


def stamp(at_ms: int, contract: IbContract) -> str:
    """A moment with the name of the exchange's zone."""
    return f"{_local(contract, at_ms):%Y%m%d %H:%M:%S} {contract.session.zone_id}"


def volume_of(bar: Bar, what: str) -> tuple[Value, Value, Value]:
    """Volume, average price and count of a bar; of what are no trades, there is none."""
    if what not in ("TRADES", "ADJUSTED_LAST"):
        return "-1", -1.0, -1
    average = price(bar.turnover_e8 * E8 // bar.volume_e8) if bar.volume_e8 else price(bar.close_e8)
    return size(bar.volume_e8), average, bar.trades


def shape_of(bar: Bar) -> tuple[float, float, float, float]:
    """Open, high, low and close."""
    return price(bar.open_e8), price(bar.high_e8), price(bar.low_e8), price(bar.close_e8)


def _local(contract: IbContract, at_ms: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(at_ms / 1_000, ZoneInfo(contract.session.zone))


def _midnight_ms(contract: IbContract, day: dt.date) -> int:
    zone = ZoneInfo(contract.session.zone)
    return int(dt.datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1_000)
