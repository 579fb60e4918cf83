"""Positions, values and profit of the simulated TWS, asked for with the unmodified SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from foxtrot.simulator.ib import SimulatedIb
from tests.support.ib_sdk import troubles
from tests.support.ib_trader import Trader, trading


@pytest.fixture
async def sim(caplog: pytest.LogCaptureFixture) -> AsyncIterator[SimulatedIb]:
    """A gateway with two accounts, the first of which holds 10 AAPL."""
    async with SimulatedIb(("AAPL", "MSFT"), rate_hz=0, accounts=("DU1", "DU2")) as venue:
        venue.desk.fill(venue.desk.place_by_hand("AAPL", 10, 200).perm_id)
        yield venue
    assert troubles(caplog) == []


@pytest.fixture
async def trader(sim: SimulatedIb) -> AsyncIterator[Trader]:
    """Client 1."""
    async with trading(sim.port) as client:
        yield client


def rows(calls: list, name: str) -> list[tuple]:
    """The arguments of every call of this name."""
    return [args for each, args in calls if each == name]


async def test_positions_are_told_and_then_their_changes(sim: SimulatedIb, trader: Trader) -> None:
    """Until they are given back; one that is closed is told once more, as nothing."""
    calls = await trader.told(lambda: trader.client.reqPositions())
    ((account, contract, quantity, cost),) = rows(calls, "position")
    assert (account, contract.conId, contract.exchange) == ("DU1", 265598, "")
    assert (quantity, cost) == (10.0, 200.1)
    assert calls[-1][0] == "positionEnd"
    sim.desk.place_by_hand("AAPL", 10, side="SELL")
    assert rows(await trader.told(), "position")[-1][2] == 0.0
    assert rows(await trader.told(lambda: trader.client.reqPositions()), "position") == []
    await trader.told(lambda: trader.client.cancelPositions())
    sim.desk.place_by_hand("AAPL", 10)
    assert rows(await trader.told(), "position") == []


async def test_account_updates_are_values_and_a_portfolio(sim: SimulatedIb, trader: Trader) -> None:
    """With an end, and again after each change."""
    ask = trader.client.reqAccountUpdates
    calls = await trader.told(lambda: ask(True, "DU1"))
    values = {
        (key, currency): value for key, value, currency, _ in rows(calls, "updateAccountValue")
    }
    assert values["CashBalance", "USD"] == "997999.00"
    ((_, quantity, *_rest, account),) = rows(calls, "updatePortfolio")
    assert (quantity, account) == (10.0, "DU1")
    assert calls[-1] == ("accountDownloadEnd", ("DU1",))
    sim.desk.deposit(1_000, account="DU2")
    sim.desk.place_by_hand("AAPL", 1, account="DU2")
    assert await trader.told() == []
    sim.desk.deposit(1_000)
    assert ("CashBalance", "998999.00", "USD", "DU1") in rows(
        await trader.told(), "updateAccountValue"
    )
    await trader.told(lambda: ask(False, "DU1"))
    sim.desk.deposit(1_000)
    assert await trader.told() == []


async def test_questions_with_an_id_are_answered_with_it(sim: SimulatedIb, trader: Trader) -> None:
    """Summary, updates and profit; they stand until they are given back."""
    client, tags = trader.client, "NetLiquidation,$LEDGER:ALL"
    calls = await trader.told(lambda: client.reqAccountSummary(1, "All", tags))
    told = {(args[1], args[2]) for args in rows(calls, "accountSummary")}
    assert {("DU1", "NetLiquidation"), ("DU2", "CashBalance")} < told
    assert ("DU1", "BuyingPower") not in told
    assert calls[-1] == ("accountSummaryEnd", (1,))
    calls = await trader.told(lambda: client.reqAccountUpdatesMulti(2, "DU2", "", False))
    assert (2, "DU2", "", "CashBalance", "1000000.00", "USD") in rows(calls, "accountUpdateMulti")
    assert calls[-1] == ("accountUpdateMultiEnd", (2,))
    ((number, daily, unrealized, realized),) = rows(
        await trader.told(lambda: client.reqPnL(3, "DU1", "")), "pnl"
    )
    assert (number, realized, daily == unrealized) == (3, 0.0, True)
    single = rows(await trader.told(lambda: client.reqPnLSingle(4, "DU1", "", 265598)), "pnlSingle")
    assert single[0][:2] == (4, 10.0)
    sim.desk.place_by_hand("AAPL", 10, side="SELL")
    later = await trader.told()
    assert {"accountSummary", "accountUpdateMulti", "pnl", "pnlSingle"} <= {n for n, _ in later}
    for number, end in enumerate(
        (
            client.cancelAccountSummary,
            client.cancelAccountUpdatesMulti,
            client.cancelPnL,
            client.cancelPnLSingle,
        ),
        1,
    ):
        end(number)
    await trader.told()
    sim.desk.deposit(1)
    assert await trader.told() == []


async def test_profit_is_told_again_when_the_market_has_moved(
    sim: SimulatedIb, trader: Trader
) -> None:
    """Once a second, though nobody trades; values and summaries wait for a trade."""
    await trader.told(lambda: trader.client.reqPnL(3, "DU1", ""))
    await trader.told(lambda: trader.client.reqPnLSingle(4, "DU1", "", 265598))
    await trader.told(lambda: trader.client.reqAccountSummary(5, "All", "NetLiquidation"))
    start_ms = sim.market.now_ms("AAPL") // 1_000 * 1_000 + 1_000
    for step, bid in enumerate((300, 301, 302)):
        sim.market.set_quote("AAPL", bid, start_ms + step * 400)
    ((_, _, unrealized, _),) = rows(calls := await trader.told(), "pnl")
    assert unrealized == pytest.approx(999, abs=1)
    assert [name for name, _ in calls] == ["pnl", "pnlSingle"]
    sim.market.set_quote("AAPL", 200, start_ms + 1_000)
    assert [name for name, _ in await trader.told()] == ["pnl", "pnlSingle"]


async def test_values_are_told_of_an_account_that_began_anew(
    sim: SimulatedIb, trader: Trader
) -> None:
    """Who follows an account goes on following it when the venue has forgotten its orders."""
    await trader.told(lambda: trader.client.reqAccountUpdates(True, "DU1"))
    sim.desk.forget_orders()
    sim.desk.deposit(1_000)
    assert ("CashBalance", "1001000.00", "USD", "DU1") in rows(
        await trader.told(), "updateAccountValue"
    )


async def test_an_account_that_is_not_there_is_an_error(trader: Trader) -> None:
    """321, and nothing is subscribed."""
    calls = await trader.told(lambda: trader.client.reqPnL(3, "DU9", ""))
    assert [args[:2] for args in rows(calls, "error")] == [(3, 321)]
    calls = await trader.told(lambda: trader.client.reqAccountUpdates(True, "DU9"))
    assert [args[:2] for args in rows(calls, "error")] == [(-1, 321)]


async def test_an_order_of_several_accounts_must_name_one(trader: Trader) -> None:
    """435 without, and it is booked there with."""
    calls = await trader.told(lambda: trader.place(1))
    assert [args[:2] for args in rows(calls, "error")] == [(1, 435)]
    calls = await trader.told(lambda: trader.place(2, account="DU2"))
    assert rows(calls, "openOrder")[0][2].account == "DU2"


@pytest.mark.parametrize("request_kind", ["positions", "account_updates"])
async def test_holdings_can_be_a_lie(sim: SimulatedIb, trader: Trader, request_kind: str) -> None:
    """The fault for it: an end and nothing before it."""
    sim.faults.inject("empty_list", request=request_kind)
    client = trader.client
    asks = {
        "positions": client.reqPositions,
        "account_updates": lambda: client.reqAccountUpdates(True, "DU1"),
    }
    assert len(await trader.told(asks[request_kind])) == 1
    assert len(await trader.told(asks[request_kind])) > 1
