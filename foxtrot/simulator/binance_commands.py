"""The commands a client sends on a market stream connection, and Binance's answers to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from foxtrot.simulator.binance_streams import parse_stream
from foxtrot.simulator.faults import Fault

if TYPE_CHECKING:
    from foxtrot.simulator.binance_connection import Connection, Venue

_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
_ID_MAX_CHARS = 36
_ID_BOUND = 2**63

Reply = dict[str, object]


class Commands:
    """Reads a connection's JSON messages and answers them.

    Args:
        connection: Where they come from.
        venue: What they act upon.
    """

    def __init__(self, connection: Connection, venue: Venue) -> None:
        self._connection, self._venue = connection, venue

    def handle(self, raw: str | bytes) -> None:
        """Carry out one message and answer it."""
        try:
            request = msgspec.json.decode(raw)
        except (msgspec.DecodeError, RecursionError):
            return self._say({"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"})
        if not isinstance(request, dict):
            return self._say(_invalid("expected an object"))
        problem = _problem(request)
        if problem is not None:
            return self._say(_invalid(problem))
        method, params, number = request["method"], request.get("params", []), request.get("id")
        if method == "LIST_SUBSCRIPTIONS":
            return self._say({"result": list(self._connection.streams), "id": number})
        if method in ("SET_PROPERTY", "GET_PROPERTY"):
            return self._say(self._property(method, params, number))
        streams = tuple(dict.fromkeys(params))
        if method == "SUBSCRIBE":
            return self._subscribe(streams, number)
        self._venue.unsubscribe(self._connection, streams)
        self._say({"result": None, "id": number})

    def _subscribe(self, streams: tuple[str, ...], number: object) -> None:
        bound = self._venue.limits.streams_per_connection
        if bound is not None and len({*self._connection.streams, *streams}) > bound:
            return self._say({**_invalid(f"too many streams, at most {bound}"), "id": number})
        refused = self._struck("error_ack", streams)
        if refused is not None:
            text = refused.body or "Invalid request: the stream is not available"
            error = {"code": refused.code or 2, "msg": text}
            return self._say({"error": error, "id": number})
        self._venue.subscribe(self._connection, streams)  # before it is said to be so
        if self._struck("no_ack", streams) is None:
            self._say({"result": None, "id": number})
        self._venue.replay(self._connection, streams)

    def _struck(self, name: str, streams: tuple[str, ...]) -> Fault | None:
        for stream in streams:
            symbol, channel = parse_stream(stream) or (None, None)
            fault = self._venue.faults.take(name, symbol=symbol, channel=channel)
            if fault is not None:
                return fault
        return None

    def _property(self, method: str, params: list[object], number: object) -> Reply:
        if params[0] != "combined":
            return {"code": 0, "msg": "Unknown property"}
        if method == "GET_PROPERTY":
            return {"result": self._connection.combined, "id": number}
        if len(params) != 2 or not isinstance(params[1], bool):
            return {"code": 1, "msg": "Invalid value type: expected Boolean"}
        self._connection.combined = params[1]
        return {"result": None, "id": number}

    def _say(self, reply: Reply) -> None:
        self._connection.send(msgspec.json.encode(reply))


def _problem(request: dict[str, object]) -> str | None:
    """What is wrong with a request, in the venue's words; None if nothing is."""
    if "method" not in request:
        return "missing field `method` at line 1 column 1"
    if request["method"] not in _METHODS:
        known = ", ".join(f"`{method}`" for method in _METHODS)
        return f"unknown variant `{request['method']}`, expected one of {known}"
    if not _id_is_good(request.get("id")):
        return "request ID must be an integer, a string of at most 36 characters or null"
    params = request.get("params", [])
    if not isinstance(params, list):
        return "params must be an array"
    if request["method"] in ("SUBSCRIBE", "UNSUBSCRIBE"):
        good = bool(params) and all(isinstance(param, str) for param in params)
        return None if good else "params must be an array of stream names"
    if request["method"] != "LIST_SUBSCRIPTIONS" and not (params and isinstance(params[0], str)):
        return "property name must be a string"
    return None


def _id_is_good(number: object) -> bool:
    if number is None:
        return True
    if isinstance(number, bool):
        return False
    if isinstance(number, int):
        return -_ID_BOUND <= number < _ID_BOUND
    return isinstance(number, str) and len(number) <= _ID_MAX_CHARS


def _invalid(problem: str) -> Reply:
    return {"code": 2, "msg": f"Invalid request: {problem}"}
