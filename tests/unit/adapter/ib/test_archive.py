"""One page of IB's past: what its errors mean, and how often it is asked for."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Coroutine

import pytest

from foxtrot.adapter.ib import history
from foxtrot.adapter.ib.archive import PACING_TRIES, Archive
from foxtrot.adapter.ib.errors import error_of
from foxtrot.adapter.ib.mapping import Row
from foxtrot.errors import (
    ConnectionClosed,
    FoxtrotError,
    PermissionDenied,
    RateLimited,
    VenueError,
    VenueUnavailable,
)
from foxtrot.model.constants import Exchange, Interval
from tests.support.ib_past import NO_DATA, NO_PERMISSION, PACING, SYMBOL, Past
from tests.support.virtual_time import VirtualLoop, run_virtually

NOON = dt.datetime(2026, 11, 20, 17, tzinfo=dt.UTC)
CANCELLED = "Historical Market Data Service error message:API historical data query cancelled"


def virtually(play: Callable[[], Coroutine[object, object, None]]) -> None:
    """Run a play on a loop whose waits cost nothing."""

    async def whole() -> None:
        await play()

    run_virtually(whole(), VirtualLoop())


async def archive_of(past: Past) -> Archive:
    """The archive of its contract."""
    venue = past.venue
    known = await venue.contracts.resolve(past.client, SYMBOL, Exchange.SMART)
    return Archive(venue, past.client, known)


async def page(past: Past) -> list[Row]:
    """The bars of the hour before noon."""
    return await (await archive_of(past)).bars(NOON, "3600 S", Interval.MINUTE, "TRADES")


def test_endless_pacing_violations_are_an_error() -> None:
    """A venue that never gives way is not asked forever, each time later, and holds no place."""

    async def play() -> None:
        past = Past(troubles=[error_of("IB", 162, PACING)] * 50)
        before = asyncio.get_running_loop().time()
        with pytest.raises(RateLimited):
            await page(past)
        statistics = past.pace.statistics()
        assert past.pages == PACING_TRIES
        assert statistics.violations == PACING_TRIES - 1
        assert (statistics.history_open, statistics.history_waiting) == (0, 0)
        assert asyncio.get_running_loop().time() - before >= 60.0

    virtually(play)


def test_a_missing_permission_names_the_symbol() -> None:
    """What has to be subscribed to is told, and for which contract; it is asked for once."""

    async def play() -> None:
        past = Past(troubles=[error_of("IB", 162, NO_PERMISSION)])
        with pytest.raises(PermissionDenied, match=rf"{SYMBOL}.SMART: .*permissions for NYSE"):
            await page(past)
        assert past.pages == 1

    virtually(play)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (error_of("IB", 162, CANCELLED), VenueError),
        (error_of("IB", 366, "No historical data query found for ticker id:7"), VenueError),
        (VenueUnavailable("IB", "", "historicalData was not answered"), VenueUnavailable),
        (RateLimited("IB", "", "4000 others wait for their turn", 60.0), RateLimited),
        (ConnectionClosed(1006), ConnectionClosed),
    ],
)
def test_another_error_is_not_an_empty_answer(
    error: FoxtrotError, kind: type[FoxtrotError]
) -> None:
    """Only what says that there is no data is an empty list; the rest reaches the caller."""

    async def play() -> None:
        past = Past(troubles=[error])
        with pytest.raises(kind):
            await page(past)
        assert past.pages == 1

    virtually(play)


def test_no_data_is_an_empty_page() -> None:
    """TWS says so by an error."""

    async def play() -> None:
        assert await page(Past(troubles=[error_of("IB", 162, NO_DATA)])) == []

    virtually(play)


def test_the_first_moment_of_the_data_can_be_asked_for() -> None:
    """The head timestamp is a moment, or None where TWS has none."""

    async def play() -> None:
        for head in (int(NOON.timestamp()), None):
            archive = await archive_of(Past(head=head))
            moment = await history.head_timestamp(archive.venue, archive.client, archive.instrument)
            assert moment == (NOON if head else None)

    virtually(play)
