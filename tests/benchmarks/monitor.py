"""What the monitor costs: ticks while 200 requests a second are answered, and while nobody asks.

The ticks come at a steady rate by a pipe, as from a socket, onto the bridge's loop; those who ask
are another process. As in the program `foxtrot`, threads give way to each other after 0.5 ms.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import aiohttp

from foxtrot.app.program import tune
from foxtrot.engine.main_engine import MainEngine
from foxtrot.model.constants import Exchange, Lane
from foxtrot.model.events import EVENT_TICK, Event
from foxtrot.model.objects import NO_STATISTICS, Source, TickData
from foxtrot.model.requests import SubscribeRequest
from foxtrot.monitoring.access import Token
from foxtrot.monitoring.server import MonitorServer
from tests.benchmarks.harness import Comparison, interleave, percentile
from tests.support.fake_adapter import FakeAdapter

TICKS_PER_S, SECONDS, STREAMS, CLIENTS = 2_000, 3.0, 100, 50
REQUESTS_PER_S, ABOVE = 200, 600
SLICES = 2
WAIT_S = 60.0
PATHS = ("health", "adapters", "streams", "orders", "system/config", "data/info")


@dataclass
class Run:
    """Latency of the ticks, and what those who asked were told."""

    p99_us: float
    good: int = 0
    refused: int = 0
    slowest_ms: float = 0.0


def run(rounds: int) -> list[Comparison]:
    """All figures of this file."""
    before = sys.getswitchinterval()
    tune()
    try:
        with _served() as (engine, server):
            runs = interleave(
                rounds * SLICES,
                {
                    "quiet": lambda: _ticks(engine, server, 0),
                    "asked": lambda: _ticks(engine, server, REQUESTS_PER_S),
                    "flooded": lambda: _ticks(engine, server, ABOVE),
                },
            )
    finally:
        sys.setswitchinterval(before)
    return [
        _compared(name, rate, runs)
        for name, rate in (("asked", REQUESTS_PER_S), ("flooded", ABOVE))
    ]


def _compared(name: str, rate: int, runs: dict[str, list[Run]]) -> Comparison:
    asked = runs[name]
    good, refused = sum(r.good for r in asked), sum(r.refused for r in asked)
    slowest = max(r.slowest_ms for r in asked)
    return Comparison(
        f"tick p99 at {TICKS_PER_S:,}/s, {rate} requests/s by {CLIENTS} clients",
        "us",
        [r.p99_us for r in asked],
        "nobody asks",
        [r.p99_us for r in runs["quiet"]],
        2.0,
        1.3,
        smaller_is_better=True,
        note=f"{good:,} answered, {refused:,} told to wait, slowest answer {slowest:.0f} ms",
    )


@contextmanager
def _served() -> Iterator[tuple[MainEngine, MonitorServer]]:
    with tempfile.TemporaryDirectory() as folder, MainEngine() as engine:
        adapter = engine.add_adapter(FakeAdapter)
        for number in range(STREAMS):
            adapter.subscribe(SubscribeRequest(f"S{number}", Exchange.BINANCE))
        adapter.connect({})
        with MonitorServer(engine, 0, token=Token(Path(folder) / "token")) as server:
            yield engine, server


def _ticks(engine: MainEngine, server: MonitorServer, rate: int) -> Run:
    """Send ticks through the engine, while `rate` requests a second are asked."""
    count, latencies, done = int(TICKS_PER_S * SECONDS), [], threading.Event()
    sources = cycle([Source.of(f"S{n}", Exchange.BINANCE, "FAKE") for n in range(STREAMS)])

    def handle(event: Event) -> None:
        latencies.append(time.perf_counter_ns() - event.data.ts_recv_ns)  # type: ignore[attr-defined]
        if len(latencies) == count:
            done.set()

    def arrived() -> None:
        for _ in os.read(reader, 4096):
            tick = TickData(
                next(sources),
                0,
                time.perf_counter_ns(),
                1.0,
                1.0,
                1.0,
                1.0,
                1.0,
                1.0,
                NO_STATISTICS,
            )
            engine.event_engine.put(Event(EVENT_TICK, tick, tick.vt_symbol, Lane.LATEST))

    reader, writer = os.pipe()
    loop = engine.bridge.loop
    engine.register(EVENT_TICK, handle)
    loop.call_soon_threadsafe(loop.add_reader, reader, arrived)
    asking = (
        _started("tests.benchmarks.monitor", server.url, server.token.file, rate) if rate else None
    )
    if asking is not None and asking.stdout is not None:
        asking.stdout.readline()  # it asks from now on
    pacer = _started("tests.benchmarks.pacer", writer, TICKS_PER_S, count, fds=(writer,))
    try:
        pacer.wait(WAIT_S)
        done.wait(1.0)  # a conflated one never comes
        told = json.loads(asking.communicate(timeout=WAIT_S)[0]) if asking is not None else {}
    finally:
        loop.call_soon_threadsafe(loop.remove_reader, reader)
        engine.unregister(EVENT_TICK, handle)
        os.close(writer)
    return Run(percentile(latencies, 0.99) / 1000, **told)


def _started(module: str, *arguments: object, fds: tuple[int, ...] = ()) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.Popen(command, pass_fds=fds, stdout=subprocess.PIPE, text=True)


async def ask(url: str, token: str, rate: float) -> dict[str, float]:
    """Ask for all pages in turn, at a steady rate and by many clients; what was told."""
    statuses: dict[int, int] = {}
    slowest = 0.0
    paths = cycle(PATHS)
    headers = {"Authorization": f"Bearer {token}"}
    connector = aiohttp.TCPConnector(limit=CLIENTS)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:

        async def one() -> None:
            nonlocal slowest
            began = time.perf_counter()
            async with session.get(f"{url}/api/v1/{next(paths)}") as response:
                await response.read()
            slowest = max(slowest, time.perf_counter() - began)
            statuses[response.status] = statuses.get(response.status, 0) + 1

        print("asking", flush=True)
        began = time.perf_counter()
        tasks = []
        for number in range(int(rate * SECONDS)):
            await asyncio.sleep(max(began + number / rate - time.perf_counter(), 0))
            tasks.append(asyncio.create_task(one()))
        await asyncio.gather(*tasks)
    assert set(statuses) <= {200, 429}, statuses
    good, refused = statuses.get(200, 0), statuses.get(429, 0)
    return {"good": good, "refused": refused, "slowest_ms": slowest * 1000}


if __name__ == "__main__":
    place, file, per_s = sys.argv[1:]
    print(json.dumps(asyncio.run(ask(place, Path(file).read_text().strip(), float(per_s)))))
