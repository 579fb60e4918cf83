"""Full speed for benchmarks: what every client has subscribed to, as fast as wanted."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import msgspec

from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.rooms import Room
from foxtrot.simulator.socket_connection import SocketConnection

_BACKLOG_BYTES = 1 << 20
_PAUSE_S = 0.001

C = TypeVar("C", bound=SocketConnection)
L = TypeVar("L")

Source = Callable[[int, int], bytes]
"""Called with how many messages were sent and how many are due: their bytes."""


class Pace(msgspec.Struct, frozen=True):
    """How fast every client is flooded, and how much it gets.

    Args:
        rate_hz: Messages per second and client; None means as fast as the socket drains.
        messages: How many a client gets; None means without end.
        stamped: Whether messages carry the monotonic clock, in seconds, at the time of sending.
    """

    rate_hz: float | None = None
    messages: int | None = None
    stamped: bool = False

    def due(self, sent: int, elapsed_s: float, chunk: int) -> int:
        """How many messages are to be sent now; they never go beyond a chunk's end."""
        room = chunk - sent % chunk
        due = room if self.rate_hz is None else int(elapsed_s * self.rate_hz) - sent
        left = due if self.messages is None else self.messages - sent
        return min(due, left, room)


class Blast(Room[C], Generic[C, L]):
    """Floods the clients that come from now on; one task for each.

    Args:
        faults: Any fault that stands holds it back.
        pace: How fast, and how much.
        chunk: Messages in one write, at the most.
    """

    def __init__(self, faults: FaultBoard, pace: Pace, chunk: int) -> None:
        self._faults, self._pace, self._size = faults, pace, chunk
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def joined(self, connection: C) -> None:
        """See `Room`, like the next one."""
        name = f"simulator-blast-{connection.number}"
        self._tasks[connection.number] = asyncio.create_task(self._run(connection), name=name)

    def left(self, connection: C) -> None:
        """Let go of it."""
        task = self._tasks.pop(connection.number, None)
        if task is not None:
            task.cancel()

    @abstractmethod
    def _lines(self, connection: C) -> Sequence[L]:
        """What a client has subscribed to and is flooded with."""

    @abstractmethod
    def _source(self, lines: Sequence[L]) -> Source:
        """Where the messages of these lines come from."""

    async def _run(self, connection: C) -> None:
        pace, sent, began_s = self._pace, 0, 0.0
        lines: Sequence[L] = []
        source: Source = _nothing
        while connection.open and (pace.messages is None or sent < pace.messages):
            current = self._lines(connection)
            if current != lines:
                lines, source = current, self._source(current) if current else _nothing
                began_s, sent = time.monotonic(), 0
            due = pace.due(sent, time.monotonic() - began_s, self._size) if lines else 0
            if due < 1 or not self._faults.quiet or connection.backlog() > _BACKLOG_BYTES:
                await asyncio.sleep(_PAUSE_S)
                continue
            connection.write(source(sent, due))
            sent += due
            await asyncio.sleep(0)


def _nothing(_sent: int, _due: int) -> bytes:
    return b""
