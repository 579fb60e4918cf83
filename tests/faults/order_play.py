"""Plays a schedule of orders over the real desk and journal in virtual time, and judges the end."""

from __future__ import annotations

import asyncio
import hashlib
import random
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec

from foxtrot.execution.reports import OrderState
from foxtrot.execution.transitions import UNANSWERED
from foxtrot.model.requests import OrderRequest
from tests.faults.order_checks import explained, wrong
from tests.faults.order_life import Life
from tests.faults.order_schedules import BUSY_S, Deed, Move, OrderSchedule, order_schedule, send
from tests.support.fault_table import Cells
from tests.support.model_trading import EXCHANGE, TradingVenue
from tests.support.order_faults import Fault, Trouble
from tests.support.virtual_time import TimeStandsError, VirtualLoop, run_virtually

RECOVERY_S = 200.0
"""A look at all lists each minute, a doubt that is asked about each half minute, and a margin."""
GOOD_S = 7.0
"""For so long nothing is wrong when all is well: a push that is missed is missed sooner."""
QUIET_S = 8.0
"""Longer than the grace that "not found" is given."""
STOP_S = 5.0
VERB_S = 15.0
DOWN_S = 3.0
"""How long a killed foxtrot stays down, at most."""
LEAST_ORDERS = 10
_TRADE_S = 4.0
_MEMORY = Path("/dev/shm")
_IN_FLIGHT = UNANSWERED | {OrderState.PENDING_CANCEL}
_MOMENTS = ("before intend", "after intend", "before record", "after record", "")
"""When a process is killed: around a write of its journal, or at any time."""


@dataclass(frozen=True)
class Outcome:
    """What came of a schedule: nothing to complain about, hopefully."""

    problems: tuple[str, ...]
    trace: tuple[tuple[object, ...], ...] = ()
    cells: Cells = field(default_factory=Counter)
    orders: int = 0
    faults: int = 0
    in_flight: int = 0
    alarms: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """A short name of the trace."""
        return hashlib.sha256(repr(self.trace).encode()).hexdigest()[:16]


def play_orders(seed: int, upto: int | None = None) -> Outcome:
    """Play the schedule of `seed`, or a prefix of its faults."""
    plan = order_schedule(seed)
    loop = VirtualLoop()
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as directory:
        play = OrderPlay(plan if upto is None else plan.upto(upto), loop, Path(directory))
        try:
            return run_virtually(play.run(), loop)
        except TimeStandsError as error:
            return Outcome((f"virtual time stands still: {error}",))


def shortest_orders(seed: int) -> int | None:
    """The least number of faults with which the schedule of `seed` fails; None if it does not."""
    counts = range(len(order_schedule(seed).faults) + 1)
    return next((count for count in counts if play_orders(seed, count).problems), None)


def repeat_orders(seed: int, upto: int | None) -> str:
    """The command that plays a schedule again."""
    return f"scripts/faults --orders --seed {seed}" + ("" if upto is None else f" --upto {upto}")


class OrderPlay:
    """One schedule on its way: a venue, and one life of foxtrot after the other."""

    def __init__(self, plan: OrderSchedule, loop: VirtualLoop, directory: Path) -> None:
        self.plan, self.loop, self.directory = plan, loop, directory
        self.dice = random.Random(plan.seed + 2)
        self.venue = TradingVenue(
            loop.clock,
            random.Random(plan.seed + 1),
            names_fills=plan.names_fills,
            pushes=plan.pushes,
        )
        self.venue.on_strike, self.venue.on_ours = self._struck, self._hurt
        self.venue.on_send = lambda orderid: self.life.check_send(orderid)
        self.lives: list[Life] = []
        self.cells: Cells = Counter()
        self.struck: dict[Fault, bool] = {}
        """The faults that struck, and whether an order was under way then."""

    async def run(self) -> Outcome:
        """Play it to its end."""
        self._begin(self.directory / "1")
        self._market = asyncio.create_task(self._trade())
        for at, step in self._timeline():
            await asyncio.sleep(max(at - self.venue.now, 0.0))
            step()
        await self._go_on()
        self._market.cancel()
        self._heal()
        if await self._recovered():
            await self._check_quiet()
        await self._stop()
        await self._check_nothing_left()
        for life in self.lives:
            for text in life.bridge.crashes + [a for a in life.alarms if not explained(a)]:
                self.venue.complain(text)
        return Outcome(
            tuple(self.venue.complaints),
            tuple(self.venue.trace),
            self.cells,
            len(set().union(*(life.intended for life in self.lives))),
            len(self.struck),
            sum(self.struck.values()),
            tuple(alarm for life in self.lives for alarm in life.alarms),
        )

    @property
    def life(self) -> Life:
        """The foxtrot of the moment, dead or alive."""
        return self.lives[-1]

    # -- the timeline -----------------------------------------------------------------------

    def _timeline(self) -> list[tuple[float, Callable[[], None]]]:
        steps: list[tuple[float, Callable[[], None]]] = []
        steps += [(fault.at, partial(self.venue.arm, fault)) for fault in self.plan.faults]
        steps += [(move.at, partial(self._do, move)) for move in self.plan.moves]
        return sorted(steps, key=lambda step: step[0])

    async def _go_on(self) -> None:
        """Trade on until every fault found something to strike."""
        for _ in range(200):
            orders = len(set().union(*(life.intended for life in self.lives)))
            if not self.venue.armed and orders >= LEAST_ORDERS:
                break
            self._do(Move(0.0, Deed.RESUME))
            self._do(send(self.dice, 0.0))
            await asyncio.sleep(self.dice.uniform(0.2, 1.0))
            self._do(Move(0.0, Deed.CANCEL, self.dice.random()))
        await asyncio.sleep(max(BUSY_S - self.venue.now, 0.0))

    async def _trade(self) -> None:
        while True:
            await asyncio.sleep(self.dice.uniform(0.1, _TRADE_S))
            self.venue.trade()

    def _heal(self) -> None:
        self.venue.heal()
        for life in self.lives[-1:]:
            life.dies_at = ""
            life.fill_disk(False)
        self._do(Move(0.0, Deed.RESUME))

    # -- the user ---------------------------------------------------------------------------

    def _do(self, move: Move) -> None:
        life, deed = self.life, move.deed
        if not life.alive:
            return
        self.venue.note("user", deed.value)
        if deed is Deed.SEND:
            self._send(move)
        elif deed in (Deed.CANCEL, Deed.MODIFY):
            self._change(move)
        elif deed is Deed.CANCEL_ALL:
            life.cancel_all()
        elif deed is Deed.HALT:
            life.halt(True)
        elif deed is Deed.RESUME:
            life.halt(False)
        elif deed is Deed.REFRESH:
            life.desk.refresh()
        elif deed is Deed.RECYCLE:
            life.desk.recycle()
        else:
            life.bridge.spawn(life.restart(), name="restart")

    def _send(self, move: Move) -> None:
        price = 0.0 if move.type.value == "Market" else 100.0
        request = OrderRequest(move.symbol, EXCHANGE, move.side, move.type, move.tenths / 10, price)
        self.life.desk.send(request)

    def _change(self, move: Move) -> None:
        life = self.life
        records = life.desk._tracker.open_records()
        if not records:
            return
        record = records[int(move.pick * len(records))]
        if move.deed is Deed.CANCEL:
            life.desk.cancel(record.orderid)
        elif not record.external:
            volume = self.dice.randint(1, 9) / 10
            request = msgspec.structs.replace(record.intent.request, volume=volume)
            life.desk.modify(record.orderid, request)

    # -- what happens to foxtrot ------------------------------------------------------------

    def _begin(self, directory: Path) -> None:
        if self.lives and self.life.ended:
            return
        life = Life(self.venue, self.loop.clock, directory, self.plan.seed + len(self.lives))
        life.after_kill = self._begin_again
        life.disk_full = self.venue.has(Trouble.DISK_FULL)
        self.lives.append(life)
        life.desk.start()

    def _begin_again(self, directory: Path) -> None:
        self.venue.leave()
        self.loop.call_later(self.dice.uniform(0.1, DOWN_S), self._begin, directory)

    def _hurt(self, fault: Fault) -> None:
        """The faults that are foxtrot's own."""
        life = self.life
        if fault.kind is Trouble.DISK_FULL:
            life.fill_disk(True)
            self.loop.call_later(fault.lasts_s, lambda: self.life.fill_disk(False))
            return
        moment = _MOMENTS[int(fault.amount * len(_MOMENTS))]
        if moment:
            life.dies_at = moment
        elif life.alive:
            life.kill()

    def _struck(self, fault: Fault, orderid: str) -> None:
        """Count the states of the orders that a fault strikes."""
        life = self.life
        if orderid:
            records = [life.desk.record(orderid)]
        else:
            records = list(life.desk._tracker.open_records())
        states = [record.state for record in records if record is not None]
        self.cells.update((fault.kind.value, state.value) for state in states)
        in_flight = bool(self.venue.under_way) or any(each in _IN_FLIGHT for each in states)
        self.struck[fault] = self.struck.get(fault, False) or in_flight

    # -- in the end -------------------------------------------------------------------------

    async def _recovered(self) -> bool:
        """Wait until all is as it is at the venue."""
        until, good_s = self.venue.now + RECOVERY_S, 0.0
        while good_s < GOOD_S:
            await asyncio.sleep(1.0)
            texts = wrong(self.venue, self.life)
            good_s = 0.0 if texts else good_s + 1.0
            if texts and self.venue.now > until:
                for text in texts:
                    self.venue.complain(f"{RECOVERY_S:g} s after the healing: {text}")
                return False
        return True

    async def _check_quiet(self) -> None:
        """Nothing changes any more, whatever is on its way yet."""
        began = len(self.venue.truth.book.orders), len(self.venue.truth.book.trades)
        await asyncio.sleep(QUIET_S)
        for text in wrong(self.venue, self.life):
            self.venue.complain(f"after the quiet: {text}")
        if began != (len(self.venue.truth.book.orders), len(self.venue.truth.book.trades)):
            self.venue.complain("something was sent while nobody asked for it")

    async def _stop(self) -> None:
        for life in self.lives:
            life.ended = True
            await asyncio.wait_for(life.end(), STOP_S)

    async def _check_nothing_left(self) -> None:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:  # a verb of an order ends at its own deadline
            await asyncio.wait(left, timeout=VERB_S)
        for task in sorted(left, key=lambda task: task.get_name()):
            if not task.done():
                self.venue.complain(f"left behind: {task.get_name()}")
                task.cancel()
