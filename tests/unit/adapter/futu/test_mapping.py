"""OpenD's numbers as foxtrot's objects."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from foxtrot.adapter.futu import mapping
from foxtrot.model.constants import Interval
from tests.support.futu_feed import AT_S, SOURCE, bars

NEW_YORK_MIDNIGHT_S = 1_794_978_000.0
"""2026-11-18, 00:00 in New York."""


def row(at_s: float) -> Any:
    """A bar that bears this time."""
    (found,) = bars((0, 612.0)).klList
    found.timestamp = at_s
    return found


@pytest.mark.parametrize(
    ("interval", "minutes"),
    [
        (Interval.MINUTE, 1),
        (Interval.MINUTE_5, 5),
        (Interval.MINUTE_15, 15),
        (Interval.HOUR, 60),
        (Interval.HOUR_4, 240),
    ],
)
def test_a_bar_of_minutes_begins_before_the_time_it_bears(interval: Interval, minutes: int) -> None:
    """OpenD names it by its end."""
    bar = mapping.bar(row(AT_S), SOURCE, interval, closed=True)
    assert bar.datetime == dt.datetime.fromtimestamp(AT_S - 60 * minutes, dt.UTC)
    assert (bar.volume, bar.turnover, bar.closed) == (300.0, 1e5, True)


@pytest.mark.parametrize("interval", [Interval.DAILY, Interval.WEEKLY])
def test_a_bar_of_days_begins_at_its_markets_midnight(interval: Interval) -> None:
    """In New York that is five in the morning, UTC, in winter."""
    bar = mapping.bar(row(NEW_YORK_MIDNIGHT_S), SOURCE, interval, closed=True)
    assert bar.datetime == dt.datetime(2026, 11, 18, 5, tzinfo=dt.UTC)


def test_times_are_kept_to_the_microsecond() -> None:
    """A double of this century holds no more."""
    assert mapping.ns_of(1_795_000_020.123456) == 1_795_000_020_123_456_000
    assert mapping.ns_of(0.0) == 0


def test_every_interval_has_a_subscription_and_a_kind() -> None:
    """No two share one."""
    assert mapping.BAR_SUBS.keys() == mapping.BAR_KINDS.keys()
    assert len(set(mapping.BAR_SUBS.values())) == len(mapping.BAR_SUBS)
    assert len(set(mapping.BAR_KINDS.values())) == len(mapping.BAR_KINDS)


def test_a_bar_without_a_time_is_refused() -> None:
    """Nobody could say where it belongs."""
    assert mapping.bad_bar(row(0.0))
    assert mapping.bad_bar(row(AT_S)) == ""
