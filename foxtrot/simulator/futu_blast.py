"""Full speed for benchmarks: ready-made pushes of a client's streams, as fast as wanted."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

import msgspec

from foxtrot.simulator import futu_payloads as payloads
from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.futu_connection import Connection
from foxtrot.simulator.futu_dispatch import Room
from foxtrot.simulator.futu_quotes import Quotes, Stream
from foxtrot.simulator.futu_schema import Message, Proto
from foxtrot.simulator.futu_wire import encode
from foxtrot.simulator.listings import E8
from foxtrot.simulator.market import Market, Trade

_CHUNK = 400
"""Messages in one write."""

_BACKLOG_BYTES = 1 << 20
_PAUSE_S = 0.001


class BlastPlan(msgspec.Struct, frozen=True):
    """How every client is flooded with pushes of what it subscribed to, in turn.

    Connections with ciphers are not flooded.

    Args:
        rate_hz: Messages per second and client; None means as fast as the socket drains.
        messages: How many a client gets; None means without end.
        stamped: Whether a print's `recvTime` is the monotonic clock, in seconds, when it is made.
    """

    rate_hz: float | None = None
    messages: int | None = None
    stamped: bool = False


class Venue(Protocol):
    """Who floods."""

    market: Market
    faults: FaultBoard
    quotes: Quotes


class Blast(Room):
    """Floods the clients that come from now on; one task for each.

    Args:
        venue: Whose streams they are.
        plan: How fast, and how much.
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
        streams: list[Stream] = []
        chunk: list[bytes] = []
        while connection.open and (plan.messages is None or sent < plan.messages):
            current = [one for one in self._venue.quotes.live if one.connection is connection]
            if current != streams:
                streams, chunk = current, self._chunk(current)
                began_s, sent = time.monotonic(), 0
            due = self._due(sent, time.monotonic() - began_s) if chunk else 0
            if due < 1 or not self._venue.faults.quiet or connection.backlog() > _BACKLOG_BYTES:
                await asyncio.sleep(_PAUSE_S)
                continue
            at, fresh = sent % _CHUNK, plan.stamped or self._prints(streams)
            part = self._chunk(streams, sent, due) if fresh else chunk[at : at + due]
            connection.write(b"".join(part))
            sent += due
            await asyncio.sleep(0)

    def _prints(self, streams: list[Stream]) -> bool:
        """Whether there are prints: each has a sequence number of its own."""
        return any(stream.sub_type == payloads.PRINTS for stream in streams)

    def _due(self, sent: int, elapsed_s: float) -> int:
        """How many messages are to be sent now; they never go beyond the chunk's end."""
        plan, room = self._plan, _CHUNK - sent % _CHUNK
        due = room if plan.rate_hz is None else int(elapsed_s * plan.rate_hz) - sent
        left = due if plan.messages is None else plan.messages - sent
        return min(due, left, room)

    def _chunk(self, streams: list[Stream], first: int = 0, count: int = _CHUNK) -> list[bytes]:
        """Frames of all streams in turn."""
        if not streams or streams[0].connection.aes is not None:
            return []
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
        if self._plan.stamped:
            told.s2c.tickerList[0].recvTime = time.monotonic()
        return told
