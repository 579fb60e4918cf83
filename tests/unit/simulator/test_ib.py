"""The simulated gateway as a whole: how it starts, stops and is handled."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from foxtrot.errors import ConfigurationError
from foxtrot.simulator.ib import IbLimits, SimulatedIb
from tests.unit.simulator.ib_raw import AAPL, Raw, raw

QUOTES = (1, 11, 5, *AAPL, False, "", False, False, "")


@pytest.mark.parametrize(
    ("field", "make"),
    [
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


async def test_its_orders_outlive_a_stop() -> None:
    """A gateway that was stopped is the same one when it is back."""
    sim = SimulatedIb(("AAPL",), rate_hz=0)
    async with sim:
        sim.desk.place_by_hand("AAPL", 10, 100)
    async with sim:
        assert len(sim.desk.held()) == 1


async def test_a_stop_ends_who_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has for him goes down with it; his client id is free when it is back."""
    monkeypatch.setattr("foxtrot.simulator.socket_venue._STOP_S", 0.05)
    sim = SimulatedIb(("AAPL",), rate_hz=0)
    async with sim:
        deaf = await Raw.open(sim)
        await deaf.greet()
        await deaf.start(7)
        deaf.pause()
        sim.connections[0].write(bytes(16 << 20))
    assert sim.connections == ()
    async with sim, raw(sim, 7):
        assert len(sim.connections) == 1
    deaf.close()


async def test_the_first_violations_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that goes on asking for what is not offered does not fill the memory."""
    monkeypatch.setattr("foxtrot.simulator.socket_venue.KEPT", 3)
    async with SimulatedIb(("AAPL",), rate_hz=0) as sim, raw(sim) as client:
        for number in range(5):
            client.send(50_000 + number)
        await client.settled()
        assert [each[-16:] for each in sim.violations] == [
            f"{50_000 + number} is unknown" for number in range(3)
        ]


async def test_its_market_moves_by_itself() -> None:
    """At its rate, and only what somebody asked for."""
    async with SimulatedIb(("AAPL", "MSFT"), rate_hz=200) as sim, raw(sim) as client:
        client.send(*QUOTES)
        for _ in range(20):
            await client.find(lambda fields: fields[0] == "2")
        assert sim.market.awake == ("AAPL",)


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
