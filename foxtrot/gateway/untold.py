"""Finds a stream of the account that lives and is silent: it does not tell what answers tell."""

from __future__ import annotations

from foxtrot.core.clock import Clock

SILENCE_S = 5.0
"""How long after an answer the stream may take to tell of the same order."""


class Untold:
    """What an answer or a list was the first to tell, so that the stream owes it still.

    Belongs to the loop thread.

    Args:
        clock: Both times.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._owed: dict[str, float] = {}
        self._since_ns: int | None = None

    def begin(self, *, pushes: bool) -> None:
        """If a session pushes, all that happens from now on is to be told by it."""
        self._owed.clear()
        self._since_ns = self._clock.time_ns() if pushes else None

    def owe(self, orderid: str, ts_ns: int) -> None:
        """An answer told what happened to an order at `ts_ns` of the venue's clock."""
        if self._since_ns is not None and ts_ns >= self._since_ns:
            self._owed.setdefault(orderid, self._clock.monotonic() + SILENCE_S)

    def told(self, orderid: str) -> None:
        """The stream told of an order."""
        self._owed.pop(orderid, None)

    @property
    def overdue(self) -> bool:
        """Whether the stream keeps something to itself."""
        now = self._clock.monotonic()
        return any(until < now for until in self._owed.values())
