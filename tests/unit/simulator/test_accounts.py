"""The books of a simulated customer."""

from __future__ import annotations

import pytest

from foxtrot.errors import OrderRejected
from foxtrot.simulator import accounts
from foxtrot.simulator.accounts import Account, Order, Side, State, Ticket, cost_e8
from foxtrot.simulator.listings import listing, to_e8

ITEM = listing("BTCUSDT")


def order_of(account: Account, order_id: int, client_id: str = "c") -> Order:
    """A new order for one coin."""
    ticket = Ticket(symbol="BTCUSDT", side=Side.BUY, quantity_e8=to_e8(1), client_id=client_id)
    return Order(
        order_id=order_id,
        account=account,
        ticket=ticket,
        quantity_e8=ticket.quantity_e8,
        created_ms=1,
        updated_ms=1,
    )


def test_amounts_are_exact() -> None:
    """A decimal text keeps its last digit, and a cost is rounded to the venue's favour."""
    assert Account("a", {"BTC": "0.00000001"}).balance("BTC").free_e8 == 1
    assert (cost_e8(1, 1), cost_e8(to_e8(2), 3)) == (1, 6)


def test_more_than_there_is_cannot_be_locked() -> None:
    """Nothing moves then."""
    account = Account("a", {"USDT": 10})
    with pytest.raises(OrderRejected):
        account.lock(order_of(account, 1), ITEM, to_e8(11))
    assert account.balance("USDT") == accounts.Balance(to_e8(10), 0)


def test_a_client_id_names_its_newest_order() -> None:
    """An id that was used twice means the order that came last."""
    account = Account("a", {})
    first, second = order_of(account, 1), order_of(account, 2)
    account.add(first)
    account.close(first, ITEM, State.CANCELED)
    account.add(second)
    assert account.named("BTCUSDT", "c") is second
    assert account.named("ETHUSDT", "c") is None
    assert account.open_orders == [second]


def test_the_oldest_that_ended_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger is bounded, and no open order is ever lost from it."""
    monkeypatch.setattr(accounts, "_KEPT_ORDERS", 2)
    account = Account("a", {})
    kept = order_of(account, 1, "kept")
    account.add(kept)
    for number in (2, 3, 4):
        order = order_of(account, number, f"c{number}")
        account.add(order)
        account.close(order, ITEM, State.CANCELED)
    assert [order.order_id for order in account.orders] == [1, 4]
    assert account.named("BTCUSDT", "c3") is None
