"""What an order at the simulated Futu must be like, and the words of a refusal."""

from __future__ import annotations

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
