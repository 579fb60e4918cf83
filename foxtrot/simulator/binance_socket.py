"""The requests a client sends on the WebSocket API, and the answers it gets there."""

from __future__ import annotations

import asyncio
from typing import Protocol

import msgspec
from aiohttp import web

from foxtrot.simulator import binance_rest as rest
from foxtrot.simulator.binance_api import HTML, Api, Reply, Request
from foxtrot.simulator.binance_api import Venue as ApiVenue
from foxtrot.simulator.binance_connection import Connection
from foxtrot.simulator.binance_keys import Credentials
from foxtrot.simulator.binance_orders import METHODS, Asker
from foxtrot.simulator.binance_params import check_names, number_of, refusal
from foxtrot.simulator.binance_payloads import encode
from foxtrot.simulator.binance_user import UserStreams

PATH = "/ws-api/v3"
_NUMBER_MAX = 10**9
_OF_ANY = {"apiKey", "returnRateLimits"}
"""Parameters that every request may have."""

_PUBLIC = {
    "ping": "/api/v3/ping",
    "time": "/api/v3/time",
    "exchangeInfo": "/api/v3/exchangeInfo",
    "depth": "/api/v3/depth",
    "trades.recent": "/api/v3/trades",
    "trades.historical": "/api/v3/historicalTrades",
    "trades.aggregate": "/api/v3/aggTrades",
    "klines": "/api/v3/klines",
    "avgPrice": "/api/v3/avgPrice",
    "ticker.24hr": "/api/v3/ticker/24hr",
    "ticker.price": "/api/v3/ticker/price",
    "ticker.book": "/api/v3/ticker/bookTicker",
}


class Venue(ApiVenue, rest.Venue, Protocol):
    """What the WebSocket API needs of the venue."""

    users: UserStreams


class _Call(msgspec.Struct):
    method: str = ""
    id: str | int | None = None
    params: dict[str, msgspec.Raw] = {}


class ApiCommands:
    """Reads the JSON messages of a connection to the WebSocket API and answers them.

    Args:
        connection: Where they come from.
        venue: What they act upon.
        api: The door they go through.
    """

    def __init__(self, connection: Connection, venue: Venue, api: Api) -> None:
        self._connection, self._venue, self._api = connection, venue, api

    def handle(self, raw: str | bytes) -> None:
        """Carry out one message and answer it."""
        try:
            call = msgspec.json.decode(raw, type=_Call)
        except (msgspec.DecodeError, RecursionError):
            return self._say(None, _failed(refusal(-1135, "Invalid JSON Request")))
        if call.method in METHODS:
            return self._ask(call)
        try:
            reply = self._answer(call)
        except web.HTTPException as error:
            reply = _failed(error)
        self._say(call.id, reply)

    def _answer(self, call: _Call) -> Reply:
        """The answer to what needs no key."""
        params = {name: _text(raw) for name, raw in call.params.items()}
        self._venue.seen.requested("WS", call.method, params)
        if call.method == "userDataStream.unsubscribe":
            number = number_of(params, "subscriptionId", -1, low=0, high=_NUMBER_MAX)
            self._venue.users.unsubscribe(self._connection, None if number < 0 else number)
            return Reply(body=b"{}")
        if call.method == "userDataStream.subscribe":
            raise refusal(-1099, "Not found, authenticated, or authorized.")
        if call.method not in _PUBLIC:
            raise refusal(-1020, "This operation is not supported.")
        endpoint = rest.ENDPOINTS[_PUBLIC[call.method]]
        refused = self._api.too_heavy(endpoint.weight(params))
        if refused is not None:
            return refused
        check_names(params, endpoint.params | _OF_ANY)
        body = endpoint.answer(self._venue, params)
        return Reply(body=body if isinstance(body, bytes) else encode(body))

    def _ask(self, call: _Call) -> None:
        """Send a signed request through the door."""
        params = {name: _text(raw) for name, raw in call.params.items()}
        signed = "&".join(f"{k}={v}" for k, v in sorted(params.items()) if k != "signature")
        operation = METHODS[call.method]
        shown = Credentials(params.get("apiKey", ""), signed)
        asked = Request("WS", call.method, operation, params, shown)
        self._api.receive(asked)
        if self._venue.faults.active("maintenance", path=PATH):
            return self._connection.end(1012, "Maintenance")
        reply = self._api.handle(asked)
        if operation.kind == "subscribe" and reply.asker is not None:
            reply = self._subscribed(reply, reply.asker)
        if reply.asker is not None and params.get("returnRateLimits") != "false":
            counts = self._venue.order_gate.rows(reply.asker.account.name, self._venue.now_ms())
            reply.rate_limits = encode(counts)
        self._send(call.id, reply)

    def _subscribed(self, reply: Reply, asker: Asker) -> Reply:
        try:
            number = self._venue.users.subscribe(self._connection, asker.account)
        except web.HTTPException as error:
            return _failed(error)
        reply.body = encode({"subscriptionId": number})
        return reply

    def _send(self, number: str | int | None, reply: Reply) -> None:
        """Say it, later or never."""
        if reply.lost == "reset":
            self._venue.users.flush()
            return self._connection.reset()
        if reply.lost:
            return
        if reply.delay_s is None:
            return self._say(number, reply)
        self._venue.users.flush()
        asyncio.get_running_loop().call_later(reply.delay_s, self._say, number, reply)

    def _say(self, number: str | int | None, reply: Reply) -> None:
        if not reply.body.startswith((b"{", b"[")):  # a page in the place of an answer
            return self._connection.end(1011, "Internal error")
        body = reply.body if reply.status == 200 else _with_wait(reply, self._venue.now_ms())
        what = b"result" if reply.status == 200 else b"error"
        head = b'{"id":%b,"status":%d,"%b":' % (encode(number), reply.status, what)
        tail = b',"rateLimits":%b}' % reply.rate_limits if reply.rate_limits else b"}"
        frame = HTML.format(title="502 Bad Gateway").encode() if reply.html else head + body + tail
        self._connection.send(frame[: len(frame) // 2] if reply.cut else frame)


def _with_wait(reply: Reply, now_ms: int) -> bytes:
    """The error; with the time to come back in its data, as there are no headers here."""
    wait_s = reply.headers.get("Retry-After")
    if wait_s is None:
        return reply.body
    error = msgspec.json.decode(reply.body, type=dict[str, object])
    return encode(
        {**error, "data": {"serverTime": now_ms, "retryAfter": now_ms + int(wait_s) * 1000}}
    )


def _failed(error: web.HTTPException) -> Reply:
    return Reply(status=error.status, body=(error.text or "{}").encode())


def _text(raw: msgspec.Raw) -> str:
    """A parameter as it enters the signature: the text itself, or the number as it was written."""
    written = bytes(raw).decode().strip()
    return msgspec.json.decode(raw, type=str) if written.startswith('"') else written
