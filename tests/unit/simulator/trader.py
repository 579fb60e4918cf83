"""A client that signs by the letter of Binance's documents, and can be told to do it wrong."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from urllib.parse import urlencode

import aiohttp

from foxtrot.simulator.binance import SimulatedBinance
from foxtrot.simulator.binance_keys import SIMULATED_KEY, SIMULATED_SECRET

DEADLINE_S = 5.0


class Answer:
    """Status, JSON (or text) and headers."""

    def __init__(self, status: int, body, headers=None) -> None:
        self.status, self.body, self.headers = status, body, headers or {}

    @property
    def error(self) -> tuple[int, int]:
        """Status and code."""
        return self.status, self.body["code"]


def signed(text: str, secret: str = SIMULATED_SECRET) -> str:
    """The signature of a text."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


class Trader:
    """Sends signed requests by REST (`rest`) and by WebSocket API (`call`)."""

    def __init__(self, sim: SimulatedBinance, session: aiohttp.ClientSession) -> None:
        self.sim, self.session = sim, session
        self.key, self.secret = SIMULATED_KEY, SIMULATED_SECRET
        self.socket: aiohttp.ClientWebSocketResponse | None = None
        self.events: list[dict] = []
        self._number = 0

    def stamped(self, params: dict) -> dict:
        """With the time, unless it is given; what is None is left out."""
        merged = {"timestamp": self.sim.now_ms(), **params}
        return {name: value for name, value in merged.items() if value is not None}

    async def rest(self, method: str, path: str, **params) -> Answer:
        """A request with the signature at the end of the query, or of the body of a POST."""
        text = urlencode(self.stamped(params))
        return await self.raw(method, path, f"{text}&signature={signed(text, self.secret)}")

    async def raw(self, method: str, path: str, text: str) -> Answer:
        """A request with exactly this query or body."""
        from yarl import URL

        posted = method == "POST"
        url = URL(f"{self.sim.rest_url}{path}" + ("" if posted else f"?{text}"), encoded=True)
        headers = {"X-MBX-APIKEY": self.key} if self.key else {}
        body = text if posted else None
        async with self.session.request(method, url, data=body, headers=headers) as response:
            raw = await response.text()
            kind = response.content_type
            content = json.loads(raw) if kind == "application/json" else raw
            return Answer(response.status, content, response.headers)

    async def place(self, **params) -> Answer:
        """A limit order that rests far below the market, unless told otherwise."""
        return await self.rest("POST", "/api/v3/order", **self.order(**params))

    def order(self, **params) -> dict:
        """The parameters of such an order."""
        bid = self.sim.market.quote("BTCUSDT").bid_e8 / 10**8
        plain = {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": "0.01",
            "price": f"{bid * 0.99:.2f}",
        }
        return plain | params

    async def send(self, method: str, **params) -> int:
        """A signed request by WebSocket API; returns its number."""
        if self.socket is None:
            self.socket = await self.session.ws_connect(self.sim.websocket_url + "/ws-api/v3")
        merged = self.stamped({"apiKey": self.key, **params})
        text = "&".join(f"{name}={merged[name]}" for name in sorted(merged))
        merged["signature"] = signed(text, self.secret)
        self._number += 1
        await self.socket.send_json({"id": self._number, "method": method, "params": merged})
        return self._number

    async def call(self, method: str, **params) -> Answer:
        """A signed request by WebSocket API and its answer; events are kept in `events`."""
        number = await self.send(method, **params)
        while True:
            message = await self.receive()
            if message.get("id") == number:
                body = message.get("result", message.get("error"))
                return Answer(message["status"], body, message)
            self.events.append(message["event"])

    async def receive(self) -> dict:
        """The next message."""
        assert self.socket is not None
        async with asyncio.timeout(DEADLINE_S):
            return await self.socket.receive_json()

    async def event(self, kind: str = "executionReport") -> dict:
        """The next event of a kind; the others are skipped."""
        while True:
            if not self.events:
                self.events.append((await self.receive())["event"])
            event = self.events.pop(0)
            if event["e"] == kind:
                return event
