"""A connection: its limits, its heart-beat, its end."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct

import pytest
from aiohttp import WSMsgType

from foxtrot.simulator.binance import SimulatedBinance
from foxtrot.simulator.binance_connection import Connection, frame
from foxtrot.simulator.binance_limits import Limits

HOUR_S = 3_600.0
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.mark.parametrize(
    ("size", "header"),
    [
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_frames_are_framed_as_the_standard_says(size: int, header: bytes) -> None:
    """Lengths take one, two or eight bytes."""
    assert frame(b"x" * size) == header + b"x" * size


async def test_an_error_of_the_venue_is_told_and_logged(
    sim: SimulatedBinance,
    connect,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It does not look like an end in good order, and whoever tests finds out why."""

    def fail(*_args: object) -> None:
        raise ZeroDivisionError

    stream = await connect()
    monkeypatch.setattr(sim, "subscribe", fail)
    await stream.socket.send_json({"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 1})
    message = await stream.receive()
    assert (message.type, message.data) == (WSMsgType.CLOSE, 1011)
    (record,) = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert "simulated_connection_failed" in record.getMessage()


@pytest.mark.parametrize("limits", [Limits(messages_per_s=5)])
@pytest.mark.parametrize("kind", ["json", "ping", "pong"])
async def test_a_sixth_message_in_a_second_closes_with_1008(connect, kind: str) -> None:
    """Commands, pings and pongs all count."""
    stream = await connect()
    for number in range(6):
        if kind == "json":
            await stream.socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
        elif kind == "ping":
            await stream.socket.ping(b"")
        else:
            await stream.socket.pong(b"")
    answers = 0
    while (message := await stream.receive()).type is not WSMsgType.CLOSE:
        answers += 1
    assert message.data == 1008
    assert answers == (0 if kind == "pong" else 5)


async def test_who_hangs_up_in_the_handshake_leaves_no_traceback(
    sim: SimulatedBinance, connect, until, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that is killed while it connects is no fault of the venue's."""
    caplog.set_level(logging.ERROR, logger="aiohttp.server")
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", sim.port), timeout=5.0) as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            line.sendall(HANDSHAKE)
    await connect()  # taken after them, so they have all been answered
    await until(lambda: len(sim.connections) == 1)
    assert not caplog.records


@pytest.mark.parametrize("limits", [Limits(messages_per_s=5)])
async def test_the_limit_is_each_connections_own(sim: SimulatedBinance, connect) -> None:
    """Five messages on each of two connections are no offence."""
    one, two = await connect(), await connect()
    for stream in (one, two):
        for _ in range(5):
            await stream.ask("LIST_SUBSCRIPTIONS")
    assert len(sim.connections) == 2


@pytest.mark.parametrize("limits", [Limits(ping_interval_s=0.02, pong_timeout_s=HOUR_S)])
async def test_the_server_pings_and_takes_the_pongs(sim: SimulatedBinance, connect) -> None:
    """A client that answers each ping with its payload stays."""
    stream = await connect()
    for _ in range(3):
        ping = await stream.receive()
        assert ping.type is WSMsgType.PING
        await stream.socket.pong(ping.data)
    assert len(sim.connections) == 1


@pytest.mark.parametrize("limits", [Limits(ping_interval_s=0.02, pong_timeout_s=0.1)])
async def test_a_client_without_the_right_pong_is_dropped(connect) -> None:
    """Pongs with another payload do not count."""
    stream = await connect()
    while (message := await stream.receive()).type is WSMsgType.PING:
        await stream.socket.pong(b"unsolicited")
    assert (message.type, message.data) == (WSMsgType.CLOSE, 1008)


@pytest.mark.parametrize("limits", [Limits(life_s=0.05)])
async def test_a_connection_ends_at_the_end_of_its_life(sim: SimulatedBinance, connect) -> None:
    """As after 24 hours; a new connection is welcome."""
    stream = await connect()
    message = await stream.receive()
    assert (message.type, message.data) == (WSMsgType.CLOSE, 1001)
    await connect()


@pytest.mark.parametrize("limits", [Limits(send_buffer_bytes=100_000)])
async def test_a_client_that_does_not_read_is_dropped(sim: SimulatedBinance, until) -> None:
    """The venue's memory is bounded: who does not read is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", sim.port, limit=4_096)
    writer.write(
        b"GET /ws/btcusdt@depth20@100ms HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    async with asyncio.timeout(20):
        await reader.readuntil(b"\r\n\r\n")
        await until(lambda: bool(sim.subscriptions()))
        (connection,) = sim.connections
        while connection.open:
            sim.tick("BTCUSDT", 100)
            await asyncio.sleep(0)
    writer.close()
    assert sim.connections == () or not sim.connections[0].open


async def test_pings_are_answered_with_their_payload(sim: SimulatedBinance, connect) -> None:
    """Unless the fault says they are not; data flows all the same."""
    stream = await connect()
    await stream.socket.ping(b"hello")
    pong = await stream.receive()
    assert (pong.type, bytes(pong.data)) == (WSMsgType.PONG, b"hello")
    sim.faults.inject("no_pong")
    await stream.socket.ping(b"hello")
    await stream.subscribe("btcusdt@bookTicker")
    sim.tick("BTCUSDT")
    assert "u" in await stream.json()


@pytest.mark.parametrize("code", [1000, 1001, 1008, 4000])
async def test_the_close_fault_closes_with_its_code(
    sim: SimulatedBinance, connect, code: int
) -> None:
    """Live connections are closed; a new one is welcome."""
    stream = await connect()
    sim.faults.inject("close", code=code)
    message = await stream.receive()
    assert (message.type, message.data) == (WSMsgType.CLOSE, code)
    await (await connect()).subscribe("btcusdt@trade")


async def test_rst_is_a_real_reset(sim: SimulatedBinance) -> None:
    """The client's kernel says "connection reset", not "end of file"."""
    reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)
    writer.write(HANDSHAKE)
    async with asyncio.timeout(5):
        await reader.readuntil(b"\r\n\r\n")
        sim.faults.inject("rst")
        with pytest.raises(ConnectionResetError):
            await reader.read()
    writer.close()


async def test_eof_is_an_end_without_a_close_frame(sim: SimulatedBinance) -> None:
    """The client reads nothing more and the end of the stream."""
    reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)
    writer.write(HANDSHAKE)
    async with asyncio.timeout(5):
        await reader.readuntil(b"\r\n\r\n")
        sim.faults.inject("eof")
        assert await reader.read() == b""
    writer.close()


HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


async def test_a_mute_venue_answers_nothing(sim: SimulatedBinance, connect) -> None:
    """No data, no acknowledgement, no pong, no reply to a close; the line stays open."""
    stream = await connect()
    await stream.subscribe("btcusdt@bookTicker")
    sim.faults.inject("mute")
    sim.tick("BTCUSDT")
    await stream.socket.ping(b"")
    await stream.socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 9})
    receiving = asyncio.ensure_future(stream.socket.receive())
    done, _ = await asyncio.wait({receiving}, timeout=0.2)
    assert not done
    assert len(sim.connections) == 1
    sim.faults.clear("mute")
    sim.tick("BTCUSDT")
    async with asyncio.timeout(5):
        assert (await receiving).data.startswith('{"u"')


async def test_a_mute_venue_does_not_answer_a_close(sim: SimulatedBinance, connect) -> None:
    """The client's closing handshake gets no reply while the venue is mute."""
    stream = await connect()
    sim.faults.inject("mute")
    closing = asyncio.ensure_future(stream.socket.close())
    done, _ = await asyncio.wait({closing}, timeout=0.2)
    assert not done
    sim.faults.clear()
    async with asyncio.timeout(5):
        assert await closing


async def test_latency_delays_and_keeps_the_order(sim: SimulatedBinance, connect) -> None:
    """Frames come later but in order, and those sent after the fault do not overtake."""
    stream = await connect()
    await stream.subscribe("btcusdt@bookTicker")
    sim.faults.inject("latency", seconds=0.1)
    sim.tick("BTCUSDT", 3)
    sim.faults.clear()
    sim.tick("BTCUSDT", 2)
    updates = [(await stream.json())["u"] for _ in range(5)]
    assert updates == sorted(updates)


async def test_a_burst_comes_in_one_piece(sim: SimulatedBinance, until, mocker) -> None:
    """All its frames are handed to the network at once, and arrive with one read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)
    writer.write(HANDSHAKE.replace(b"/ws ", b"/ws/btcusdt@bookTicker "))
    async with asyncio.timeout(5):
        await reader.readuntil(b"\r\n\r\n")
        await until(lambda: bool(sim.subscriptions()))
        write = mocker.spy(Connection, "_write")
        sim.faults.inject("burst", frames=20, symbol="BTCUSDT")
        assert (await reader.read(65_536)).count(b'{"u":') == 20
    assert write.call_count == 1
    writer.close()


async def test_a_restart_is_announced(sim: SimulatedBinance, connect) -> None:
    """First the event, then, as the fault says, the close."""
    stream = await connect()
    sim.faults.inject("server_shutdown", seconds=0.01)
    assert (await stream.json())["e"] == "serverShutdown"
    message = await stream.receive()
    assert (message.type, message.data) == (WSMsgType.CLOSE, 1001)


async def test_cut_24h_ends_live_connections_only(sim: SimulatedBinance, connect) -> None:
    """Who comes back is welcome."""
    stream = await connect()
    sim.faults.inject("cut_24h")
    assert (await stream.receive()).type is WSMsgType.CLOSE
    await connect()


async def test_a_closed_connection_leaves_nothing(sim: SimulatedBinance, connect, until) -> None:
    """Its streams end with it, and that is no unsubscription."""
    stream = await connect()
    await stream.subscribe("btcusdt@bookTicker")
    await stream.socket.close()
    await until(lambda: not sim.connections)
    assert sim.subscriptions() == set()
    assert sim.seen.unsubscribes == []
    sim.tick("BTCUSDT")


async def test_two_connections_share_a_stream(sim: SimulatedBinance, connect) -> None:
    """When one leaves, the other goes on."""
    one, two = await connect(), await connect("/stream?streams=btcusdt@bookTicker")
    await one.subscribe("btcusdt@bookTicker")
    await one.ask("UNSUBSCRIBE", "btcusdt@bookTicker")
    sim.tick("BTCUSDT")
    wrapped = await two.json()
    assert wrapped["stream"] == "btcusdt@bookTicker"
    assert wrapped["data"]["s"] == "BTCUSDT"


async def test_the_status_line(sim: SimulatedBinance, connect) -> None:
    """A connection says its number and how many streams it carries."""
    stream = await connect("/ws/btcusdt@bookTicker")
    assert not stream.socket.closed
    assert [repr(connection) for connection in sim.connections] == ["<Connection 1 streams=1>"]
