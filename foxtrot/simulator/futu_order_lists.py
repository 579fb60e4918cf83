"""The simulated Futu's lists of orders and deals: today's, and those of the past."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from foxtrot.simulator import futu_order_payloads as payloads
from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.futu_account_room import AccountRoom
from foxtrot.simulator.futu_accounts import US as TRADES_US
from foxtrot.simulator.futu_accounts import FutuAccount
from foxtrot.simulator.futu_connection import Connection
from foxtrot.simulator.futu_contracts import HK, US, local_ms
from foxtrot.simulator.futu_dispatch import Handler, Room
from foxtrot.simulator.futu_limits import Refused
from foxtrot.simulator.futu_order_room import OrderRoom
from foxtrot.simulator.futu_orders import Deal, FutuOrder
from foxtrot.simulator.futu_schema import Message, Proto
from foxtrot.simulator.futu_tickets import NO_DEALS

_FOREVER_MS = 1 << 62


class Venue(Protocol):
    """What the lists need of OpenD."""

    faults: FaultBoard


class OrderLists(Room):
    """Answers for lists.

    Args:
        venue: Where.
        orders: What there is to list.
        accounts: Whose it is.
    """

    def __init__(self, venue: Venue, orders: OrderRoom, accounts: AccountRoom) -> None:
        self._venue, self._orders, self._accounts = venue, orders, accounts

    def handlers(self) -> Mapping[Proto, Handler]:
        """See `Room`."""
        return {
            Proto.Trd_GetOrderList: self._today,
            Proto.Trd_GetHistoryOrderList: self._past,
            Proto.Trd_GetOrderFillList: self._deals_today,
            Proto.Trd_GetHistoryOrderFillList: self._deals_past,
        }

    def _today(self, connection: Connection, c2s: Message, s2c: Message) -> None:
        account = self._begun(c2s, s2c)
        self._accounts.refreshed(account, c2s)
        if self._lies("open_orders", connection):
            return
        for order in self._chosen(account, c2s):
            if order.order_id not in self._orders.past:
                payloads.order(s2c.orderList.add(), order)

    def _past(self, connection: Connection, c2s: Message, s2c: Message) -> None:
        account = self._begun(c2s, s2c)
        _check_range(c2s)
        if self._lies("all_orders", connection):
            return
        for order in self._chosen(account, c2s):
            if not order.open:
                payloads.order(s2c.orderList.add(), order)

    def _deals_today(self, connection: Connection, c2s: Message, s2c: Message) -> None:
        account = self._begun(c2s, s2c)
        self._check_deals(account)
        self._accounts.refreshed(account, c2s)
        if self._lies("trades", connection):
            return
        for deal in self._chosen_deals(account, c2s):
            if deal.deal_id >= self._orders.first_deal_today:
                payloads.deal(s2c.orderFillList.add(), deal)

    def _deals_past(self, connection: Connection, c2s: Message, s2c: Message) -> None:
        account = self._begun(c2s, s2c)
        self._check_deals(account)
        _check_range(c2s)
        if self._lies("executions", connection):
            return
        for deal in self._chosen_deals(account, c2s):
            payloads.deal(s2c.orderFillList.add(), deal)

    def _begun(self, c2s: Message, s2c: Message) -> FutuAccount:
        account = self._accounts.of(c2s.header)
        payloads.header(s2c.header, account, c2s.header.trdMarket)
        return account

    def _check_deals(self, account: FutuAccount) -> None:
        if not account.spec.real:
            raise Refused(NO_DEALS)

    def _lies(self, kind: str, connection: Connection) -> bool:
        taken = self._venue.faults.take("empty_list", request=kind, path=connection.path)
        return taken is not None

    def _chosen(self, account: FutuAccount, c2s: Message) -> Iterator[FutuOrder]:
        conditions, statuses = c2s.filterConditions, tuple(c2s.filterStatusList)
        first_ms, last_ms = _range_ms(c2s)
        for order in tuple(self._orders.orders.values()):
            if (
                order.account is account
                and _fits(order, conditions)
                and first_ms <= order.created_ms <= last_ms
                and (not statuses or order.status in statuses)
                and (not conditions.idList or order.order_id in conditions.idList)
            ):
                yield order

    def _chosen_deals(self, account: FutuAccount, c2s: Message) -> Iterator[Deal]:
        conditions = c2s.filterConditions
        first_ms, last_ms = _range_ms(c2s)
        for deal in tuple(self._orders.deals):
            if (
                deal.order.account is account
                and _fits(deal.order, conditions)
                and first_ms <= deal.time_ms <= last_ms
                and (not conditions.idList or deal.deal_id in conditions.idList)
            ):
                yield deal


def _fits(order: FutuOrder, conditions: Message) -> bool:
    """Whether an order passes what lists of orders and of deals are filtered by."""
    codes, ids = conditions.codeList, conditions.orderIDExList
    return (
        (not codes or order.contract.code in codes)
        and (not ids or order.order_id_ex in ids)
        and conditions.filterMarket in (0, order.trd_market)
    )


def _check_range(c2s: Message) -> None:
    """The past must be asked for with a beginning and an end."""
    if not (c2s.filterConditions.beginTime and c2s.filterConditions.endTime):
        raise Refused("查询历史数据必须填写开始时间和结束时间")


def _range_ms(c2s: Message) -> tuple[int, int]:
    """From when to when, in the zone of the market that the header names."""
    conditions = c2s.filterConditions
    market = US if c2s.header.trdMarket == TRADES_US else HK
    try:
        begin = local_ms(market, conditions.beginTime) if conditions.beginTime else 0
        end = local_ms(market, conditions.endTime) + 999 if conditions.endTime else _FOREVER_MS
    except ValueError:
        raise Refused("时间格式错误") from None
    return begin, end
