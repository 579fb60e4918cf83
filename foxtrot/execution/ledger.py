"""The books behind the tracker: orders by every name they have, fills counted once. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from foxtrot.execution.reports import TERMINAL, ZERO, FillReport, OrderRecord, OrderReport

VenueKey = tuple[str, str]
"""(symbol, venue_id): a venue may count its orders for each symbol."""

TradeKey = tuple[str, str]
"""(symbol, trade_id)."""

News = OrderReport | FillReport


@dataclass(slots=True)
class Entry:
    """One order; `filled` is the sum of its known fills, `heard_ns` the venue's newest time."""

    record: OrderRecord
    version: int = 0
    filled: Decimal = ZERO
    keys: list[TradeKey] = field(default_factory=list)
    heard_ns: int = 0
    alarmed: set[str] = field(default_factory=set)


class Ledger:
    """Orders and fills of one account.

    Args:
        keep_ended: How many ended orders are remembered, the newest.
        keep_fills: How many fills of forgotten orders are still recognised. A fill of an order that
            is remembered always is.
    """

    def __init__(self, keep_ended: int, keep_fills: int) -> None:
        self._keep_ended, self._keep_fills = keep_ended, keep_fills
        self.entries: dict[str, Entry] = {}
        self.by_venue: dict[VenueKey, Entry] = {}
        self.open: dict[str, Entry] = {}
        self.ended: dict[str, Entry] = {}
        self.short: dict[str, Entry] = {}
        self.version = 0
        self.outcomes = dict.fromkeys(sorted(each.value for each in TERMINAL), 0)
        """How many orders ended here in each of the last states."""
        self._counted: set[TradeKey] = set()
        self._told: dict[TradeKey, None] = {}

    def put(self, entry: Entry, record: OrderRecord) -> None:
        """Note what is known of an order now, under all of its names."""
        self.version += 1
        if entry.record.is_open and not record.is_open:
            self.outcomes[record.state.value] += 1
        entry.record, entry.version = record, self.version
        orderid = record.orderid
        self.entries[orderid] = entry
        if record.venue_id:
            self.by_venue[record.intent.request.symbol, record.venue_id] = entry
        self.short.pop(orderid, None)
        if record.traded > entry.filled:
            self.short[orderid] = entry
        if record.is_open:
            self.open[orderid] = entry
            return
        self.open.pop(orderid, None)
        self.ended[orderid] = entry
        if len(self.ended) > self._keep_ended:
            self._forget(next(iter(self.ended)))

    def count(self, entry: Entry, fill: FillReport) -> None:
        """Add a fill to the sum of its order."""
        key = (fill.symbol, fill.trade_id)
        self._counted.add(key)
        entry.keys.append(key)
        entry.filled += fill.volume

    def knows(self, key: TradeKey) -> bool:
        """Whether a fill was counted, or told in the past."""
        return key in self._counted or key in self._told

    def remember(self, keys: Iterable[TradeKey]) -> None:
        """These fills were told, and belong to no order that is remembered."""
        self._told.update(dict.fromkeys(keys))
        while len(self._told) > self._keep_fills:
            del self._told[next(iter(self._told))]

    def find(self, news: News) -> Entry | None:
        """The order that the venue speaks of: by its client order id, then by its venue id."""
        entry = self.entries.get(news.orderid)
        if entry is not None and self._is_the_same(entry.record, news):
            return entry
        return self.by_venue.get((news.symbol, news.venue_id))

    def may_be_ours(self, news: News) -> bool:
        """Whether an order of ours that the venue has not named yet could be this nameless one."""
        if news.orderid:
            return False
        side = (news.symbol, news.direction)
        records = (entry.record for entry in self.open.values())
        return any(not each.venue_id and _side(each) == side for each in records)

    def _is_the_same(self, record: OrderRecord, news: News) -> bool:
        """Whether an order is the one that the venue shows under its client order id."""
        if record.external or record.intent.request.symbol != news.symbol:
            return False
        if record.venue_id or not news.venue_id:
            return news.venue_id in ("", record.venue_id)
        # Refused, or never arrived: what lives under its name is another order.
        return record.is_open or not _lives(news)

    def _forget(self, orderid: str) -> None:
        entry = self.ended.pop(orderid)
        del self.entries[orderid]
        self.short.pop(orderid, None)
        self.by_venue.pop((entry.record.intent.request.symbol, entry.record.venue_id), None)
        self._counted.difference_update(entry.keys)
        self.remember(entry.keys)


def _side(record: OrderRecord) -> tuple[str, object]:
    return record.intent.request.symbol, record.intent.request.direction


def _lives(news: News) -> bool:
    """Whether the venue shows more than an order that came to nothing."""
    return isinstance(news, FillReport) or news.state not in TERMINAL or news.traded > 0
