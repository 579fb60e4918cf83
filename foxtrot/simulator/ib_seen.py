"""What a simulated gateway saw its clients do, for tests that ask."""

from __future__ import annotations

from typing import TypeVar

from foxtrot.simulator.ib_requests import Request
from foxtrot.simulator.seen import Seen as AnySeen

R = TypeVar("R", bound=Request)


class Seen(AnySeen[tuple[int, Request]]):
    """Client id and request, of every request."""

    def of(self, kind: type[R]) -> list[R]:
        """The requests of one kind."""
        return [request for _, request in self.requests if isinstance(request, kind)]

    def requested(self, client_id: int, request: Request) -> None:
        """Note a request."""
        self._requests.append((client_id, request))
