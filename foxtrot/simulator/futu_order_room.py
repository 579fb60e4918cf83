"""The orders of the simulated Futu: what clients may do with them, and what becomes of them.

Orders, deals and ids outlive connections, and stops of the venue. A client names an order by the
id that Futu gave it; the remark is his own, and comes back wherever the order is told.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Mapping
from typing import Protocol

import msgspec

from foxtrot.errors import OrderRejected
from foxtrot.simulator import futu_order_payloads as payloads
from foxtrot.simulator.accounts import Side
from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.futu_account_room import AccountRoom
from foxtrot.simulator.futu_accounts import FutuAccount
from foxtrot.simulator.futu_connection import Connection
from foxtrot.simulator.futu_contracts import FutuContract, Universe
from foxtrot.simulator.futu_dispatch import Handler, Room
from foxtrot.simulator.futu_limits import Refused, Windows
from foxtrot.simulator.futu_orders import (
    CANCELLING_ALL,
    CANCELLING_PART,
    SUBMITTING,
    Deal,
    FutuOrder,
    Terms,
    number_of,
)
from foxtrot.simulator.futu_schema import Message, Proto
from foxtrot.simulator.futu_tickets import (
    DAY,
    ENDED,
    LOCKED,
    NOT_IN_SIMULATION,
    UNKNOWN_ORDER,
    amended,
    contract_of,
    refusal,
    remark_of,
    side_of,
    terms_of,
    ticket_of,
)
from foxtrot.simulator.market import Market, Step
from foxtrot.simulator.matching import Matching, Report, What

_KEPT = 100_000
_CHANGE, _CANCEL = 1, 2


class Refusal(msgspec.Struct, frozen=True):
    """What the next new order gets: an answer that says no, or a failure after its acceptance."""

    text: str
    later: bool
    status: int


class Venue(Protocol):
    """What the order room needs of OpenD."""

    faults: FaultBoard
    windows: Windows
    market: Market
    universe: Universe

    def violated(self, connection: Connection, problem: str) -> None:
        """A client broke a rule that no client should ever break."""

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
        self.reports = accounts.reports
        self._order_id = self._deal_id = time.time_ns() // 1_000
        self.refusals: deque[Refusal] = deque()
        self.reset()

    def reset(self) -> None:
        """Forget every order, deal and position. Ids go on: nothing bears an old one."""
        self._accounts.reset()
        self.matching = Matching(self._venue.market, seed=self._seed)
        self.matching.on_report = self._on_report
        self.orders: dict[int, FutuOrder] = {}
        self.deals: deque[Deal] = deque(maxlen=_KEPT)
        self.received: Counter[str] = Counter()
        self.cancels: deque[str] = deque(maxlen=_KEPT)
        self.past: frozenset[int] = frozenset()
        """The orders that had ended before today."""
        self.first_deal_today = 0
        self._packets: dict[tuple[int, int], None] = {}

    def handlers(self) -> Mapping[Proto, Handler]:
        """See `Room`."""
        return {Proto.Trd_PlaceOrder: self._place, Proto.Trd_ModifyOrder: self._modify}

    def step(self, step: Step) -> None:
        """The market moved: orders feel it."""
        self.matching.step(step, self._venue.now_ms())

    # -- what clients ask -------------------------------------------------------------------

    def _place(self, connection: Connection, c2s: Message, s2c: Message) -> None:
        self.received[c2s.remark] += 1
        account = self._writable(connection, c2s)
        self._venue.windows.admit("place", account.spec.acc_id)
        contract, side = contract_of(self._venue.universe, account.spec, c2s), side_of(c2s)
        terms, remark = terms_of(account.spec, contract, side, c2s), remark_of(c2s)
        told = self.refusals.popleft() if self.refusals else None
        if told is not None and not told.later:
            raise Refused(told.text)
        order = self.made(account, contract, side, terms, remark)
        self.reports.asking(connection)
        try:
            if told is None:
                self.enter(order)
            else:
                self._fail(order, told)
        except OrderRejected as error:
            raise refusal(error) from None
        finally:
            self.reports.asking(None)
        payloads.header(s2c.header, account, c2s.header.trdMarket)
        s2c.orderID, s2c.orderIDEx = order.order_id, order.order_id_ex

    def _modify(self, connection: Connection, c2s: Message, s2c: Message) -> None:
        account = self._writable(connection, c2s)
        payloads.header(s2c.header, account, c2s.header.trdMarket)
        s2c.orderID, s2c.orderIDEx = c2s.orderID, c2s.orderIDEx
        order = None if c2s.forAll else self.named(account, c2s)
        if order is not None:
            s2c.orderID, s2c.orderIDEx = order.order_id, order.order_id_ex
        if order is not None and c2s.modifyOrderOp == _CANCEL:
            self.cancels.append(order.remark or order.order_id_ex)
        self._venue.windows.admit("modify", account.spec.acc_id)
        if c2s.modifyOrderOp not in (_CHANGE, _CANCEL) or (
            c2s.forAll and c2s.modifyOrderOp != _CANCEL
        ):
            raise Refused("不支持的操作")
        if order is not None:
            self._race(order, c2s)
        self.reports.asking(connection)
        try:
            if order is None:
                self._cancel_all(account, c2s.trdMarket)
            elif c2s.modifyOrderOp == _CANCEL:
                self.cancel(order)
            else:
                self._amend(order, c2s)
        except OrderRejected as error:
            raise refusal(error) from None
        finally:
            self.reports.asking(None)

    # -- what the desk's hands do too -------------------------------------------------------

    def made(
        self,
        account: FutuAccount,
        contract: FutuContract,
        side: Side,
        terms: Terms,
        remark: str,
    ) -> FutuOrder:
        """An order with an id of its own, in no book yet."""
        self._order_id += 1
        now_ms = self._venue.now_ms()
        return FutuOrder(
            order_id=self._order_id,
            account=account,
            contract=contract,
            side=side,
            terms=terms,
            remark=remark,
            created_ms=now_ms,
            updated_ms=now_ms,
        )

    def enter(self, order: FutuOrder) -> None:
        """Take an order into the books, and trade at once what can be traded.

        Raises:
            OrderRejected: The account cannot carry it; nothing has happened then.
        """
        self._venue.wake(order.name)
        self._keep(order)
        try:
            ticket = ticket_of(order, self._venue.market.quote(order.name))
            self.matching.place(order.account, ticket, self._venue.now_ms())
        except OrderRejected:
            del self.orders[order.order_id]
            raise

    def cancel(self, order: FutuOrder) -> None:
        """Cancel an open order.

        Raises:
            OrderRejected: It has ended.
        """
        if order.booked is None:
            raise OrderRejected("simulator", "unknown", ENDED)
        if order.open:
            status = CANCELLING_PART if order.filled_e8 else CANCELLING_ALL
            self.reports.order(order, status)
        self.matching.cancel(order.booked, self._venue.now_ms())

    def named(self, account: FutuAccount, c2s: Message) -> FutuOrder:
        """The order that a request names.

        Raises:
            Refused: The account has no such order.
        """
        number = number_of(c2s.orderIDEx) if c2s.orderIDEx else c2s.orderID
        order = self.orders.get(number)
        if order is None or order.account is not account:
            raise Refused(UNKNOWN_ORDER)
        return order

    def open_orders(self) -> list[FutuOrder]:
        """The orders that may still trade, oldest first."""
        return [order for order in self.orders.values() if order.open]

    def end_day(self) -> None:
        """The day is over: its orders end, and today's lists begin anew."""
        for order in self.open_orders():
            if order.terms.tif == DAY and order.booked is not None:
                self.matching.expire(order.booked, self._venue.now_ms())
        self.past = frozenset(number for number, each in self.orders.items() if not each.open)
        self.first_deal_today = self._deal_id + 1

    # -- inside -----------------------------------------------------------------------------

    def _writable(self, connection: Connection, c2s: Message) -> FutuAccount:
        """The account of a request that changes something.

        Raises:
            Refused: Trading is locked, or it is a copy of an earlier request, or another client's.
        """
        packet = (c2s.packetID.connID, c2s.packetID.serialNo)
        if packet[0] != connection.conn_id or packet in self._packets:
            self._venue.violated(connection, "a packet id that is used, or another connection's")
            raise Refused("包标识无效")
        self._packets[packet] = None
        if len(self._packets) > _KEPT:
            del self._packets[next(iter(self._packets))]
        account = self._accounts.of(c2s.header)
        if account.spec.real and not self._accounts.unlocked:
            raise Refused(LOCKED)
        return account

    def _amend(self, order: FutuOrder, c2s: Message) -> None:
        if order.booked is None or not order.open:
            raise Refused(ENDED)
        before, order.terms = order.terms, amended(order, c2s)
        try:
            ticket = ticket_of(order, self._venue.market.quote(order.name))
            self.matching.amend(order.booked, ticket, self._venue.now_ms())
        except OrderRejected:
            order.terms = before
            raise

    def _cancel_all(self, account: FutuAccount, trd_market: int) -> None:
        if not account.spec.real:
            raise Refused(NOT_IN_SIMULATION)
        for order in self.open_orders():
            if order.account is account and trd_market in (0, order.trd_market):
                self.cancel(order)

    def _race(self, order: FutuOrder, c2s: Message) -> None:
        """With the fault for it, an order is filled the moment somebody wants to cancel it."""
        booked = order.booked
        if c2s.modifyOrderOp != _CANCEL or booked is None or not booked.resting:
            return
        if self._venue.faults.take("cancel_race", symbol=order.name):
            self.matching.fill(booked, self._venue.now_ms())

    def _fail(self, order: FutuOrder, told: Refusal) -> None:
        """An order was taken, and then the exchange would not have it."""
        self._keep(order)
        self.reports.order(order, SUBMITTING)
        order.error, order.told = told.text, told.status
        self.reports.order(order)

    def _keep(self, order: FutuOrder) -> None:
        self.orders[order.order_id] = order
        if len(self.orders) > _KEPT:
            del self.orders[next(each.order_id for each in self.orders.values() if not each.open)]

    def _on_report(self, report: Report) -> None:
        """The matching has changed an order."""
        order = self.orders[int(report.order.client_id)]
        order.booked, order.updated_ms = report.order, self._venue.now_ms()
        if report.what is What.ACCEPTED:
            self.reports.order(order, SUBMITTING)
        self.reports.order(order)
        if report.fill is None:
            return
        self._deal_id += 1
        fill = report.fill
        deal = Deal(self._deal_id, order, fill.price_e8, fill.quantity_e8, fill.time_ms)
        order.deals.append(deal)
        self.deals.append(deal)
        self.reports.deal(deal)
