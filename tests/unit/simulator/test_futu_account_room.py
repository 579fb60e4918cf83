"""The simulated Futu's accounts: what they hold, and what they are told to be worth."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from foxtrot.simulator.futu import SimulatedFutu
from foxtrot.simulator.futu_schema import Proto
from tests.unit.simulator.futu_client import PAPER_ID, PASSWORD_MD5, REAL_ID, Client, header


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A client of an OpenD whose market stands still; trading is unlocked."""
    async with SimulatedFutu(rate_hz=0) as venue:
        made = Client(venue, REAL_ID)
        made.unlock()
        yield made


async def test_accounts_are_listed_with_what_they_may_trade(client: Client) -> None:
    """One for real in all markets, one for practice in each; ids are beyond what a double holds."""
    accounts = client.get(Proto.Trd_GetAccList, userID=0).accList
    assert [(a.trdEnv, list(a.trdMarketAuthList)) for a in accounts] == [
        (1, [1, 2, 4]),
        (0, [1]),
        (0, [2]),
        (0, [3]),
    ]
    assert int(float(accounts[0].accID)) != accounts[0].accID


async def test_money_is_counted_in_the_currency_asked_for(client: Client) -> None:
    """An account in several markets must be told in which; one for practice has its own."""
    funds = {
        currency: client.get(Proto.Trd_GetFunds, header=header(), currency=currency).funds
        for currency in (1, 2)
    }
    assert funds[1].totalAssets == pytest.approx(7.8 * funds[2].totalAssets)
    assert {row.currency: row.cash for row in funds[1].cashInfoList} == {
        1: 10_000_000,
        2: 1_000_000,
        3: 5_000_000,
    }
    assert "货币" in client.refused(Proto.Trd_GetFunds, header=header())
    paper = client.get(Proto.Trd_GetFunds, header=header(PAPER_ID)).funds
    assert (paper.currency, paper.cash) == (1, 10_000_000)


async def test_open_orders_freeze_cash_and_trades_move_it(client: Client) -> None:
    """Half of the value stands behind an order; a fill turns cash into a position at its cost."""

    def now() -> tuple[float, float]:
        funds = client.get(Proto.Trd_GetFunds, header=header(), currency=1).funds
        return funds.cash, funds.frozenCash

    before, _ = now()
    client.place()
    assert now() == (before, 75_000)
    client.venue.desk.fill("mine")
    assert now() == (before - 150_000, 0)
    client.place(trdSide=2, qty=100, price=650, remark="out")
    (position,) = client.get(Proto.Trd_GetPositionList, header=header()).positionList
    assert (position.qty, position.canSellQty, position.averageCostPrice) == (300, 200, 500)
    assert position.val == position.price * 300
    assert position.plVal == pytest.approx((position.price - 500) * 300)


async def test_what_is_sold_beyond_what_is_held_is_short(client: Client) -> None:
    """A short position has a quantity below zero, its own side, and a way back."""
    client.place(code="AAPL", secMarket=2, trdSide=2, qty=50, orderType=2)
    (position,) = client.get(Proto.Trd_GetPositionList, header=header()).positionList
    assert (position.qty, position.positionSide, position.currency) == (-50, 1, 2)
    client.place(code="AAPL", secMarket=2, trdSide=1, qty=50, orderType=2)
    assert not client.get(Proto.Trd_GetPositionList, header=header()).positionList


async def test_an_account_must_fit_its_environment_and_market(client: Client) -> None:
    """What is mixed up is refused, as is an account of somebody else's."""
    for wrong in (
        header() | {"trdEnv": 0},
        header(PAPER_ID, market=2),
        header() | {"accID": 1},
    ):
        assert "账户" in client.refused(Proto.Trd_GetPositionList, header=wrong)
    assert client.refused(Proto.Trd_SubAccPush, accIDList=[1])


async def test_unlocking_is_counted(client: Client) -> None:
    """10 in 30 seconds, right or wrong; it can be locked again by a client."""
    client.get(Proto.Trd_UnlockTrade, unlock=False)
    assert not client.venue.desk.unlocked
    for _ in range(9):
        client.unlock()
    text = client.refused(Proto.Trd_UnlockTrade, unlock=True, pwdMD5=PASSWORD_MD5)
    assert "频率太高" in text
    assert client.venue.desk.unlocks == 11


async def test_a_deposit_is_there_at_once(client: Client) -> None:
    """By the desk's hand, in any currency."""
    client.venue.desk.deposit(500, "USD")
    funds = client.get(Proto.Trd_GetFunds, header=header(), currency=2).funds
    assert {row.currency: row.cash for row in funds.cashInfoList}[2] == 1_000_500


async def test_an_opend_that_was_restarted_is_locked(client: Client) -> None:
    """Whether it was stopped and started, or went down by the fault for it."""
    venue = client.venue
    await venue.stop()
    await venue.start()
    assert not venue.desk.unlocked
    client.unlock()
    venue.shut(0.0)
    assert not venue.desk.unlocked
