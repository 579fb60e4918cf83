"""Plays a schedule of orders over the real client and a simulated Binance, and compares the books.

Time is compressed by the configuration alone. A seed repeats its schedule; when exactly a fault
meets an order is up to the machine, so what it met is counted and shown.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from decimal import Decimal

from foxtrot.errors import FoxtrotError
from foxtrot.execution.reports import OrderRecord, OrderState
from foxtrot.execution.transitions import UNANSWERED
from foxtrot.model.constants import ConnectionState, Direction
from foxtrot.model.events import EVENT_ORDER, EVENT_TRADE
from foxtrot.model.health import TradingHealth
from foxtrot.model.objects import OrderData
from foxtrot.simulator.accounts import Account, Order
from foxtrot.simulator.binance_keys import SIMULATED_KEY, SIMULATED_SECRET
from foxtrot.simulator.listings import E8
from tests.faults.play import CRASH
from tests.faults.venue_books import problems, told_by
from tests.faults.venue_order_schedules import (
    LEAST_ORDERS,
    Act,
    Do,
    Fault,
    OrderSchedule,
    Shape,
    order_schedule,
)
from tests.faults.venue_tickets import price_of, request_of, volume_of
from tests.support.binance_venue import BinanceUnderTest
from tests.support.fault_table import Cells
from tests.support.rig import SHORT, WAIT_S, Rig, eventually, running

AT_ONCE = 10
"""Schedules that are played at the same time: they wait most of theirs."""

_TURN_S = 0.02
_READY_S = 1.0
"""How long a user waits for a session before an order; then it goes, and is refused."""
_HEAL_S = 45.0
_FAREWELL = (Shape.CROSS, Shape.REST, Shape.REST)
"""Orders after the healing: trading goes on, and ends with one order open."""

_CONFIG = replace(SHORT, reconcile_s=60.0)
_LOOKING = replace(SHORT, reconcile_s=2.0)
"""For faults that leave no trace but the regular look's."""

_FLAGS: Mapping[str, object] = {
    "liveness.probe_s": 1.5,
    "connect.timeout_s": 1.0,
    "subscribe.timeout_s": 0.7,
    "polling.interval": 0.25,
    "orders.timeout_s": 0.8,
    "orders.max_per_second": 1000,
    "orders.max_rejections": 1000,
}
_MOVING = UNANSWERED | {OrderState.PENDING_CANCEL}


@dataclass
class OrderReport:
    """What came of a schedule: no problem, hopefully."""

    seed: int
    problem: str = ""
    trace: list[str] = field(default_factory=list)
    cells: Cells = field(default_factory=Counter)
    orders: int = 0
    seconds: float = 0.0

    @property
    def text(self) -> str:
        """What happened, what is wrong, and the command that plays it again."""
        repeat = f"to repeat: scripts/faults --orders --venue binance --seed {self.seed}"
        return "\n".join((*self.trace, self.problem or "well", repeat))


def play_orders_many(seeds: Sequence[int], upto: int | None = None) -> Iterator[OrderReport]:
    """Play schedules, some of them at a time; the reports in the order of the seeds."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="schedule") as pool:
        yield from pool.map(lambda seed: play_orders(seed, upto), seeds)


def play_orders(seed: int, upto: int | None = None) -> OrderReport:
    """Play the schedule of `seed`, or a prefix of its faults."""
    report, venue, began = OrderReport(seed), BinanceUnderTest(), time.monotonic()
    plan = order_schedule(seed, venue.symbols)
    plan = plan if upto is None else plan.upto(upto)
    venue.start()
    try:
        with tempfile.TemporaryDirectory() as directory:
            flags = {
                **_FLAGS,
                "journal.directory": directory,
                "websocket.enabled": plan.streamed,
            }
            with running(venue, flags, _LOOKING if plan.hides else _CONFIG) as rig:
                OrderPlay(plan, venue, rig, report).run()
    except Exception as error:  # boundary: told in the report, with its seed
        report.problem = f"{type(error).__name__}: {error}"
    finally:
        venue.faults.clear()
        venue.stop()
    report.seconds = time.monotonic() - began
    return report


class OrderPlay:
    """One schedule on its way."""

    def __init__(
        self, plan: OrderSchedule, venue: BinanceUnderTest, rig: Rig, report: OrderReport
    ) -> None:
        self._plan, self._venue, self._rig, self._report = plan, venue, rig, report
        self._sent: list[str] = []
        """The orderids of orders that were written down."""
        self._ends: list[tuple[float, str]] = []
        """When faults end that stand for a while."""
        self._turns = 0

    def run(self) -> None:
        """Play it to its end.

        Raises:
            AssertionError: Something is not as it should be.
        """
        keys = {"api_key": SIMULATED_KEY, "secret": SIMULATED_SECRET}
        self._rig.engine.connect({**self._venue.setting(), **keys}, self._rig.name)
        eventually(self._is_ready, "trading is ready")
        for symbol in self._venue.symbols:
            self._place(Act(0.0, Do.PLACE, symbol=symbol))
        eventually(lambda: len(self._account.open_orders) == 3, "the first orders rest")
        self._storm()
        self._venue.faults.clear()
        eventually(self._is_ready, "trading is ready again", _HEAL_S)
        self._farewell()
        self._agree()
        self._check_quiet()
        self._check_errors()
        self._report.orders = len(self._sent)

    # -- the storm --------------------------------------------------------------------------

    def _storm(self) -> None:
        started = time.monotonic()
        for act in self._plan.acts:
            self._until(lambda act=act: time.monotonic() - started >= act.at)
            if act.in_flight:
                self._until(self._is_ready, _READY_S)
            self._act(act)
        self._until(lambda: not self._ends)

    def _until(self, happened: Callable[[], bool], timeout_s: float = _HEAL_S) -> None:
        """Let the market move, and faults end, until something happened or the time is up."""
        pause, deadline = threading.Event(), time.monotonic() + timeout_s
        while not happened() and time.monotonic() < deadline:
            pause.wait(_TURN_S)
            self._turns += 1
            self._venue.move(self._venue.symbols[self._turns % len(self._venue.symbols)])
            for each in [each for each in self._ends if each[0] <= time.monotonic()]:
                self._ends.remove(each)
                self._venue.faults.clear(each[1])
                self._note("over", each[1])

    def _act(self, act: Act) -> None:
        fault = act.fault
        if fault is not None and not fault.follows:
            self._strike(fault)
        target = self._do(act)
        if fault is not None and fault.follows:
            self._strike(fault)
        if fault is not None:
            self._count(fault, act, target)

    def _strike(self, fault: Fault) -> None:
        self._note("fault", fault.label, fault.params, f"{fault.lasts_s:.1f} s")
        self._venue.faults.inject(fault.name, **fault.params)
        if fault.lasts_s:
            self._ends.append((time.monotonic() + fault.lasts_s, fault.name))
        if fault.drops:
            self._venue.faults.inject("rst")

    def _count(self, fault: Fault, act: Act, target: str) -> None:
        """Count in which states the orders were that a fault met."""
        if act.in_flight and self._is_hit(act, target):
            state = OrderState.SENT if act.do is Do.PLACE else OrderState.PENDING_CANCEL
            self._report.cells[fault.label, state.value] += 1
        if act.in_flight and not (fault.lasts_s or fault.follows):
            return
        records = (self._record(name) for name in self._sent if name != target)
        states = {record.state.value for record in records if record is not None}
        self._report.cells.update((fault.label, state) for state in states)

    def _is_hit(self, act: Act, target: str) -> bool:
        """Whether a request left for the fault to strike."""
        if act.do is Do.PLACE:
            return target in self._sent
        record = self._record(target)
        return record is not None and record.is_open

    def _record(self, orderid: str) -> OrderRecord | None:
        """What the desk knows of an order; strategies are told less."""
        desk = self._rig.adapter._desk
        return desk.record(orderid) if desk is not None else None

    # -- what is done -----------------------------------------------------------------------

    def _do(self, act: Act) -> str:
        """Do it; the order that it was done to, "" if it was none of ours."""
        if act.do is None:
            return ""
        does: Mapping[Do, Callable[[Act], str | None]] = {
            Do.PLACE: self._place,
            Do.CANCEL: self._cancel,
            Do.MODIFY: self._modify,
            Do.CANCEL_ALL: lambda act: self._rig.adapter.cancel_all(),
            Do.REFRESH: lambda act: self._rig.adapter.query_account(),
            Do.BY_HAND: self._by_hand,
            Do.CANCEL_BY_HAND: self._cancel_by_hand,
            Do.FILL: self._fill,
            Do.EXPIRE: self._expire,
            Do.DEPOSIT: lambda act: self._venue.sim.desk.deposit("USDT", act.size * 100),
            Do.RESTART: lambda act: self._rig.adapter.restart(),
        }
        with contextlib.suppress(FoxtrotError):  # the order has ended meanwhile
            target = does[act.do](act) or ""
            self._note(act.do.value, act.shape.value, act.symbol, target)
            return target
        return ""

    def _place(self, act: Act) -> str:
        request = request_of(act, self._venue)
        orderid = self._rig.engine.send_order(request, self._rig.name).rpartition(".")[2]
        if not orderid.startswith("local-"):
            self._sent.append(orderid)
        return orderid

    def _cancel(self, act: Act) -> str:
        order = self._one_of_ours(act)
        if order is None:
            return self._place(act)
        self._rig.engine.cancel_order(order.create_cancel_request(), self._rig.name)
        return order.orderid

    def _modify(self, act: Act) -> str:
        order = self._one_of_ours(act)
        if order is None or not order.price:
            return self._place(act)
        there = replace(act, symbol=order.symbol)
        price = price_of(there, self._venue, buys=order.direction is Direction.LONG)
        volume = volume_of(order.symbol, act.size)
        new = self._rig.adapter.modify_order(order.orderid, price=price, volume=volume)
        if "local-" not in new:
            self._sent.append(new.rpartition(".")[2])
        return order.orderid

    def _by_hand(self, act: Act) -> None:
        price = price_of(act, self._venue, buys=act.buys) if act.shape is not Shape.MARKET else None
        side, volume = "BUY" if act.buys else "SELL", volume_of(act.symbol, act.size)
        self._venue.sim.desk.place(act.symbol, side, repr(volume), price and repr(price))

    def _cancel_by_hand(self, act: Act) -> None:
        order = self._one_there(act, self._account.open_orders)
        if order is not None:
            self._venue.sim.desk.cancel(order)

    def _fill(self, act: Act) -> None:
        order = self._one_there(act, [each for each in self._account.open_orders if each.resting])
        if order is None:
            return
        left = order.remaining_e8
        part = left if act.size == 1 else left // act.size
        self._venue.sim.desk.fill(order, Decimal(part) / E8)

    def _expire(self, act: Act) -> None:
        order = self._one_there(act, self._account.open_orders)
        if order is not None:
            self._venue.sim.desk.expire(order)

    # -- what there is ----------------------------------------------------------------------

    @property
    def _account(self) -> Account:
        return self._venue.sim.desk.account()

    def _last(self) -> dict[str, OrderData]:
        """The last word about each order of ours."""
        told = told_by(self._rig.log.of(EVENT_ORDER)).last
        return {name: told[name] for name in self._sent if name in told}

    def _one_of_ours(self, act: Act) -> OrderData | None:
        active = [order for order in self._last().values() if order.is_active()]
        return active[act.pick % len(active)] if active else None

    def _one_there(self, act: Act, orders: list[Order]) -> Order | None:
        return orders[act.pick % len(orders)] if orders else None

    @property
    def _trading(self) -> TradingHealth | None:
        return self._rig.adapter.health().trading

    def _is_ready(self) -> bool:
        trading = self._trading
        return trading is not None and trading.state is ConnectionState.READY

    def _note(self, *what: object) -> None:
        words = " ".join(str(each) for each in what if each)
        self._report.trace.append(f"{time.monotonic() % 1000:8.2f}  {words}")

    # -- in the end -------------------------------------------------------------------------

    def _farewell(self) -> None:
        """Trade on, until there were orders enough; what is held back for a moment is retried."""
        shapes = list(_FAREWELL) + [Shape.REST] * (LEAST_ORDERS - len(self._sent) - len(_FAREWELL))
        for number, shape in enumerate(shapes):
            act = Act(0.0, Do.PLACE, symbol=self._venue.symbols[number % 2], shape=shape)
            eventually(
                lambda act=act: not self._place(act).startswith("local-") and bool(self._sent),
                f"an order is taken: {self._rig.adapter.health()}",
            )

    def _agree(self) -> None:
        """Wait until what was told is what the venue's books say."""
        with contextlib.suppress(AssertionError):
            eventually(lambda: not self._problems(), "the books agree", _HEAL_S)
        assert not self._problems(), "\n".join(self._problems())

    def _problems(self) -> list[str]:
        trading = self._trading
        assert trading is not None
        self._rig.settle()
        found = problems(told_by(event.data for event in self._rig.log.items), self._account)
        moving = [name for name in self._sent if self._is_moving(name)]
        if moving:
            found.append(f"not settled: {moving}")
        if len(self._rig.engine.get_all_trades()) != len(self._account.fills):
            found.append("I1: the engine keeps more fills than there are, or less")
        if trading.in_doubt or trading.cancels_pending or trading.journal:
            found.append(f"trading is not at rest: {trading}")
        return found if self._is_ready() else [*found, f"trading is {trading.state.value}"]

    def _is_moving(self, orderid: str) -> bool:
        record = self._record(orderid)
        return record is not None and record.state in _MOVING

    def _check_quiet(self) -> None:
        """A look at everything finds nothing that was not told, and tells nothing twice."""
        # What the desk knows already may not be written down yet, and is told after that.
        self._rig.engine.bridge.run(asyncio.sleep(0), WAIT_S)
        self._rig.settle()
        trading, since = self._trading, len(self._rig.log)
        assert trading is not None
        looked = trading.reconciled_ns
        self._rig.adapter.query_account()
        eventually(
            lambda: self._trading is not None and self._trading.reconciled_ns > looked,
            "all lists are asked for once more",
        )
        self._rig.settle()
        told = [e.data for e in self._rig.log.items[since:] if e.type in (EVENT_ORDER, EVENT_TRADE)]
        assert not told, f"told while nothing happened: {told}"
        self._agree()

    def _check_errors(self) -> None:
        """What went wrong, went wrong at the venue."""
        texts = [error.text for error in self._rig.adapter.health().errors]
        crashes = [text for text in texts if CRASH.match(text)]
        assert not crashes, f"the product crashed: {crashes}"
