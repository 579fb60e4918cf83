"""What a simulated Binance saw its clients do, for tests that ask."""

from __future__ import annotations

from collections import deque

from foxtrot.simulator.seen import KEPT
from foxtrot.simulator.seen import Seen as AnySeen

Streams = tuple[str, ...]


class Seen(AnySeen[tuple[str, str, dict[str, str]]]):
    """Method, path and parameters of every request; subscriptions, and their ends."""

    def __init__(self) -> None:
        super().__init__()
        self.order_connections = 0
        self._subscribes: deque[tuple[int, Streams]] = deque(maxlen=KEPT)
        self._unsubscribes: deque[tuple[int, Streams]] = deque(maxlen=KEPT)

    @property
    def subscribes(self) -> list[tuple[int, Streams]]:
        """Connection and streams of every subscription."""
        return list(self._subscribes)

    @property
    def unsubscribes(self) -> list[tuple[int, Streams]]:
        """Connection and streams of every subscription that a client ended."""
        return list(self._unsubscribes)

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
