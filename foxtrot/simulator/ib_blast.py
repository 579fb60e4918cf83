"""Full speed for benchmarks: ready-made messages of a client's lines, as fast as wanted."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

import msgspec

from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.ib_connection import Connection
from foxtrot.simulator.ib_dispatch import Room
from foxtrot.simulator.ib_streams import PRINTS, QUOTES, Stream, Streams
from foxtrot.simulator.ib_ticks import price
from foxtrot.simulator.ib_wire import Value, encode
from foxtrot.simulator.market import Market

_CHUNK = 600
"""Messages in one write."""

_BACKLOG_BYTES = 1 << 20
_PAUSE_S = 0.001
_VARIANTS = 32
_STAMP = b"%017.6f"
_SIZE = "0000000100.000000"
"""A size as wide as a stamp, so that a stamp in its place leaves the message's length as it is."""


class BlastPlan(msgspec.Struct, frozen=True):
    """How every client is flooded that has lines of the channel.

    Quotes come as TWS sends them, a price and then its size, bid and ask in turn; no price is told
    twice in a row.

    Args:
        rate_hz: Messages per second and client; None means as fast as the socket drains.
        messages: How many a client gets; None means without end.
        stamped: Whether every size is the monotonic clock, in seconds, at the time of sending.
        channel: market_data or tick_by_tick (Last).
    """

    rate_hz: float | None = None
    messages: int | None = None
    stamped: bool = False
    channel: str = QUOTES


class Venue(Protocol):
    """Who floods."""

    market: Market
    faults: FaultBoard
    streams: Streams


class Blast(Room):
    """Floods the clients that come from now on; one task for each.

    Args:
        venue: Whose lines they are.
        plan: What, how fast, and how much.
    """

    def __init__(self, venue: Venue, plan: BlastPlan) -> None:
        self._venue, self._plan = venue, plan
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def joined(self, connection: Connection) -> None:
        """See `Room`, like the next one."""
        name = f"simulator-blast-{connection.number}"
        self._tasks[connection.number] = asyncio.create_task(self._run(connection), name=name)

    def left(self, connection: Connection) -> None:
        """Let go of it."""
        task = self._tasks.pop(connection.number, None)
        if task is not None:
            task.cancel()

    async def _run(self, connection: Connection) -> None:
        plan, sent, began_s = self._plan, 0, 0.0
        lines: list[Stream] = []
        chunks: list[list[bytes]] = []
        while connection.open and (plan.messages is None or sent < plan.messages):
            current = self._lines(connection)
            if current != lines:
                lines, chunks = current, self._chunks(current)
                began_s, sent = time.monotonic(), 0
            due = self._due(sent, time.monotonic() - began_s) if chunks else 0
            if due < 1 or not self._venue.faults.quiet or connection.backlog() > _BACKLOG_BYTES:
                await asyncio.sleep(_PAUSE_S)
                continue
            self._write(connection, chunks[sent // _CHUNK % len(chunks)], sent % _CHUNK, due)
            sent += due
            await asyncio.sleep(0)

    def _due(self, sent: int, elapsed_s: float) -> int:
        """How many messages are to be sent now; they never go beyond a chunk's end."""
        plan, room = self._plan, _CHUNK - sent % _CHUNK
        due = room if plan.rate_hz is None else int(elapsed_s * plan.rate_hz) - sent
        left = due if plan.messages is None else plan.messages - sent
        return min(due, left, room)

    def _write(self, connection: Connection, chunk: list[bytes], start: int, count: int) -> None:
        data = b"".join(chunk[start : start + count])
        if self._plan.stamped:
            data = data.replace(_SIZE.encode(), _STAMP % time.monotonic())
        connection.write(data)

    def _lines(self, connection: Connection) -> list[Stream]:
        live = self._venue.streams.live
        return [
            line
            for line in live
            if line.connection is connection and line.channel == self._plan.channel
        ]

    def _chunks(self, lines: list[Stream]) -> list[list[bytes]]:
        """Messages of all lines in turn, with the prices of some levels of their books."""
        messages: list[bytes] = []
        if not lines:
            return []
        while not messages or len(messages) % _CHUNK:
            line = lines[len(messages) // 4 % len(lines)]
            variant = len(messages) // (4 * len(lines)) % _VARIANTS
            messages.extend(self._messages(line, variant))
        return [messages[at : at + _CHUNK] for at in range(0, len(messages), _CHUNK)]

    def _messages(self, line: Stream, variant: int) -> list[bytes]:
        """Four messages."""
        book = self._venue.market.book(line.contract.name)
        bid, ask = price(book.bids[variant][0]), price(book.asks[variant][0])
        if line.channel == PRINTS:
            now_s = self._venue.market.now_ms(line.contract.name) // 1_000
            end: tuple[Value, ...] = (_SIZE, 0, line.contract.exchange, "")
            return [encode(99, line.req_id, 1, now_s, at, *end) for at in (bid, ask, bid, ask)]
        return [
            encode(1, 6, line.req_id, 1, bid, _SIZE, 1),
            encode(2, 6, line.req_id, 0, _SIZE),
            encode(1, 6, line.req_id, 2, ask, _SIZE, 1),
            encode(2, 6, line.req_id, 3, _SIZE),
        ]
