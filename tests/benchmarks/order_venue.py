"""A simulated Binance that notes when orders reach it and when its reports leave.

`open_venue`, `take_stamps` and `close_venue` run in one process of its own; the market stands
still. The stamps are the machine's monotonic clock, in seconds, which all processes share.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from foxtrot.simulator.binance import SimulatedBinance, SimulatedBinanceThread
from foxtrot.simulator.binance_blast import BlastPlan
from foxtrot.simulator.binance_connection import Connection
from foxtrot.simulator.binance_limits import Limits
from foxtrot.simulator.binance_seen import Seen

SYMBOL = "BTCUSDT"
PLACED, CANCELLED, FILLED = "placed", "cancelled", "filled"
RICH = {"USDT": 100_000_000, "BTC": 2}

Stamps = dict[tuple[str, str], float]
"""By what happened and client order id."""

_ARRIVALS = {
    ("POST", "/api/v3/order"): (PLACED, "newClientOrderId"),
    ("WS", "order.place"): (PLACED, "newClientOrderId"),
    ("DELETE", "/api/v3/order"): (CANCELLED, "origClientOrderId"),
}


class _Event(msgspec.Struct):
    c: str
    x: str


class _Push(msgspec.Struct):
    event: _Event


class StampedSeen(Seen):
    """Notes when an order or a cancel is read off the wire."""

    def __init__(self) -> None:
        super().__init__()
        self.stamps: Stamps = {}

    def requested(self, method: str, path: str, params: dict[str, str]) -> None:
        """One request."""
        now_s = time.monotonic()
        what = _ARRIVALS.get((method, path))
        if what is not None:
            self.stamps[what[0], params[what[1]]] = now_s


class StampedVenue(SimulatedBinance):
    """Notes when the report of a fill is put on the wire."""

    def __init__(self) -> None:
        super().__init__([SYMBOL], rate_hz=0, limits=Limits.none(), balances=RICH)
        self.seen: StampedSeen = StampedSeen()
        self._reports: list[tuple[float, bytes]] = []

    def admit(self, connection: Connection) -> None:
        """Listen to what the connection is sent."""
        if connection.for_orders:
            connection.send = self._noting(connection.send)  # type: ignore[method-assign]
        super().admit(connection)

    def _noting(self, send: Callable[..., None]) -> Callable[..., None]:
        def noting(payload: bytes, **options: int) -> None:
            if b'"executionReport"' in payload:
                self._reports.append((time.monotonic(), payload))
            send(payload, **options)

        return noting

    def take(self) -> Stamps:
        """All stamps since the last time."""
        stamps, self.seen.stamps = self.seen.stamps, {}
        reports, self._reports = self._reports, []
        for at_s, payload in reports:
            event = msgspec.json.decode(payload, type=_Push).event
            if event.x == "TRADE":
                stamps[FILLED, event.c] = at_s
        return stamps


_running: list[SimulatedBinanceThread] = []


def open_venue(ticks_hz: float | None) -> str:
    """Start the venue, which sends so many ticks a second to who asks; returns `host:port`."""
    venue = StampedVenue()
    if ticks_hz:
        venue.blast(BlastPlan(ticks_hz))
    thread = SimulatedBinanceThread(venue)
    thread.start()
    _running.append(thread)
    return f"127.0.0.1:{venue.port}"


def take_stamps() -> Stamps:
    """All stamps since the last time."""
    venue = _running[-1].venue
    assert isinstance(venue, StampedVenue)
    return venue.on_loop(venue.take)


def close_venue() -> None:
    """Stop it."""
    _running.pop().stop()
