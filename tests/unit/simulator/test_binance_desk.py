"""The other hands on the books, in Python and over the control endpoint."""

from __future__ import annotations

import aiohttp
import pytest

from foxtrot.errors import ConfigurationError, InvalidState
from foxtrot.simulator.binance import SimulatedBinance, SimulatedBinanceThread


@pytest.fixture
def control(sim: SimulatedBinance, session: aiohttp.ClientSession):
    """Calls the desk over HTTP."""

    async def call(name: str, **arguments):
        url = f"{sim.rest_url}/control/desk/{name}"
        async with session.post(url, json=arguments) as response:
            return response.status, await response.json()

    return call


async def test_an_order_by_hand_is_in_the_books(sim: SimulatedBinance) -> None:
    """It is the customer's, and no client sent it."""
    order = sim.desk.place("BTCUSDT", "buy", "0.01", 50_000)
    account = sim.desk.account()
    assert (account.open_orders, order.by_hand, account.received) == ([order], True, {})
    sim.desk.cancel(order)
    assert account.open_orders == []


async def test_the_market_moves_by_hand(sim: SimulatedBinance) -> None:
    """A price that passes an order fills it."""
    order = sim.desk.place("BTCUSDT", "buy", "0.01", 50_000)
    sim.desk.set_price("BTCUSDT", 49_000)
    assert not order.open
    assert order.filled_e8 == order.quantity_e8


async def test_the_venue_ends_an_order(sim: SimulatedBinance) -> None:
    """For reasons of its own."""
    sim.desk.place("BTCUSDT", "buy", "0.01", 50_000, client_id="x")
    sim.desk.expire("x")
    assert sim.desk.account().orders[0].state.value == "EXPIRED"


async def test_the_books_outlive_a_restart(sim: SimulatedBinance) -> None:
    """A venue that was down has its orders and balances when it comes back."""
    order = sim.desk.place("BTCUSDT", "buy", "0.01", 50_000)
    await sim.stop()
    sim.desk.fill(order, "0.004")
    await sim.start()
    assert sim.desk.account().open_orders == [order]
    assert order.filled_e8 == 400_000


async def test_what_is_not_there_is_named(sim: SimulatedBinance) -> None:
    """Orders, accounts, money."""
    with pytest.raises(ConfigurationError, match="'nothing'"):
        sim.desk.fill("nothing")
    with pytest.raises(ConfigurationError, match="'nobody'"):
        sim.desk.account("nobody")
    with pytest.raises(ConfigurationError, match="less than that"):
        sim.desk.deposit("USDT", -1_000_000)
    sim.desk.place("BTCUSDT", "buy", "0.01", client_id="done")
    with pytest.raises(InvalidState):
        sim.desk.fill("done")


async def test_the_desk_answers_over_http(sim: SimulatedBinance, control) -> None:
    """Each call has the name and the arguments it has in Python."""
    order = {"symbol": "BTCUSDT", "side": "buy", "quantity": "0.01", "price": "50000"}
    status, row = await control("place", **order, client_id="x")
    assert (status, row["clientOrderId"], row["status"]) == (200, "x", "NEW")
    assert (await control("fill", order="x", quantity="0.004"))[1]["qty"] == "0.00400000"
    assert await control("set_price", symbol="BTCUSDT", bid=49_000) == (200, {})
    assert (await control("cancel", order="x"))[0] == 400
    assert (await control("deposit", asset="USDT", amount="1"))[0] == 200
    assert (await control("expire", order="y"))[0] == 400
    assert (await control("place", colour="blue"))[0] == 400
    assert (await control("place", **{**order, "quantity": "much"}))[0] == 400
    assert (await control("steal"))[0] == 404


async def test_the_ledger_can_be_read_over_http(
    sim: SimulatedBinance, session: aiohttp.ClientSession, trader
) -> None:
    """Orders, trades, balances, and every client id that came in, with how often."""
    await trader.place(newClientOrderId="twice")
    await trader.place(newClientOrderId="twice")
    sim.desk.fill("twice")
    async with session.get(f"{sim.rest_url}/control/ledger") as response:
        books = (await response.json())["main"]
    assert books["received"] == {"twice": 2}
    assert [row["status"] for row in books["orders"]] == ["FILLED"]
    assert books["orders"][0]["byHand"] is False
    assert (books["openOrders"], len(books["trades"])) == ([], 1)
    assert books["balances"]["BTC"]["free"] == "2.00999000"


def test_the_desk_works_from_another_thread() -> None:
    """A test beside the venue's thread may place, fill and read."""
    with SimulatedBinanceThread(SimulatedBinance(["BTCUSDT"], rate_hz=0)) as thread:
        desk = thread.venue.desk
        order = desk.place("BTCUSDT", "buy", "0.01", 50_000)
        desk.fill(order)
        assert len(desk.account().fills) == 1
