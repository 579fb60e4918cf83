"""The faults that act at once on a venue on sockets, and its farm that goes and comes back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Generic, Protocol, TypeVar

from foxtrot.simulator.faults import Fault, FaultBoard
from foxtrot.simulator.market import Market
from foxtrot.simulator.socket_connection import SocketConnection

_BURST_STEPS = 10
_RESTART_S = 5.0


class Struck(Protocol):
    """What is struck."""

    faults: FaultBoard
    market: Market

    @property
    def connections(self) -> tuple[SocketConnection, ...]:
        """The connections that stand."""

    def shut(self, seconds: float) -> None:
        """End every connection, and let nobody in for a while."""

    def tick(self, symbol: str, count: int = 1) -> None:
        """Advance a symbol by hand."""


V = TypeVar("V", bound=Struck)


class SocketStrikes(ABC, Generic[V]):
    """Carries out what was injected.

    Args:
        venue: Where.
    """

    def __init__(self, venue: V) -> None:
        self._venue = venue
        self._down: Fault | None = None

    def changed(self, fault: Fault | None) -> None:
        """A fault was injected, or, with None, some were cleared."""
        self._watch_farm()
        if fault is None:
            return
        strikes: Mapping[str, Callable[[Fault], None]] = {
            "rst": lambda fault: self._each(fault, SocketConnection.reset),
            "eof": lambda fault: self._each(fault, SocketConnection.hang_up),
            "restart": self._restart,
            "notice": self._notice,
            "burst": self._burst,
        }
        strike = strikes.get(fault.name)
        if strike is not None:
            strike(fault)

    @abstractmethod
    def _notice(self, fault: Fault) -> None:
        """Tell every client something."""

    @abstractmethod
    def _farm_lost(self, fault: Fault) -> None:
        """The venue lost its source of data."""

    @abstractmethod
    def _farm_back(self, fault: Fault) -> None:
        """It has it again; this fault is over."""

    def _restart(self, fault: Fault) -> None:
        """Every line ends, and nobody is let in for a while."""
        self._venue.shut(_RESTART_S if fault.seconds is None else fault.seconds)

    def _each(self, fault: Fault, act: Callable[[SocketConnection], None]) -> None:
        for connection in self._venue.connections:
            if fault.matches(None, None, connection.path, None):
                act(connection)

    def _burst(self, fault: Fault) -> None:
        for symbol in self._venue.market.awake:
            if fault.symbol in (None, symbol):
                self._venue.tick(symbol, fault.frames or _BURST_STEPS)

    def _watch_farm(self) -> None:
        before, now = self._down, self._venue.faults.active("farm_down")
        self._down = now
        if now is not None and before is None:
            self._farm_lost(now)
        if before is not None and now is None:
            self._farm_back(before)
