"""What ccxt raises, as foxtrot's errors. The only place where its exceptions are looked at.

ccxt's classes are known by name, so that this module imports no SDK. Its texts carry URLs with
signatures, so none is passed on but the venue's own `msg`, scrubbed.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Callable, Mapping

import aiohttp

from foxtrot.core.redaction import TEXT_LIMIT, scrub
from foxtrot.errors import (
    AuthenticationError,
    ConnectError,
    ConnectionClosed,
    ConnectTimeout,
    FoxtrotError,
    NameResolutionError,
    PermissionDenied,
    RateLimited,
    StreamingError,
    TlsError,
    UnexpectedError,
    UnknownSymbol,
    VenueBanned,
    VenueError,
    VenueUnavailable,
)

RETRY_AFTER_S = 60.0
"""Where the venue says "too many" without saying how long: its windows are minutes."""

LONGEST_BAN_S = 259_200.0
"""Three days. Source: Binance spot API documents, "IP Limits"."""

_CLOSE_CODE = re.compile(r"closing code (\d+)")
_STATUS = re.compile(r"^\S+ (?:[A-Z]+ \S+ )?(\d{3})\b")
_TOO_MANY = frozenset({"DDoSProtection", "RateLimitExceeded"})
_BANNED = 418
_OF_CCXT = "BaseError"
_DROPPED = (ConnectionError, aiohttp.ClientConnectionError, aiohttp.ClientPayloadError)
_CODE_LIMIT = 32


def translate(
    error: BaseException,
    venue: str,
    endpoint: str,
    *,
    timeout_s: float,
    what: str = "the request",
    headers: Mapping[str, str] | None = None,
) -> FoxtrotError:
    """The foxtrot error for what ccxt, aiohttp or the socket raised when asked for `what`."""
    if isinstance(error, FoxtrotError):
        return error
    transport = _transport(error, venue, endpoint, timeout_s)
    if transport is not None:
        return transport
    kinds = {kind.__name__ for kind in type(error).__mro__}
    code, text = _venue_words(str(error), what)
    status = _http_status(str(error))
    if kinds & _TOO_MANY:
        return _too_many(venue, code or str(status or ""), text, status, headers or {})
    if "RequestTimeout" in kinds:
        return ConnectTimeout(endpoint, timeout_s)
    for kind, make in _VENUE_ERRORS.items():
        if kind in kinds:
            return make(venue, code or str(status or ""), text)
    closed = _CLOSE_CODE.search(str(error))
    if closed:
        return ConnectionClosed(int(closed[1]))
    if "NetworkError" in kinds and not code:  # ccxt counts the venue's -1021 among them
        return StreamingError(f"{venue}: {type(error).__name__}")
    if _OF_CCXT not in kinds:
        return UnexpectedError(f"{venue}: {type(error).__name__}")
    return VenueError(venue, code or str(status or ""), text)


class Redirected(aiohttp.ClientPayloadError):
    """An answer that would send a signed request elsewhere. ccxt carries it to `translate`."""


def may_have_been_sent(error: BaseException) -> bool:
    """Whether a request that failed may have reached the venue: only no connection proves not."""
    return not isinstance(_root(error), aiohttp.ClientConnectorError)


def ends_a_watch(error: BaseException) -> bool:
    """Whether ccxt says that a stream was given back while somebody watched it."""
    return type(error).__name__ == "UnsubscribeError"


def _transport(
    error: BaseException, venue: str, endpoint: str, timeout_s: float
) -> FoxtrotError | None:
    """What the transport under ccxt met, if that is what happened."""
    cause = _root(error)
    if isinstance(cause, TimeoutError):
        return ConnectTimeout(endpoint, timeout_s)
    if isinstance(cause, socket.gaierror | aiohttp.ClientConnectorDNSError):
        return NameResolutionError(endpoint, "the host name has no address")
    if isinstance(cause, ssl.SSLError | aiohttp.ClientSSLError):
        return TlsError(endpoint, "the TLS handshake failed")
    if isinstance(cause, aiohttp.WSServerHandshakeError):
        return _handshake(cause, venue)
    if isinstance(cause, aiohttp.ClientConnectorError | ConnectionRefusedError):
        return ConnectError(endpoint, "refused, or no route to it")
    if isinstance(cause, Redirected):
        return VenueUnavailable(venue, "", "the answer is a redirect, which is never followed")
    if isinstance(cause, _DROPPED):
        return ConnectionClosed(1006, "dropped during a request")
    return None


def _root(error: BaseException) -> BaseException:
    """ccxt keeps the real cause as `__cause__` or, when dialling, as its only argument."""
    if error.__cause__ is not None:
        return error.__cause__
    if error.args and isinstance(error.args[0], BaseException):
        return error.args[0]
    return error


def _handshake(error: aiohttp.WSServerHandshakeError, venue: str) -> FoxtrotError:
    code = str(error.status)
    if error.status in (429, _BANNED):
        headers = dict(error.headers or {})
        return _too_many(venue, code, "too many connections", error.status, headers)
    return VenueUnavailable(venue, code, "the websocket handshake was refused")


def _too_many(
    venue: str, code: str, text: str, status: int | None, headers: Mapping[str, str]
) -> RateLimited:
    kind = VenueBanned if status == _BANNED else RateLimited
    return kind(venue, code, text or "too many requests", _retry_after_s(headers))


def _retry_after_s(headers: Mapping[str, str]) -> float:
    for name, value in headers.items():
        if name.lower() == "retry-after" and value.strip().isdecimal():
            return min(float(value), LONGEST_BAN_S)
    return RETRY_AFTER_S


def _http_status(text: str) -> int | None:
    found = _STATUS.match(text)
    return int(found[1]) if found else None


def _venue_words(text: str, what: str) -> tuple[str, str]:
    """The venue's own code and message out of ccxt's text; nothing else of it is safe to show."""
    start = text.find("{")
    if start >= 0:
        try:
            body = json.loads(text[start:])
        except (ValueError, RecursionError):
            return "", f"{what} got an unreadable answer"
        if isinstance(body, dict):
            code, words = str(body.get("code", "")), str(body.get("msg", ""))
            return scrub(code, limit=_CODE_LIMIT), scrub(words, limit=TEXT_LIMIT)
    return "", f"{what} was refused"


_VENUE_ERRORS: dict[str, Callable[[str, str, str], VenueError]] = {
    "PermissionDenied": PermissionDenied,
    "AuthenticationError": AuthenticationError,
    "BadSymbol": UnknownSymbol,
    "OnMaintenance": VenueUnavailable,
    "ExchangeNotAvailable": VenueUnavailable,
}
