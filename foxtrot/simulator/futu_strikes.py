"""The faults of the simulated OpenD that act at once, and servers that go and come back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from foxtrot.simulator.faults import Fault, FaultBoard
from foxtrot.simulator.futu_connection import Connection
from foxtrot.simulator.futu_hall import Hall
from foxtrot.simulator.futu_quotes import Quotes
from foxtrot.simulator.market import Market

_BURST_STEPS = 10
_RESTART_S = 5.0
_KICKED_OUT = 7


class Venue(Protocol):
    """What is struck."""

    faults: FaultBoard
    market: Market
    hall: Hall
    quotes: Quotes

    @property
    def connections(self) -> tuple[Connection, ...]:
        """The connections that stand."""

    def shut(self, seconds: float) -> None:
        """End every connection, and let nobody in for a while."""

    def tick(self, symbol: str, count: int = 1) -> None:
        """Advance a symbol by hand."""


class Strikes:
    """Carries out what was injected.

    Args:
        venue: Where.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._down: Fault | None = None

    def changed(self, fault: Fault | None) -> None:
        """A fault was injected, or, with None, some were cleared."""
        self._watch_servers()
        if fault is None:
            return
        strikes: Mapping[str, Callable[[Fault], None]] = {
            "rst": lambda fault: self._each(fault, Connection.reset),
            "eof": lambda fault: self._each(fault, Connection.hang_up),
            "restart": self._restart,
            "notice": self._notice,
            "burst": self._burst,
        }
        strike = strikes.get(fault.name)
        if strike is not None:
            strike(fault)

    def _each(self, fault: Fault, act: Callable[[Connection], None]) -> None:
        for connection in self._venue.connections:
            if fault.matches(None, None, connection.path, None):
                act(connection)

    def _restart(self, fault: Fault) -> None:
        """Every line ends, and nobody is let in for a while."""
        self._venue.shut(_RESTART_S if fault.seconds is None else fault.seconds)

    def _notice(self, fault: Fault) -> None:
        """`code` is a GtwEventType."""
        self._venue.hall.tell_event(fault.code or _KICKED_OUT, fault.body or "账号在其他地方登录")

    def _burst(self, fault: Fault) -> None:
        for symbol in self._venue.market.awake:
            if fault.symbol in (None, symbol):
                self._venue.tick(symbol, fault.frames or _BURST_STEPS)

    def _watch_servers(self) -> None:
        """OpenD lost Futu's quote servers, or has them again."""
        before, now = self._down, self._venue.faults.active("farm_down")
        self._down = now
        if (before is None) == (now is None):
            return
        if before is not None and before.rest:
            self._venue.quotes.drop_all()
        self._venue.hall.tell_logins()
