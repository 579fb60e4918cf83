"""How far a page of history reaches, in TWS's words."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from foxtrot.adapter.ib.mapping import INTERVALS
from foxtrot.adapter.ib.pages import LENGTHS, bar_end, next_second, page, utc_text
from foxtrot.model.constants import Interval

HOUR_S, DAY_S = 3_600, 86_400
NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("interval", "wanted_s", "duration"),
    [
        (Interval.MINUTE, 1, "60 S"),
        (Interval.MINUTE, 90.5, "91 S"),
        (Interval.MINUTE, DAY_S, "86400 S"),
        (Interval.MINUTE, 10 * DAY_S, "1 D"),
        (Interval.MINUTE_5, HOUR_S, "3600 S"),
        (Interval.MINUTE_15, 60, "1800 S"),
        (Interval.MINUTE_15, 30 * DAY_S, "1 W"),
        (Interval.HOUR, 3 * DAY_S, "1 W"),
        (Interval.HOUR, 300 * DAY_S, "1 M"),
        (Interval.HOUR_4, HOUR_S, "28800 S"),
        (Interval.DAILY, DAY_S, "1 M"),
        (Interval.DAILY, 4_000 * DAY_S, "1 Y"),
        (Interval.WEEKLY, 31 * DAY_S, "1 Y"),
    ],
)
def test_a_page_reaches_no_further_than_needed_or_allowed(
    interval: Interval, wanted_s: float, duration: str
) -> None:
    """TWS has a table of what one request may span for each bar size; a page stays within it."""
    reach_s, text = page(interval, wanted_s)
    assert text == duration
    assert 0 < reach_s <= 365 * DAY_S


def test_every_interval_that_is_offered_has_pages_and_a_length() -> None:
    """None is forgotten."""
    assert set(LENGTHS) == set(INTERVALS)
    for interval in INTERVALS:
        assert page(interval, DAY_S)[1]


def test_days_of_the_exchange_have_its_hours() -> None:
    """A day ends at the next midnight there, also when the clocks change."""
    start = dt.datetime(2026, 11, 1, 4, tzinfo=dt.UTC)
    assert bar_end(start, Interval.DAILY, NEW_YORK) == dt.datetime(2026, 11, 2, 5, tzinfo=dt.UTC)
    assert bar_end(start, Interval.HOUR, NEW_YORK) == dt.datetime(2026, 11, 1, 5, tzinfo=dt.UTC)


def test_moments_are_written_in_full_seconds_of_utc() -> None:
    """TWS reads no parts of a second: an end is rounded so that nothing is cut off."""
    moment = dt.datetime(2026, 11, 20, 9, 30, 0, 1, tzinfo=NEW_YORK)
    assert utc_text(next_second(moment)) == "20261120 14:30:01 UTC"
    assert next_second(moment.replace(microsecond=0)) == moment.replace(microsecond=0)
