"""Hands every request to the part of the gateway that answers it, unless a fault has it first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Never, Protocol, cast

from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.ib_connection import Connection
from foxtrot.simulator.ib_limits import INVALID, text_of
from foxtrot.simulator.ib_requests import ContractQuery, Request
from foxtrot.simulator.rooms import Room as AnyRoom

Handlers = Mapping[type[Request], Callable[[Connection, Never], None]]
"""Who answers which kind of request: each call takes requests of its own kind alone."""


class Room(AnyRoom[Connection]):
    """A part of the gateway."""

    def handlers(self) -> Handlers:
        """The requests that are answered here."""
        return {}


class Venue(Protocol):
    """What a dispatch needs of the gateway."""

    faults: FaultBoard

    def name_of(self, query: ContractQuery) -> str | None:
        """The name of the one contract that is meant."""

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
        self._handlers: dict[type[Request], Callable[[Connection, Never], None]] = {}
        for room in rooms:
            self._handlers.update(room.handlers())

    def handle(self, connection: Connection, request: Request) -> None:
        """Carry out a request, or what a fault makes of it."""
        handler = self._handlers.get(type(request))
        if handler is None:
            name = type(request).__name__
            self._venue.violated(connection, f"{name} is not offered")
            connection.error(request.error_id, INVALID, text_of(INVALID, f"{name} is not offered"))
            return
        carry_out = cast("Callable[[Connection, Request], None]", handler)
        if self._venue.faults.quiet or not self._befallen(connection, request, carry_out):
            carry_out(connection, request)

    def _befallen(
        self,
        connection: Connection,
        request: Request,
        carry_out: Callable[[Connection, Request], None],
    ) -> bool:
        """Whether a fault took the request; it is dealt with then."""
        faults, kind, path = self._venue.faults, request.kind, connection.path
        if faults.take("request_swallowed", request=kind, path=path):
            return True
        if faults.take("request_reset", request=kind, path=path):
            connection.reset()
            return True
        symbol = self._symbol(request)
        refused = faults.take("error_ack", symbol=symbol, request=kind, path=path)
        if refused is not None:
            code = refused.code or INVALID
            connection.error(request.error_id, code, refused.body or text_of(code, "refused"))
            return True
        if faults.take("ack_swallowed", request=kind, path=path):
            with connection.withheld():
                carry_out(connection, request)
            return True
        if faults.take("ack_reset", request=kind, path=path):
            with connection.withheld():
                carry_out(connection, request)
            connection.reset()
            return True
        late = faults.take("late_ack", request=kind, path=path)
        if late is not None:
            with connection.withheld() as answer:
                carry_out(connection, request)
            connection.deliver_later(b"".join(answer), late.seconds or 0.0)
            return True
        return False

    def _symbol(self, request: Request) -> str | None:
        query = getattr(request, "contract", None)
        return self._venue.name_of(query) if isinstance(query, ContractQuery) else None
