"""What is promised, measured: each function runs in a process of its own and returns seconds."""

from __future__ import annotations

import threading
import time

from foxtrot import MainEngine
from foxtrot.core.process import process_health
from foxtrot.model.constants import ConnectionState, Direction, Exchange, Lane, OrderType, Status
from foxtrot.model.events import EVENT_ORDER, EVENT_TICK, Event
from foxtrot.model.objects import OrderData, Source, TickData
from tests.promises.venues import Stand, standing

WEBSOCKET = "websocket"
SUBSCRIPTIONS = 100
_BOTH = ("downstream", "upstream")

FLOOD_S, TICKS_PER_S, ORDERS_PER_S = 10.0, 100_000, 100
_BEATS_PER_S = 1_000
_SYMBOLS = TICKS_PER_S // _BEATS_PER_S


def recoveries(venue: str, drops: int) -> list[float]:
    """From each reset of every line to READY, with a hundred subscriptions."""
    with standing(venue, SUBSCRIPTIONS, flap=True) as stand:
        stand.connect()
        return [_recovery(stand) for _ in range(drops)]


def _recovery(stand: Stand) -> float:
    with (
        stand.heard(WEBSOCKET, ConnectionState.RECONNECTING) as lost,
        stand.heard(WEBSOCKET, ConnectionState.READY) as ready,
    ):
        began = time.monotonic()
        stand.venue.faults.inject("rst")
        lost()
        ready()
        return time.monotonic() - began


def silences(venue: str, count: int) -> list[float]:
    """From the moment the other end is gone without a word until that is found out."""
    with standing(venue, 3, flap=True) as stand:
        stand.connect()
        return [_silence(stand) for _ in range(count)]


def _silence(stand: Stand) -> float:
    with stand.heard(WEBSOCKET, ConnectionState.READY) as ready:
        with stand.heard(WEBSOCKET, ConnectionState.RECONNECTING) as lost:
            began = time.monotonic()
            stand.proxy.toxics.inject("half_open")
            lost()
            took = time.monotonic() - began
        stand.proxy.toxics.inject("down")  # the venue is told, too
        stand.proxy.toxics.clear()
        ready()
    return took


def closings(venue: str, *, hung: bool, count: int) -> list[tuple[float, int]]:
    """How long `close` takes, and how many threads and descriptors it leaves."""
    _closing(venue, hung=hung)  # the first one loads the SDK, whose threads stay
    return [_closing(venue, hung=hung) for _ in range(count)]


def _closing(venue: str, *, hung: bool) -> tuple[float, int]:
    with standing(venue, 3) as stand:
        before = process_health()
        stand.connect(trades=True)
        for stream in _BOTH if hung else ():
            stand.proxy.toxics.inject("timeout", stream=stream)
        began = time.monotonic()
        stand.engine.close()
        took = time.monotonic() - began
        stand.proxy.toxics.inject("down")
        left = len(stand.engine.bridge.health().tasks) + _surplus(before.threads)
    return took, left


def _surplus(before: tuple[str, ...]) -> int:
    """Threads that were not there before the connect; an engine's own were."""
    known = set(before)
    return sum(name not in known and "_run_safe" not in name for name in process_health().threads)


def flood() -> tuple[float, float, list[float], int, int]:
    """A flood of ticks with orders in it.

    Returns:
        Ticks per second; growth of memory in MiB; seconds from each order event to its handler;
        order events that never came; ticks that neither came nor were conflated or dropped.
    """
    latencies: list[float] = []
    with MainEngine(settings={}) as engine:
        engine.register(EVENT_TICK, _work)

        def on_order(event: Event) -> None:
            assert isinstance(event.data, OrderData)
            latencies.append(time.perf_counter() - float(event.data.reference))

        engine.register(EVENT_ORDER, on_order)
        before = process_health().memory_bytes
        rate, sent, most = _pour(engine, before)
        done, pause = time.monotonic() + 10.0, threading.Event()
        while (lost := _queued(engine)) and time.monotonic() < done:
            pause.wait(0.01)
    return rate, (most - before) / (1 << 20), latencies, sent - len(latencies), lost


def _queued(engine: MainEngine) -> int:
    books = engine.health().engine
    return books.received - books.delivered - books.conflated - books.dropped


def _work(_event: Event) -> None:
    """As long as a simple strategy thinks: more than there is time for at each tick."""
    for _ in range(1_000):
        pass


def _pour(engine: MainEngine, before: int) -> tuple[float, int, int]:
    sources = [Source.of(f"T{n:03d}", Exchange.BINANCE, "FLOOD") for n in range(_SYMBOLS)]
    put, pause = engine.event_engine.put, threading.Event()
    began = time.perf_counter()
    sent, poured, most = 0, 0, before
    for beat in range(int(FLOOD_S * _BEATS_PER_S)):
        for source in sources:
            tick = TickData(source, beat, beat, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
            put(Event(EVENT_TICK, tick, source.vt_symbol, Lane.LATEST))
        poured += _SYMBOLS
        if beat % (_BEATS_PER_S // ORDERS_PER_S) == 0:
            sent += 1
            put(Event(EVENT_ORDER, _order(sent), f"FLOOD.{sent}"))
        if beat % _BEATS_PER_S == 0:
            most = max(most, process_health().memory_bytes)
        ahead = began + (beat + 1) / _BEATS_PER_S - time.perf_counter()
        if ahead > 0:
            pause.wait(ahead)
    return poured / (time.perf_counter() - began), sent, max(most, process_health().memory_bytes)


def _order(number: int) -> OrderData:
    return OrderData(
        adapter_name="FLOOD",
        symbol="T000",
        exchange=Exchange.BINANCE,
        orderid=str(number),
        type=OrderType.LIMIT,
        direction=Direction.LONG,
        price=1.0,
        volume=1.0,
        status=Status.NOTTRADED,
        reference=repr(time.perf_counter()),
    )
