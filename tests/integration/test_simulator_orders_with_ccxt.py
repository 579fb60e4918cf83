"""The unmodified ccxt client trades on the simulated venue as it would on Binance."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import ccxt.pro
import pytest

from foxtrot.simulator.binance import ApiKey, Limits, SimulatedBinance
from tests.integration.test_simulator_with_ccxt import settings

pytestmark = pytest.mark.timeout(30)

DEADLINE_S = 10.0
KEYS = (ApiKey("key", "secret"), ApiKey("reader", "secret", may_trade=False))
BTC = "BTC/USDT"


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedBinance]:
    """A venue that moves by hand, with 10,000 USDT and one BTC."""
    venue = SimulatedBinance(
        ["BTCUSDT", "ETHBTC"],
        rate_hz=0,
        limits=Limits(messages_per_s=None),
        keys=KEYS,
        balances={"USDT": 10_000, "BTC": 1},
    )
    async with venue:
        yield venue


Client = Callable[..., Awaitable[ccxt.pro.binance]]


@pytest.fixture
async def connect(sim: SimulatedBinance) -> AsyncIterator[Client]:
    """Makes ccxt clients with their markets loaded, and closes them."""
    made: list[ccxt.pro.binance] = []

    async def make(key: str = "key", secret: str = "secret") -> ccxt.pro.binance:
        exchange = ccxt.pro.binance({**settings(sim), "apiKey": key, "secret": secret})
        exchange.balance["spot"] = {}
        made.append(exchange)
        async with asyncio.timeout(DEADLINE_S):
            await exchange.load_markets()
        return exchange

    yield make
    for exchange in made:
        async with asyncio.timeout(DEADLINE_S):
            await exchange.close()


@pytest.fixture
async def client(connect: Client) -> ccxt.pro.binance:
    """A client that may trade."""
    return await connect()


def below(sim: SimulatedBinance, share: float = 0.99) -> float:
    """A price that rests below the market."""
    return round(sim.market.quote("BTCUSDT").bid_e8 / 1e8 * share, 2)


@pytest.mark.parametrize("suffix", ["", "_ws"])
async def test_an_order_lives_and_is_canceled(
    sim: SimulatedBinance, client: ccxt.pro.binance, suffix: str
) -> None:
    """Create, fetch, list and cancel, by REST and by WebSocket API."""
    create, fetch = (
        getattr(client, f"create_order{suffix}"),
        getattr(client, f"fetch_order{suffix}"),
    )
    placed = await create(BTC, "limit", "buy", 0.01, below(sim), {"newClientOrderId": "mine-1"})
    assert (placed["status"], placed["clientOrderId"]) == ("open", "mine-1")
    assert (await fetch(placed["id"], BTC))["status"] == "open"
    listed = await getattr(client, f"fetch_open_orders{suffix}")(BTC)
    assert [order["id"] for order in listed] == [placed["id"]]
    canceled = await getattr(client, f"cancel_order{suffix}")(placed["id"], BTC)
    assert canceled["status"] == "canceled"
    assert (await fetch(placed["id"], BTC))["status"] == "canceled"
    account = sim.desk.account()
    assert account.received == {"mine-1": 1}
    assert (account.open_orders, account.balance("USDT").locked_e8) == ([], 0)


@pytest.mark.parametrize("suffix", ["", "_ws"])
async def test_a_market_order_is_filled(
    sim: SimulatedBinance, client: ccxt.pro.binance, suffix: str
) -> None:
    """It takes the book; trades, fees and balances agree with the venue's ledger."""
    order = await getattr(client, f"create_order{suffix}")(BTC, "market", "buy", 0.02)
    assert (order["status"], order["filled"]) == ("closed", 0.02)
    trades = await getattr(client, f"fetch_my_trades{suffix}")(BTC)
    assert sum(trade["amount"] for trade in trades) == pytest.approx(0.02)
    balance = await client.fetch_balance()
    assert balance["BTC"]["total"] == pytest.approx(1.02 - 0.02 * 0.001)
    spent = sum(trade["cost"] for trade in trades)
    assert balance["USDT"]["free"] == pytest.approx(10_000 - spent)


async def test_orders_trades_and_balances_are_watched(
    sim: SimulatedBinance, client: ccxt.pro.binance
) -> None:
    """A partial fill comes as an order, as a trade and as a balance."""
    orders = asyncio.create_task(client.watch_orders())
    async with asyncio.timeout(DEADLINE_S):
        # ASYNC110: the subscription sets no event of ours
        while not sim.users.listeners("main"):  # noqa: ASYNC110
            await asyncio.sleep(0)
    placed = await client.create_order(BTC, "limit", "buy", 0.02, below(sim))
    async with asyncio.timeout(DEADLINE_S):
        assert [(o["id"], o["status"]) for o in await orders] == [(placed["id"], "open")]
        trades = asyncio.create_task(client.watch_my_trades())
        await asyncio.sleep(0)
        sim.desk.fill(placed["clientOrderId"], "0.005")
        (trade,) = await trades
    assert (trade["order"], trade["amount"], trade["takerOrMaker"]) == (
        placed["id"],
        0.005,
        "maker",
    )
    balance = await client.fetch_balance()
    assert balance["BTC"]["free"] == pytest.approx(1.005 - 0.005 * 0.001)
