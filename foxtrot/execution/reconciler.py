"""What the venue's lists prove about our orders, and what to ask it next. Pure.

The glue is a loop: take `asked` before a query, hand its answer in, and `apply` each decision; an
`Ask` or `AskFills` is a query to make. An answer that did not come decides nothing, ever.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from foxtrot.execution.decisions import (
    AddFill,
    Adopt,
    Alarm,
    Ask,
    Asked,
    AskFills,
    Correct,
    Decision,
    Resolve,
    StillOpen,
)
from foxtrot.execution.ledger import VenueKey
from foxtrot.execution.order_tracker import OrderTracker
from foxtrot.execution.reports import FillReport, Known, OrderRecord, OrderReport, Unknown
from foxtrot.execution.reports import OrderState as S
from foxtrot.execution.transitions import UNANSWERED
from foxtrot.model.objects import NS_PER_S

GRACE_NS = 5 * NS_PER_S
"""How long a request may be under way; the venue must not carry out one that is older.

On Binance that is `recvWindow`.
"""

UNBOUNDED = 3
"""How many times as long that is where a venue carries out a request however old it is."""

APART_NS = 2 * NS_PER_S
ABSENCES = 2
FIRST_NS = NS_PER_S // 2
CAP_NS = 30 * NS_PER_S
ALARM_NS = 30 * NS_PER_S
KEEP_ALARMED = 10_000
CLOCKS_APART_NS = 60 * NS_PER_S
"""By how much the venue's clock may differ from ours, when fills are asked for since a time."""

VANISHED = "shown by the venue before, unknown to it now; cancel it to close it here"

_PROVABLE = frozenset({S.IN_DOUBT, S.PENDING_CANCEL})
_OPEN = frozenset({S.ACCEPTED, S.PARTIALLY_FILLED, S.PENDING_CANCEL})


Orders = Known[OrderReport] | Unknown
Fills = Known[FillReport] | Unknown


@dataclass(slots=True)
class _Question:
    """What is to be found out about one order in its present state, and how far that is.

    `flagged`: a list of the venue did not agree with us.
    """

    since_ns: int
    next_ns: int
    mark: int
    flagged: bool = False
    asks: int = 0
    absences: int = 0
    absent_ns: int = 0

    def emitted(self, now_ns: int) -> None:
        """It was asked; not again before there is an answer, or that must have got lost."""
        self.asks += 1
        self.next_ns = now_ns + CAP_NS

    def again(self, now_ns: int) -> None:
        """An answer came; if it does not settle the question, the next is due after a while."""
        self.next_ns = min(self.next_ns, now_ns + min(FIRST_NS << min(self.asks, 16), CAP_NS))


class Reconciler:
    """Judges the venue's answers against the tracker's records.

    "Not found" is evidence only of an order in doubt, and of one that somebody wants to be
    cancelled, when asked on a READY session a grace after that began, twice and `APART_NS`
    apart, with a list of fills that was asked for afterwards and lacks it, too. A list of open
    orders is evidence of what it shows; what it lacks is asked for singly. What changed after a
    query was made is not judged by its answer.

    Args:
        tracker: What is known.
        refuses_late: Whether the venue refuses a request that was under way too long.

    Thread safety: owned by the loop thread, like the tracker, which it only reads. `now_ns` is of
    a clock that never goes back; only what a venue is asked about is of the wall clock.
    """

    def __init__(self, tracker: OrderTracker, *, refuses_late: bool = True) -> None:
        self._tracker, self._refuses_late = tracker, refuses_late
        self._orders: dict[str | VenueKey, _Question] = {}
        self._fills: dict[str, _Question] = {}
        self._alarmed: dict[tuple[str, str], None] = {}
        self._ready = False

    def asked(self, now_ns: int, *, ready: bool) -> Asked:
        """To be taken right before a query is made, and handed in with its answer."""
        return Asked(now_ns, self._tracker.mark, ready)

    def backfill(self, symbols: Iterable[str], last_seen_ns: int) -> tuple[AskFills, ...]:
        """The fills to ask for after an absence: in `symbols`, and where orders of ours are open.

        Args:
            symbols: Where fills of ours may have happened.
            last_seen_ns: Since when they may have been missed, on the wall clock.
        """
        since = dict.fromkeys(symbols, last_seen_ns)
        for record in self._tracker.open_records():
            symbol = record.intent.request.symbol
            begin = record.intent.created_ns if record.state in UNANSWERED else last_seen_ns
            since[symbol] = min(begin, since.get(symbol, last_seen_ns))
        return tuple(AskFills(each, ns - CLOCKS_APART_NS) for each, ns in sorted(since.items()))

    def open_orders(
        self, answer: Orders, asked: Asked, now_ns: int, *, symbol: str = ""
    ) -> list[Decision]:
        """The venue's list of open orders, of one symbol or (empty) of all."""
        if isinstance(answer, Unknown):
            return []
        shown = {each.orderid for each in map(self._tracker.match, answer.items) if each}
        for record in self._tracker.open_records():
            concerned = symbol in ("", record.intent.request.symbol)
            if concerned and record.state is not S.INTENT and record.orderid not in shown:
                self._flag(record.orderid, asked, now_ns)
        for orderid in sorted(shown):
            record_shown = self._tracker.record(orderid)
            if record_shown is not None and not record_shown.is_open:
                self._flag(orderid, asked, now_ns)
        return self._taken(answer.items)

    def order(self, ask: Ask, answer: Orders, asked: Asked, now_ns: int) -> list[Decision]:
        """The venue's answer to an `Ask`: the order, or an empty list if it does not know it."""
        question = self._orders.get(_key(ask))
        if question is not None:
            question.again(now_ns)
        if isinstance(answer, Unknown):
            return []
        record = self._tracker.record(ask.orderid)
        decisions = self._taken(answer.items)
        if question is None or self._tracker.changed_since(ask.orderid, asked.mark):
            return decisions
        if answer.items:
            return decisions + self._shown(record, answer.items[0], question, asked)
        return decisions + self._absent(ask, record, question, asked, now_ns)

    def fills(self, ask: AskFills, answer: Fills, asked: Asked, now_ns: int) -> list[Decision]:
        """The venue's list of the fills that `ask` describes."""
        for question in self._waiting_for(ask):
            question.again(now_ns)
        if isinstance(answer, Unknown):
            return []
        known = self._tracker.known_fill
        missed = [each for each in answer.items if not known(each.symbol, each.trade_id)]
        suspects = (*missed, *self._tracker.fills_waiting())
        decisions: list[Decision] = [AddFill(fill) for fill in missed]
        for record in self._provable():
            proof = self._is_proof(record, ask, asked)
            if proof and not any(self._may_be_of(record, fill) for fill in suspects):
                decisions.append(Resolve(record.orderid))
        return decisions

    def look(self, now_ns: int, *, ready: bool) -> list[Decision]:
        """What time brings: alarms, and the queries that are due if the session is READY.

        To be called a few times a second. Whatever is open is asked at once on a new session.
        """
        self._renew(now_ns)
        if ready and not self._ready:
            for question in (*self._orders.values(), *self._fills.values()):
                question.asks, question.next_ns = 0, now_ns
        self._ready = ready
        decisions = self._alarms(now_ns)
        return decisions + self._due(now_ns) if ready else decisions

    def _taken(self, reports: Iterable[OrderReport]) -> list[Decision]:
        decisions: list[Decision] = []
        for report in reports:
            record = self._tracker.match(report)
            if not self._tracker.is_news(report):
                continue
            if record is None:
                decisions.append(Adopt(report))
            elif record.state in UNANSWERED:
                decisions.append(Resolve(record.orderid, report))
            else:
                decisions.append(Correct(report))
        return decisions

    def _flag(self, orderid: str, asked: Asked, now_ns: int) -> None:
        """Ask for an order of which a list says something else than we know."""
        if self._tracker.changed_since(orderid, asked.mark):
            return
        question = self._orders.get(orderid)
        if question is None:
            question = _Question(now_ns, now_ns, self._tracker.mark)
            self._orders[orderid] = question
        question.flagged = True

    def _renew(self, now_ns: int) -> None:
        """Drop the questions that are settled, or of a state that has passed; open new ones."""
        mark, first = self._tracker.mark, now_ns + FIRST_NS
        watched = {each.orderid: each for each in self._tracker.open_records() if _is_watched(each)}
        waiting = dict.fromkeys(
            (each.symbol, each.venue_id) for each in self._tracker.fills_waiting()
        )
        missing = dict.fromkeys(each.orderid for each in self._tracker.fills_missing())
        renewed = {key: self._renewed(key, each, now_ns) for key, each in self._orders.items()}
        self._orders = {
            key: each
            for key, each in renewed.items()
            if each is not None and (key in watched or key in waiting or each.flagged)
        }
        self._fills = {key: each for key, each in self._fills.items() if key in missing}
        for orderid, record in watched.items():
            begin = now_ns + self._grace_ns if record.state is S.PENDING_CANCEL else first
            self._orders.setdefault(orderid, _Question(now_ns, begin, mark))
        for key in waiting:
            self._orders.setdefault(key, _Question(now_ns, first, mark))
        for orderid in missing:
            self._fills.setdefault(orderid, _Question(now_ns, first, mark))

    def _renewed(self, key: str | VenueKey, question: _Question, now_ns: int) -> _Question | None:
        """The question as the order is now. A fill does not settle what a list said of it."""
        if not isinstance(key, str) or not self._has_moved(key, question.mark):
            return question
        record = self._tracker.record(key)
        if question.flagged and record is not None and record.is_open:
            return _Question(now_ns, now_ns, self._tracker.mark, flagged=True)
        return None

    def _has_moved(self, orderid: str, mark: int) -> bool:
        known = self._tracker.record(orderid) is not None
        return not known or self._tracker.changed_since(orderid, mark)

    def _due(self, now_ns: int) -> list[Decision]:
        queries: list[Ask | AskFills] = []
        for key, question in self._orders.items():
            if question.next_ns <= now_ns:
                question.emitted(now_ns)
                queries.append(self._query(key, question))
        for orderid, question in self._fills.items():
            if question.next_ns <= now_ns:
                question.emitted(now_ns)
                queries.append(_ask_fills(self._known(orderid)))
        return _merged(queries)

    def _query(self, key: str | VenueKey, question: _Question) -> Ask | AskFills:
        if not isinstance(key, str):
            symbol, venue_id = key
            return Ask(symbol, "", venue_id)
        record = self._known(key)
        if question.absences >= ABSENCES:
            return _ask_fills(record)
        return Ask(record.intent.request.symbol, key, record.venue_id)

    def _alarms(self, now_ns: int) -> list[Decision]:
        late = now_ns - ALARM_NS
        alarms: list[Decision] = []
        for record in self._tracker.doubts():
            if self._orders[record.orderid].since_ns < late:
                text = f"in doubt for more than {ALARM_NS // NS_PER_S} s"
                alarms += self._once(record.orderid, text, record.reason)
        for orderid, question in self._fills.items():
            if question.since_ns < late:
                alarms += self._once(orderid, "the venue does not show all of its fills")
        return alarms

    def _once(self, orderid: str, text: str, detail: str = "") -> list[Decision]:
        if (orderid, text) in self._alarmed:
            return []
        self._alarmed[orderid, text] = None
        if len(self._alarmed) > KEEP_ALARMED:
            del self._alarmed[next(iter(self._alarmed))]
        return [Alarm(orderid, f"{text}: {detail}" if detail else text)]

    def _shown(
        self, record: OrderRecord | None, report: OrderReport, question: _Question, asked: Asked
    ) -> list[Decision]:
        """What it means, beside what it says, that the venue shows an order we asked for."""
        question.flagged = False
        if record is None or report.state not in _OPEN:
            return []
        if not record.is_open:
            return self._once(record.orderid, "ended, but the venue shows it as open")
        late = asked.at_ns >= question.since_ns + self._grace_ns
        canceling = S.PENDING_CANCEL
        if late and record.state is canceling and report.state is not canceling:
            return [StillOpen(record.orderid)]
        return []

    def _absent(
        self,
        ask: Ask,
        record: OrderRecord | None,
        question: _Question,
        asked: Asked,
        now_ns: int,
    ) -> list[Decision]:
        """What it means that the venue does not know an order we asked for."""
        if record is not None and record.state in _PROVABLE:
            _count_absence(question, asked, now_ns, self._grace_ns)
            if record.state is S.IN_DOUBT:
                return []
        if record is not None and not (record.venue_id and record.is_open):
            question.flagged = question.flagged and record.is_open
            return []
        if not asked.ready:
            return []
        return self._once(ask.orderid or ask.venue_id, VANISHED)

    @property
    def _grace_ns(self) -> int:
        return GRACE_NS if self._refuses_late else UNBOUNDED * GRACE_NS

    def _provable(self) -> Iterable[OrderRecord]:
        """Orders that have ended if the venue does not know them."""
        return (each for each in self._tracker.open_records() if each.state in _PROVABLE)

    def _known(self, orderid: str) -> OrderRecord:
        record = self._tracker.record(orderid)
        assert record is not None, "a question of an order that is forgotten was dropped"
        return record

    def _waiting_for(self, ask: AskFills) -> Iterable[_Question]:
        for record in self._tracker.fills_missing():
            if _covers(ask, record) and record.orderid in self._fills:
                yield self._fills[record.orderid]
        for record in self._provable():
            if _covers(ask, record) and record.orderid in self._orders:
                yield self._orders[record.orderid]

    def _is_proof(self, record: OrderRecord, ask: AskFills, asked: Asked) -> bool:
        """Whether a list of fills that lacks an order is the last piece of proof against it."""
        question = self._orders.get(record.orderid)
        return (
            question is not None
            and question.absences >= ABSENCES
            and asked.ready
            and asked.at_ns >= question.absent_ns
            and _covers(ask, record)
        )

    def _may_be_of(self, record: OrderRecord, fill: FillReport) -> bool:
        if fill.orderid:
            return fill.orderid == record.orderid
        matched = self._tracker.match(fill)
        if matched is not None:
            return matched.orderid == record.orderid
        request = record.intent.request
        return (fill.symbol, fill.direction) == (request.symbol, request.direction)


def _key(ask: Ask) -> str | VenueKey:
    return ask.orderid or (ask.symbol, ask.venue_id)


def _ask_fills(record: OrderRecord) -> AskFills:
    since_ns = record.intent.created_ns - CLOCKS_APART_NS
    return AskFills(record.intent.request.symbol, since_ns, record.venue_id)


def _covers(ask: AskFills, record: OrderRecord) -> bool:
    """Whether a list of fills, if it is whole, has all those of an order."""
    wanted = _ask_fills(record)
    return (
        ask.venue_id in ("", wanted.venue_id)
        and ask.symbol in ("", wanted.symbol)
        and ask.since_ns <= wanted.since_ns
    )


def _merged(queries: list[Ask | AskFills]) -> list[Decision]:
    """One query for all the fills of a symbol, as old as the oldest that is wanted."""
    since: dict[str, int] = {}
    decisions: list[Decision] = []
    for each in queries:
        if isinstance(each, Ask) or each.venue_id:
            decisions.append(each)
        else:
            since[each.symbol] = min(each.since_ns, since.get(each.symbol, each.since_ns))
    return decisions + [AskFills(symbol, since_ns) for symbol, since_ns in since.items()]


def _is_watched(record: OrderRecord) -> bool:
    """Whether a state must not last: in doubt, being canceled, or of a volume not known yet."""
    lasting = record.state not in (S.IN_DOUBT, S.PENDING_CANCEL)
    return not lasting or record.intent.request.volume == 0


def _count_absence(question: _Question, asked: Asked, now_ns: int, grace_ns: int) -> None:
    """Take "not found" as evidence where it is, and be in time for the next piece of it."""
    counts_from = question.since_ns + grace_ns
    if question.absences:
        counts_from = max(counts_from, question.absent_ns + APART_NS)
    if asked.ready and asked.at_ns >= counts_from:
        question.absences += 1
        question.absent_ns = asked.at_ns
        counts_from = now_ns if question.absences >= ABSENCES else asked.at_ns + APART_NS
    question.next_ns = min(question.next_ns, max(now_ns, counts_from))
