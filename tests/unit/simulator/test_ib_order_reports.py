"""The post of the simulated TWS: reports that come twice, late, or in another order."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from foxtrot.simulator.ib import SimulatedIb
from tests.support.ib_sdk import troubles
from tests.support.ib_trader import Trader, trading
from tests.unit.simulator.conftest import Until


@pytest.fixture
async def sim(caplog: pytest.LogCaptureFixture) -> AsyncIterator[SimulatedIb]:
    """A gateway whose market stands still."""
    async with SimulatedIb(("AAPL", "MSFT"), rate_hz=0) as venue:
        yield venue
    assert troubles(caplog) == []


@pytest.fixture
async def trader(sim: SimulatedIb) -> AsyncIterator[Trader]:
    """Client 1, with an order that rests."""
    async with trading(sim.port) as client:
        await client.told(lambda: client.place(1))
        yield client


async def test_every_report_can_come_twice(sim: SimulatedIb, trader: Trader) -> None:
    """The same message again, at once; the other symbols are left alone."""
    sim.faults.inject("duplicate_reports", symbol="AAPL")
    sim.desk.fill("ref-1")
    story = await trader.story()
    assert story[::2] == story[1::2]
    assert story[::2] == ["fill BOT 10@200", "open Filled", "status Filled 10+0", "cost"]
    msft = {"contract": trader.stock("MSFT")}
    assert len(await trader.story(lambda: trader.place(2, **msft))) == 4


async def test_the_notice_can_come_before_the_status(sim: SimulatedIb, trader: Trader) -> None:
    """202 first; the order is cancelled all the same."""
    sim.faults.inject("notice_first")
    story = await trader.story(lambda: trader.client.cancelOrder(1, ""))
    assert story == ["error 202", "status Cancelled 0+10"]


async def test_two_reports_can_change_places(sim: SimulatedIb, trader: Trader) -> None:
    """The fill comes after the order that it filled."""
    sim.faults.inject("reordered", channel="execDetails")
    sim.desk.fill("ref-1")
    assert (await trader.story())[:2] == ["open Filled", "fill BOT 10@200"]


async def test_what_is_held_back_for_a_client_is_gone_with_it(
    sim: SimulatedIb, trader: Trader, until: Until
) -> None:
    """A report that waits for the next one is not told to the next connection."""
    sim.faults.inject("reordered", channel="error")
    await trader.told(lambda: trader.client.cancelOrder(1, ""))
    trader.client.disconnect()
    await until(lambda: not sim.connections)
    async with trading(sim.port) as again:
        assert "error 202" not in await again.story(lambda: again.place(2))


async def test_reports_can_be_late(sim: SimulatedIb, trader: Trader) -> None:
    """The answer to a later question overtakes them; their own order stays."""
    sim.faults.inject("late_reports", seconds=0.05)
    sim.desk.fill("ref-1")
    sim.faults.clear()
    ask, everything = trader.client.reqExecutions, trader.sdk.ExecutionFilter()
    assert await trader.story(lambda: ask(1, everything)) == [
        "fill BOT 10@200",
        "cost",
        "execDetailsEnd",
    ]
    await trader.heard("commissionReport")
    assert await trader.story() == ["fill BOT 10@200", "open Filled", "status Filled 10+0", "cost"]
