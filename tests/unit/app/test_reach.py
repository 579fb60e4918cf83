"""Whether a venue can be reached, and whether the clocks agree, as the doctor sees it."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate

import pytest

from foxtrot.app import reach
from foxtrot.core.event_engine import EventEngine
from tests.support.fake_adapter import FakeAdapter

HOST = "127.0.0.1"


class WebAdapter(FakeAdapter):
    """One that speaks HTTP."""

    @property
    def web_address(self) -> str:
        """Where it does."""
        return f"http://{self.endpoint}/api"


def adapter_at(port: int, kind: type[FakeAdapter] = FakeAdapter) -> FakeAdapter:
    """An adapter that would connect there."""
    adapter = kind(EventEngine())
    adapter.configure({"url": f"{HOST}:{port}"})
    return adapter


@contextmanager
def web(ahead_s: float) -> Iterator[int]:
    """A web server whose clock is so much ahead of ours; yields its port."""

    class Late(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(404)
            self.end_headers()

        def date_time_string(self, timestamp: float | None = None) -> str:
            return formatdate(time.time() + ahead_s, usegmt=True)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.HTTPServer((HOST, 0), Late) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join(5.0)


def test_a_place_where_somebody_listens_is_reachable() -> None:
    """More cannot be known of one that speaks no HTTP."""
    with socket.create_server((HOST, 0)) as listener:
        (finding,) = reach.examine(adapter_at(listener.getsockname()[1]))
    assert (finding.subject, finding.advice) == ("FAKE: reachable", "")


def test_a_place_where_nobody_listens_comes_with_advice() -> None:
    """Which names the place in the settings."""
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
    (finding,) = reach.examine(adapter_at(port, WebAdapter))
    assert "refused" in finding.found
    assert "venues.FAKE.connect" in finding.advice


@pytest.mark.parametrize(("ahead_s", "word"), [(-3600.0, "ahead of"), (3600.0, "behind")])
def test_a_clock_that_is_wrong_is_told(ahead_s: float, word: str) -> None:
    """By how much, and what sets it."""
    with web(ahead_s) as port:
        _, finding = reach.examine(adapter_at(port, WebAdapter))
    assert word in finding.found
    assert "NTP" in finding.advice


def test_a_clock_that_is_right_needs_no_advice() -> None:
    """Within what a head of HTTP can tell."""
    with web(0.0) as port:
        _, finding = reach.examine(adapter_at(port, WebAdapter))
    assert finding.advice == ""
    assert "within 2 s" in finding.found


def test_a_place_that_speaks_nothing_tells_no_clock() -> None:
    """It is no trouble of the clock's."""
    with socket.create_server((HOST, 0)) as listener:

        def hang_up() -> None:
            for _ in range(2):
                listener.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        _, finding = reach.examine(adapter_at(listener.getsockname()[1], WebAdapter))
        thread.join(5.0)
    assert finding.found.startswith("not told")
    assert finding.advice == ""
