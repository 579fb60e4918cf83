"""How soon the EventEngine hands an event over, beside vnpy's and beside no engine at all.

All run in one process and take turns of a thousand events, fed by one steady source, so that what
else the machine does hits them alike. Every turn is one round of the comparison; "pooled" is the
percentile of all events of all turns, which the machine's worst moments decide.
"""

from __future__ import annotations

import gc
import itertools
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from vnpy.event import EventEngine as VnpyEngine

from foxtrot.core.bridge import AsyncThreadBridge
from foxtrot.core.event_engine import EventEngine
from foxtrot.model.events import EVENT_TICK, Event
from tests.benchmarks.engine import WAIT_S, Put, foxtrot_engine, stop, tick_putter
from tests.benchmarks.harness import Comparison, percentile

TURN = 1_000
LEFT_WORK_S = 20e-6
SETTLING = TURN // 10  # the first events of a turn find a thread that has slept for long

# Ratios ours / vnpy, as (floor, aim)
P50_GOALS = (1 / 2.5, 1 / 4)
P99_GOALS = (0.8, 0.5)
NO_GOALS = (None, None)


class BareHandOver:
    """A deque, an eventfd and a thread: what a hand-over costs on this machine at the least."""

    def __init__(self) -> None:
        self._queue: deque[Event] = deque()
        self._idle, self._running = False, True
        self._bell = os.eventfd(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._handler: Callable[[Event], object] = lambda _: None

    def register(self, _: str, handler: Callable[[Event], object]) -> None:
        """Call `handler` with everything."""
        self._handler = handler

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, event: Event) -> None:
        """Queue `event`."""
        self._queue.append(event)
        if self._idle:
            self._idle = False
            os.eventfd_write(self._bell, 1)

    def stop(self) -> None:
        """End the thread."""
        self._running = False
        os.eventfd_write(self._bell, 1)
        self._thread.join(WAIT_S)
        os.close(self._bell)

    def _run(self) -> None:
        queue, handler = self._queue, self._handler
        while self._running:
            while queue:
                handler(queue.popleft())
            self._idle = True
            if not queue:
                os.eventfd_read(self._bell)
            self._idle = False


class Runner:
    """One engine in the race, and the microseconds from put to handler of its `count` events."""

    def __init__(self, engine: EventEngine | VnpyEngine | BareHandOver, count: int) -> None:
        self.latencies: list[float] = []
        self.done = threading.Event()
        self.engine = engine
        self.put = tick_putter(engine)
        self._count = count
        engine.register(EVENT_TICK, self._on_tick)
        engine.start()

    def _on_tick(self, event: Event) -> None:
        self.latencies.append((time.perf_counter_ns() - event.data) / 1e3)  # type: ignore[operator]
        if len(self.latencies) == self._count:
            self.done.set()

    def turns(self) -> list[list[float]]:
        """The settled latencies of each turn but the first, which only warms up."""
        starts = range(TURN, self._count, TURN)
        return [self.latencies[start + SETTLING : start + TURN] for start in starts]


def race(runners: Sequence[Runner], turns: int, rate: int, left_work_s: float) -> None:
    """Feed `runners` in turn while a socket brings `rate` events a second to an asyncio loop.

    `left_work_s` is what the loop thread still computes after each put; 0 sends it straight back
    to its selector, and to sleep.
    """
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    order = _order([runner.put for runner in runners], turns)

    def on_readable() -> None:
        for _ in os.read(reader, 4096):
            next(order)(time.perf_counter_ns())
            until = time.perf_counter() + left_work_s
            while time.perf_counter() < until:
                pass

    count = len(runners) * turns * TURN
    script = Path(__file__).with_name("pacer.py")
    command = [sys.executable, str(script), str(writer), str(rate), str(count)]
    with AsyncThreadBridge() as bridge:
        bridge.loop.call_soon_threadsafe(bridge.loop.add_reader, reader, on_readable)
        with subprocess.Popen(command, pass_fds=[writer]):
            for runner in runners:
                if not runner.done.wait(WAIT_S):
                    raise RuntimeError(f"{len(runner.latencies)} of {turns * TURN} were served")
        bridge.loop.call_soon_threadsafe(bridge.loop.remove_reader, reader)
    os.close(reader)
    os.close(writer)


def _order(puts: list[Put], turns: int) -> Iterator[Put]:
    """Who gets the next event; each round of turns begins with another one."""
    for number in range(turns):
        shift = number % len(puts)
        for put in puts[shift:] + puts[:shift]:
            yield from itertools.repeat(put, TURN)


def measure(turns: int, rate: int, left_work_s: float) -> list[list[list[float]]]:
    """Latencies of ours, vnpy's and the bare hand-over, turn by turn."""
    gc.collect()
    count = (turns + 1) * TURN
    engines = (foxtrot_engine(), VnpyEngine(1), BareHandOver())
    runners = [Runner(engine, count) for engine in engines]
    race(runners, turns + 1, rate, left_work_s)
    for runner in runners:
        stop(runner.engine)
    return [runner.turns() for runner in runners]


def compare(case: str, measured: list[list[list[float]]], *, goals: bool) -> list[Comparison]:
    """The rows of one case."""
    p50s = [[percentile(turn, 0.5) for turn in turns] for turns in measured]
    p99s = [[percentile(turn, 0.99) for turn in turns] for turns in measured]
    pooled = [[percentile(list(itertools.chain(*turns)), 0.99)] for turns in measured]

    def row(
        what: str,
        ours: Sequence[float],
        peer_name: str,
        peer: Sequence[float],
        limits: tuple[float | None, float | None] = NO_GOALS,
    ) -> Comparison:
        floor, aim = limits if goals else NO_GOALS
        name = f"{what}, {case}"
        return Comparison(name, "us", ours, peer_name, peer, floor, aim, smaller_is_better=True)

    vnpy, bare = "vnpy EventEngine", "bare hand-over"
    return [
        row("engine latency p50", p50s[0], vnpy, p50s[1], P50_GOALS),
        row("engine latency p99", p99s[0], vnpy, p99s[1], P99_GOALS),
        row("engine latency p99, pooled", pooled[0], vnpy, pooled[1], P99_GOALS),
        row("engine latency p99 above the least", p99s[0], bare, p99s[2]),
        row("bare hand-over p50", p50s[2], vnpy, p50s[1]),
        row("bare hand-over p99", p99s[2], vnpy, p99s[1]),
    ]


def run(rounds: int) -> list[Comparison]:
    """All comparisons of the hand-over: 24,000 events each for every round at 10,000/s."""
    results = []
    for rate, turns in ((10_000, 24 * rounds), (1_000, 2 * rounds)):
        for work_s in (LEFT_WORK_S, 0.0):
            then = f"{work_s * 1e6:.0f} us of work left" if work_s else "back to the selector"
            measured = measure(turns, rate, work_s)
            results += compare(f"{rate}/s, {then}", measured, goals=rate == 10_000)
    return results
