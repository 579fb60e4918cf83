"""What a simulated OpenD saw its clients do, for tests that ask."""

from __future__ import annotations

from foxtrot.simulator.futu_connection import Request
from foxtrot.simulator.futu_schema import Message, Proto
from foxtrot.simulator.seen import Seen as AnySeen


class Seen(AnySeen[tuple[int, Request]]):
    """Number of the connection and request, of every request."""

    def of(self, proto: Proto) -> list[Message]:
        """The `c2s` of the requests of one kind."""
        return [request.c2s for _, request in self.requests if request.proto is proto]

    def requested(self, number: int, request: Request) -> None:
        """Note a request."""
        self._requests.append((number, request))
