"""What 20, 100 and 1,000 streams cost: processor, memory and network, and how the cost grows.

A stream is the ticks of one symbol: on the wire its quotes, five a second, and its statistics,
which stand still here. Each size is measured in a fresh process, beside a bare client that
subscribes to the same and only decodes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import aiohttp
import msgspec

from foxtrot import EVENT_TICK, Event, Exchange, MainEngine, SubscribeRequest
from foxtrot.adapter.binance import BinanceAdapter
from foxtrot.adapter.binance.mapping import Quote
from tests.benchmarks.flood import flooding_venue, symbols
from tests.benchmarks.harness import Comparison
from tests.benchmarks.workers import in_fresh_process

SIZES = (20, 100, 1000)
QUOTES_HZ = 5.0
WINDOW_S = 3.0
SETTLE_S = 1.5
WAIT_S = 60.0
CEILING_MB = 50.0
ROUNDS = 3
"""At most: a fresh process takes seconds to import what it needs."""

_SYMBOLS_PER_CONNECTION = 512
_RECEIVED_AT = 128
"""Where Linux's `struct tcp_info` keeps `tcpi_bytes_received`, a u64."""


@dataclass(frozen=True)
class Cost:
    """What all streams together cost one process."""

    cpu_share: float
    """Of one core."""
    grown_mb: float
    """Resident memory, over what it was before connecting."""
    bytes_per_s: float
    quotes_per_s: float


class Gauge:
    """Reads this process's own figures over a window of time."""

    def __init__(self) -> None:
        self._before_mb = _resident_mb()

    def cost(self, count: Callable[[], int], wait: Callable[[float], object]) -> Cost:
        """Measure while `wait` waits; `count` says how many quotes have come."""
        began, cpu, quotes = time.monotonic(), time.process_time(), count()
        received = _received()
        wait(WINDOW_S)
        spent_s = time.monotonic() - began
        return Cost(
            (time.process_time() - cpu) / spent_s,
            _resident_mb() - self._before_mb,
            (_received() - received) / spent_s,
            (count() - quotes) / spent_s,
        )


def foxtrot_cost(address: str, size: int) -> Cost:
    """The adapter, the engine and a handler."""
    import ccxt.pro.binance  # noqa: F401  # before the gauge: it is there whatever is subscribed

    gauge = Gauge()
    count = 0
    missing, all_tick = set(symbols(size)), threading.Event()

    def on_tick(event: Event) -> None:
        nonlocal count
        if event.data.ts_event_ns:  # type: ignore[attr-defined]
            return  # from a snapshot
        count += 1
        if missing:
            missing.discard(event.data.symbol)  # type: ignore[attr-defined]
            if not missing:
                all_tick.set()

    with MainEngine() as engine:
        engine.add_adapter(BinanceAdapter)
        engine.register(EVENT_TICK, on_tick)
        for symbol in symbols(size):
            engine.subscribe(SubscribeRequest(symbol, Exchange.BINANCE), "BINANCE")
        engine.connect({"environment": "simulated", "rest_url": f"http://{address}"}, "BINANCE")
        if not all_tick.wait(WAIT_S):
            raise RuntimeError(f"{len(missing)} of {size} never ticked: {engine}")
        pause = threading.Event()
        pause.wait(SETTLE_S)
        return gauge.cost(lambda: count, pause.wait)


def bare_cost(address: str, size: int) -> Cost:
    """aiohttp and msgspec, nothing else."""
    gauge = Gauge()
    count = 0
    decode = msgspec.json.Decoder(Quote, strict=False).decode

    async def read(http: aiohttp.ClientSession, names: list[str]) -> None:
        nonlocal count
        url = f"ws://{address}/stream/ws"
        async with http.ws_connect(url, decode_text=False, compress=0) as peer:
            for start in range(0, len(names), 200):
                request = {"method": "SUBSCRIBE", "params": names[start : start + 200], "id": start}
                await peer.send_str(msgspec.json.encode(request).decode())
            while True:
                message = await peer.receive()
                if message.data[:5] == b'{"u":':
                    decode(message.data)
                    count += 1

    async def measure() -> Cost:
        wanted = symbols(size)
        chunks = [
            wanted[start : start + _SYMBOLS_PER_CONNECTION]
            for start in range(0, size, _SYMBOLS_PER_CONNECTION)
        ]
        async with aiohttp.ClientSession() as http:
            readers = [asyncio.create_task(read(http, _names(chunk))) for chunk in chunks]
            await asyncio.sleep(2 * SETTLE_S)
            window = asyncio.to_thread(gauge.cost, lambda: count, time.sleep)
            cost = await window
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)
        return cost

    return asyncio.run(asyncio.wait_for(measure(), WAIT_S))


def _connections(size: int) -> int:
    return ceil(size / _SYMBOLS_PER_CONNECTION)


def _names(some: list[str]) -> list[str]:
    return [f"{symbol.lower()}@{kind}" for symbol in some for kind in ("bookTicker", "ticker")]


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _received() -> int:
    """Bytes that this process's open TCP sockets have received."""
    found = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(name))) as end:
            if end.type == socket.SOCK_STREAM and end.family == socket.AF_INET:
                info = end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
                found += struct.unpack_from("Q", info, _RECEIVED_AT)[0]
    return found


Costs = dict[int, list[Cost]]


def run(rounds: int) -> list[Comparison]:
    """All figures of this file."""
    ours: Costs = {size: [] for size in SIZES}
    bare: Costs = {size: [] for size in SIZES}
    for _ in range(min(rounds, ROUNDS)):
        for size in SIZES:
            rate_hz = QUOTES_HZ * size / _connections(size)
            with flooding_venue(rate_hz=rate_hz, count=size) as address:
                ours[size].append(in_fresh_process(foxtrot_cost, address, size))
                bare[size].append(in_fresh_process(bare_cost, address, size))
    return [*_beside_bare(ours, bare), *_memory(ours), *_growth(ours)]


def _beside_bare(ours: Costs, bare: Costs) -> list[Comparison]:
    figures: dict[str, tuple[str, Callable[[Cost, int], float]]] = {
        "CPU per stream": ("us/s", lambda cost, size: cost.cpu_share / size * 1e6),
        "network per stream": ("B/s", lambda cost, size: cost.bytes_per_s / size),
        "memory per stream": ("KB", lambda cost, size: cost.grown_mb / size * 1e3),
    }
    return [
        Comparison(
            f"{name}, {size} streams",
            unit,
            [figure(cost, size) for cost in ours[size]],
            "bare",
            [figure(cost, size) for cost in bare[size]],
            smaller_is_better=True,
            curve=(f"{name}, {unit}", size),
        )
        for name, (unit, figure) in figures.items()
        for size in SIZES
    ]


def _memory(ours: Costs) -> list[Comparison]:
    return [
        Comparison(
            f"memory per connection, {size} streams",
            "MB",
            [cost.grown_mb / _connections(size) for cost in ours[size]],
            "ceiling",
            [CEILING_MB] * len(ours[size]),
            1.0,
            smaller_is_better=True,
            note=f"{_connections(size)} of them, {ours[size][0].quotes_per_s:,.0f} quotes/s",
        )
        for size in SIZES
    ]


def _growth(ours: Costs) -> list[Comparison]:
    """What one of many streams costs, against one of few."""
    few, many = SIZES[0], SIZES[-1]
    return [
        Comparison(
            f"CPU per stream, one of {many:,}",
            "us/s",
            [cost.cpu_share / many * 1e6 for cost in ours[many]],
            f"one of {few}",
            [cost.cpu_share / few * 1e6 for cost in ours[few]],
            1.0,
            smaller_is_better=True,
        )
    ]
