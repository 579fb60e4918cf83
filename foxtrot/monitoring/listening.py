"""uvicorn as it is used here: bounded connections, short headers, and nobody who takes his time."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_LIMIT = 8 * 1024
HEADER_S = 5.0
CONNECTIONS = 64
"""Served at a time; those above are told to come later, and above twice as many not even that."""


class Listener(H11Protocol):
    """A connection: closed if a whole request does not come in time."""

    _deadline: asyncio.TimerHandle | None = None

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
        super().data_received(data)
        if self._busy:
            self._rest()
        elif self._deadline is None:
            self._wait()

    def on_response_complete(self) -> None:
        """Leave the time until the next request to the keep-alive."""
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

    def _wait(self) -> None:
        self._deadline = self.loop.call_later(HEADER_S, self.transport.abort)

    def _rest(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class _Server(uvicorn.Server):
    """Tells when it has begun."""

    def __init__(self, config: uvicorn.Config, begun: threading.Event) -> None:
        super().__init__(config)
        self._begun = begun

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin, and say so."""
        await super().startup(sockets)
        self._begun.set()


def make_server(app: Any, begun: threading.Event, grace_s: int) -> uvicorn.Server:
    """A server that has not begun yet; it ends `grace_s` after it was told to."""
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
        limit_concurrency=CONNECTIONS,
        h11_max_incomplete_event_size=HEADER_LIMIT,
        timeout_keep_alive=int(HEADER_S),
        timeout_graceful_shutdown=grace_s,
        ws_max_size=64 * 1024,
    )
    return _Server(config, begun)
