"""Full speed for benchmarks: ready-made frames of one channel, as fast as they drain, or paced."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from itertools import count, cycle

import msgspec

from foxtrot.simulator import binance_payloads as wire
from foxtrot.simulator.binance_connection import Connection, frame
from foxtrot.simulator.binance_streams import parse_stream
from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.market import Market, Step, Trade

_CHUNK = 600
"""Frames in one write, about 64 KB."""

_BACKLOG_BYTES = 1 << 20
_PAUSE_S = 0.001
_TEMPLATES = 64
_FIRST_ID = 10**12
_AHEAD_MS = 60_000
_CHANGED_LEVELS = 5

_NUMBER = {
    "bookTicker": rb'("u":)\d+',
    "ticker": rb'("E":)\d+',
    "trade": rb'("t":)\d+',
    "depth@100ms": rb'("[Uu]":)\d+',
}
"""What grows from frame to frame, by channel."""

Template = tuple[bytes, Iterator[int], int]
"""A frame to be filled in, where its numbers come from, and how often the number is in it."""


class BlastPlan(msgspec.Struct, frozen=True):
    """How a connection is flooded once it has subscribed to streams of the channel.

    The events of `ticker` lie a minute in the future, so that they tell themselves from snapshots.
    The differences of `depth@100ms` follow each other and the book, while the market stands still.

    Args:
        rate_hz: Frames per second over all symbols; None means as fast as the socket drains.
        frames: How many frames a connection gets; None means without end.
        stamped: Whether the bid's volume of a book ticker is the monotonic clock, in seconds, at
            the time of sending: it reaches a handler whatever is between.
        channel: bookTicker, ticker, trade or depth@100ms.
        delay_s: How long after the subscription it begins.
    """

    rate_hz: float | None = None
    frames: int | None = None
    stamped: bool = False
    channel: str = "bookTicker"
    delay_s: float = 0.0


class Blast:
    """Floods connections; one task for each.

    Args:
        market: Where the prices come from.
        faults: A mute or silent venue holds back.
        plan: What, how fast, and how much.
    """

    def __init__(self, market: Market, faults: FaultBoard, plan: BlastPlan) -> None:
        self._market, self._faults, self._plan = market, faults, plan
        now_ms = time.time_ns() // 1_000_000
        self._ids = count(now_ms + _AHEAD_MS if plan.channel == "ticker" else _FIRST_ID)
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def covers(self, connection: Connection, channel: str) -> bool:
        """Whether this connection gets the channel from here."""
        return channel == self._plan.channel and connection.number in self._tasks

    def begin(self, connection: Connection) -> None:
        """Flood a connection that listens to the channel."""
        if connection.number in self._tasks or not self._streams(connection):
            return
        name = f"simulator-blast-{connection.number}"
        self._tasks[connection.number] = asyncio.create_task(self._run(connection), name=name)

    def end(self, connection: Connection) -> None:
        """Let go of a connection."""
        task = self._tasks.pop(connection.number, None)
        if task is not None:
            task.cancel()

    async def _run(self, connection: Connection) -> None:
        if self._plan.delay_s:
            await asyncio.sleep(self._plan.delay_s)
        began_s, sent = time.monotonic(), 0
        names: tuple[str, ...] = ()
        templates: Iterator[Template] = iter(())
        while connection.open and (self._plan.frames is None or sent < self._plan.frames):
            due = self._due(sent, time.monotonic() - began_s)
            current = self._streams(connection)
            held = self._faults.active("mute") or self._faults.active("silent")
            if due < 1 or not current or held or connection.backlog() > _BACKLOG_BYTES:
                await asyncio.sleep(_PAUSE_S)
                continue
            if current != names:
                names, templates = current, cycle(self._templates(connection, current))
            connection.write(b"".join(self._frame(*next(templates)) for _ in range(due)))
            sent += due
            await asyncio.sleep(0)

    def _due(self, sent: int, elapsed_s: float) -> int:
        """How many frames are to be sent now."""
        plan = self._plan
        due = _CHUNK if plan.rate_hz is None else int(elapsed_s * plan.rate_hz) - sent
        left = due if plan.frames is None else plan.frames - sent
        return min(due, left, _CHUNK)

    def _frame(self, text: bytes, ids: Iterator[int], times: int) -> bytes:
        numbers: tuple[float, ...] = (next(ids),) * times
        if self._stamped:
            numbers += (time.monotonic(),)
        return frame(text % numbers)

    @property
    def _stamped(self) -> bool:
        return self._plan.stamped and self._plan.channel == "bookTicker"

    def _streams(self, connection: Connection) -> tuple[str, ...]:
        return tuple(
            name
            for name in connection.streams
            if (parse_stream(name) or ("", ""))[1] == self._plan.channel
        )

    def _templates(self, connection: Connection, names: tuple[str, ...]) -> list[Template]:
        """Frames of all symbols in turn; of few symbols with some different prices."""
        variants = max(1, _TEMPLATES // len(names))
        ids = {name: self._numbers(name) for name in names}
        return [
            self._template(name, ids[name], variant, combined=connection.combined)
            for variant in range(variants)
            for name in names
        ]

    def _numbers(self, name: str) -> Iterator[int]:
        """All frames are numbered in one row, but for the changes of a book."""
        if self._plan.channel != "depth@100ms":
            return self._ids
        return count(self._market.book(_symbol(name)).update_id + 1)

    def _template(self, name: str, ids: Iterator[int], variant: int, *, combined: bool) -> Template:
        channel = self._plan.channel
        payload = _payload(self._market, channel, _symbol(name), variant)
        text, times = re.subn(_NUMBER[channel], rb"\1%d", payload)
        if self._stamped:
            text = re.sub(rb'"B":"[^"]*"', b'"B":"%.9f"', text)
        if combined:
            text = b'{"stream":"%b","data":%b}' % (name.encode(), text)
        return text, ids, times


def _payload(market: Market, channel: str, symbol: str, variant: int) -> bytes:
    """One frame; its number is filled in later."""
    now_ms = market.now_ms(symbol)
    if channel == "depth@100ms":
        some = slice(variant % 8, variant % 8 + _CHANGED_LEVELS)
        book = market.book(symbol)
        step = Step(symbol, now_ms, 0, 0, dict(book.bids[some]), dict(book.asks[some]), ())
        return wire.depth_event(step, now_ms)
    market.tick(symbol)
    quote = market.quote(symbol)
    trade = Trade(0, quote.bid_e8, quote.bid_quantity_e8, now_ms, buyer_is_maker=bool(variant % 2))
    if channel == "trade":
        return wire.trade_event(symbol, trade, now_ms)
    if channel == "ticker":
        return wire.ticker_event(market.day(symbol), quote, trade, now_ms)
    return wire.book_ticker_event(quote)


def _symbol(name: str) -> str:
    return name.partition("@")[0].upper()
