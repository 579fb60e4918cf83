"""Bars of the past: paged without a hole, and asked for in a way that makes sense."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from types import SimpleNamespace
from typing import cast

import msgspec
import pytest

from foxtrot.adapter.binance import history, mapping
from foxtrot.adapter.binance.client import BinanceClient
from foxtrot.adapter.binance.contracts import Contracts
from foxtrot.adapter.binance.session import Venue
from foxtrot.errors import ConfigurationError, UnknownSymbol
from foxtrot.model.constants import Exchange, Interval
from foxtrot.model.requests import HistoryRequest
from tests.support.clock import ManualClock

MINUTE_MS = 60_000
START = dt.datetime(2026, 7, 1, tzinfo=dt.UTC)
START_MS = int(START.timestamp() * 1000)
NOW_MS = START_MS + 10_000 * MINUTE_MS
CLIENT = cast(BinanceClient, SimpleNamespace(venue_ms=lambda ns: ns // 1_000_000))

Progress = list[tuple[int, int]]


def row(ms: int, **changes: str) -> mapping.Row:
    """A bar of a minute that begins at `ms`."""
    prices = [changes.get(name, "100.0") for name in ("o", "h", "l", "c")]
    cells = [ms, *prices, "1", ms + MINUTE_MS - 1, "100", 1, "0", "0", "0"]
    return msgspec.convert(cells, mapping.Row, strict=False)


class Archive:
    """A venue that answers for bars out of a list, as Binance does, and keeps what was asked."""

    def __init__(self, rows: list[mapping.Row]) -> None:
        self.rows = rows
        self.asked: list[dict[str, str | int]] = []
        self.contracts = Contracts("BINANCE")
        entry = {"symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT"}
        self.contracts.load([{**entry, "filters": []}])
        self.port = SimpleNamespace(clock=ManualClock(time_ns=NOW_MS * 1_000_000))

    async def candles(
        self, client: object, symbol: str, interval: Interval, page: Mapping[str, str | int]
    ) -> list[mapping.Row]:
        """The oldest bars that begin in the asked span."""
        self.asked.append(dict(page))
        first, last = int(page["startTime"]), int(page["endTime"])
        return [each for each in self.rows if first <= each[0] <= last][: int(page["limit"])]


def minutes(count: int) -> list[mapping.Row]:
    """Bars without a hole."""
    return [row(START_MS + number * MINUTE_MS) for number in range(count)]


async def fetched(
    archive: Archive, progress: Progress | None = None, **changes: object
) -> list[int]:
    """The starts of the bars, in minutes after the beginning."""
    request = msgspec.structs.replace(HistoryRequest("BTCUSDT", Exchange.BINANCE, START), **changes)
    told: Progress = [] if progress is None else progress
    bars = await history.fetch(
        cast(Venue, archive), CLIENT, request, lambda done, total: told.append((done, total))
    )
    return [round((bar.datetime - START).total_seconds() / 60) for bar in bars]


@pytest.mark.parametrize("count", [0, 1, 999, 1_000, 1_001, 2_000, 2_500])
async def test_pages_join_without_hole_or_duplicate(count: int) -> None:
    """Whatever the number of bars, also where a page is just full."""
    assert await fetched(Archive(minutes(count))) == list(range(count))


async def test_a_page_is_as_large_as_the_venue_allows() -> None:
    """Each request begins behind the last bar."""
    archive = Archive(minutes(1_500))
    await fetched(archive)
    assert [page["limit"] for page in archive.asked] == [1_000, 1_000]
    assert [page["startTime"] for page in archive.asked] == [
        START_MS,
        START_MS + 999 * MINUTE_MS + 1,
    ]


async def test_a_bar_that_still_moves_is_not_closed_by_a_clock_that_is_ahead() -> None:
    """The venue's time tells; half a bar that is called final is traded as a whole one."""
    archive = Archive(minutes(3))
    archive.port.clock = ManualClock(time_ns=(START_MS + 3 * MINUTE_MS) * 1_000_000)
    half_a_minute_ahead = SimpleNamespace(venue_ms=lambda ns: ns // 1_000_000 - 30_000)
    request = HistoryRequest("BTCUSDT", Exchange.BINANCE, START)
    bars = await history.fetch(
        cast(Venue, archive), cast(BinanceClient, half_a_minute_ahead), request, lambda *_: None
    )
    assert [bar.closed for bar in bars] == [True, True, False]


async def test_both_ends_of_the_span_belong_to_it() -> None:
    """A bar that begins at the end is wanted, one that began before the start is not."""
    archive = Archive([row(START_MS - MINUTE_MS), *minutes(10)])
    end = START + dt.timedelta(minutes=5)
    assert await fetched(archive, end=end) == [0, 1, 2, 3, 4, 5]


async def test_bars_beyond_the_end_are_left_out() -> None:
    """Also where a venue gives more than it was asked for."""
    archive = Archive(minutes(10))

    async def generous(*_: object) -> list[mapping.Row]:
        return archive.rows

    archive.candles = generous  # type: ignore[method-assign]
    end = START + dt.timedelta(minutes=5)
    assert await fetched(archive, end=end) == [0, 1, 2, 3, 4, 5]


async def test_progress_rises_to_the_end() -> None:
    """A bar on a screen never moves back, and is full when it is over."""
    progress: Progress = []
    await fetched(Archive(minutes(2_500)), progress)
    done = [each for each, _ in progress]
    assert done == sorted(done)
    assert progress[-1][0] == progress[-1][1] == (NOW_MS - START_MS) // 1000
    assert len(progress) >= 3


async def test_a_venue_that_repeats_itself_is_not_asked_for_ever() -> None:
    """Bars that were not asked for are no progress: the answer ends there."""
    archive = Archive([])

    async def stuck(*_: object) -> list[mapping.Row]:
        archive.asked.append({})
        return minutes(1_000)

    archive.candles = stuck  # type: ignore[method-assign]
    assert await fetched(archive) == list(range(1_000))
    assert len(archive.asked) == 2


async def test_a_bar_with_bad_numbers_is_left_out() -> None:
    """A hole is better than a price that never was."""
    bars = minutes(5)
    bars[2] = row(START_MS + 2 * MINUTE_MS, h="0")
    assert await fetched(Archive(bars)) == [0, 1, 3, 4]


async def test_the_last_bar_is_open_while_its_time_runs() -> None:
    """The bar of this moment is told as what it is."""
    archive = Archive([row(NOW_MS - MINUTE_MS), row(NOW_MS)])
    request = HistoryRequest("BTCUSDT", Exchange.BINANCE, START)
    bars = await history.fetch(cast(Venue, archive), CLIENT, request, lambda done, total: None)
    assert [bar.closed for bar in bars] == [True, False]


async def test_the_future_is_not_asked_for() -> None:
    """An end that lies ahead means now."""
    archive = Archive(minutes(3))
    await fetched(archive, end=START + dt.timedelta(days=3_650))
    assert archive.asked[0]["endTime"] == NOW_MS


async def test_times_may_be_of_any_zone() -> None:
    """A moment is a moment."""
    tokyo = dt.timezone(dt.timedelta(hours=9))
    archive = Archive(minutes(3))
    assert await fetched(archive, start=START.astimezone(tokyo)) == [0, 1, 2]
    assert archive.asked[0]["startTime"] == START_MS


@pytest.mark.parametrize(
    ("changes", "field", "problem"),
    [
        ({"interval": Interval.TICK}, "interval", "allowed: 1m, 5m, 15m, 1h, 4h, d, w"),
        ({"start": START.replace(tzinfo=None)}, "start", "has no time zone"),
        ({"end": START.replace(tzinfo=None)}, "end", "has no time zone"),
        ({"end": START - dt.timedelta(seconds=1)}, "start", "lies after the end"),
        ({"start": START + dt.timedelta(days=3_650)}, "start", "lies after the end"),
    ],
    ids=["interval", "naive start", "naive end", "end before start", "future"],
)
async def test_a_request_that_makes_no_sense_is_refused(
    changes: dict[str, object], field: str, problem: str
) -> None:
    """Before anything is asked of the venue, and with the field's name."""
    archive = Archive([])
    with pytest.raises(ConfigurationError) as caught:
        await fetched(archive, **changes)
    assert (caught.value.where, caught.value.field) == ("history", field)
    assert problem in caught.value.problem
    assert archive.asked == []


async def test_an_unknown_symbol_is_refused_with_advice() -> None:
    """As in a subscription."""
    with pytest.raises(UnknownSymbol, match=r"did you mean BTCUSDT\?"):
        await fetched(Archive([]), symbol="BTCUSD")


@pytest.mark.parametrize("year", [1, 1969])
async def test_a_start_before_the_epoch_is_no_crash(year: int) -> None:
    """The venue takes no negative times, and has nothing that old."""
    start, archive = dt.datetime(year, 1, 2, tzinfo=dt.UTC), Archive(minutes(2))
    assert await fetched(archive, start=start) == [0, 1]
    assert archive.asked[0]["startTime"] == 86_400_000
    assert await fetched(archive, start=start, end=start) == []
