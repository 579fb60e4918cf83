"""What a simulated venue saw its clients do, for tests that ask."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

KEPT = 100_000

R_co = TypeVar("R_co", covariant=True)


class Seen(Generic[R_co]):
    """What clients did, newest last; the lists are bounded, the counter is not.

    Thread safety: written by the venue's loop; reading from any thread gives copies.
    """

    def __init__(self) -> None:
        self.connections = 0
        self._requests: deque[R_co] = deque(maxlen=KEPT)

    def __repr__(self) -> str:
        return f"<Seen connections={self.connections} requests={len(self._requests)}>"

    @property
    def requests(self) -> list[R_co]:
        """Every request that could be read, with who made it."""
        return list(self._requests)

    def connected(self) -> int:
        """Note a connection; returns its number, from 1."""
        self.connections += 1
        return self.connections
