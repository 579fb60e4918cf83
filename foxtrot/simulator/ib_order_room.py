"""The orders of the simulated TWS: what its clients may do with them, and what they are told.

Orders, fills and ids outlive connections, and stops of the venue. An order is known by its permId
to everybody, and by client id and order id to who placed it; reports go to him alone.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from typing import Protocol

import msgspec

from foxtrot.errors import OrderRejected
from foxtrot.simulator import ib_order_payloads as wire
from foxtrot.simulator import ib_requests as asked
from foxtrot.simulator.accounts import Side
from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.ib_account_room import AccountRoom
from foxtrot.simulator.ib_accounts import IbAccount
from foxtrot.simulator.ib_connection import Connection
from foxtrot.simulator.ib_contracts import Row, Universe
from foxtrot.simulator.ib_dispatch import Handlers, Room
from foxtrot.simulator.ib_limits import INVALID, text_of
from foxtrot.simulator.ib_order_reports import Reports
from foxtrot.simulator.ib_orders import Execution, IbOrder
from foxtrot.simulator.ib_tickets import (
    Wanted,
    answer_of,
    cancellable,
    read_order,
    refusal,
    ticket_of,
)
from foxtrot.simulator.market import Market, Step
from foxtrot.simulator.matching import Matching, Report, What

TWS = 0
"""The client id of TWS's own window."""

_KEPT = 100_000
_DUPLICATE, _FILLED, _OTHER_ORDER, _CANCELED, _MESSAGE = 103, 104, 105, 202, 399
_READ_ONLY = "The API interface is currently in Read-Only mode."


class Refusal(msgspec.Struct, frozen=True):
    """What the next new order gets; if `inactive`, it is kept with that status."""

    code: int
    text: str
    inactive: bool


class Venue(Protocol):
    """What the order room needs of the gateway."""

    market: Market
    universe: Universe
    faults: FaultBoard

    @property
    def connections(self) -> tuple[Connection, ...]:
        """The connections that stand."""

    def now_ms(self) -> int:
        """The venue's clock."""

    def wake(self, symbol: str) -> None:
        """Bring a sleeping symbol to life."""


class OrderRoom(Room):
    """Takes orders, matches them and tells of them.

    Args:
        venue: Where.
        accounts: Whose orders these are.
        seed: Same seed, same market, same fills.
    """

    def __init__(self, venue: Venue, accounts: AccountRoom, *, seed: int = 0) -> None:
        self._venue, self._accounts, self._seed = venue, accounts, seed
        self._reports = Reports(venue)
        self._next: dict[int, int] = {}
        self._perm_id = self._first = time.time_ns() // 1_000_000 % 2_000_000_000
        self._exec_id = 0
        self.read_only = self.fractions = False
        self.refusals: deque[Refusal] = deque()
        self.reset()

    def reset(self) -> None:
        """Forget every order, fill and position. Ids go on: nothing bears an old one."""
        self._accounts.reset()
        self.matching = Matching(self._venue.market, seed=self._seed)
        self.matching.on_report = self._on_report
        self.orders: dict[int, IbOrder] = {}
        self.executions: deque[Execution] = deque(maxlen=_KEPT)
        self.received: Counter[str] = Counter()
        self.cancels: deque[str] = deque(maxlen=_KEPT)
        self._named: dict[tuple[int, int], IbOrder] = {}
        self.ended: deque[IbOrder] = deque(maxlen=_KEPT)
        """Of today; so is what was traded."""
        self.traded: deque[Execution] = deque(maxlen=_KEPT)

    def handlers(self) -> Handlers:
        """The requests about orders."""
        return {
            asked.PlaceOrder: self._place,
            asked.CancelOrder: self._cancel,
            asked.ReqGlobalCancel: self._cancel_all,
            asked.ReqIds: self._ask_ids,
        }

    def left(self, connection: Connection) -> None:
        """A client is gone."""
        self._reports.left(connection)

    def step(self, step: Step) -> None:
        """The market moved: orders feel it."""
        self.matching.step(step, self._venue.now_ms())

    def next_order_id(self, client_id: int) -> int:
        """The least order id that this client may use for a new order."""
        return self._next.get(client_id, 1)

    # -- what clients ask -------------------------------------------------------------------

    def _place(self, connection: Connection, request: asked.PlaceOrder) -> None:
        try:
            self._place_or_amend(connection, request)
        except OrderRejected as error:
            connection.error(request.order_id, *answer_of(error))

    def _place_or_amend(self, connection: Connection, request: asked.PlaceOrder) -> None:
        client_id, order_id = connection.client_id, request.order_id
        self._check_writable()
        known = self._named.get((client_id, order_id))
        if known is not None and known.open:
            self._amend(known, self._wanted(request))
            return
        if known is not None and known.status == "Filled":
            raise refusal(_FILLED, "Cannot modify a filled order.")
        if order_id < self.next_order_id(client_id):
            raise refusal(_DUPLICATE, "Duplicate order id")
        self._next[client_id] = order_id + 1
        self.received[request.order_ref] += not request.what_if
        wanted = self._wanted(request)
        order = self._made(wanted, client_id, order_id, request.order_ref)
        if request.what_if:
            self._reckon(connection, order)
            return
        self._refuse_if_told(order)
        self.enter(order)
        self._remark(order)

    def _cancel(self, connection: Connection, request: asked.CancelOrder) -> None:
        order_id = request.order_id
        order = self._named.get((connection.client_id, order_id))
        self.cancels.append(str(order_id) if order is None else order.ref or str(order.perm_id))
        try:
            self._check_writable()
            if order is not None:
                self._race(order)
            self.cancel(cancellable(order_id, order))
        except OrderRejected as error:
            connection.error(order_id, *answer_of(error))

    def _cancel_all(self, connection: Connection, request: asked.ReqGlobalCancel) -> None:
        for order in self.open_orders():
            self.cancel(order)

    def _ask_ids(self, connection: Connection, request: asked.ReqIds) -> None:
        connection.deliver(wire.next_valid_id(self.next_order_id(connection.client_id)))

    # -- what the desk's hands do too -------------------------------------------------------

    def enter(self, order: IbOrder) -> None:
        """Take an order into the books, and trade at once what can be traded.

        Raises:
            OrderRejected: The account cannot carry it; nothing has happened then.
        """
        self._venue.wake(order.name)
        self._keep(order)
        try:
            ticket = ticket_of(order, self._venue.market.quote(order.name))
            self.matching.place(self._account(order), ticket, self._venue.now_ms())
        except OrderRejected:
            self._drop(order)
            raise

    def enter_by_hand(self, wanted: Wanted, client_id: int, ref: str) -> IbOrder:
        """Place an order for TWS's own user, or for another client.

        Raises:
            OrderRejected: The account cannot carry it.
        """
        order_id = 0 if client_id == TWS else self.next_order_id(client_id)
        if order_id:
            self._next[client_id] = order_id + 1
        order = self._made(wanted, client_id, order_id, ref)
        self.enter(order)
        return order

    def cancel(self, order: IbOrder) -> None:
        """Cancel an open order.

        Raises:
            OrderRejected: It has ended.
        """
        assert order.booked is not None
        self.matching.cancel(order.booked, self._venue.now_ms())

    def open_orders(self) -> list[IbOrder]:
        """The orders that may still trade, oldest first."""
        return [order for order in self.orders.values() if order.open]

    def bind(self) -> None:
        """Give the orders of TWS's own window to client 0, under ids below zero."""
        for order in self.open_orders():
            if order.client_id == TWS and not order.order_id:
                order.order_id = min(0, *[number for _, number in self._named], 0) - 1
                self._named[TWS, order.order_id] = order

    def end_day(self) -> None:
        """Midnight: orders for the day end, and nothing of the day is listed any more."""
        for order in self.open_orders():
            if order.terms.tif == "DAY" and order.booked is not None:
                self.matching.expire(order.booked, self._venue.now_ms())
        self.ended.clear()
        self.traded.clear()

    def correct(self, execution: Execution, price_e8: int) -> Execution:
        """Another revision of a fill, at another price; who placed the order is told."""
        order, account = execution.order, self._account(execution.order)
        signed = execution.quantity_e8 * (1 if order.side is Side.BUY else -1)
        change = price_e8 - execution.price_e8
        account.correct(order.name, signed, change)
        if order.booked is not None:
            order.booked.turnover_e8 += change * execution.quantity_e8 // 10**8
        revision = int(execution.exec_id.rpartition(".")[2]) + 1
        corrected = msgspec.structs.replace(
            execution,
            exec_id=f"{execution.stem}.{revision:02d}",
            price_e8=price_e8,
            average_e8=order.average_e8,
        )
        self._count(corrected)
        self._reports.executed(corrected)
        self._reports.cost(corrected)
        self._accounts.changed(account, order.name)
        return corrected

    # -- inside -----------------------------------------------------------------------------

    def _wanted(self, request: asked.PlaceOrder) -> Wanted:
        names = tuple(self._accounts.accounts)
        return read_order(self._venue.universe, names, request, fractions=self.fractions)

    def _made(self, wanted: Wanted, client_id: int, order_id: int, ref: str) -> IbOrder:
        self._perm_id += 1
        return IbOrder(
            perm_id=self._perm_id,
            client_id=client_id,
            order_id=order_id,
            account=wanted.account,
            row=wanted.row,
            side=wanted.side,
            ref=ref,
            terms=wanted.terms,
        )

    def _amend(self, order: IbOrder, wanted: Wanted) -> None:
        same = (order.row.contract, order.side, order.account)
        if same != (wanted.row.contract, wanted.side, wanted.account):
            text = "Order being modified does not match original order"
            raise refusal(_OTHER_ORDER, text)
        assert order.booked is not None
        before, order.terms = order.terms, wanted.terms
        ticket = ticket_of(order, self._venue.market.quote(order.name))
        try:
            self.matching.amend(order.booked, ticket, self._venue.now_ms())
        except OrderRejected:
            order.terms = before
            raise

    def _reckon(self, connection: Connection, order: IbOrder) -> None:
        """Answer what an order would cost, and forget it."""
        price = order.terms.limit_e8 or self._account(order).price_e8(order.name)
        figures = self._account(order).reckon(order.name, order.terms.quantity_e8, price)
        version = connection.version
        message = wire.open_order(order, version, status="PreSubmitted", what_if=figures)
        connection.deliver(message)

    def _refuse_if_told(self, order: IbOrder) -> None:
        if not self.refusals:
            return
        told = self.refusals.popleft()
        if told.inactive:
            self._keep(order)
            self._finish(order)
            self._reports.state(order)
        raise refusal(told.code, told.text)

    def _remark(self, order: IbOrder) -> None:
        """Say something of an order, if a fault wants it; the order lives on."""
        notice = self._venue.faults.take("order_notice", symbol=order.name, request="place")
        if notice is not None:
            text = notice.body or "Order Message:\nWarning: your order is being watched"
            self._reports.error(order, notice.code or _MESSAGE, text)

    def _race(self, order: IbOrder) -> None:
        booked = order.booked
        resting = booked is not None and booked.resting
        if resting and self._venue.faults.take("cancel_race", symbol=order.name):
            assert booked is not None
            self.matching.fill(booked, self._venue.now_ms())

    def _check_writable(self) -> None:
        if self.read_only:
            raise refusal(INVALID, text_of(INVALID, _READ_ONLY))

    def _keep(self, order: IbOrder) -> None:
        self.orders[order.perm_id] = order
        if order.order_id:
            self._named[order.client_id, order.order_id] = order
        if len(self.orders) > _KEPT:
            self._drop(next(each for each in self.orders.values() if not each.open))

    def _drop(self, order: IbOrder) -> None:
        del self.orders[order.perm_id]
        self._named.pop((order.client_id, order.order_id), None)

    def _finish(self, order: IbOrder) -> None:
        order.ended_ms = self._venue.now_ms()
        self.ended.append(order)

    def _account(self, order: IbOrder) -> IbAccount:
        return self._accounts.accounts[order.account]

    def _on_report(self, report: Report) -> None:
        """The matching has changed an order."""
        order = self.orders[int(report.order.client_id)]
        order.booked = report.order
        if report.what is What.TRADED:
            self._executed(order, report)
        elif report.what is What.ACCEPTED:
            self._reports.accepted(order)
        elif order.open:
            self._reports.state(order)
        else:
            self._finish(order)
            self._reports.canceled(order, _CANCELED, "Order Canceled - reason:")

    def _executed(self, order: IbOrder, report: Report) -> None:
        fill, account = report.fill, self._account(order)
        assert fill is not None
        self._exec_id += 1
        execution = Execution(
            exec_id=f"{self._first:08x}.{self._exec_id:08x}.01.01",
            order=order,
            exchange=_floor(order.row),
            price_e8=fill.price_e8,
            quantity_e8=fill.quantity_e8,
            total_e8=order.filled_e8,
            average_e8=order.average_e8,
            time_ms=fill.time_ms,
            maker=fill.maker,
            commission_e8=account.booking.commission_e8,
            realized_e8=account.booking.realized_e8,
        )
        order.executions.append(execution)
        self._count(execution)
        if not order.open:
            self._finish(order)
        self._reports.executed(execution)
        self._reports.state(order)
        self._reports.cost(execution)
        self._accounts.changed(account, order.name)

    def _count(self, execution: Execution) -> None:
        self.executions.append(execution)
        self.traded.append(execution)


def _floor(row: Row) -> str:
    """Where an order was executed: SMART is no place."""
    home = row.contract.primary_exchange or row.contract.exchange
    return home if row.exchange == "SMART" else row.exchange
