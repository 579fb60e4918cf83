"""The past of the simulated gateway, as the unmodified SDK is told it."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from itertools import pairwise
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from foxtrot.simulator.ib import IbLimits, SimulatedIb
from tests.support import ib_sdk
from tests.support.ib_sdk import DEADLINE_S, Desk, connected, until

SYMBOLS = ("AAPL", "EUR.USD")
END = dt.datetime(2025, 9, 19, 20, tzinfo=dt.UTC)
NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedIb]:
    async with SimulatedIb(SYMBOLS, seed=3, rate_hz=0) as venue:
        yield venue


@pytest.fixture
async def desk(sim: SimulatedIb, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Desk]:
    """A client; at the end, nothing that it was sent was a riddle to it."""
    async with connected(sim.port, fetch=False) as client:
        yield client
    assert ib_sdk.troubles(caplog) == []
    assert sim.violations == []


@pytest.fixture
async def sdk() -> ModuleType:
    return ib_sdk.load()


def apple(sdk: ModuleType) -> Any:
    return sdk.Stock("AAPL", "SMART", "USD", conId=265598)


async def bars(desk: Desk, contract: Any, duration: str, size: str, **more: Any) -> list[Any]:
    plain = {"endDateTime": END, "whatToShow": "TRADES", "useRTH": False, "formatDate": 2}
    wanted = desk.ib.reqHistoricalDataAsync(
        contract, durationStr=duration, barSizeSetting=size, **{**plain, **more}
    )
    return list(await asyncio.wait_for(wanted, DEADLINE_S))


@pytest.mark.parametrize(
    ("duration", "size", "count"),
    [
        ("60 S", "1 secs", 60),
        ("1800 S", "30 secs", 60),
        ("1 D", "1 min", 1440),
        ("2 D", "1 hour", 48),
        ("1 W", "4 hours", 42),
    ],
)
async def test_bars_fill_the_time_that_was_asked_for(
    sdk: ModuleType, desk: Desk, duration: str, size: str, count: int
) -> None:
    """From a duration before the end up to the end, one after the other, none twice."""
    rows = await bars(desk, apple(sdk), duration, size)
    starts = [row.date for row in rows]
    steps = {later - earlier for earlier, later in pairwise(starts)}
    assert (len(rows), len(steps)) == (count, 1)
    assert starts[-1] + steps.pop() == END
    for row in rows:
        assert row.low <= min(row.open, row.close) <= max(row.open, row.close) <= row.high
        assert row.volume > 0


async def test_a_bar_that_began_before_is_left_out(sdk: ModuleType, desk: Desk) -> None:
    """What begins in the time that was asked for is told, and nothing else."""
    end = END + dt.timedelta(minutes=30)
    rows = await bars(desk, apple(sdk), "7200 S", "1 hour", endDateTime=end)
    assert [row.date for row in rows] == [END - dt.timedelta(hours=1), END]


async def test_days_are_those_of_the_exchange(sdk: ModuleType, desk: Desk) -> None:
    """A daily bar has a date and no time; a weekly one the date of its Monday."""
    days = await bars(desk, apple(sdk), "5 D", "1 day")
    assert [row.date for row in days][-1] == dt.date(2025, 9, 19)
    weeks = await bars(desk, apple(sdk), "4 W", "1 week")
    assert {row.date.weekday() for row in weeks} == {0}


async def test_time_is_told_as_it_is_asked_for(sdk: ModuleType, desk: Desk) -> None:
    """In seconds, or in the exchange's own time with the name of its zone: it is the same."""
    seconds = await bars(desk, apple(sdk), "3600 S", "1 min", formatDate=2)
    local = await bars(desk, apple(sdk), "3600 S", "1 min", formatDate=1)
    assert [row.date for row in seconds] == [row.date for row in local]
    assert local[0].date.astimezone(NEW_YORK).hour == 15


async def test_pages_fit_together(sdk: ModuleType, desk: Desk) -> None:
    """The past is what it was: asked for in pieces, or at once."""
    whole = await bars(desk, apple(sdk), "2 D", "1 hour")
    late = await bars(desk, apple(sdk), "1 D", "1 hour")
    early = await bars(desk, apple(sdk), "1 D", "1 hour", endDateTime=END - dt.timedelta(days=1))
    assert early + late == whole


async def test_bars_are_kept_up_to_date(sim: SimulatedIb, sdk: ModuleType, desk: Desk) -> None:
    """The last bar follows the market, and a new one begins in time."""
    live = await asyncio.wait_for(
        desk.ib.reqHistoricalDataAsync(
            apple(sdk), "", "3600 S", "1 min", "TRADES", False, 2, keepUpToDate=True
        ),
        DEADLINE_S,
    )
    before, now_ms = len(live), sim.market.now_ms("AAPL")
    for step in range(1, 91):
        sim.market.tick("AAPL", now_ms + 1_000 * step)
    await until(live.updateEvent, lambda: len(live) > before)
    await desk.settled()
    bar = sim.market.bar("AAPL", "1m", sim.market.now_ms("AAPL"))
    assert live[-1].date.timestamp() == bar.start_ms / 1_000
    assert (live[-1].close, live[-1].volume) == (bar.close_e8 / 1e8, bar.volume_e8 / 1e8)
    desk.ib.cancelHistoricalData(live)
    await desk.settled()
    assert sim.streams.live == ()


@pytest.mark.parametrize("kind", ["TRADES", "BID_ASK", "MIDPOINT"])
async def test_ticks_come_in_whole_seconds(sdk: ModuleType, desk: Desk, kind: str) -> None:
    """From a start forwards or from an end backwards, at least as many as there are."""
    for edges in (
        {"startDateTime": END, "endDateTime": ""},
        {"startDateTime": "", "endDateTime": END},
    ):
        rows = await asyncio.wait_for(
            desk.ib.reqHistoricalTicksAsync(
                apple(sdk), **edges, numberOfTicks=99, whatToShow=kind, useRth=False
            ),
            DEADLINE_S,
        )
        times = [row.time for row in rows]
        assert len(rows) == 100
        assert times == sorted(times)
        assert times[0] == END if edges["startDateTime"] else times[-1] < END


async def test_the_data_begins_somewhere(sdk: ModuleType, desk: Desk) -> None:
    """Before its head a contract has no bars; from it on it has."""
    head = await asyncio.wait_for(
        desk.ib.reqHeadTimeStampAsync(apple(sdk), "TRADES", False, 2), DEADLINE_S
    )
    assert await bars(desk, apple(sdk), "1 D", "1 hour", endDateTime=head) == []
    assert desk.codes[-1] == 162
    first = await bars(desk, apple(sdk), "1 D", "1 hour", endDateTime=head + dt.timedelta(hours=5))
    assert head <= first[0].date < head + dt.timedelta(hours=1)


@pytest.mark.parametrize(
    ("code", "text", "wanted"),
    [
        (162, "no data: EUR.USD@IDEALPRO Trades", {"pair": True}),
        (162, "Time length exceed max", {"size": "5 secs", "duration": "2 D"}),
        (321, "Legal ones are: 1 secs, 5 secs,", {"size": "1 sec"}),
        (321, "duration format is integer", {"duration": "1 fortnight"}),
        (321, "duration is invalid", {"duration": "20 S"}),
        (321, "greater than 86400 seconds", {"duration": "90000 S"}),
        (321, "What to show value of PRINTS", {"whatToShow": "PRINTS"}),
        (321, "End date not supported with adjusted last", {"whatToShow": "ADJUSTED_LAST"}),
        (321, "Date formatting selection of 0", {"formatDate": 0}),
    ],
)
async def test_what_cannot_be_told_is_refused_in_words(
    sdk: ModuleType, desk: Desk, code: int, text: str, wanted: dict[str, Any]
) -> None:
    """Each refusal has its code, and says what was wrong."""
    wanted = dict(wanted)
    pair, size, duration = (wanted.pop(name, None) for name in ("pair", "size", "duration"))
    contract = sdk.Forex("EURUSD", conId=12087792) if pair else apple(sdk)
    asked = bars(desk, contract, duration or "1 D", size or "1 hour", **wanted)
    with_error = asyncio.ensure_future(asked)
    _, _, words = await desk.told(code)
    assert text in words
    with_error.cancel()
    await asyncio.gather(with_error, return_exceptions=True)


async def test_small_bars_are_paced(sdk: ModuleType, desk: Desk) -> None:
    """The same small bars twice within fifteen seconds are too many; longer ones are not."""
    assert await bars(desk, apple(sdk), "60 S", "1 secs")
    assert await bars(desk, apple(sdk), "60 S", "1 secs") == []
    code, text = desk.errors[-1][1:]
    assert code == 162
    assert "pacing violation" in text
    for _ in range(2):
        assert await bars(desk, apple(sdk), "1 D", "1 hour")


async def test_so_many_bars_are_kept_up_to_date_and_no_more(sdk: ModuleType) -> None:
    """Each stays open until it is cancelled."""
    limits = IbLimits(history_open=1)
    async with (
        SimulatedIb(SYMBOLS, rate_hz=0, limits=limits) as sim,
        connected(sim.port, fetch=False) as desk,
    ):
        keep = {"endDateTime": "", "keepUpToDate": True}
        assert await bars(desk, apple(sdk), "1 D", "1 hour", **keep)
        assert await bars(desk, apple(sdk), "1 D", "1 hour", **keep) == []
        assert desk.codes[-1] == 162


async def test_sessions_are_told(sdk: ModuleType, desk: Desk) -> None:
    """A schedule has the hours of each weekday."""
    schedule = await asyncio.wait_for(
        desk.ib.reqHistoricalScheduleAsync(apple(sdk), 7, END), DEADLINE_S
    )
    assert schedule.timeZone == "US/Eastern"
    assert len(schedule.sessions) == 5
    assert schedule.sessions[0].startDateTime.endswith("-09:30:00")
