"""The faults of the simulated gateway that act at once, and farms that go and come back."""

from __future__ import annotations

from typing import Protocol

from foxtrot.simulator.faults import Fault
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
from foxtrot.simulator.socket_strikes import SocketStrikes, Struck


class Venue(Struck, Protocol):
    """What is struck."""

    streams: Streams

    @property
    def connections(self) -> tuple[Connection, ...]:
        """The connections that stand."""


class Strikes(SocketStrikes[Venue]):
    """Carries out what was injected."""

    def _restart(self, fault: Fault) -> None:
        """As every night: what was subscribed is forgotten, too."""
        self._venue.streams.drop_all()
        super()._restart(fault)

    def _notice(self, fault: Fault) -> None:
        code = fault.code or LOST
        if code == LOST:
            self._venue.streams.cut_off = True
        if code == RESTORED_WITHOUT_DATA:
            self._venue.streams.drop_all()
        if code in (RESTORED, RESTORED_WITHOUT_DATA):
            self._venue.streams.cut_off = False
        self._tell(code, fault.body or text_of(code, FARM), fault)

    def _farm_lost(self, fault: Fault) -> None:
        self._tell(FARM_BROKEN, text_of(FARM_BROKEN, fault.body or FARM), fault)

    def _farm_back(self, fault: Fault) -> None:
        if fault.rest:
            self._venue.streams.drop_farm()
        self._tell(FARM_OK, text_of(FARM_OK, fault.body or FARM), fault)

    def _tell(self, code: int, text: str, fault: Fault) -> None:
        """To every client that has said who it is."""
        for connection in self._venue.connections:
            if connection.joined and fault.matches(None, None, connection.path, None):
                connection.error(-1, code, text)
