"""The parameters of a request to the simulated Binance, and the words for what is wrong."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Protocol

import msgspec
from aiohttp import web

from foxtrot.simulator.market import Market

SYMBOL = re.compile(r"[A-Z0-9\-_.]{1,20}")
_ROWS_MAX, _ROWS_DEFAULT = 1_000, 500

_KINDS: Mapping[int, type[web.HTTPException]] = {
    400: web.HTTPBadRequest,
    401: web.HTTPUnauthorized,
    409: web.HTTPConflict,
    410: web.HTTPGone,
    429: web.HTTPTooManyRequests,
}

Params = Mapping[str, str]


class Listed(Protocol):
    """What is needed of the venue to read a symbol."""

    market: Market

    def wake(self, symbol: str) -> None:
        """Bring a symbol's market to the present."""


def refusal(code: int, message: str, status: int = 400, data: object = None) -> web.HTTPException:
    """An error as Binance words it."""
    error = {"code": code, "msg": message}
    body = msgspec.json.encode(error if data is None else {**error, "data": data})
    return _KINDS[status](text=body.decode(), content_type="application/json")


def check_names(params: Params, known: Collection[str]) -> None:
    """Whether a request has no parameter that is not read.

    Raises:
        web.HTTPException: -1104.
    """
    read = sum(name in known for name in params)
    if read < len(params):
        raise refusal(
            -1104,
            f"Not all sent parameters were read; read '{read}' parameter(s) "
            f"but was sent '{len(params)}'.",
        )


def symbol_of(venue: Listed, params: Params) -> str:
    """The listed symbol that a request names; its market is awake then."""
    symbol = text_of(params, "symbol")
    if not SYMBOL.fullmatch(symbol):
        raise refusal(
            -1100,
            "Illegal characters found in parameter 'symbol'; legal range is '^[A-Z0-9-_.]{1,20}$'.",
        )
    if symbol not in venue.market.listings:
        raise refusal(-1121, "Invalid symbol.")
    venue.wake(symbol)
    return symbol


def text_of(params: Params, name: str) -> str:
    """A parameter that has to be there."""
    found = params.get(name, "")
    if not found:
        raise refusal(
            -1102,
            f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.",
        )
    return found


def number_of(params: Params, name: str, default: int, *, low: int, high: int) -> int:
    """A whole number; above `high` the venue takes `high`."""
    text = params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise refusal(
            -1100,
            f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.",
        )
    if int(text) < low:
        raise refusal(-1130, f"Data sent for parameter '{name}' is not valid.")
    return min(int(text), high)


def row_limit(params: Params) -> int:
    """How many rows are asked for."""
    return number_of(params, "limit", _ROWS_DEFAULT, low=1, high=_ROWS_MAX)


def moment_of(params: Params, name: str) -> int | None:
    """A time in milliseconds; None if it is not named."""
    if name not in params:
        return None
    return number_of(params, name, 0, low=0, high=10**15)
