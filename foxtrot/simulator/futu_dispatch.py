"""Hands every request to the part of OpenD that answers it, unless a fault has it first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.futu_connection import Connection, Request
from foxtrot.simulator.futu_limits import NO_SUCH_REQUEST, Refused
from foxtrot.simulator.futu_schema import Message, Proto, refusal, response
from foxtrot.simulator.rooms import Room as AnyRoom

Handler = Callable[[Connection, Message, Message], None]
"""Called with the client, its `c2s` and the `s2c` to fill in; may raise `Refused`."""

_REFUSED = "请求失败"


class Room(AnyRoom[Connection]):
    """A part of OpenD."""

    def handlers(self) -> Mapping[Proto, Handler]:
        """The requests that are answered here."""
        return {}


class Venue(Protocol):
    """What a dispatch needs of OpenD."""

    faults: FaultBoard

    def violated(self, connection: Connection, problem: str) -> None:
        """A client broke a rule that no client should ever break."""


class Dispatch:
    """The handlers of all rooms, and the faults that befall any request.

    Args:
        venue: Whose requests these are.
        rooms: Where they are answered; each kind of request in one of them.
    """

    def __init__(self, venue: Venue, *rooms: Room) -> None:
        self._venue = venue
        self._handlers: dict[Proto, Handler] = {}
        for room in rooms:
            self._handlers.update(room.handlers())

    def handle(self, connection: Connection, request: Request) -> None:
        """Carry out a request, or what a fault makes of it."""
        faults, kind, path = self._venue.faults, request.kind, connection.path
        if faults.quiet:
            connection.answer(request, self._carried_out(connection, request))
            connection.settle()
            return
        if faults.take("request_swallowed", request=kind, path=path):
            return
        if faults.take("request_reset", request=kind, path=path):
            connection.reset()
            return
        for symbol in request.symbols:
            refused = faults.take("error_ack", request=kind, path=path, symbol=symbol)
            if refused is not None:
                words, code = refused.body or _REFUSED, refused.code or 0
                connection.answer(request, refusal(request.proto, words, code))
                return
        if kind == "keep_alive" and faults.active("no_pong", path=path):
            return
        self._carry_out_badly(connection, request)

    def _carry_out_badly(self, connection: Connection, request: Request) -> None:
        """The request is carried out; it is the answer that may be lost or late."""
        faults, kind, path = self._venue.faults, request.kind, connection.path
        answer = self._carried_out(connection, request)
        if faults.take("ack_swallowed", request=kind, path=path):
            connection.settle()
            return
        if faults.take("ack_reset", request=kind, path=path):
            connection.reset()
            connection.settle()
            return
        late = faults.take("late_ack", request=kind, path=path)
        if late is None:
            connection.answer(request, answer)
            connection.settle()
            return
        connection.settle()
        connection.answer(request, answer, late_s=late.seconds or 0.0)

    def _carried_out(self, connection: Connection, request: Request) -> Message:
        handler = self._handlers.get(request.proto)
        if handler is None:
            self._venue.violated(connection, f"{request.proto.name} is not offered")
            return refusal(request.proto, NO_SUCH_REQUEST)
        answer = response(request.proto)
        try:
            handler(connection, request.c2s, answer.s2c)
        except Refused as refused:
            connection.forget_rest()
            return refusal(request.proto, str(refused), refused.code)
        return answer
