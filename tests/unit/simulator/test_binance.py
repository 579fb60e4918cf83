"""The venue as a whole: start, stop, pulse, what it tells of itself."""

from __future__ import annotations

import asyncio
import contextlib

import aiohttp
import pytest

from foxtrot.errors import ConfigurationError, UnknownSymbol
from foxtrot.simulator import pulse
from foxtrot.simulator.binance import Limits, SimulatedBinance, SimulatedBinanceThread


def test_a_symbol_that_is_none_is_refused() -> None:
    """At once, before anything opens."""
    with pytest.raises(ConfigurationError):
        SimulatedBinance(["btc"])


async def test_connections_end_cleanly(session: aiohttp.ClientSession) -> None:
    """A venue that stops says so to who listens, and refuses who comes then."""
    async with SimulatedBinance(["BTCUSDT"], rate_hz=0) as venue:
        socket = await session.ws_connect(venue.websocket_url + "/ws")
    async with asyncio.timeout(5):
        message = await socket.receive()
    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)
    with pytest.raises(aiohttp.ClientConnectorError):
        await session.get(venue.rest_url)


async def test_a_stop_drops_who_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waited for him goes down with it, in place of being kept for ever."""
    monkeypatch.setattr("foxtrot.simulator.binance_connection._CLOSING_S", 0.05)
    head = (
        b"GET /ws HTTP/1.1\r\nHost: venue\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    async with SimulatedBinance(["BTCUSDT"], rate_hz=0, limits=Limits.none()) as venue:
        reader, writer = await asyncio.open_connection("127.0.0.1", venue.port)
        writer.write(head)
        async with asyncio.timeout(5):
            await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined] # it reads, too
        venue.connections[0].write(bytes(32 << 20))
    writer.transport.resume_reading()  # type: ignore[attr-defined]
    read = 0
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(5):
            while piece := await reader.read(1 << 20):
                read += len(piece)
    writer.close()
    assert read < 32 << 20


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
