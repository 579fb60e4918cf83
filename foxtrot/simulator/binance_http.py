"""The front door of the simulated Binance: which path is answered by whom, and the limits there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, MutableMapping
from typing import Protocol
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from foxtrot.simulator import binance_rest as rest
from foxtrot.simulator.binance_api import HTML, Api, Reply, Request, canned
from foxtrot.simulator.binance_connection import Connection
from foxtrot.simulator.binance_connection import Venue as ConnectionVenue
from foxtrot.simulator.binance_desk import Desk, desk_routes
from foxtrot.simulator.binance_keys import Credentials
from foxtrot.simulator.binance_limits import Refusal, WeightGate
from foxtrot.simulator.binance_orders import REST
from foxtrot.simulator.binance_params import refusal
from foxtrot.simulator.binance_socket import PATH as ORDERS_PATH
from foxtrot.simulator.binance_socket import ApiCommands
from foxtrot.simulator.binance_socket import Venue as ApiVenue
from foxtrot.simulator.fault_routes import fault_routes
from foxtrot.simulator.faults import Fault
from foxtrot.simulator.window import Window

_JSON = "application/json"
_SLOW_S = 10.0
_LOOK_S = 0.05
_HANG_MAX_S = 3_600.0
_LISTEN_KEY_CHARS = 60
_ORDERS_SOCKET_WEIGHT = 2


class Venue(ConnectionVenue, ApiVenue, Protocol):
    """What the front door needs of the venue."""

    desk: Desk

    def subscriptions(self) -> set[str]:
        """The streams that are live now."""


class Http:
    """Routes, limits and faults of requests and handshakes.

    Args:
        venue: Who answers.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        limits = venue.limits
        self._closing = asyncio.Event()
        self._gate = WeightGate(limits)
        self._api = Api(venue, self._gate)
        self._handshakes = Window(limits.connections, limits.connections_window_s)

    def application(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application()
        for path in ("/ws", "/stream", "/ws/{streams:.*}", "/stream/ws", "/stream/ws/{streams:.*}"):
            app.router.add_get(path, self._market_stream)
        app.router.add_get(ORDERS_PATH, self._orders_socket)
        app.router.add_routes(desk_routes(self._venue.desk))
        app.add_routes(fault_routes(self._venue.faults))
        app.router.add_get("/control/seen", self._show_seen)
        app.on_shutdown.append(self._shut)
        app.router.add_route("*", "/{path:.*}", self._request)
        return app

    async def _shut(self, _: web.Application) -> None:
        self._closing.set()

    async def _request(self, request: web.Request) -> web.StreamResponse:
        """A REST request: the faults first, then the weight, then the answer."""
        path = request.path
        if (request.method, path) in REST:
            return await self._order_request(request)
        self._venue.seen.requested(request.method, path, dict(request.query))
        down = await self._hold_up(request)
        if down is not None:
            return down
        fault = self._venue.faults.take("http_error", path=path)
        if fault is not None:
            return self._weighed(_canned(fault))
        endpoint = rest.ENDPOINTS.get(path)
        weight = endpoint.weight(request.query) if endpoint else 1
        refused = self._gate.charge(weight, self._venue.now_ms())
        if refused is not None:
            return self._weighed(_refused(refused))
        try:
            if path in rest.RETIRED:
                raise rest.gone()
            if endpoint is None or request.method != "GET":
                raise rest.not_found()
            body = rest.answer(self._venue, endpoint, request)
        except web.HTTPException as error:
            self._weigh(error.headers)
            raise
        if self._venue.faults.take("truncated_body", path=path):
            body = body[: len(body) // 2]
        return self._weighed(web.Response(body=body, content_type=_JSON))

    async def _order_request(self, request: web.Request) -> web.StreamResponse:
        """A signed request of the trading side."""
        operation = REST[request.method, request.path]
        query = request.raw_path.partition("?")[2]
        body = (await request.read()).decode(errors="replace")
        pairs = parse_qsl("&".join(filter(None, (query, body))), keep_blank_values=True)
        params = dict(pairs)
        shown = Credentials(request.headers.get("X-MBX-APIKEY", ""), _signed_text(query, body))
        asked = Request(request.method, request.path, operation, params, shown)
        self._api.receive(asked)
        down = await self._hold_up(request)
        if down is not None:
            return down
        if len(params) < len(pairs):
            raise refusal(-1101, "Duplicate values for a parameter detected.")
        return await self._replied(request, self._api.handle(asked))

    async def _replied(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        if reply.lost or reply.delay_s is not None:
            self._venue.users.flush()
        if reply.lost == "reset":
            raise _dropped(request)
        if reply.lost:
            await self._hang(request, lambda: True)
            raise _dropped(request)
        if reply.delay_s is not None:
            await self._pause(reply.delay_s)
        body = HTML.format(title="502 Bad Gateway").encode() if reply.html else reply.body
        kind = _JSON if body[:1] in (b"{", b"[") else "text/html"
        return self._weighed(
            web.Response(
                body=body[: len(body) // 2] if reply.cut else body,
                status=reply.status,
                content_type=kind,
                headers=reply.headers,
            )
        )

    async def _hold_up(self, request: web.Request) -> web.StreamResponse | None:
        """Latency, a hanging or a refusing venue, or one under maintenance."""
        faults = self._venue.faults
        if faults.quiet:
            return None
        down = faults.take("maintenance", path=request.path)
        if down is not None:
            return _page(down)
        refuse = faults.active("refuse", path=request.path)
        if refuse is not None and refuse.rest:
            raise _dropped(request)
        slow = faults.active("latency", path=request.path)
        if slow is not None:
            await self._pause(slow.seconds or 0.0)
        mute = faults.active("mute", path=request.path)
        if mute is not None and mute.rest:
            await self._hang(request, lambda: faults.active("mute", path=request.path) is not None)
        return None

    async def _hang(self, request: web.Request, still: Callable[[], bool]) -> None:
        """Say nothing until the fault is cleared, the client has gone or the venue stops."""
        async with asyncio.timeout(_HANG_MAX_S):
            while still() and not self._closing.is_set():
                if request.transport is None or request.transport.is_closing():
                    raise _dropped(request)
                await self._pause(_LOOK_S)

    async def _pause(self, seconds: float) -> None:
        """Wait, but not longer than the venue runs."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

    async def _market_stream(self, request: web.Request) -> web.StreamResponse:
        """A handshake for market streams; raw on /ws, wrapped on /stream."""
        refused = await self._refuse_handshake(request)
        if refused is not None:
            return refused
        combined = request.path == "/stream"
        text = request.query.get("streams", "") if combined else _named(request)
        streams = tuple(dict.fromkeys(name for name in text.split("/") if name))
        bound = self._venue.limits.streams_per_connection
        if bound is not None and len(streams) > bound:
            return web.Response(status=400, text="Too many streams")
        if any(len(name) >= _LISTEN_KEY_CHARS and "@" not in name for name in streams):
            raise rest.gone()
        number = self._venue.seen.connected()
        return await Connection(number, self._venue, request, combined=combined).serve(streams)

    async def _refuse_handshake(self, request: web.Request) -> web.StreamResponse | None:
        """The faults and limits of a handshake; None if it may go on."""
        faults = self._venue.faults
        if faults.active("mute", path=request.path):
            await self._hang(request, lambda: faults.active("mute", path=request.path) is not None)
        down = faults.take("maintenance", path=request.path)
        if down is not None:
            return _page(down)
        slow = faults.active("slow_handshake", path=request.path)
        if slow is not None:
            await self._pause(_SLOW_S if slow.seconds is None else slow.seconds)
        refuse = faults.take("refuse", path=request.path)
        if refuse is not None and refuse.status is None:
            raise _dropped(request)
        if refuse is not None:
            return web.Response(status=refuse.status or 503, headers=refuse.headers)
        now_s = asyncio.get_running_loop().time()
        if not self._handshakes.admit(now_s):
            retry = str(self._handshakes.retry_after_s(now_s))
            return web.Response(status=429, headers={"Retry-After": retry})
        return None

    async def _orders_socket(self, request: web.Request) -> web.StreamResponse:
        """A handshake for the WebSocket API."""
        refused = await self._refuse_handshake(request)
        if refused is not None:
            return refused
        heavy = self._gate.charge(_ORDERS_SOCKET_WEIGHT, self._venue.now_ms())
        if heavy is not None:
            return self._weighed(_refused(heavy))

        def orders(connection: Connection) -> ApiCommands:
            return ApiCommands(connection, self._venue, self._api)

        number = self._venue.seen.connected(for_orders=True)
        return await Connection(number, self._venue, request, orders=orders).serve(())

    async def _show_seen(self, request: web.Request) -> web.Response:
        seen = self._venue.seen
        return _json(
            {
                "connections": seen.connections,
                "order_connections": seen.order_connections,
                "subscriptions": sorted(self._venue.subscriptions()),
                "subscribes": seen.subscribes,
                "unsubscribes": seen.unsubscribes,
                "requests": seen.requests,
            }
        )

    def _weighed(self, response: web.Response) -> web.Response:
        self._weigh(response.headers)
        return response

    def _weigh(self, headers: MutableMapping[str, str]) -> None:
        """Every answer tells the weight used in this minute."""
        headers["X-MBX-USED-WEIGHT"] = headers["X-MBX-USED-WEIGHT-1M"] = str(self._gate.used)


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type=_JSON)


def _canned(fault: Fault) -> web.Response:
    status, body = canned(fault)
    kind = _JSON if body[:1] in ("{", "[") else "text/html"
    return web.Response(text=body, status=status, content_type=kind, headers=fault.headers)


def _page(down: Fault) -> web.Response:
    """What stands where the venue was."""
    status = down.status or 503
    title = "403 Forbidden" if status == 403 else f"{status} Service Unavailable"
    return web.Response(
        text=down.body or HTML.format(title=title),
        status=status,
        content_type="text/html",
        headers=down.headers,
    )


def _signed_text(query: str, body: str) -> str:
    """What a signature is of: query and body as they were sent, without the signature."""
    return "".join(
        "&".join(part for part in text.split("&") if not part.startswith("signature="))
        for text in (query, body)
    )


def _refused(refused: Refusal) -> web.Response:
    response = _json({"code": -1003, "msg": refused.message}, status=refused.status)
    response.headers["Retry-After"] = str(refused.retry_after_s)
    return response


def _dropped(request: web.Request) -> web.HTTPException:
    """Reset the connection; the answer that goes with it reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.HTTPServiceUnavailable()


def _named(request: web.Request) -> str:
    """Stream names in the path; the numbers ccxt puts there name nothing."""
    text = request.match_info.get("streams", "")
    return "" if text.isdigit() else text
