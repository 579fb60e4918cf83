"""The fills of one account, of which TWS told in a session: each once, as last corrected. Pure.

Source: TWS API documents, "Executions and Commissions".
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from foxtrot.adapter.ib import order_mapping
from foxtrot.adapter.ib.order_mapping import Name
from foxtrot.adapter.ib.sdk import RawCommissionReport, RawExecution
from foxtrot.execution.reports import FillReport

MOST = 100_000
"""Fills that are kept, the newest."""


Revisions = dict[str, tuple[int, FillReport]]
"""The newest revision of every fill of an account, by its trade id; outlives the sessions."""


class Taken(msgspec.Struct, frozen=True):
    """A fill as it is known now; `before` is what it was, if this message corrected it."""

    fill: FillReport
    before: FillReport | None = None


@dataclass(slots=True)
class _Entry:
    fill: FillReport
    pushed: bool = False


class FillLog:
    """Fills by their trade id. A commission is told apart from its fill, before or after it.

    Args:
        newest: What is known of corrections; one that came while nobody listened is found by it.
    """

    def __init__(self, newest: Revisions) -> None:
        self._newest = newest
        self._entries: dict[str, _Entry] = {}
        self._fees: dict[str, tuple[Decimal, str]] = {}

    def take(self, name: Name, execution: RawExecution) -> Taken:
        """Take a fill. One that comes again, or in an older revision, is what it was.

        Raises:
            ValueError: Its numbers or words cannot be believed.
        """
        fill = order_mapping.fill_report(name, execution)
        revision = order_mapping.trade_id(execution.execId)[1]
        known_revision, known = self._newest.get(fill.trade_id, (-1, fill))
        if revision > known_revision:
            self._newest[fill.trade_id] = revision, fill
            _bound(self._newest)
        else:
            fill = known
        entry = self._entries.setdefault(fill.trade_id, _Entry(fill))
        entry.fill = fill
        _bound(self._entries)
        same = (known.price, known.volume) == (fill.price, fill.volume)
        return Taken(fill, before=None if same else known)

    def push(self, trade_id: str) -> bool:
        """A fill was pushed; whether that is the first time. A list may have shown it before."""
        entry = self._entries[trade_id]
        first, entry.pushed = not entry.pushed, True
        return first

    def charge(self, report: RawCommissionReport) -> None:
        """Take what a fill cost.

        Raises:
            ValueError: The number cannot be believed.
        """
        stem, _ = order_mapping.trade_id(report.execId)
        self._fees[stem] = (order_mapping.fee_of(report.commission), report.currency)
        _bound(self._fees)

    def charged(self, fill: FillReport) -> FillReport:
        """The fill with its fee, if that is known."""
        fee = self._fees.get(fill.trade_id)
        return replace(fill, fee=fee[0], fee_currency=fee[1]) if fee else fill

    def since(self, symbols: Collection[str], since_ns: int) -> tuple[FillReport, ...]:
        """The fills in these symbols since a moment."""
        fills = (entry.fill for entry in self._entries.values())
        return tuple(
            self.charged(fill)
            for fill in fills
            if fill.symbol in symbols and fill.ts_ns >= since_ns
        )

    def of_order(self, orderid: str, venue_id: str) -> tuple[FillReport, ...]:
        """The fills of one order, by either of its names."""
        fills = (entry.fill for entry in self._entries.values())
        return tuple(
            fill
            for fill in fills
            if (orderid and fill.orderid == orderid) or (venue_id and fill.venue_id == venue_id)
        )


def _bound(book: dict[str, _Entry] | dict[str, tuple[Decimal, str]] | Revisions) -> None:
    if len(book) > MOST:
        del book[next(iter(book))]
