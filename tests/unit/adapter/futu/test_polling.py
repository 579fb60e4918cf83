"""The polling session: snapshots, many contracts in one request."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

from foxtrot.adapter.futu.polling import PollingSession
from foxtrot.adapter.futu.schema import Proto
from foxtrot.errors import NotSupported
from foxtrot.model.constants import Channel
from tests.support.futu_opend import CONFIG, Opend, key, played

TENCENT, ALIBABA = key("00700"), key("09988")


def test_ticks_are_polled_once_per_interval() -> None:
    """All contracts in one request; one that was given back is not asked for."""

    async def play(opend: Opend, session: PollingSession) -> None:
        await session.subscribe([TENCENT, ALIBABA])
        await asyncio.sleep(2.5 * CONFIG.polling_interval_s)
        assert opend.kinds()[Proto.Qot_GetSecuritySnapshot] == 3
        assert [tick.symbol for tick in opend.ticks()] == ["00700", "09988"] * 3
        tick = opend.ticks()[-1]
        assert (tick.last_price, tick.bid_price_1, tick.ask_volume_1) == (612.0, 611.5, 200.0)
        assert opend.marks.tick("09988", ALIBABA.exchange) is tick
        await session.unsubscribe([TENCENT, ALIBABA])
        await asyncio.sleep(5.0)
        assert opend.kinds()[Proto.Qot_GetSecuritySnapshot] == 3

    assert played(PollingSession, play).received == 6


def test_books_prints_and_bars_cannot_be_polled() -> None:
    """That is said for each stream."""

    async def play(opend: Opend, session: PollingSession) -> None:
        wanted = [key(channel=channel) for channel in Channel]
        outcome = await session.subscribe(wanted)
        assert set(outcome.refused) == set(wanted) - {TENCENT}
        assert all(isinstance(error, NotSupported) for error in outcome.refused.values())

    played(PollingSession, play)


def test_one_bad_contract_fails_alone() -> None:
    """OpenD refuses a request as a whole; the others are polled on."""

    async def play(opend: Opend, session: PollingSession) -> None:
        opend.refusals["09988"] = "未知股票 09988"
        await session.subscribe([TENCENT, ALIBABA])
        await asyncio.sleep(3.0)
        assert opend.states(ALIBABA) == ["stale", "failed"]
        assert opend.states(TENCENT) == ["stale", "polling"]
        assert {tick.symbol for tick in opend.ticks()} == {"00700"}
        assert len(opend.ticks()) == 3

    played(PollingSession, play)


NO_RIGHT = [key(f"{number:05}") for number in range(1_000, 1_100)]


def _without_rights(opend: Opend) -> None:
    opend.refusals = {stream.symbol: "没有行情权限" for stream in NO_RIGHT}


def test_a_hundred_contracts_without_rights_cost_the_others_nothing() -> None:
    """Each is told so by name and asked for again later; the others go on, within the window."""

    async def play(opend: Opend, session: PollingSession) -> None:
        _without_rights(opend)
        await session.subscribe([TENCENT])
        await asyncio.sleep(2.0)
        await session.subscribe(NO_RIGHT)
        await asyncio.sleep(1.5)
        told = {name: reason for name, state, reason in opend.reports if state == "stale"}
        assert all("行情权限" in told[str(stream)] for stream in NO_RIGHT)
        asked, ticks = len(opend.asked), len(opend.ticks())
        for _ in range(10):
            await asyncio.sleep(30.0)
            assert len(opend.asked) - asked <= 50
            assert len(opend.ticks()) - ticks >= 15
            failed = [stream for stream in NO_RIGHT if opend.states(stream)[-1] == "failed"]
            asked, ticks = len(opend.asked), len(opend.ticks())
            if len(failed) == len(NO_RIGHT):
                await session.subscribe(failed[::3])
        assert {opend.states(stream)[-1] for stream in NO_RIGHT[1::3]} == {"failed"}

    played(PollingSession, play)


def test_a_long_interval_leaves_a_fifth_of_the_window_to_others() -> None:
    """An order whose price is asked for does not wait behind contracts without rights."""

    async def play(opend: Opend, session: PollingSession) -> None:
        slow = replace(CONFIG, polling_interval_s=120.0)
        cast("SimpleNamespace", opend.venue).config = slow
        _without_rights(opend)
        await session.subscribe(NO_RIGHT)
        await asyncio.sleep(29.0)
        assert 40 < opend.kinds()[Proto.Qot_GetSecuritySnapshot] <= 48

    played(PollingSession, play)


def test_a_right_that_is_given_back_is_found() -> None:
    """All that were refused are polled once OpenD shows them, after one request for all."""

    async def play(opend: Opend, session: PollingSession) -> None:
        _without_rights(opend)
        await session.subscribe(NO_RIGHT[:8])
        await asyncio.sleep(30.0)
        assert {opend.states(stream)[-1] for stream in NO_RIGHT[:8]} == {"failed"}
        opend.refusals.clear()
        await session.subscribe(NO_RIGHT[:8])
        await asyncio.sleep(1.0)
        assert {opend.states(stream)[-1] for stream in NO_RIGHT[:8]} == {"polling"}
        assert {tick.symbol for tick in opend.ticks()} == {each.symbol for each in NO_RIGHT[:8]}

    played(PollingSession, play)


def test_a_new_contract_does_not_wait_behind_those_that_were_refused() -> None:
    """It is polled with the next round, and so is what is refused together with it."""

    async def play(opend: Opend, session: PollingSession) -> None:
        _without_rights(opend)
        await session.subscribe(NO_RIGHT[:50])
        await asyncio.sleep(150.0)
        await session.subscribe(NO_RIGHT[:50])
        await asyncio.sleep(20.0)
        await session.subscribe([TENCENT, NO_RIGHT[60]])
        await asyncio.sleep(6.0)
        assert opend.states(TENCENT)[-1] == "polling"
        assert opend.states(NO_RIGHT[60])[-1] == "failed"
        await session.unsubscribe(NO_RIGHT)
        asked = len(opend.asked)
        await asyncio.sleep(10.0)
        assert len(opend.asked) - asked == 10

    played(PollingSession, play)


def test_numbers_that_cannot_be_true_are_not_told() -> None:
    """They are counted; the next good snapshot is told."""

    async def play(opend: Opend, session: PollingSession) -> None:
        opend.last = float("inf")
        await session.subscribe([TENCENT])
        await asyncio.sleep(0.5)
        assert opend.ticks() == []
        opend.last = 613.0
        await asyncio.sleep(CONFIG.polling_interval_s)
        assert [tick.last_price for tick in opend.ticks()] == [613.0]

    assert played(PollingSession, play).rejected == 1


def test_an_opend_that_does_not_answer_is_asked_again() -> None:
    """The user is told, and the session lives."""

    async def play(opend: Opend, session: PollingSession) -> None:
        opend.mute.add(Proto.Qot_GetSecuritySnapshot)
        await session.subscribe([TENCENT])
        await asyncio.sleep(11.0)
        assert len(opend.errors) == 1
        opend.mute.clear()
        await asyncio.sleep(10.0)
        assert opend.ticks()

    played(PollingSession, play)


def test_many_contracts_are_polled_as_slowly_as_the_window_allows() -> None:
    """60 requests of 400 in 30 seconds, and some of them are for others."""

    async def play(opend: Opend, session: PollingSession) -> None:
        await session.subscribe([key(f"{number:05}") for number in range(1_000)])
        await asyncio.sleep(30.0)
        asked = opend.kinds()[Proto.Qot_GetSecuritySnapshot]
        assert 40 <= asked <= 50

    played(PollingSession, play)
