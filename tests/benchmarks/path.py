"""The whole path: JSON bytes -> tick -> engine -> two handlers; and what a tick weighs."""

from __future__ import annotations

import json
import threading
import time
import tracemalloc
from collections.abc import Callable
from copy import copy
from datetime import UTC, datetime

import msgspec
from vnpy.event import Event as VnpyEvent
from vnpy.event import EventEngine as VnpyEngine
from vnpy.trader.constant import Exchange as VnpyExchange
from vnpy.trader.object import TickData as VnpyTick

from foxtrot.core.event_engine import EventEngine
from foxtrot.model.constants import Exchange
from foxtrot.model.events import EVENT_TICK, Event
from foxtrot.model.objects import NO_STATISTICS, Source, TickData
from tests.benchmarks.engine import LATEST, WAIT_S, foxtrot_engine, stop
from tests.benchmarks.harness import Comparison, interleave

TICKS = 60_000
HELD = 20_000
SYMBOLS = [f"SYM{number}USDT" for number in range(20)]
FRAMES = [
    json.dumps(
        {
            "u": 400_900_217 + number,
            "s": SYMBOLS[number % len(SYMBOLS)],
            "b": f"{25_000 + number % 997 / 100:.2f}",
            "B": f"{31.21 + number % 13:.8f}",
            "a": f"{25_001 + number % 997 / 100:.2f}",
            "A": f"{40.66 + number % 17:.8f}",
        }
    ).encode()
    for number in range(5_000)
]

Sink = Callable[[TickData], None]


class BookTicker(msgspec.Struct, gc=False):
    """Binance's book ticker, as it is on the wire."""

    u: int
    s: str
    b: float
    B: float
    a: float
    A: float


def make_slim() -> Callable[[bytes], TickData]:
    """The way of foxtrot: typed decoding, shared blocks, positional construction."""
    decode = msgspec.json.Decoder(BookTicker, strict=False).decode
    sources = {symbol: Source.of(symbol, Exchange.BINANCE, "BINANCE") for symbol in SYMBOLS}

    def slim(frame: bytes) -> TickData:
        raw = decode(frame)
        return TickData(
            sources[raw.s], 0, time.time_ns(), raw.b, 0.0, raw.b, raw.B, raw.a, raw.A, NO_STATISTICS
        )

    return slim


def make_vnpy_style() -> Callable[[bytes], VnpyTick]:
    """The way of vnpy's gateways: a mutable tick per symbol, changed, dated and copied."""
    ticks = {
        symbol: VnpyTick(
            gateway_name="BINANCE",
            symbol=symbol,
            exchange=VnpyExchange.GLOBAL,
            datetime=datetime.now(UTC),
        )
        for symbol in SYMBOLS
    }

    def vnpy_style(frame: bytes) -> VnpyTick:
        raw = json.loads(frame)
        tick = ticks[raw["s"]]
        tick.bid_price_1 = float(raw["b"])
        tick.bid_volume_1 = float(raw["B"])
        tick.ask_price_1 = float(raw["a"])
        tick.ask_volume_1 = float(raw["A"])
        tick.last_price = tick.bid_price_1
        tick.datetime = datetime.fromtimestamp(time.time(), UTC)
        return copy(tick)

    return vnpy_style


class Handlers:
    """The two that get every tick: one for all symbols, one per symbol."""

    def __init__(self) -> None:
        self.count = 0
        self.last: dict[str, object] = {}
        self.done = threading.Event()

    def cache(self, event: Event | VnpyEvent) -> None:
        """Keep the last tick, as an order management cache does."""
        tick = event.data
        self.last[tick.vt_symbol] = tick  # type: ignore[attr-defined]

    def strategy(self, event: Event | VnpyEvent) -> None:
        """Look at the prices, as a strategy does."""
        tick = event.data
        assert tick.ask_price_1 > tick.bid_price_1  # type: ignore[attr-defined]
        self.count += 1
        if self.count == TICKS:
            self.done.set()


def through_foxtrot() -> tuple[float, float]:
    """(ticks per second, CPU microseconds per tick) through our engine, every tick delivered."""
    engine, handlers, slim = foxtrot_engine(), Handlers(), make_slim()
    engine.register(EVENT_TICK, handlers.cache)
    for symbol in SYMBOLS:
        engine.register(f"{EVENT_TICK}{symbol}.BINANCE", handlers.strategy)

    def put(frame: bytes) -> None:
        tick = slim(frame)
        engine.put(Event(EVENT_TICK, tick, tick.source.vt_symbol, LATEST))

    return _measure(engine, handlers, put)


def through_vnpy() -> tuple[float, float]:
    """The same through vnpy's engine: two events for every tick."""
    engine, handlers, vnpy_style = VnpyEngine(1), Handlers(), make_vnpy_style()
    engine.register(EVENT_TICK, handlers.cache)
    for symbol in SYMBOLS:
        engine.register(f"{EVENT_TICK}{symbol}.GLOBAL", handlers.strategy)

    def put(frame: bytes) -> None:
        tick = vnpy_style(frame)
        engine.put(VnpyEvent(EVENT_TICK, tick))
        engine.put(VnpyEvent(EVENT_TICK + tick.vt_symbol, tick))

    return _measure(engine, handlers, put)


def inline() -> tuple[float, float]:
    """The same without any engine: the handlers are called on the spot."""
    handlers, slim = Handlers(), make_slim()

    def put(frame: bytes) -> None:
        tick = slim(frame)
        event = Event(EVENT_TICK, tick, tick.source.vt_symbol, LATEST)
        handlers.cache(event)
        handlers.strategy(event)

    return _measure(None, handlers, put)


def _measure(
    engine: EventEngine | VnpyEngine | None, handlers: Handlers, put: Callable[[bytes], None]
) -> tuple[float, float]:
    def produce() -> None:
        for number in range(TICKS):
            put(FRAMES[number % len(FRAMES)])

    if engine is not None:
        engine.start()
    producer = threading.Thread(target=produce)
    cpu, begun = time.process_time(), time.perf_counter()
    producer.start()
    if not handlers.done.wait(WAIT_S):
        raise RuntimeError(f"{handlers.count} of {TICKS} ticks were served")
    elapsed, cpu = time.perf_counter() - begun, time.process_time() - cpu
    producer.join(WAIT_S)
    if engine is not None:
        stop(engine)
    return TICKS / elapsed, cpu / TICKS * 1e6


def weight(make: Callable[[bytes], object]) -> float:
    """Bytes per tick held."""
    for frame in FRAMES[: len(SYMBOLS)]:
        make(frame)
    tracemalloc.start()
    held = [make(FRAMES[number % len(FRAMES)]) for number in range(HELD)]
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / len(held)


def run(rounds: int) -> list[Comparison]:
    """All comparisons of the path."""
    paths = interleave(rounds, {"ours": through_foxtrot, "vnpy": through_vnpy, "inline": inline})
    weights = interleave(
        1, {"ours": lambda: weight(make_slim()), "vnpy": lambda: weight(make_vnpy_style())}
    )
    rate = {name: [r[0] for r in results] for name, results in paths.items()}
    cpu = {name: [r[1] for r in results] for name, results in paths.items()}
    return [
        Comparison(
            "whole path", "ticks/s", rate["ours"], "vnpy engine and ticks", rate["vnpy"], 6.0, 9.0
        ),
        Comparison(
            "whole path, hand-over", "ticks/s", rate["ours"], "no engine", rate["inline"], 0.6, 0.8
        ),
        Comparison(
            "whole path CPU", "us/tick", cpu["ours"], "vnpy engine and ticks", cpu["vnpy"],
            smaller_is_better=True,
        ),
        Comparison(
            "memory", "bytes/tick", weights["ours"], "vnpy TickData", weights["vnpy"],
            1 / 4, smaller_is_better=True,
        ),
    ]  # fmt: skip
