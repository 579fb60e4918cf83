"""The simulated OpenD as a whole: its start, its end, its clock, its doors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from Crypto.PublicKey import RSA

from foxtrot.errors import ConfigurationError, InvalidState
from foxtrot.simulator.futu import FutuLimits, SimulatedFutu, SimulatedFutuThread
from foxtrot.simulator.futu_schema import Proto, module
from tests.unit.simulator.futu_raw import connected


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("host", lambda: SimulatedFutu(host="192.0.2.1")),
        ("rate_hz", lambda: SimulatedFutu(rate_hz=-1)),
        ("symbols", lambda: SimulatedFutu(["HK.NONE"])),
        ("rsa_key", lambda: SimulatedFutu(rsa_key="no key")),
        ("rsa_key", lambda: SimulatedFutu(rsa_key=RSA.generate(2048).export_key().decode())),
    ],
)
def test_a_wrong_argument_is_named(field: str, make: Callable[[], SimulatedFutu]) -> None:
    """What cannot be served is refused before anything opens."""
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert caught.value.field == field


async def test_it_starts_again_at_its_port() -> None:
    """A stop ends every line; the next start listens where it did."""
    venue = SimulatedFutu(["HK.00700"], rate_hz=0.0)
    async with venue:
        port = venue.port
        with pytest.raises(InvalidState):
            await venue.start()
        async with connected(venue) as client:
            await venue.stop()
            assert await client.ended() == b""
    async with venue, connected(venue) as client:
        assert venue.port == port
        assert (await client.ask(Proto.KeepAlive, time=1)).retType == 0


async def test_its_market_moves_by_itself() -> None:
    """With a rate, quotes come without being asked for."""
    venue = SimulatedFutu(["HK.00700"], rate_hz=200.0)
    async with venue, connected(venue) as client:
        await client.subscribe(1)
        for _ in range(3):
            assert (await client.read())[0] == Proto.Qot_UpdateBasicQot


def test_it_is_handled_from_any_thread() -> None:
    """A program without a loop runs it, moves it and breaks it."""
    venue = SimulatedFutu(["HK.00700"], rate_hz=0.0)
    with SimulatedFutuThread(venue):
        venue.tick("HK.00700", 3)
        venue.faults.inject("eof")
        assert venue.connections == ()


async def test_who_is_one_too_many_is_reset() -> None:
    """And so is who comes while the door is shut."""
    venue = SimulatedFutu(["HK.00700"], rate_hz=0.0, limits=FutuLimits(clients=1))
    async with venue, connected(venue):
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            async with connected(venue):
                pass
        assert len(venue.connections) == 1


async def test_its_clock_can_be_wrong() -> None:
    """Clients see the venue's time, not their own."""
    venue = SimulatedFutu(["HK.00700"], rate_hz=0.0)
    async with venue, connected(venue) as client:
        right = (await client.ask(Proto.KeepAlive, time=1)).s2c.time
        venue.faults.inject("clock_skew", seconds=3600)
        assert (await client.ask(Proto.KeepAlive, time=1)).s2c.time - right >= 3600


def test_a_message_that_the_installed_sdk_lacks_is_named() -> None:
    """Too old a futu-api is blamed in words, and `sys.path` is as it was."""
    import sys

    before = list(sys.path)
    with pytest.raises(ConfigurationError, match="Qot_NoSuchThing"):
        module("Qot_NoSuchThing")
    assert sys.path == before
