"""What an account of the simulated Futu could trade at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from foxtrot.simulator.futu import SimulatedFutu
from foxtrot.simulator.futu_schema import Proto
from tests.unit.simulator.futu_client import PAPER_ID, REAL_ID, Client, header


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """One that may trade."""
    async with SimulatedFutu(rate_hz=0) as venue:
        made = Client(venue, REAL_ID, PAPER_ID)
        made.unlock()
        yield made


def asked(acc_id: int = REAL_ID, **changes: Any) -> dict[str, Any]:
    """A question about Tencent at 500, or about something else."""
    fields = {"header": header(acc_id), "orderType": 1, "code": "00700", "secMarket": 1}
    return {**fields, "price": 500.0, **changes}


async def test_what_is_told_can_be_ordered_and_no_more(client: Client) -> None:
    """An order for as much as the margin allows is taken, one for a lot more is not."""
    most = client.get(Proto.Trd_GetMaxTrdQtys, **asked(PAPER_ID)).maxTrdQtys
    assert most.maxCashBuy == 20_000
    assert most.maxCashAndMarginBuy == most.maxSellShort == 40_000
    assert "购买力" in client.refused(
        Proto.Trd_PlaceOrder, **client.wanted(acc_id=PAPER_ID, qty=40_100)
    )
    name = client.place(acc_id=PAPER_ID, qty=40_000)
    left = client.get(Proto.Trd_GetMaxTrdQtys, **asked(PAPER_ID)).maxTrdQtys
    assert (left.maxCashBuy, left.maxCashAndMarginBuy) == (0, 0)
    changed = client.get(Proto.Trd_GetMaxTrdQtys, **asked(PAPER_ID, orderIDEx=name)).maxTrdQtys
    assert changed.maxCashAndMarginBuy == 40_000


async def test_what_is_held_can_be_sold_unless_an_order_claims_it(client: Client) -> None:
    """A short position can be bought back instead."""
    client.place(orderType=2, qty=300)
    client.place(orderType=1, qty=100, trdSide=2, price=900)
    client.place(orderType=2, qty=1, trdSide=2, code="AAPL", secMarket=2, market=2)
    held = client.get(Proto.Trd_GetMaxTrdQtys, **asked()).maxTrdQtys
    assert (held.maxPositionSell, held.maxBuyBack) == (200, 0)
    us = asked(code="AAPL", secMarket=2, price=200.0) | {"header": header(market=2)}
    short = client.get(Proto.Trd_GetMaxTrdQtys, **us).maxTrdQtys
    assert (short.maxPositionSell, short.maxBuyBack) == (0, 1)


@pytest.mark.parametrize(
    "changes", [{"code": "99999"}, {"price": -1.0}, {"orderIDEx": "FH1"}, {"acc_id": 5}]
)
async def test_what_makes_no_sense_is_refused(client: Client, changes: dict[str, Any]) -> None:
    """An unknown security, order or account; a price that is none."""
    assert client.refused(Proto.Trd_GetMaxTrdQtys, **asked(**changes))
