"""The REST paths: answers, weights, and Binance's words for what is wrong."""

from __future__ import annotations

import json

import aiohttp
import pytest

from foxtrot.simulator.binance import SimulatedBinance
from foxtrot.simulator.binance_limits import Limits


@pytest.fixture
def get(sim: SimulatedBinance, session: aiohttp.ClientSession):
    """Requests a path and returns status, body and headers."""

    async def request(path: str, **params: object):
        query = {name: str(value) for name, value in params.items()}
        async with session.get(sim.rest_url + path, params=query) as response:
            text = await response.text()
            kind = response.content_type
            body = json.loads(text) if kind == "application/json" else text
            return response.status, body, response.headers

    return request


async def ok(get, path: str, **params: object):
    status, body, _ = await get(path, **params)
    assert status == 200, body
    return body


async def test_exchange_info_describes_every_symbol(get) -> None:
    """Filters, order types and permissions are there, prices lie on the tick."""
    info = await ok(get, "/api/v3/exchangeInfo")
    assert [row["symbol"] for row in info["symbols"]] == ["BTCUSDT", "ETHUSDT", "ETHBTC"]
    row = info["symbols"][0]
    assert (row["status"], row["baseAsset"], row["quoteAsset"]) == ("TRADING", "BTC", "USDT")
    kinds = {rule["filterType"] for rule in row["filters"]}
    assert {"PRICE_FILTER", "LOT_SIZE", "NOTIONAL", "MARKET_LOT_SIZE"} <= kinds
    assert "contractType" not in row
    only = await ok(get, "/api/v3/exchangeInfo", symbols='["ETHBTC"]')
    assert [row["symbol"] for row in only["symbols"]] == ["ETHBTC"]


async def test_bars_of_days_elsewhere_are_refused(get) -> None:
    """Days begin in UTC here; those of another zone are not told as if they were the same."""
    bars = {"symbol": "BTCUSDT", "interval": "1d", "limit": 2}
    assert await ok(get, "/api/v3/klines", **bars, timeZone="0") == await ok(
        get, "/api/v3/klines", **bars
    )
    status, body, _ = await get("/api/v3/klines", **bars, timeZone="8")
    assert (status, body["code"]) == (400, -1130)


async def test_ping_and_time(get, sim: SimulatedBinance) -> None:
    """The clock is the venue's, ahead by as much as the fault says."""
    assert await ok(get, "/api/v3/ping") == {}
    before = (await ok(get, "/api/v3/time"))["serverTime"]
    sim.faults.inject("clock_skew", seconds=3_600)
    assert 3_500_000 < (await ok(get, "/api/v3/time"))["serverTime"] - before < 3_700_000


async def test_depth_is_the_book(get, sim: SimulatedBinance) -> None:
    """Snapshot and market agree in id and levels."""
    body = await ok(get, "/api/v3/depth", symbol="BTCUSDT", limit=5)
    book = sim.market.book("BTCUSDT", 5)
    assert body["lastUpdateId"] == book.update_id
    assert [round(float(price) * 10**8) for price, _ in body["bids"]] == [p for p, _ in book.bids]
    assert len((await ok(get, "/api/v3/depth", symbol="BTCUSDT", limit=9_999))["asks"]) == 60


async def test_the_24_hour_ticker_takes_one_some_or_no_symbol(get) -> None:
    """One symbol gives an object, several or none give a list."""
    one = await ok(get, "/api/v3/ticker/24hr", symbol="BTCUSDT")
    assert one["symbol"] == "BTCUSDT"
    assert float(one["lowPrice"]) <= float(one["lastPrice"]) <= float(one["highPrice"])
    some = await ok(get, "/api/v3/ticker/24hr", symbols='["ETHUSDT","BTCUSDT"]')
    assert [row["symbol"] for row in some] == ["ETHUSDT", "BTCUSDT"]
    assert len(await ok(get, "/api/v3/ticker/24hr")) == 3
    mini = await ok(get, "/api/v3/ticker/24hr", symbol="BTCUSDT", type="MINI")
    assert "bidPrice" not in mini


async def test_the_small_tickers(get, sim: SimulatedBinance) -> None:
    """Best prices, last price and average price agree with the market."""
    quote = sim.market.quote("BTCUSDT")
    best = await ok(get, "/api/v3/ticker/bookTicker", symbol="BTCUSDT")
    assert round(float(best["bidPrice"]) * 10**8) == quote.bid_e8
    assert len(await ok(get, "/api/v3/ticker/bookTicker")) == 3
    price = float((await ok(get, "/api/v3/ticker/price", symbol="BTCUSDT"))["price"])
    average = float((await ok(get, "/api/v3/avgPrice", symbol="BTCUSDT"))["price"])
    assert 0.9 < price / average < 1.1


async def test_trades_and_agg_trades_agree(get, sim: SimulatedBinance) -> None:
    """Ids count up; a page can start at an id or a time."""
    sim.tick("BTCUSDT", 200)
    trades = await ok(get, "/api/v3/trades", symbol="BTCUSDT", limit=20)
    ids = [row["id"] for row in trades]
    assert ids == list(range(ids[0], ids[0] + 20))
    aggregate = await ok(get, "/api/v3/aggTrades", symbol="BTCUSDT", limit=20)
    assert [row["a"] for row in aggregate] == ids
    page = await ok(get, "/api/v3/aggTrades", symbol="BTCUSDT", fromId=ids[5], limit=3)
    assert [row["a"] for row in page] == ids[5:8]
    old = await ok(get, "/api/v3/historicalTrades", symbol="BTCUSDT", fromId=ids[5], limit=3)
    assert [row["id"] for row in old] == ids[5:8]
    timed = await ok(get, "/api/v3/aggTrades", symbol="BTCUSDT", startTime=0, endTime=10**14)
    assert timed[-1]["a"] == ids[-1]


async def test_klines_reach_back_and_are_the_same_again(get) -> None:
    """A range of the past has the rows asked for, the same each time."""
    start = 1_700_000_000_000 // 60_000 * 60_000
    query = {"symbol": "BTCUSDT", "interval": "1m", "startTime": start, "limit": 1_000}
    rows = await ok(get, "/api/v3/klines", **query)
    assert rows == await ok(get, "/api/v3/klines", **query)
    assert [row[0] for row in rows] == [start + n * 60_000 for n in range(1_000)]
    assert all(len(row) == 12 and row[6] == row[0] + 59_999 for row in rows)
    ended = await ok(get, "/api/v3/klines", **query | {"endTime": start + 120_000})
    assert len(ended) == 3
    assert len(await ok(get, "/api/v3/klines", symbol="BTCUSDT", interval="1M")) > 50


@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        ("depth", {}, -1102),
        ("depth", {"symbol": ""}, -1102),
        ("depth", {"symbol": "NOSUCH"}, -1121),
        ("depth", {"symbol": "btcusdt"}, -1100),
        ("depth", {"symbol": "BTCUSDT", "limit": "x"}, -1100),
        ("depth", {"symbol": "BTCUSDT", "limit": "0"}, -1130),
        ("depth", {"symbol": "BTCUSDT", "limit": "\uff11\uff10"}, -1100),
        ("depth", {"symbol": "BTCUSDT", "colour": "red"}, -1104),
        ("klines", {"symbol": "BTCUSDT"}, -1102),
        ("klines", {"symbol": "BTCUSDT", "interval": "7m"}, -1120),
        ("ticker/24hr", {"symbol": "BTCUSDT", "symbols": '["ETHBTC"]'}, -1128),
        ("ticker/24hr", {"symbols": '["NOSUCH"]'}, -1121),
        ("ticker/24hr", {"symbols": "BTCUSDT"}, -1100),
        ("ticker/24hr", {"symbols": "[]"}, -1100),
        ("ticker/24hr", {"symbol": "BTCUSDT", "type": "HUGE"}, -1130),
        ("aggTrades", {"symbol": "BTCUSDT", "fromId": "1", "startTime": "1"}, -1128),
    ],
)
async def test_what_is_wrong_is_said_as_binance_says_it(
    get, path: str, params: dict, code: int
) -> None:
    """Status 400, and a body with the documented code."""
    status, body, headers = await get(f"/api/v3/{path}", **params)
    assert (status, body["code"]) == (400, code)
    assert body["msg"]
    assert "X-MBX-USED-WEIGHT-1M" in headers


async def test_the_words_for_an_invalid_symbol(get) -> None:
    """SDKs look at the text too."""
    _, body, _ = await get("/api/v3/depth", symbol="NOSUCH")
    assert body == {"code": -1121, "msg": "Invalid symbol."}


async def test_unknown_paths_are_404_and_listen_keys_are_gone(
    get, sim: SimulatedBinance, session: aiohttp.ClientSession
) -> None:
    """What Binance does not have, or has no more, is not pretended."""
    assert (await get("/api/v3/nothing"))[0] == 404
    async with session.post(sim.rest_url + "/api/v3/userDataStream") as response:
        assert response.status == 410
    async with session.post(sim.rest_url + "/api/v3/depth") as response:
        assert response.status == 404


async def test_account_paths_want_a_key(
    get, sim: SimulatedBinance, session: aiohttp.ClientSession
) -> None:
    """Coins and margin pairs are told to who names a key."""
    assert (await get("/sapi/v1/capital/config/getall"))[0] == 401
    headers = {"X-MBX-APIKEY": "k"}
    url = sim.rest_url + "/sapi/v1/capital/config/getall"
    async with session.get(url, headers=headers) as response:
        assert [row["coin"] for row in await response.json()] == ["BTC", "ETH", "USDT"]
    url = sim.rest_url + "/sapi/v1/margin/allPairs"
    async with session.get(url, headers=headers) as response:
        assert await response.json() == []


@pytest.mark.parametrize(
    ("path", "params", "weight"),
    [
        ("time", {}, 1),
        ("exchangeInfo", {}, 20),
        ("depth", {"symbol": "BTCUSDT"}, 5),
        ("depth", {"symbol": "BTCUSDT", "limit": 500}, 25),
        ("depth", {"symbol": "BTCUSDT", "limit": 1_000}, 50),
        ("depth", {"symbol": "BTCUSDT", "limit": 5_000}, 250),
        ("ticker/24hr", {"symbol": "BTCUSDT"}, 2),
        ("ticker/24hr", {"symbols": '["BTCUSDT","ETHBTC"]'}, 2),
        ("ticker/24hr", {"symbols": json.dumps(["BTCUSDT"] * 21)}, 40),
        ("ticker/24hr", {"symbols": json.dumps(["BTCUSDT"] * 101)}, 80),
        ("ticker/24hr", {}, 80),
        ("ticker/bookTicker", {}, 4),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m"}, 2),
    ],
)
@pytest.mark.parametrize("limits", [Limits()])
async def test_requests_weigh_what_is_documented(get, path: str, params: dict, weight: int) -> None:
    """Every answer tells the weight used in this minute."""
    _, _, headers = await get(f"/api/v3/{path}", **params)
    assert headers["X-MBX-USED-WEIGHT-1M"] == str(weight)


@pytest.mark.parametrize("limits", [Limits(weight_per_minute=3, refusals_before_ban=2)])
async def test_too_much_weight_is_refused_then_banned(
    get, sim: SimulatedBinance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """429 with Retry-After and -1003, then 418."""
    monkeypatch.setattr(sim, "now_ms", lambda: 1_790_000_010_000)
    answers = [await get("/api/v3/time") for _ in range(6)]
    assert [status for status, _, _ in answers] == [200, 200, 200, 429, 429, 418]
    _, body, headers = answers[3]
    assert body["code"] == -1003
    assert body["msg"].startswith("Too much request weight used; current limit is 3")
    assert 1 <= int(headers["Retry-After"]) <= 60
    assert "IP banned until" in answers[5][1]["msg"]
    assert headers["X-MBX-USED-WEIGHT-1M"] == "4"
