"""The post of a simulated venue: its reports of orders on their way, and the faults of that way."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import msgspec

from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.socket_connection import SocketConnection


class Letter(msgspec.Struct, frozen=True):
    """A report for one client; `send` puts it on the wire."""

    connection: SocketConnection
    symbol: str
    channel: str
    send: Callable[[], None]


class Post:
    """Delivers letters: twice, late, or after the next, if a fault wants it.

    Args:
        faults: The board the faults stand on.
    """

    def __init__(self, faults: FaultBoard) -> None:
        self._faults = faults
        self._held: dict[int, Letter] = {}
        self._late: deque[Letter] = deque()

    def send(self, letter: Letter) -> None:
        """Send a letter, after the one that comes next if they are to change places."""
        connection = letter.connection
        if connection.number not in self._held and self._faults.take(
            "reordered", symbol=letter.symbol, channel=letter.channel, path=connection.path
        ):
            self._held[connection.number] = letter
            return
        self._deliver(letter)
        held = self._held.pop(connection.number, None)
        if held is not None:
            self._deliver(held)

    def left(self, connection: SocketConnection) -> None:
        """A client is gone."""
        self._held.pop(connection.number, None)

    def _deliver(self, letter: Letter) -> None:
        faults, symbol, path = self._faults, letter.symbol, letter.connection.path
        late = faults.active("late_reports", symbol=symbol, path=path)
        for _ in range(2 if faults.take("duplicate_reports", symbol=symbol, path=path) else 1):
            if late is None:
                letter.send()
                continue
            self._late.append(letter)
            asyncio.get_running_loop().call_later(late.seconds or 0.0, self._deliver_late)

    def _deliver_late(self) -> None:
        """Send the oldest that is late. Answers to questions overtake it, but no other letter."""
        self._late.popleft().send()
