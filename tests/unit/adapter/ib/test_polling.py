"""The polling session: snapshots and bars by request, stream by stream."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from foxtrot.adapter.ib import history, polling
from foxtrot.adapter.ib.polling import BARS_EVERY_S, PollingSession
from foxtrot.errors import NotSupported
from foxtrot.gateway.counters import FeedCounters
from foxtrot.model.constants import Channel, Exchange
from foxtrot.model.objects import BarData
from foxtrot.model.requests import HistoryRequest
from tests.support.clock import ManualClock
from tests.support.ib_feed import AT_S
from tests.support.ib_lines import CONFIG, TICK, Tws, key
from tests.support.virtual_time import VirtualLoop, run_virtually

Play = Callable[[Tws, PollingSession], Awaitable[None]]
AAPL = key()


def played(play: Play) -> FeedCounters:
    """Run a play with an open session, in virtual time."""
    counters = FeedCounters()

    async def run() -> None:
        tws = Tws()
        session = PollingSession(tws.venue, counters)
        session.report = lambda stream, state, reason: tws.reports.append(
            (str(stream), state.value, reason)
        )
        await session.open()
        running = asyncio.ensure_future(session.run())
        try:
            await play(tws, session)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await session.close()

    run_virtually(run(), VirtualLoop())
    return counters


def test_ticks_are_polled_once_per_interval() -> None:
    """Each snapshot is a tick of what the market looks like then; a given back one is not asked."""

    async def play(tws: Tws, session: PollingSession) -> None:
        await session.subscribe([AAPL])
        await asyncio.sleep(2.5 * CONFIG.polling_interval_s)
        assert [tick.bid_price_1 for tick in tws.ticks()] == [10.0] * 3
        assert tws.ticks()[0].ask_volume_1 == 7.0
        assert tws.port.marks.tick(AAPL.symbol, AAPL.exchange) is tws.ticks()[-1]
        await session.unsubscribe([AAPL])
        await asyncio.sleep(5.0)
        assert tws.count(TICK, snapshots=True) == 3

    assert played(play).received == 3


def test_books_and_prints_cannot_be_polled() -> None:
    """TWS gives them as streams alone; that is said per stream."""

    async def play(tws: Tws, session: PollingSession) -> None:
        wanted = [key(channel=Channel.DEPTH), key(channel=Channel.TRADE), AAPL]
        outcome = await session.subscribe(wanted)
        assert list(outcome.refused) == wanted[:2]
        assert all(isinstance(error, NotSupported) for error in outcome.refused.values())

    played(play)


def test_numbers_that_cannot_be_true_are_not_told() -> None:
    """They are counted; the next good snapshot is told."""

    async def play(tws: Tws, session: PollingSession) -> None:
        tws.bid = float("inf")
        await session.subscribe([AAPL])
        await asyncio.sleep(0.5)
        assert tws.ticks() == []
        tws.bid = 11.0
        await asyncio.sleep(CONFIG.polling_interval_s)
        assert [tick.bid_price_1 for tick in tws.ticks()] == [11.0]

    assert played(play).rejected == 1


def test_a_refused_stream_fails_alone() -> None:
    """It is not asked for again and again; the others are."""

    async def play(tws: Tws, session: PollingSession) -> None:
        tws.refusals[TICK] = 354
        await session.subscribe([AAPL])
        await asyncio.sleep(5.0)
        assert tws.states(AAPL) == ["failed"]
        assert tws.count(TICK, snapshots=True) == 1
        tws.refusals.clear()
        await session.subscribe([AAPL])
        await asyncio.sleep(0.5)
        assert len(tws.ticks()) == 1

    played(play)


def test_polled_bars_are_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """First the newest alone; then what is new, and the end of what was still moving."""
    pages = [[(AT_S, True), (AT_S + 60, False)], [(AT_S + 60, True), (AT_S + 120, False)]]

    async def fetch(_venue: object, _client: object, wanted: HistoryRequest, _: object) -> object:
        page = pages.pop(0) if len(pages) > 1 else pages[0]
        return [
            BarData("IB", wanted.symbol, Exchange.SMART, polling.dt.datetime.fromtimestamp(
                at, polling.dt.UTC), wanted.interval, closed=closed)
            for at, closed in page
        ]  # fmt: skip

    monkeypatch.setattr(history, "fetch", fetch)

    async def play(tws: Tws, session: PollingSession) -> None:
        await session.subscribe([key(channel=Channel.BAR)])
        await asyncio.sleep(1.0)
        told = [event.data for event in tws.events if isinstance(event.data, BarData)]
        assert [(bar.datetime.timestamp(), bar.closed) for bar in told] == [(AT_S + 60, False)]
        await asyncio.sleep(BARS_EVERY_S)
        told = [event.data for event in tws.events if isinstance(event.data, BarData)]
        assert [(bar.datetime.timestamp(), bar.closed) for bar in told[1:]] == [
            (AT_S + 60, True),
            (AT_S + 120, False),
        ]

    played(play)


def test_a_polled_bar_is_told_closed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the market stands still the last bar is the same in every answer, and no news."""

    async def fetch(_venue: object, _client: object, wanted: HistoryRequest, _: object) -> object:
        begin = polling.dt.datetime.fromtimestamp(AT_S, polling.dt.UTC)
        return [BarData("IB", wanted.symbol, Exchange.SMART, begin, wanted.interval, closed=True)]

    monkeypatch.setattr(history, "fetch", fetch)

    async def play(tws: Tws, session: PollingSession) -> None:
        await session.subscribe([key(channel=Channel.BAR)])
        await asyncio.sleep(3.5 * BARS_EVERY_S)
        told = [event.data for event in tws.events if isinstance(event.data, BarData)]
        assert [(bar.datetime.timestamp(), bar.closed) for bar in told] == [(AT_S, True)]

    assert played(play).received == 4


def test_a_polled_bar_that_has_just_ended_is_told_closed_when_it_is_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a clock that is ahead of TWS's half a bar had ended, and the rest was never told."""
    volumes = [5.0, 7.0]
    clock: list[ManualClock] = []

    async def fetch(_venue: object, _client: object, wanted: HistoryRequest, _: object) -> object:
        begin = polling.dt.datetime.fromtimestamp(AT_S + 28, polling.dt.UTC)
        clock[0].advance(BARS_EVERY_S)
        return [
            BarData("IB", wanted.symbol, Exchange.SMART, begin, wanted.interval, volumes.pop(0))
        ]

    monkeypatch.setattr(history, "fetch", fetch)

    async def play(tws: Tws, session: PollingSession) -> None:
        clock.append(tws.port.clock)
        await session.subscribe([key(channel=Channel.BAR)])
        await asyncio.sleep(1.5 * BARS_EVERY_S)
        told = [event.data for event in tws.events if isinstance(event.data, BarData)]
        assert [(bar.volume, bar.closed) for bar in told] == [(5.0, False), (7.0, True)]

    played(play)
