"""The simulated OpenD as a whole: its start, its end, its clock, its doors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from Crypto.PublicKey import RSA

from foxtrot.errors import ConfigurationError
from foxtrot.simulator.futu import FutuLimits, SimulatedFutu
from foxtrot.simulator.futu_schema import Proto, module
from tests.unit.simulator.futu_raw import connected


@pytest.mark.parametrize(
    ("field", "make"),
    [
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


async def test_its_market_moves_by_itself() -> None:
    """With a rate, quotes come without being asked for."""
    venue = SimulatedFutu(["HK.00700"], rate_hz=200.0)
    async with venue, connected(venue) as client:
        await client.subscribe(1)
        for _ in range(3):
            assert (await client.read())[0] == Proto.Qot_UpdateBasicQot


async def test_who_is_one_too_many_is_reset() -> None:
    """And so is who comes while the door is shut."""
    venue = SimulatedFutu(["HK.00700"], rate_hz=0.0, limits=FutuLimits(clients=1))
    async with venue, connected(venue):
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            async with connected(venue):
                pass
        assert len(venue.connections) == 1


def test_a_message_that_the_installed_sdk_lacks_is_named() -> None:
    """Too old a futu-api is blamed in words, and `sys.path` is as it was."""
    import sys

    before = list(sys.path)
    with pytest.raises(ConfigurationError, match="Qot_NoSuchThing"):
        module("Qot_NoSuchThing")
    assert sys.path == before
