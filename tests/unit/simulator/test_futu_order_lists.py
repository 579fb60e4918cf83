"""The simulated Futu's lists of orders and deals: what is in them, and how it is chosen."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from foxtrot.simulator.futu import SimulatedFutu
from foxtrot.simulator.futu_schema import Proto
from tests.unit.simulator.futu_client import (
    PAPER_ID,
    REAL_ID,
    Client,
    header,
)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """One that has unlocked trading and hears of all that concerns Hong Kong."""
    async with SimulatedFutu(rate_hz=0) as venue:
        made = Client(venue, REAL_ID, PAPER_ID)
        made.unlock()
        yield made


async def test_lists_are_filtered_and_forget_the_day(client: Client) -> None:
    """By order, code and status; when the day is over its orders are history, if they ended."""
    first, second = client.place(), client.place(remark="us", code="AAPL", secMarket=2, price=90)
    client.change(first, 2)
    chosen = {"filterConditions": {"orderIDExList": [second]}}
    assert [order.orderIDEx for order in client.orders(**chosen)] == [second]
    assert [o.orderIDEx for o in client.orders(filterStatusList=[15])] == [first]
    assert [o.code for o in client.orders(filterConditions={"codeList": ["AAPL"]})] == ["AAPL"]
    lasting = client.place(remark="lasting", timeInForce=1)
    client.venue.desk.fill("lasting", 100)
    client.venue.desk.end_day()
    client.venue.desk.fill("lasting")
    assert [order.orderIDEx for order in client.orders()] == [lasting]
    (deal,) = client.get(Proto.Trd_GetOrderFillList, header=header()).orderFillList
    assert deal.qty == 200
    span = {"beginTime": "2020-01-01 00:00:00", "endTime": "2099-01-01 00:00:00"}
    past = client.get(
        Proto.Trd_GetHistoryOrderList, header=header(), filterConditions=span
    ).orderList
    assert [order.orderIDEx for order in past] == [first, second, lasting]
    assert "必须" in client.refused(
        Proto.Trd_GetHistoryOrderList, header=header(), filterConditions={}
    )


async def test_china_is_traded_by_way_of_hong_kong(client: Client) -> None:
    """An account of Hong Kong has its own name for that market, in orders, deals and filters."""
    order = client.place(market=4, code="600519", secMarket=31, qty=100, orderType=2)
    assert client.deals()[0].trdMarket == 4
    conditions = {"filterMarket": 4}
    assert [o.orderIDEx for o in client.orders(filterConditions=conditions)] == [order]
    assert not client.orders(filterConditions={"filterMarket": 3})


async def test_only_lists_fetched_anew_are_counted(client: Client) -> None:
    """OpenD's memory is free; 10 in 30 seconds may bypass it."""
    for _ in range(30):
        client.orders()
    for _ in range(10):
        client.orders(refreshCache=True)
    text = client.refused(Proto.Trd_GetOrderList, header=header(), refreshCache=True)
    assert "频率太高" in text


async def test_a_list_may_lie(client: Client) -> None:
    """With the fault for it, one answer is empty; the next one is true."""
    client.place()
    client.venue.faults.inject("empty_list", request="open_orders")
    assert not client.orders()
    assert len(client.orders()) == 1
