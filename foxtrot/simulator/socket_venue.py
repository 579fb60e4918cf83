"""What the simulated venues on bare sockets share: their clients, and the rooms that serve them."""

from __future__ import annotations

import asyncio
import contextlib
from abc import abstractmethod
from typing import Generic, TypeVar

from foxtrot.simulator.log import log
from foxtrot.simulator.market import Market, Step
from foxtrot.simulator.rooms import Room
from foxtrot.simulator.seen import KEPT
from foxtrot.simulator.socket_connection import SocketConnection, SocketLimits
from foxtrot.simulator.venue import SimulatedVenue, last_turns

C = TypeVar("C", bound=SocketConnection)

_STOP_S = 2.0


class SocketVenue(SimulatedVenue, Generic[C]):
    """A venue with a wire of its own on one TCP port.

    Args: as for `SimulatedVenue`.

    Attributes:
        limits: The rules for clients.
        violations: What a client did that no client should ever do; the first ones.
    """

    limits: SocketLimits

    def __init__(self, market: Market, *, host: str, port: int, rate_hz: float) -> None:
        super().__init__(market, host=host, port=port, rate_hz=rate_hz)
        self.violations: list[str] = []
        self._rooms: list[Room[C]] = []
        self._connections: dict[int, C] = {}
        self._shut_until_s = 0.0
        self._server: asyncio.Server | None = None
        self._left: asyncio.Event | None = None

    @property
    def connections(self) -> tuple[C, ...]:
        """The connections that stand."""
        return tuple(self._connections.values())

    def opened(self, connection: C) -> bool:
        """A client has connected; whether it may stay."""
        assert self._loop is not None
        connection.number = self.seen.connected()
        full = len(self._connections) >= self.limits.clients
        shut = self._loop.time() < self._shut_until_s or self.faults.active("refuse") is not None
        if full or shut:
            return False
        self._connections[connection.number] = connection
        return True

    def closed(self, connection: C) -> None:
        """A connection is gone."""
        if self._connections.pop(connection.number, None) is None:
            return
        for room in self._rooms:
            room.left(connection)
        if self._left is not None and not self._connections:
            self._left.set()

    def joined(self, connection: C) -> None:
        """A client has said who it is."""
        for room in self._rooms:
            room.joined(connection)

    def violated(self, connection: C, problem: str) -> None:
        """A client broke a rule that no client should ever break."""
        if len(self.violations) < KEPT:
            self.violations.append(f"{connection.path}: {problem}")
        log.error("simulated_client_violates", connection=connection.path, problem=problem)

    def shut(self, seconds: float) -> None:
        """End every connection, and let nobody in for a while."""
        assert self._loop is not None
        self._shut_until_s = self._loop.time() + seconds
        self._hang_up_all()

    @abstractmethod
    def _connection(self) -> C:
        """A connection that is about to be made."""

    async def _open(self) -> int:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._connection, self.host, self.port, reuse_address=True
        )
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _close(self) -> None:
        server, self._server = self._server, None
        assert server is not None
        server.close()
        await last_turns()
        self._hang_up_all()
        await self._emptied()

    async def _emptied(self) -> None:
        """Wait until every line has ended; who does not read is dropped in the end."""
        if self._connections:
            self._left = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._left.wait(), _STOP_S)
        for connection in self.connections:
            connection.reset()
        await last_turns()

    def _hang_up_all(self) -> None:
        for connection in self.connections:
            connection.hang_up()

    def _on_step(self, step: Step) -> None:
        for room in self._rooms:
            room.step(step)
