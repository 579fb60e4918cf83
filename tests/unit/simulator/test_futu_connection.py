"""One client's line to the simulated OpenD, frame by frame, and the faults that befall it."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator

import pytest

from foxtrot.simulator import futu_wire as wire
from foxtrot.simulator.futu import SimulatedFutu
from foxtrot.simulator.futu_schema import Proto, response
from tests.unit.simulator.futu_raw import DEADLINE_S, Client, connected

QUOTE, BOOK, PRINTS, MINUTES = 1, 2, 4, 11


@pytest.fixture
async def venue() -> AsyncIterator[SimulatedFutu]:
    async with SimulatedFutu(["HK.00700", "US.AAPL"], seed=7, rate_hz=0.0) as venue:
        yield venue


async def alive(client: Client) -> None:
    """Whoever is answered now was not cut off."""
    assert (await client.ask(Proto.KeepAlive, time=1)).retType == 0


async def test_a_handshake_tells_what_the_connection_is(venue: SimulatedFutu) -> None:
    """Each connection has an id of its own and is told how often to give a sign of life."""
    async with connected(venue, shaken=False) as one, connected(venue, shaken=False) as other:
        first, second = await one.shake_hands(), await other.shake_hands()
    assert first.s2c.connID != second.s2c.connID
    assert first.s2c.keepAliveInterval == 10
    assert len(first.s2c.connAESKey) == 16


async def test_nothing_is_answered_before_the_handshake(venue: SimulatedFutu) -> None:
    """A client that asks without having said who it is loses its line."""
    async with connected(venue, shaken=False) as client:
        client.send(Proto.GetGlobalState, userID=0)
        assert await client.ended() == b""
    assert venue.violations == ["1/quotes: 1002 comes before the handshake"]


async def test_a_checksum_that_does_not_fit_ends_the_line(venue: SimulatedFutu) -> None:
    """OpenD reads nothing that was damaged on the way."""
    async with connected(venue) as client:
        client.writer.write(wire.with_wrong_sha(wire.encode(1004, 9, b"\n\x02\x08\x01")))
        assert await client.ended() == b""


async def test_a_request_without_what_it_requires_ends_the_line(venue: SimulatedFutu) -> None:
    """The schema's required fields are required."""
    async with connected(venue) as client:
        client.writer.write(wire.encode(Proto.KeepAlive, 9, b""))
        assert await client.ended() == b""


@pytest.mark.parametrize("proto_id", [3204, 2225, 9_999, Proto.Trd_UpdateOrder])
async def test_a_request_that_is_not_offered_is_refused_in_words(
    venue: SimulatedFutu, proto_id: int
) -> None:
    """The line goes on: somebody who asks for too much keeps what he has."""
    async with connected(venue) as client:
        client.writer.write(wire.encode(proto_id, 9, b""))
        told, _, serial, _, body = await client.read()
        refusal = response(Proto.KeepAlive)
        refusal.ParseFromString(body)
        assert (told, serial) == (proto_id, 9)
        assert (refusal.retType, refusal.retMsg) == (-1, "未知的协议ID")
        await alive(client)


async def test_a_refused_handshake_leaves_the_line_open(venue: SimulatedFutu) -> None:
    """It is refused as often as is said, and may be tried again on the same line."""
    venue.faults.inject("error_ack", request="init_connect", body="登录失败", code=7)
    async with connected(venue, shaken=False) as client:
        refused = await client.shake_hands()
        assert (refused.retType, refused.retMsg, refused.errCode) == (-1, "登录失败", 7)
        assert (await client.shake_hands()).retType == 0


async def test_half_a_frame_and_then_nothing(venue: SimulatedFutu) -> None:
    """The line drops in the middle of the next message."""
    async with connected(venue) as client:
        await client.subscribe(QUOTE)
        venue.faults.inject("half_frame")
        venue.tick("HK.00700")
        rest = await client.ended()
    magic, length = rest[:2], struct.unpack_from("<I", rest, 12)[0]
    assert magic == b"FT"
    assert 0 < len(rest) < 44 + length


@pytest.mark.parametrize("name", ["bad_checksum", "unknown_format", "corrupt_length"])
async def test_a_damaged_frame_is_one_frame(venue: SimulatedFutu, name: str) -> None:
    """What is wrong with the next message is that alone, and the one after it is good."""
    async with connected(venue) as client:
        await client.subscribe(QUOTE)
        venue.faults.inject(name)
        venue.tick("HK.00700", 2)
        async with asyncio.timeout(DEADLINE_S):
            head = await client.reader.readexactly(44)
            told = struct.unpack_from("<I", head, 12)[0]
            size = told if name != "corrupt_length" else client_size(venue)
            body = await client.reader.readexactly(size)
        assert (head[16:36] == wire.sha_of(body)) == (name != "bad_checksum")
        assert (head[6] == 0) == (name != "unknown_format")
        assert (told == size) == (name != "corrupt_length")
        after = await client.read()
        assert after[3] == wire.sha_of(after[4])
        await alive(client)


def client_size(venue: SimulatedFutu) -> int:
    """How long a quote of the first stock is at present."""
    from foxtrot.simulator.futu_payloads import quote

    told = quote(venue.market, venue.universe.contracts["HK.00700"])
    return len(told.SerializeToString())


async def test_a_mute_line_says_nothing_until_it_is_well(venue: SimulatedFutu) -> None:
    """What came in the meantime is neither carried out nor answered late; other lines go on."""
    async with connected(venue) as client, connected(venue) as other:
        await client.subscribe(QUOTE)
        client.pushed.clear()
        venue.faults.inject("mute", path="1/quotes")
        venue.tick("HK.00700")
        client.send(Proto.KeepAlive, time=1)
        subscribing = {"securityList": [{"market": 1, "code": "00700"}], "subTypeList": [2]}
        client.send(Proto.Qot_Sub, isSubOrUnSub=True, **subscribing)
        await alive(other)
        venue.faults.clear("mute")
        assert (await client.ask(Proto.Qot_GetSubInfo)).s2c.totalUsedQuota == 1
    assert client.pushed == []


async def test_no_sign_of_life_while_all_else_goes_on(venue: SimulatedFutu) -> None:
    """Heart beats are not answered; requests are."""
    async with connected(venue) as client:
        venue.faults.inject("no_pong")
        client.send(Proto.KeepAlive, time=1)
        assert (await client.ask(Proto.GetGlobalState, userID=0)).s2c.qotLogined
    assert client.pushed == []


@pytest.mark.parametrize("name", ["request_reset", "ack_reset"])
async def test_a_line_cut_at_a_request(venue: SimulatedFutu, name: str) -> None:
    """The line is reset before or after the request is carried out, and that is the difference."""
    async with connected(venue) as client, connected(venue) as witness:
        venue.faults.inject(name, request="subscribe", path="quotes")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.subscribe(QUOTE)
        info = await witness.ask(Proto.Qot_GetSubInfo, isReqAllConn=True)
    assert info.s2c.totalUsedQuota == (1 if name == "ack_reset" else 0)


async def test_an_answer_may_come_after_what_it_brought(venue: SimulatedFutu) -> None:
    """Late by itself, or by a while: the pushes of a subscription come before its answer."""
    async with connected(venue) as client:
        await client.subscribe(QUOTE, first=True)
        assert client.pushed == []
        venue.faults.inject("late_ack", request="subscribe")
        await client.subscribe(BOOK, first=True)
        assert [raw[0] for raw in client.pushed][-1] == Proto.Qot_UpdateOrderBook
