"""The one door to ccxt for Binance: opens it, asks it, closes it. One client per session."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING

import aiohttp
import msgspec

from foxtrot.adapter.binance import evidence, limits
from foxtrot.adapter.binance.errors import Redirected, may_have_been_sent, translate
from foxtrot.adapter.binance.evidence import Reply, Unheard
from foxtrot.adapter.binance.settings import BinanceSettings
from foxtrot.connectivity.config import StreamConfig
from foxtrot.core.aside import aside
from foxtrot.core.cancellation import heed_cancellation
from foxtrot.core.logs import get_logger
from foxtrot.errors import (
    ConnectionClosed,
    FoxtrotError,
    InvalidState,
    RateLimited,
    StreamingError,
    VenueUnavailable,
)
from foxtrot.model.health import Finding

if TYPE_CHECKING:
    from foxtrot.adapter.binance.wire import RawBinance, RawClient, Receiver, Watched

log = get_logger("foxtrot.binance.client")

_KEEP_ALIVE_MS = 10_000
_CLOSE_WAIT_S = 1.0
_PATIENCE_S = 3.0
_NS_PER_MS = 1_000_000
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class BinanceClient:
    """A ccxt exchange and its HTTP session. Lives on the loop thread.

    Args:
        settings: What `connect` was given.
        config: Deadlines.
        weights: The address's request weight, shared by all clients of an adapter.
        venue: The adapter's name, for errors.
        yields: Whether those who are in more of a hurry go first.
    """

    def __init__(
        self,
        settings: BinanceSettings,
        config: StreamConfig,
        weights: limits.WeightWindow,
        venue: str,
        *,
        yields: bool = False,
    ) -> None:
        self._settings, self._config, self._weights = settings, config, weights
        self._venue, self._yields = venue, yields
        self._exchange: RawBinance | None = None
        self._http: aiohttp.ClientSession | None = None
        self._sockets: list[Socket] = []
        self.held_back = 0
        """Requests that wait for the weight budget."""
        self.refused = False
        """Whether the venue has refused this client as one of an address that asks too much."""

    async def open(self) -> None:
        """Import ccxt (seconds, the first time; not on this thread) and make an exchange."""
        self._wire = wire = await _imported()
        self._http = aiohttp.ClientSession(middlewares=(_refuse_redirects,))
        make = wire.plain_exchange if missing_names() else wire.exchange
        self._exchange = make(self._ccxt_config(self._http))

    async def load_markets(self) -> list[Mapping[str, object]]:
        """exchangeInfo's symbols, as the venue sent them."""
        self._raise_if_held()
        markets = await self._asked(self._opened().load_markets(), "exchangeInfo")
        if not isinstance(markets, dict) or not markets:  # ccxt takes half an answer for none
            raise VenueUnavailable(self._venue, "", "exchangeInfo is not readable")
        return [market["info"] for market in markets.values()]

    async def get(
        self, path: str, params: Mapping[str, str | int] | None = None, *, weight: int
    ) -> object:
        """GET /api/v3/`path`, within the weight budget; parsed JSON.

        Raises:
            FoxtrotError: Translated from whatever ccxt raised.
        """
        await self.afford(weight)
        self._raise_if_held()
        ask = getattr(self._opened(), "public_get_" + path.replace("/", "_"))
        answer = await self._asked(ask(dict(params or {})), path)
        if not isinstance(answer, dict | list):
            raise VenueUnavailable(self._venue, "", f"the answer to {path} is not readable JSON")
        return answer

    async def ask_signed(
        self, path: str, params: Mapping[str, str | int] | None = None, *, weight: int
    ) -> object:
        """GET /api/v3/`path` with the account's signature, within the weight budget; parsed JSON.

        A clock that the venue finds wrong is set once, and the question asked again.

        Raises:
            FoxtrotError: Translated from whatever ccxt raised.
        """
        await self.afford(weight)
        self._raise_if_held()
        reply = await self.command("get", path, params or {})
        if evidence.is_about_the_clock(reply):
            await self.set_clock()
            reply = await self.command("get", path, params or {})
        if isinstance(reply, Unheard):
            raise reply.error
        answer = _json(reply.body) if reply.status == evidence.OK else None
        if not isinstance(answer, dict | list):
            raise self.heeded(evidence.refusal(reply, self._venue, path))
        return answer

    async def command(
        self, method: str, path: str, params: Mapping[str, str | int]
    ) -> Reply | Unheard:
        """Send a signed request once; returns what the venue replied, whatever it says."""
        if self._exchange is None:
            return Unheard(ConnectionClosed(1006, "the session has ended"), sent=False)
        exchange, wire = self._exchange, self._wire
        ask = getattr(exchange, f"private_{method}_" + path.replace("/", "_").lower())
        with wire.listening() as replies:
            try:
                await ask(dict(params))
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - boundary: ccxt raises its own tree and more
                heed_cancellation()
                if not replies:
                    return Unheard(self.translated(error, path), sent=may_have_been_sent(error))
        if not replies:
            return Unheard(StreamingError("no reply was seen"), sent=True)
        reply: Reply = replies[-1]
        if evidence.is_about_the_address(reply):
            self.heeded(evidence.refusal(reply, self._venue, path))
        return reply

    async def set_clock(self) -> None:
        """Learn how far the venue's clock is from ours; what is signed carries its time."""
        before_ms = time.time_ns() // _NS_PER_MS
        answer = await self.get("time", weight=limits.PING_WEIGHT)
        after_ms = time.time_ns() // _NS_PER_MS
        theirs = answer.get("serverTime") if isinstance(answer, dict) else None
        if not isinstance(theirs, int):
            raise VenueUnavailable(self._venue, "", "the venue's time is not readable")
        self._opened().options["timeDifference"] = (before_ms + after_ms) // 2 - theirs

    def venue_ms(self, ts_ns: int) -> int:
        """A moment of our clock by the venue's, in its milliseconds."""
        difference = self._opened().options.get("timeDifference", 0)
        return max(ts_ns // _NS_PER_MS - int(difference), 0)

    def signed(self) -> dict[str, str | int]:
        """Parameters of a signed websocket request that needs no others."""
        return self._opened().sign_params({})  # type: ignore[no-any-return]

    async def afford(self, weight: int) -> None:
        """Wait until the budget allows a request of that weight, and take it off.

        Who yields keeps to the share and lets others pass, but not for ever: an account that is
        polled takes whatever is left. A sign of life stands in no line: its deadline is short.
        """
        self.held_back += 1  # which is seen if this waits
        try:
            if not self._yields or weight <= limits.PING_WEIGHT:
                await self._hold_back(self._weights.reserve(_now(), weight))
                return
            async with self._weights.turn:
                await self._hold_back(self._weights.share.reserve(_now(), weight))
                await self._let_pass(weight)
                await self._hold_back(self._weights.reserve(_now(), weight))
        finally:
            self.held_back -= 1

    async def _let_pass(self, weight: int) -> None:
        until = _now() + _PATIENCE_S
        while (at := min(self._weights.free_at(_now(), weight), until)) > (now := _now()):
            await self._hold_back(at - now)

    async def _hold_back(self, wait_s: float) -> None:
        if wait_s > 0.0:
            log.info("weight_budget_wait", venue=self._venue, delay_s=round(wait_s, 3))
            await asyncio.sleep(wait_s)

    @property
    def watched(self) -> Watched:
        """ccxt's own websocket side, for when `dial` cannot be used."""
        return self._opened()

    async def dial(self, number: int, receiver: Receiver) -> Socket:
        """Open websocket connection `number`; its frames go to `receiver`.

        Raises:
            StreamingError: The SDK is not the one that `wire` knows.
        """
        return self._dial(f"{self._settings.websocket_url}/{number}", receiver)

    async def dial_trading(self, receiver: Receiver) -> Socket:
        """Open the websocket that answers requests and pushes what happens to the account.

        Raises:
            StreamingError: The SDK is not the one that `wire` knows.
        """
        return self._dial(self._settings.trading_url, receiver)

    def _dial(self, url: str, receiver: Receiver) -> Socket:
        if missing_names():
            raise StreamingError("the SDK lacks what the fast path needs; its own loops serve")
        exchange = self._opened()
        client = exchange.raw_client(url, receiver)
        socket = Socket(client)
        self._sockets = [each for each in self._sockets if not each.over] + [socket]
        client.connect(exchange.session)
        return socket

    async def hang_up(self, socket: Socket) -> None:
        """Be done with one connection, open or not yet; another one may take its place."""
        if self._exchange is not None:
            self._exchange.clients.pop(socket.url, None)
        await socket.retire()

    async def close(self) -> None:
        """Close everything; nothing is waited for longer than a second."""
        exchange, self._exchange = self._exchange, None
        http, self._http = self._http, None
        async with contextlib.AsyncExitStack() as last:  # also if it is cut short meanwhile
            if http is not None:
                last.push_async_callback(http.close)
            if exchange is not None:
                last.push_async_callback(self._close_exchange, exchange)
            await asyncio.gather(*(socket.close() for socket in self._sockets))

    async def _close_exchange(self, exchange: RawBinance) -> None:
        if self._sockets:
            exchange.clients.clear()
        with contextlib.suppress(TimeoutError):  # closing `http` ends what is left
            async with asyncio.timeout(_CLOSE_WAIT_S):
                await exchange.close()

    def translated(self, error: BaseException, what: str = "the connection") -> FoxtrotError:
        """The foxtrot error for what ccxt raised."""
        headers = self._exchange.last_response_headers if self._exchange is not None else None
        return translate(
            error,
            self._venue,
            self._settings.endpoint,
            timeout_s=self._config.request_timeout_s,
            what=what,
            headers=headers,
        )

    def heeded(self, error: FoxtrotError) -> FoxtrotError:
        """The error; if it says that this address asks too much, nobody asks before its time."""
        if isinstance(error, RateLimited):
            self.refused = True
            self._weights.hold(_now() + error.retry_after_s)
        return error

    def _raise_if_held(self) -> None:
        left_s = math.ceil(self._weights.held_s(_now()) * 10) / 10
        if left_s:
            raise RateLimited(self._venue, "", "nothing is asked for while a refusal lasts", left_s)

    def _opened(self) -> RawBinance:
        if self._exchange is None:
            raise InvalidState("the Binance client is not open")
        return self._exchange

    async def _asked(self, request: object, what: str) -> object:
        try:
            return await request  # type: ignore[misc]
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - boundary: ccxt raises its own tree and more
            heed_cancellation()
            raise self.heeded(self.translated(error, what)) from None

    def _ccxt_config(self, http: aiohttp.ClientSession) -> dict[str, object]:
        rest, settings = self._settings.rest_url, self._settings
        config: dict[str, object] = {
            "session": http,
            "enableRateLimit": False,
            "timeout": int(self._config.request_timeout_s * 1000),
            "streaming": {"keepAlive": _KEEP_ALIVE_MS},
            "options": {
                "defaultType": "spot",
                "fetchMarkets": {"types": ["spot"]},
                "fetchCurrencies": False,
                "fetchMargins": False,
                "recvWindow": limits.RECEIVE_WINDOW_MS,
                "ws": {"compress": 0},
            },
            "urls": {
                "api": {
                    "public": rest,
                    "private": rest,
                    "v1": rest.replace("/api/v3", "/api/v1"),
                    "sapi": rest.replace("/api/v3", "/sapi/v1"),
                    "ws": {
                        "spot": settings.websocket_url,
                        "ws-api": {"spot": settings.trading_url},
                    },
                }
            },
        }
        if settings.api_key is not None and settings.secret is not None:
            config["apiKey"] = settings.api_key.reveal()
            config["secret"] = settings.secret.reveal()
        return config


class Socket:
    """One websocket connection: sends, paced as the venue wants it."""

    def __init__(self, client: RawClient) -> None:
        self._client = client
        self._spacing = limits.send_spacing()

    @property
    def url(self) -> str:
        """Where it leads."""
        return str(self._client.url)

    @property
    def over(self) -> bool:
        """Whether it is closed, and no handshake is under way that would open it."""
        return bool(self._client.closed()) and not self._client.connecting

    async def opened(self) -> None:
        """Wait until the handshake is done. A failed one is told to the receiver instead."""
        await asyncio.shield(self._client.connected)

    async def send(self, method: str, params: Sequence[str], number: int) -> None:
        """Send one request; later than now if the venue's limit says so.

        Raises:
            ConnectionClosed: The connection is gone.
        """
        await asyncio.sleep(self._spacing.reserve(asyncio.get_running_loop().time()))
        request: dict[str, object] = {"method": method, "id": number}
        if params:
            request["params"] = list(params)
        await self.post(request)

    async def post(self, request: Mapping[str, object]) -> None:
        """Send a message now.

        Raises:
            ConnectionClosed: The connection is gone.
        """
        try:
            await self._client.send(msgspec.json.encode(request).decode())
        except (ConnectionError, aiohttp.ClientError) as error:
            raise ConnectionClosed(1006, "lost while sending") from error

    async def retire(self) -> None:
        """Close it, also if it opens after this; whoever listened to it hears no more."""
        self._client.receiver, self._client.retired = _Nobody(), True
        await self.close()

    async def close(self) -> None:
        """Say goodbye, briefly, and end the pump."""
        with contextlib.suppress(ConnectionError, aiohttp.ClientError):
            await self._client.close()
        pump = self._client.pump
        if pump is not None:
            pump.cancel()
            await asyncio.wait([pump])


class _Nobody:
    """A receiver to whom nothing matters."""

    def on_frame(self, data: bytes) -> None:
        """Nobody listens any more."""

    def on_lost(self, error: BaseException | None, code: int) -> None:
        """Nobody minds."""


async def _refuse_redirects(
    request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Let no answer send a signed request elsewhere."""
    response = await send(request)
    if response.status in _REDIRECTS:
        response.close()
        raise Redirected
    return response


def _json(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


_import_lock = threading.Lock()
_missing: tuple[str, ...] | None = None
"""What the installed SDK lacks; None until it was looked at, once, after its import."""


def missing_names() -> tuple[str, ...]:
    """What the fast path lacks; empty before the SDK is imported."""
    return _missing or ()


def _now() -> float:
    return asyncio.get_running_loop().time()


def examine() -> tuple[Finding, ...]:
    """Which ccxt is there, and whether the fast path can be had of it. Imports it once."""
    found = f"ccxt {version('ccxt')}"
    _import()
    if missing := missing_names():
        lacks = ", ".join(missing)
        return (Finding("binance", found, f"no fast path, as it has no {lacks}; try another ccxt"),)
    return (Finding("binance", found),)


def _look(wire: ModuleType) -> None:
    global _missing
    if _missing is not None:
        return
    _missing = wire.missing_names()
    if _missing:
        log.warning("sdk_fast_path_unavailable", missing=", ".join(_missing))


async def _imported() -> ModuleType:
    """`wire` and with it ccxt, imported aside: the first time it takes a second or two."""
    return await aside(_import, "import-ccxt")


def _import() -> ModuleType:
    with _import_lock:
        from foxtrot.adapter.binance import wire

        _look(wire)
    return wire
