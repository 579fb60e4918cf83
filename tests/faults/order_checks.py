"""What has to be true of orders once all faults are over: the invariants I1 to I7."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from foxtrot.execution.order_tracker import NOT_SENT
from foxtrot.execution.reports import TERMINAL, ZERO, FillReport, OrderRecord, OrderState
from foxtrot.model.constants import ConnectionState, Status
from tests.faults.order_life import Key, Life
from tests.support.model_trading import HAND, TradingVenue
from tests.support.order_venue import VenueOrder

_EXPLAINED = (
    "in doubt for more than",
    "does not show all of its fills",
    "not believed",
    "traded after it ended as",
    "shown as open",
    "venue shows it as open",
    "unknown to it now",
)
_SHOWN = {
    OrderState.ACCEPTED: Status.NOTTRADED,
    OrderState.PARTIALLY_FILLED: Status.PARTTRADED,
    OrderState.FILLED: Status.ALLTRADED,
    OrderState.CANCELED: Status.CANCELLED,
    OrderState.EXPIRED: Status.CANCELLED,
    OrderState.REJECTED: Status.REJECTED,
}


def explained(alarm: str) -> bool:
    """Whether the faults that are played explain an alarm."""
    return any(words in alarm for words in _EXPLAINED) or "nothing to cancel" in alarm


def wrong(venue: TradingVenue, life: Life) -> list[str]:
    """What is not as it has to be at rest."""
    if not life.ready or life.journal is None:
        state = life.desk.state.value if life.alive else "dead"
        return [f"trading is {state}, not {ConnectionState.READY.value}"]
    if venue.line is None or venue.line.is_silent:
        return ["the line is silent, and nobody has found out yet"]
    found = [*_orders(venue, life), *_fills(venue, life), *_names(venue, life), *_rest(venue, life)]
    return [life.plain(text) for text in found]


def _orders(venue: TradingVenue, life: Life) -> Iterator[str]:
    """I2, I4: each order is here as it is there, and what is not there was refused."""
    assert life.journal is not None
    records = {each.orderid: each for each in _records(life)}
    sums: Counter[str] = Counter()
    for fill in _journalled(life, records):
        sums[fill.orderid] += fill.volume  # type: ignore[assignment]
    there: set[str] = set()
    for order in venue.truth.book.orders:
        record = _record_of(order, records)
        if record is None:
            if not _was_never_seen(order):
                yield f"{order.orderid} of {order.symbol}, {order.state.value}, is lost"
            continue
        there.add(record.orderid)
        if (record.state, record.traded, record.volume) != (
            order.state,
            order.traded,
            order.volume,
        ):
            yield (
                f"{record.orderid} is {record.state.value} with {record.traded}, and"
                f" {order.state.value} with {order.traded} of {order.volume} at the venue"
            )
        if sums.get(record.orderid, ZERO) != order.traded:
            yield f"{record.orderid}: its fills make {sums[record.orderid]}, not {order.traded}"
        yield from _told(life, record)
    for orderid, record in records.items():
        never_left = record.state is OrderState.REJECTED or record.reason.startswith(NOT_SENT)
        if orderid not in there and (not never_left or record.traded):
            yield f"{orderid} is {record.state.value}, and unknown to the venue"


def _told(life: Life, record: OrderRecord) -> Iterator[str]:
    """What was told last of an order is how it ended, or how it stands."""
    told = life.orders.get(record.orderid)
    if told is None:
        if record.is_open:
            yield f"{record.orderid} is open and was never told"
    elif (told.status, told.traded) != (_SHOWN.get(record.state), float(record.traded)):
        yield f"{record.orderid} is {record.state.value} and was told as {told.status.value}"


def _fills(venue: TradingVenue, life: Life) -> Iterator[str]:
    """I1, I5: each fill is written down once, and told once to those who were to be told."""
    there = {(each.symbol, each.trade_id) for each in venue.truth.book.trades}
    assert life.journal is not None
    here = life.journal.trade_keys()
    for key in sorted(there ^ here):
        yield f"fill {key} is known {'there' if key in there else 'here'} only"
    due: set[Key] = (there - life.before) | life.retold
    told = set(life.trades) - (life.may_retell - due)
    for key in sorted(due ^ told):
        yield f"fill {key} was {'not told' if key in due else 'told again after a restart'}"
    held = {each.symbol: each.volume for each in venue.balances().positions}
    if any(life.positions.get(symbol) != volume for symbol, volume in held.items()):
        yield f"positions are told as {life.positions}, and are {held}"


def _names(venue: TradingVenue, life: Life) -> Iterator[str]:
    """I7: no client order id came twice, and each that came is ours."""
    records = {each.orderid for each in _records(life)}
    for orderid, times in venue.truth.received.items():
        if times > 1:
            yield f"{orderid} was received {times} times"
        if orderid not in records:
            yield f"{orderid} was received by the venue and is not in the journal"


def _rest(venue: TradingVenue, life: Life) -> Iterator[str]:
    """Nothing is under way, in doubt, or to be done yet."""
    health = life.desk.health()
    if health.in_doubt or health.cancels_pending or health.journal or health.halted:
        yield f"{health}"
    ours = [each for each in life.desk._tracker.open_records() if not each.external]
    if life.guard.open_orders != len(ours):
        yield f"the guard counts {life.guard.open_orders} open orders, {len(ours)} there are"
    for record in ours:
        if record.orderid in life.doomed:
            yield f"{record.orderid} is open, though all were to be cancelled"
    if {each.orderid for each in life.desk._tracker.open_records()} != {
        each.orderid for each in _records(life) if each.is_open
    }:
        yield "the journal has other open orders than the tracker"


def _records(life: Life) -> list[OrderRecord]:
    """All that the journal knows."""
    assert life.journal is not None
    return life.journal.open_records() + life.journal.ended_since(0)


def _journalled(life: Life, records: dict[str, OrderRecord]) -> list[FillReport]:
    assert life.journal is not None
    return life.journal.fills_of(records)


def _record_of(order: VenueOrder, records: dict[str, OrderRecord]) -> OrderRecord | None:
    if not order.orderid.startswith(HAND):
        return records.get(order.orderid)
    for record in records.values():
        name = record.intent.request.symbol, record.venue_id
        if record.external and name == (order.symbol, order.venue_id):
            return record
    return None


def _was_never_seen(order: VenueOrder) -> bool:
    """Whether an order by hand came and went while nobody looked, and did nothing."""
    return order.orderid.startswith(HAND) and order.state in TERMINAL and not order.traded
