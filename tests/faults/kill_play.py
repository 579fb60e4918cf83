"""Kills a program that trades at a seeded place, starts it again, and looks what is left of orders.

The simulated Binance lives in this process and goes on while the program is dead: orders are
filled, cancelled and placed by other hands.
"""

from __future__ import annotations

import contextlib
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import msgspec

from foxtrot.errors import FoxtrotError
from foxtrot.execution import journal_file, journal_rows
from foxtrot.execution.order_tracker import NOT_SENT
from foxtrot.execution.reports import FillReport, OrderRecord, OrderState
from foxtrot.model.constants import ACTIVE_STATUSES, ConnectionState, Status
from foxtrot.model.events import (
    EVENT_ACCOUNT,
    EVENT_LOG,
    EVENT_ORDER,
    EVENT_POSITION,
    EVENT_TRADE,
)
from foxtrot.model.objects import AccountData, OrderData, PositionData, TradeData
from foxtrot.simulator.accounts import Account, Order, State
from foxtrot.simulator.listings import E8
from tests.faults import venue_books as books
from tests.faults.kill_child import LOOKED, POINTS, STATE, TRADED, Errand, Line
from tests.support.binance_venue import BinanceUnderTest
from tests.support.events import Collected
from tests.support.rig import eventually

AT_ONCE = 3
"""Programs at a time: each start imports everything, which takes a processor for seconds."""

WAIT_S = 40.0
END_S = 10.0
"""In which a program that is asked to end has ended. Source: the numbers that are promised."""

_TURN_S = 0.01
_TWICE = 0.3
"""How many programs are killed again after the restart."""

_COMMAND = (sys.executable, "-m", "tests.faults.kill_child")
_ROOT = Path(__file__).parents[2]
_KINDS: Mapping[str, type] = {
    EVENT_ORDER: OrderData,
    EVENT_TRADE: TradeData,
    EVENT_ACCOUNT: AccountData,
    EVENT_POSITION: PositionData,
    EVENT_LOG: dict,
}
_ENDED_AS = {
    State.FILLED: OrderState.FILLED,
    State.CANCELED: OrderState.CANCELED,
    State.EXPIRED: OrderState.EXPIRED,
}


class Child:
    """One life of the program."""

    def __init__(self, errand: Errand) -> None:
        self._began = time.monotonic()
        self.process = subprocess.Popen(
            [*_COMMAND, msgspec.json.encode(errand).decode()],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.lines: Collected[Line] = Collected()
        self.told = books.Told()
        self.ready_s = 0.0
        """From the start of the process, imports included, until orders are taken."""
        self.errors = b""
        self._readers = [threading.Thread(target=each) for each in (self._read, self._complain)]
        for reader in self._readers:
            reader.start()

    @property
    def dead(self) -> bool:
        """Whether it has ended, by whatever hand."""
        return self.process.poll() is not None

    def said(self, kind: str) -> bool:
        """Whether it has printed such a line."""
        return any(line.kind == kind for line in self.lines.items)

    def look(self) -> None:
        """Have it ask for everything once."""
        assert self.process.stdin is not None
        since = len(self.lines)
        self.process.stdin.write(b"look\n")
        self.process.stdin.flush()
        self.lines.wait_for(lambda line: line.kind == LOOKED, WAIT_S, since=since)

    def end(self, number: signal.Signals) -> float:
        """Send a signal, and wait for the end; how long it took."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(WAIT_S)
        took_s = time.monotonic() - began
        self.close()
        return took_s

    def close(self) -> None:
        """Nothing is left of it."""
        if not self.dead:
            self.process.kill()
        self.process.wait(WAIT_S)
        for reader in self._readers:
            reader.join(WAIT_S)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for raw in self.process.stdout:
            with contextlib.suppress(msgspec.DecodeError):  # cut by the kill
                line = msgspec.json.decode(raw, type=Line)
                self._take(line)
                self.lines(line)

    def _complain(self) -> None:
        assert self.process.stderr is not None
        self.errors = self.process.stderr.read()[-4_000:]

    def _take(self, line: Line) -> None:
        if line.kind == STATE and not self.ready_s:
            state = msgspec.json.decode(line.data, type=dict[str, str])["state"]
            if state == ConnectionState.READY.value:
                self.ready_s = time.monotonic() - self._began
        if line.kind in _KINDS:
            self.told.take(msgspec.json.decode(line.data, type=_KINDS[line.kind]))


@dataclass
class KillReport:
    """What came of it: no problem, hopefully. `untold` fills are in the journal and no more."""

    seed: int
    problem: str = ""
    trace: list[str] = field(default_factory=list)
    ready_s: list[float] = field(default_factory=list)
    end_s: float = 0.0
    orders: int = 0
    untold: int = 0

    @property
    def text(self) -> str:
        """What happened, what is wrong, and the command that plays it again."""
        repeat = f"to repeat: scripts/faults --kill --seed {self.seed}"
        return "\n".join((*self.trace, self.problem or "well", repeat))


def play_kills(seeds: Sequence[int]) -> Iterator[KillReport]:
    """Play some, a few at a time; the reports in the order of the seeds."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="kill") as pool:
        yield from pool.map(play_kill, seeds)


def play_kill(seed: int) -> KillReport:
    """Kill and start again as the seed says."""
    report, venue = KillReport(seed), BinanceUnderTest()
    venue.start()
    try:
        with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
            KillPlay(report, venue, Path(directory), stack).run()
    except Exception as error:  # boundary: told in the report, with its seed
        report.problem = f"{type(error).__name__}: {error}"
    finally:
        venue.stop()
    return report


class KillPlay:
    """The lives of one program, and the hands beside it."""

    def __init__(
        self,
        report: KillReport,
        venue: BinanceUnderTest,
        directory: Path,
        stack: contextlib.ExitStack,
    ) -> None:
        self._report, self._venue = report, venue
        self._directory, self._stack = directory, stack
        self._dice = random.Random(f"kill {report.seed}")
        self._lives: list[Child] = []

    def run(self) -> None:
        """Play it to its end.

        Raises:
            AssertionError: Something is not as it should be.
        """
        points = list(POINTS)
        self._live_and_die(points[self._report.seed % len(points)])
        self._be_absent()
        if self._dice.random() < _TWICE:
            self._live_and_die(self._dice.choice(points))
            self._be_absent()
        last = self._start("")
        eventually(lambda: last.said(TRADED) or last.dead, "it trades again", WAIT_S)
        self._agree(last)
        self._report.ready_s.append(last.ready_s)
        last.look()
        self._agree(last)  # an act that was still under way may have come through meanwhile
        self._end(last)

    # -- lives ------------------------------------------------------------------------------

    def _start(self, point: str) -> Child:
        market = {symbol: self._venue.newest(symbol)[0] for symbol in self._venue.symbols}
        child = Child(
            Errand(
                self._venue.sim.rest_url,
                self._venue.sim.websocket_url,
                str(self._directory),
                self._dice.randrange(1_000_000),
                market,
                acts=30 if point else 6,
                point=point,
                passes=self._dice.randint(1, POINTS.get(point, 1)),
            )
        )
        self._stack.callback(child.close)
        self._lives.append(child)
        return child

    def _live_and_die(self, point: str) -> None:
        child, pause = self._start(point), threading.Event()
        deadline = time.monotonic() + WAIT_S
        while not child.dead and not child.said(TRADED) and time.monotonic() < deadline:
            pause.wait(_TURN_S)
            self._lend_a_hand()
        with contextlib.suppress(AssertionError):  # it came through: it dies at rest
            eventually(lambda: child.dead, "", 0.3)
        how = point if child.dead else "at rest"
        child.end(signal.SIGKILL)
        code = child.process.returncode
        self._report.trace.append(f"killed: {how}, {len(child.told.orders)} orders told, {code}")
        if child.ready_s:
            self._report.ready_s.append(child.ready_s)
        assert code == -signal.SIGKILL, f"it ended by itself: {code}, {child.errors.decode()}"

    def _lend_a_hand(self) -> None:
        """Other hands, while it lives: the market moves, and orders are filled."""
        self._venue.move(self._dice.choice(self._venue.symbols))
        toss = self._dice.random()
        with contextlib.suppress(FoxtrotError):  # it has ended meanwhile
            if toss < 0.08:
                self._fill()
            elif toss < 0.1:
                self._by_hand()

    def _be_absent(self) -> None:
        """Other hands, while it is dead."""
        with contextlib.suppress(FoxtrotError):
            for act in self._dice.sample((self._fill, self._fill, self._by_hand, self._cancel), 3):
                act()

    def _fill(self) -> None:
        resting = [order for order in self._account.open_orders if order.resting]
        if resting:
            order = self._dice.choice(resting)
            part = order.remaining_e8 // self._dice.choice((1, 2, 3))
            self._venue.sim.desk.fill(order, Decimal(part) / E8)

    def _cancel(self) -> None:
        if self._account.open_orders:
            self._venue.sim.desk.cancel(self._dice.choice(self._account.open_orders))

    def _by_hand(self) -> None:
        symbols = sorted({order.symbol for order in self._account.orders if not order.by_hand})
        if symbols:
            symbol = self._dice.choice(symbols)
            price = self._venue.resting_price(symbol)
            self._venue.sim.desk.place(symbol, "BUY", 0.1, price)

    # -- in the end -------------------------------------------------------------------------

    @property
    def _account(self) -> Account:
        return self._venue.sim.desk.account()

    def _agree(self, last: Child) -> None:
        with contextlib.suppress(AssertionError):
            eventually(lambda: not self._problems(last), "the books agree", WAIT_S)
        found = self._problems(last)
        assert not found, "\n".join([*found, last.errors.decode()])

    def _problems(self, last: Child) -> list[str]:
        """What the last life believes that is not so."""
        told, account = last.told, self._account
        names = dict(books.names(told, account.orders))
        open_there = {names[each.symbol, each.order_id] for each in account.open_orders}
        active = {name: o for name, o in told.last.items() if o.status in ACTIVE_STATUSES}
        apart = active.keys() ^ open_there
        doubts = [name for name, o in active.items() if o.status is Status.SUBMITTING]
        return [
            *(f"I4: {name} is open on one side alone" for name in apart),
            *(f"I4: {name} is in doubt" for name in doubts),
            *books.ways(told.orders),
            *books.holdings(told, account),
            *books.twice(account),
            *self._fills(told, names),
        ]

    def _fills(self, told: books.Told, names: Mapping[tuple[str, int], str]) -> list[str]:
        """No life tells a fill twice, or one that never was."""
        there = {books.fill_of(f, names[f.symbol, f.order_id]) for f in self._account.fills}
        here = Counter(map(books.trade_of, told.trades))
        return [f"I1: told {n} times: {t}" for t, n in here.items() if n > 1 or t not in there]

    def _end(self, last: Child) -> None:
        """SIGTERM: it ends in time, and leaves orders as they are."""
        before = [order.order_id for order in self._account.open_orders]
        self._report.end_s = last.end(signal.SIGTERM)
        assert last.process.returncode == 0, last.errors.decode()
        assert self._report.end_s <= END_S, f"the end took {self._report.end_s:.1f} s"
        assert before == [order.order_id for order in self._account.open_orders]
        self._report.orders = len(self._account.orders)
        found = [
            *self._accounted(),
            *(each for life in self._lives for each in books.ways(life.told.orders)),
        ]
        assert not found, "\n".join(found)

    def _accounted(self) -> Iterator[str]:
        """Differences between the journal, after all, and the venue's books."""
        records, fills = read_journal(self._directory)
        told = {books.trade_of(trade) for life in self._lives for trade in life.told.trades}
        written = Counter((fill.symbol, fill.trade_id, fill.orderid) for fill in fills)
        there: Counter[tuple[str, str, str]] = Counter()
        left = dict(records)
        for order in self._account.orders:
            name = _written_as(order, records)
            there.update((f.symbol, str(f.trade_id), name) for f in order.fills)
            self._report.untold += sum(books.fill_of(f, name) not in told for f in order.fills)
            record = left.pop(name, None)
            if record is not None or not order.by_hand or order.open or order.fills:
                yield from _unlike(name, record, order)
        for fill in (written - there).keys() | (there - written).keys():
            yield f"I1: {fill} is {written[fill]} times in the journal, {there[fill]} there"
        for name, record in left.items():
            never_left = record.reason.startswith(NOT_SENT)
            if record.state is not OrderState.REJECTED and not never_left:
                yield f"I4: {name} is {record.state.name} in the journal, unknown there"


def _unlike(name: str, record: OrderRecord | None, order: Order) -> Iterator[str]:
    if record is None:
        yield f"I4: {name} is not in the journal, {order.state.name} there"
        return
    if record.is_open != order.open or not (order.open or record.state is _ENDED_AS[order.state]):
        yield f"I4: {name} is {record.state.name} in the journal, {order.state.name} there"
    if record.traded * E8 != order.filled_e8:
        yield f"I2: {name} traded {record.traded} in the journal, {order.filled_e8 / E8} there"


def _written_as(order: Order, records: Mapping[str, OrderRecord]) -> str:
    if not order.by_hand:
        return order.client_id
    name = f"ext-{order.order_id}"
    longer, record = f"{name}-{order.symbol}", records.get(name)
    namesake = record is not None and record.intent.request.symbol != order.symbol
    return longer if namesake or longer in records else name


def read_journal(
    directory: Path, venue: str = "binance"
) -> tuple[dict[str, OrderRecord], list[FillReport]]:
    """All that the journal says; nobody has it open."""
    (path,) = journal_file.path_of(directory, "x").parent.glob(f"{venue}-*.db")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        orders = map(journal_rows.checked_order, connection.execute(journal_rows.ORDERS))
        fills = map(journal_rows.checked_fill, connection.execute(journal_rows.FILLS))
        return {order.orderid: order for order in orders}, list(fills)
