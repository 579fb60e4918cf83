"""Full speed for benchmarks: ready-made pushes of a client's streams, as fast as wanted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from foxtrot.simulator import futu_payloads as payloads
from foxtrot.simulator.blast import Blast as AnyBlast
from foxtrot.simulator.blast import Pace, Source
from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.futu_connection import Connection
from foxtrot.simulator.futu_quotes import Quotes, Stream
from foxtrot.simulator.futu_schema import Message, Proto
from foxtrot.simulator.futu_wire import encode
from foxtrot.simulator.listings import E8
from foxtrot.simulator.market import Market, Trade

_CHUNK = 400
"""Messages in one write."""


class BlastPlan(Pace, frozen=True):
    """As `Pace`, with what a client subscribed to, in turn; the stamp is a print's `recvTime`.

    Connections with ciphers are not flooded.
    """


class Venue(Protocol):
    """Who floods."""

    market: Market
    faults: FaultBoard
    quotes: Quotes


class Blast(AnyBlast[Connection, Stream]):
    """Floods the clients that come from now on.

    Args:
        venue: Whose streams they are.
        plan: How fast, and how much.
    """

    def __init__(self, venue: Venue, plan: BlastPlan) -> None:
        super().__init__(venue.faults, plan, _CHUNK)
        self._venue = venue

    def _lines(self, connection: Connection) -> Sequence[Stream]:
        if connection.aes is not None:
            return []
        return [one for one in self._venue.quotes.live if one.connection is connection]

    def _source(self, lines: Sequence[Stream]) -> Source:
        chunk = self._chunk(lines, 0, _CHUNK)
        fresh = self._pace.stamped or self._prints(lines)

        def part(sent: int, due: int) -> bytes:
            at = sent % _CHUNK
            return b"".join(self._chunk(lines, sent, due) if fresh else chunk[at : at + due])

        return part

    def _prints(self, streams: Sequence[Stream]) -> bool:
        """Whether there are prints: each has a sequence number of its own."""
        return any(stream.sub_type == payloads.PRINTS for stream in streams)

    def _chunk(self, streams: Sequence[Stream], first: int, count: int) -> list[bytes]:
        """Frames of all streams in turn."""
        return [
            self._frame(streams[number % len(streams)], number)
            for number in range(first, first + count)
        ]

    def _frame(self, stream: Stream, number: int) -> bytes:
        proto, message = self._message(stream, number)
        return encode(proto, number, message.SerializeToString())

    def _message(self, stream: Stream, number: int) -> tuple[Proto, Message]:
        market, contract = self._venue.market, stream.contract
        if stream.sub_type == payloads.BOOK:
            told = payloads.book(market, contract)
            for row in (told.s2c.orderBookBidList[0], told.s2c.orderBookAskList[0]):
                row.volume += number * contract.lot_size
            return Proto.Qot_UpdateOrderBook, told
        if stream.sub_type == payloads.PRINTS:
            return Proto.Qot_UpdateTicker, self._print(stream, number)
        if stream.sub_type != payloads.QUOTE:
            told = payloads.kline(
                market, contract, payloads.KLINES[stream.sub_type], stream.rehabs[0]
            )
            return Proto.Qot_UpdateKL, told
        told = payloads.quote(market, contract)
        told.s2c.basicQotList[0].volume += number * contract.lot_size
        return Proto.Qot_UpdateBasicQot, told

    def _print(self, stream: Stream, number: int) -> Message:
        contract, market = stream.contract, self._venue.market
        touch, now_ms = market.quote(contract.name), market.now_ms(contract.name)
        seller = number % 2 == 0
        price_e8 = touch.bid_e8 if seller else touch.ask_e8
        trade = Trade(now_ms * 1_000 + number, price_e8, contract.lot_size * E8, now_ms, seller)
        told = payloads.prints(contract, [trade])
        if self._pace.stamped:
            told.s2c.tickerList[0].recvTime = time.monotonic()
        return told
