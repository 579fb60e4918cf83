"""How a browser is let in, once."""

from __future__ import annotations

import logging
import socket
from http.cookies import SimpleCookie

import pytest

from foxtrot.monitoring.door import COOKIE
from tests.support.monitor import WAIT_S, Monitored


@pytest.fixture
def monitored():
    with Monitored() as monitored:
        yield monitored


def form(monitored: Monitored, text: str) -> tuple[int, dict[str, str], bytes]:
    reply = monitored._ask("POST", "/login", text.encode(), {"Authorization": ""})
    return reply.status, reply.headers, reply.body


def test_the_token_gives_a_cookie_that_opens(monitored: Monitored) -> None:
    """By the form or by a link; a script cannot read it, and other sites cannot use it."""
    token = monitored.server.token.reveal()
    entered = form(monitored, f"token={token}")
    linked = monitored.get(f"/login?token={token}", Authorization="")
    for status, headers in (entered[:2], (linked.status, linked.headers)):
        assert (status, headers["location"]) == (303, "/ui/")
        kept = SimpleCookie(headers["set-cookie"])[COOKIE]
        assert kept["httponly"]
        assert kept["samesite"].lower() == "strict"
        assert token not in headers["set-cookie"]
        shown = monitored.get("/api/v1/health", Authorization="", Cookie=f"{COOKIE}={kept.value}")
        assert shown.status == 200


@pytest.mark.parametrize(
    "text", ["", "token=", "token=wrong", "token=%00%ff", "token=a&token=b", "&" * 50, "a=b"]
)
def test_anything_else_is_asked_again(monitored: Monitored, text: str) -> None:
    """Without a cookie, and without what was typed."""
    status, headers, body = form(monitored, text)
    assert status in {400, 401}
    assert "set-cookie" not in headers
    assert b"wrong</" not in body


def test_the_form_tells_where_the_token_is_but_no_path(monitored: Monitored) -> None:
    """Nobody who is outside learns how the user of this machine is called."""
    page = monitored.get("/login", Authorization="")
    assert page.status == 200
    assert b"monitor.token" in page.body
    assert str(monitored.server.token.file.parent).encode() not in page.body


def test_the_token_is_in_no_log(monitored: Monitored, caplog: pytest.LogCaptureFixture) -> None:
    """Not even when it came in a link."""
    caplog.set_level("DEBUG")
    token = monitored.server.token.reveal()
    monitored.get(f"/login?token={token}", Authorization="")
    monitored.get(f"/login?token={token}x", Authorization="")
    assert token not in caplog.text
    assert "monitor_login_refused" in caplog.text


def test_the_server_says_nothing_of_normal_work(caplog: pytest.LogCaptureFixture) -> None:
    """Nor of requests that cannot be read; a host's own uvicorn is not silenced."""
    caplog.set_level("DEBUG")
    with Monitored() as monitored:
        monitored.get("/live")
        with socket.create_connection(("127.0.0.1", monitored.port), WAIT_S) as line:
            line.sendall(b"hello\r\n\r\n")
            assert line.recv(64).startswith(b"HTTP/1.1 400")
    said = logging.getLogger("uvicorn.error")
    assert not [each for each in caplog.records if each.name.startswith("uvicorn")]
    said.info("a host's own line")
    assert "a host's own line" in caplog.text
