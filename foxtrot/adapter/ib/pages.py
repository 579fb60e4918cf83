"""Pure: how far one page of history reaches, and when its bars begin and end."""

from __future__ import annotations

import datetime as dt
import math
from zoneinfo import ZoneInfo

import msgspec

from foxtrot.adapter.ib import mapping
from foxtrot.model.constants import Interval

DAY_S = 86_400

_LEAST_S = {
    Interval.SECOND_5: 60,
    Interval.MINUTE: 60,
    Interval.MINUTE_5: 1_800,
    Interval.MINUTE_15: 1_800,
    Interval.HOUR: 3_600,
    Interval.HOUR_4: 28_800,
}
_WEEK, _MONTH, _YEAR = (7 * DAY_S, "1 W"), (30 * DAY_S, "1 M"), (365 * DAY_S, "1 Y")
_STEPS = {
    Interval.SECOND_5: ((3_600, "3600 S"),),
    Interval.MINUTE: ((DAY_S, "1 D"),),
    Interval.MINUTE_5: (_WEEK,),
    Interval.MINUTE_15: (_WEEK,),
    Interval.HOUR: (_WEEK, _MONTH),
    Interval.HOUR_4: (_WEEK, _MONTH),
    Interval.DAILY: (_MONTH, _YEAR),
    Interval.WEEKLY: (_MONTH, _YEAR),
}
"""What one page may hold of each bar size. Source: TWS API documents, "Step Sizes"."""

LENGTHS = {
    Interval.SECOND_5: dt.timedelta(seconds=5),
    Interval.MINUTE: dt.timedelta(minutes=1),
    Interval.MINUTE_5: dt.timedelta(minutes=5),
    Interval.MINUTE_15: dt.timedelta(minutes=15),
    Interval.HOUR: dt.timedelta(hours=1),
    Interval.HOUR_4: dt.timedelta(hours=4),
    Interval.DAILY: dt.timedelta(days=1),
    Interval.WEEKLY: dt.timedelta(weeks=1),
}
_BY_DATE = frozenset({Interval.DAILY, Interval.WEEKLY})


def page(interval: Interval, wanted_s: float) -> tuple[int, str]:
    """How many seconds the next page reaches back, and TWS's word for it: not more than needed."""
    if interval in _LEAST_S and wanted_s <= min(DAY_S, _STEPS[interval][-1][0]):
        seconds = max(math.ceil(wanted_s), _LEAST_S[interval])
        return seconds, f"{seconds} S"
    steps = _STEPS[interval]
    return next((step for step in steps if wanted_s <= step[0]), steps[-1])


def bar_row(bar: mapping.SdkBar, interval: Interval, zone: ZoneInfo) -> mapping.Row:
    """One bar, with the moment at which it begins.

    TWS names a day by its date at the exchange, and a week by the date of one of its days.

    Raises:
        ValueError: Its time cannot be read.
    """
    row = mapping.row(bar)
    if interval not in _BY_DATE:
        return row
    day = row.start.date()
    if interval is Interval.WEEKLY:
        day -= dt.timedelta(days=day.weekday())
    return msgspec.structs.replace(row, start=_midnight(day, zone))


def bar_end(start: dt.datetime, interval: Interval, zone: ZoneInfo) -> dt.datetime:
    """When a bar that begins at `start` is over; days of the exchange have 23 to 25 hours."""
    if interval not in _BY_DATE:
        return start + LENGTHS[interval]
    local = start.astimezone(zone).replace(tzinfo=None) + LENGTHS[interval]
    return local.replace(tzinfo=zone).astimezone(dt.UTC)


def next_second(moment: dt.datetime) -> dt.datetime:
    """The first full second that is not before `moment`; TWS's times have no parts of seconds."""
    whole = moment.replace(microsecond=0)
    return whole if whole == moment else whole + dt.timedelta(seconds=1)


def utc_text(moment: dt.datetime) -> str:
    """A moment as TWS reads it, to the second."""
    return f"{moment.astimezone(dt.UTC):%Y%m%d %H:%M:%S} UTC"


def _midnight(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC)
