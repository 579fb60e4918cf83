"""Two clients that send orders, one after the other: foxtrot, and vnpy's engine over plain ccxt.

Each order is a limit order that rests; when the handler has been told so, the venue is asked to
fill it, so that a fill is news that only the user stream brings.
"""

from __future__ import annotations

import http.client
import itertools
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec

from foxtrot import (
    EVENT_CONNECTION,
    EVENT_ORDER,
    EVENT_TRADE,
    ConnectionState,
    Direction,
    Event,
    Exchange,
    MainEngine,
    OrderRequest,
    OrderType,
    SubscribeRequest,
)
from foxtrot.adapter.binance import BinanceAdapter
from foxtrot.model.constants import Status
from foxtrot.model.events import EVENT_TICK
from foxtrot.model.objects import OrderData
from foxtrot.simulator.binance_keys import SIMULATED_KEY, SIMULATED_SECRET
from tests.benchmarks.order_venue import SYMBOL

PRICE, VOLUME = 55_000.0, 0.001
WAIT_S = 20.0
WARM = 20
"""Orders at the start that are not measured."""

SETTINGS: dict[str, object] = {"orders.max_per_second": 1000}


@dataclass
class Marks:
    """When what happened to each order, by client order id, in seconds of the monotonic clock."""

    called: dict[str, float] = field(default_factory=dict)
    returned: dict[str, float] = field(default_factory=dict)
    opened: dict[str, float] = field(default_factory=dict)
    filled: dict[str, float] = field(default_factory=dict)


class Course:
    """Sends one order after the other; the handlers tell it what happened to them."""

    def __init__(self, address: str) -> None:
        self.marks = Marks()
        self._news = {"opened": threading.Semaphore(0), "filled": threading.Semaphore(0)}
        self._http = http.client.HTTPConnection(address, timeout=WAIT_S)

    def on_opened(self, orderid: str) -> None:
        """A handler is told that an order rests."""
        self._note("opened", orderid)

    def on_filled(self, orderid: str) -> None:
        """A handler is told of a fill."""
        self._note("filled", orderid)

    def _note(self, what: str, orderid: str) -> None:
        now_s, times = time.monotonic(), getattr(self.marks, what)
        if orderid not in times:
            times[orderid] = now_s
            self._news[what].release()

    def run(self, orders: int, send: Callable[[], str]) -> Marks:
        """Send so many; `send` returns the orderid behind the gateway's name."""
        for number in range(orders + WARM):
            if number == WARM:
                self.marks.called.clear()
            called_s = time.monotonic()
            orderid = send()
            returned_s = time.monotonic()
            orderid = orderid.partition(".")[2]
            self.marks.called[orderid], self.marks.returned[orderid] = called_s, returned_s
            self._wait("opened", orderid)
            self.fill(orderid)
            self._wait("filled", orderid)
        self._http.close()
        return self.marks

    def _wait(self, what: str, orderid: str) -> None:
        if not self._news[what].acquire(timeout=WAIT_S):
            raise RuntimeError(f"{orderid} was never {what}")

    def fill(self, orderid: str) -> None:
        """Let the venue fill an order."""
        body = msgspec.json.encode({"order": orderid})
        self._http.request("POST", "/control/desk/fill", body)
        answer = self._http.getresponse()
        if answer.status != http.client.OK:
            raise RuntimeError(answer.read().decode())
        answer.read()


@contextmanager
def trading(address: str, durability: str, *, ticks: bool) -> Iterator[MainEngine]:
    """An engine that may send orders, with or without ticks beside them."""
    with tempfile.TemporaryDirectory() as folder:
        journal = {"journal.directory": folder, "journal.durability": durability}
        with MainEngine(settings=SETTINGS | journal) as engine:
            engine.add_adapter(BinanceAdapter)
            ready, flowing = threading.Event(), threading.Event()

            def on_connection(event: Event) -> None:
                told = event.data
                if told.session == "trading" and told.state is ConnectionState.READY:  # type: ignore[attr-defined]
                    ready.set()

            engine.register(EVENT_CONNECTION, on_connection)
            # The market side becomes ready with a first tick, and brings the contracts.
            engine.register(EVENT_TICK, lambda event: flowing.set())
            request = SubscribeRequest(SYMBOL, Exchange.BINANCE, conflate=False)
            engine.subscribe(request, "BINANCE")
            setting = {
                "environment": "simulated",
                "rest_url": f"http://{address}",
                "api_key": SIMULATED_KEY,
                "secret": SIMULATED_SECRET,
            }
            engine.connect(setting, "BINANCE")
            if not (ready.wait(WAIT_S) and flowing.wait(WAIT_S)):
                raise RuntimeError(f"not READY: {engine}")
            if not ticks:
                engine.unsubscribe(request, "BINANCE")
            yield engine


def limit_order() -> OrderRequest:
    """A limit order that rests."""
    return OrderRequest(
        SYMBOL, Exchange.BINANCE, Direction.LONG, OrderType.LIMIT, VOLUME, PRICE, reference="bench"
    )


def foxtrot_orders(address: str, orders: int, durability: str, ticks: bool) -> Marks:
    """Through guard, journal and desk."""
    course = Course(address)

    def on_order(event: Event) -> None:
        if event.data.status is Status.NOTTRADED:  # type: ignore[attr-defined]
            course.on_opened(event.data.orderid)  # type: ignore[attr-defined]

    def on_trade(event: Event) -> None:
        course.on_filled(event.data.orderid)  # type: ignore[attr-defined]

    request = limit_order()
    with trading(address, durability, ticks=ticks) as engine:
        engine.register(EVENT_ORDER, on_order)
        engine.register(EVENT_TRADE, on_trade)
        return course.run(orders, lambda: engine.send_order(request, "BINANCE"))


@dataclass
class Halted:
    """When `halt` was called and returned, and the orders that calls sent before and after it."""

    called_s: float
    returned_s: float
    resting: list[str]
    sent: list[str]
    """Orders of the other thread, whether or not they were refused."""


def foxtrot_halt(address: str, resting: int, ticks: bool) -> Halted:
    """Halt with so many orders open, while a thread sends without pause."""
    opened, ended, at_gate = threading.Semaphore(0), threading.Semaphore(0), threading.Event()
    seen: set[str] = set()
    ids: list[str] = []
    sent: list[str] = []

    def on_order(event: Event) -> None:
        order: OrderData = event.data  # type: ignore[assignment]
        if order.status is Status.NOTTRADED and order.orderid not in seen:
            seen.add(order.orderid)
            opened.release()
        elif order.reason.startswith("local:halted"):
            at_gate.set()
        elif order.status is Status.CANCELLED and order.orderid in ids:
            ended.release()

    def send_on() -> None:
        while not at_gate.is_set():
            sent.append(send())

    request = limit_order()
    with trading(address, "process", ticks=ticks) as engine:

        def send() -> str:
            return engine.send_order(request, "BINANCE").partition(".")[2]

        engine.register(EVENT_ORDER, on_order)
        ids += [send() for _ in range(resting)]
        _acquire(opened, resting, "opened")
        sender = threading.Thread(target=send_on, daemon=True)
        sender.start()
        _acquire(opened, 10, "opened for the other thread")
        called_s = time.monotonic()
        engine.halt("measured")
        returned_s = time.monotonic()
        sender.join(WAIT_S)
        _acquire(ended, resting, "cancelled")
        return Halted(called_s, returned_s, ids, sent)


def _acquire(news: threading.Semaphore, times: int, what: str) -> None:
    for number in range(times):
        if not news.acquire(timeout=WAIT_S):
            raise RuntimeError(f"{number} of {times} orders were {what}")


def plain_ids() -> Callable[[], str]:
    """Client order ids that no other run of this process makes."""
    counter, run = itertools.count(1), time.time_ns()
    return lambda: f"vn-{run}-{next(counter)}"
