"""The faults of the simulated OpenD that act at once, and servers that go and come back."""

from __future__ import annotations

from typing import Protocol

from foxtrot.simulator.faults import Fault
from foxtrot.simulator.futu_hall import Hall
from foxtrot.simulator.futu_quotes import Quotes
from foxtrot.simulator.socket_strikes import SocketStrikes, Struck

_KICKED_OUT = 7


class Venue(Struck, Protocol):
    """What is struck."""

    hall: Hall
    quotes: Quotes


class Strikes(SocketStrikes[Venue]):
    """Carries out what was injected."""

    def _notice(self, fault: Fault) -> None:
        """`code` is a GtwEventType."""
        self._venue.hall.tell_event(fault.code or _KICKED_OUT, fault.body or "账号在其他地方登录")

    def _farm_lost(self, fault: Fault) -> None:
        """OpenD lost Futu's quote servers."""
        self._venue.hall.tell_logins()

    def _farm_back(self, fault: Fault) -> None:
        if fault.rest:
            self._venue.quotes.drop_all()
        self._venue.hall.tell_logins()
