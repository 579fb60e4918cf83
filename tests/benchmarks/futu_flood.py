"""A simulated OpenD in a process of its own, which floods whoever subscribes.

Run as a module it serves; imported it starts that process. The market stands still, so that nothing
but the flood is measured. Frames are prepared. Where the flood is paced they come one by one, each
when a process of its own gives the beat, and are stamped: their time is the monotonic clock at the
time of sending, as a number and as the text.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from foxtrot.simulator import futu_payloads as payloads
from foxtrot.simulator import futu_wire as wire
from foxtrot.simulator.futu import SimulatedFutu
from foxtrot.simulator.futu_connection import Connection
from foxtrot.simulator.futu_contracts import FutuContract
from foxtrot.simulator.futu_schema import Message, Proto, response
from tests.benchmarks.serving import serving, tell

QUOTE, BOOK, TICKER = "quote", "order_book", "ticker"
NEW_LEVELS = 2
"""On each side of a book, each time; a market moves at the touch and leaves the rest."""
SYMBOLS = ("HK.00700", "HK.09988", "HK.00005")

STAMPED_BEFORE_S = 1e8
"""Times of the flood are those of the monotonic clock; nobody has such a date."""

BEAT_S = 1e-3
"""Between the times of two messages that are not stamped; the first has this one."""

_FIRST_PRINT = 1 << 40
"""Beyond the numbers of the market's own prints."""

_MARK_S = 12_345_678.765625
"""Where the time of sending will stand."""
_MARK_DOUBLE = struct.pack("<d", _MARK_S)
_MARK_TEXT = f"{_MARK_S:015.6f}".encode()

_LOTS, _ORDERS = 4_000, 20
"""A new level has fewer than so many."""

_PACER = str(Path(__file__).with_name("pacer.py"))
_CHUNK = 200
_BACKLOG_BYTES = 1 << 20
_PAUSE_S = 0.001
_PROTOS = {
    QUOTE: Proto.Qot_UpdateBasicQot,
    BOOK: Proto.Qot_UpdateOrderBook,
    TICKER: Proto.Qot_UpdateTicker,
}


@contextmanager
def flooding_opend(
    kind: str, messages: int, rate_hz: float | None = None, *, new_levels: int = NEW_LEVELS
) -> Iterator[int]:
    """Start it; yields the port. Each connection with a stream gets a flood of its own."""
    told = ["--flood", kind, "--messages", str(messages), "--new-levels", str(new_levels)]
    told += ["--rate", str(rate_hz)] if rate_hz is not None else []
    with serving(__name__, told) as port:
        yield port


class Flood:
    """What is sent to every client.

    Args:
        venue: Whose clients they are.
        kind: quote, order_book or ticker.
        messages: How many a client gets.
        rate_hz: How many in a second, of prints; None means as fast as the socket drains.
        new_levels: How many levels of each side of a book are new each time.
    """

    def __init__(
        self,
        venue: SimulatedFutu,
        kind: str,
        messages: int,
        rate_hz: float | None,
        new_levels: int,
    ) -> None:
        self._venue, self._kind, self._messages, self._rate_hz = venue, kind, messages, rate_hz
        self._new_levels, self._random = new_levels, random.Random(7)  # the same books each time
        contracts = [venue.universe.contracts[name] for name in SYMBOLS]
        self._templates = [(contract, self._template(contract)) for contract in contracts]
        marked = [_MARK_S] * messages if rate_hz else [n * BEAT_S for n in range(1, messages + 1)]
        self._bodies = [self._body(number, at_s) for number, at_s in enumerate(marked, 1)]
        self._frames = [] if rate_hz else [self._frame(number) for number in range(messages)]
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Flood who has subscribed to everything, one after the other or side by side."""
        while True:
            await asyncio.sleep(_PAUSE_S * 10)
            wanted: dict[int, set[str]] = {}
            connections: dict[int, Connection] = {}
            for stream in self._venue.quotes.live:
                if stream.channel == self._kind:
                    number = stream.connection.number
                    wanted.setdefault(number, set()).add(stream.contract.name)
                    connections[number] = stream.connection
            for number, names in wanted.items():
                if len(names) == len(SYMBOLS) and number not in self._tasks:
                    flood = self._paced if self._rate_hz else self._unpaced
                    self._tasks[number] = asyncio.create_task(flood(connections[number]))

    async def _unpaced(self, connection: Connection) -> None:
        sent = 0
        while connection.open and sent < self._messages:
            if connection.backlog() > _BACKLOG_BYTES:
                await asyncio.sleep(_PAUSE_S)
                continue
            connection.write(b"".join(self._frames[sent : sent + _CHUNK]))
            sent += _CHUNK
            await asyncio.sleep(0)

    async def _paced(self, connection: Connection) -> None:
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        numbers, ended = iter(range(self._messages)), asyncio.Event()

        def on_beat() -> None:
            beats = os.read(reader, _CHUNK)
            for number in islice(numbers, len(beats)):
                connection.write(self._frame(number, time.monotonic()))
            if not beats:
                ended.set()

        loop = asyncio.get_running_loop()
        loop.add_reader(reader, on_beat)
        command = [_PACER, str(writer), str(self._rate_hz), str(self._messages)]
        pacer = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            pass_fds=[writer],
            stderr=subprocess.DEVNULL,  # it may outlive us, and find nobody at the other end
        )
        os.close(writer)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(reader)
            os.close(reader)
            await pacer.wait()

    def _frame(self, number: int, at_s: float = _MARK_S) -> bytes:
        body = self._bodies[number]
        if at_s != _MARK_S:
            body = body.replace(_MARK_DOUBLE, struct.pack("<d", at_s))
            body = body.replace(_MARK_TEXT, _text(at_s))
        return wire.encode(_PROTOS[self._kind], number, body)

    def _body(self, number: int, at_s: float) -> bytes:
        """One push; no two in a row are the same."""
        contract, told = self._templates[number % len(SYMBOLS)]
        shift = number % 7
        if self._kind == QUOTE:
            quote = told.s2c.basicQotList[0]
            quote.curPrice, quote.updateTimestamp = contract.price + shift * contract.tick, at_s
        elif self._kind == BOOK:
            told.s2c.svrRecvTimeBidTimestamp = told.s2c.svrRecvTimeAskTimestamp = at_s
            for side in (told.s2c.orderBookBidList, told.s2c.orderBookAskList):
                for level in self._random.sample(list(side), self._new_levels):
                    level.volume = contract.lot_size * self._random.randrange(1, _LOTS)
                    level.orederCount = self._random.randrange(1, _ORDERS)
        else:
            item = told.s2c.tickerList[0]
            item.sequence, item.dir = _FIRST_PRINT + number, 1 + number % 2
            item.price, item.volume = contract.price + shift * contract.tick, contract.lot_size
            item.time, item.timestamp, item.recvTime = _text(at_s).decode(), at_s, at_s
        return bytes(told.SerializeToString())

    def _template(self, contract: FutuContract) -> Message:
        market = self._venue.market
        if self._kind == QUOTE:
            return payloads.quote(market, contract)
        if self._kind == BOOK:
            return payloads.book(market, contract)
        told = response(Proto.Qot_UpdateTicker)
        told.s2c.security.market, told.s2c.security.code = contract.market, contract.code
        told.s2c.tickerList.add(turnover=contract.price, type=1, typeSign=0, pushDataType=1)
        return told


def _text(at_s: float) -> bytes:
    return f"{at_s:015.6f}".encode()


async def serve(kind: str, messages: int, rate_hz: float | None, new_levels: int) -> None:
    """Serve until killed."""
    venue = SimulatedFutu(SYMBOLS, rate_hz=0)
    async with venue:
        for name in SYMBOLS:
            venue.wake(name)
            venue.tick(name)
        flood = Flood(venue, kind, messages, rate_hz, new_levels)
        tell(venue.port)
        await flood.run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--flood", required=True)
    parser.add_argument("--messages", type=int, required=True)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--new-levels", type=int, default=NEW_LEVELS)
    options = parser.parse_args()
    asyncio.run(serve(options.flood, options.messages, options.rate, options.new_levels))
