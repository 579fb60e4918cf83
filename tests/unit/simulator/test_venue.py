"""What holds for every simulated venue: how it starts, stops, moves, tells the time, is served."""

from __future__ import annotations

import asyncio
import threading
import urllib.request
from collections.abc import Callable

import pytest

from foxtrot.errors import ConfigurationError, InvalidState
from foxtrot.simulator.binance import SimulatedBinance, SimulatedBinanceThread
from foxtrot.simulator.futu import SimulatedFutu, SimulatedFutuThread
from foxtrot.simulator.ib import SimulatedIb, SimulatedIbThread
from foxtrot.simulator.venue import SimulatedVenue, clock_ms

DEADLINE_S = 5.0

KINDS = {
    "BTCUSDT": (SimulatedBinance, SimulatedBinanceThread),
    "AAPL": (SimulatedIb, SimulatedIbThread),
    "HK.00700": (SimulatedFutu, SimulatedFutuThread),
}
"""By a symbol that is traded there."""

Make = Callable[..., SimulatedVenue]


@pytest.fixture(params=KINDS)
def symbol(request: pytest.FixtureRequest) -> str:
    """One of each venue."""
    return request.param


@pytest.fixture
def make(symbol: str) -> Make:
    """Makes a venue that trades the symbol; its market moves by hand."""
    return lambda **changes: KINDS[symbol][0]([symbol], **{"rate_hz": 0.0, **changes})


@pytest.mark.parametrize(
    "wrong", [{"host": "0.0.0.0"}, {"host": "example.com"}, {"rate_hz": -1}, {"rate_hz": 1e9}]
)
def test_it_never_listens_beyond_the_machine(make: Make, wrong: dict) -> None:
    """What cannot be served is named before anything opens."""
    with pytest.raises(ConfigurationError) as caught:
        make(**wrong)
    assert caught.value.field in wrong


async def test_it_comes_back_at_its_port(make: Make) -> None:
    """A stop ends every line, as often as it is asked for; the next start listens where it did."""
    venue = make()
    await venue.start()
    with pytest.raises(InvalidState):
        await venue.start()
    port = venue.port
    async with asyncio.timeout(DEADLINE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await venue.stop()
        await venue.stop()
        assert await reader.read() == b""
        writer.close()
    name = type(venue).__name__
    assert repr(venue) == f"<{name} STOPPED port={port} connections=0>"
    async with venue:
        assert repr(venue) == f"<{name} RUNNING port={port} connections=0>"


async def test_a_taken_port_is_an_error_and_leaves_nothing(make: Make) -> None:
    """The second venue at a port does not start, and can be started when the port is free."""
    async with make() as first:
        second = make(port=first.port)
        with pytest.raises(OSError, match="in use"):
            await second.start()
    async with second:
        assert second.port == first.port


def test_it_is_handled_from_any_thread(make: Make, symbol: str) -> None:
    """A program without a loop runs it, moves it and breaks it, and runs it again."""
    venue = make()
    runner = KINDS[symbol][1](venue)
    for _ in range(2):
        with runner:
            before = venue.market.now_ms(symbol)
            venue.tick(symbol, 3)
            assert venue.market.now_ms(symbol) >= before + 3
            venue.faults.inject("eof")
    assert not [thread for thread in threading.enumerate() if thread.name == "simulated-venue"]


def test_its_clock_can_be_wrong(make: Make) -> None:
    """Clients see the venue's time; the market goes on at the right one."""
    venue = make()
    venue.faults.inject("clock_skew", seconds=3_600)
    assert venue.now_ms() - clock_ms() > 3_500_000
    venue.faults.clear()
    assert venue.now_ms() - clock_ms() < 1_000_000


async def test_it_is_served_until_it_is_told_to_end(make: Make) -> None:
    """It says where faults are injected once it listens, and ends without a trace."""
    venue = make()
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(venue.serve(ready.set_result))
    async with asyncio.timeout(DEADLINE_S):
        fault = urllib.request.Request(await ready, b'{"name": "clock_skew", "seconds": 1}')
        answer = await asyncio.to_thread(urllib.request.urlopen, fault, timeout=DEADLINE_S)
        answer.close()
    assert "RUNNING" in repr(venue)
    assert venue.skew_ms() == 1_000
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "STOPPED" in repr(venue)
    assert asyncio.all_tasks() == {asyncio.current_task()}
