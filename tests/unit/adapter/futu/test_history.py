"""Bars of the past: whole, once each, under the time of their begin, in every market's zone."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from foxtrot.adapter.futu import history
from foxtrot.adapter.futu.client import FutuClient
from foxtrot.adapter.futu.schema import Proto
from foxtrot.adapter.futu.session import Venue
from foxtrot.errors import (
    ConfigurationError,
    ConnectError,
    PermissionDenied,
    StreamingError,
    UnknownSymbol,
)
from foxtrot.model.constants import Exchange, Interval
from foxtrot.model.objects import BarData
from foxtrot.model.requests import HistoryRequest
from foxtrot.simulator.futu import FutuLimits, SimulatedFutu
from tests.support.futu_line import venue_at
from tests.support.futu_venue import running_futu

END = dt.datetime(2026, 11, 20, 2, 30, tzinfo=dt.UTC)


@pytest.fixture
def opend() -> Iterator[SimulatedFutu]:
    """An OpenD whose user may ask for the past of two contracts."""
    with running_futu(limits=FutuLimits(history_codes=2)) as venue:
        yield venue


@pytest.fixture
async def venue(opend: SimulatedFutu) -> AsyncIterator[Venue]:
    """What sessions share, over a connection that is closed at the end."""
    shared = venue_at(opend.port)
    yield shared
    await shared.release()


async def fetched(venue: Venue, request: HistoryRequest) -> tuple[list[BarData], list[float]]:
    """The bars, and the progress that was told, as shares."""
    told: list[float] = []
    async with venue.shared() as client:
        bars = await history.fetch(
            venue, client, request, lambda done, total: told.append(done / total)
        )
    return bars, told


async def test_pages_become_one_row_of_bars(venue: Venue) -> None:
    """Three pages of minutes: none missing, none twice, both ends included, progress told."""
    start = END - dt.timedelta(minutes=2_500)
    bars, told = await fetched(venue, HistoryRequest("00700", Exchange.SEHK, start, END))
    moments = [bar.datetime for bar in bars]
    assert moments == [start + dt.timedelta(minutes=each) for each in range(2_501)]
    assert all(bar.closed for bar in bars)
    assert told == sorted(told)
    assert (len(told), told[-1]) == (4, 1.0)


@pytest.mark.parametrize(
    ("symbol", "exchange", "hour"),
    [("00700", Exchange.SEHK, 16), ("600519", Exchange.SSE, 16), ("AAPL", Exchange.SMART, 5)],
)
async def test_a_day_begins_at_midnight_of_its_market(
    venue: Venue, symbol: str, exchange: Exchange, hour: int
) -> None:
    """Hong Kong, Shanghai and New York: each day begins at its own midnight."""
    request = HistoryRequest(symbol, exchange, END - dt.timedelta(days=5), END, Interval.DAILY)
    bars, _ = await fetched(venue, request)
    assert len(bars) == 5
    assert {bar.datetime.hour for bar in bars} == {hour}


async def test_a_summer_day_of_new_york_begins_an_hour_earlier(venue: Venue) -> None:
    """Days go on over the end of summer time."""
    start = dt.datetime(2026, 10, 30, tzinfo=dt.UTC)
    request = HistoryRequest("AAPL", Exchange.SMART, start, END, Interval.DAILY)
    bars, _ = await fetched(venue, request)
    assert {bar.datetime.hour for bar in bars} == {4, 5}


async def test_the_bar_of_the_moment_is_not_closed(venue: Venue) -> None:
    """The last bar up to now still moves; the one before does not."""
    start = dt.datetime.now(dt.UTC) - dt.timedelta(hours=3)
    request = HistoryRequest("00700", Exchange.SEHK, start, None, Interval.HOUR)
    bars, _ = await fetched(venue, request)
    assert [bar.closed for bar in bars][-2:] == [True, False]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (HistoryRequest("00700", Exchange.SEHK, END, END, Interval.TICK), "interval"),
        (HistoryRequest("00700", Exchange.SEHK, END.replace(tzinfo=None)), "start"),
        (HistoryRequest("00700", Exchange.SEHK, END, END - dt.timedelta(1)), "start"),
    ],
)
async def test_what_makes_no_sense_is_named(
    venue: Venue, request_: HistoryRequest, field: str
) -> None:
    """A wrong interval or time is refused under its name."""
    with pytest.raises(ConfigurationError) as caught:
        await fetched(venue, request_)
    assert caught.value.field == field


async def test_the_quota_and_an_unknown_name_are_errors_of_their_own(venue: Venue) -> None:
    """OpenD's quota of contracts is told in its words; so is a contract that does not exist."""
    start = END - dt.timedelta(minutes=5)
    for symbol in ("00700", "00005"):
        bars, _ = await fetched(venue, HistoryRequest(symbol, Exchange.SEHK, start, END))
        assert len(bars) == 6
    with pytest.raises(PermissionDenied, match="额度不足"):
        await fetched(venue, HistoryRequest("09988", Exchange.SEHK, start, END))
    with pytest.raises(UnknownSymbol):
        await fetched(venue, HistoryRequest("99999", Exchange.SEHK, start, END))


async def test_a_dead_connection_is_replaced_by_the_next_question(
    opend: SimulatedFutu, venue: Venue
) -> None:
    """History goes on after OpenD cut the connection that history had."""
    start = END - dt.timedelta(minutes=5)
    request = HistoryRequest("00700", Exchange.SEHK, start, END)
    await fetched(venue, request)
    async with venue.shared() as client:
        opend.faults.inject("rst")
        await client.lost
    bars, _ = await fetched(venue, request)
    assert len(bars) == 6


async def test_released_while_it_opens_nothing_is_left(opend: SimulatedFutu, venue: Venue) -> None:
    """Who lets go of a shared connection that still opens ends the attempt."""
    opend.faults.inject("mute")
    question = asyncio.ensure_future(fetched(venue, HistoryRequest("00700", Exchange.SEHK, END)))
    async with asyncio.timeout(5):
        while not opend.connections:  # noqa: ASYNC110 - it sets no event of ours
            await asyncio.sleep(0)
        await venue.release()
        with pytest.raises(ConnectError):
            await question
        while opend.connections:  # noqa: ASYNC110 - it sets no event of ours
            await asyncio.sleep(0)


@pytest.mark.parametrize("rows", [0, 1])
async def test_pages_that_do_not_advance_end(venue: Venue, rows: int) -> None:
    """Whatever key comes with them, the same page again and again is no past."""
    asked: list[bytes] = []

    class Opend:
        """Always has another page, with the same row or none."""

        async def ask(self, proto: Proto, c2s: Any) -> Any:
            """The page."""
            asked.append(c2s.nextReqKey)
            assert len(asked) < 5
            row = SimpleNamespace(timestamp=END.timestamp(), isBlank=True)
            key = str(len(asked)).encode()
            return SimpleNamespace(klList=[row] * rows, nextReqKey=key)

    request = HistoryRequest("00700", Exchange.SEHK, END - dt.timedelta(days=1), END)
    async with venue.shared() as client:
        await venue.contracts.resolve(client, "00700", Exchange.SEHK)
    with pytest.raises(StreamingError, match="advance"):
        await history.fetch(venue, cast("FutuClient", Opend()), request, lambda done, total: None)
