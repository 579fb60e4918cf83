"""Whatever clients and the market do, the simulated Futu tells one story in pushes and lists."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from foxtrot.simulator.futu import FutuLimits, SimulatedFutu
from foxtrot.simulator.futu_schema import Message, Proto
from tests.unit.simulator.futu_client import PAPER_ID, REAL_ID, Client

NO_RULES = FutuLimits(place=None, modify=None, orders=None)
START_CASH = 10_000_000

acts = st.lists(
    st.one_of(
        st.tuples(st.just("place"), st.sampled_from((1, 2)), st.integers(1, 9), st.integers(-8, 8)),
        st.tuples(st.just("change"), st.integers(0, 9), st.integers(1, 9), st.integers(-8, 8)),
        st.tuples(st.just("cancel"), st.integers(0, 9)),
        st.tuples(st.just("tick"), st.integers(1, 20)),
        st.tuples(st.just("move"), st.integers(-6, 6)),
    ),
    max_size=25,
)


def _do(client: Client, acc_id: int, act: tuple[int | str, ...], orders: list[str]) -> None:
    """Carry out an act; what OpenD refuses is refused."""
    venue = client.venue
    ask = venue.market.quote("HK.00700").ask_e8 / 1e8
    match act:
        case ("place", side, lots, steps):
            fields = client.wanted(
                acc_id=acc_id, trdSide=side, qty=100 * int(lots), price=ask + int(steps) / 2
            )
            answer = client.ask(Proto.Trd_PlaceOrder, **fields)
            if answer.retType == 0:
                orders.append(answer.s2c.orderIDEx)
        case ("change", number, lots, steps) if orders:
            order = orders[int(number) % len(orders)]
            fields = {"qty": 100 * int(lots), "price": ask + int(steps) / 2}
            client.change(order, acc_id=acc_id, **fields)
        case ("cancel", number) if orders:
            client.change(orders[int(number) % len(orders)], 2, acc_id)
        case ("tick", count):
            for _ in range(int(count)):
                venue.market.tick("HK.00700")
        case ("move", steps):
            venue.desk.set_price("HK.00700", ask + int(steps) / 2)


async def _played(acc_id: int, script: list[tuple[int | str, ...]]) -> tuple[Client, list[Message]]:
    """A client after it all, and what the list of orders says then."""
    async with SimulatedFutu(("HK.00700",), rate_hz=0, limits=NO_RULES) as venue:
        client = Client(venue, acc_id)
        client.unlock()
        venue.wake("HK.00700")
        orders: list[str] = []
        for act in script:
            _do(client, acc_id, act, orders)
        return client, client.orders(acc_id)


def _pushed(client: Client) -> dict[str, Message]:
    """The last push of every order."""
    rows = (message.s2c.order for id_, message in client.came if id_ is Proto.Trd_UpdateOrder)
    return {row.orderIDEx: row for row in rows}


@given(acts)
def test_pushes_end_where_lists_are(script: list[tuple[int | str, ...]]) -> None:
    """The last push of an order is what the list says of it; deals add up to what was filled."""
    client, listed = asyncio.run(_played(REAL_ID, script))
    pushed = _pushed(client)
    assert [row.orderIDEx for row in listed] == list(pushed)
    for row in listed:
        last = pushed[row.orderIDEx]
        assert (row.orderStatus, row.fillQty, row.qty) == (last.orderStatus, last.fillQty, last.qty)
        deals = [deal for deal in client.deals() if deal.orderIDEx == row.orderIDEx]
        assert sum(deal.qty for deal in deals) == row.fillQty <= row.qty
        worth = sum(deal.qty * deal.price for deal in deals)
        assert abs(worth - row.fillQty * row.fillAvgPrice) < 1e-6 * max(1.0, worth)


@given(acts)
def test_cash_and_position_are_what_was_traded(script: list[tuple[int | str, ...]]) -> None:
    """In practice, where no deal is told, orders alone tell how cash became a position."""
    client, _ = asyncio.run(_played(PAPER_ID, script))
    account = client.venue.desk.account(PAPER_ID)
    cash, quantity = float(START_CASH), 0.0
    for row in _pushed(client).values():
        sign = 1 if row.trdSide == 1 else -1
        cash -= sign * row.fillQty * row.fillAvgPrice
        quantity += sign * row.fillQty
    assert not client.deals()
    assert abs(account.balance("HKD").free_e8 / 1e8 - cash) < 0.01
    held = {each.contract.code: each.quantity_e8 / 1e8 for each in account.positions()}
    assert held == ({"00700": quantity} if quantity else {})
