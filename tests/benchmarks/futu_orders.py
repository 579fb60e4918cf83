"""An order at Futu while 3,000 quotes a second stream, and while none do, beside the SDK's own.

Each client streams and trades in one process, as its manual has it; each run has a fresh OpenD. The
SDK's `place_order` waits for OpenD. foxtrot's `send_order` does not: it returns when the order is
guarded, journalled and on its way, and a handler is told of OpenD's answer.
"""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from foxtrot import (
    EVENT_CONNECTION,
    EVENT_ORDER,
    ConnectionState,
    Direction,
    Event,
    Exchange,
    MainEngine,
    OrderRequest,
    OrderType,
    SubscribeRequest,
)
from foxtrot.adapter.futu.adapter import FutuAdapter
from foxtrot.gateway.connect_fields import Setting
from foxtrot.model.constants import Status
from foxtrot.model.events import EVENT_TICK
from tests.benchmarks.futu_flood import QUOTE, SYMBOLS, flooding_opend
from tests.benchmarks.harness import Comparison, interleave, percentile
from tests.benchmarks.workers import Worker
from tests.support import futu_sdk

QUOTES_HZ = 3_000.0
QUOTES = 30_000
"""Ten seconds of them: more than a run takes."""

ORDERS, EVERY_S = 14, 0.15
"""OpenD takes fifteen in thirty seconds, and foxtrot sends ten in one."""

PRICE, VOLUME = 500.0, 100.0
"""Far below the market: the order rests."""

FLOWING = 300
"""Quotes before the first order."""

WAIT_S = 30.0


@dataclass
class Times:
    """Microseconds of each order."""

    returned_us: list[float] = field(default_factory=list)
    answered_us: list[float] = field(default_factory=list)


def run(rounds: int) -> list[Comparison]:
    """All figures of this file."""
    with Worker() as ours, Worker() as sdk:
        return [
            comparison
            for quotes in (True, False)
            for comparison in _compared(_orders(rounds, ours, sdk, quotes=quotes), quotes=quotes)
        ]


def _orders(rounds: int, ours: Worker, sdk: Worker, *, quotes: bool) -> dict[str, list[Times]]:
    def measured(worker: Worker, client: Callable[..., Times], **how: bool) -> Times:
        with flooding_opend(QUOTE, QUOTES, QUOTES_HZ) as port:
            return worker.run(client, port, quotes=quotes, **how)

    cases = {
        "ours": lambda: measured(ours, foxtrot_orders),
        "futu-api": lambda: measured(sdk, sdk_orders),
        "futu-api, no log": lambda: measured(sdk, sdk_orders, logged=False),
    }
    return interleave(rounds, cases)


def _compared(found: dict[str, list[Times]], *, quotes: bool) -> list[Comparison]:
    beside = f"{QUOTES_HZ:,.0f} quotes/s beside" if quotes else "idle"
    return [
        Comparison(
            f"Futu order, {beside}, {what}, {name}",
            "us",
            [percentile(getattr(each, times), share) for each in found["ours"]],
            peer,
            [percentile(each.answered_us, share) for each in found[peer]],
            smaller_is_better=True,
        )
        for peer in ("futu-api", "futu-api, no log")
        for what, times in (("to OpenD's answer", "answered_us"), ("to return", "returned_us"))
        for name, share in (("p50", 0.5), ("worst", 1.0))
    ]


def foxtrot_orders(port: int, *, quotes: bool) -> Times:
    """Through guard and journal; the answer is noted where a handler is told of it."""
    times, answered = Times(), threading.Semaphore(0)
    sent_at: dict[str, float] = {}
    ended_at: dict[str, float] = {}

    def on_order(event: Event) -> None:
        order: Any = event.data
        if order.status is Status.NOTTRADED and order.orderid not in ended_at:
            ended_at[order.orderid] = time.monotonic()
            answered.release()

    def send() -> None:
        called_at = time.monotonic()
        orderid = engine.send_order(request, "FUTU").partition(".")[2]
        times.returned_us.append((time.monotonic() - called_at) * 1e6)
        sent_at[orderid] = called_at
        if not answered.acquire(timeout=WAIT_S):
            raise RuntimeError(f"no answer to {orderid}: {engine}")

    request = OrderRequest(
        "00700", Exchange.SEHK, Direction.LONG, OrderType.LIMIT, VOLUME, PRICE, reference="bench"
    )
    with _trading(port, quotes=quotes) as engine:
        engine.register(EVENT_ORDER, on_order)
        _paced(send)
    times.answered_us = [(ended_at[each] - sent_at[each]) * 1e6 for each in sent_at]
    return times


@contextmanager
def _trading(port: int, *, quotes: bool) -> Iterator[MainEngine]:
    """An engine that trades on paper, with quotes that flow or without any."""
    ready, flowing = threading.Event(), threading.Event()
    seen = _Counter(flowing)

    def on_connection(event: Event) -> None:
        told: Any = event.data
        if told.session == "trading" and told.state is ConnectionState.READY:
            ready.set()

    with (
        tempfile.TemporaryDirectory() as folder,
        MainEngine(settings={"journal.directory": folder}) as engine,
    ):
        engine.add_adapter(FutuAdapter)
        engine.register(EVENT_CONNECTION, on_connection)
        engine.register(EVENT_TICK, lambda event: seen.count())
        for name in SYMBOLS if quotes else ():
            code = name.removeprefix("HK.")
            engine.subscribe(SubscribeRequest(code, Exchange.SEHK), "FUTU")
        setting: Setting = {
            "environment": "simulated",
            "port": port,
            "trade_env": "simulate",
        }
        engine.connect(setting, "FUTU")
        if not (ready.wait(WAIT_S) and (flowing.wait(WAIT_S) or not quotes)):
            raise RuntimeError(f"not READY: {engine}")
        yield engine


def sdk_orders(port: int, *, quotes: bool, logged: bool = True) -> Times:
    """A quote context with a handler that has its base class read the push, and a trade context."""
    futu: Any = futu_sdk.load()
    logger = import_module("futu.common.ft_logger").logger
    logger.file_level = logging.DEBUG if logged else logging.CRITICAL + 1
    times, flowing = Times(), threading.Event()
    seen = _Counter(flowing)

    class Quotes(futu.StockQuoteHandlerBase):  # type: ignore[misc]
        def on_recv_rsp(self, rsp_pb: Any) -> tuple[int, Any]:
            found: tuple[int, Any] = super().on_recv_rsp(rsp_pb)
            seen.count()
            return found

    with futu_sdk.quoting(port) as context, futu_sdk.trading(port) as trader:

        def send() -> None:
            called_at = time.monotonic()
            trader.call("place_order", PRICE, VOLUME, "HK.00700", "BUY", trd_env="SIMULATE")
            times.answered_us.append((time.monotonic() - called_at) * 1e6)

        context.set_handler(Quotes())
        if quotes:
            code, problem = context.subscribe(list(SYMBOLS), [futu.SubType.QUOTE])
            if code != futu.RET_OK or not flowing.wait(WAIT_S):
                raise RuntimeError(f"no quotes: {problem}")
        _paced(send)
    return times


class _Counter:
    """Says when quotes flow."""

    def __init__(self, flowing: threading.Event) -> None:
        self._flowing, self._count = flowing, 0

    def count(self) -> None:
        """One more."""
        self._count += 1
        if self._count == FLOWING:
            self._flowing.set()


def _paced(send: Callable[[], None]) -> None:
    """One order after the other, not sooner than they are due."""
    began = time.monotonic()
    for number in range(ORDERS):
        time.sleep(max(began + number * EVERY_S - time.monotonic(), 0.0))
        send()
