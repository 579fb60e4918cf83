"""The simulated gateway as a whole: how it starts, stops and is handled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from foxtrot.errors import ConfigurationError, InvalidState
from foxtrot.simulator.ib import IbLimits, SimulatedIb, SimulatedIbThread
from tests.support.ib_venue import running_ib
from tests.unit.simulator.ib_raw import AAPL, raw

QUOTES = (1, 11, 5, *AAPL, False, "", False, False, "")


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("host", lambda: SimulatedIb(host="192.0.2.1")),
        ("host", lambda: SimulatedIb(host="example.org")),
        ("rate_hz", lambda: SimulatedIb(rate_hz=-1)),
        ("server_version", lambda: SimulatedIb(server_version=156)),
        ("server_version", lambda: SimulatedIb(server_version=179)),
        ("symbols", lambda: SimulatedIb(["NOSUCH"])),
    ],
)
def test_a_wrong_argument_is_named(field: str, make: Callable[[], SimulatedIb]) -> None:
    """Before anything listens."""
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert caught.value.field == field


async def test_it_starts_again_at_its_port() -> None:
    """A gateway that was stopped is the same one when it is back: port, orders and all."""
    sim = SimulatedIb(("AAPL",), rate_hz=0)
    await sim.start()
    with pytest.raises(InvalidState):
        await sim.start()
    port = sim.port
    async with raw(sim) as client:
        sim.desk.place_by_hand("AAPL", 10, 100)
        await sim.stop()
        await sim.stop()
        assert await client.ended() == []
    await sim.start()
    assert (sim.port, len(sim.desk.held())) == (port, 1)
    await sim.stop()
    assert repr(sim) == f"<SimulatedIb STOPPED port={port} connections=0>"


async def test_its_market_moves_by_itself() -> None:
    """At its rate, and only what somebody asked for."""
    async with SimulatedIb(("AAPL", "MSFT"), rate_hz=200) as sim, raw(sim) as client:
        client.send(*QUOTES)
        for _ in range(20):
            await client.find(lambda fields: fields[0] == "2")
        assert sim.market.awake == ("AAPL",)


def test_it_is_handled_from_any_thread() -> None:
    """A tick from another thread returns when it is done."""
    with running_ib(("AAPL",)) as sim:
        before = sim.market.now_ms("AAPL")
        sim.tick("AAPL", 3)
        assert sim.market.now_ms("AAPL") > before
        with pytest.raises(OSError, match="in use"):
            SimulatedIbThread(SimulatedIb(("AAPL",), port=sim.port)).start()


async def test_lines_of_a_client_that_left_are_free() -> None:
    """A line belongs to a connection, and a client id to nobody who is gone."""
    limits = IbLimits(market_lines=1)
    async with SimulatedIb(("AAPL",), rate_hz=0, limits=limits) as sim:
        for _ in range(3):
            async with raw(sim) as client:
                client.send(*QUOTES)
                assert "101" not in [fields[3] for fields in await client.settled()]
                assert len(sim.streams.live) == 1
        assert sim.violations == []


async def test_a_silent_snapshot_ends_when_its_time_is_over() -> None:
    """Without data, the end comes all the same."""
    limits = IbLimits(snapshot_s=0.01)
    async with SimulatedIb(("AAPL",), rate_hz=0, limits=limits) as sim, raw(sim) as client:
        sim.faults.inject("farm_down")
        assert (await client.error())[1] == 2103
        client.send(1, 11, 5, *AAPL, False, "", True, False, "")
        assert await client.read() == ["57", "1", "5"]
        assert sim.streams.live == ()


async def test_it_is_served_until_it_is_told_to_end() -> None:
    """`serve` opens a gateway with an address for faults beside it, and closes both."""
    sim = SimulatedIb(["AAPL"], rate_hz=0)
    opened: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(sim.serve(opened.set_result))
    async with asyncio.timeout(5):
        url = await opened
    assert url.startswith("http://127.0.0.1:")
    async with raw(sim) as client:
        assert await client.settled() == []
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "STOPPED" in repr(sim)
