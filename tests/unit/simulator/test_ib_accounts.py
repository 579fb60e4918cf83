"""Margin accounts: cash, positions and profit, to the cent."""

from __future__ import annotations

import datetime as dt

import pytest

from foxtrot.errors import OrderRejected
from foxtrot.simulator.accounts import Side, Ticket
from foxtrot.simulator.ib_accounts import IbAccount, commission_e8
from foxtrot.simulator.ib_contracts import Universe
from foxtrot.simulator.listings import E8, to_e8
from foxtrot.simulator.market import Market
from foxtrot.simulator.matching import Matching

TODAY = dt.date(2026, 11, 21)
START_MS = 1_795_271_472_345
FUTURE = "ESZ6"


class Pit:
    """One account, whose orders are filled at the price they name."""

    def __init__(self) -> None:
        universe = Universe.of(["AAPL", "EUR.USD", FUTURE], today=TODAY)
        self.market = Market(universe.listings(), seed=1, now_ms=START_MS)
        self.account = IbAccount("DU1", {"USD": 100_000}, universe, self.market)
        self.matching = Matching(self.market, seed=1)
        self._count = 0

    def trade(self, name: str, quantity: int, price: str) -> tuple[int, int | None]:
        """Buy, or sell below zero; commission and what it realized."""
        self._count += 1
        side = Side.BUY if quantity > 0 else Side.SELL
        bid = float(price) + (1 if quantity > 0 else -1) * float(price) * 0.1
        self.market.set_quote(name, bid)
        ticket = Ticket(
            symbol=name,
            side=side,
            quantity_e8=abs(quantity) * E8,
            price_e8=to_e8(price),
            client_id=str(self._count),
        )
        order = self.matching.place(self.account, ticket, START_MS)
        self.matching.fill(order, START_MS)
        return self.account.booking.commission_e8, self.account.booking.realized_e8

    @property
    def cash(self) -> float:
        return self.account.balance("USD").free_e8 / E8


@pytest.fixture
def pit() -> Pit:
    """An account with 100,000 dollars."""
    return Pit()


def test_a_position_is_opened_reduced_turned_and_closed(pit: Pit) -> None:
    """The mean cost has the commissions in it, and what is closed realizes against it."""
    holding = pit.account._holding("AAPL")
    assert pit.trade("AAPL", 10, "200") == (E8, None)
    assert (pit.cash, holding.average_e8) == (97_999.0, to_e8("200.1"))
    assert pit.trade("AAPL", -4, "210") == (E8, to_e8("38.6"))
    assert (holding.quantity_e8, holding.average_e8) == (6 * E8, to_e8("200.1"))
    assert pit.trade("AAPL", -10, "190") == (E8, to_e8("-61.6"))
    assert (holding.quantity_e8, holding.average_e8) == (-4 * E8, 190 * E8)
    assert pit.trade("AAPL", 4, "180") == (E8, 39 * E8)
    assert pit.account.positions() == []
    assert pit.cash == 100_000 + 38.6 - 61.6 + 39


def test_a_future_moves_no_cash_until_it_is_closed(pit: Pit) -> None:
    """Its multiplier counts in cost and profit; the equity is the same before and after."""
    cash = pit.cash
    pit.trade(FUTURE, 2, "6000")
    holding = pit.account.positions()[0]
    assert (pit.cash, holding.average_e8) == (cash, to_e8("300002.25"))
    assert pit.account.equity_e8() == pit.account.balance("USD").free_e8 + (
        pit.account.unrealized_e8(holding)
    )
    _, realized = pit.trade(FUTURE, -2, "6010")
    assert realized == to_e8(1_000 - 9)
    assert pit.cash == cash + 991


def test_a_currency_pair_moves_both_currencies(pit: Pit) -> None:
    """It is a position too, which is not counted again in the equity."""
    pit.trade("EUR.USD", 1_000, "1.08")
    assert pit.account.balance("EUR").free_e8 == 1_000 * E8
    assert pit.cash == 100_000 - 1_080 - 2
    assert [each.contract.name for each in pit.account.positions()] == ["EUR.USD"]
    assert abs(pit.account.equity_e8() / E8 - 100_003) < 1e-6


def test_what_is_opened_needs_margin_and_what_is_closed_does_not(pit: Pit) -> None:
    """A quarter of a stock's value; who has too little may still get out."""
    pit.trade("AAPL", 1_500, "200")
    with pytest.raises(OrderRejected, match="funds"):
        pit.trade("AAPL", 1_500, "200")
    pit.account.balance("USD").free_e8 -= 150_000 * E8
    assert pit.account.available_e8() < 0
    assert pit.trade("AAPL", -1_500, "200")[1] is not None


def test_a_correction_moves_cost_and_cash(pit: Pit) -> None:
    """By the difference of the prices."""
    pit.trade("AAPL", 10, "200")
    cash = pit.cash
    pit.account.correct("AAPL", 10 * E8, -E8)
    assert pit.cash == cash + 10
    assert pit.account.positions()[0].average_e8 == to_e8("199.1")


def test_the_values_agree_with_the_books(pit: Pit) -> None:
    """What a summary tells is what can be worked out of cash and positions."""
    pit.trade("AAPL", 10, "200")
    values = {(key, currency): value for key, value, currency in pit.account.values()}
    price = pit.account.price_e8("AAPL") / E8
    assert values["CashBalance", "USD"] == values["TotalCashValue", "USD"] == "97999.00"
    assert float(values["NetLiquidation", "USD"]) == pytest.approx(97_999 + 10 * price, abs=0.01)
    assert float(values["UnrealizedPnL", "BASE"]) == pytest.approx(10 * price - 2_001, abs=0.01)
    assert values["AccountCode", ""] == "DU1"


def test_commissions_have_a_floor() -> None:
    """A dollar for stocks, two for currencies; futures are charged by the piece."""
    named = Universe.of(["AAPL", "EUR.USD", FUTURE], today=TODAY).contracts
    assert commission_e8(named["AAPL"], 10 * E8, 2_000 * E8) == E8
    assert commission_e8(named["AAPL"], 1_000 * E8, 200_000 * E8) == 5 * E8
    assert commission_e8(named["EUR.USD"], E8, E8) == 2 * E8
    assert commission_e8(named[FUTURE], 2 * E8, E8) == to_e8("4.5")
