"""What TWS tells of orders: a combination of somebody's, and what its legs traded."""

from __future__ import annotations

import asyncio
import datetime as dt
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from foxtrot.adapter.ib.contracts import Contracts
from foxtrot.adapter.ib.order_feed import OrderFeed
from foxtrot.adapter.ib.order_lists import OrderLists
from foxtrot.adapter.ib.sdk import RawExecution, RawOrder, RawOrderState
from foxtrot.execution.reports import OrderState
from tests.support.ib_answers import contract
from tests.support.ib_trading import AAPL, Told

ACCOUNT, PERM_ID = "DU1234567", 77
CALL = "AAPL-20261218-C-200-100-USD-OPT"
COMBINATION = contract(28812380, AAPL, secType="BAG")
LEGS = contract(265598, AAPL), contract(700, CALL)
FILLS = (
    (COMBINATION, "01", "BOT", 1.0, 190.5),
    (LEGS[0], "02", "BOT", 100.0, 199.0),
    (LEGS[1], "03", "SLD", 1.0, 8.5),
)


def order() -> RawOrder:
    """A covered call, bought in TWS's window."""
    fields = {"orderId": 0, "clientId": 0, "permId": PERM_ID, "orderRef": "", "account": ACCOUNT}
    terms = {"action": "BUY", "totalQuantity": 1.0, "orderType": "LMT", "lmtPrice": 190.5}
    return cast(
        "RawOrder",
        SimpleNamespace(**fields, **terms, auxPrice=0.0, tif="DAY", filledQuantity=1.0),
    )


def state(status: str) -> RawOrderState:
    """Where it is."""
    shown = SimpleNamespace(status=status, completedTime="", completedStatus="Filled Size: 1")
    return cast("RawOrderState", shown)


def execution(number: str, side: str, shares: float, price: float) -> RawExecution:
    """One of its fills, on which TWS writes the same names as on all others."""
    names = {"permId": PERM_ID, "clientId": 0, "orderId": 0, "orderRef": "", "acctNumber": ACCOUNT}
    what = {"execId": f"00c8.{number}.01", "side": side, "shares": shares, "price": price}
    now = dt.datetime(2026, 11, 20, 15, tzinfo=dt.UTC)
    return cast("RawExecution", SimpleNamespace(**names, **what, exchange="SMART", time=now))


@pytest.fixture
async def told() -> Told:
    """Nothing yet."""
    return Told()


@pytest.fixture
async def feed(told: Told) -> OrderFeed:
    """Of a session that has just begun."""
    return OrderFeed(
        "IB",
        1,
        ACCOUNT,
        name_of=Contracts("IB").name_of,
        record=lambda orderid: None,
        listener=told,
        say=told.said.append,
        time_ns=lambda: 1,
        revisions={},
    )


async def test_a_leg_of_a_combination_is_traded_under_its_own_name(
    told: Told, feed: OrderFeed
) -> None:
    """Who bought shares and sold a call has a hundred shares and a call, not 102 combinations."""
    feed.openOrder(0, COMBINATION, order(), state("Submitted"))
    for traded, *what in FILLS:
        feed.execDetails(-1, traded, execution(*what))
    await told.until(lambda: told.fills)
    assert [(each.symbol, each.volume) for each in told.fills] == [
        ("28812380", 1),
        (AAPL, 100),
        (CALL, 1),
    ]


async def test_a_leg_that_is_asked_for_is_what_it_traded(feed: OrderFeed) -> None:
    """The lists have the combination alone: its volume and its price are not those of a leg."""

    class Client:
        async def ask_named(self, name: str, send: object) -> list[object]:
            completed = [(COMBINATION, order(), state("Filled"))]
            return {"completedOrders": completed, "currentTime": [0]}.get(name, [])

        async def ask(self, what: str, send: object) -> list[object]:
            return [(traded, execution(*what)) for traded, *what in FILLS]

    lists = OrderLists(cast("Any", Client()), feed)
    async with asyncio.timeout(5):
        shares, whole = [
            await lists.find(symbol, "", str(PERM_ID)) for symbol in (AAPL, "28812380")
        ]
    assert shares is not None
    assert (shares.symbol, shares.volume, shares.traded) == (AAPL, 100, 100)
    assert (shares.state, shares.price) == (OrderState.FILLED, Decimal(0))
    assert whole is not None
    assert (whole.symbol, whole.traded, whole.price) == ("28812380", 1, Decimal("190.5"))


async def test_a_fill_that_a_list_showed_first_is_told_by_its_push(
    feed: OrderFeed, told: Told
) -> None:
    """It owes the desk this news: without, the whole session would be taken for silent."""
    fill = execution("01", "BOT", 1.0, 190.5)
    feed.executed(LEGS[0], fill)
    assert not told.fills, "who asked for the list has it"
    for _ in range(2):
        feed.execDetails(-1, LEGS[0], fill)
    await asyncio.sleep(0)
    assert [each.trade_id for each in told.fills] == ["00c8.01"]


async def test_a_price_that_was_changed_in_tws_is_told(feed: OrderFeed, told: Told) -> None:
    """Nothing but `openOrder` says so: the order is where it was, and has traded what it had."""
    for price in (190.5, 190.5, 191.0):
        changed = order()
        changed.lmtPrice = price
        feed.openOrder(0, COMBINATION, changed, state("Submitted"))
    await told.until(lambda: told.reports)
    assert [each.price for each in told.reports] == [Decimal("190.5"), Decimal("191.0")]
