"""uvicorn as it is used here: bounded connections, short headers, and nobody who takes his time."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from foxtrot.monitoring.answers import failure
from foxtrot.monitoring.door import Receive, Refusal, Scope, Send, refuse

HEADER_LIMIT = 8 * 1024
REQUEST_LIMIT = 2 * HEADER_LIMIT
HEADER_S = 5.0
CONNECTIONS = 64
"""Served at a time; those above are told to come later, and above twice as many not even that."""
_BUSY = Refusal(503, "busy", "too many connections; come later", (b"retry-after", b"1"))


class Listener(HttpToolsProtocol):
    """A connection: closed if a whole request does not come in time, or is too long."""

    _deadline: asyncio.TimerHandle | None = None
    _head = _received = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self.access_log = False  # a path may hold what nobody should read
        if len(self.connections) > 2 * CONNECTIONS:
            transport.abort()
            return
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take what came; the time for a head runs on until the head is whole."""
        self._received += len(data)
        if self._received > REQUEST_LIMIT:
            self.send_400_response("Request too large.")
            return
        super().data_received(data)
        if self._busy:
            self._rest()
        elif self._deadline is None:
            self._wait()

    def on_message_begin(self) -> None:
        """Begin to count a head."""
        self._head = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a part of the path."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Take the head; who comes while all places are taken is told to come later."""
        full = max(len(self.connections), len(self.tasks)) > CONNECTIONS
        self.app = _come_later if full else self.config.loaded_app
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be read, in the form of every other answer."""
        body = failure("bad_request", "this is no HTTP/1.1 request, or its head is too long")
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def on_response_complete(self) -> None:
        """Leave the time until the next request to the keep-alive."""
        self._received = 0
        super().on_response_complete()
        self._rest()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._rest()
        super().connection_lost(exc)

    @property
    def _busy(self) -> bool:
        """Whether a request is being answered, or another protocol took over."""
        upgraded = self not in self.connections
        return upgraded or not getattr(self.cycle, "response_complete", True)

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > HEADER_LIMIT:
            raise ValueError("the head is too long")  # the parser makes a refusal of it

    def _wait(self) -> None:
        self._deadline = self.loop.call_later(HEADER_S, self.transport.abort)

    def _rest(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


async def _come_later(scope: Scope, receive: Receive, send: Send) -> None:
    await refuse(send, _BUSY)


class _Server(uvicorn.Server):
    """Tells when it has begun."""

    def __init__(self, config: uvicorn.Config, begun: threading.Event) -> None:
        super().__init__(config)
        self._begun = begun

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin, and say so."""
        await super().startup(sockets)
        self._begun.set()


class Hush(logging.Filter):
    """Keeps what uvicorn says of normal work on our thread from the log; others' is theirs."""

    def __init__(self, thread: str) -> None:
        super().__init__()
        self._thread = thread

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is shown."""
        return record.threadName != self._thread or record.levelno >= logging.ERROR


def make_server(app: Any, begun: threading.Event, grace_s: int, thread: str) -> uvicorn.Server:
    """A server that has not begun yet; it ends `grace_s` after it was told to.

    It is to run on a thread of the name `thread`.
    """
    said = logging.getLogger("uvicorn.error")
    if not any(isinstance(each, Hush) for each in said.filters):
        said.addFilter(Hush(thread))
    config = uvicorn.Config(
        app,
        http=Listener,
        ws="wsproto",
        loop="asyncio",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=int(HEADER_S),
        timeout_graceful_shutdown=grace_s,
        ws_max_size=64 * 1024,
    )
    return _Server(config, begun)
