"""A simulated OpenD in a process of its own, which floods whoever subscribes.

Run as a module it serves; imported it starts that process. The market stands still, so that nothing
but the flood is measured. Frames are prepared; where the flood is paced they are stamped: their
time is the monotonic clock at the time of sending, as a number and as the text.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from foxtrot.simulator import futu_payloads as payloads
from foxtrot.simulator import futu_wire as wire
from foxtrot.simulator.futu import SimulatedFutu
from foxtrot.simulator.futu_connection import Connection
from foxtrot.simulator.futu_contracts import FutuContract
from foxtrot.simulator.futu_schema import Message, Proto, response

QUOTE, BOOK, TICKER = "quote", "order_book", "ticker"
SYMBOLS = ("HK.00700", "HK.09988", "HK.00005")

STAMPED_BEFORE_S = 1e8
"""Times of the flood are those of the monotonic clock; nobody has such a date."""

_FIRST_PRINT = 1 << 40
"""Beyond the numbers of the market's own prints."""

_CHUNK = 200
_BACKLOG_BYTES = 1 << 20
_PAUSE_S = 0.001
_READY = "listening "
_PROTOS = {
    QUOTE: Proto.Qot_UpdateBasicQot,
    BOOK: Proto.Qot_UpdateOrderBook,
    TICKER: Proto.Qot_UpdateTicker,
}


@contextmanager
def flooding_opend(kind: str, messages: int, rate_hz: float | None = None) -> Iterator[int]:
    """Start it; yields the port. Each connection with a stream gets a flood of its own."""
    told = ["--flood", kind, "--messages", str(messages)]
    told += ["--rate", str(rate_hz)] if rate_hz is not None else []
    command = [sys.executable, "-m", "tests.benchmarks.futu_flood", *told]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        lines = (line for line in process.stdout if line.startswith(_READY))
        yield int(next(lines)[len(_READY) :])
    finally:
        process.terminate()
        process.wait(10)


class Flood:
    """What is sent to every client.

    Args:
        venue: Whose clients they are.
        kind: quote, order_book or ticker.
        messages: How many a client gets.
        rate_hz: How many in a second; None means as fast as the socket drains.
    """

    def __init__(
        self, venue: SimulatedFutu, kind: str, messages: int, rate_hz: float | None
    ) -> None:
        self._venue, self._kind, self._messages, self._rate_hz = venue, kind, messages, rate_hz
        contracts = [venue.universe.contracts[name] for name in SYMBOLS]
        self._templates = [(contract, self._template(contract)) for contract in contracts]
        self._frames = [] if rate_hz else [self._frame(n, n / 1e3) for n in range(1, messages + 1)]
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
                    self._tasks[number] = asyncio.create_task(self._flood(connections[number]))

    async def _flood(self, connection: Connection) -> None:
        sent, began = 0, time.monotonic()
        while connection.open and sent < self._messages:
            due = self._due(sent, time.monotonic() - began)
            if due < 1 or connection.backlog() > _BACKLOG_BYTES:
                await asyncio.sleep(_PAUSE_S)
                continue
            connection.write(b"".join(self._next(sent, due)))
            sent += due
            await asyncio.sleep(0)

    def _due(self, sent: int, elapsed_s: float) -> int:
        due = _CHUNK if self._rate_hz is None else int(elapsed_s * self._rate_hz) - sent
        return min(due, self._messages - sent, _CHUNK)

    def _next(self, sent: int, count: int) -> list[bytes]:
        if self._frames:
            return self._frames[sent : sent + count]
        now = time.monotonic()
        return [self._frame(sent + each + 1, now) for each in range(count)]

    def _frame(self, number: int, at_s: float) -> bytes:
        body = self._message(number, at_s).SerializeToString()
        return wire.encode(_PROTOS[self._kind], number, body)

    def _message(self, number: int, at_s: float) -> Message:
        """One push; no two in a row are the same."""
        contract, told = self._templates[number % len(SYMBOLS)]
        shift = number % 7
        if self._kind == QUOTE:
            quote = told.s2c.basicQotList[0]
            quote.curPrice, quote.updateTimestamp = contract.price + shift * contract.tick, at_s
        elif self._kind == BOOK:
            told.s2c.svrRecvTimeBidTimestamp = told.s2c.svrRecvTimeAskTimestamp = at_s
            told.s2c.orderBookBidList[0].volume = contract.lot_size * (1 + shift)
        else:
            item = told.s2c.tickerList[0]
            item.sequence, item.dir = _FIRST_PRINT + number, 1 + number % 2
            item.price, item.volume = contract.price + shift * contract.tick, contract.lot_size
            item.time, item.timestamp, item.recvTime = f"{at_s:.6f}", at_s, at_s
        return told

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


async def serve(kind: str, messages: int, rate_hz: float | None) -> None:
    """Serve until killed."""
    venue = SimulatedFutu(SYMBOLS, rate_hz=0)
    async with venue:
        for name in SYMBOLS:
            venue.wake(name)
            venue.tick(name)
        flood = Flood(venue, kind, messages, rate_hz)
        print(f"{_READY}{venue.port}", flush=True)
        await flood.run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--flood", required=True)
    parser.add_argument("--messages", type=int, required=True)
    parser.add_argument("--rate", type=float)
    options = parser.parse_args()
    asyncio.run(serve(options.flood, options.messages, options.rate))
