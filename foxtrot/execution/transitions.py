"""Which state of an order may follow which, and what evidence makes of a record. Pure."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from foxtrot.errors import InvalidState
from foxtrot.execution.reports import TERMINAL, OrderRecord, OrderReport
from foxtrot.execution.reports import OrderState as S
from foxtrot.model.requests import OrderRequest

_SHOWN_BY_VENUE = frozenset({S.ACCEPTED, S.PARTIALLY_FILLED, S.PENDING_CANCEL}) | TERMINAL

TRANSITIONS: dict[S, frozenset[S]] = {
    S.INTENT: _SHOWN_BY_VENUE | {S.SENT, S.IN_DOUBT},
    S.SENT: _SHOWN_BY_VENUE | {S.IN_DOUBT},
    S.IN_DOUBT: _SHOWN_BY_VENUE,
    S.ACCEPTED: _SHOWN_BY_VENUE - {S.ACCEPTED},
    S.PARTIALLY_FILLED: frozenset({S.PENDING_CANCEL, S.FILLED, S.CANCELED, S.EXPIRED}),
    S.PENDING_CANCEL: _SHOWN_BY_VENUE - {S.PENDING_CANCEL},
    S.FILLED: frozenset(),
    S.CANCELED: frozenset(),
    S.REJECTED: frozenset(),
    S.EXPIRED: frozenset(),
}
"""Doubt is left by evidence alone, and what has ended never begins again."""

UNANSWERED = frozenset({S.INTENT, S.SENT, S.IN_DOUBT})
"""States of an order that the venue has not been heard about."""


def checked(before: OrderRecord, after: OrderRecord) -> OrderRecord:
    """`after`, if a record may become it.

    Raises:
        InvalidState: The table does not allow this transition, or the traded volume shrinks.
    """
    step = f"{before.orderid}: from {before.state.value} to {after.state.value}"
    if after.state is not before.state and after.state not in TRANSITIONS[before.state]:
        raise InvalidState(f"no order goes this way: {step}")
    if after.traded < before.traded:
        raise InvalidState(f"traded volume shrinks: {step}")
    return after


def is_complete(record: OrderRecord, traded: Decimal) -> bool:
    """Whether `traded` is all that was ordered, to the precision of the request.

    Never true of an order whose volume is not known yet.
    """
    volume = record.intent.request.volume
    return volume > 0 and float(traded) >= volume


def is_overfilled(record: OrderRecord) -> bool:
    """Whether more was traded than ordered."""
    volume = record.intent.request.volume
    return volume > 0 and float(record.traded) > volume


def with_traded(record: OrderRecord, traded: Decimal, venue_id: str = "") -> OrderRecord:
    """The record after fills that add up to `traded`; what has ended keeps its state."""
    traded = max(record.traded, traded)
    state = _state_after(record, S.ACCEPTED, traded)
    reason = "" if record.state in UNANSWERED else record.reason
    return replace(
        record,
        state=state,
        traded=traded,
        reason=reason,
        venue_id=record.venue_id or venue_id,
    )


def with_report(record: OrderRecord, report: OrderReport, *, stale: bool) -> OrderRecord:
    """The record after what the venue says of it; a `stale` report counts for what it traded.

    Filled is what has traded all of its volume: a report that only says so is not believed. If the
    venue had it at a smaller volume and traded all of that, the rest is canceled.
    """
    after = with_traded(record, report.traded, report.venue_id)
    if stale or not record.is_open:
        return after
    if record.external:
        terms = _terms(report, record.intent.request.reference)
        record = replace(record, intent=replace(record.intent, request=terms))
        after = replace(after, intent=record.intent)
    elif report.state not in TERMINAL:
        after = _repriced(after, report)
    state = _state_after(record, _claim(report), after.traded)
    return replace(after, state=state, reason=_reason(report, state) or after.reason)


def _repriced(record: OrderRecord, report: OrderReport) -> OrderRecord:
    """The record with the prices at which the venue has the order: by hand they can be changed.

    An order that was sent without a price gets none.
    """
    request = record.intent.request
    if report.type is not request.type:
        return record
    price = _shown(request.price, report.price)
    stop_price = _shown(request.stop_price, report.stop_price)
    request = replace(request, price=price, stop_price=stop_price)
    return replace(record, intent=replace(record.intent, request=request))


def _shown(asked: float, shown: Decimal) -> float:
    return float(shown) if asked and shown else asked


def doubtful_claim(record: OrderRecord, report: OrderReport) -> bool:
    """Whether the venue says "filled" of less than it says was ordered."""
    return report.state is S.FILLED and report.traded < min(report.volume, record.volume)


def request_of(report: OrderReport) -> OrderRequest:
    """The request that somebody must have made, for the venue to show this."""
    return _terms(report, "")


def _terms(report: OrderReport, reference: str) -> OrderRequest:
    # Whoever ordered for an amount of money gave no volume; it is what was got.
    volume = report.traded if report.state is S.FILLED and not report.volume else report.volume
    return OrderRequest(
        symbol=report.symbol,
        exchange=report.exchange,
        direction=report.direction,
        type=report.type,
        volume=float(volume),
        price=float(report.price),
        stop_price=float(report.stop_price),
        reference=reference,
    )


def _claim(report: OrderReport) -> S:
    if report.state is not S.FILLED:
        return report.state
    return S.CANCELED if 0 < report.volume <= report.traded else S.ACCEPTED


def _state_after(record: OrderRecord, claim: S, traded: Decimal) -> S:
    if record.state in TERMINAL:
        return record.state
    if is_complete(record, traded):
        return S.FILLED
    if claim in (S.CANCELED, S.EXPIRED):
        return claim
    if claim is S.REJECTED:
        return S.CANCELED if traded else S.REJECTED
    if S.PENDING_CANCEL in (claim, record.state):
        return S.PENDING_CANCEL
    return S.PARTIALLY_FILLED if traded else S.ACCEPTED


def _reason(report: OrderReport, state: S) -> str:
    if state is not S.CANCELED or report.state is S.CANCELED:
        return report.reason
    if report.state is S.FILLED:
        return f"the venue had it at a volume of {report.volume} and traded that"
    return f"the rest was rejected: {report.reason}"
