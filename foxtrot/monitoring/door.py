"""The door of the server: it looks at every request before anything behind it does.

It belongs to the server's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import urlsplit

import msgspec

from foxtrot.core.clock import Clock, SystemClock
from foxtrot.monitoring.access import Budget, Token
from foxtrot.monitoring.answers import failure

Scope = MutableMapping[str, object]
Message = MutableMapping[str, object]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE: Final = "foxtrot_monitor"
LOGIN: Final = "/login"
LIVE: Final = "/live"
HOME: Final = "/ui/"
API: Final = "/api/"
BODY_LIMIT: Final = 8 * 1024
REQUEST_S: Final = 5.0
REQUESTS_PER_S: Final = 200
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_ACTING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Refusal(msgspec.Struct, frozen=True):
    """Why the door stays shut."""

    status: int
    code: str
    message: str
    header: tuple[bytes, bytes] | None = None


_STRANGE_HOST = Refusal(421, "wrong_host", "this server does not answer to that host name")
_STRANGE_ORIGIN = Refusal(403, "wrong_origin", "pages of other sites may not act here")
_NO_TOKEN = Refusal(
    401, "unauthorized", "show the token: Authorization: Bearer …", (b"www-authenticate", b"Bearer")
)
_TOO_MANY = Refusal(
    429, "too_many_requests", "too many requests; wait a second", (b"retry-after", b"1")
)
_TOO_LARGE = Refusal(413, "too_large", f"a request may have {BODY_LIMIT} bytes")
_TOO_SLOW = Refusal(408, "timeout", f"not done within {REQUEST_S:g} s")

_POLICY = (
    # The pages' library compiles its templates in the browser.
    b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    b"style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    b"connect-src 'self'; frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
)
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # Not no-referrer: browsers then hide the origin of our own forms, too.
    (b"referrer-policy", b"same-origin"),
    (b"content-security-policy", _POLICY),
)


class Door:
    """ASGI middleware: lets in who shows the token to a host of ours, not too often, not too long.

    Args:
        app: What is behind it.
        token: What opens it.
        hosts: Names by which this server is reached, beside the loopback's.
        remote: It is reached by addresses, too: no other site can have its name mean one of them.
        per_s: Requests a second.
        clock: Measures them.
    """

    def __init__(
        self,
        app: App,
        token: Token,
        *,
        hosts: Iterable[str] = (),
        remote: bool = False,
        per_s: float = REQUESTS_PER_S,
        clock: Clock | None = None,
    ) -> None:
        self._app, self._token = app, token
        self._hosts = LOOPBACK | {host.lower() for host in hosts}
        self._remote = remote
        self._budget = Budget(per_s, clock or SystemClock())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        visit = Visit(scope)
        if scope["type"] == "websocket":
            await self._websocket(visit, receive, send)
            return
        refusal = self._refusal(visit)
        if refusal is None:
            await self._serve(visit, receive, send)
        elif refusal is _NO_TOKEN and visit.wants_page:
            await redirect(send, LOGIN)
        else:
            await refuse(send, refusal)

    async def _websocket(self, visit: Visit, receive: Receive, send: Send) -> None:
        if self._refusal(visit) is None:
            await self._app(visit.scope, receive, send)
            return
        await receive()
        await send({"type": "websocket.close", "code": 1008})

    def _refusal(self, visit: Visit) -> Refusal | None:
        if visit.host not in self._hosts and not (self._remote and _is_address(visit.host)):
            return _STRANGE_HOST
        if visit.origin and visit.origin != visit.authority:
            return _STRANGE_ORIGIN
        known = self._knows(visit)
        # Who holds the token can halt trading, however many ask at that moment.
        if not (known and visit.method in _ACTING) and not self._budget.take():
            return _TOO_MANY
        return None if known or visit.path in (LIVE, LOGIN) else _NO_TOKEN

    def _knows(self, visit: Visit) -> bool:
        if visit.bearer:
            return self._token.fits(visit.bearer)
        return self._token.fits_cookie(visit.cookie)

    async def _serve(self, visit: Visit, receive: Receive, send: Send) -> None:
        exchange = _Exchange(receive, send)
        refusal = _TOO_LARGE
        try:
            async with asyncio.timeout(REQUEST_S):
                await self._app(visit.scope, exchange.receive, exchange.send)
        except TimeoutError:
            refusal = _TOO_SLOW
        if not exchange.begun:
            await refuse(send, refusal)


def _is_address(host: str) -> bool:
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return True
    return False


class _Exchange:
    """A request that is counted while it comes in, and its answer."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._size = 0
        self.begun = False

    async def receive(self) -> Message:
        """The next part of the request; what is too large ends it."""
        message = await self._receive()
        body = message.get("body", b"")
        self._size += len(body) if isinstance(body, bytes) else 0
        return {"type": "http.disconnect"} if self._too_large else message

    async def send(self, message: Message) -> None:
        """The next part of the answer; none to what was too large."""
        if self._too_large and not self.begun:
            return
        if message["type"] == "http.response.start":
            self.begun = True
            headers = message.setdefault("headers", [])
            assert isinstance(headers, list)
            headers.extend(_HEADERS)
        await self._send(message)

    @property
    def _too_large(self) -> bool:
        return self._size > BODY_LIMIT


class Visit:
    """What the door looks at of one request."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.path = str(scope["path"])
        self.method = str(scope.get("method", "GET"))
        self._headers = _headers(scope)
        self.authority = self._headers.get("host", "").lower()

    @property
    def host(self) -> str:
        """The name in the Host header, without the port."""
        try:
            return urlsplit(f"//{self.authority}").hostname or ""
        except ValueError:
            return ""

    @property
    def origin(self) -> str:
        """Host and port of the page that a browser asks for; `?` for one that hides it."""
        value = self._headers.get("origin", "")
        try:
            return (urlsplit(value).netloc.lower() or "?") if value else ""
        except ValueError:
            return "?"

    @property
    def bearer(self) -> str:
        """The token, if one is shown."""
        scheme, _, value = self._headers.get("authorization", "").partition(" ")
        return value.strip() if scheme.lower() == "bearer" else ""

    @property
    def cookie(self) -> str:
        """Our cookie."""
        return read_cookie(self._headers.get("cookie", ""))

    @property
    def wants_page(self) -> bool:
        """Whether a person looks, rather than a program."""
        looks = "text/html" in self._headers.get("accept", "")
        return looks and self.method == "GET" and not self.path.startswith(API)


_LOOKED_AT = frozenset({b"host", b"origin", b"authorization", b"cookie", b"accept"})


def _headers(scope: Scope) -> dict[str, str]:
    raw = scope["headers"]
    assert isinstance(raw, list | tuple)
    found: dict[str, str] = {}
    for name, value in raw:
        if name in _LOOKED_AT:
            key = name.decode("ascii")
            # Of a header that is sent twice neither is believed.
            found[key] = "" if key in found else value.decode("latin-1")
    return found


def read_cookie(header: str) -> str:
    """The value of our cookie in a Cookie header; empty if there is none."""
    try:
        morsel = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel is not None else ""


async def redirect(send: Send, place: str, *headers: tuple[bytes, bytes]) -> None:
    """Send a browser elsewhere."""
    own = [(b"location", place.encode()), (b"content-length", b"0"), *headers, *_HEADERS]
    await send({"type": "http.response.start", "status": 303, "headers": own})
    await send({"type": "http.response.body", "body": b""})


async def refuse(send: Send, refusal: Refusal) -> None:
    """Answer that it stays shut, and why."""
    body = failure(refusal.code, refusal.message)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *((refusal.header,) if refusal.header else ()),
        *_HEADERS,
    ]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
