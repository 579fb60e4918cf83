"""The door to ccxt: what goes through it, what comes back, and that it closes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from types import SimpleNamespace

import aiohttp
import ccxt
import pytest

from foxtrot import errors
from foxtrot.adapter.binance import client as module
from foxtrot.adapter.binance import limits
from foxtrot.adapter.binance.client import BinanceClient, Socket
from foxtrot.adapter.binance.settings import BinanceSettings
from foxtrot.connectivity.config import StreamConfig
from tests.support.virtual_time import VirtualLoop, run_virtually

SETTING: dict[str, str] = {"environment": "simulated", "rest_url": "http://127.0.0.1:9"}
DEADLINE_S = 10.0


class Window(limits.WeightWindow):
    """A budget that says how long to wait, and keeps what was asked for."""

    def __init__(self) -> None:
        super().__init__(1, 1)
        self.wait_s = 0.0
        self.units: list[int] = []

    def reserve(self, now: float, units: int = 1) -> float:
        """Always the same wait."""
        self.units.append(units)
        return self.wait_s


class Exchange:
    """What the client uses of ccxt; answers with `answer`, or raises it."""

    def __init__(self) -> None:
        self.config: dict[str, object] = {}
        self.answer: object = {}
        self.asked: list[tuple[str, object]] = []
        self.clients: dict[str, object] = {}
        self.last_response_headers: dict[str, str] = {"Retry-After": "9"}
        self.closed = 0

    def __getattr__(self, name: str) -> object:
        if not name.startswith("public_get_"):
            raise AttributeError(name)
        return lambda params: self._answered(name, params)

    async def load_markets(self) -> object:
        return await self._answered("load_markets", None)

    async def _answered(self, name: str, params: object) -> object:
        self.asked.append((name, params))
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    async def close(self) -> None:
        self.closed += 1


class Opened:
    """An open client, and what is behind it."""

    def __init__(self, **setting: str) -> None:
        self.exchange, self.window = Exchange(), Window()
        settings = BinanceSettings.parse({**SETTING, **setting})
        config = StreamConfig(request_timeout_s=3.5)
        self.client = BinanceClient(settings, config, self.window, "BINANCE")

    async def open(self, patch: pytest.MonkeyPatch) -> None:
        """Open it with the exchange in place of ccxt's."""

        def made(config: dict[str, object]) -> Exchange:
            self.exchange.config = config
            return self.exchange

        async def imported() -> SimpleNamespace:
            return SimpleNamespace(exchange=made)

        patch.setattr(module, "_imported", imported)
        await self.client.open()


@pytest.fixture
async def opened(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Opened]:
    """An open client without keys."""
    opened = Opened()
    await opened.open(monkeypatch)
    yield opened
    await opened.client.close()


async def test_nothing_is_asked_before_it_is_open() -> None:
    """The error says what is wrong, and nothing was sent."""
    client = Opened().client
    with pytest.raises(errors.InvalidState, match="not open"):
        await client.get("ping", weight=1)
    with pytest.raises(errors.InvalidState, match="not open"):
        await client.load_markets()


async def test_a_cancellation_that_ccxt_swallows_ends_the_question(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that times out as it is cancelled is no failed one: who asked would ask on."""
    begun = asyncio.Event()

    async def swallows(name: str, params: object) -> object:
        begun.set()
        try:
            return await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ccxt.RequestTimeout("timed out") from None

    monkeypatch.setattr(opened.exchange, "_answered", swallows)
    asking = asyncio.create_task(opened.client.get("ping", weight=1))
    await begun.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asking, DEADLINE_S)


async def test_ccxt_talks_to_the_given_endpoints_only(opened: Opened) -> None:
    """Every address is the one of the settings; ccxt's own limiter and extra requests are off."""
    config = json.loads(json.dumps(opened.exchange.config, default=str))
    hosts = json.dumps(config["urls"])
    assert "binance.com" not in hosts
    assert config["urls"]["api"]["public"] == "http://127.0.0.1:9/api/v3"
    assert config["urls"]["api"]["ws"] == {
        "spot": "ws://127.0.0.1:9/stream/ws",
        "ws-api": {"spot": "ws://127.0.0.1:9/ws-api/v3"},
    }
    assert config["enableRateLimit"] is False
    assert config["timeout"] == 3_500
    assert config["options"]["fetchMarkets"] == {"types": ["spot"]}
    assert config["options"]["fetchCurrencies"] is False
    assert "apiKey" not in config
    assert "secret" not in config


async def test_keys_go_to_the_sdk_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """They are revealed at this one place."""
    monkeypatch.setenv("FOXTROT_TEST_KEY", "canary-key-9911")
    monkeypatch.setenv("FOXTROT_TEST_SECRET", "canary-secret-9911")
    opened = Opened(api_key="env:FOXTROT_TEST_KEY", secret="env:FOXTROT_TEST_SECRET")
    with caplog.at_level("DEBUG"):
        await opened.open(monkeypatch)
        await opened.client.close()
    config = opened.exchange.config
    assert (config["apiKey"], config["secret"]) == ("canary-key-9911", "canary-secret-9911")
    assert "canary" not in caplog.text + repr(vars(opened.client))


async def test_a_request_costs_its_weight(opened: Opened) -> None:
    """The path is ccxt's implicit method; the answer comes as it is."""
    opened.exchange.answer = [{"symbol": "BTCUSDT"}]
    answer = await opened.client.get("ticker/24hr", {"symbols": "[]"}, weight=40)
    assert answer == [{"symbol": "BTCUSDT"}]
    assert opened.exchange.asked == [("public_get_ticker_24hr", {"symbols": "[]"})]
    assert opened.window.units == [40]


async def test_a_request_beyond_the_budget_is_held_back(opened: Opened) -> None:
    """It waits, nothing is sent, and others can see that the silence is our own."""
    opened.window.wait_s = 3_600.0
    waiting = asyncio.ensure_future(opened.client.get("ping", weight=1))
    await asyncio.sleep(0)
    assert opened.client.held_back == 1
    waiting.cancel()
    await asyncio.wait([waiting], timeout=DEADLINE_S)
    assert opened.client.held_back == 0
    assert opened.exchange.asked == []


def test_the_account_does_not_stand_behind_market_data() -> None:
    """Polling used up the minute at once, and a reconciliation waited for most of the next one."""
    loop = VirtualLoop()

    async def asked() -> list[float]:
        window, settings = limits.weight_window(), BinanceSettings.parse(SETTING)
        prices = BinanceClient(settings, StreamConfig(), window, "BINANCE", yields=True)
        account = BinanceClient(settings, StreamConfig(), window, "BINANCE")

        async def poll() -> None:
            while True:
                await prices.afford(limits.TRADES_WEIGHT)
                await asyncio.sleep(0.01)

        polling = asyncio.ensure_future(poll())
        waits = []
        for _ in range(10):
            await asyncio.sleep(10.0)
            began = loop.time()
            await account.afford(limits.OPEN_ORDERS_WEIGHT)
            waits.append(loop.time() - began)
        polling.cancel()
        await asyncio.wait([polling])
        assert prices.held_back == 0
        return waits

    assert run_virtually(asked(), loop) == [0.0] * 10


def test_a_sign_of_life_does_not_stand_behind_downloads() -> None:
    """The venue would be held for dead, and a session of polling neither kept nor begun."""
    loop = VirtualLoop()

    async def asked() -> float:
        window, settings = limits.weight_window(), BinanceSettings.parse(SETTING)
        history, prices = (
            BinanceClient(settings, StreamConfig(), window, "BINANCE", yields=True)
            for _ in range(2)
        )
        await history.afford(limits.WEIGHT_PER_MINUTE * 4 // 5)
        download = asyncio.ensure_future(history.afford(limits.KLINES_WEIGHT))
        await asyncio.sleep(1.0)
        began = loop.time()
        await prices.afford(limits.PING_WEIGHT)
        took_s = loop.time() - began
        await download
        return took_s

    assert run_virtually(asked(), loop) == 0.0


def test_who_asks_for_much_does_not_stand_behind_who_asks_for_little_for_ever() -> None:
    """Many downloads of history used up whatever was free, and a book was never fetched again."""
    loop = VirtualLoop()

    async def asked() -> float:
        window, settings = limits.weight_window(), BinanceSettings.parse(SETTING)
        clients = [
            BinanceClient(settings, StreamConfig(), window, "BINANCE", yields=True)
            for _ in range(7)
        ]

        async def download(client: BinanceClient) -> None:
            while True:
                await client.afford(limits.KLINES_WEIGHT)
                await asyncio.sleep(0.05)

        downloads = [asyncio.ensure_future(download(each)) for each in clients[1:]]
        await asyncio.sleep(90.0)
        began = loop.time()
        async with asyncio.timeout(600.0):
            await clients[0].afford(limits.depth_weight(500))
        for each in downloads:
            each.cancel()
        await asyncio.wait(downloads)
        assert not any(each.held_back for each in clients)
        return loop.time() - began

    assert run_virtually(asked(), loop) < 60.0


@pytest.mark.parametrize("symbols", [6, 12])
def test_an_account_that_is_polled_leaves_something_to_its_prices(symbols: int) -> None:
    """Its rounds took all of the budget, so that no price was polled again, and no order passed."""
    loop = VirtualLoop()

    async def asked() -> list[float]:
        window, settings = limits.weight_window(), BinanceSettings.parse(SETTING)
        prices = BinanceClient(settings, StreamConfig(), window, "BINANCE", yields=True)
        account = BinanceClient(settings, StreamConfig(), window, "BINANCE")

        async def rounds() -> None:
            while True:
                await account.afford(limits.OPEN_ORDERS_WEIGHT + limits.ACCOUNT_WEIGHT)
                for _ in range(symbols):
                    await account.afford(limits.MY_TRADES_WEIGHT)
                await asyncio.sleep(limits.ACCOUNT_POLL_S)

        polling, waits = asyncio.ensure_future(rounds()), []
        for _ in range(20):
            await asyncio.sleep(10.0)
            began = loop.time()
            async with asyncio.timeout(600.0):
                await prices.afford(limits.tickers_weight(1))
            waits.append(loop.time() - began)
        polling.cancel()
        await asyncio.wait([polling])
        return waits

    assert max(run_virtually(asked(), loop)) < 30.0


@pytest.mark.parametrize("answer", ["<html>", "", None, b"x", 5])
async def test_an_answer_that_is_no_json_is_the_venues_trouble(
    opened: Opened, answer: object
) -> None:
    """ccxt hands over whatever came with status 200."""
    opened.exchange.answer = answer
    with pytest.raises(errors.VenueUnavailable, match="the answer to depth is not readable JSON"):
        await opened.client.get("depth", weight=1)
    with pytest.raises(errors.VenueUnavailable, match="exchangeInfo is not readable"):
        await opened.client.load_markets()


async def test_markets_are_handed_over_as_the_venue_sent_them(opened: Opened) -> None:
    """ccxt's own reading of them is not used."""
    opened.exchange.answer = {"BTC/USDT": {"id": "x", "info": {"symbol": "BTCUSDT"}}}
    assert await opened.client.load_markets() == [{"symbol": "BTCUSDT"}]


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (ccxt.BadSymbol('binance {"code":-1121,"msg":"Invalid symbol."}'), errors.UnknownSymbol),
        (ccxt.DDoSProtection('binance 429 x {"code":-1003,"msg":"no"}'), errors.RateLimited),
        (ccxt.ExchangeNotAvailable("binance GET u 503 busy"), errors.VenueUnavailable),
        (KeyError("spot"), errors.UnexpectedError),
        (RecursionError("deep"), errors.UnexpectedError),
    ],
    ids=lambda each: getattr(each, "__name__", type(each).__name__),
)
async def test_whatever_ccxt_raises_is_translated(
    opened: Opened, raised: Exception, kind: type[Exception]
) -> None:
    """One of foxtrot's errors, which drags nothing of ccxt's along."""
    opened.exchange.answer = raised
    with pytest.raises(errors.FoxtrotError) as caught:
        await opened.client.get("klines", weight=1)
    assert type(caught.value) is kind
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


async def test_the_headers_of_the_answer_say_how_long_to_wait(opened: Opened) -> None:
    """ccxt keeps them beside the exception."""
    opened.exchange.answer = ccxt.DDoSProtection("binance 429 Too Many Requests ")
    with pytest.raises(errors.RateLimited) as caught:
        await opened.client.get("klines", weight=1)
    assert caught.value.retry_after_s == 9.0


async def test_a_refusal_of_one_holds_all_who_share_the_address(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who goes on asking is banned; those who ask later hear how long it still lasts."""
    other = Opened()
    other.window = other.client._weights = opened.window
    await other.open(monkeypatch)
    opened.exchange.answer = ccxt.DDoSProtection("binance 418 I'm a teapot ")
    with pytest.raises(errors.VenueBanned):
        await opened.client.get("klines", weight=1)
    for ask in (
        lambda: other.client.get("ping", weight=1),
        lambda: other.client.ask_signed("account", weight=1),
        other.client.load_markets,
    ):
        with pytest.raises(errors.RateLimited) as caught:
            await ask()
        assert 8.0 < caught.value.retry_after_s <= 9.0
    assert other.exchange.asked == []
    assert (opened.client.refused, other.client.refused) == (True, False)
    opened.window._held_until = 0.0
    assert await other.client.get("ping", weight=1) == {}
    await other.client.close()


async def test_cancelling_a_request_is_no_error_of_the_venue(opened: Opened) -> None:
    """Who closes gets what he asked for."""
    opened.exchange.answer = asyncio.CancelledError()
    with pytest.raises(asyncio.CancelledError):
        await opened.client.get("ping", weight=1)


async def test_a_close_that_is_cut_short_leaves_no_connection_open(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever closes has a deadline, and a busy machine may miss it."""
    begun = asyncio.Event()

    async def hang() -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(opened.exchange, "close", hang)
    http = opened.exchange.config["session"]
    assert isinstance(http, aiohttp.ClientSession)
    closing = asyncio.ensure_future(opened.client.close())
    await begun.wait()
    closing.cancel()
    await asyncio.wait([closing])
    assert http.closed


async def test_closing_twice_closes_once(opened: Opened) -> None:
    """And a closed client asks nothing any more."""
    await opened.client.close()
    await opened.client.close()
    assert opened.exchange.closed == 1
    http = opened.exchange.config["session"]
    assert isinstance(http, aiohttp.ClientSession)
    assert http.closed
    with pytest.raises(errors.InvalidState):
        await opened.client.get("ping", weight=1)


async def test_an_sdk_that_does_not_end_is_left_behind(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ccxt waits ten seconds for a venue's goodbye; ours is not that patient."""
    cut: list[bool] = []

    async def close() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cut.append(True)

    monkeypatch.setattr(module, "_CLOSE_WAIT_S", 0.01)
    monkeypatch.setattr(opened.exchange, "close", close)
    async with asyncio.timeout(DEADLINE_S):
        await opened.client.close()
    http = opened.exchange.config["session"]
    assert isinstance(http, aiohttp.ClientSession)
    assert (cut, http.closed) == ([True], True)


async def test_without_the_fast_path_nothing_is_dialled(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor tries again, and by then another session is chosen."""
    monkeypatch.setattr(module, "_missing", ("Client.buffer",))
    with pytest.raises(errors.StreamingError, match="its own loops"):
        await opened.client.dial(1, object())  # type: ignore[arg-type]


class Wire:
    """What a socket uses of ccxt's websocket client."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.trouble, self.sent, self.pump = trouble, list[str](), None
        self.closed = 0

    async def send(self, text: str) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.sent.append(text)

    async def close(self) -> None:
        self.closed += 1
        if self.trouble is not None:
            raise self.trouble


async def test_a_request_on_the_socket_is_what_the_venue_documents() -> None:
    """Method, names and number; without names there is no list."""
    wire = Wire()
    await Socket(wire).send("SUBSCRIBE", ["btcusdt@trade"], 7)  # type: ignore[arg-type]
    await Socket(wire).send("LIST_SUBSCRIPTIONS", (), 8)  # type: ignore[arg-type]
    assert [json.loads(text) for text in wire.sent] == [
        {"method": "SUBSCRIBE", "id": 7, "params": ["btcusdt@trade"]},
        {"method": "LIST_SUBSCRIPTIONS", "id": 8},
    ]


@pytest.mark.parametrize(
    "trouble", [ConnectionResetError("gone"), aiohttp.ClientConnectionResetError("closing")]
)
async def test_a_socket_that_is_gone_says_so(trouble: Exception) -> None:
    """Sending raises what the supervisor understands; closing it is no trouble."""
    wire = Wire(trouble)
    socket = Socket(wire)  # type: ignore[arg-type]
    with pytest.raises(errors.ConnectionClosed, match="lost while sending"):
        await socket.send("SUBSCRIBE", ["x"], 1)
    await socket.close()
    assert wire.closed == 1


async def test_closing_a_socket_ends_its_pump() -> None:
    """No task is left behind."""
    wire = Wire()
    wire.pump = asyncio.ensure_future(asyncio.Event().wait())  # type: ignore[assignment]
    await Socket(wire).close()  # type: ignore[arg-type]
    assert wire.pump.cancelled()  # type: ignore[attr-defined]
