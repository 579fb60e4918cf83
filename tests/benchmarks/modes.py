"""Websocket beside polling: how late a price is, and how long it takes to go from one to the other.

Every symbol moves at its own random times, less often than polling asks, so that each move is seen
by both ways. A switch is over when all symbols have ticked by the new mode: a market that stands
still ticks by polling alone, and a quote without a time comes by websocket alone.
"""

from __future__ import annotations

import heapq
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from foxtrot import EVENT_CONNECTION, EVENT_TICK, ConnectionState, Event, Exchange, MainEngine
from foxtrot.adapter.binance import BinanceAdapter
from foxtrot.core.settings import Settings
from foxtrot.model.objects import TickData
from foxtrot.model.requests import SubscribeRequest
from foxtrot.simulator.binance import SimulatedBinance, SimulatedBinanceThread
from foxtrot.simulator.binance_limits import Limits
from tests.benchmarks.flood import symbols
from tests.benchmarks.harness import Comparison, interleave, percentile
from tests.benchmarks.workers import Worker

COUNT = 100
WINDOW_S = 5.0
MOVE_S = 1.2, 1.9
SWITCHES = 8
POLLING_S = 1.0
WAIT_S = 20.0

Quote = tuple[float, float, float, float]

_POLLED = {"websocket.enabled": False, "polling.interval": POLLING_S}
_STREAMED = {"websocket.enabled": True, "polling.interval": POLLING_S}


@contextmanager
def served(settings: dict[str, object]) -> Iterator[tuple[SimulatedBinance, MainEngine]]:
    """A venue whose market moves by hand, and an engine that has had a tick of every symbol."""
    venue = SimulatedBinance(symbols(COUNT), rate_hz=0, limits=Limits.none())
    with SimulatedBinanceThread(venue), MainEngine(settings=settings) as engine:
        engine.add_adapter(BinanceAdapter)
        ready, told = threading.Event(), Told(engine, lambda event: True)
        engine.register(
            EVENT_CONNECTION,
            lambda event: ready.set() if event.data.state is ConnectionState.READY else None,
        )
        for symbol in symbols(COUNT):
            engine.subscribe(SubscribeRequest(symbol, Exchange.BINANCE), "BINANCE")
        engine.connect({"environment": "simulated", "rest_url": venue.rest_url}, "BINANCE")
        if settings["websocket.enabled"] and not ready.wait(WAIT_S):
            raise RuntimeError(f"not READY: {engine}")
        told.wait(engine)
        yield venue, engine


class Told:
    """Waits until every symbol has had a tick that counts."""

    def __init__(self, engine: MainEngine, counts: Callable[[Event], bool]) -> None:
        self._missing = set(symbols(COUNT))
        self._counts = counts
        self.done = threading.Event()
        engine.register(EVENT_TICK, self.on_tick)

    def on_tick(self, event: Event) -> None:
        """One tick."""
        if self._missing and self._counts(event):
            self._missing.discard(event.data.symbol)  # type: ignore[attr-defined]
            if not self._missing:
                self.done.set()

    def wait(self, engine: MainEngine) -> None:
        """Wait for the last one."""
        if not self.done.wait(WAIT_S):
            raise RuntimeError(f"{len(self._missing)} of {COUNT} symbols never ticked: {engine}")
        engine.unregister(EVENT_TICK, self.on_tick)


def ages(settings: dict[str, object]) -> list[float]:
    """Seconds from the move of a price at the venue to the handler."""
    moved: dict[str, float] = {}
    seen: dict[str, Quote] = {}
    found: list[float] = []

    def on_tick(event: Event) -> None:
        tick: TickData = event.data  # type: ignore[assignment]
        quote = _quote(tick)
        if seen[tick.symbol] != quote:
            seen[tick.symbol] = quote
            found.append(time.monotonic() - moved.pop(tick.symbol))

    with served(settings) as (venue, engine):
        seen.update({tick.symbol: _quote(tick) for tick in engine.get_all_ticks()})
        engine.register(EVENT_TICK, on_tick)
        _move(venue, moved)
    return found


def _quote(tick: TickData) -> Quote:
    return tick.bid_price_1, tick.bid_volume_1, tick.ask_price_1, tick.ask_volume_1


def _move(venue: SimulatedBinance, moved: dict[str, float]) -> None:
    """Let the market live for a while, noting when each symbol moves."""
    # S311: the times of a benchmark, not secrets
    dice = random.Random(1)
    now_s = time.monotonic()
    end_s = now_s + WINDOW_S
    due = [(now_s + dice.uniform(0.0, MOVE_S[1]), symbol) for symbol in symbols(COUNT)]
    heapq.heapify(due)
    pause = threading.Event()
    while due[0][0] < end_s:
        at_s, symbol = due[0]
        pause.wait(max(at_s - time.monotonic(), 0.0))
        moved.setdefault(symbol, time.monotonic())
        venue.tick(symbol)
        heapq.heapreplace(due, (time.monotonic() + dice.uniform(*MOVE_S), symbol))
    pause.wait(POLLING_S)


def switches() -> tuple[list[float], list[float]]:
    """Seconds until all symbols tick by polling, and then by websocket again."""
    to_polling, to_websocket = [], []
    with served(_STREAMED) as (venue, engine):
        for _ in range(SWITCHES):
            told = Told(engine, lambda event: True)
            began = time.monotonic()
            engine.reload_settings(Settings.parse(_POLLED))
            told.wait(engine)
            to_polling.append(time.monotonic() - began)

            told = Told(engine, lambda event: not event.data.ts_event_ns)
            began = time.monotonic()
            engine.reload_settings(Settings.parse(_STREAMED))
            while not told.done.wait(0.005) and time.monotonic() < began + WAIT_S:
                for symbol in symbols(COUNT):
                    venue.tick(symbol)
            told.wait(engine)
            to_websocket.append(time.monotonic() - began)
    return to_polling, to_websocket


def run(rounds: int) -> list[Comparison]:
    """All figures of this file."""
    with Worker() as worker:
        aged = interleave(
            min(rounds, 3),
            {
                "websocket": lambda: worker.run(ages, _STREAMED),
                "polling": lambda: worker.run(ages, _POLLED),
            },
        )
        turns = [worker.run(switches) for _ in range(rounds)]
    return [*_compared_ages(aged), *_compared_switches(turns)]


def _compared_ages(aged: dict[str, list[list[float]]]) -> list[Comparison]:
    figures: dict[str, tuple[Callable[[list[float]], float], float]] = {
        "mean": (lambda values: sum(values) / len(values), 0.2),
        "p95": (lambda values: percentile(values, 0.95), 0.5),
        "p99": (lambda values: percentile(values, 0.99), 0.5),
    }
    moves = {name: sum(map(len, runs)) for name, runs in aged.items()}
    counted = ", ".join(f"{count:,} moves by {name}" for name, count in moves.items())
    found = []
    for name, (figure, promise) in figures.items():
        ours, polled = (list(map(figure, aged[mode])) for mode in ("websocket", "polling"))
        what = f"price to handler, {name}"
        note = f"{counted}, every {POLLING_S:g} s" if name == "mean" else ""
        found += [
            Comparison(what, "s", ours, "polling", polled, smaller_is_better=True, note=note),
            Comparison(
                what, "s", ours, "promise", [promise] * len(ours), 1.0, smaller_is_better=True
            ),
        ]
    return found


def _compared_switches(turns: list[tuple[list[float], list[float]]]) -> list[Comparison]:
    return [
        Comparison(
            f"all {COUNT} tick by {mode} after a switch, {name}",
            "s",
            [percentile(turn[column], share) for turn in turns],
            "one polling interval",
            [POLLING_S] * len(turns),
            1.0,
            smaller_is_better=True,
        )
        for column, mode in enumerate(("polling", "websocket"))
        for name, share in (("p50", 0.5), ("p99", 0.99))
    ]
