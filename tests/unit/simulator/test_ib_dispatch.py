"""Requests find the room that answers them, and the faults that befall any request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from foxtrot.simulator.ib import SimulatedIb
from foxtrot.simulator.ib_connection import Connection
from foxtrot.simulator.ib_dispatch import Dispatch, Handlers, Room
from foxtrot.simulator.ib_requests import ReqCurrentTime, ReqIds
from tests.unit.simulator.ib_raw import AAPL, Raw, raw

TIME = (49, 1)
ACCOUNTS = (17, 1)


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedIb]:
    """A gateway whose market stands still."""
    async with SimulatedIb(("AAPL",), rate_hz=0) as venue:
        yield venue


@pytest.fixture
async def client(sim: SimulatedIb) -> AsyncIterator[Raw]:
    """Client 1."""
    async with raw(sim) as one:
        yield one


async def test_a_swallowed_request_is_never_heard_of(sim: SimulatedIb, client: Raw) -> None:
    """It is not carried out and not answered; the next one is."""
    sim.faults.inject("request_swallowed", request="managed_accounts")
    client.send(*ACCOUNTS)
    assert await client.settled() == []
    client.send(*ACCOUNTS)
    assert await client.settled() == [["15", "1", "DU1234567"]]


async def test_an_answer_can_be_swallowed(sim: SimulatedIb, client: Raw) -> None:
    """What was asked is done, and nothing is said of it."""
    sim.faults.inject("ack_swallowed", request="market_data")
    client.send(1, 11, 5, *AAPL, False, "", False, False, "")
    assert await client.settled() == []
    assert [stream.req_id for stream in sim.streams.live] == [5]


@pytest.mark.parametrize("fault", ["request_reset", "ack_reset"])
async def test_a_request_can_cost_the_line(sim: SimulatedIb, client: Raw, fault: str) -> None:
    """The line is reset before the venue acts, or after; either way nothing is answered."""
    joined: list[int] = []
    sim.streams.left = lambda connection: joined.append(len(sim.streams.live))  # type: ignore[method-assign]
    sim.faults.inject(fault, request="market_data")
    client.send(1, 11, 5, *AAPL, False, "", False, False, "")
    assert await client.ended() == []
    assert joined == [1 if fault == "ack_reset" else 0]


async def test_an_answer_can_come_late(sim: SimulatedIb, client: Raw) -> None:
    """What is sent in the meantime overtakes it."""
    sim.faults.inject("late_ack", request="managed_accounts", seconds=0.02)
    client.send(*ACCOUNTS)
    assert await client.settled() == []
    assert await client.read() == ["15", "1", "DU1234567"]


async def test_a_request_can_be_refused_in_any_words(sim: SimulatedIb, client: Raw) -> None:
    """With a code and a text of one's choice, on the request's own id; it is not carried out."""
    sim.faults.inject("error_ack", symbol="MSFT", request="market_data", code=420)
    sim.faults.inject(
        "error_ack", symbol="AAPL", request="market_data", code=10197, body="no data for you"
    )
    client.send(1, 11, 5, *AAPL, False, "", False, False, "")
    assert await client.error() == (5, 10197, "no data for you")
    assert sim.streams.live == ()


async def test_a_fault_can_be_for_one_client(sim: SimulatedIb, client: Raw) -> None:
    """A path names the client whose requests are meant."""
    sim.faults.inject("request_swallowed", request="managed_accounts", path="client/2")
    client.send(*ACCOUNTS)
    assert len(await client.settled()) == 1
    async with raw(sim, 2) as other:
        other.send(*ACCOUNTS)
        assert await other.settled() == []


class Clock(Room):
    """Answers for the time alone."""

    def __init__(self) -> None:
        self.asked = 0

    def handlers(self) -> Handlers:
        return {ReqCurrentTime: self._count}

    def _count(self, _connection: Connection, _request: ReqCurrentTime) -> None:
        self.asked += 1


async def test_what_no_room_answers_is_refused_and_noted(sim: SimulatedIb, client: Raw) -> None:
    """A request that the gateway does not offer is an error for the client and for the test."""
    clock = Clock()
    dispatch = Dispatch(sim, clock)
    connection = sim.connections[0]
    dispatch.handle(connection, ReqCurrentTime())
    dispatch.handle(connection, ReqIds(1))
    await asyncio.sleep(0)
    assert clock.asked == 1
    error_id, code, text = await client.error()
    assert (error_id, code) == (-1, 321)
    assert "ReqIds is not offered" in text
    assert sim.violations == ["client/1: ReqIds is not offered"]
