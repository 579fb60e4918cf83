"""Bars and ticks of IB's past: whole, exact at both ends, and honest where there is nothing."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Coroutine
from typing import TypeVar

import pytest

from foxtrot.adapter.ib import history
from foxtrot.adapter.ib.archive import TickKind
from foxtrot.adapter.ib.errors import error_of
from foxtrot.errors import ConfigurationError
from foxtrot.model.constants import Exchange, Interval
from foxtrot.model.objects import BarData, TickData
from foxtrot.model.requests import HistoryRequest
from tests.support.ib_past import PACING, SYMBOL, Bar, Past, Print, Quote
from tests.support.virtual_time import VirtualLoop, run_virtually

T = TypeVar("T")
FRIDAY = dt.datetime(2026, 11, 13, 14, 30, tzinfo=dt.UTC)
MONDAY = dt.datetime(2026, 11, 16, 14, 30, tzinfo=dt.UTC)
MINUTE, DAY = dt.timedelta(minutes=1), dt.timedelta(days=1)
HOURS_OPEN = 390
Told = list[tuple[int, int]]


def virtually(make: Callable[[], Coroutine[object, object, T]]) -> T:
    """Run a play on a loop whose waits cost nothing."""

    async def play() -> T:
        return await make()

    return run_virtually(play(), VirtualLoop())


def minutes(*days: dt.datetime, count: int = HOURS_OPEN) -> list[int]:
    """The starts of a day's bars of a minute, of each day."""
    return [int((day + n * MINUTE).timestamp()) for day in days for n in range(count)]


async def ask(
    past: Past,
    start: dt.datetime,
    end: dt.datetime | None = None,
    interval: Interval = Interval.MINUTE,
    told: Told | None = None,
) -> list[BarData]:
    """Fetch bars."""
    request = HistoryRequest(past.symbol, past.exchange, start, end, interval)
    steps: Told = [] if told is None else told
    return await history.fetch(
        past.venue, past.client, request, lambda done, of: steps.append((done, of))
    )


async def ask_ticks(
    past: Past,
    start: dt.datetime,
    end: dt.datetime | None = None,
    kind: TickKind = TickKind.TRADES,
    told: Told | None = None,
) -> list[TickData]:
    """Fetch ticks."""
    request = HistoryRequest(SYMBOL, Exchange.SMART, start, end)
    steps: Told = [] if told is None else told
    return await history.fetch_ticks(
        past.venue, past.client, request, lambda done, of: steps.append((done, of)), kind
    )


@pytest.mark.parametrize("counts_trading", [False, True])
def test_bars_join_over_a_weekend(counts_trading: bool) -> None:
    """Two days with a closed market between come whole, however TWS counts back over it."""

    async def play() -> None:
        past, told = Past(minutes(FRIDAY, MONDAY), counts_trading=counts_trading), Told()
        bars = await ask(past, FRIDAY - DAY, MONDAY + DAY, told=told)
        assert [int(bar.datetime.timestamp()) for bar in bars] == past.starts
        assert told == sorted(told)
        assert told[-1][0] == told[-1][1]
        assert past.pages <= 7

    virtually(play)


def test_both_ends_are_exact() -> None:
    """The bar that starts at the end belongs to it, and none before the start or after the end."""

    async def play() -> None:
        past = Past(minutes(FRIDAY))
        start, end = FRIDAY + 10 * MINUTE, FRIDAY + 20 * MINUTE
        bars = await ask(past, start, end)
        assert [bar.datetime for bar in bars] == [start + n * MINUTE for n in range(11)]
        assert [bar.datetime for bar in await ask(past, start, start)] == [start]

    virtually(play)


def test_a_bar_that_a_page_cuts_comes_whole() -> None:
    """Where a page begins in the middle of a bar, the half of it is not taken for the bar."""

    async def play() -> None:
        past = Past(minutes(FRIDAY, count=4_000), cuts=True)
        end = FRIDAY + 3_000.5 * MINUTE
        bars = await ask(past, FRIDAY + 100.5 * MINUTE, end)
        assert [bar.datetime for bar in bars] == [FRIDAY + n * MINUTE for n in range(101, 3_001)]
        assert {bar.volume for bar in bars} == {Bar("").volume}
        assert past.pages == 3

    virtually(play)


def test_the_moving_bar_is_not_closed() -> None:
    """A bar whose end lies ahead is told as one that may still change."""

    async def play() -> None:
        now = FRIDAY + 5.5 * MINUTE
        bars = await ask(Past(minutes(FRIDAY), now=now), FRIDAY, None)
        assert [bar.closed for bar in bars] == [True] * 5 + [False]

    virtually(play)


def test_days_and_weeks_begin_at_the_exchange() -> None:
    """A day starts at midnight of the exchange, in summer and winter; a week on its Monday."""

    async def play() -> None:
        # New York leaves summer time on the first of November.
        dates = ((10, 30), (11, 2), (11, 20))
        starts = [int(dt.datetime(2026, *date, tzinfo=dt.UTC).timestamp()) for date in dates]
        past = Past(starts, days=True)
        begin = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
        bars = await ask(past, begin, None, Interval.DAILY)
        assert [f"{bar.datetime:%m%d %H}" for bar in bars] == ["1030 04", "1102 05", "1120 05"]
        assert [bar.closed for bar in bars] == [True, True, False]
        bars = await ask(past, begin, None, Interval.WEEKLY)
        assert [f"{bar.datetime:%m%d %H}" for bar in bars] == ["1026 04", "1102 05", "1116 05"]

    virtually(play)


def test_what_lies_before_the_first_bar_is_not_searched_page_by_page() -> None:
    """Ten years of nothing are one page and the head timestamp, and a line for the user."""

    async def play() -> None:
        past = Past(head=int(FRIDAY.timestamp()))
        assert await ask(past, FRIDAY - 3_650 * DAY, FRIDAY - 10 * DAY) == []
        assert (past.pages, past.script.count("reqHeadTimeStamp")) == (1, 1)
        assert past.told == [f"{SYMBOL}.SMART has no data before 2026-11-13 14:30 UTC"]

    virtually(play)


def test_a_closed_market_costs_one_question() -> None:
    """The last minutes of a weekend, as polling asks for them, do not bring a second request."""

    async def play() -> None:
        past = Past(minutes(FRIDAY), FRIDAY + 2 * DAY)
        assert await ask(past, past.now - 10 * MINUTE) == []
        assert (past.pages, past.script.count("reqHeadTimeStamp")) == (1, 0)

    virtually(play)


def test_a_request_that_begins_before_the_first_bar_has_the_rest() -> None:
    """Where the data begins in the middle, all of it comes, and the search ends there."""

    async def play() -> None:
        past = Past(minutes(FRIDAY), head=int(FRIDAY.timestamp()))
        bars = await ask(past, FRIDAY - 3_650 * DAY, FRIDAY + DAY)
        assert len(bars) == HOURS_OPEN
        assert past.pages <= 4

    virtually(play)


def test_an_expired_contract_is_not_searched_after_its_end() -> None:
    """Two years without a bar, as the future had expired, cost no page."""

    async def play() -> None:
        past = Past(minutes(FRIDAY), FRIDAY + 700 * DAY, head=int(FRIDAY.timestamp()))
        past.symbol, past.exchange = "ES-20261113-USD-FUT", Exchange.CME
        assert len(await ask(past, FRIDAY - DAY)) == HOURS_OPEN
        assert past.pages <= 4

    virtually(play)


def test_the_future_is_empty_without_a_question() -> None:
    """Nobody is asked for what has not happened."""

    async def play() -> None:
        past = Past(minutes(FRIDAY))
        assert await ask(past, past.now + DAY, past.now + 2 * DAY) == []
        assert past.pages == 0

    virtually(play)


def test_a_pacing_violation_is_waited_out() -> None:
    """When another application has used up the pace, the download pauses and is complete."""

    async def play() -> None:
        past = Past(minutes(FRIDAY), troubles=[error_of("IB", 162, PACING)] * 2)
        before = asyncio.get_running_loop().time()
        assert len(await ask(past, FRIDAY, FRIDAY + DAY)) == HOURS_OPEN
        assert past.pace.statistics().violations == 2
        assert asyncio.get_running_loop().time() - before >= 15.0

    virtually(play)


def test_impossible_bars_are_left_out() -> None:
    """A bar with a price below zero, or a time that cannot be read, harms no other."""

    async def play() -> None:
        past = Past(minutes(FRIDAY, count=4))
        past.bars[past.starts[1]] = Bar(str(past.starts[1]), low=-1.0)
        past.bars[past.starts[2]] = Bar("yesterday")
        bars = await ask(past, FRIDAY, FRIDAY + DAY)
        assert [int(bar.datetime.timestamp()) for bar in bars] == [past.starts[0], past.starts[3]]

    virtually(play)


def test_a_download_can_be_cancelled() -> None:
    """Who loses patience takes his turn with him: nothing stays open."""

    async def play() -> None:
        past = Past(minutes(FRIDAY), troubles=[error_of("IB", 162, PACING)])
        loading = asyncio.ensure_future(ask(past, FRIDAY, FRIDAY + DAY))
        await asyncio.sleep(5.0)
        loading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loading
        statistics = past.pace.statistics()
        assert (statistics.history_open, statistics.history_waiting) == (0, 0)

    virtually(play)


@pytest.mark.parametrize(
    ("field", "start", "end", "interval"),
    [
        ("start", FRIDAY.replace(tzinfo=None), None, Interval.MINUTE),
        ("end", FRIDAY, FRIDAY.replace(tzinfo=None), Interval.MINUTE),
        ("start", FRIDAY, FRIDAY - MINUTE, Interval.MINUTE),
        ("interval", FRIDAY, None, Interval.TICK),
    ],
)
def test_what_makes_no_sense_is_named(
    field: str, start: dt.datetime, end: dt.datetime | None, interval: Interval
) -> None:
    """The error says which part of the request is wrong, before anything is asked."""
    with pytest.raises(ConfigurationError) as caught:
        virtually(lambda: ask(Past(), start, end, interval))
    assert caught.value.field == field


def test_ticks_join_without_a_hole_or_a_double() -> None:
    """Busy seconds at the seam of two pages, and a night without ticks, lose and double none."""

    async def play() -> None:
        seconds = [FRIDAY + dt.timedelta(seconds=n // 7) for n in range(2_500)]
        seconds += [MONDAY + dt.timedelta(seconds=n // 3) for n in range(100)]
        trades = [Print(moment, 100.0 + n) for n, moment in enumerate(seconds)]
        past, told = Past(minutes(FRIDAY, MONDAY, count=7), ticks=list(trades)), Told()
        ticks = await ask_ticks(past, FRIDAY - MINUTE, MONDAY + MINUTE, told=told)
        assert [tick.last_price for tick in ticks] == [trade.price for trade in trades]
        assert [tick.datetime for tick in ticks] == seconds
        assert told == sorted(told)
        assert told[-1][0] == told[-1][1]
        assert past.script.count("reqHistoricalTicks") <= 8

    virtually(play)


def test_a_second_that_fills_a_page_is_taken_as_it_is() -> None:
    """More trades in one second than a page has do not make the download stand still."""

    async def play() -> None:
        crowd = [Print(FRIDAY, 1.0 + n) for n in range(1_500)]
        past = Past(minutes(FRIDAY), ticks=[*crowd, Print(FRIDAY + MINUTE, 5_000.0)])
        ticks = await ask_ticks(past, FRIDAY, FRIDAY + MINUTE)
        assert [tick.last_price for tick in ticks] == [each.price for each in past.ticks]

    virtually(play)


def test_quotes_of_the_past_have_both_sides() -> None:
    """Bid and ask come with their sizes; a quote that cannot be is left out."""

    async def play() -> None:
        past = Past(minutes(FRIDAY), ticks=[Quote(FRIDAY), Quote(FRIDAY + MINUTE, priceBid=-5.0)])
        (tick,) = await ask_ticks(past, FRIDAY, FRIDAY + 2 * MINUTE, TickKind.BID_ASK)
        assert (tick.bid_price_1, tick.bid_volume_1) == (99.0, 1.0)
        assert (tick.ask_price_1, tick.ask_volume_1) == (101.0, 2.0)

    virtually(play)
