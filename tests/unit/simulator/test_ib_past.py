"""How TWS speaks of the past."""

from __future__ import annotations

import datetime as dt

import pytest

from foxtrot.simulator.ib_contracts import Universe
from foxtrot.simulator.ib_past import (
    BY_DATE,
    SIZES_S,
    Invalid,
    bar_end,
    bar_start,
    moment_ms,
    span,
    stamp,
    time_text,
)

AAPL = Universe.of(("AAPL",), today=dt.date(2026, 9, 21)).contracts["AAPL"]
NOON_MS = int(dt.datetime(2025, 9, 19, 16, tzinfo=dt.UTC).timestamp() * 1_000)
HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    "text",
    [
        "20250919 16:00:00 UTC",
        "20250919-16:00:00",
        "20250919 12:00:00 US/Eastern",
        "20250919 12:00:00",
        "20250919  12:00:00",
        "20250919 18:00:00 Europe/Zurich",
    ],
)
def test_a_moment_is_understood_as_it_is_written(text: str) -> None:
    """In UTC, in a zone that is named, or else in the exchange's own."""
    assert moment_ms(text, AAPL) == NOON_MS


@pytest.mark.parametrize(
    "text",
    [
        "now",
        "20251301 00:00:00 UTC",
        "20250919 12:00:00 Mars/Base",
        "20250919 12:00:00 US",
        f"20250919 12:00:00 {'A' * 300}",
        "00010101 00:00:00 UTC",
        "99991231 00:00:00 UTC",
    ],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    """In TWS's words, and with a code of its own."""
    with pytest.raises(Invalid, match="time-zone entered is invalid") as caught:
        moment_ms(text, AAPL)
    assert caught.value.code == 10314


def test_a_moment_is_told_in_the_exchanges_time() -> None:
    """With its zone's name, in seconds, or as a date."""
    assert stamp(NOON_MS, AAPL) == "20250919 12:00:00 US/Eastern"
    assert time_text(NOON_MS, AAPL, by_date=False, form=2) == str(NOON_MS // 1_000)
    assert time_text(NOON_MS, AAPL, by_date=True, form=2) == "20250919"


@pytest.mark.parametrize("day", ["20250309", "20251102", "20250919", "20241231", "20240229"])
@pytest.mark.parametrize("bar_size", [*SIZES_S, *BY_DATE])
def test_bars_follow_each_other_without_a_gap(day: str, bar_size: str) -> None:
    """Each moment is in one bar, on days of 23 and of 25 hours, too."""
    noon_ms = moment_ms(f"{day} 12:00:00", AAPL)
    start = bar_start(bar_size, AAPL, noon_ms)
    end = bar_end(bar_size, AAPL, start)
    assert start <= noon_ms < end
    assert bar_start(bar_size, AAPL, start) == start
    assert bar_start(bar_size, AAPL, end - 1) == start
    assert bar_start(bar_size, AAPL, end) == end


@pytest.mark.parametrize(("day", "hours"), [("20250309", 23), ("20251102", 25), ("20250919", 24)])
def test_days_have_the_hours_that_they_have(day: str, hours: int) -> None:
    """Where clocks change."""
    start = bar_start("1 day", AAPL, moment_ms(f"{day} 12:00:00", AAPL))
    assert bar_end("1 day", AAPL, start) - start == hours * HOUR_MS


def test_a_span_ends_where_it_was_told_to() -> None:
    """And begins a duration before."""
    asked = span("1 min", "1 D", NOON_MS)
    assert (asked.start_ms, asked.end_ms) == (NOON_MS - 24 * HOUR_MS, NOON_MS)
    assert (asked.small, span("30 secs", "60 S", NOON_MS).small) == (False, True)


@pytest.mark.parametrize(
    ("bar_size", "duration"),
    [("1 min", "0 D"), ("1 min", "D"), ("1 min", "2 Y"), ("1 secs", "2 D"), ("1 hour", "400 D")],
)
def test_what_is_no_span_is_refused(bar_size: str, duration: str) -> None:
    """Too much, or nothing."""
    with pytest.raises(Invalid):
        span(bar_size, duration, NOON_MS)
