"""The EventEngine against vnpy's: how many events.

The producer is an asyncio loop on a thread of its own, as the bridge is.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

from vnpy.event import Event as VnpyEvent
from vnpy.event import EventEngine as VnpyEngine

from foxtrot.core.bridge import AsyncThreadBridge
from foxtrot.core.event_engine import EventEngine
from foxtrot.model.constants import Lane
from foxtrot.model.events import EVENT_TICK, Event
from tests.benchmarks.harness import Comparison, interleave

EVENTS = 200_000
CHUNK = 50  # events between two turns of the producer's loop
WAIT_S = 120.0
LATEST = Lane.LATEST  # looking up an enum's member costs as much as making the event

Engine = EventEngine | VnpyEngine
Put = Callable[[object], None]


def foxtrot_engine() -> EventEngine:
    """An engine that delivers every event, so that both engines do the same work."""
    return EventEngine(conflate_after_s=float("inf"), latest_limit=10**9, bounded_limit=10**9)


def stop(engine: Engine) -> None:
    """End either engine; vnpy's is not waited for: its timer sleeps for a second."""
    if isinstance(engine, VnpyEngine):
        engine._active = False
    else:
        engine.stop()


def tick_putter(engine: Engine) -> Put:
    """Put one tick as each engine's adapters would, at one event per tick."""
    put = engine.put
    if isinstance(engine, VnpyEngine):
        return lambda data: put(VnpyEvent(EVENT_TICK, data))
    return lambda data: put(Event(EVENT_TICK, data, "BTCUSDT.BINANCE", LATEST))


def plain_putter(engine: Engine) -> Put:
    """Put `Event(type, data)`, as vnpy's code does."""
    put = engine.put
    if isinstance(engine, VnpyEngine):
        return lambda data: put(VnpyEvent(EVENT_TICK, data))
    return lambda data: put(Event(EVENT_TICK, data))


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
    return results
