"""The faults of the simulated gateway that act at once, and farms that go and come back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from foxtrot.simulator.faults import Fault, FaultBoard
from foxtrot.simulator.ib_connection import Connection
from foxtrot.simulator.ib_hall import FARM
from foxtrot.simulator.ib_limits import (
    FARM_BROKEN,
    FARM_OK,
    LOST,
    RESTORED,
    RESTORED_WITHOUT_DATA,
    text_of,
)
from foxtrot.simulator.ib_streams import Streams
from foxtrot.simulator.market import Market

_BURST_STEPS = 10
_RESTART_S = 5.0


class Venue(Protocol):
    """What is struck."""

    faults: FaultBoard
    market: Market
    streams: Streams

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
        self._broken: Fault | None = None

    def changed(self, fault: Fault | None) -> None:
        """A fault was injected, or, with None, some were cleared."""
        self._watch_farm()
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
        """As every night: every line ends, and what was subscribed is forgotten."""
        self._venue.streams.drop_all()
        self._venue.shut(_RESTART_S if fault.seconds is None else fault.seconds)

    def _notice(self, fault: Fault) -> None:
        code = fault.code or LOST
        if code == LOST:
            self._venue.streams.cut_off = True
        if code == RESTORED_WITHOUT_DATA:
            self._venue.streams.drop_all()
        if code in (RESTORED, RESTORED_WITHOUT_DATA):
            self._venue.streams.cut_off = False
        self._tell(code, fault.body or text_of(code, FARM), fault)

    def _burst(self, fault: Fault) -> None:
        for symbol in self._venue.market.awake:
            if fault.symbol in (None, symbol):
                self._venue.tick(symbol, fault.frames or _BURST_STEPS)

    def _watch_farm(self) -> None:
        before, now = self._broken, self._venue.faults.active("farm_down")
        self._broken = now
        if now is not None and before is None:
            self._tell(FARM_BROKEN, text_of(FARM_BROKEN, now.body or FARM), now)
        if before is not None and now is None:
            if before.rest:
                self._venue.streams.drop_farm()
            self._tell(FARM_OK, text_of(FARM_OK, before.body or FARM), before)

    def _tell(self, code: int, text: str, fault: Fault) -> None:
        """To every client that has said who it is."""
        for connection in self._venue.connections:
            if connection.joined and fault.matches(None, None, connection.path, None):
                connection.error(-1, code, text)
