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


def approximately(coins: float) -> object:
    """So many coins, of which what was bought has paid its fee."""
    return pytest.approx(coins - (coins - 1) * 0.001)


def free(client: ccxt.pro.binance) -> float | None:
    """The coins that the client was last told of."""
    told = client.balance["spot"].get("BTC", {}).get("free")
    return None if told is None else float(told)


async def until_heard(sim: SimulatedBinance) -> None:
    """Wait until somebody listens to the account."""
    async with asyncio.timeout(DEADLINE_S):
        # ASYNC110: the subscription sets no event of ours
        while not sim.users.listeners("main"):  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_the_state_of_the_venue_and_its_fees_are_told(client: ccxt.pro.binance) -> None:
    """What a client asks before it trades; the fees are those that trades are charged."""
    assert (await client.fetch_status())["status"] == "ok"
    fee = await client.fetch_trading_fee(BTC)
    assert (fee["symbol"], fee["maker"], fee["taker"]) == (BTC, 0.001, 0.001)
    assert set(await client.fetch_trading_fees()) == set(client.symbols)


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
async def test_an_order_is_replaced(
    sim: SimulatedBinance, client: ccxt.pro.binance, suffix: str
) -> None:
    """Cancel-replace ends the old order and gives the new one its own id."""
    placed = await client.create_order(BTC, "limit", "buy", 0.01, below(sim))
    edit = getattr(client, f"edit_order{suffix}")
    edited = await edit(placed["id"], BTC, "limit", "buy", 0.02, below(sim, 0.98))
    account = sim.desk.account()
    assert [str(order.order_id) for order in account.open_orders] == [edited["id"]]
    assert edited["id"] != placed["id"]
    assert account.orders[0].state.value == "CANCELED"


async def test_every_type_of_order_is_taken(
    sim: SimulatedBinance, client: ccxt.pro.binance
) -> None:
    """Stops wait, post-only rests, IOC and FOK end at once, a budget buys what it can."""
    low, high = below(sim, 0.9), below(sim, 1.1)
    stop = {"stopLossPrice": low}
    assert (await client.create_order(BTC, "market", "sell", 0.01, None, stop))["status"] == "open"
    await client.create_order(BTC, "limit", "sell", 0.01, low, {"stopLossPrice": low})
    await client.create_order(BTC, "limit", "sell", 0.01, high, {"takeProfitPrice": high})
    await client.create_order(BTC, "limit", "buy", 0.01, low, {"postOnly": True})
    for tif in ("IOC", "FOK"):
        order = await client.create_order(BTC, "limit", "buy", 0.01, low, {"timeInForce": tif})
        assert (order["status"], order["filled"]) == ("expired", 0)
    bought = await client.create_order(BTC, "market", "buy", None, None, {"quoteOrderQty": 100})
    assert 90 < bought["cost"] <= 100
    kinds = [order.ticket.kind for order in sim.desk.account().open_orders]
    assert kinds == ["STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT", "LIMIT_MAKER"]


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
    await until_heard(sim)
    placed = await client.create_order(BTC, "limit", "buy", 0.02, below(sim))
    async with asyncio.timeout(DEADLINE_S):
        assert [(o["id"], o["status"]) for o in await orders] == [(placed["id"], "open")]
        trades = asyncio.create_task(client.watch_my_trades())
        await asyncio.sleep(0)
        sim.desk.fill(placed["clientOrderId"], "0.005")
        (trade,) = await trades
        # ASYNC110: the balance that goes with the fill sets no event of ours
        while free(client) != approximately(1.005):  # noqa: ASYNC110
            await asyncio.sleep(0)
        balances = asyncio.create_task(client.watch_balance())
        await asyncio.sleep(0)
        sim.desk.fill(placed["clientOrderId"], "0.005")
        watched = await balances
    assert (trade["order"], trade["amount"]) == (placed["id"], 0.005)
    assert trade["takerOrMaker"] == "maker"
    assert watched["BTC"]["free"] == approximately(1.01)
    assert watched["BTC"] == (await client.fetch_balance())["BTC"]


async def test_a_lost_user_stream_is_an_error_and_the_next_call_subscribes_again(
    sim: SimulatedBinance, client: ccxt.pro.binance
) -> None:
    """What happened in between is not told; what happens afterwards is."""
    orders = asyncio.create_task(client.watch_orders())
    await until_heard(sim)
    sim.faults.inject("rst", path="/ws-api/v3")
    with pytest.raises(ccxt.NetworkError):
        await orders
    sim.desk.place("BTCUSDT", "buy", "0.01", below(sim), client_id="unheard")
    orders = asyncio.create_task(client.watch_orders())
    await until_heard(sim)
    sim.desk.place("BTCUSDT", "buy", "0.01", below(sim), client_id="heard")
    async with asyncio.timeout(DEADLINE_S):
        assert [order["clientOrderId"] for order in await orders] == ["heard"]
    assert sim.seen.order_connections == 2


async def buy(client: ccxt.pro.binance, sim: SimulatedBinance, suffix: str = "") -> object:
    """A small order that rests."""
    return await getattr(client, f"create_order{suffix}")(BTC, "limit", "buy", 0.01, below(sim))


REFUSED = {
    "InsufficientFunds": ("limit", "buy", 1, 0.99, {}),
    "OrderImmediatelyFillable": ("limit_maker", "buy", 0.01, 1.01, {}),
    "InvalidOrder": ("limit", "buy", 0.01, 0.1, {}),
    "BadRequest": ("limit", "buy", 0.00002, 0.99, {}),
}


@pytest.mark.parametrize("suffix", ["", "_ws"])
@pytest.mark.parametrize("error", REFUSED)
async def test_what_is_refused_becomes_the_clients_exception(
    sim: SimulatedBinance, client: ccxt.pro.binance, error: str, suffix: str
) -> None:
    """Balance, post-only, price band and notional: each has its class; no order is left."""
    kind, side, amount, share, params = REFUSED[error]
    create = getattr(client, f"create_order{suffix}")
    with pytest.raises(getattr(ccxt, error)) as refused:
        await create(BTC, kind, side, amount, below(sim, share), params)
    assert type(refused.value) is getattr(ccxt, error)
    assert sim.desk.account().orders == []


@pytest.mark.parametrize("suffix", ["", "_ws"])
async def test_unknown_and_doubled_orders_are_refused(
    sim: SimulatedBinance, client: ccxt.pro.binance, suffix: str
) -> None:
    """-2011, -2013 and the client id that is in use."""
    with pytest.raises(ccxt.OrderNotFound):
        await getattr(client, f"cancel_order{suffix}")("7", BTC)
    with pytest.raises(ccxt.OrderNotFound):
        await getattr(client, f"fetch_order{suffix}")("7", BTC)
    create, mine = getattr(client, f"create_order{suffix}"), {"newClientOrderId": "mine"}
    await create(BTC, "limit", "buy", 0.01, below(sim), mine)
    with pytest.raises(ccxt.InvalidOrder, match="Duplicate order sent"):
        await create(BTC, "limit", "buy", 0.01, below(sim), mine)
    assert sim.desk.account().received["mine"] == 2


async def test_keys_are_checked(sim: SimulatedBinance, connect: Client) -> None:
    """A wrong secret, an unknown key, and a key that may only read."""
    with pytest.raises(ccxt.AuthenticationError, match="-1022"):
        await (await connect("key", "wrong")).fetch_balance()
    with pytest.raises(ccxt.AuthenticationError, match="-2015"):
        await (await connect("nobody", "secret")).fetch_balance()
    reader = await connect("reader")
    assert (await reader.fetch_balance())["USDT"]["free"] == 10_000
    with pytest.raises(ccxt.DDoSProtection, match="-2015"):  # ccxt takes it for a ban by then
        await buy(reader, sim)


@pytest.mark.parametrize("seconds", [-120, 120])
async def test_a_clock_that_is_off_is_refused(
    sim: SimulatedBinance, client: ccxt.pro.binance, seconds: int
) -> None:
    """Too old and too new both are -1021."""
    sim.faults.inject("clock_skew", seconds=seconds)
    with pytest.raises(ccxt.InvalidNonce):
        await buy(client, sim)


CODES = [
    (-1000, "OperationFailed"),
    (-1001, "OperationFailed"),
    (-1003, "DDoSProtection"),
    (-1006, "OperationFailed"),
    (-1007, "RequestTimeout"),
    (-1008, "ExchangeError"),
    (-1015, "DDoSProtection"),
    (-1016, "BadRequest"),
]


@pytest.mark.parametrize(("code", "error"), CODES)
@pytest.mark.parametrize("acts", [False, True])
async def test_codes_of_the_venue_become_the_clients_exceptions(
    sim: SimulatedBinance, client: ccxt.pro.binance, code: int, error: str, acts: bool
) -> None:
    """Each as the table says; the order lives only if the venue was told to act."""
    sim.faults.inject("http_error", request="place", code=code, acts=acts)
    with pytest.raises(getattr(ccxt, error)):
        await buy(client, sim)
    assert len(sim.desk.account().open_orders) == acts


@pytest.mark.parametrize(
    ("fault", "params", "error"),
    [
        ("maintenance", {}, "ExchangeNotAvailable"),
        ("maintenance", {"status": 403}, "ExchangeNotAvailable"),
        ("http_error", {"status": 418, "code": -1003}, "DDoSProtection"),
        ("http_error", {"status": 502}, "ExchangeNotAvailable"),
    ],
)
async def test_pages_and_bans_become_the_clients_exceptions(
    sim: SimulatedBinance, client: ccxt.pro.binance, fault: str, params: dict, error: str
) -> None:
    """Maintenance, the firewall, a ban, a bad gateway: nothing reaches the books."""
    sim.faults.inject(fault, **params)
    with pytest.raises(getattr(ccxt, error)):
        await buy(client, sim)
    assert sim.desk.account().orders == []


@pytest.mark.parametrize("suffix", ["", "_ws"])
@pytest.mark.parametrize(("fault", "lives"), [("request_reset", False), ("ack_reset", True)])
async def test_a_reset_proves_nothing(
    sim: SimulatedBinance, client: ccxt.pro.binance, fault: str, lives: bool, suffix: str
) -> None:
    """The client sees the same network error, whether or not the order lives."""
    sim.faults.inject(fault, request="place")
    with pytest.raises(ccxt.NetworkError):
        await buy(client, sim, suffix)
    account = sim.desk.account()
    assert len(account.open_orders) == lives
    assert list(account.received.values()) == [1]


@pytest.mark.parametrize(
    ("fault", "lives"), [("request_swallowed", False), ("ack_swallowed", True)]
)
async def test_silence_proves_nothing(
    sim: SimulatedBinance, client: ccxt.pro.binance, fault: str, lives: bool
) -> None:
    """The client runs into its deadline, whether or not the order lives."""
    sim.faults.inject(fault, request="place")
    client.timeout = 300
    with pytest.raises(ccxt.RequestTimeout):
        await buy(client, sim)
    assert len(sim.desk.account().open_orders) == lives


@pytest.mark.parametrize("fault", ["truncated_body", "html_body", "nameless_ack"])
async def test_a_spoilt_answer_looks_like_success(
    sim: SimulatedBinance, client: ccxt.pro.binance, fault: str
) -> None:
    """The order lives, and ccxt returns normally, with no id."""
    sim.faults.inject(fault, request="place")
    assert (await buy(client, sim))["id"] is None
    assert len(sim.desk.account().open_orders) == 1


async def test_a_foreign_answer_names_another_order(
    sim: SimulatedBinance, client: ccxt.pro.binance
) -> None:
    """The client order id that comes back is not the one that was sent."""
    sim.faults.inject("foreign_ack", request="place")
    assert (await buy(client, sim))["clientOrderId"] == "somebody-elses-order"


async def test_a_list_may_lie(sim: SimulatedBinance, client: ccxt.pro.binance) -> None:
    """Open orders that exist are not told, once."""
    await buy(client, sim)
    sim.faults.inject("empty_list", request="open_orders")
    assert await client.fetch_open_orders(BTC) == []
    assert len(await client.fetch_open_orders(BTC)) == 1


async def test_a_cancel_may_come_too_late(sim: SimulatedBinance, client: ccxt.pro.binance) -> None:
    """The order is filled while its cancel is on the way."""
    placed = await client.create_order(BTC, "limit", "buy", 0.01, below(sim))
    sim.faults.inject("cancel_race")
    with pytest.raises(ccxt.OrderNotFound):
        await client.cancel_order(placed["id"], BTC)
    assert (await client.fetch_order(placed["id"], BTC))["status"] == "closed"


async def test_orders_outlive_the_connection(
    sim: SimulatedBinance, client: ccxt.pro.binance
) -> None:
    """What is filled while nobody listens is found by asking."""
    placed = await client.create_order_ws(BTC, "limit", "buy", 0.01, below(sim))
    sim.faults.inject("rst")
    sim.desk.fill(placed["clientOrderId"])
    assert (await client.fetch_order(placed["id"], BTC))["status"] == "closed"
