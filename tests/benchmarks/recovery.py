"""How soon a hundred subscriptions are back after the venue resets the connection.

The delay before an attempt is part of it, so the bound is made of it: 1.2 times the base delay, and
half a second for the handshake and the subscriptions. The backoff starts over at once in this run
(`stable_after_s` is 0): what is measured is one drop at a time, not a flapping venue.
"""

from __future__ import annotations

import threading
import time

from foxtrot import EVENT_CONNECTION, ConnectionState, Event, Exchange, MainEngine, SubscribeRequest
from foxtrot.adapter.binance import BinanceAdapter
from foxtrot.connectivity.config import StreamConfig
from foxtrot.simulator.binance import SimulatedBinance, SimulatedBinanceThread
from foxtrot.simulator.binance_limits import Limits
from tests.benchmarks.harness import Comparison, percentile
from tests.benchmarks.workers import Worker

SYMBOLS = [f"{a}{b}USDT" for a in "ABCDEFGHIJ" for b in "KLMNOPQRST"]
DROPS_PER_ROUND = 40
BASE_S = 0.2
WAIT_S = 20.0


def drop_and_wait(engine: MainEngine, venue: SimulatedBinance) -> float:
    """Reset the connection; the seconds until READY."""
    ready = threading.Event()

    def on_connection(event: Event) -> None:
        if event.data.state is ConnectionState.READY:  # type: ignore[attr-defined]
            ready.set()

    engine.register(EVENT_CONNECTION, on_connection)
    try:
        began = time.monotonic()
        venue.faults.inject("rst")
        if not ready.wait(WAIT_S):
            raise RuntimeError(f"not READY within {WAIT_S:g} s: {engine}")
        return time.monotonic() - began
    finally:
        engine.unregister(EVENT_CONNECTION, on_connection)


def one_round() -> list[float]:
    """The times of one round of drops."""
    venue = SimulatedBinance(SYMBOLS, rate_hz=5, limits=Limits.none())
    settings = {"websocket.reconnect_base_delay": BASE_S}
    with SimulatedBinanceThread(venue), MainEngine(settings=settings) as engine:
        engine.add_adapter(BinanceAdapter, config=StreamConfig(stable_after_s=0.0))
        for symbol in SYMBOLS:
            engine.subscribe(SubscribeRequest(symbol, Exchange.BINANCE), "BINANCE")
        ready = threading.Event()
        engine.register(
            EVENT_CONNECTION,
            lambda event: ready.set() if event.data.state is ConnectionState.READY else None,
        )
        engine.connect({"environment": "simulated", "rest_url": venue.rest_url}, "BINANCE")
        if not ready.wait(WAIT_S):
            raise RuntimeError(f"never READY: {engine}")
        return [drop_and_wait(engine, venue) for _ in range(DROPS_PER_ROUND)]


def run(rounds: int) -> list[Comparison]:
    """Median and p99 of each round, against the bound."""
    with Worker() as worker:
        times = [worker.run(one_round) for _ in range(rounds)]
    bound = [1.2 * BASE_S + 0.5] * rounds
    note = f"{rounds * DROPS_PER_ROUND} resets with {len(SYMBOLS)} subscriptions"
    return [
        Comparison(
            f"reset to READY, {name}",
            "s",
            [percentile(each, share) for each in times],
            "1.2 x base + 0.5 s",
            bound,
            floor=1.0,
            smaller_is_better=True,
            note=note if name == "p99" else "",
        )
        for name, share in (("p50", 0.5), ("p99", 0.99))
    ]
