"""The venue as a whole: start, stop, pulse, what it tells of itself."""

from __future__ import annotations

import asyncio
import threading

import aiohttp
import pytest

from foxtrot.errors import ConfigurationError, InvalidState, UnknownSymbol
from foxtrot.simulator import pulse
from foxtrot.simulator.binance import SimulatedBinance, SimulatedBinanceThread
from foxtrot.simulator.binance_limits import Limits


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": "0.0.0.0"},
        {"host": "example.com"},
        {"rate_hz": -1},
        {"rate_hz": float("nan")},
        {"symbols": ["btc"]},
    ],
)
def test_wrong_settings_are_refused(wrong: dict) -> None:
    """The venue never listens beyond the machine, and its settings are checked at once."""
    with pytest.raises(ConfigurationError):
        SimulatedBinance(**wrong)


async def test_it_comes_back_on_the_same_port(session: aiohttp.ClientSession) -> None:
    """Stopped it refuses, started again it answers where it did before; connections end cleanly."""
    venue = SimulatedBinance(["BTCUSDT"], rate_hz=0)
    assert venue.port == 0
    await venue.start()
    url, port = venue.rest_url + "/api/v3/ping", venue.port
    socket = await session.ws_connect(venue.websocket_url + "/ws")
    with pytest.raises(InvalidState):
        await venue.start()
    await venue.stop()
    await venue.stop()
    async with asyncio.timeout(5):
        message = await socket.receive()
    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)
    with pytest.raises(aiohttp.ClientConnectorError):
        await session.get(url)
    await venue.start()
    assert venue.port == port
    async with session.get(url) as response:
        assert response.status == 200
    await venue.stop()


async def test_a_taken_port_is_an_error_and_leaves_nothing(sim: SimulatedBinance) -> None:
    """The second venue on a port does not start, and can be started when the port is free."""
    other = SimulatedBinance(rate_hz=0, port=sim.port)
    with pytest.raises(OSError, match="address already in use"):
        await other.start()
    await sim.stop()
    async with other:
        assert other.port == sim.port


async def test_stop_does_not_wait_for_hanging_requests(
    session: aiohttp.ClientSession, until
) -> None:
    """A mute venue can be stopped; it does not keep the program."""
    venue = SimulatedBinance(["BTCUSDT"], rate_hz=0)
    await venue.start()
    venue.faults.inject("mute", rest=True)
    hanging = asyncio.ensure_future(session.get(venue.rest_url + "/api/v3/time"))
    await until(lambda: bool(venue.seen.requests))
    async with asyncio.timeout(1):
        await venue.stop()
    await asyncio.gather(hanging, return_exceptions=True)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_the_market_moves_by_itself(session: aiohttp.ClientSession) -> None:
    """With a rate, subscribers get updates without anybody ticking."""
    async with SimulatedBinance(["BTCUSDT"], rate_hz=200) as venue:
        url = venue.websocket_url + "/ws/btcusdt@bookTicker"
        async with session.ws_connect(url) as socket, asyncio.timeout(5):
            updates = [(await socket.receive_json())["u"] for _ in range(20)]
    assert updates == sorted(set(updates))


async def test_the_last_publication_can_be_asked_for(sim: SimulatedBinance, connect) -> None:
    """It is what the client got; nothing was published before a subscription."""
    sim.tick("BTCUSDT")
    assert sim.last("BTCUSDT") is None
    stream = await connect()
    await stream.subscribe("btcusdt@bookTicker", "btcusdt@ticker")
    sim.tick("BTCUSDT", 20)
    frames = [await stream.json() for _ in range(40)]
    last = sim.last("BTCUSDT")
    assert last is not None
    newest = [frame for frame in frames if "u" in frame][-1]
    assert (last.update_id, last.bid, last.ask) == (newest["u"], newest["b"], newest["a"])
    assert last.price == frames[-1]["c"]


async def test_nothing_is_published_to_nobody(sim: SimulatedBinance, connect) -> None:
    """After the last listener has left a stream, the last publication stays what it was."""
    stream = await connect()
    await stream.subscribe("btcusdt@bookTicker")
    sim.tick("BTCUSDT")
    newest = await stream.json()
    await stream.ask("UNSUBSCRIBE", "btcusdt@bookTicker")
    sim.tick("BTCUSDT", 5)
    last = sim.last("BTCUSDT")
    assert last is not None
    assert last.update_id == newest["u"]


async def test_a_hand_made_quote_is_published(sim: SimulatedBinance, connect) -> None:
    """A test can say what the price is, and the client sees it at once."""
    stream = await connect()
    await stream.subscribe("btcusdt@bookTicker")
    sim.market.set_quote("BTCUSDT", 50_000.0)
    frame = await stream.json()
    assert 49_999 < float(frame["b"]) <= 50_000 < float(frame["a"])


async def test_the_status_line(sim: SimulatedBinance, connect) -> None:
    """State, port and connections, at a glance."""
    await connect()
    assert repr(sim) == f"<SimulatedBinance RUNNING port={sim.port} connections=1>"
    assert repr(sim.seen) == "<Seen connections=1 requests=0>"


def test_it_runs_in_a_thread_of_its_own() -> None:
    """From any thread: start, tick, inject, stop, start again on the same port."""
    venue = SimulatedBinance(["BTCUSDT"], rate_hz=0)
    runner = SimulatedBinanceThread(venue)
    for _ in range(2):
        with runner:
            before = venue.market.quote("BTCUSDT").update_id
            venue.tick("BTCUSDT", 3)
            assert venue.market.quote("BTCUSDT").update_id > before
            venue.faults.inject("close")
    assert not [thread for thread in threading.enumerate() if thread.name == "simulated-venue"]


async def test_serve_runs_until_it_is_cancelled(session: aiohttp.ClientSession) -> None:
    """The command line's entry: it says when it listens, and ends without a trace."""
    venue = SimulatedBinance(["BTCUSDT"], limits=Limits.none())
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.ensure_future(venue.serve(ready.set_result))
    async with asyncio.timeout(5):
        assert await ready == venue.rest_url + "/control/faults"
        async with session.ws_connect(venue.websocket_url + "/ws/btcusdt@bookTicker") as socket:
            await socket.receive_json()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert venue.connections == ()


def test_an_error_reaches_the_thread_that_caused_it() -> None:
    """A tick of a symbol that is not listed says so to the caller."""
    venue = SimulatedBinance(["BTCUSDT"], rate_hz=0)
    with SimulatedBinanceThread(venue), pytest.raises(UnknownSymbol, match="XRPUSDT"):
        venue.tick("XRPUSDT")


async def test_a_market_that_breaks_says_so(until, mocker) -> None:
    """The venue goes on answering, and the log names the error."""
    log = mocker.patch.object(pulse, "log")
    venue = SimulatedBinance(["BTCUSDT"], rate_hz=1_000)
    mocker.patch.object(venue.market, "tick", side_effect=ZeroDivisionError)
    venue.wake("BTCUSDT")
    async with venue:
        await until(lambda: log.error.called)
    ((event,), fields) = log.error.call_args
    assert event == "simulated_market_stopped"
    assert isinstance(fields["exc_info"], ZeroDivisionError)
