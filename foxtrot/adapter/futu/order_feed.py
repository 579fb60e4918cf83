"""What OpenD tells of orders and deals, pushed or listed: taken, put together, passed on once.

Paper trading has no deals: there, a fill is what an order traded more than was known, and it is
told before the order, so that what the journal knows to have traded is always the sum of fills.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import TypeVar

import msgspec

from foxtrot.adapter.futu import order_mapping
from foxtrot.adapter.futu.account import TradedAccount
from foxtrot.adapter.futu.order_mapping import (
    FILL_CHANGED,
    FILL_TAKEN_BACK,
    FILLS_TAKEN_BACK,
    Name,
    WireFill,
    WireOrder,
)
from foxtrot.core.logs import get_logger
from foxtrot.errors import VenueUnavailable
from foxtrot.execution.reports import (
    EXTERNAL_PREFIX,
    TERMINAL,
    ZERO,
    FillReport,
    OrderRecord,
    OrderReport,
    exact,
)
from foxtrot.execution.transitions import UNANSWERED
from foxtrot.gateway.trading import TradingListener

log = get_logger("foxtrot.futu.orders")

T = TypeVar("T")
Row = TypeVar("Row", WireOrder, WireFill)

Paid = dict[str, tuple[Decimal, Decimal]]
"""How much of an order was told to have traded, and for how much money, by Futu's name of it."""

MOST = 50_000
"""Orders whose names are kept; what is dropped comes again with the next list."""

NEVER_NS = 1 << 63

UNBELIEVABLE = -1_000
"""In the place of an order's status: what it says cannot be."""


class OrderFeed:
    """Belongs to the loop thread.

    Args:
        adapter_name: Whose.
        account: The one that is traded; what is told of others is passed over.
        name_of: How a contract is spelled here, by QotMarket and code.
        record: What is known here of an order, by its orderid.
        listener: Who is told what happens to the account.
        say: A line for the people who watch.
        time_ns: The wall clock.
        paid: What was told in paper trading, of sessions before as well.

    Attributes:
        unproven: Why OpenD cannot say what became of an order, by its remark.
        changed: Set when something happened that changes what the account holds.
    """

    def __init__(
        self,
        adapter_name: str,
        account: TradedAccount,
        *,
        name_of: Callable[[int, str], Name],
        record: Callable[[str], OrderRecord | None],
        listener: TradingListener,
        say: Callable[[str], None],
        time_ns: Callable[[], int],
        paid: Paid | None = None,
    ) -> None:
        self._adapter_name, self._account = adapter_name, account
        self._name_of, self._record, self._listener = name_of, record, listener
        self._say, self._time_ns = say, time_ns
        self._remarks: dict[str, str] = {}
        self._told: Paid = paid if paid is not None else {}
        self._alarmed: dict[tuple[str, int], None] = {}
        self._waiting: dict[str, list[asyncio.Future[OrderReport]]] = {}
        self.unproven: dict[str, str] = {}
        self.changed = asyncio.Event()

    # -- what is pushed ---------------------------------------------------------------------

    def on_order(self, acc_id: int, order: WireOrder) -> None:
        """An order, pushed.

        Raises:
            ValueError: It cannot be believed.
        """
        if acc_id != self._account.acc_id:
            return
        report = self.order(order, since_ns=0)
        self.changed.set()
        if report is not None:
            self._listener.on_report(report)

    def on_fill(self, acc_id: int, fill: WireFill) -> None:
        """A deal, pushed.

        Raises:
            ValueError: It cannot be believed.
        """
        if acc_id != self._account.acc_id:
            return
        report = self.fill(fill)
        self.changed.set()
        if report is not None:
            self._listener.on_fill(report)

    # -- what is pushed or listed -----------------------------------------------------------

    def order(self, order: WireOrder, *, since_ns: int = NEVER_NS) -> OrderReport | None:
        """Take an order; None if neither OpenD nor we know what became of it, or its market.

        Args:
            order: As OpenD shows it.
            since_ns: Of an order that nobody knows and that ended before, no fill is made.

        Raises:
            ValueError: It cannot be believed.
        """
        if order_mapping.is_elsewhere(order):
            return None
        venue_id = order_mapping.venue_id(order)
        record = self._known(order.remark, venue_id)
        name = self._name(order, record)
        before = record.state if record is not None and record.state not in UNANSWERED else None
        report = order_mapping.order_report(order, name, before)
        _keep(self._remarks, venue_id, order.remark)
        self._note(order, venue_id)
        if report is None:
            return None
        ended = report.state in TERMINAL
        if not self._account.real and (record or not ended or report.ts_ns >= since_ns):
            report = self._make_fill(report, order.fillAvgPrice, record)
        if ended:
            self._settle(report)
        return report

    def fill(self, fill: WireFill) -> FillReport | None:
        """Take a deal; None if Futu took it back, or its market is not known here.

        Raises:
            ValueError: It cannot be believed.
        """
        if order_mapping.is_elsewhere(fill):
            return None
        venue_id = order_mapping.venue_id(fill)
        orderid = self._remarks.get(venue_id, "")
        name = self._name(fill, self._known(orderid, venue_id))
        report = order_mapping.fill_report(fill, name, orderid)
        if not report.ts_ns:  # it has just been heard of, and is not of 1970
            report = msgspec.structs.replace(report, ts_ns=self._time_ns())
        if fill.status in (FILL_TAKEN_BACK, FILL_CHANGED):
            words = "took back" if fill.status == FILL_TAKEN_BACK else "changed"
            self._alarm(
                report.trade_id,
                fill.status,
                f"Futu {words} deal {report.trade_id} of order {orderid or venue_id}: "
                f"{report.volume:f} at {report.price:f}; look at the position",
            )
        return None if fill.status == FILL_TAKEN_BACK else report

    # -- what is listed ---------------------------------------------------------------------

    def orders(
        self, rows: Iterable[WireOrder], since_ns: Callable[[WireOrder], int] = lambda row: NEVER_NS
    ) -> list[OrderReport]:
        """A list of orders, as `order` takes each.

        Raises:
            VenueUnavailable: One of ours cannot be believed, so nobody knows what the list says.
        """
        taken = (self._listed(row, lambda r: self.order(r, since_ns=since_ns(r))) for row in rows)
        return [report for report in taken if report is not None]

    def deals(self, rows: Iterable[WireFill]) -> list[FillReport]:
        """A list of deals, as `fill` takes each; raises as `orders` does."""
        taken = (self._listed(row, self.fill) for row in rows)
        return [report for report in taken if report is not None]

    def _listed(self, row: Row, take: Callable[[Row], T | None]) -> T | None:
        """Somebody else's order that cannot be believed is said, and costs nobody the list."""
        try:
            return take(row)
        except ValueError as error:
            venue_id = order_mapping.venue_id(row)
            remark = getattr(row, "remark", "") or self._remarks.get(venue_id, "")
            record = self._known(remark, venue_id)
            text = f"order {remark or venue_id} of {row.code} cannot be believed: {error}"
            if record is not None and not record.external:
                raise VenueUnavailable(self._adapter_name, "", text) from None
            self._alarm(venue_id, UNBELIEVABLE, f"{text}; look at it in Futu's app")
            return None

    # -- who waits --------------------------------------------------------------------------

    @contextlib.contextmanager
    def end_of(self, venue_id: str) -> Iterator[asyncio.Future[OrderReport]]:
        """Wait for the end of an order, beside others who may do so."""
        end: asyncio.Future[OrderReport] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(venue_id, []).append(end)
        try:
            yield end
        finally:
            self._waiting[venue_id].remove(end)
            if not self._waiting[venue_id]:
                del self._waiting[venue_id]

    # -- inside -----------------------------------------------------------------------------

    def _known(self, orderid: str, venue_id: str) -> OrderRecord | None:
        ours = self._record(orderid) if orderid else None
        return ours or self._record(EXTERNAL_PREFIX + venue_id)

    def _name(self, row: WireOrder | WireFill, record: OrderRecord | None) -> Name:
        """How its contract is spelled: as it was when the order was sent."""
        security = order_mapping.security_of(row)
        request = record.intent.request if record is not None else None
        if request is not None and request.symbol == security.code:
            return request.symbol, request.exchange
        return self._name_of(*security)

    def _note(self, order: WireOrder, venue_id: str) -> None:
        """Keep, and say once, what people should know of a status."""
        who, status = order.remark or f"order {venue_id}", order.orderStatus
        problem = order_mapping.no_proof(status)
        if not problem:
            self.unproven.pop(order.remark, None)
        else:
            if order.remark:
                _keep(self.unproven, order.remark, problem)
            self._alarm(venue_id, status, f"{who}: {problem}; look at it in Futu's app")
        if status == FILLS_TAKEN_BACK:
            self._alarm(venue_id, status, f"{who}: Futu took its fills back; look at the position")

    def _alarm(self, what: str, status: int, text: str) -> None:
        if (what, status) in self._alarmed:
            return
        self._alarmed[what, status] = None
        if len(self._alarmed) > MOST:
            del self._alarmed[next(iter(self._alarmed))]
        log.error("order_alarm", venue=self._adapter_name, status=status, reason=text)
        self._say(f"{self._adapter_name}: {text}")

    def _make_fill(
        self, report: OrderReport, average: float, record: OrderRecord | None
    ) -> OrderReport:
        """Tell what an order of paper trading traded more than was told; returns what it is then.

        Without a price there is no fill yet, so nothing more has traded.
        """
        known = self._told.get(report.venue_id)
        done = known[0] if known else (record.traded if record is not None else ZERO)
        mean = average or float(report.price)
        if report.traded <= done:
            if known is None and report.traded == done and mean:  # told by an earlier run
                self._remember(report, mean)
            return report
        if not mean:
            log.error("fill_without_price", venue=self._adapter_name, orderid=report.orderid)
            return msgspec.structs.replace(report, traded=done)
        worth = known[1] if known else None
        fill = order_mapping.fill_between(report, mean, done, worth)
        self._remember(report, mean)
        self._listener.on_fill(fill)
        return report

    def _remember(self, report: OrderReport, mean: float) -> None:
        _keep(self._told, report.venue_id, (report.traded, exact(mean) * report.traded))

    def _settle(self, report: OrderReport) -> None:
        for waiter in self._waiting.get(report.venue_id, ()):
            if not waiter.done():
                waiter.set_result(report)


def _keep(book: dict[str, T], key: str, value: T) -> None:
    book[key] = value
    if len(book) > MOST:
        del book[next(iter(book))]
