"""Futu's bars: where they begin and end, and the time that they bear."""

from __future__ import annotations

import datetime as dt
import itertools
from zoneinfo import ZoneInfo

import pytest

from foxtrot.simulator import futu_bars as bars
from foxtrot.simulator.futu_contracts import HK, SH, US, Universe, local_ms, local_text
from foxtrot.simulator.market import Market

NOW_MS = local_ms(HK, "2026-11-20 15:07:30")


@pytest.mark.parametrize(
    ("kind", "begins", "bears"),
    [
        (1, "2026-11-20 15:07:00", "2026-11-20 15:08:00"),
        (10, "2026-11-20 15:06:00", "2026-11-20 15:09:00"),
        (6, "2026-11-20 15:05:00", "2026-11-20 15:10:00"),
        (12, "2026-11-20 15:00:00", "2026-11-20 15:10:00"),
        (7, "2026-11-20 15:00:00", "2026-11-20 15:15:00"),
        (8, "2026-11-20 15:00:00", "2026-11-20 15:30:00"),
        (9, "2026-11-20 15:00:00", "2026-11-20 16:00:00"),
        (13, "2026-11-20 14:00:00", "2026-11-20 16:00:00"),
        (14, "2026-11-20 15:00:00", "2026-11-20 18:00:00"),
        (15, "2026-11-20 12:00:00", "2026-11-20 16:00:00"),
        (bars.DAY, "2026-11-20 00:00:00", "2026-11-20 00:00:00"),
        (bars.WEEK, "2026-11-16 00:00:00", "2026-11-16 00:00:00"),
        (bars.MONTH, "2026-11-01 00:00:00", "2026-11-01 00:00:00"),
        (bars.QUARTER, "2026-10-01 00:00:00", "2026-10-01 00:00:00"),
        (bars.YEAR, "2026-01-01 00:00:00", "2026-01-01 00:00:00"),
    ],
)
def test_minutes_bear_their_end_and_days_their_beginning(
    kind: int, begins: str, bears: str
) -> None:
    """As Futu has it: the first minute of a day at 09:30 is that of 09:31."""
    start = bars.start_ms(kind, HK, NOW_MS)
    assert local_text(HK, start) == begins
    assert local_text(HK, bars.label_ms(kind, HK, start)) == bears
    assert start <= NOW_MS < bars.end_ms(kind, HK, start)


@pytest.mark.parametrize("day", ["2026-03-08", "2026-11-01"])
def test_a_day_of_new_york_has_the_length_that_its_clocks_give_it(day: str) -> None:
    """When the clocks change, the day is an hour shorter or longer, and bars do not overlap."""
    start = local_ms(US, day)
    hours = (bars.end_ms(bars.DAY, US, start) - start) / 3_600_000
    assert hours == (23 if day == "2026-03-08" else 25)
    at_ms, seen = start, []
    while at_ms < bars.end_ms(bars.DAY, US, start):
        assert bars.start_ms(9, US, at_ms) == at_ms
        seen.append(at_ms)
        at_ms = bars.end_ms(9, US, at_ms)
    assert len(seen) == hours


def test_times_are_written_in_the_zone_of_the_market() -> None:
    """The same moment is evening in New York and the next morning in China."""
    at_ms = int(dt.datetime(2026, 11, 20, 20, tzinfo=ZoneInfo("America/New_York")).timestamp())
    texts = [local_text(market, at_ms * 1_000) for market in (US, HK, SH)]
    assert texts == ["2026-11-20 20:00:00", "2026-11-21 09:00:00", "2026-11-21 09:00:00"]


def test_the_last_bar_is_the_one_that_is_being_made() -> None:
    """Nothing of the future is told; the bars of a span join without a gap."""
    market = Market(Universe.of().listings(), now_ms=NOW_MS)
    contract = Universe.of().contracts["HK.00700"]
    found = list(bars.bars(market, contract, 1, NOW_MS - 600_000, NOW_MS + 600_000))
    assert local_text(HK, found[-1].end_ms) == "2026-11-20 15:08:00"
    assert len(found) == 11
    assert all(one.end_ms == two.start_ms for one, two in itertools.pairwise(found))
