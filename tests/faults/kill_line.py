"""Kills a program that trades over a line of its own, and looks what is left of its orders.

Real processes, SDK and journal; the venue lives in this process and goes on meanwhile.
"""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path

from foxtrot.execution.order_tracker import NOT_SENT
from foxtrot.execution.reports import OrderState
from foxtrot.model.constants import Status
from tests.faults.kill_child import TRADED, Errand
from tests.faults.kill_play import WAIT_S, Child, read_journal
from tests.support import futu_house, ib_house
from tests.support.rig import eventually

ACTS = 20
_GRACE_S = 0.5
_TURN_S = 0.01


class LineKill:
    """One program at one venue, which is killed at a point and started again.

    Args:
        house: Where it trades; it outlives its clients.
        venue: What its adapter is called.
        directory: Of the journal.
        seed: Same seed, same acts of the program and of other hands.
        lot: What other hands buy.
    """

    def __init__(
        self,
        house: ib_house.House | futu_house.House,
        venue: str,
        directory: Path,
        seed: int,
        lot: float,
    ) -> None:
        self._house, self._venue, self._directory, self._lot = house, venue, directory, lot
        self._dice = random.Random(f"{venue} kill {seed}")

    def play(self, point: str) -> None:
        """Kill it at that point, do things meanwhile, start it again: all has to be known."""
        house = self._house
        with ExitStack() as stack:
            first = self._start(stack, point=point, acts=ACTS)
            self._live_and_die(first)
            by_hand = f"ext-{self._be_absent()}"
            last = self._start(stack, acts=0)
            eventually(lambda: last.said(TRADED) or last.dead, "it is ready again", WAIT_S)
            eventually(lambda: not _doubts(last), "nothing is in doubt", WAIT_S)
            last.look()  # who is in doubt may be anybody's order: now it is known whose it is
            self._agree(last)
            assert by_hand in last.told.last
            assert self._told_twice(first) == self._told_twice(last) == []
            assert set(house.received().values()) <= {1}
            before = [each for each in house.held() if each.open]
            last.end(signal.SIGTERM)
            assert last.process.returncode == 0, last.errors.decode()
            assert [each for each in house.held() if each.open] == before
        assert self._unwritten() == []

    def _start(self, stack: ExitStack, *, point: str = "", acts: int) -> Child:
        """One life of the program."""
        house, dice = self._house, self._dice
        errand = Errand(
            "",
            "",
            str(self._directory),
            dice.randrange(1_000_000),
            {symbol: house.newest(symbol)[0] for symbol in house.symbols},
            acts=acts,
            point=point,
            passes=dice.randint(2, 8),
            venue=self._venue,
            port=house.sim.port,
            grace_s=_GRACE_S,
        )
        child = Child(errand)
        stack.callback(child.close)
        return child

    def _live_and_die(self, child: Child) -> None:
        """Other hands move the market and fill orders until it dies; at rest, if it lives on."""
        house, dice = self._house, self._dice
        pause, deadline = threading.Event(), time.monotonic() + WAIT_S
        while not child.dead and not child.said(TRADED) and time.monotonic() < deadline:
            pause.wait(_TURN_S)
            house.move(dice.choice(house.symbols))
            if dice.random() < 0.1:
                self._fill_one()
        child.end(signal.SIGKILL)
        assert child.process.returncode == -signal.SIGKILL, child.errors.decode()
        eventually(lambda: not house.sim.connections, "the venue has seen its lines end")

    def _be_absent(self) -> str:
        """Other hands, while it is dead: orders fill, one ends, and one is placed."""
        house = self._house
        for _ in range(2):
            self._fill_one()
        still = self._resting()
        if still:
            house.end(self._dice.choice(still))
        symbol = house.symbols[0]
        return house.place_by_hand(symbol, self._lot, house.resting_price(symbol))

    def _fill_one(self) -> None:
        """Fill an order of the program's."""
        resting = self._resting()
        if resting:
            self._house.fill(self._dice.choice(resting))

    def _resting(self) -> list[str]:
        return [each.orderid for each in self._house.held() if each.open and each.orderid]

    def _agree(self, child: Child) -> None:
        """Wait until a life believes what is so."""
        with suppress(AssertionError):
            eventually(lambda: not self._unlike(child), "both sides agree", WAIT_S)
        assert self._unlike(child) == [], child.errors.decode()

    def _unlike(self, child: Child) -> list[str]:
        """What a life believes that is not so."""
        last = child.told.last
        active = {name for name, order in last.items() if order.is_active()}
        held = {each.orderid or f"ext-{each.venue_id}": each for each in self._house.held()}
        there = {name for name, each in held.items() if each.open}
        shown = [name for name in active & there if last[name].traded != held[name].traded]
        return [*(active ^ there), *_doubts(child), *shown]

    def _told_twice(self, child: Child) -> list[str]:
        """Fills that a life told more than once, or that never were."""
        there = {each.trade_id for each in self._house.traded()}
        told = Counter(each.tradeid for each in child.told.trades)
        return [name for name, times in told.items() if times > 1 or name not in there]

    def _unwritten(self) -> list[str]:
        """Differences between the journal, after all, and the venue's books."""
        records, fills = read_journal(self._directory, self._venue.lower())
        house, found = self._house, []
        for each in house.held():
            record = records.get(each.orderid or f"ext-{each.venue_id}")
            if record is None or record.is_open != each.open or record.traded != each.traded:
                found.append(f"{each} is {record}")
        names = {each.orderid for each in house.held()}
        for name, record in records.items():
            lost = name.startswith("fx") and name not in names
            never_left = record.reason.startswith(NOT_SENT)
            if lost and record.state is not OrderState.REJECTED and not never_left:
                found.append(f"{name} is {record.state}, unknown there")
        written = Counter(fill.trade_id for fill in fills)
        if written != Counter(each.trade_id for each in house.traded()):
            found.append("the fills differ")
        return found


def _doubts(child: Child) -> list[str]:
    """Orders of which a life does not know whether they are there."""
    last = child.told.last
    return [name for name, order in last.items() if order.status is Status.SUBMITTING]
