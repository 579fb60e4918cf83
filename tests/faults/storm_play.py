"""Plays a storm over the real clients of several venues in one engine, and compares the books.

The eleven invariants: each fill told once (I1), sums agree (I2), no order goes a forbidden way
(I3), the same orders are open (I4), positions agree (I5), what is wanted is served (I6), no client
order id came in twice (I7), the newest is told (I8), nothing is queued or left behind (I9), health
says that all is well (I10), and no key is told (I11).
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from foxtrot import MainEngine
from foxtrot.errors import FoxtrotError
from foxtrot.model.constants import Channel
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.objects import OrderData
from foxtrot.simulator.binance_keys import SIMULATED_SECRET
from foxtrot.simulator.futu_accounts import SIMULATED_PASSWORD
from tests.faults.storm import Act, Do, Fault, Storm, storm
from tests.faults.venue_books import ways
from tests.support.lines import VENUES, Behind, behind
from tests.support.rig import QUICK, eventually
from tests.support.trading_rig import TradingRig

_T = TypeVar("_T")

_TURN_S = 0.01
_FLAGS: Mapping[str, object] = {
    **QUICK,
    "orders.timeout_s": 1.0,
    "orders.max_per_second": 1_000,
    "orders.max_rejections": 1_000,
    "liveness.probe_s": 1.0,
    "liveness.stream_idle_s": 0.5,
}


@dataclass
class StormReport:
    """What came of a storm: no problem, hopefully."""

    seed: int
    venues: Sequence[str]
    problem: str = ""
    trace: list[str] = field(default_factory=list)
    orders: int = 0

    @property
    def text(self) -> str:
        """What happened, what is wrong, and the command that plays it again."""
        where = "all" if tuple(self.venues) == VENUES else self.venues[0]
        repeat = f"to repeat: scripts/faults --storm --venue {where} --seed {self.seed}"
        return "\n".join((*self.trace, self.problem or "well", repeat))


def play_storms(
    venues: Sequence[str], seeds: Sequence[int], upto: int | None = None
) -> Iterator[StormReport]:
    """Play storms, one after the other."""
    for seed in seeds:
        yield play_storm(venues, seed, upto)


def play_storm(venues: Sequence[str], seed: int, upto: int | None = None) -> StormReport:
    """Play the storm of `seed`, or a prefix of its faults."""
    report = StormReport(seed, venues)
    plan = storm(seed, venues)
    plan = plan if upto is None else plan.upto(upto)
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        try:
            lines = {name: stack.enter_context(behind(name, patch)) for name in venues}
            directory = stack.enter_context(tempfile.TemporaryDirectory())
            engine = MainEngine(settings={**_FLAGS, "journal.directory": directory})
            stack.callback(engine.close)
            rigs = {name: line.joined(engine) for name, line in lines.items()}
            StormPlay(plan, lines, rigs, report).run()
            engine.close()
            assert not engine.bridge.health().tasks, engine.bridge.health().tasks
        except Exception as error:  # boundary: told in the report, with its seed
            report.problem = f"{type(error).__name__}: {error}"
    return report


class StormPlay:
    """One storm on its way."""

    def __init__(
        self,
        plan: Storm,
        lines: Mapping[str, Behind],
        rigs: Mapping[str, TradingRig],
        report: StormReport,
    ) -> None:
        self._plan, self._lines, self._rigs, self._report = plan, lines, rigs, report
        self._ends: list[Fault] = []
        self._begun = 0.0

    def run(self) -> None:
        """Play it to its end.

        Raises:
            AssertionError: Something is not as it should be.
        """
        for name, line in self._lines.items():
            line.connect(self._rigs[name])
        for name, line in self._lines.items():
            line.settled(self._rigs[name])
        self._blow()
        for name, line in self._lines.items():
            self._calm(name, line)
        for name, line in self._lines.items():
            self._check(name, line, self._rigs[name])

    # -- the storm --------------------------------------------------------------------------

    def _blow(self) -> None:
        begun = self._begun = time.monotonic()
        todo = sorted((*self._plan.faults, *self._plan.acts), key=lambda each: each.at)
        for each in todo:
            self._until(begun + each.at)
            if isinstance(each, Fault):
                self._strike(each)
            else:
                self._act(each)
        while self._ends:
            self._until(begun + self._ends[0].ends)

    def _until(self, moment: float) -> None:
        """Let the markets move, and faults end, until a moment."""
        pause = threading.Event()
        while True:
            now = time.monotonic()
            for line in self._lines.values():
                line.venue.move(line.venue.symbols[int(now * 100) % len(line.venue.symbols)])
            self._end(now)
            if now >= moment:
                return
            pause.wait(_TURN_S)

    def _strike(self, fault: Fault) -> None:
        line, what = self._lines[fault.venue], fault.what
        self._note(fault.venue, "suffers", what.name, dict(what.params))
        board = line.proxy.toxics if what.toxic else line.venue.faults
        board.inject(what.name, **what.params)
        if not what.instant:
            self._ends.append(fault)
            self._ends.sort(key=lambda each: each.ends)

    def _end(self, now: float) -> None:
        while self._ends and now >= self._begun + self._ends[0].ends:
            fault = self._ends.pop(0)
            line = self._lines[fault.venue]
            board = line.proxy.toxics if fault.what.toxic else line.venue.faults
            board.clear(fault.what.name)
            self._note(fault.venue, "no longer suffers", fault.what.name)

    # -- what is done -----------------------------------------------------------------------

    def _act(self, act: Act) -> None:
        line, rig = self._lines[act.venue], self._rigs[act.venue]
        with contextlib.suppress(FoxtrotError, StopIteration):  # it ended or was refused meanwhile
            done = self._do(act, line, rig)
            self._note(act.venue, act.do.value, done)

    def _do(self, act: Act, line: Behind, rig: TradingRig) -> str:
        venue, symbols = line.venue, line.venue.symbols
        symbol = symbols[1 + act.pick % (len(symbols) - 1)]
        channel = list(Channel)[act.pick % len(Channel)]
        if act.do is Do.WANT:
            rig.subscribe(symbol, channel)
            return f"{symbol} {channel.value}"
        if act.do is Do.DROP:
            rig.unsubscribe(symbol, channel)
            return f"{symbol} {channel.value}"
        if act.do is Do.REST:
            return line.send(rig)
        if act.do is Do.CROSS:
            return line.send(rig, price=venue.crossing_price(symbols[0]))
        if act.do is Do.PLACE_BY_HAND:
            return line.by_hand()
        if act.do is Do.CANCEL:
            order = _one(self._active(rig), act.pick)
            rig.cancel(order.orderid)
            return order.orderid
        held = _one([h for h in venue.held() if h.open and h.orderid.startswith("fx")], act.pick)
        (venue.fill if act.do is Do.FILL else venue.end)(held.orderid)
        return held.orderid

    def _active(self, rig: TradingRig) -> list[OrderData]:
        orders = rig.engine.get_all_active_orders()
        mine = [each for each in orders if each.adapter_name == rig.name]
        return [each for each in mine if each.orderid.startswith("fx")]

    def _note(self, *what: object) -> None:
        words = " ".join(str(each) for each in what if each)
        self._report.trace.append(f"{time.monotonic() % 1000:8.2f}  {words}")

    # -- in the end -------------------------------------------------------------------------

    def _calm(self, name: str, line: Behind) -> None:
        """Heal; every line is fresh, so that nobody waits for one that nobody else knows of."""
        line.venue.faults.clear()
        line.proxy.toxics.clear()
        line.proxy.toxics.inject("down")
        line.proxy.toxics.clear()
        self._note(name, "is healed")

    def _check(self, name: str, line: Behind, rig: TradingRig) -> None:
        line.healed(rig)  # I1, I2, I4, I6, I7, I8
        rig.wait_fresh(line.venue.symbols[0])
        line.rest(rig)
        rig.wait_agreed()
        self._report.orders += len(rig.last_of_each())
        wrong = [f"{name}: {each}" for each in ways(rig.orders())]
        assert not wrong, "\n".join(wrong)
        held = line.position()
        eventually(lambda: rig.position(line.venue.symbols[0]) == held, f"I5: {name} holds {held}")
        self._check_rest(name, rig)

    def _check_rest(self, name: str, rig: TradingRig) -> None:
        def empty() -> bool:
            books = rig.engine.health().engine
            return books.received == books.delivered + books.conflated + books.dropped

        eventually(empty, f"I9: {name}: nothing is queued")
        health = rig.adapter.health()
        assert {each.state for each in health.sessions} == {S.READY}, f"I10: {name}: {health}"
        assert health.trading is not None
        assert not health.trading.in_doubt, f"I10: {health.trading}"
        told = f"{health} {[event for event in rig.log.items if event.type != 'eTick.']}"
        assert SIMULATED_SECRET not in told, f"I11: {name}"
        assert f"'{SIMULATED_PASSWORD}'" not in told, f"I11: {name}"


def _one(choice: Sequence[_T], pick: int) -> _T:
    if not choice:
        raise StopIteration
    return choice[pick % len(choice)]
