"""What a simulated OpenD saw its clients do, for tests that ask."""

from __future__ import annotations

from collections import deque

from foxtrot.simulator.futu_connection import Request
from foxtrot.simulator.futu_schema import Message, Proto

_KEPT = 100_000


class Seen:
    """What clients did, newest last; the list is bounded, the counter is not.

    Thread safety: written by the venue's loop; reading from any thread gives copies.
    """

    def __init__(self) -> None:
        self.connections = 0
        self._requests: deque[tuple[int, Request]] = deque(maxlen=_KEPT)

    def __repr__(self) -> str:
        return f"<Seen connections={self.connections} requests={len(self._requests)}>"

    @property
    def requests(self) -> list[tuple[int, Request]]:
        """Number of the connection and request, of every request that could be read."""
        return list(self._requests)

    def of(self, proto: Proto) -> list[Message]:
        """The `c2s` of the requests of one kind."""
        return [request.c2s for _, request in self.requests if request.proto is proto]

    def connected(self) -> int:
        """Note a connection; returns its number, from 1."""
        self.connections += 1
        return self.connections

    def requested(self, number: int, request: Request) -> None:
        """Note a request."""
        self._requests.append((number, request))
