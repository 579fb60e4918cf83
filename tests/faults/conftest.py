"""A Binance that can be told to misbehave."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.binance_venue import BinanceUnderTest
from tests.support.rig import Rig, nothing_left, running


@pytest.fixture(scope="session")
def sdk() -> None:
    """The SDK is imported once, before anything is counted."""
    from foxtrot.adapter.binance import wire  # noqa: F401


@pytest.fixture(autouse=True)
def left(sdk: None) -> Iterator[None]:
    """No fault leaves a thread or a descriptor behind."""
    with nothing_left():
        yield


@pytest.fixture
def venue() -> Iterator[BinanceUnderTest]:
    """A venue that listens and whose market moves by hand."""
    venue = BinanceUnderTest()
    venue.start()
    try:
        yield venue
    finally:
        venue.faults.clear()
        venue.stop()


@pytest.fixture
def rig(venue: BinanceUnderTest) -> Iterator[Rig]:
    """An engine with the adapter, not connected yet."""
    with running(venue) as rig:
        yield rig
