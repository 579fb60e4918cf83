"""The EventEngine against vnpy's: how many events, and how soon.

The producer is an asyncio loop on a thread of its own, as the bridge is.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from vnpy.event import Event as VnpyEvent
from vnpy.event import EventEngine as VnpyEngine

from foxtrot.core.bridge import AsyncThreadBridge
from foxtrot.core.event_engine import EventEngine
from foxtrot.model.constants import Lane
from foxtrot.model.events import EVENT_TICK, Event
from tests.benchmarks.harness import Comparison, interleave, percentile

EVENTS = 200_000
CHUNK = 50  # events between two turns of the producer's loop
WAIT_S = 120.0
LEFT_WORK_S = 20e-6
LATEST = Lane.LATEST  # looking up an enum's member costs as much as making the event

Engine = EventEngine | VnpyEngine
Put = Callable[[object], None]
Latencies = tuple[float, float]  # p50, p99 in microseconds


def foxtrot_engine() -> EventEngine:
    """An engine that delivers every event, so that both engines do the same work."""
    return EventEngine(conflate_after_s=float("inf"), latest_limit=10**9, bounded_limit=10**9)


def stop(engine: Engine) -> None:
    """End either engine; vnpy's is not waited for: its timer sleeps for a second."""
    if isinstance(engine, EventEngine):
        engine.stop()
    else:
        engine._active = False


def tick_putter(engine: Engine) -> Put:
    """Put one tick as each engine's adapters would, at one event per tick."""
    put = engine.put
    if isinstance(engine, EventEngine):
        return lambda data: put(Event(EVENT_TICK, data, "BTCUSDT.BINANCE", LATEST))
    return lambda data: put(VnpyEvent(EVENT_TICK, data))


def plain_putter(engine: Engine) -> Put:
    """Put `Event(type, data)`, as vnpy's code does."""
    put = engine.put
    if isinstance(engine, EventEngine):
        return lambda data: put(Event(EVENT_TICK, data))
    return lambda data: put(VnpyEvent(EVENT_TICK, data))


def saturate(engine: Engine, putter: Callable[[Engine], Put]) -> tuple[float, float]:
    """Put without pause until all is served; (events per second, CPU microseconds per event)."""
    served, done = 0, threading.Event()

    def handler(event: object) -> None:
        nonlocal served
        served += 1
        if served == EVENTS:
            done.set()

    async def produce() -> None:
        put = putter(engine)
        for _ in range(EVENTS // CHUNK):
            for number in range(CHUNK):
                put(number)
            await asyncio.sleep(0)

    engine.register(EVENT_TICK, handler)
    engine.start()
    with AsyncThreadBridge() as bridge:
        cpu, begun = time.process_time(), time.perf_counter()
        bridge.submit(produce(), name="produce")
        if not done.wait(WAIT_S):
            raise RuntimeError(f"{served} of {EVENTS} events were served")
        elapsed, cpu = time.perf_counter() - begun, time.process_time() - cpu
    stop(engine)
    return EVENTS / elapsed, cpu / EVENTS * 1e6


def paced(engine: Engine, rate: int, count: int, left_work_s: float) -> Latencies:
    """Latency from put to handler while a socket brings `rate` events a second.

    `left_work_s` is what the loop thread still computes after each put; 0 sends it straight back
    to its selector, and to sleep.
    """
    latencies: list[float] = []
    done = threading.Event()

    def handler(event: Event) -> None:
        latencies.append((time.perf_counter_ns() - event.data) / 1e3)  # type: ignore[operator]
        if len(latencies) == count:
            done.set()

    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    put = tick_putter(engine)

    def on_readable() -> None:
        for _ in os.read(reader, 4096):
            put(time.perf_counter_ns())
            until = time.perf_counter() + left_work_s
            while time.perf_counter() < until:
                pass

    engine.register(EVENT_TICK, handler)
    engine.start()
    script = Path(__file__).with_name("pacer.py")
    command = [sys.executable, str(script), str(writer), str(rate), str(count)]
    with AsyncThreadBridge() as bridge:
        bridge.loop.call_soon_threadsafe(bridge.loop.add_reader, reader, on_readable)
        with subprocess.Popen(command, pass_fds=[writer]):
            if not done.wait(WAIT_S):
                raise RuntimeError(f"{len(latencies)} of {count} events were served")
        bridge.loop.call_soon_threadsafe(bridge.loop.remove_reader, reader)
    stop(engine)
    os.close(reader)
    os.close(writer)
    settled = latencies[count // 10 :]
    return percentile(settled, 0.5), percentile(settled, 0.99)


def run(rounds: int) -> list[Comparison]:
    """All comparisons of the engine."""
    results = []
    for what, putter in (("ticks", tick_putter), ("plain events", plain_putter)):
        both = interleave(
            rounds,
            {
                "ours": lambda putter=putter: saturate(foxtrot_engine(), putter),
                "vnpy": lambda putter=putter: saturate(VnpyEngine(1), putter),
            },
        )
        ours, peer = both["ours"], both["vnpy"]
        results += [
            Comparison(
                f"engine throughput, {what}", "events/s",
                [r[0] for r in ours], "vnpy EventEngine", [r[0] for r in peer], 2.5, 3.3,
            ),
            Comparison(
                f"engine CPU, {what}", "us/event",
                [r[1] for r in ours], "vnpy EventEngine", [r[1] for r in peer],
                smaller_is_better=True,
            ),
        ]  # fmt: skip
    for rate, work_s, goals in (
        (10_000, LEFT_WORK_S, ((1 / 2.5, 1 / 4), (0.8, 0.5))),
        (10_000, 0.0, ((1 / 2.5, 1 / 4), (0.8, 0.5))),
        (1_000, LEFT_WORK_S, ((None, None), (None, None))),
        (1_000, 0.0, ((None, None), (None, None))),
    ):
        both = interleave(
            rounds,
            {
                "ours": lambda r=rate, w=work_s: paced(foxtrot_engine(), r, r * 2, w),
                "vnpy": lambda r=rate, w=work_s: paced(VnpyEngine(1), r, r * 2, w),
            },
        )
        then = f"{work_s * 1e6:.0f} us of work left" if work_s else "back to the selector"
        for column, (floor, aim) in enumerate(goals):
            results.append(
                Comparison(
                    f"engine latency p{(50, 99)[column]}, {rate}/s, {then}", "us",
                    [r[column] for r in both["ours"]],
                    "vnpy EventEngine", [r[column] for r in both["vnpy"]],
                    floor, aim, smaller_is_better=True,
                )
            )  # fmt: skip
    return results
