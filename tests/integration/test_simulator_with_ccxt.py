"""The unmodified ccxt client takes the simulated venue for Binance."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import ccxt.pro
import pytest

from foxtrot.simulator.binance import SimulatedBinance

pytestmark = pytest.mark.timeout(30)

DEADLINE_S = 10.0
BOTH = ["BTC/USDT", "ETH/BTC"]


def settings(sim: SimulatedBinance) -> dict:
    """What points ccxt at the venue, and at nothing else."""
    rest, stream = sim.rest_url, sim.websocket_url
    return {
        "options": {
            "defaultType": "spot",
            "fetchMarkets": {"types": ["spot"]},
            "fetchCurrencies": False,
            "fetchMargins": False,
        },
        "streaming": {"keepAlive": 15_000},
        "enableRateLimit": False,
        "urls": {
            "api": {
                "public": f"{rest}/api/v3",
                "private": f"{rest}/api/v3",
                "v1": f"{rest}/api/v1",
                "sapi": f"{rest}/sapi/v1",
                "ws": {
                    "spot": f"{stream}/stream/ws",
                    "ws-api": {"spot": f"{stream}/ws-api/v3"},
                },
            }
        },
    }


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedBinance]:
    """A venue that moves by itself."""
    async with SimulatedBinance(rate_hz=20) as venue:
        yield venue


@pytest.fixture
async def client(sim: SimulatedBinance) -> AsyncIterator[ccxt.pro.binance]:
    """A ccxt client with its markets loaded."""
    exchange = ccxt.pro.binance(settings(sim))
    try:
        async with asyncio.timeout(DEADLINE_S):
            await exchange.load_markets()
        yield exchange
    finally:
        async with asyncio.timeout(DEADLINE_S):
            await exchange.close()


async def for_ever(call: Callable[[], Awaitable[object]]) -> None:
    """Call again and again, until an error or the deadline ends it."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            await call()


async def test_markets_are_loaded_with_one_request(
    sim: SimulatedBinance, client: ccxt.pro.binance
) -> None:
    """Every symbol is an active spot market with its grid."""
    assert [path for _, path, _ in sim.seen.requests] == ["/api/v3/exchangeInfo"]
    assert {market["id"] for market in client.markets.values()} == set(sim.market.listings)
    market = client.market("BTC/USDT")
    assert (market["spot"], market["active"], market["type"]) == (True, True, "spot")
    assert (market["precision"]["price"], market["limits"]["cost"]["min"]) == (0.01, 5.0)


async def test_requests_are_understood(client: ccxt.pro.binance) -> None:
    """Tickers, books, trades and bars by request."""
    ticker = await client.fetch_ticker("BTC/USDT")
    assert ticker["low"] <= ticker["last"] <= ticker["high"]
    assert set(await client.fetch_tickers(BOTH)) == set(BOTH)
    assert set(await client.fetch_bids_asks(BOTH)) == set(BOTH)
    book = await client.fetch_order_book("BTC/USDT", 10)
    assert book["bids"][0][0] < book["asks"][0][0]
    assert isinstance(await client.fetch_trades("BTC/USDT"), list)
    bars = await client.fetch_ohlcv("BTC/USDT", "1h", since=1_700_000_000_000, limit=1_000)
    assert len(bars) == 1_000
    assert abs(await client.fetch_time() - client.milliseconds()) < 5_000


async def test_best_prices_are_watched_and_unwatched(
    sim: SimulatedBinance, client: ccxt.pro.binance
) -> None:
    """Book tickers come for each symbol; after the end the venue sends them no more."""
    seen: set[str] = set()
    while seen != set(BOTH):
        for symbol, ticker in (await client.watch_bids_asks(BOTH)).items():
            assert 0 < ticker["bid"] < ticker["ask"]
            seen.add(symbol)
    assert sim.subscriptions() == {"btcusdt@bookTicker", "ethbtc@bookTicker"}
    assert await client.un_watch_bids_asks(BOTH)
    assert sim.subscriptions() == set()


async def test_all_tickers_are_watched_if_no_symbols_are_named(
    sim: SimulatedBinance, client: ccxt.pro.binance
) -> None:
    """One stream tells of every market there is, though nobody has asked for any of them."""
    seen: set[str] = set()
    async with asyncio.timeout(DEADLINE_S):
        while seen != set(client.symbols):
            seen |= set(await client.watch_tickers())
    assert sim.subscriptions() == {"!miniTicker@arr"}


async def test_the_ticker_is_watched_and_unwatched(
    sim: SimulatedBinance, client: ccxt.pro.binance
) -> None:
    """With the full ticker named, bid, ask and the day's statistics come together."""
    ticker = await client.watch_ticker("BTC/USDT", {"name": "ticker"})
    assert ticker["bid"] < ticker["ask"]
    assert ticker["low"] <= ticker["last"] <= ticker["high"]
    assert ticker["baseVolume"] > 0
    assert await client.un_watch_ticker("BTC/USDT", {"name": "ticker"})
    assert sim.subscriptions() == set()


async def test_trades_are_watched_and_unwatched(
    sim: SimulatedBinance, client: ccxt.pro.binance
) -> None:
    """Prints come with ids that count up."""
    ids: list[int] = []
    while len(set(ids)) < 5:
        ids.extend(int(trade["id"]) for trade in await client.watch_trades("BTC/USDT"))
    assert max(ids) == int(client.trades["BTC/USDT"][-1]["id"])
    assert await client.un_watch_trades("BTC/USDT")
    assert sim.subscriptions() == set()


async def test_bars_are_watched_and_unwatched(
    sim: SimulatedBinance, client: ccxt.pro.binance
) -> None:
    """The moving bar comes, and it is the one that a request gives."""
    watched = (await client.watch_ohlcv("BTC/USDT", "1h"))[-1]
    fetched = {bar[0]: bar for bar in await client.fetch_ohlcv("BTC/USDT", "1h", limit=2)}
    assert watched[1] == fetched[watched[0]][1]
    assert await client.un_watch_ohlcv("BTC/USDT", "1h")
    assert sim.subscriptions() == set()


async def test_the_order_book_is_the_venues(
    sim: SimulatedBinance, client: ccxt.pro.binance
) -> None:
    """A book kept by ccxt from a snapshot and the updates is, id for id, the venue's book."""
    for _ in range(20):
        book = await client.watch_order_book("BTC/USDT")
    while book["nonce"] != sim.market.book("BTCUSDT").update_id:
        book = await client.watch_order_book("BTC/USDT")
    now = sim.market.book("BTCUSDT", 10)
    assert [round(price * 10**8) for price, _ in book["bids"][:10]] == [p for p, _ in now.bids]
    assert [round(size * 10**8) for _, size in book["asks"][:10]] == [q for _, q in now.asks]
    assert await client.un_watch_order_book("BTC/USDT")
    assert sim.subscriptions() == set()


async def test_a_depth_gap_is_noticed_and_mended(
    sim: SimulatedBinance, client: ccxt.pro.binance
) -> None:
    """ccxt finds the gap by the update ids, and gets a new book when it asks again."""
    await client.watch_order_book("BTC/USDT")
    sim.faults.inject("depth_gap", symbol="BTCUSDT")
    with pytest.raises(ccxt.NetworkError):
        await for_ever(lambda: client.watch_order_book("BTC/USDT"))
    assert (await client.watch_order_book("BTC/USDT"))["bids"]


@pytest.mark.parametrize("fault", ["close", "rst", "eof"])
async def test_a_lost_connection_is_an_error_and_the_next_call_reconnects(
    sim: SimulatedBinance, client: ccxt.pro.binance, fault: str
) -> None:
    """The faults look to ccxt as the real thing does."""
    await client.watch_bids_asks(BOTH)
    sim.faults.inject(fault)
    with pytest.raises(ccxt.NetworkError):
        await for_ever(lambda: client.watch_bids_asks(BOTH))
    assert await client.watch_bids_asks(BOTH)
    assert sim.seen.connections == 2


async def test_errors_are_mapped(sim: SimulatedBinance, client: ccxt.pro.binance) -> None:
    """Codes and statuses become the exceptions ccxt has for them."""
    sim.faults.inject("http_error", path="/depth", status=429, body="{}", count=1)
    with pytest.raises(ccxt.DDoSProtection):
        await client.fetch_order_book("BTC/USDT")
    sim.faults.inject(
        "http_error", path="/depth", status=400, body='{"code":-1121,"msg":"Invalid symbol."}'
    )
    with pytest.raises(ccxt.BadSymbol):
        await client.fetch_order_book("BTC/USDT")
    sim.faults.inject("error_ack")
    with pytest.raises(ccxt.ExchangeError):
        await client.watch_bids_asks(BOTH)
