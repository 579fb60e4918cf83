"""What TWS's codes mean, and what the socket raises, as foxtrot's errors: the room's one table.

What a code proves about an order is in `evidence.py`.
Source of the codes: TWS API documents, "Message Codes".
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType

from foxtrot.core.redaction import TEXT_LIMIT, scrub
from foxtrot.errors import (
    ClientIdInUse,
    ConnectError,
    ConnectionClosed,
    ConnectTimeout,
    FoxtrotError,
    NameResolutionError,
    PermissionDenied,
    RateLimited,
    StreamingError,
    SubscriptionRefused,
    UnexpectedError,
    UnknownSymbol,
    VenueError,
    VenueUnavailable,
)

PACING_WAIT_S = 15.0
"""After a pacing violation: the span in which an identical request is one. TWS names no time."""

CLIENT_ID_IN_USE = 326
TOO_MANY_MESSAGES = 100
HISTORICAL_DATA = 162
INVALID_REQUEST = 321


class Effect(Enum):
    """What a code does to what it is about."""

    NOTICE = "notice"  # nothing
    REFUSED = "refused"  # the request or stream with its id has ended
    LINE_DOWN = "line_down"  # TWS has lost IB: nothing moves, and our connection stays
    LINE_BACK_EMPTY = "line_back_empty"  # … and has found it again; every stream has to be asked
    LINE_BACK = "line_back"  # … and has found it again; the streams go on
    FARM_DOWN = "farm_down"  # one of IB's data centres is away: its streams stand still
    FARM_BACK = "farm_back"  # … and is there again
    FARM_IDLE = "farm_idle"  # … is asleep until somebody asks for its data
    CLOSED = "closed"  # this connection has ended, or is about to


EFFECTS: Mapping[int, Effect] = MappingProxyType(
    {
        1100: Effect.LINE_DOWN,
        2110: Effect.LINE_DOWN,  # between TWS and IB's servers; it mends itself
        1101: Effect.LINE_BACK_EMPTY,
        1102: Effect.LINE_BACK,
        1300: Effect.CLOSED,  # the API port was changed
        2103: Effect.FARM_DOWN,  # market data
        2105: Effect.FARM_DOWN,  # historical data
        2157: Effect.FARM_DOWN,  # contract data
        2104: Effect.FARM_BACK,
        2106: Effect.FARM_BACK,
        2158: Effect.FARM_BACK,
        2107: Effect.FARM_IDLE,
        2108: Effect.FARM_IDLE,
        2119: Effect.FARM_IDLE,  # connecting
        326: Effect.CLOSED,
        501: Effect.CLOSED,
        502: Effect.CLOSED,
        503: Effect.CLOSED,
        504: Effect.CLOSED,
        506: Effect.CLOSED,
        507: Effect.CLOSED,
        # said of a request or stream that goes on
        165: Effect.NOTICE,  # the historical data farm, on its way
        202: Effect.NOTICE,  # an order is cancelled, as was asked
        399: Effect.NOTICE,  # an order will be held until the market opens, and the like
        404: Effect.NOTICE,  # shares are being located
        10090: Effect.NOTICE,  # only part of the data is subscribed; the rest comes
        10148: Effect.NOTICE,  # an order that cannot be cancelled any more
        10167: Effect.NOTICE,  # delayed data comes instead
        10349: Effect.NOTICE,  # an order's time in force was changed by a preset
    }
)

_WARNINGS = range(2100, 2200)
"""TWS's warnings; those that matter are named above."""

FARM_CODES = frozenset(
    code
    for code, effect in EFFECTS.items()
    if effect in (Effect.FARM_DOWN, Effect.FARM_BACK, Effect.FARM_IDLE)
)

_ADVICE = {
    101: "too many market data lines; close some in TWS, or subscribe to fewer",
    309: "too many market depths; three are allowed by default",
    354: "market data is not subscribed at IB; set market_data to delayed, or subscribe there",
    420: "this data may not be had through the API, or too many of it",
    10089: "market data needs a further subscription at IB; delayed data is available",
    10168: "market data is not subscribed at IB, and delayed data is switched off",
    10186: "market data is not subscribed at IB, and delayed data is switched off",
    10187: "the historical ticks could not be had",
    10190: "too many tick-by-tick streams, or one asked for again within 15 s",
    10197: "another session of this login, such as a phone, has the market data",
}
"""What a refusal of market data means, where TWS's own words say it badly."""

_STREAMS = frozenset({*_ADVICE, 300, 310, 316, 317, 322, 10091, 10092, 10189})
_CONTRACT = frozenset({200})
_PERMISSIONS = frozenset({203, 10187})
_UNAVAILABLE = frozenset({*range(502, 508), 1100, 2103, 2105, 2110, 2157})

_PACING = re.compile(r"pacing violation|max(?:imum)? rate|too many requests", re.IGNORECASE)
_NO_PERMISSION = re.compile(r"permission|not subscribed|subscription", re.IGNORECASE)
_READ_ONLY = re.compile(r"read[ -]?only", re.IGNORECASE)


def effect_of(code: int) -> Effect:
    """What a code does; one that nobody knows refuses what it is about."""
    known = EFFECTS.get(code)
    if known is not None:
        return known
    return Effect.NOTICE if code in _WARNINGS else Effect.REFUSED


def ends_request(code: int) -> bool:
    """Whether a request that gets this code will get no answer any more."""
    return effect_of(code) is Effect.REFUSED


def error_of(venue: str, code: int, text: str, *, client_id: int = -1) -> FoxtrotError:
    """The foxtrot error for what TWS said.

    Args:
        venue: Name of the adapter.
        code: TWS's code.
        text: TWS's words.
        client_id: Of the connection that heard it.
    """
    words, number = scrub(text.strip(), limit=TEXT_LIMIT), str(code)
    if code == CLIENT_ID_IN_USE:
        return ClientIdInUse(venue, client_id)
    if code == TOO_MANY_MESSAGES or (code in (HISTORICAL_DATA, 366) and _PACING.search(words)):
        return RateLimited(venue, number, words, PACING_WAIT_S)
    if code == HISTORICAL_DATA:
        refused = PermissionDenied if _NO_PERMISSION.search(words) else VenueError
        return refused(venue, number, words)
    if code == INVALID_REQUEST and _READ_ONLY.search(words):
        advice = "; switch off Read-Only API in TWS's API settings, or set read_only"
        return PermissionDenied(venue, number, words + advice)
    if code in _ADVICE:
        words = f"{_ADVICE[code]} ({words})"
    return _kind(code)(venue, number, words)


def _kind(code: int) -> Callable[[str, str, str], VenueError]:
    if code in _CONTRACT:
        return UnknownSymbol
    if code in _PERMISSIONS:
        return PermissionDenied
    if code in _STREAMS:
        return SubscriptionRefused
    return VenueUnavailable if code in _UNAVAILABLE else VenueError


def translate(error: BaseException, venue: str, endpoint: str, *, timeout_s: float) -> FoxtrotError:
    """The foxtrot error for what the SDK or the socket raised."""
    if isinstance(error, FoxtrotError):
        return error
    if isinstance(error, socket.gaierror):
        return NameResolutionError(endpoint, "the host name has no address")
    if isinstance(error, ConnectionRefusedError):
        advice = "refused; is TWS or IB Gateway running there, with its API switched on?"
        return ConnectError(endpoint, advice)
    if isinstance(error, TimeoutError):
        return ConnectTimeout(endpoint, timeout_s)
    if isinstance(error, ConnectionError):
        return ConnectionClosed(1006, "the line dropped")
    if isinstance(error, OSError):
        return ConnectError(endpoint, error.strerror or f"no route to it ({type(error).__name__})")
    if isinstance(error, EOFError):
        return StreamingError(f"{venue}: the line ended")
    return UnexpectedError(f"{venue}: {type(error).__name__}")
