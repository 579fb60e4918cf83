"""Deliberate breaks of the code that orders pass through; the schedules have to catch each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import pytest
from msgspec.structs import replace

from foxtrot.execution import order_tracker, reconciler, transitions
from foxtrot.execution.decisions import Ask, Asked, AskFills, Decision
from foxtrot.execution.journal import Journal
from foxtrot.execution.ledger import Ledger, TradeKey
from foxtrot.execution.order_tracker import NOTHING, Changes, OrderTracker
from foxtrot.execution.reconciler import Fills, Orders, Reconciler
from foxtrot.execution.reports import (
    FillReport,
    Known,
    OrderIntent,
    OrderRecord,
    OrderReport,
    OrderState,
    Unknown,
)
from foxtrot.gateway.desk import OrderDesk
from foxtrot.gateway.guard import Guard
from foxtrot.gateway.lookout import Lookout
from foxtrot.gateway.order_flow import OrderFlow
from foxtrot.gateway.trading import Answer, Doubtful, TradingSession

Mutant = Callable[[pytest.MonkeyPatch], None]
ORDER_MUTANTS: dict[str, Mutant] = {}


def mutant(apply: Mutant) -> Mutant:
    """Add a break to the list, by its name."""
    ORDER_MUTANTS[apply.__name__] = apply
    return apply


@mutant
def fills_counted_twice(patch: pytest.MonkeyPatch) -> None:
    """A fill that is told again is another fill."""
    patch.setattr(Ledger, "knows", lambda self, key: False)


@mutant
def fills_keyed_without_symbol(patch: pytest.MonkeyPatch) -> None:
    """The numbers of fills are thought to be unique over all symbols."""
    knows = Ledger.knows

    def broken(self: Ledger, key: TradeKey) -> bool:
        return knows(self, key) or any(number == key[1] for _, number in self._counted)

    patch.setattr(Ledger, "knows", broken)


@mutant
def unknown_is_empty(patch: pytest.MonkeyPatch) -> None:
    """A list that was not answered is an empty one."""
    order, fills, opened = Reconciler.order, Reconciler.fills, Reconciler.open_orders

    def heard(answer: Orders | Fills) -> Orders | Fills:
        return Known(()) if isinstance(answer, Unknown) else answer

    def broken_order(
        self: Reconciler, ask: Ask, answer: Orders, asked: Asked, now_ns: int
    ) -> list[Decision]:
        return order(self, ask, heard(answer), asked, now_ns)  # type: ignore[arg-type]

    def broken_fills(
        self: Reconciler, ask: AskFills, answer: Fills, asked: Asked, now_ns: int
    ) -> list[Decision]:
        return fills(self, ask, heard(answer), asked, now_ns)  # type: ignore[arg-type]

    def broken_open(
        self: Reconciler, answer: Orders, asked: Asked, now_ns: int, *, symbol: str = ""
    ) -> list[Decision]:
        return opened(self, heard(answer), asked, now_ns, symbol=symbol)  # type: ignore[arg-type]

    patch.setattr(Reconciler, "order", broken_order)
    patch.setattr(Reconciler, "fills", broken_fills)
    patch.setattr(Reconciler, "open_orders", broken_open)
    patch.setattr(Lookout, "_need", lambda self, what, answer: None)


@mutant
def sent_again_without_answer(patch: pytest.MonkeyPatch) -> None:
    """An order that is not answered is sent once more."""

    async def broken(self: OrderFlow, session: TradingSession, intent: OrderIntent) -> None:
        self._tracker.sent(intent.orderid, self._now_ns)
        answer = await self._within(session.place(intent))
        if isinstance(answer, Doubtful):
            answer = await self._within(session.place(intent))
        self._take(intent.orderid, answer)

    patch.setattr(OrderFlow, "_place", broken)


@mutant
def sent_again_under_another_name(patch: pytest.MonkeyPatch) -> None:
    """An order that is not answered is sent once more, under an id made for it."""

    async def broken(self: OrderFlow, session: TradingSession, intent: OrderIntent) -> None:
        self._tracker.sent(intent.orderid, self._now_ns)
        answer = await self._within(session.place(intent))
        if isinstance(answer, Doubtful):
            again = replace(intent, orderid=f"{intent.orderid}-again")
            answer = await self._within(session.place(again))
        self._take(intent.orderid, answer)

    patch.setattr(OrderFlow, "_place", broken)


@mutant
def written_after_it_is_sent(patch: pytest.MonkeyPatch) -> None:
    """What is meant to be sent is not written down; what becomes of it is."""
    patch.setattr(Journal, "intend", lambda self, intent: None)


@mutant
def claims_trusted(patch: pytest.MonkeyPatch) -> None:
    """An order that is called filled is filled."""
    after = transitions._state_after

    def broken(record: OrderRecord, claim: OrderState, traded: object) -> OrderState:
        return claim if claim is OrderState.FILLED else after(record, claim, traded)  # type: ignore[arg-type]

    patch.setattr(transitions, "_claim", lambda report: report.state)
    patch.setattr(transitions, "_state_after", broken)


@mutant
def no_grace(patch: pytest.MonkeyPatch) -> None:
    """A request that is under way yet is thought lost."""
    patch.setattr(reconciler, "GRACE_NS", 0)


@mutant
def one_absence_is_enough(patch: pytest.MonkeyPatch) -> None:
    """What was not found once does not exist."""
    patch.setattr(reconciler, "ABSENCES", 1)


@mutant
def doubt_is_rejection(patch: pytest.MonkeyPatch) -> None:
    """An order that is not answered in time was rejected."""
    patch.setattr(OrderTracker, "doubted", OrderTracker.not_sent)


@mutant
def ends_are_left(patch: pytest.MonkeyPatch) -> None:
    """What has ended lives again when somebody says so."""
    table = {state: frozenset(OrderState) for state in OrderState}
    patch.setattr(transitions, "TERMINAL", frozenset())
    patch.setattr(transitions, "TRANSITIONS", table)
    patch.setattr(order_tracker, "TERMINAL", frozenset())

    def broken(record: OrderRecord, report: OrderReport, *, stale: bool) -> OrderRecord:
        return replace(record, state=report.state, venue_id=record.venue_id or report.venue_id)

    patch.setattr(order_tracker, "with_report", broken)


@mutant
def traded_shrinks(patch: pytest.MonkeyPatch) -> None:
    """What the last report says was traded, was traded."""
    with_report = order_tracker.with_report

    def broken(record: OrderRecord, report: OrderReport, *, stale: bool) -> OrderRecord:
        after = with_report(record, report, stale=stale)
        return after if not record.is_open else replace(after, traded=report.traded)

    patch.setattr(order_tracker, "with_report", broken)
    patch.setattr(order_tracker, "checked", lambda before, after: after)


@mutant
def late_fills_dropped(patch: pytest.MonkeyPatch) -> None:
    """A fill that comes after the end of its order is not counted."""
    filled = OrderTracker.filled

    def broken(self: OrderTracker, fill: FillReport, now_ns: int) -> Changes:
        record = self.match(fill)
        if record is not None and not record.is_open:
            return NOTHING
        return filled(self, fill, now_ns)

    patch.setattr(OrderTracker, "filled", broken)


@mutant
def not_reconciled_after_a_gap(patch: pytest.MonkeyPatch) -> None:
    """A new session is ready at once, whatever happened before it."""
    reconcile = OrderDesk.reconcile

    async def broken(self: OrderDesk, session: TradingSession, *, ready: bool) -> None:
        self._supervised = session
        if ready:
            await reconcile(self, session, ready=ready)

    patch.setattr(OrderDesk, "reconcile", broken)


@mutant
def restored_as_accepted(patch: pytest.MonkeyPatch) -> None:
    """What was about to be sent when the process died is thought to be at the venue."""
    restore = OrderTracker.restore

    def broken(
        self: OrderTracker,
        records: Iterable[OrderRecord],
        fills: Iterable[FillReport],
        *,
        trade_keys: Iterable[TradeKey] = (),
        now_ns: int,
    ) -> None:
        states = {OrderState.INTENT: OrderState.ACCEPTED, OrderState.SENT: OrderState.ACCEPTED}
        taken = [replace(each, state=states.get(each.state, each.state)) for each in records]
        restore(self, taken, fills, trade_keys=trade_keys, now_ns=now_ns)

    patch.setattr(OrderTracker, "restore", broken)


@mutant
def not_restored(patch: pytest.MonkeyPatch) -> None:
    """A new process begins without what the last one knew."""
    patch.setattr(Journal, "open_records", lambda self: [])


@mutant
def doomed_given_up(patch: pytest.MonkeyPatch) -> None:
    """What is to be cancelled is tried once."""
    cancel = OrderFlow._cancel_doomed

    async def broken(self: OrderFlow, orderid: str) -> None:
        await cancel(self, orderid)
        self._doomed.pop(orderid, None)

    patch.setattr(OrderFlow, "_cancel_doomed", broken)


@mutant
def unheard_cancel_is_done(patch: pytest.MonkeyPatch) -> None:
    """A cancel that is not answered has cancelled."""
    take_cancel = OrderFlow._take_cancel

    def broken(self: OrderFlow, orderid: str, answer: Answer | tuple[Answer, Answer]) -> None:
        if not isinstance(answer, Doubtful):
            take_cancel(self, orderid, answer)
            return
        state = OrderState.CANCELED
        self.apply(self._tracker._move(orderid, set(OrderState), state, "", self._now_ns))

    patch.setattr(OrderFlow, "_take_cancel", broken)


@mutant
def guard_not_told_of_ends(patch: pytest.MonkeyPatch) -> None:
    """What has ended counts as open."""
    patch.setattr(Guard, "ended", lambda self, orderid: None)


@mutant
def told_before_written(patch: pytest.MonkeyPatch) -> None:
    """Strategies hear of fills that the journal does not have yet."""
    apply = OrderFlow.apply

    def broken(self: OrderFlow, changes: Changes) -> None:
        for fill in changes.fills:
            self._tell_fill(fill)
        apply(self, Changes(changes.records, (), changes.alarms))
        if self._journal is not None:
            self._journal.record((), changes.fills)

    patch.setattr(OrderFlow, "apply", broken)


@mutant
def silent_streams_trusted(patch: pytest.MonkeyPatch) -> None:
    """Lists are never asked for again while a session lives."""

    async def broken(self: OrderDesk, session: TradingSession) -> None:
        await self._trading.wait(None)
        await asyncio.get_running_loop().create_future()

    patch.setattr(OrderDesk, "tend", broken)


@mutant
def halt_lets_pass(patch: pytest.MonkeyPatch) -> None:
    """A halt cancels, and blocks nothing."""
    patch.setattr(Guard, "halted", "")
    patch.setattr(Guard, "_gate", lambda self: "")
