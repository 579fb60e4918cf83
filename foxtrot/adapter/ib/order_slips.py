"""What TWS last showed of each order, under all the names an order has there. Pure.

TWS tells of an order in two kinds of messages: `openOrder` has its terms and names, `orderStatus`
how much of it traded. A slip is both, put together.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from msgspec.structs import replace

from foxtrot.adapter.ib import order_mapping
from foxtrot.adapter.ib.order_mapping import (
    CANCELLED,
    INACTIVE,
    STATUSES,
    UNCONFIRMED,
    Name,
    Terms,
)
from foxtrot.adapter.ib.sdk import RawOrder
from foxtrot.execution.reports import TERMINAL, ZERO, OrderRecord, OrderReport, OrderState
from foxtrot.gateway.trading import Accepted, Answer, Doubtful, NotSent

MOST = 50_000
"""Slips that are kept; what is open and dropped comes again with the next list."""

_TAKEN = frozenset({"PreSubmitted", "Submitted", "PendingCancel"})
ENDED = CANCELLED | {"Filled"}

OrderKey = tuple[int, int]
"""(client id, order id): an order id alone is several clients'."""


@dataclass(slots=True)
class Slip:
    """One order; `refusal` and `cancelled` are what an error said of it, in words.

    `con_id` is that of its contract, once TWS has shown it: the fills of a combination's legs bear
    its names, too.
    """

    key: OrderKey
    name: Name
    what: Terms
    orderid: str
    perm_id: int = 0
    con_id: int = 0
    status: str = ""
    traded: Decimal = ZERO
    refusal: str = ""
    cancelled: str = ""
    heard_ns: int = 0
    told: OrderReport | None = None

    @property
    def is_settled(self) -> bool:
        """Whether TWS has said that IB took the order, or what became of it."""
        return self.status not in UNCONFIRMED | {"", INACTIVE} or self.is_refused

    @property
    def is_refused(self) -> bool:
        """Whether the order is refused for certain: an error says so, and its status."""
        return bool(self.refusal) and self.status in CANCELLED | {INACTIVE}

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens to it."""
        return self.report().state in TERMINAL

    def report(self) -> OrderReport:
        """The order as it is now."""
        state = order_mapping.state_of(
            self.status or "PendingSubmit",
            self.traded,
            self.what.volume,
            refused=bool(self.refusal),
        )
        return order_mapping.report(
            self.name,
            self.what,
            venue_id=order_mapping.venue_id(self.perm_id),
            orderid=self.orderid,
            traded=self.traded,
            state=state,
            ts_ns=self.heard_ns,
            reason=self._reason(state),
        )

    def news(self) -> OrderReport | None:
        """The order as it is now, if that was not told yet."""
        report = self.report()
        if self.told is not None and replace(report, ts_ns=self.told.ts_ns) == self.told:
            return None
        self.told = report
        return report

    def _reason(self, state: OrderState) -> str:
        if state is OrderState.REJECTED:
            return self.refusal
        if state is OrderState.CANCELED:
            return self.cancelled
        return "inactive: TWS holds it back" if self.status == INACTIVE else ""


class Slips:
    """The slips of one session."""

    def __init__(self) -> None:
        self._slips: dict[OrderKey, Slip] = {}
        self._by_perm: dict[int, Slip] = {}
        self._by_orderid: dict[str, Slip] = {}

    def placed(self, key: OrderKey, name: Name, what: Terms, orderid: str) -> Slip:
        """An order is about to be sent under this key."""
        slip = Slip(key, name, what, orderid)
        self._put(slip)
        return slip

    def opened(self, order_id: int, order: RawOrder, name: Name, status: str, now_ns: int) -> Slip:
        """Take an `openOrder`. An end is believed of a status only, which says what traded.

        Raises:
            ValueError: Its numbers or words cannot be believed.
        """
        what = order_mapping.terms(order)
        slip = self._of(order.permId, (order.clientId, order_id))
        if slip is None:
            slip = Slip((order.clientId, order_id), name, what, order.orderRef)
        slip.what, slip.orderid = what, order.orderRef or slip.orderid
        slip.perm_id = order.permId or slip.perm_id
        if order_id:
            slip.key = (order.clientId, order_id)
        if status not in STATUSES:
            raise ValueError(f"TWS documents no status {status[:40]!r}")
        if status not in ENDED and slip.status not in ENDED:
            slip.status = status
        slip.heard_ns = now_ns
        self._put(slip)
        return slip

    def changed(
        self, key: OrderKey, perm_id: int, status: str, filled: float, now_ns: int
    ) -> Slip | None:
        """Take an `orderStatus`; None if it is of an order that was never shown.

        Raises:
            ValueError: Its numbers or words cannot be believed.
        """
        slip = self._of(perm_id, key)
        if slip is None:
            return None
        traded = order_mapping.quantity(filled)
        if status not in STATUSES:
            raise ValueError(f"TWS documents no status {status[:40]!r}")
        slip.perm_id = perm_id or slip.perm_id
        slip.traded = max(slip.traded, traded)
        if status in _TAKEN:
            slip.refusal = ""  # it was of a change by hand, or of a cancel
        if status in ENDED or slip.status not in ENDED:
            slip.status = status
        slip.heard_ns = now_ns
        self._put(slip)
        return slip

    def drop(self, slip: Slip) -> None:
        """Forget an order that TWS did not take: its id, if not free, is another one's."""
        if self._slips.get(slip.key) is slip:
            del self._slips[slip.key]
        if self._by_orderid.get(slip.orderid) is slip:
            del self._by_orderid[slip.orderid]

    def names(self) -> list[Name]:
        """The contracts of all that may still trade."""
        return [slip.name for slip in self._by_perm.values() if not slip.has_ended]

    def get(self, key: OrderKey) -> Slip | None:
        """The order of a client's order id."""
        return self._slips.get(key)

    def by_perm_id(self, perm_id: int) -> Slip | None:
        """The order of IB's own id."""
        return self._by_perm.get(perm_id) if perm_id else None

    def of_record(self, record: OrderRecord) -> Slip | None:
        """The order that a record is of, if TWS showed it."""
        if record.venue_id.isdecimal():
            return self._by_perm.get(int(record.venue_id))
        return self._by_orderid.get(record.orderid)

    def _of(self, perm_id: int, key: OrderKey) -> Slip | None:
        known = self.by_perm_id(perm_id)
        if known is not None:
            return known
        # TWS's own orders have no order id, or share one below zero.
        named = self._slips.get(key) if key[1] > 0 else None
        return None if named and perm_id and named.perm_id not in (0, perm_id) else named

    def _put(self, slip: Slip) -> None:
        if slip.key[1] > 0:
            self._slips[slip.key] = slip
        if slip.perm_id:
            self._by_perm[slip.perm_id] = slip
        if slip.orderid:
            self._by_orderid[slip.orderid] = slip
        for book in (self._slips, self._by_perm, self._by_orderid):
            if len(book) > MOST:
                _drop_oldest(book)


def _drop_oldest(book: dict[OrderKey, Slip] | dict[int, Slip] | dict[str, Slip]) -> None:
    del book[next(iter(book))]  # type: ignore[arg-type]


def unanswered(slip: Slip) -> Answer:
    """What is known of an order when the time for its answer is up."""
    if slip.status in UNCONFIRMED:
        return Accepted(slip.report())
    if slip.status == INACTIVE:
        return Doubtful("TWS shows it as inactive, and does not say why")
    return Doubtful("no answer to the order")


def uncancelled(slip: Slip | Answer | None) -> Answer:
    """What is known of a cancel when the time for its answer is up."""
    if not isinstance(slip, Slip):
        return NotSent("its turn did not come in time")
    if slip.cancelled:  # an error said so; the status that says it too got lost
        slip.status = "Cancelled"
        return Accepted(slip.report())
    return Doubtful("no answer to the cancel")
