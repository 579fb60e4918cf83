"""Tracker and reconciler against a venue that knows the truth, whatever gets lost in between."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from foxtrot.execution.decisions import Ask, Asked, AskFills, Decision, apply
from foxtrot.execution.order_tracker import Changes, OrderTracker
from foxtrot.execution.reconciler import Reconciler
from foxtrot.execution.reports import (
    TERMINAL,
    ZERO,
    FillReport,
    Known,
    OrderIntent,
    OrderRecord,
    OrderReport,
    Unknown,
)
from foxtrot.execution.reports import OrderState as State
from foxtrot.execution.transitions import TRANSITIONS, UNANSWERED
from foxtrot.model.constants import Direction, Exchange, OrderType
from foxtrot.model.requests import OrderRequest
from tests.support.order_venue import MAX_AGE_NS, OrderVenue, VenueOrder, volumes

S = 1_000_000_000
symbols = st.sampled_from(["BTCUSDT", "ETHUSDT"])
sides = st.sampled_from([Direction.LONG, Direction.SHORT])
tenths = st.integers(1, 5)
FATES = ["accepted", "accepted", "accepted", "refused", "lost", "late", "late", "not sent"]
DELIVERIES = ["once", "once", "and again", "never"]
fates, deliveries = st.sampled_from(FATES), st.sampled_from(DELIVERIES)
BINANCE = Exchange.BINANCE
EXPLAINED = ("in doubt for more than", "does not show all of its fills", "unknown to it now")


@dataclass
class Request:
    """An order under way to the venue."""

    intent: OrderIntent
    sent_ns: int


@dataclass
class Query:
    """A question and the venue's answer, which is as old as the question."""

    ask: Ask | AskFills | None
    asked: Asked
    answer: Known[Any]


class Orders(RuleBasedStateMachine):
    """A user, a venue, and a line between them that loses, doubles, delays and reorders."""

    @initialize(names_fills=st.booleans())
    def begin(self, names_fills: bool) -> None:
        """An empty account."""
        self.now = 1_700_000_000 * S
        self.venue = OrderVenue(names_fills=names_fills)
        self.journal: dict[str, OrderRecord] = {}
        self.fills: list[FillReport] = []
        self.alarms: list[str] = []
        self.count = 0
        self.start()

    def start(self) -> None:
        """A new process: all it knows is in the journal; what was on the line is gone."""
        self.tracker = OrderTracker("MODEL")
        self.tracker.restore(self.journal.values(), self.fills, now_ns=self.now)
        self.reconciler = Reconciler(self.tracker)
        self.ready = True
        self.requests: list[Request] = []
        self.acks: list[tuple[str, str]] = []
        self.queries: list[Query] = []
        self.venue.pushes.clear()
        for record in self.tracker.open_records():
            self.write(record)

    def tell(self, changes: Changes) -> None:
        """Write down what changed, and check that it is a way that orders go."""
        for record in changes.records:
            self.write(record)
        self.fills += changes.fills
        self.alarms += changes.alarms

    def write(self, record: OrderRecord) -> None:
        """Every change of a record follows the table, and never takes back what was traded."""
        before = self.journal.get(record.orderid)
        if before is not None:
            assert record.state is before.state or record.state in TRANSITIONS[before.state]
            assert record.traded >= before.traded
        assert (record.state is not State.FILLED) or record.traded == record.volume
        self.journal[record.orderid] = record

    def carry_out(self, decisions: list[Decision]) -> None:
        """The glue."""
        for decision in decisions:
            if isinstance(decision, Ask | AskFills):
                self.query(decision)
            self.tell(apply(self.tracker, decision, self.now))

    def query(self, ask: Ask | AskFills | None) -> None:
        """Ask the venue; the answer is under way."""
        asked = self.reconciler.asked(self.now, ready=self.ready)
        answer: Known[Any]
        if isinstance(ask, Ask):
            answer = Known(self.venue.look_up(ask.symbol, ask.orderid, ask.venue_id, self.now))
        elif isinstance(ask, AskFills):
            answer = Known(self.venue.fills(ask.symbol, ask.since_ns, ask.venue_id))
        else:
            answer = Known(self.venue.open_list())
        self.queries.append(Query(ask, asked, answer))

    def hear(self, query: Query, answer: Known[Any] | Unknown) -> None:
        """The answer to a question, or none."""
        if isinstance(query.ask, Ask):
            decisions = self.reconciler.order(query.ask, answer, query.asked, self.now)
        elif isinstance(query.ask, AskFills):
            decisions = self.reconciler.fills(query.ask, answer, query.asked, self.now)
        else:
            decisions = self.reconciler.open_orders(answer, query.asked, self.now)
        self.carry_out(decisions)

    def look(self) -> None:
        """Time passes for the reconciler, too."""
        self.carry_out(self.reconciler.look(self.now, ready=self.ready))

    def arrive(self, request: Request) -> VenueOrder:
        """A request reaches the venue."""
        ours = request.intent.request
        assert all(each.orderid != request.intent.orderid for each in self.venue.orders)
        volume = Decimal(repr(ours.volume))
        return self.venue.place(
            request.intent.orderid, ours.symbol, ours.direction, volume, self.now
        )

    @rule(orders=st.lists(st.tuples(symbols, sides, tenths, fates), min_size=1, max_size=3))
    def send(self, orders: list[tuple[str, Direction, int, str]]) -> None:
        """The user sends orders; each arrives, or is lost, or takes its time."""
        for symbol, side, volume, fate in orders:
            self.count += 1
            request = OrderRequest(symbol, BINANCE, side, OrderType.LIMIT, volume / 10, 100.0)
            intent = OrderIntent(f"fx-{self.count}", request, self.now)
            self.tell(self.tracker.intend(intent, self.now))
            if self.ready and fate != "not sent":
                self.tell(self.tracker.sent(intent.orderid, self.now))
                self.put_on_the_line(Request(intent, self.now), fate)
            else:
                self.tell(self.tracker.not_sent(intent.orderid, "no connection", self.now))

    def put_on_the_line(self, request: Request, fate: str) -> None:
        """An order leaves."""
        if fate == "accepted":
            order = self.arrive(request)
            self.acks.append((order.orderid, order.venue_id))
        elif fate == "refused":
            self.acks.append((request.intent.orderid, ""))
        elif fate == "late":
            self.requests.append(request)

    @precondition(lambda self: self.requests)
    @rule()
    def arrive_late(self) -> None:
        """A request that took its time."""
        request = self.requests.pop(0) if self.requests else None
        if request is not None and self.now - request.sent_ns <= MAX_AGE_NS:
            order = self.arrive(request)
            self.acks.append((request.intent.orderid, order.venue_id))

    @precondition(lambda self: self.acks)
    @rule(which=st.integers(0, 9), lost=st.booleans())
    def acknowledge(self, which: int, lost: bool) -> None:
        """The venue's answer to an order arrives, or does not."""
        if not self.acks:
            return
        orderid, venue_id = self.acks.pop(which % len(self.acks))
        if lost:
            self.tell(self.tracker.doubted(orderid, "no answer", self.now))
        elif venue_id:
            self.tell(self.tracker.accepted(orderid, venue_id, self.now))
        else:
            self.tell(self.tracker.refused(orderid, "no money", self.now))

    @rule(which=st.integers(0, 9))
    def give_up_waiting(self, which: int) -> None:
        """The answer to an order is late; it may come all the same."""
        sent = [each for each in self.tracker.open_records() if each.state is State.SENT]
        if sent:
            orderid = sent[which % len(sent)].orderid
            self.tell(self.tracker.doubted(orderid, "timeout", self.now))

    @rule(symbol=symbols, side=sides, volume=tenths)
    def trade_by_hand(self, symbol: str, side: Direction, volume: int) -> None:
        """Somebody else uses the account."""
        self.venue.place("web", symbol, side, Decimal(volume) / 10, self.now)

    @rule(fills=st.lists(st.tuples(st.integers(0, 9), tenths), min_size=1, max_size=3))
    def fill(self, fills: list[tuple[int, int]]) -> None:
        """Orders trade, in part or in full."""
        for which, part in fills:
            alive = self.venue.open()
            if alive:
                order = alive[which % len(alive)]
                volume = min(Decimal(part) / 10, order.volume - order.traded)
                self.venue.fill(order, volume, self.now)

    @rule(which=st.integers(0, 9), state=st.sampled_from([State.CANCELED, State.EXPIRED]))
    def end(self, which: int, state: State) -> None:
        """The venue ends an order by itself."""
        alive = self.venue.open()
        if alive:
            self.venue.end(alive[which % len(alive)], state, self.now)

    @rule(which=st.integers(0, 9), fate=st.sampled_from(["done", "lost", "refused"]))
    def cancel(self, which: int, fate: str) -> None:
        """The user cancels, and fills may be faster."""
        ours = self.tracker.open_records()
        if not ours:
            return
        orderid = ours[which % len(ours)].orderid
        venue_id = ours[which % len(ours)].venue_id
        self.tell(self.tracker.cancelling(orderid, self.now))
        symbol = ours[which % len(ours)].intent.request.symbol
        alive = [
            each
            for each in self.venue.open()
            if each.symbol == symbol
            and (each.venue_id == venue_id if venue_id else each.orderid == orderid)
        ]
        if fate == "done" and alive:
            self.venue.end(alive[0], State.CANCELED, self.now)
        elif fate != "lost":
            self.tell(self.tracker.cancel_refused(orderid, "unknown order", self.now))

    @precondition(lambda self: self.venue.pushes)
    @rule(told=st.lists(st.tuples(st.integers(0, 9), deliveries), min_size=1, max_size=6))
    def push(self, told: list[tuple[int, str]]) -> None:
        """What happened is told: out of order, again, or never."""
        pushes = self.venue.pushes
        for which, delivery in told[: len(pushes)]:
            push = pushes[which % len(pushes)]
            if delivery != "and again":
                pushes.remove(push)
            if delivery != "never":
                self.receive(push)

    def receive(self, push: OrderReport | FillReport) -> None:
        """What the user stream brings."""
        if isinstance(push, OrderReport):
            self.tell(self.tracker.reported(push, self.now))
        else:
            self.tell(self.tracker.filled(push, self.now))

    @rule(fills=st.booleans())
    def ask_for_all(self, fills: bool) -> None:
        """A list is asked for."""
        self.query(AskFills("", 0) if fills else None)

    @precondition(lambda self: self.queries)
    @rule(answers=st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=4))
    def answer(self, answers: list[tuple[int, bool]]) -> None:
        """Answers come, perhaps long after the question; or none."""
        for which, lost in answers[: len(self.queries)]:
            query = self.queries.pop(which % len(self.queries))
            unknown = lost or not self.ready
            self.hear(query, Unknown("timeout") if unknown else query.answer)

    @rule(tenth_s=st.integers(1, 40))
    def pass_time(self, tenth_s: int) -> None:
        """Nothing happens for a while."""
        self.now += tenth_s * S // 10
        self.look()

    @rule()
    def disconnect(self) -> None:
        """The line is gone, and with it all that was on it, but for what the venue got."""
        self.ready = False
        self.venue.pushes.clear()
        self.acks.clear()
        for record in self.tracker.open_records():
            self.tell(self.tracker.doubted(record.orderid, "disconnected", self.now))
        for query in self.queries:
            self.hear(query, Unknown("disconnected"))
        self.queries = []
        self.look()

    @rule()
    def reconnect(self) -> None:
        """The line is back."""
        self.ready = True
        self.look()

    @rule()
    def crash(self) -> None:
        """The process is killed and started again; requests under way are so still."""
        requests = self.requests
        self.start()
        self.requests = requests

    def heal(self) -> None:
        """No more faults, and a minute of time."""
        self.ready = True
        self.requests.clear()
        for number, push in enumerate(self.venue.pushes):
            if number % 2:
                self.receive(push)
        self.venue.pushes.clear()
        for record in self.tracker.open_records():
            self.tell(self.tracker.doubted(record.orderid, "timeout", self.now))
        for step in range(240):
            self.now += S // 4
            if step % 20 == 0:
                self.query(None)
                for ask in self.reconciler.backfill(["BTCUSDT", "ETHUSDT"], 0):
                    self.query(ask)
            self.look()
            queries, self.queries = self.queries, []
            for query in queries:
                self.hear(query, query.answer)

    def teardown(self) -> None:
        """After healing, what foxtrot says is what the venue says."""
        if not hasattr(self, "venue"):
            return
        self.heal()
        self.check_fills()
        self.check_orders()
        assert all(any(each in alarm for each in EXPLAINED) for alarm in self.alarms), self.alarms

    def check_fills(self) -> None:
        """Every fill of the venue is told, once, and of the right order."""
        told = Counter((each.symbol, each.trade_id, each.volume) for each in self.fills)
        assert told == Counter(
            (each.symbol, each.trade_id, each.volume) for each in self.venue.trades
        )
        names = {(each.symbol, each.venue_id): each.orderid for each in self.venue.orders}
        for fill in self.fills:
            name = names[fill.symbol, fill.venue_id]
            assert fill.orderid == name or (name == "web" and fill.orderid.startswith("ext-"))

    def check_orders(self) -> None:
        """Every order is what it is at the venue, and what is not there was rejected."""
        sums = volumes(self.fills)
        seen = set()
        for order in self.venue.orders:
            record = self.journal.get(order.orderid)
            if order.orderid == "web":
                ours = [
                    each
                    for each in self.journal.values()
                    if each.external
                    and each.venue_id == order.venue_id
                    and each.intent.request.symbol == order.symbol
                ]
                assert len(ours) == 1 or (not ours and order.state in TERMINAL and not order.traded)
                record = ours[0] if ours else None
                if record is None:
                    continue
            assert record is not None
            seen.add(record.orderid)
            assert (record.state, record.traded, record.volume) == (
                order.state,
                order.traded,
                order.volume,
            )
            assert record.traded == sums.get(record.orderid, ZERO)
        for orderid, record in self.journal.items():
            if orderid not in seen:
                assert record.state is State.REJECTED
                assert not record.traded
        assert not [each for each in self.tracker.open_records() if each.state in UNANSWERED]


def step(machine: Orders, dice: random.Random) -> None:
    """Something of all that may happen, most often what makes orders and fills."""
    which = lambda: dice.randrange(10)  # noqa: E731
    side = dice.choice(list(Direction)[:2])
    symbol, part = dice.choice(["BTCUSDT", "ETHUSDT"]), dice.randint(1, 5)
    deeds: list[tuple[int, Callable[[], object]]] = [
        (9, lambda: machine.send([(symbol, side, part, dice.choice(FATES))])),
        (9, lambda: machine.fill([(which(), part)])),
        (12, lambda: machine.push([(which(), dice.choice(DELIVERIES)) for _ in range(4)])),
        (16, lambda: machine.answer([(which(), dice.random() < 0.2) for _ in range(3)])),
        (16, lambda: machine.pass_time(dice.randint(1, 15))),
        (6, lambda: machine.acknowledge(which(), dice.random() < 0.5)),
        (4, lambda: machine.cancel(which(), dice.choice(["done", "lost", "refused"]))),
        (3, lambda: machine.ask_for_all(dice.random() < 0.5)),
        (2, lambda: machine.end(which(), dice.choice([State.CANCELED, State.EXPIRED]))),
        (6, lambda: machine.give_up_waiting(which())),
        (2, machine.arrive_late),
        (2, lambda: machine.trade_by_hand(symbol, side, part)),
        (1, machine.disconnect),
        (6, machine.reconnect),
        (1, machine.crash),
    ]
    dice.choices([deed for _, deed in deeds], [weight for weight, _ in deeds])[0]()


@pytest.mark.parametrize("seed", range(60))
def test_long_days(seed: int) -> None:
    """Dozens of orders, and more mishaps; afterwards everything is as the venue says."""
    dice = random.Random(seed)
    machine = Orders()
    machine.begin(dice.random() < 0.5)
    for _ in range(800):
        step(machine, dice)
    machine.teardown()
    assert len(machine.venue.orders) > 10


Orders.TestCase.settings = settings(
    max_examples=60, stateful_step_count=50, deadline=None, report_multiple_bugs=False
)
TestOrders = Orders.TestCase
