"""ccxt with the frames taken at the socket. Importing this imports ccxt: only `client.py` does.

ccxt parses every frame in a callback that dies for good at the first bad one, hands over the first
message of a burst instead of the last, and costs 20 µs a message. Its connection, handshake, ping,
signing and REST are used as they are; the text frames go to foxtrot as bytes.

What is overridden here is not ccxt's public interface. `missing_names` says whether it is all still
there; if it is not, `plain_exchange` makes ccxt as it is, for `watch.WatchSession`.
"""

from __future__ import annotations

import asyncio
import inspect
import ssl
from collections import deque
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Protocol

import aiohttp
from aiohttp import WSMsgType
from ccxt.pro.binance import binance

from foxtrot.adapter.binance.evidence import Reply

try:
    from ccxt.async_support.base.ws import client as ccxt_client
    from ccxt.async_support.base.ws.client import Client
except ImportError:  # a ccxt that keeps it elsewhere; `missing_names` tells
    ccxt_client, Client = None, object

_CLOSE_WAIT_S = 1.0
_LARGEST_FRAME = 10 * 1024 * 1024
_ENDS = frozenset({WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR})
_DROPPED = 1006
_SEND_GAP_MS = 300
_OVERHEAD: int = getattr(ccxt_client, "MSG_SIZE_OVERHEAD", 0)  # ccxt older than 4.5.90 has none

_CLIENT_NAMES = (
    "asyncio_loop", "buffer", "close", "closed", "connect", "connected", "connection",
    "create_connection", "handle_message", "on_close", "on_error", "receive_loop", "send",
)  # fmt: skip
_EXCHANGE_NAMES = ("client", "clients", "on_close", "on_error")
_CONNECT_ARGUMENTS = ("autoclose", "autoping", "compress", "decode_text", "max_msg_size", "timeout")


def missing_names() -> tuple[str, ...]:
    """What this module relies on and the installed ccxt and aiohttp do not have."""
    known = inspect.signature(aiohttp.ClientSession.ws_connect).parameters
    wanted = {
        **{f"Client.{name}": hasattr(Client, name) for name in _CLIENT_NAMES},
        **{f"binance.{name}": hasattr(binance, name) for name in _EXCHANGE_NAMES},
        **{f"ws_connect({name})": name in known for name in _CONNECT_ARGUMENTS},
        "aiohttp.ClientWSTimeout": hasattr(aiohttp, "ClientWSTimeout"),
    }
    return tuple(name for name, there in wanted.items() if not there)


class Receiver(Protocol):
    """Who takes what a socket brings. Called on the loop thread."""

    def on_frame(self, data: bytes) -> None:
        """A text frame came. Must not raise."""

    def on_lost(self, error: BaseException | None, code: int) -> None:
        """The socket is gone: by an error, or closed with a code."""


class RawClient(Client):  # type: ignore[misc]  # ccxt has no types
    """ccxt's websocket client, whose text frames go to a receiver untouched."""

    receiver: Receiver
    retired = False
    """Nobody wants it any more, also if its handshake is still under way."""
    pump: asyncio.Task[None] | None = None

    def create_connection(self, session: aiohttp.ClientSession) -> object:
        """Connect as ccxt does, but keep frames as bytes and do not wait long for a CLOSE."""
        return session.ws_connect(
            self.url,
            autoping=False,
            autoclose=False,
            compress=0,
            max_msg_size=_LARGEST_FRAME,
            decode_text=False,
            timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_WAIT_S),
        ).__aenter__()

    def receive_loop(self) -> None:
        """Start the pump in place of ccxt's chain of callbacks."""
        if self.closed():
            self.on_close(_DROPPED)
            return
        work = self.close() if self.retired else self._pump()
        self.pump = self.asyncio_loop.create_task(work)

    async def _pump(self) -> None:
        try:
            await self._take_frames()
        except Exception as error:  # noqa: BLE001 - boundary: a pump that ends must say so
            self.on_error(error)

    async def _take_frames(self) -> None:
        receive, on_frame, text = self.connection.receive, self.receiver.on_frame, WSMsgType.TEXT
        ended = False
        while not ended:
            message = await receive()
            if message.type is text:
                on_frame(message.data)
            else:
                ended = self._on_control(message)
            waiting = self.buffer
            if not ended and waiting is not None and len(waiting) > 1:
                ended = self._drain(waiting)

    def _drain(self, waiting: deque[tuple[aiohttp.WSMessage, int]]) -> bool:
        """Take what has arrived in one go: awaiting each message would cost as much as reading it.

        As in ccxt's own loop the last one is left, and charged with the size of the others, so that
        aiohttp's flow control sees them go when it is received.
        """
        on_frame, text, freed, ended = self.receiver.on_frame, WSMsgType.TEXT, 0, False
        while len(waiting) > 1 and not ended:
            message, size = waiting.popleft()
            freed += size + _OVERHEAD
            if message.type is text:
                on_frame(message.data)
            else:
                ended = self._on_control(message)
        waiting[0] = (waiting[0][0], waiting[0][1] + freed)
        return ended

    def _on_control(self, message: aiohttp.WSMessage) -> bool:
        """Let ccxt see to a ping, pong or close; returns whether the connection is over."""
        self.handle_message(message)
        if message.type in (WSMsgType.CLOSED, WSMsgType.CLOSING):
            self.on_close(_DROPPED)
        return message.type in _ENDS


_heard: ContextVar[list[Reply] | None] = ContextVar("foxtrot_binance_replies", default=None)


@contextmanager
def listening() -> Iterator[list[Reply]]:
    """Collect the replies to the requests that this task makes.

    ccxt's exceptions leave out the status or the code, and an answer that it cannot read is none.
    """
    replies: list[Reply] = []
    token = _heard.set(replies)
    try:
        yield replies
    finally:
        _heard.reset(token)


class HeardBinance(binance):  # type: ignore[misc]  # ccxt has no types
    """ccxt's Binance as it is, with its replies kept for who listens."""

    def on_rest_response(
        self,
        code: int,
        reason: str,
        url: str,
        method: str,
        response_headers: Mapping[str, str],
        response_body: str,
        request_headers: Mapping[str, str],
        request_body: str | None,
    ) -> str:
        """Keep a reply, before ccxt looks at it."""
        replies = _heard.get()
        if replies is not None:
            replies.append(Reply(code, dict(response_headers), response_body.encode()))
        return response_body


class RawBinance(HeardBinance):
    """ccxt's Binance, unmodified but for where its frames and its losses go."""

    def raw_client(self, url: str, receiver: Receiver) -> RawClient:
        """The websocket client for `url`, made by ccxt and turned towards `receiver`."""
        client = self.client(url)
        client.__class__ = RawClient
        client.receiver = receiver
        return client  # type: ignore[no-any-return]

    def on_error(self, client: Client, error: BaseException) -> None:
        """A dial or a socket failed."""
        super().on_error(client, error)
        client.receiver.on_lost(error, _DROPPED)

    def on_close(self, client: Client, code: int) -> None:
        """The venue closed a socket."""
        super().on_close(client, code)
        client.receiver.on_lost(None, code)


@cache
def _trusted(cafile: str) -> ssl.SSLContext:
    """What ccxt would make for each connection; it reads 150 certificates, and the loop waits."""
    return ssl.create_default_context(cafile=cafile)


def exchange(config: dict[str, object]) -> RawBinance:
    """A ccxt exchange by its constructor's config."""
    made = RawBinance(config)
    made.ssl_context = _trusted(made.cafile)
    made.timeout_on_exit = 0
    return made


Symbols = Sequence[str]
Params = Mapping[str, str]
Unified = Mapping[str, object]
"""An object of ccxt's; what the venue sent is in its `info`."""


class Watched(Protocol):
    """ccxt's public methods that `watch.WatchSession` uses; symbols are ccxt's own.

    What comes is left as `object`: msgspec looks at it.
    """

    def market(self, symbol: str) -> Unified:
        """The market of a symbol, or of a venue's id."""

    def watch_bids_asks(self, symbols: Symbols) -> Awaitable[Mapping[str, Unified]]:
        """The best bids and asks, when one of them changes."""

    def un_watch_bids_asks(self, symbols: Symbols) -> Awaitable[object]:
        """No more of these; the list has to be the watched one."""

    def watch_tickers(self, symbols: Symbols, params: Params) -> Awaitable[Mapping[str, Unified]]:
        """The tickers, when one of them changes."""

    def un_watch_tickers(self, symbols: Symbols, params: Params) -> Awaitable[object]:
        """No more of these; the list and the name have to be the watched ones."""

    def watch_order_book(self, symbol: str, limit: int) -> Awaitable[Unified]:
        """The book that ccxt keeps, when it changes."""

    def un_watch_order_book(self, symbol: str) -> Awaitable[object]:
        """No more of it."""

    def watch_trades(self, symbol: str) -> Awaitable[Sequence[Unified]]:
        """The latest prints, oldest first, when there is a new one."""

    def un_watch_trades(self, symbol: str) -> Awaitable[object]:
        """No more of them."""

    def watch_ohlcv(self, symbol: str, timeframe: str) -> Awaitable[Sequence[Sequence[object]]]:
        """The latest bars, oldest first, when the newest changes."""

    def un_watch_ohlcv(self, symbol: str, timeframe: str) -> Awaitable[object]:
        """No more of them."""


def plain_exchange(config: dict[str, object]) -> HeardBinance:
    """A ccxt exchange as it is; a watch call returns all that is known, not just the first news.

    Its limiter spaces what is sent on a socket, which nobody else can; it counts milliseconds here,
    so that requests, which have a budget of their own, are as good as free.
    """
    made = HeardBinance({**config, "enableRateLimit": True, "rateLimit": 1, "newUpdates": False})
    made.options["ws"]["cost"] = _SEND_GAP_MS
    made.ssl_context = _trusted(made.cafile)
    made.timeout_on_exit = 0
    return made
