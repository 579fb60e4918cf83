"""Full speed for benchmarks: ready-made book tickers, as fast as the socket drains, or paced."""

from __future__ import annotations

import asyncio
import time
from itertools import count, cycle

import msgspec

from foxtrot.simulator.binance_connection import Connection, frame
from foxtrot.simulator.binance_payloads import book_ticker_event
from foxtrot.simulator.binance_streams import parse_stream
from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.market import Market

_CHUNK = 600
"""Frames in one write, about 64 KB."""

_BACKLOG_BYTES = 1 << 20
_PAUSE_S = 0.001
_VARIANTS = 8
_FIRST_ID = 10**12

Template = tuple[bytes, bytes, bytes, bytes]
"""A frame in four: up to the update id, from there to the bid's volume, that volume, the rest."""


class BlastPlan(msgspec.Struct, frozen=True):
    """How a connection is flooded once it has subscribed to book tickers.

    Args:
        rate_hz: Frames per second over all symbols; None means as fast as the socket drains.
        frames: How many frames a connection gets; None means without end.
        stamped: Whether the bid's volume is the monotonic clock, in seconds, at the time of
            sending: it reaches a handler whatever is between.
    """

    rate_hz: float | None = None
    frames: int | None = None
    stamped: bool = False


class Blast:
    """Floods connections; one task for each.

    Args:
        market: Where the prices come from.
        faults: A mute or silent venue holds back.
        plan: How fast, and how much.
    """

    def __init__(self, market: Market, faults: FaultBoard, plan: BlastPlan) -> None:
        self._market, self._faults, self._plan = market, faults, plan
        self._ids = count(_FIRST_ID)
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def covers(self, connection: Connection) -> bool:
        """Whether this connection gets its book tickers from here."""
        return connection.number in self._tasks

    def begin(self, connection: Connection) -> None:
        """Flood a connection that listens to book tickers."""
        if self.covers(connection) or not _tickers(connection):
            return
        name = f"simulator-blast-{connection.number}"
        self._tasks[connection.number] = asyncio.create_task(self._run(connection), name=name)

    def end(self, connection: Connection) -> None:
        """Let go of a connection."""
        task = self._tasks.pop(connection.number, None)
        if task is not None:
            task.cancel()

    async def _run(self, connection: Connection) -> None:
        began_s, sent = time.monotonic(), 0
        names: tuple[str, ...] = ()
        templates = cycle(self._templates(connection, names))
        while connection.open and (self._plan.frames is None or sent < self._plan.frames):
            due = self._due(sent, time.monotonic() - began_s)
            current = _tickers(connection)
            held = self._faults.active("mute") or self._faults.active("silent")
            if due < 1 or not current or held or connection.backlog() > _BACKLOG_BYTES:
                await asyncio.sleep(_PAUSE_S)
                continue
            if current != names:
                names, templates = current, cycle(self._templates(connection, current))
            connection.write(b"".join(self._frame(next(templates)) for _ in range(due)))
            sent += due
            await asyncio.sleep(0)

    def _due(self, sent: int, elapsed_s: float) -> int:
        """How many frames are to be sent now."""
        plan = self._plan
        due = _CHUNK if plan.rate_hz is None else int(elapsed_s * plan.rate_hz) - sent
        left = due if plan.frames is None else plan.frames - sent
        return min(due, left, _CHUNK)

    def _frame(self, template: Template) -> bytes:
        before, between, volume, after = template
        if self._plan.stamped:
            volume = b"%.9f" % time.monotonic()
        return frame(b"%b%d%b%b%b" % (before, next(self._ids), between, volume, after))

    def _templates(self, connection: Connection, names: tuple[str, ...]) -> list[Template]:
        """Frames of all symbols in turn, with some different prices."""
        return [
            _template(self._market, name, combined=connection.combined)
            for _ in range(_VARIANTS)
            for name in names
        ]


def _template(market: Market, name: str, *, combined: bool) -> Template:
    symbol = name.partition("@")[0].upper()
    market.tick(symbol)
    head, comma, rest = book_ticker_event(market.quote(symbol)).partition(b",")
    between, mark, rest = rest.partition(b'"B":"')
    volume, quote, after = rest.partition(b'"')
    before = head[: head.index(b":") + 1]
    if combined:
        before, after = b'{"stream":"%b","data":%b' % (name.encode(), before), after + b"}"
    return before, comma + between + mark, volume, quote + after


def _tickers(connection: Connection) -> tuple[str, ...]:
    return tuple(
        name for name in connection.streams if (parse_stream(name) or ("", ""))[1] == "bookTicker"
    )
