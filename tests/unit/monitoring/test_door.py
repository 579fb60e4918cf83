"""Nobody comes past the door who should not, and nobody takes his time in it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from foxtrot.monitoring import door as door_module
from foxtrot.monitoring.access import Token
from foxtrot.monitoring.door import BODY_LIMIT, COOKIE, Door, Message, Receive, Scope, Send
from tests.support.clock import ManualClock

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]


async def welcome(scope: Scope, receive: Receive, send: Send) -> None:
    """Read everything, and say hello."""
    while (message := await receive())["type"] == "http.request" and message.get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


class Rig:
    """A door with a clock that stands still."""

    def __init__(self, file: Path) -> None:
        self.token, self.clock = Token(file), ManualClock()
        self.handler: Handler = welcome
        self.door = self.made()
        self.sent: list[Message] = []

    def made(self, hosts: tuple[str, ...] = (), per_s: float = 5, remote: bool = False) -> Door:
        async def behind(scope: Scope, receive: Receive, send: Send) -> None:
            await self.handler(scope, receive, send)

        return Door(behind, self.token, hosts=hosts, remote=remote, per_s=per_s, clock=self.clock)

    async def ask(
        self, path: str = "/", method: str = "GET", body: tuple[bytes, ...] = (b"",), **named: str
    ) -> int:
        """The status of the answer."""
        self.sent = []
        headers = {"host": "127.0.0.1:80", "authorization": f"Bearer {self.token.reveal()}"}
        headers |= {name.replace("_", "-"): value for name, value in named.items()}
        scope: Scope = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": [(k.encode(), v.encode("latin-1")) for k, v in headers.items()],
        }
        await self.door(scope, self._parts(body), self._send)
        return int(str(self.sent[0]["status"]))

    def _parts(self, body: tuple[bytes, ...]) -> Receive:
        left = list(body)

        async def receive() -> Message:
            if not left:
                await asyncio.Event().wait()
            part = left.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(left)}

        return receive

    async def _send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def headers(self) -> dict[bytes, bytes]:
        shown = self.sent[0]["headers"]
        assert isinstance(shown, list)
        return dict(shown)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path / "token")


async def test_the_token_opens(rig: Rig) -> None:
    """As a bearer, whatever the case of the word, or as the cookie that was given for it."""
    assert await rig.ask() == 200
    assert await rig.ask(authorization=f"bearer {rig.token.reveal()}") == 200
    assert await rig.ask(authorization="", cookie=f"a=b; {COOKIE}={rig.token.cookie}") == 200


@pytest.mark.parametrize(
    "shown",
    [
        {"authorization": ""},
        {"authorization": "Bearer "},
        {"authorization": "Bearer wrong"},
        {"authorization": "Basic dXNlcjp3b3Jk"},
        {"authorization": "", "cookie": f"{COOKIE}=wrong"},
        {"authorization": "", "cookie": "=;;;\x00"},
        {"authorization": "Bearer ÄÖÜ"},
    ],
)
async def test_without_the_token_nothing_is_told(rig: Rig, shown: dict[str, str]) -> None:
    """The answer says what to show, and comes from the door."""
    assert await rig.ask("/api/v1/health", **shown) == 401
    assert rig.headers[b"www-authenticate"] == b"Bearer"
    assert msgspec.json.decode(rig.sent[1]["body"])["error"]["code"] == "unauthorized"  # type: ignore[arg-type]


async def test_a_wrong_bearer_is_not_made_good_by_a_cookie(rig: Rig) -> None:
    """Who shows a token is judged by it."""
    cookie = f"{COOKIE}={rig.token.cookie}"
    assert await rig.ask(authorization="Bearer wrong", cookie=cookie) == 401


async def test_a_token_that_is_sent_twice_counts_as_none(rig: Rig) -> None:
    """Two headers of one name may be read in two ways; neither is believed."""
    value = f"Bearer {rig.token.reveal()}".encode()
    headers = [(b"host", b"localhost"), (b"authorization", value), (b"authorization", value)]
    scope: Scope = {"type": "http", "method": "GET", "path": "/x", "headers": headers}
    await rig.door(scope, rig._parts(()), rig._send)
    assert rig.sent[0]["status"] == 401


async def test_a_browser_without_the_token_is_sent_to_the_login(rig: Rig) -> None:
    """A person sees a form; a program that asks the API sees 401 all the same."""
    assert await rig.ask(authorization="", accept="text/html,*/*") == 303
    assert rig.headers[b"location"] == b"/login"
    assert await rig.ask("/api/v1/health", authorization="", accept="text/html") == 401


async def test_whether_it_lives_and_the_login_are_told_to_anybody(rig: Rig) -> None:
    """Nothing else is."""
    assert await rig.ask("/live", authorization="") == 200
    assert await rig.ask("/login", authorization="") == 200
    for path in ("/live/", "/Live", "/login/x", "//live", "/metrics", "/api/v1/openapi.json"):
        assert await rig.ask(path, authorization="") in {401, 429}
        rig.clock.advance(1)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "", "127.0.0.1.evil.example", "[::1", "a@b:1:2"]
)
async def test_a_strange_host_name_is_refused(rig: Rig, host: str) -> None:
    """A page of another site that had its name point here gets nothing, not even with the token."""
    assert await rig.ask("/live", host=host) == 421


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8650", "[::1]:8650", "LOCALHOST:1"])
async def test_the_loopback_has_several_names(rig: Rig, host: str) -> None:
    """Each of them is answered."""
    assert await rig.ask(host=host) == 200


async def test_a_host_that_was_named_is_answered(rig: Rig) -> None:
    """Who asked for another address reaches it by its name."""
    rig.door = rig.made(hosts=("Box.lan",))
    assert await rig.ask(host="box.lan:8650") == 200
    assert await rig.ask(host="192.0.2.7:8650") == 421


async def test_who_asked_to_be_reached_is_reached_by_address(rig: Rig) -> None:
    """An address cannot be made to mean another machine, as a name can."""
    rig.door = rig.made(remote=True)
    for host in ("192.0.2.7:8650", "[2001:db8::1]:8650"):
        assert await rig.ask(host=host) == 200
    assert await rig.ask(host="evil.example") == 421


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:81", "//["])
async def test_a_page_of_another_origin_may_not_ask(rig: Rig, origin: str) -> None:
    """Not even one that a browser lends the cookie."""
    assert await rig.ask("/api/v1/halt", "POST", origin=origin) == 403
    assert await rig.ask("/api/v1/halt", "POST", origin="http://127.0.0.1:80") == 200


async def test_too_many_requests_are_told_to_wait(rig: Rig) -> None:
    """The sixth in a second of a door that takes five; a second later it is open again."""
    assert [await rig.ask() for _ in range(6)] == [200] * 5 + [429]
    assert rig.headers[b"retry-after"] == b"1"
    assert await rig.ask("/live", authorization="") == 429
    rig.clock.advance(1)
    assert await rig.ask() == 200


async def test_a_halt_passes_however_many_ask(rig: Rig) -> None:
    """With the token alone; without it nobody gets around the limit."""
    while await rig.ask() == 200:
        pass
    assert await rig.ask("/api/v1/halt", "POST") == 200
    assert await rig.ask("/api/v1/halt", "POST", authorization="Bearer wrong") == 429


async def test_what_is_too_large_is_not_read(rig: Rig) -> None:
    """In one piece or in many, however it says its size."""
    assert await rig.ask("/", "POST", (b"x" * BODY_LIMIT,)) == 200
    assert await rig.ask("/", "POST", (b"x" * (BODY_LIMIT + 1),)) == 413
    assert await rig.ask("/", "POST", (b"x" * 1024,) * 9) == 413


async def test_a_request_that_never_ends_is_ended(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who sends his body by the drop gives his place to others."""
    monkeypatch.setattr(door_module, "REQUEST_S", 0.01)

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await receive()

    rig.handler = endless
    assert await rig.ask("/", "POST") == 408


async def test_every_answer_tells_browsers_to_be_careful(rig: Rig) -> None:
    """No framing, no guessing of types, no address given away, nothing from other hosts."""
    for named in ({}, {"authorization": ""}):
        await rig.ask("/api/v1/health", **named)
        assert rig.headers[b"x-frame-options"] == b"DENY"
        assert rig.headers[b"referrer-policy"] == b"same-origin"
        assert b"default-src 'self'" in rig.headers[b"content-security-policy"]
        assert not [name for name in rig.headers if name.startswith(b"access-control")]


@pytest.mark.parametrize("named", [{}, {"host": "evil.example"}, {"origin": "http://evil.example"}])
async def test_a_websocket_needs_the_same(rig: Rig, named: dict[str, str]) -> None:
    """It is closed before it was open, without the cookie, or for a page of another site."""
    headers = {"host": "127.0.0.1:80", **named}
    if named:
        headers["cookie"] = f"{COOKIE}={rig.token.cookie}"
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope: Scope = {"type": "websocket", "path": "/_nicegui_ws/", "headers": raw}
    await rig.door(scope, rig._parts((b"",)), rig._send)
    assert rig.sent == [{"type": "websocket.close", "code": 1008}]
