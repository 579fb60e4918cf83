"""What OpenD's answers mean as foxtrot's errors: the room's one table.

OpenD says why in words, in the language of its user; its errCode is mostly 0. So the words decide,
and what no word is known for is a plain `VenueError` with all that was said.
What an answer proves about an order is in `evidence.py`.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from types import MappingProxyType

from foxtrot.adapter.futu.schema import Proto
from foxtrot.core.redaction import TEXT_LIMIT, scrub
from foxtrot.errors import (
    AuthenticationError,
    ConnectError,
    FoxtrotError,
    PermissionDenied,
    RateLimited,
    SubscriptionRefused,
    UnknownSymbol,
    VenueError,
    VenueUnavailable,
)

WINDOW_S = 30.0
"""In which OpenD counts requests. Source: OpenAPI documents, "Rate limits"."""

REFUSED = -1
"""The answer's retType when OpenD or Futu said no."""

UNANSWERED = frozenset({-100, -200, -400})
"""Other retTypes: Futu's servers did not answer OpenD in time, or are not connected, or OpenD does
not know what came of it. Source: Common.RetType of the schema."""

_TOO_OFTEN = ("频率太高", "frequency", "too frequent", "too many requests", "30 seconds")
_NO_QUOTA = ("额度不足", "quota")
_TOO_SOON = ("订阅时间过短", "at least 1 minute", "at least one minute")
_UNKNOWN = ("未知股票", "unknown stock", "unknown security", "invalid code", "股票代码错误")
_PASSWORD = ("密码", "password")
_LOCKED = ("解锁", "unlock", *_PASSWORD)
_BY_HAND = ("屏蔽解锁", "disabled the unlock")
"""An OpenD with a window lets nobody unlock trading but who sits before it."""
_NO_RIGHT = ("权限", "permission", "no right", "not authorized", "不支持", "not support")
_NOT_UP = (
    "未登录",
    "登录失败",
    "not logged in",
    "logged out",
    "网络",
    "network",
    "超时",
    "timeout",
)
_FIRST_OF_QUOTES = 3000
"""Below are orders, to which the same words mean that money is short."""
_ABOUT_STREAMS = frozenset({Proto.Qot_Sub, Proto.Qot_RegQotPush})

_CONNECT: Mapping[str, str] = MappingProxyType(
    {
        errno.errorcode[errno.ECONNREFUSED]: "refused; is OpenD running, and is this its port?",
        errno.errorcode[errno.ECONNRESET]: "reset",
        errno.errorcode[errno.ENETUNREACH]: "the network cannot be reached",
        errno.errorcode[errno.EHOSTUNREACH]: "the host cannot be reached",
        errno.errorcode[errno.ETIMEDOUT]: "timed out",
    }
)
"""Names of the system's errors, as the SDK tells them."""


_KEY_ADVICE = (
    "an OpenD that encrypts needs its key in rsa_key_file, any other none;"
    " or another program has the port"
)


UNANSWERED_HANDSHAKE = "handshake (is OpenD logged in? does it encrypt, with rsa_key_file?)"
"""What is missing when a line opens and nothing comes."""


def error_of(venue: str, proto: int, ret_type: int, code: int, text: str) -> VenueError:
    """The error that an answer means.

    Args:
        venue: Name of the adapter.
        proto: What was asked.
        ret_type: The answer's, not 0.
        code: Its errCode.
        text: Its words.
    """
    said = scrub(text, limit=TEXT_LIMIT) or "refused without a word"
    shown = str(code or ret_type)
    if ret_type in UNANSWERED:
        return VenueUnavailable(venue, shown, said)
    words = text.lower()
    if _any(_TOO_OFTEN, words):
        return RateLimited(venue, shown, said, WINDOW_S)
    kind, advice = _meaning(proto, words)
    return kind(venue, shown, f"{said}; {advice}" if advice else said)


def _meaning(proto: int, words: str) -> tuple[type[VenueError], str]:
    """What a refusal is, and what whoever reads it can do."""
    streams = proto in _ABOUT_STREAMS
    if _any(_UNKNOWN, words):
        return UnknownSymbol, ""
    if _any(_NO_QUOTA, words) and proto >= _FIRST_OF_QUOTES:
        if streams:
            return SubscriptionRefused, "give streams back first; `foxtrot futu quota` counts them"
        return PermissionDenied, "`foxtrot futu quota` says what uses it"
    if _any(_TOO_SOON, words):
        return VenueUnavailable, ""
    if proto == Proto.Trd_UnlockTrade:
        return _still_locked(words)
    if _any(_LOCKED, words):
        return PermissionDenied, "set `password`, or unlock trading in OpenD's window"
    if _any(_NOT_UP, words):
        return VenueUnavailable, ""
    if _any(_NO_RIGHT, words):
        return (SubscriptionRefused if streams else PermissionDenied), ""
    return VenueError, ""


def _still_locked(words: str) -> tuple[type[VenueError], str]:
    """Why trading was not unlocked; in doubt the password is wrong, as a second try may cost it."""
    if _any(_BY_HAND, words):
        return PermissionDenied, "`password` is of no use with this OpenD"
    if _any(_NOT_UP, words) and not _any(_PASSWORD, words):
        return VenueUnavailable, ""
    return AuthenticationError, "look at `password`: it is the trade password, not the login's"


def no_handshake(endpoint: str, error: FoxtrotError) -> ConnectError:
    """What it means that OpenD was reached, and there is no connection for all that."""
    if isinstance(error, VenueError):
        return ConnectError(endpoint, f"OpenD refused it: {error.text}")
    return ConnectError(endpoint, f"the handshake failed ({error}); {_KEY_ADVICE}")


def not_connected(endpoint: str, told: str) -> ConnectError:
    """What an attempt to connect that failed means, by what the SDK tells of it."""
    return ConnectError(endpoint, _CONNECT.get(told, told.lower() or "failed"))


def _any(words: tuple[str, ...], text: str) -> bool:
    return any(each in text for each in words)
