"""Full speed for benchmarks: ready-made messages of a client's lines, as fast as wanted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from foxtrot.simulator.blast import Blast as AnyBlast
from foxtrot.simulator.blast import Pace, Source
from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.ib_connection import Connection
from foxtrot.simulator.ib_streams import PRINTS, QUOTES, Stream, Streams
from foxtrot.simulator.ib_ticks import price
from foxtrot.simulator.ib_wire import Value, encode
from foxtrot.simulator.market import Market

_CHUNK = 600
"""Messages in one write."""

_VARIANTS = 32
_STAMP = b"%017.6f"
_SIZE = "0000000100.000000"
"""A size as wide as a stamp, so that a stamp in its place leaves the message's length as it is."""


class BlastPlan(Pace, frozen=True):
    """As `Pace`; every client is flooded that has lines of the channel.

    Quotes come as TWS sends them, a price and then its size, bid and ask in turn; no price is told
    twice in a row. A stamp stands in the place of every size.

    Args:
        channel: market_data or tick_by_tick (Last).
    """

    channel: str = QUOTES


class Venue(Protocol):
    """Who floods."""

    market: Market
    faults: FaultBoard
    streams: Streams


class Blast(AnyBlast[Connection, Stream]):
    """Floods the clients that come from now on.

    Args:
        venue: Whose lines they are.
        plan: What, how fast, and how much.
    """

    def __init__(self, venue: Venue, plan: BlastPlan) -> None:
        super().__init__(venue.faults, plan, _CHUNK)
        self._venue, self._channel = venue, plan.channel

    def _lines(self, connection: Connection) -> list[Stream]:
        live = self._venue.streams.live
        return [
            line for line in live if line.connection is connection and line.channel == self._channel
        ]

    def _source(self, lines: Sequence[Stream]) -> Source:
        chunks = self._chunks(lines)

        def part(sent: int, due: int) -> bytes:
            chunk, start = chunks[sent // _CHUNK % len(chunks)], sent % _CHUNK
            data = b"".join(chunk[start : start + due])
            if self._pace.stamped:
                data = data.replace(_SIZE.encode(), _STAMP % time.monotonic())
            return data

        return part

    def _chunks(self, lines: Sequence[Stream]) -> list[list[bytes]]:
        """Messages of all lines in turn, with the prices of some levels of their books."""
        messages: list[bytes] = []
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
