"""One client's connection to the simulated gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from foxtrot.simulator.ib import IbLimits, SimulatedIb
from foxtrot.simulator.ib_wire import LONGEST, encode, frame
from tests.unit.simulator.ib_raw import AAPL, Raw, raw

SYMBOLS = ("AAPL",)
TURNS = 5
"""Of the loop, until what was decided has come to pass."""


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedIb]:
    """A gateway whose market stands still."""
    async with SimulatedIb(SYMBOLS, rate_hz=0) as venue:
        yield venue


@pytest.mark.parametrize(
    ("versions", "agreed"),
    [("v157..178", 176), ("v157..164", 164), ("v100..176", 176), ("v170", 170)],
)
async def test_the_newest_common_version_is_agreed(
    sim: SimulatedIb, versions: str, agreed: int
) -> None:
    """The gateway speaks what both sides can, and tells its time."""
    async with raw(sim, None) as client:
        version, time = await client.greet(versions)
        assert int(version) == agreed
        assert time.endswith("UTC")


async def test_a_hello_with_options_is_understood(sim: SimulatedIb) -> None:
    """What a client adds to its versions changes nothing."""
    async with raw(sim, None) as client:
        assert (await client.greet("v157..176 +PACEAPI"))[0] == "176"


@pytest.mark.parametrize("versions", ["v100..156", "v177..178", "157..176", "v"])
async def test_without_a_common_version_it_hangs_up(sim: SimulatedIb, versions: str) -> None:
    """A client that is too old, too new or unclear gets no answer but an end."""
    async with raw(sim, None) as client:
        client.write(b"API\0" + frame(versions.encode()))
        assert await client.ended() == []


@pytest.mark.parametrize(
    "hello",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"API\0" + b"\x7f\xff\xff\xff",
        b"API\0" + frame(b"v" + b"9" * 5_000),
    ],
)
async def test_what_is_no_client_is_hung_up_on(sim: SimulatedIb, hello: bytes) -> None:
    """Bytes that are no frames end the connection, and the test that sent them fails."""
    async with raw(sim, None) as client:
        client.write(hello)
        assert await client.ended() == []
    assert len(sim.violations) == 1


async def test_a_message_may_come_in_pieces(sim: SimulatedIb) -> None:
    """Where TCP cuts a message is of no importance."""
    async with raw(sim, None) as client:
        for byte in b"API\0" + frame(b"v157..176") + encode(71, 2, 5, ""):
            client.write(bytes([byte]))
            await asyncio.sleep(0)
        await client.find(lambda fields: fields[0] == "9")
    assert sim.violations == []


async def test_a_client_id_is_used_once(sim: SimulatedIb) -> None:
    """Who comes with the id of another hears 326 and is shown out, until the other is gone."""
    async with raw(sim, 7) as first:
        async with raw(sim, None) as second:
            await second.greet()
            second.send(71, 2, 7, "")
            assert (await second.error())[:2] == (-1, 326)
            assert await second.ended() == []
        first.close()
    async with raw(sim, 7):
        assert [connection.client_id for connection in sim.connections] == [7]


async def test_a_ghost_keeps_its_client_id(sim: SimulatedIb) -> None:
    """With the fault for it, the id of a line that was cut is in use until the ghost is gone."""
    sim.faults.inject("ghost_client", seconds=60)
    async with raw(sim, 7) as first:
        sim.faults.inject("rst")
        await first.ended()
    async with raw(sim, None) as second:
        await second.greet()
        second.send(71, 2, 7, "")
        assert (await second.error())[:2] == (-1, 326)
    sim.faults.clear("ghost_client")
    async with raw(sim, 7):
        assert len(sim.connections) == 1


async def test_a_crowd_is_not_let_in() -> None:
    """There is room for so many clients and no more."""
    async with (
        SimulatedIb(SYMBOLS, rate_hz=0, limits=IbLimits(clients=1)) as sim,
        raw(sim),
        raw(sim, None) as second,
    ):
        assert await second.ended() == []


async def test_a_burst_is_answered_with_error_100_and_then_an_end(sim: SimulatedIb) -> None:
    """More than fifty messages in a second are too many, however many were harmless."""
    async with raw(sim) as client:
        for _ in range(60):
            client.send(49, 1)
        messages = await client.ended()
    times = [fields for fields in messages if fields[0] == "49"]
    errors = [fields for fields in messages if fields[0] == "4"]
    assert len(times) == 49, "the message that started the API was one, too"
    assert [fields[3] for fields in errors] == ["100"] * 3
    assert errors[0][4] == "Max rate of messages per second has been exceeded:max=50 rec=51 (1)"


@pytest.mark.parametrize(
    ("message", "about", "why"),
    [
        ((12_345,), -1, "unknown"),
        (("",), -1, "not a whole number"),
        ((61,), -1, "missing"),
        ((61, 1, "more"), -1, "too many"),
        ((61, 2), -1, "not the version 1"),
        ((1, 11, 5, *AAPL, False, "", "yes", False, ""), 5, "not 1 or 0"),
        ((8, 1, "many"), -1, "not a whole number"),
        ((81, "many"), -1, "not a whole number"),
    ],
)
async def test_what_cannot_be_read_is_an_error_and_a_violation(
    sim: SimulatedIb, message: tuple[str | int | bool, ...], about: int, why: str
) -> None:
    """The client is told, the line stands, and no test that caused it can pass unseen."""
    async with raw(sim) as client:
        client.send(*message)
        error_id, code, text = await client.error()
        assert (error_id, code) == (about, 320)
        assert why in text
        assert await client.settled() == []
    assert len(sim.violations) == 1
    assert why in sim.violations[0]


async def test_nothing_comes_before_the_start_of_the_api(sim: SimulatedIb) -> None:
    """Who asks before he has said who he is, is hung up on."""
    async with raw(sim, None) as client:
        await client.greet()
        client.send(61, 1)
        assert await client.ended() == []
    assert sim.violations == ["client/-1: ReqPositions comes before StartApi"]


async def test_a_too_long_message_ends_the_line(sim: SimulatedIb) -> None:
    """No client can fill the gateway's memory with one message."""
    async with raw(sim) as client:
        client.write((LONGEST + 1).to_bytes(4, "big"))
        assert await client.ended() == []


async def test_who_does_not_read_is_cut_off() -> None:
    """A client's backlog has a bound."""
    limits = IbLimits(send_buffer_bytes=100_000)
    async with SimulatedIb(SYMBOLS, rate_hz=0, limits=limits) as sim, raw(sim):
        sim.connections[0].write(bytes(64_000_000))
        for _ in range(TURNS):
            await asyncio.sleep(0)
        assert sim.connections == ()


@pytest.mark.parametrize("act", ["rst", "eof"])
async def test_a_line_can_be_cut(sim: SimulatedIb, act: str) -> None:
    """With a reset, or an end; a path names one client."""
    async with raw(sim, 1) as one, raw(sim, 2) as two:
        sim.faults.inject(act, path="client/1")
        if act == "rst":
            with pytest.raises(ConnectionError):
                await one.read()
        else:
            with pytest.raises(asyncio.IncompleteReadError):
                await one.read()
        assert await two.settled() == []


async def test_a_mute_gateway_answers_nothing(sim: SimulatedIb) -> None:
    """Half-open: the line stands, nothing is heard and nothing is said, until it is over."""
    async with raw(sim, 1) as one, raw(sim, 2) as two:
        sim.faults.inject("mute", path="client/1")
        one.send(61, 1)
        one.send(49, 1)
        assert await two.settled() == []
        assert one.unread() == b""
        sim.faults.clear()
        assert await one.settled() == []
    names = [type(request).__name__ for client_id, request in sim.seen.requests if client_id == 1]
    assert names == ["StartApi", "ReqCurrentTime"]


async def test_a_handshake_can_be_held(sim: SimulatedIb) -> None:
    """The answer to the hello comes as late as it was told to."""
    sim.faults.inject("slow_handshake", seconds=60, count=1)
    async with raw(sim, None) as one:
        one.write(b"API\0" + frame(b"v157..176"))
        async with raw(sim, 2) as two:
            assert await two.settled() == []
        assert one.unread() == b""
    sim.faults.inject("slow_handshake", seconds=0.0)
    async with raw(sim, None) as client:
        assert (await client.greet())[0] == "176"


async def test_what_is_late_is_not_overtaken(sim: SimulatedIb) -> None:
    """Latency delays, and reorders nothing, not even when it is over."""
    async with raw(sim, 1) as one, raw(sim, 2) as two:
        sim.faults.inject("latency", path="client/1", seconds=0.05)
        one.send(17, 1)
        assert await two.settled() == []
        assert one.unread() == b""
        sim.faults.clear()
        one.send(49, 1)
        assert [(await one.read())[0] for _ in range(2)] == ["15", "49"]


@pytest.mark.parametrize(("versions", "fields"), [("v157..165", 5), ("v157..166", 6)])
async def test_an_error_has_the_fields_of_its_version(
    sim: SimulatedIb, versions: str, fields: int
) -> None:
    """Newer clients read one more."""
    async with raw(sim, None) as client:
        await client.greet(versions)
        client.send(71, 2, 1, "")
        error = await client.find(lambda told: told[0] == "4")
        assert len(error) == fields


async def test_a_length_can_be_garbage(sim: SimulatedIb) -> None:
    """The next message claims to be two gigabytes long."""
    async with raw(sim) as client:
        sim.faults.inject("corrupt_length")
        client.send(49, 1)
        assert await client.take(4) == b"\x7f\xff\xff\xff"


async def test_a_refusing_gateway_resets(sim: SimulatedIb) -> None:
    """Nobody gets as far as a handshake."""
    sim.faults.inject("refuse")
    client = await Raw.open(sim)
    assert await client.ended() == []
    client.close()
    assert sim.connections == ()
