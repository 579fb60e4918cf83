"""What an order at the simulated Futu must be like, and the words of a refusal."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator

import pytest

from foxtrot.simulator.futu import SimulatedFutu
from foxtrot.simulator.futu_schema import Proto
from tests.unit.simulator.futu_client import (
    PAPER_ID,
    REAL_ID,
    Client,
)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """One that has unlocked trading and hears of all that concerns Hong Kong."""
    async with SimulatedFutu(rate_hz=0) as venue:
        made = Client(venue, REAL_ID, PAPER_ID)
        made.unlock()
        yield made


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"code": "00999"}, "未知股票"),
        ({"qty": 150}, "整数倍"),
        ({"qty": -100}, "整数倍"),
        ({"qty": math.nan}, "整数倍"),
        ({"qty": math.inf}, "整数倍"),
        ({"price": math.nan}, "价位"),
        ({"price": -math.inf}, "价位"),
        ({"price": 1e300}, "价位"),
        ({"price": 500.3}, "价位"),
        ({"price": 0}, "价位"),
        ({"trdSide": 3}, "方向"),
        ({"orderType": 7}, "不支持"),
        ({"timeInForce": 3}, "不支持"),
        ({"orderType": 8, "code": "AAPL", "secMarket": 2, "qty": 1}, "不支持"),
        ({"remark": "蛋" * 22}, "64"),
        ({"qty": 10_000_000}, "购买力"),
        ({"market": 3}, "账户"),
        ({"acc_id": 5}, "账户"),
        ({"acc_id": PAPER_ID, "code": "AAPL", "secMarket": 2, "qty": 1}, "账户"),
    ],
)
async def test_what_does_not_fit_is_refused_in_words(
    client: Client, changes: dict[str, object], words: str
) -> None:
    """Nothing is in the books then, and nothing was pushed."""
    assert words in client.refused(Proto.Trd_PlaceOrder, **client.wanted(**changes))
    assert not client.venue.desk.held()
    assert not client.statuses()


async def test_stops_wait_for_their_price(client: Client) -> None:
    """A stop limit far above the market rests, and works when the market is there."""
    client.place(orderType=11, auxPrice=700, price=800)
    assert client.statuses() == [2, 5]
    client.venue.desk.set_price("HK.00700", 701)
    assert client.statuses()[-1] == 11


@pytest.mark.parametrize(("limit", "price"), [(0.01, 500.5), (-0.01, 500.0), (0.0001, None)])
async def test_a_price_between_two_steps_is_moved_on_request(
    client: Client, limit: float, price: float | None
) -> None:
    """Upwards or downwards, by so much at most; what would go farther is refused."""
    wanted = client.wanted(price=500.3, adjustPrice=True, adjustSideAndLimit=limit)
    if price is None:
        assert "价位" in client.refused(Proto.Trd_PlaceOrder, **wanted)
        return
    client.get(Proto.Trd_PlaceOrder, **wanted)
    assert client.orders()[0].price == price


async def test_an_order_says_outside_which_hours_it_trades(client: Client) -> None:
    """What was asked for comes back with the order."""
    us = {"code": "AAPL", "secMarket": 2, "qty": 1, "price": 200, "market": 2}
    client.place(**us, fillOutsideRTH=True, session=3)
    order = client.orders()[0]
    assert (order.fillOutsideRTH, order.session) == (True, 3)
