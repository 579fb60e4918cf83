"""One websocket connection to the simulated Binance: its commands, its limits, its wire.

Data frames are written to the transport as ready-made bytes, so that a thousand connections or a
million frames cost little; handshake, reading and the closing dance are aiohttp's.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from aiohttp import WSMsgType, web

from foxtrot.simulator.binance_commands import Commands
from foxtrot.simulator.binance_limits import Limits
from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.log import log
from foxtrot.simulator.socket_connection import abort
from foxtrot.simulator.window import Window

_TEXT, _PING, _PONG = 0x81, 0x89, 0x8A
_CLOSING_S = 1.0
_LOOK_S = 0.05
"""How often a muted connection looks whether it may speak again, or whether the peer is gone."""


class Handler(Protocol):
    """Who answers what comes in."""

    def handle(self, raw: str | bytes) -> None:
        """Carry out one message and answer it."""


class Venue(Protocol):
    """What a connection needs of the venue it belongs to."""

    faults: FaultBoard
    limits: Limits

    def subscribe(self, connection: Connection, streams: tuple[str, ...]) -> None:
        """Begin these streams on the connection."""

    def unsubscribe(self, connection: Connection, streams: tuple[str, ...]) -> None:
        """End these streams on the connection."""

    def replay(self, connection: Connection, streams: tuple[str, ...]) -> None:
        """Send old frames of these streams, if the fault for it stands."""

    def admit(self, connection: Connection) -> None:
        """A connection shook hands."""

    def dismiss(self, connection: Connection) -> None:
        """A connection ended, and with it its streams."""

    def now_ms(self) -> int:
        """The venue's clock."""


def frame(payload: bytes, opcode: int = _TEXT) -> bytes:
    """One unmasked websocket frame."""
    size = len(payload)
    if size < 126:
        return bytes((opcode, size)) + payload
    if size < 65_536:
        return struct.pack("!BBH", opcode, 126, size) + payload
    return struct.pack("!BBQ", opcode, 127, size) + payload


class Connection:
    """A websocket connection from its handshake to its end.

    Args:
        number: Its number, counted from 1 over the life of the venue.
        venue: Where it is connected.
        request: The upgrade request.
        combined: Whether data comes in `{"stream", "data"}` wrappers.
        orders: Who answers, if this is a connection to the WebSocket API.
    """

    def __init__(
        self,
        number: int,
        venue: Venue,
        request: web.Request,
        *,
        combined: bool = False,
        orders: Callable[[Connection], Handler] | None = None,
    ) -> None:
        self.number = number
        self.path = request.path
        self.combined = combined
        self.for_orders = orders is not None
        self.streams: dict[str, None] = {}
        self._venue, self._request = venue, request
        self._socket = web.WebSocketResponse(
            autoping=False, autoclose=False, compress=False, timeout=_CLOSING_S
        )
        self._commands: Handler = orders(self) if orders is not None else Commands(self, venue)
        self._loop = asyncio.get_running_loop()
        self._ending: asyncio.Future[None] = self._loop.create_future()
        self._last_word = (1000, "")
        self._window = Window(None if self.for_orders else venue.limits.messages_per_s, 1.0)
        self._pings: deque[tuple[bytes, float]] = deque()
        self._corked: list[bytes] | None = None
        self._late: deque[bytes] = deque()

    def __repr__(self) -> str:
        return f"<Connection {self.number} streams={len(self.streams)}>"

    async def serve(self, streams: tuple[str, ...]) -> web.StreamResponse:
        """Shake hands, then talk until one side ends it."""
        try:
            await self._socket.prepare(self._request)
        except ConnectionResetError:  # whoever called has hung up; nobody reads this answer
            return web.Response()
        log.debug("simulated_connection_opened", connection=self.number)
        self._venue.admit(self)
        self._venue.subscribe(self, streams)
        tasks: set[asyncio.Future[None]] = {
            asyncio.create_task(self._read(), name=f"simulator-read-{self.number}"),
            asyncio.create_task(self._keep_alive(), name=f"simulator-ping-{self.number}"),
        }
        try:
            await asyncio.wait({*tasks, self._ending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._venue.dismiss(self)
            self._note_failure(tasks)
            self.end(*self._last_word)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._close()
        return self._socket

    def send(self, payload: bytes, *, opcode: int = _TEXT) -> None:
        """Send one frame, unless the venue is mute; later, if it is slow."""
        if not self._venue.faults.quiet and self._mute():
            return
        data = frame(payload, opcode)
        if self._corked is not None:
            self._corked.append(data)
            return
        self.write(data)

    def write(self, data: bytes) -> None:
        """Put ready-made frames on the wire."""
        slow = self._venue.faults.active("latency", path=self.path)
        if slow is not None or self._late:
            self._late.append(data)
            self._loop.call_later((slow.seconds or 0.0) if slow else 0.0, self._write_late)
            return
        self._write(data)

    def deliver(self, stream: str, payload: bytes) -> None:
        """Send a data frame of a stream, wrapped if this connection wants it so."""
        if self.combined:
            payload = b'{"stream":"%b","data":%b}' % (stream.encode(), payload)
        self.send(payload)

    def cork(self) -> None:
        """Hold frames back until `uncork`."""
        self._corked = self._corked or []

    def uncork(self) -> None:
        """Send what was held back in one piece."""
        held, self._corked = self._corked, None
        if held:
            self.write(b"".join(held))

    def end(self, code: int, reason: str = "") -> None:
        """Close with a code, as soon as the loop comes round."""
        if not self._ending.done():
            self._last_word = (code, reason)
            self._ending.set_result(None)

    def reset(self) -> None:
        """Drop the connection with a TCP reset."""
        if self._request.transport is not None:
            abort(self._request.transport)

    def hang_up(self) -> None:
        """Drop the connection with a FIN and without a close frame."""
        transport = self._request.transport
        if transport is None or transport.is_closing():
            return
        transport.write_eof()
        transport.close()

    def backlog(self) -> int:
        """Bytes that wait for the client to read."""
        transport = self._request.transport
        if not isinstance(transport, asyncio.WriteTransport) or transport.is_closing():
            return 0
        return transport.get_write_buffer_size()

    @property
    def open(self) -> bool:
        """Whether the connection still stands."""
        transport = self._request.transport
        return transport is not None and not transport.is_closing() and not self._ending.done()

    def _note_failure(self, tasks: Iterable[asyncio.Future[None]]) -> None:
        for task in tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                log.error("simulated_connection_failed", connection=self.number, exc_info=error)
                self.end(1011, "Internal error")

    def _write(self, data: bytes) -> None:
        transport = self._request.transport
        if not isinstance(transport, asyncio.WriteTransport) or not self.open:
            return
        transport.write(data)
        bound = self._venue.limits.send_buffer_bytes
        if bound is not None and transport.get_write_buffer_size() > bound:
            self.end(1008, "Client is too slow")

    def _write_late(self) -> None:
        if self._late:
            self._write(self._late.popleft())

    async def _read(self) -> None:
        while True:
            message = await self._socket.receive()
            if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING):
                await self._while_mute()
                return
            if message.type in (WSMsgType.CLOSED, WSMsgType.ERROR):
                return
            if not self._window.admit(self._loop.time()):
                self.end(1008, "Too many requests")
                return
            if message.type is WSMsgType.PING:
                self._answer_ping(message.data)
            elif message.type is WSMsgType.PONG:
                self._take_pong(bytes(message.data))
            elif not self._mute():
                self._commands.handle(message.data)

    def _mute(self) -> bool:
        return self._venue.faults.active("mute", path=self.path) is not None

    async def _while_mute(self) -> None:
        """A mute venue does not even answer a close frame."""
        # ASYNC110: a peer that goes away sets no event
        while self._mute() and self.open:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)

    def _answer_ping(self, payload: bytes) -> None:
        if not self._venue.faults.active("no_pong", path=self.path):
            self.send(payload, opcode=_PONG)

    def _take_pong(self, payload: bytes) -> None:
        """A pong answers the ping of the same payload and all before it."""
        for ping, _ in tuple(self._pings):
            if ping == payload:
                while self._pings.popleft()[0] != payload:
                    pass
                return

    async def _keep_alive(self) -> None:
        """Ping, watch for the pongs, and end the connection at the end of its life."""
        limits, loop = self._venue.limits, self._loop
        end_s = loop.time() + limits.life_s if limits.life_s is not None else float("inf")
        next_ping_s = loop.time() + (limits.ping_interval_s or float("inf"))
        while True:
            late_s = self._pings[0][1] + limits.pong_timeout_s if self._pings else float("inf")
            now_s = loop.time()
            if now_s >= end_s:
                return self.end(1001, "Connection is 24 hours old")
            if now_s >= late_s:
                return self.end(1008, "Pong timeout")
            if now_s >= next_ping_s and limits.ping_interval_s:
                next_ping_s = now_s + limits.ping_interval_s
                self._ping(now_s)
                continue
            await asyncio.sleep(min(end_s, late_s, next_ping_s, now_s + 3_600) - now_s)

    def _ping(self, now_s: float) -> None:
        payload = str(self._venue.now_ms()).encode()
        self._pings.append((payload, now_s))
        self.send(payload, opcode=_PING)

    async def _close(self) -> None:
        code, reason = self._last_word
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2 * _CLOSING_S):
                await self._socket.close(code=code, message=reason.encode())
        transport = self._request.transport
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()  # who has not read it by now would have it kept for ever
        log.debug("simulated_connection_closed", connection=self.number, code=code)
