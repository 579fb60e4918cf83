"""Lists of orders and fills at the simulated TWS, asked for with the unmodified SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from foxtrot.simulator.ib import SimulatedIb
from foxtrot.simulator.ib_order_payloads import local_time
from tests.support.ib_sdk import troubles
from tests.support.ib_trader import Trader, trading


@pytest.fixture
async def sim(caplog: pytest.LogCaptureFixture) -> AsyncIterator[SimulatedIb]:
    """A gateway with an order of client 1, one of client 7 and one of TWS's own window."""
    async with SimulatedIb(("AAPL", "MSFT"), rate_hz=0) as venue:
        for client_id, ref in ((1, "mine"), (7, "his"), (0, "")):
            venue.desk.place_by_hand("AAPL", 10, 200, client_id=client_id, order_ref=ref)
        yield venue
    assert troubles(caplog) == []


@pytest.fixture
async def trader(sim: SimulatedIb) -> AsyncIterator[Trader]:
    """Client 1."""
    async with trading(sim.port) as client:
        yield client


def listed(calls: list) -> list[tuple[str, int, int]]:
    """Reference, client id and order id of the open orders that were told."""
    orders = [args[2] for name, args in calls if name == "openOrder"]
    return [(order.orderRef, order.clientId, order.orderId) for order in orders]


async def test_open_orders_are_a_clients_own(trader: Trader) -> None:
    """The others are not in the list."""
    calls = await trader.told(lambda: trader.client.reqOpenOrders())
    assert listed(calls) == [("mine", 1, 1)]
    assert [name for name, _ in calls] == ["openOrder", "orderStatus", "openOrderEnd"]


async def test_all_open_orders_are_everybodys(trader: Trader) -> None:
    """One of TWS's own window has neither a client nor an id yet."""
    calls = await trader.told(lambda: trader.client.reqAllOpenOrders())
    assert listed(calls) == [("mine", 1, 1), ("his", 7, 1), ("", 0, 0)]


async def test_client_0_gets_tws_own_orders_under_ids_below_zero(
    sim: SimulatedIb, trader: Trader
) -> None:
    """It may cancel them then; every other client that asks for them is refused."""
    assert await trader.story(lambda: trader.client.reqAutoOpenOrders(True)) == ["error 327"]
    async with trading(sim.port, 0) as window:
        calls = await window.told(lambda: window.client.reqOpenOrders())
        assert listed(calls) == [("", 0, -1)]
        story = await window.story(lambda: window.client.cancelOrder(-1, ""))
        assert story == ["status Cancelled 0+10", "error 202"]
    calls = await trader.told(lambda: trader.client.reqAllOpenOrders())
    assert listed(calls) == [("mine", 1, 1), ("his", 7, 1)]


async def test_completed_orders_can_be_those_of_clients_alone(
    sim: SimulatedIb, trader: Trader
) -> None:
    """What ended by itself or by hand is told with how much of it was filled."""
    for order in sim.desk.held():
        sim.desk.fill(order.perm_id, 4)
        sim.desk.end(order.perm_id)
    story = await trader.story(lambda: trader.client.reqCompletedOrders(False))
    assert "completed  Cancelled 4" in story
    story = await trader.story(lambda: trader.client.reqCompletedOrders(True))
    assert story == [
        "completed mine Cancelled 4",
        "completed his Cancelled 4",
        "completedOrdersEnd",
    ]


async def test_executions_are_filtered(sim: SimulatedIb, trader: Trader) -> None:
    """By client, account, side, symbol, exchange, type and time; an empty filter lets all pass."""
    for order in sim.desk.held():
        sim.desk.fill(order.perm_id, 4)
    sim.desk.place_by_hand("MSFT", 3, side="SELL", client_id=1, order_ref="sold")
    now = sim.desk.traded()[0].time_ms
    await trader.told()
    ask, make = trader.client.reqExecutions, trader.sdk.ExecutionFilter
    for number, (fields, count) in enumerate(
        [
            ({}, 4),
            ({"clientId": 1}, 2),
            ({"acctCode": "DU1234567"}, 4),
            ({"acctCode": "DU9"}, 0),
            ({"side": "SELL"}, 1),
            ({"side": "BOT"}, 3),
            ({"symbol": "MSFT"}, 1),
            ({"secType": "FUT"}, 0),
            ({"exchange": "NASDAQ"}, 4),
            ({"exchange": "IDEALPRO"}, 0),
            ({"time": local_time(now)}, 4),
            ({"time": local_time(now + 60_000)}, 0),
            ({"time": local_time(now + 60_000).replace(" ", "-", 1).rpartition(" ")[0]}, 0),
            ({"time": "yesterday"}, 4),
            ({"time": f"{local_time(now).rpartition(' ')[0]} US"}, 4),
        ]
    ):
        calls = await trader.told(lambda n=number, f=fields: ask(n, make(**f)))
        fills = [args[0] for name, args in calls if name == "execDetails"]
        assert fills == [number] * count, fields


@pytest.mark.parametrize(
    ("request_kind", "ask", "end"),
    [
        ("open_orders", lambda client, _: client.reqOpenOrders(), "openOrderEnd"),
        ("all_orders", lambda client, _: client.reqAllOpenOrders(), "openOrderEnd"),
        (
            "completed_orders",
            lambda client, _: client.reqCompletedOrders(False),
            "completedOrdersEnd",
        ),
        (
            "executions",
            lambda client, sdk: client.reqExecutions(1, sdk.ExecutionFilter()),
            "execDetailsEnd",
        ),
    ],
)
async def test_a_list_can_be_a_lie(
    sim: SimulatedIb, trader: Trader, request_kind: str, ask, end: str
) -> None:
    """The fault for it makes one list empty, and the next one is true again."""
    sim.desk.fill("mine", 4)
    sim.desk.fill("his")
    await trader.told()
    sim.faults.inject("empty_list", request=request_kind)
    assert await trader.story(lambda: ask(trader.client, trader.sdk)) == [end]
    assert len(await trader.story(lambda: ask(trader.client, trader.sdk))) > 1
