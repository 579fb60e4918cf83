"""Orders and keys go where the settings say, and nowhere else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from foxtrot import MainEngine
from foxtrot.adapter.binance import BinanceAdapter
from foxtrot.model.events import EVENT_CONNECTION
from foxtrot.model.health import ConnectionStatus
from tests.support.events import EventLog
from tests.support.rig import QUICK, SHORT


class _Redirect(BaseHTTPRequestHandler):
    """Answers each request with another address, or counts it."""

    target: ClassVar[str] = ""

    def do_GET(self) -> None:
        """Any request."""
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.send_response(307)
        self.send_header("Location", f"{self.server.target}{self.path}")  # type: ignore[attr-defined]
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def redirecting(target: str = "") -> Iterator[tuple[str, list[str]]]:
    """A server that sends everybody to `target`; its URL, and what it was asked."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Redirect)
    server.target, server.asked = target, []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.asked  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()


def test_a_venue_that_points_elsewhere_is_not_followed() -> None:
    """A redirect is an error in words; whoever it points to hears nothing, and gets no key."""
    with redirecting() as (elsewhere, heard), redirecting(elsewhere) as (venue, asked):
        with MainEngine(settings=dict(QUICK)) as engine:
            log = EventLog(engine.event_engine)
            engine.add_adapter(BinanceAdapter, config=SHORT)
            setting = {"environment": "simulated", "rest_url": venue}
            engine.connect({**setting, "api_key": "a-key", "secret": "a-secret"}, "BINANCE")
            log.wait_type(EVENT_CONNECTION, where=_says_redirect)
        assert asked
        assert heard == []


def _says_redirect(status: object) -> bool:
    return isinstance(status, ConnectionStatus) and "redirect" in status.reason


def test_no_test_reaches_another_machine() -> None:
    """The whole suite runs behind this: a wrong address is an error, never somebody's venue."""
    with socket.socket() as far, pytest.raises(PermissionError, match=r"192\.0\.2\.1"):
        far.connect(("192.0.2.1", 443))
