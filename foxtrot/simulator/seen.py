"""What a simulated venue saw its clients do, for tests that ask."""

from __future__ import annotations

from collections import deque

_KEPT = 100_000

Streams = tuple[str, ...]


class Seen:
    """What clients did, newest last; the lists are bounded, the counter is not.

    Thread safety: written by the venue's loop; reading from any thread gives copies.
    """

    def __init__(self) -> None:
        self.connections = 0
        self.order_connections = 0
        self._subscribes: deque[tuple[int, Streams]] = deque(maxlen=_KEPT)
        self._unsubscribes: deque[tuple[int, Streams]] = deque(maxlen=_KEPT)
        self._requests: deque[tuple[str, str, dict[str, str]]] = deque(maxlen=_KEPT)

    def __repr__(self) -> str:
        return f"<Seen connections={self.connections} requests={len(self._requests)}>"

    @property
    def subscribes(self) -> list[tuple[int, Streams]]:
        """Connection and streams of every subscription."""
        return list(self._subscribes)

    @property
    def unsubscribes(self) -> list[tuple[int, Streams]]:
        """Connection and streams of every subscription that a client ended."""
        return list(self._unsubscribes)

    @property
    def requests(self) -> list[tuple[str, str, dict[str, str]]]:
        """Method, path and parameters of every request."""
        return list(self._requests)

    def connected(self, *, for_orders: bool = False) -> int:
        """Note a connection for market streams or for orders; returns its number, from 1."""
        if for_orders:
            self.order_connections += 1
        else:
            self.connections += 1
        return self.connections + self.order_connections

    def subscribed(self, connection: int, streams: Streams) -> None:
        """Note a subscription."""
        self._subscribes.append((connection, streams))

    def unsubscribed(self, connection: int, streams: Streams) -> None:
        """Note the end of a subscription that the client asked for."""
        self._unsubscribes.append((connection, streams))

    def requested(self, method: str, path: str, params: dict[str, str]) -> None:
        """Note a request."""
        self._requests.append((method, path, params))
