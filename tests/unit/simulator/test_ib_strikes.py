"""The faults of the gateway that act at once, and its restart."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from foxtrot.simulator.ib import SimulatedIb
from tests.unit.simulator.ib_raw import AAPL, Raw, raw

SUBSCRIBE = (1, 11, 5, *AAPL, False, "", False, False, "")


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedIb]:
    """A gateway whose market moves by hand."""
    async with SimulatedIb(("AAPL",), rate_hz=0) as venue:
        yield venue


async def test_the_nightly_restart_ends_every_line_and_keeps_the_orders(sim: SimulatedIb) -> None:
    """Nobody is let in for a while; then everybody is, and what was ordered is still there."""
    sim.desk.place_by_hand("AAPL", 10, 100)
    async with raw(sim, 1) as one, raw(sim, 2) as two:
        one.send(*SUBSCRIBE)
        await one.settled()
        sim.faults.inject("restart", seconds=60)
        assert [len(await client.ended()) for client in (one, two)] == [0, 0]
    refused = await Raw.open(sim)
    assert await refused.ended() == []
    refused.close()
    sim.faults.inject("restart", seconds=0)
    async with raw(sim, 1) as one:
        one.send(16, 1)
        assert [fields[0] for fields in await one.settled()] == ["5", "3", "53"]
    assert sim.streams.live == ()


async def test_a_notice_is_told_to_everybody(sim: SimulatedIb) -> None:
    """With the code's usual words, or others."""
    async with raw(sim, 1) as one, raw(sim, 2) as two:
        sim.faults.inject("notice", code=2110)
        for client in (one, two):
            error_id, code, text = await client.error()
            assert (error_id, code) == (-1, 2110)
            assert text.startswith("Connectivity between Trader Workstation and server is broken")
        sim.faults.inject(
            "notice", code=1300, body="TWS socket port has been reset", path="client/2"
        )
        assert await two.error() == (-1, 1300, "TWS socket port has been reset")
        assert await one.settled() == []


async def test_who_comes_while_a_farm_is_lost_hears_of_it(sim: SimulatedIb) -> None:
    """The greeting says which farms are open, and that one is not."""
    sim.faults.inject("farm_down", body="cashfarm")
    async with raw(sim, None) as client:
        await client.greet()
        client.send(71, 2, 1, "")
        assert await client.error() == (-1, 2103, "Market data farm connection is broken:cashfarm")
        assert (await client.error())[1] == 2106
        sim.faults.clear()
        assert await client.find(lambda fields: fields[3] == "2104")


async def test_a_burst_comes_in_one_piece(sim: SimulatedIb) -> None:
    """Many steps of the market at once."""
    async with raw(sim) as client:
        client.send(*SUBSCRIBE)
        await client.settled()
        sim.faults.inject("burst", frames=30)
        await client.find(lambda fields: fields[0] == "2")
        assert len(await client.settled()) >= 29


async def test_a_clock_can_be_wrong(sim: SimulatedIb) -> None:
    """The time that is told is off by so much."""
    async with raw(sim) as client:
        client.send(49, 1)
        before = int((await client.read())[2])
        sim.faults.inject("clock_skew", seconds=3_600)
        client.send(49, 1)
        assert int((await client.read())[2]) >= before + 3_600
