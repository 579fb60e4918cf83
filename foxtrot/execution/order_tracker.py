"""What is known of every order of one account, and what each piece of news makes of it. Pure.

Whoever owns the tracker writes down and tells what it returns; it does neither itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from msgspec.structs import replace

from foxtrot.errors import InvalidState
from foxtrot.execution.ledger import Entry, Ledger, News, TradeKey
from foxtrot.execution.reports import (
    EXTERNAL_PREFIX,
    TERMINAL,
    ZERO,
    FillReport,
    OrderIntent,
    OrderRecord,
    OrderReport,
)
from foxtrot.execution.reports import OrderState as S
from foxtrot.execution.transitions import (
    UNANSWERED,
    checked,
    doubtful_claim,
    is_overfilled,
    request_of,
    with_report,
    with_traded,
)
from foxtrot.model.constants import OrderType
from foxtrot.model.requests import OrderRequest

NEVER_ARRIVED = "never reached the venue"
GONE = "cancelled here: the venue does not know it any more"
STOPPED = "foxtrot stopped before the venue answered"
NOT_SENT = "local:not_sent: "
"""How the reason begins of an order that certainly was not sent."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed, to be written down and told: states and fills in order, alarms in words."""

    records: tuple[OrderRecord, ...] = ()
    fills: tuple[FillReport, ...] = ()
    alarms: tuple[str, ...] = ()

    def __add__(self, later: Changes) -> Changes:
        return Changes(
            self.records + later.records, self.fills + later.fills, self.alarms + later.alarms
        )

    def __bool__(self) -> bool:
        return bool(self.records or self.fills or self.alarms)


NOTHING = Changes()


class OrderTracker:
    """The orders of one account.

    Thread safety: owned by the loop thread. An order that is not known any more (it ended, and
    `keep_ended` others after it) is not touched by news; the keys of its fills are remembered
    longer, so that none of them is ever counted for another one.

    Args:
        adapter_name: Whose orders these are.
        keep_ended: How many ended orders are remembered, the newest.
        keep_fills: How many fills of forgotten orders are still recognised.
        keep_waiting: How many fills may wait for their order to be known.
    """

    def __init__(
        self,
        adapter_name: str,
        *,
        keep_ended: int = 10_000,
        keep_fills: int = 100_000,
        keep_waiting: int = 1_000,
    ) -> None:
        self._name = adapter_name
        self._keep_waiting = keep_waiting
        self._ledger = Ledger(keep_ended, keep_fills)
        self._waiting: dict[TradeKey, FillReport] = {}

    def __repr__(self) -> str:
        return (
            f"<OrderTracker {self._name} open={len(self._ledger.open)}"
            f" doubts={len(self.doubts())} ended={len(self._ledger.ended)}>"
        )

    # What we do

    def restore(
        self,
        records: Iterable[OrderRecord],
        fills: Iterable[FillReport],
        *,
        trade_keys: Iterable[TradeKey] = (),
        now_ns: int,
    ) -> None:
        """Begin with what the journal holds; nothing of it is news.

        An order whose answer was still awaited is in doubt now. `records` should hold the orders
        that ended lately, too: a fill of theirs may have been missed. `trade_keys` are fills that
        were told already.
        """
        for record in records:
            if record.state in (S.INTENT, S.SENT):
                record = replace(record, state=S.IN_DOUBT, reason=STOPPED, updated_ns=now_ns)
            self._ledger.put(Entry(record), record)
        for fill in fills:
            self._restore_fill(fill)
        self._ledger.remember(trade_keys)

    def intend(self, intent: OrderIntent, now_ns: int) -> Changes:
        """Begin with an order that is written down and not sent yet.

        Raises:
            InvalidState: An order with this id is known.
        """
        if intent.orderid in self._ledger.entries:
            raise InvalidState(f"order {intent.orderid} is known already")
        record = OrderRecord(intent, S.INTENT, now_ns)
        self._ledger.put(Entry(record), record)
        return Changes((record,))

    def sent(self, orderid: str, now_ns: int) -> Changes:
        """It is about to leave: from now on it may live at the venue."""
        return self._move(orderid, {S.INTENT}, S.SENT, "", now_ns)

    def not_sent(self, orderid: str, reason: str, now_ns: int) -> Changes:
        """It certainly did not leave: rejected, with a reason that begins `local:not_sent:`."""
        return self._move(orderid, UNANSWERED, S.REJECTED, NOT_SENT + reason, now_ns)

    def withdrawn(self, orderid: str, reason: str, now_ns: int) -> Changes:
        """It certainly did not leave, as it was cancelled before: what was asked for was done."""
        return self._move(orderid, UNANSWERED, S.CANCELED, NOT_SENT + reason, now_ns)

    def doubted(self, orderid: str, reason: str, now_ns: int) -> Changes:
        """No answer, or none that proves anything; nothing if the venue was heard about it."""
        return self._move(orderid, {S.INTENT, S.SENT}, S.IN_DOUBT, reason, now_ns)

    def cancelling(self, orderid: str, now_ns: int) -> Changes:
        """A cancel is about to leave; what is not acknowledged yet stays what it is."""
        return self._move(orderid, {S.ACCEPTED, S.PARTIALLY_FILLED}, S.PENDING_CANCEL, "", now_ns)

    # What the venue answers

    def accepted(self, orderid: str, venue_id: str, now_ns: int) -> Changes:
        """The venue took it and calls it `venue_id`."""
        entry = self._ledger.entries.get(orderid)
        if entry is None:
            return NOTHING
        return self.reported(_acknowledgement(entry.record, venue_id), now_ns)

    def refused(self, orderid: str, reason: str, now_ns: int) -> Changes:
        """The venue said no to it; alarmed, not believed, if it was seen alive before."""
        entry = self._ledger.entries.get(orderid)
        if entry is None or entry.record.state is S.REJECTED:
            return NOTHING
        if entry.record.state not in UNANSWERED:
            alarm = f"{orderid}: refused ({reason}), though it was {entry.record.state.value}"
            return Changes(alarms=self._once(entry, "refused", alarm))
        return self._move(orderid, UNANSWERED, S.REJECTED, reason, now_ns)

    def proved_absent(self, orderid: str, now_ns: int) -> Changes:
        """There is proof that the venue does not know it (see `Reconciler`)."""
        changes = self._move(orderid, {S.IN_DOUBT}, S.REJECTED, NEVER_ARRIVED, now_ns)
        return changes or self._move(orderid, {S.PENDING_CANCEL}, S.CANCELED, GONE, now_ns)

    def cancel_refused(self, orderid: str, reason: str, now_ns: int) -> Changes:
        """The venue did not cancel it: it is as open as before."""
        entry = self._ledger.entries.get(orderid)
        if entry is None:
            return NOTHING
        state = S.PARTIALLY_FILLED if entry.record.traded else S.ACCEPTED
        return self._move(orderid, {S.PENDING_CANCEL}, state, f"cancel refused: {reason}", now_ns)

    def reported(self, report: OrderReport, now_ns: int) -> Changes:
        """The venue shows an order, in a push or in an answer.

        An end is believed however old the report is, anything else only from a report that is not
        older than what is known; a larger traded volume always. What is not ours is taken up as
        external. A report without our id waits for its acknowledgement if it may be ours, and for
        a name of the venue's in any case.
        """
        entry = self._ledger.find(report)
        if entry is not None:
            changes = self._take(entry, report, now_ns)
        elif self._has_to_wait(report):
            return NOTHING
        else:
            changes = self._adopt(report, now_ns)
        return changes + self._settle(report.symbol, now_ns)

    def filled(self, fill: FillReport, now_ns: int) -> Changes:
        """The venue shows a fill; it counts once.

        After the end of its order it is taken as well: the order keeps its state, also if all of
        its volume is traded now, and there is an alarm unless the end had announced it. A fill
        without our id waits for its order to be known if it may be ours.
        """
        key = (fill.symbol, fill.trade_id)
        if self._ledger.knows(key):
            return NOTHING
        entry = self._ledger.find(fill)
        if entry is not None:
            return self._count(entry, fill, now_ns) + self._settle(fill.symbol, now_ns)
        if not self._ledger.may_be_ours(fill):
            return self._count_external(fill, now_ns) + self._settle(fill.symbol, now_ns)
        self._waiting[key] = fill
        if len(self._waiting) <= self._keep_waiting:
            return NOTHING
        return self._count_external(self._waiting.pop(next(iter(self._waiting))), now_ns)

    # What is known

    def record(self, orderid: str) -> OrderRecord | None:
        """What is known of one order."""
        entry = self._ledger.entries.get(orderid)
        return entry.record if entry is not None else None

    def match(self, news: News) -> OrderRecord | None:
        """The order that the venue speaks of; None if it is none that is known."""
        entry = self._ledger.find(news)
        return entry.record if entry is not None else None

    def is_news(self, report: OrderReport) -> bool:
        """Whether `reported` would change anything."""
        entry = self._ledger.find(report)
        if entry is None:
            return not self._has_to_wait(report)
        return self._after(entry, report) != entry.record

    def open_records(self) -> tuple[OrderRecord, ...]:
        """Every order that may live, or come to live, at the venue; the oldest first.

        May be called from any thread, like `doubts` and `record`.
        """
        return tuple(entry.record for entry in tuple(self._ledger.open.values()))

    def outcomes(self) -> dict[str, int]:
        """How orders ended, by the name of their last state; from any thread."""
        return self._ledger.outcomes.copy()

    def doubts(self) -> tuple[OrderRecord, ...]:
        """Orders of which nobody knows whether they reached the venue."""
        return tuple(each for each in self.open_records() if each.state is S.IN_DOUBT)

    def fills_missing(self) -> tuple[OrderRecord, ...]:
        """Orders that traded more, as the venue says, than the fills that are known."""
        return tuple(entry.record for entry in self._ledger.short.values())

    def fills_waiting(self) -> tuple[FillReport, ...]:
        """Fills that may be of an order of ours whose venue id is not known yet."""
        return tuple(self._waiting.values())

    def known_fill(self, symbol: str, trade_id: str) -> bool:
        """Whether this fill was counted."""
        return self._ledger.knows((symbol, trade_id))

    @property
    def mark(self) -> int:
        """A point in the history of this tracker; see `changed_since`."""
        return self._ledger.version

    def changed_since(self, orderid: str, mark: int) -> bool:
        """Whether an order came up or changed after `mark` was taken."""
        entry = self._ledger.entries.get(orderid)
        return entry is not None and entry.version > mark

    # How

    def _restore_fill(self, fill: FillReport) -> None:
        entry, key = self._ledger.entries.get(fill.orderid), (fill.symbol, fill.trade_id)
        if entry is None or entry.record.intent.request.symbol != fill.symbol:
            self._ledger.remember((key,))
        elif not self._ledger.knows(key):
            self._ledger.count(entry, fill)
            self._ledger.put(entry, with_traded(entry.record, entry.filled))

    def _move(self, orderid: str, states: Iterable[S], to: S, reason: str, now_ns: int) -> Changes:
        """From one of `states` to another; nothing if the order is elsewhere or forgotten."""
        entry = self._ledger.entries.get(orderid)
        if entry is None or entry.record.state not in states:
            return NOTHING
        changes = self._change(entry, replace(entry.record, state=to, reason=reason), now_ns)
        return changes + self._settle(entry.record.intent.request.symbol, now_ns)

    def _after(self, entry: Entry, report: OrderReport) -> OrderRecord:
        stale = report.ts_ns < entry.heard_ns and report.state not in TERMINAL
        unknown = not entry.record.intent.request.volume
        return with_report(entry.record, report, stale=stale and not unknown)

    def _take(self, entry: Entry, report: OrderReport, now_ns: int) -> Changes:
        before, after = entry.record, self._after(entry, report)
        alarms = self._doubts_of(entry, report) + _excess(before, after)
        entry.heard_ns = max(entry.heard_ns, report.ts_ns)
        return self._change(entry, after, now_ns, alarms)

    def _doubts_of(self, entry: Entry, report: OrderReport) -> tuple[str, ...]:
        record, name = entry.record, entry.record.orderid
        if record.is_open and doubtful_claim(record, report):
            said = f"{name}: shown as filled with {report.traded} of {report.volume}, not believed"
            return self._once(entry, "claim", said)
        if report.state in TERMINAL or record.is_open or not 0 < entry.heard_ns < report.ts_ns:
            return ()
        return self._once(entry, "alive", f"{name}: ended as {record.state.value}, shown as open")

    def _has_to_wait(self, report: OrderReport) -> bool:
        """Whether nobody can say yet whose order this is, or by which name to know it."""
        return not report.venue_id or self._ledger.may_be_ours(report)

    def _adopt(self, report: OrderReport, now_ns: int) -> Changes:
        """Take up an order of somebody else; alarm if it bears the name of one of ours."""
        entry = self._external(report, request_of(report), report.ts_ns or now_ns, now_ns)
        return Changes(alarms=self._namesake(report)) + self._take(entry, report, now_ns)

    def _count_external(self, fill: FillReport, now_ns: int) -> Changes:
        """Count a fill of somebody else's order; its volume is unknown (0) until it is shown."""
        request = OrderRequest(fill.symbol, fill.exchange, fill.direction, OrderType.LIMIT, 0.0)
        entry = self._external(fill, request, fill.ts_ns or now_ns, now_ns)
        return Changes(alarms=self._namesake(fill)) + self._count(entry, fill, now_ns)

    def _external(self, news: News, request: OrderRequest, created_ns: int, now_ns: int) -> Entry:
        orderid = EXTERNAL_PREFIX + news.venue_id
        if orderid in self._ledger.entries:
            orderid = f"{orderid}-{news.symbol}"
        intent = OrderIntent(orderid, request, created_ns)
        return Entry(OrderRecord(intent, S.SENT, now_ns, venue_id=news.venue_id, external=True))

    def _namesake(self, news: News) -> tuple[str, ...]:
        ours = self._ledger.entries.get(news.orderid)
        if ours is None or ours.record.external:
            return ()
        known = ours.record.venue_id or f"none, {ours.record.state.value}"
        alarm = (
            f"{news.orderid}: the venue shows another order of this name, {news.venue_id} in"
            f" {news.symbol} (ours: {known}); taken up as external"
        )
        return (alarm,)

    def _count(self, entry: Entry, fill: FillReport, now_ns: int) -> Changes:
        before = entry.record
        self._ledger.count(entry, fill)
        entry.heard_ns = max(entry.heard_ns, fill.ts_ns)
        after = with_traded(before, entry.filled, fill.venue_id)
        changes = self._change(entry, after, now_ns, _excess(before, after))
        told = replace(fill, orderid=before.orderid, exchange=before.intent.request.exchange)
        return changes + Changes(fills=(told,))

    def _settle(self, symbol: str, now_ns: int) -> Changes:
        """Count the fills that waited and need to no more."""
        changes = NOTHING
        for key, fill in list(self._waiting.items()):
            if fill.symbol != symbol:
                continue
            entry = self._ledger.find(fill)
            if entry is not None:
                del self._waiting[key]
                changes += self._count(entry, fill, now_ns)
            elif not self._ledger.may_be_ours(fill):
                del self._waiting[key]
                changes += self._count_external(fill, now_ns)
        return changes

    def _change(
        self, entry: Entry, after: OrderRecord, now_ns: int, alarms: tuple[str, ...] = ()
    ) -> Changes:
        if after == entry.record:
            self._ledger.put(entry, after)
            return Changes(alarms=alarms)
        record = replace(checked(entry.record, after), updated_ns=now_ns)
        self._ledger.put(entry, record)
        return Changes((record,), alarms=alarms)

    def _once(self, entry: Entry, kind: str, alarm: str) -> tuple[str, ...]:
        if kind in entry.alarmed:
            return ()
        entry.alarmed.add(kind)
        return (alarm,)


def _excess(before: OrderRecord, after: OrderRecord) -> tuple[str, ...]:
    """Alarms of a traded volume that should not have grown."""
    if after.traded == before.traded:
        return ()
    alarms = []
    if not before.is_open:
        more = after.traded - before.traded
        alarms.append(f"{after.orderid}: {more} traded after it ended as {before.state.value}")
    if is_overfilled(after):
        alarms.append(f"{after.orderid}: {after.traded} traded of {after.volume}")
    return tuple(alarms)


def _acknowledgement(record: OrderRecord, venue_id: str) -> OrderReport:
    """What an answer proves that says no more than the venue's name for an order."""
    request = record.intent.request
    return OrderReport(
        venue_id=venue_id,
        orderid=record.orderid,
        symbol=request.symbol,
        exchange=request.exchange,
        direction=request.direction,
        type=request.type,
        volume=record.volume,
        traded=ZERO,
        state=S.ACCEPTED,
        ts_ns=0,
    )
