"""The faults of the simulated Binance that act at once and are over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from foxtrot.simulator.binance_connection import Connection
from foxtrot.simulator.binance_user import UserStreams
from foxtrot.simulator.faults import Fault
from foxtrot.simulator.market import Market

_BURST_FRAMES = 10


class Venue(Protocol):
    """What is struck."""

    market: Market
    users: UserStreams

    @property
    def connections(self) -> tuple[Connection, ...]:
        """The websocket connections that stand."""

    def now_ms(self) -> int:
        """The venue's clock."""

    def tick(self, symbol: str, count: int = 1) -> None:
        """Advance a symbol by hand."""


def strike(venue: Venue, fault: Fault) -> None:
    """Carry out a fault that acts at once; with a `path`, on the connections made there."""
    strikes: Mapping[str, Callable[[Connection], None]] = {
        "close": lambda c: c.end(fault.code or 1001, "Closed by fault"),
        "cut_24h": lambda c: c.end(1001, "Connection is 24 hours old"),
        "rst": lambda c: c.reset(),
        "eof": lambda c: c.hang_up(),
        "server_shutdown": lambda c: _announce_shutdown(venue, c, fault.seconds),
    }
    if fault.name == "burst":
        _burst(venue, fault)
    if fault.name == "user_terminated":
        venue.users.terminate()
    struck = strikes.get(fault.name)
    if struck is None:
        return
    for connection in venue.connections:
        if fault.matches(None, None, connection.path, None):
            struck(connection)


def _announce_shutdown(venue: Venue, connection: Connection, seconds: float | None) -> None:
    event = msgspec.json.encode({"e": "serverShutdown", "E": venue.now_ms()})
    if connection.for_orders:
        connection.send(b'{"event":%b}' % event)
    else:
        connection.deliver("!serverShutdown", event)
    if seconds is not None:
        asyncio.get_running_loop().call_later(seconds, connection.end, 1001, "Server shutdown")


def _burst(venue: Venue, fault: Fault) -> None:
    for connection in venue.connections:
        connection.cork()
    symbols = [name for name in venue.market.awake if fault.symbol in (None, name)]
    for _ in range(fault.frames or _BURST_FRAMES):
        for symbol in symbols:
            venue.tick(symbol)
    for connection in venue.connections:
        connection.uncork()
