"""The polling session: snapshots, many contracts in one request."""

from __future__ import annotations

import asyncio

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
        await asyncio.sleep(2.5)
        assert opend.states(ALIBABA) == ["failed"]
        assert {tick.symbol for tick in opend.ticks()} == {"00700"}
        assert len(opend.ticks()) == 3

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
