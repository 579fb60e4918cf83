"""What the simulated Futu tells of orders unasked: to whom, when, and what becomes of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from foxtrot.simulator.futu import SimulatedFutu
from foxtrot.simulator.futu_schema import Proto
from tests.unit.simulator.futu_client import (
    PAPER_ID,
    PAPER_US_ID,
    REAL_ID,
    Client,
)

PUSH, PLACED = Proto.Trd_UpdateOrder, Proto.Trd_PlaceOrder


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedFutu]:
    """An OpenD whose market stands still."""
    async with SimulatedFutu(rate_hz=0) as venue:
        yield venue


@pytest.fixture
async def client(sim: SimulatedFutu) -> Client:
    """One that has unlocked trading and hears of all that concerns Hong Kong."""
    made = Client(sim, REAL_ID, PAPER_ID)
    made.unlock()
    return made


async def test_pushes_come_after_the_reply_or_before_it_by_a_switch(client: Client) -> None:
    """By default the reply is first; with `push_first`, or the fault of a late reply, last."""
    client.place()
    assert client.order_of(PUSH, PLACED) == [PLACED, PUSH, PUSH]
    client.came.clear()
    client.venue.desk.push_first()
    client.place(remark="second")
    assert client.order_of(PUSH, PLACED) == [PUSH, PUSH, PLACED]
    client.venue.desk.push_first(early=False)
    client.came.clear()
    client.venue.faults.inject("late_ack", request="place")
    client.place(remark="third")
    assert client.order_of(PUSH, PLACED) == [PUSH, PUSH, PLACED]


async def test_pushes_go_to_who_subscribed_to_the_account(sim: SimulatedFutu) -> None:
    """Nobody else hears of an order, and who has left hears nothing more."""
    mine, other = Client(sim, REAL_ID), Client(sim, PAPER_ID, PAPER_US_ID)
    mine.unlock()
    mine.place()
    assert mine.statuses() == [2, 5]
    assert not other.statuses()
    sim.orders.reports.left(mine)
    sim.desk.fill("mine")
    assert mine.statuses() == [2, 5]


async def test_pushes_may_change_places_or_come_twice_or_late(client: Client) -> None:
    """The faults of the post: one push is overtaken by the next, or comes twice, or late."""
    faults = client.venue.faults
    faults.inject("reordered", channel="order")
    client.place()
    assert client.statuses() == [5, 2]
    faults.inject("duplicate_reports", count=1)
    client.venue.desk.fill("mine", 100)
    assert client.statuses()[2:] == [10, 10]
    faults.inject("late_reports", seconds=60)
    client.venue.desk.fill("mine")
    assert client.statuses()[2:] == [10, 10]


async def test_any_status_can_be_told(client: Client) -> None:
    """What no market would bring about: a timeout, an unknown number."""
    client.place()
    for status in (4, 99):
        client.venue.desk.tell("mine", status, "?")
        assert client.orders()[0].orderStatus == status
    assert client.statuses()[-2:] == [4, 99]
