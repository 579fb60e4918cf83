"""Reads what a client wants of an order, as strictly as OpenD, and says no in its words."""

from __future__ import annotations

import msgspec

from foxtrot.errors import OrderRejected
from foxtrot.simulator.accounts import Reason, Side, Ticket, TimeInForce
from foxtrot.simulator.futu_accounts import AccountSpec
from foxtrot.simulator.futu_contracts import HK, SH, SZ, FutuContract, Universe
from foxtrot.simulator.futu_limits import UNKNOWN_STOCK, Refused
from foxtrot.simulator.futu_orders import FutuOrder, Terms
from foxtrot.simulator.futu_schema import Message
from foxtrot.simulator.listings import E8, to_e8
from foxtrot.simulator.market import Quote

LIMIT, MARKET, SPECIAL_LIMIT, SPECIAL_LIMIT_ALL, STOP, STOP_LIMIT = 1, 2, 8, 9, 10, 11
"""OrderType; the special ones are Hong Kong's words for fill-and-kill and fill-or-kill."""
DAY, GTC = 0, 1
"""TimeInForce."""
UNKNOWN_ORDER = "订单不存在"
ENDED = "订单状态不支持该操作"
LOCKED = "请先解锁交易"
NO_DEALS = "模拟交易不支持成交数据"
NOT_IN_SIMULATION = "模拟交易不支持该操作"

_SIDES = {1: Side.BUY, 2: Side.SELL}
_KINDS = frozenset({LIMIT, MARKET, SPECIAL_LIMIT, SPECIAL_LIMIT_ALL, STOP, STOP_LIMIT})
_WITHOUT_PRICE = frozenset({MARKET, STOP})
_WITH_STOP = frozenset({STOP, STOP_LIMIT})
_HONG_KONG_ONLY = frozenset({SPECIAL_LIMIT, SPECIAL_LIMIT_ALL})
_TIFS = {SPECIAL_LIMIT: TimeInForce.IOC, SPECIAL_LIMIT_ALL: TimeInForce.FOK}
_LONGEST_REMARK = 64
_HUGE = 1e12
_WRONG_PRICE = "价格错误，不符合最小变动价位"
_REASONS = {
    Reason.BALANCE.value: "购买力不足",
    Reason.NO_LIQUIDITY.value: "对手盘不足",
    Reason.UNKNOWN.value: ENDED,
}


def refusal(error: OrderRejected) -> Refused:
    """What a client is told when the matching will not have it."""
    return Refused(_REASONS.get(error.code, "下单失败"))


def contract_of(universe: Universe, spec: AccountSpec, c2s: Message) -> FutuContract:
    """What a new order is for.

    Raises:
        Refused: There is no such security, or the account may not trade it.
    """
    contract = universe.traded_as(c2s.secMarket, c2s.code)
    if contract is None:
        raise Refused(UNKNOWN_STOCK.format(c2s.code))
    if spec.market_of(contract) not in spec.markets:
        raise Refused("该账户不支持交易此市场的证券")
    return contract


def side_of(c2s: Message) -> Side:
    """Which way a new order goes; what is sold short is sold, for clients.

    Raises:
        Refused: It goes no way.
    """
    side = _SIDES.get(c2s.trdSide)
    if side is None:
        raise Refused("交易方向错误")
    return side


def remark_of(c2s: Message) -> str:
    """The client's own words on a new order.

    Raises:
        Refused: They are too long.
    """
    if len(c2s.remark.encode()) > _LONGEST_REMARK:
        raise Refused("备注超过64字节")
    return str(c2s.remark)


def terms_of(spec: AccountSpec, contract: FutuContract, side: Side, c2s: Message) -> Terms:
    """The terms of a new order.

    Raises:
        Refused: They are not offered, or do not fit the security.
    """
    kind = c2s.orderType
    if kind not in _KINDS or (kind in _HONG_KONG_ONLY and contract.market != HK):
        raise Refused("不支持的订单类型")
    if c2s.timeInForce not in (DAY, GTC):
        raise Refused("不支持的订单有效期")
    if not spec.real and (kind not in (LIMIT, MARKET) or c2s.timeInForce != DAY):
        raise Refused(NOT_IN_SIMULATION)
    return Terms(
        kind=kind,
        quantity_e8=_quantity_e8(contract, side, c2s.qty),
        price_e8=None if kind in _WITHOUT_PRICE else limit_e8(contract, c2s),
        stop_e8=_price_e8(contract, c2s.auxPrice) if kind in _WITH_STOP else None,
        tif=c2s.timeInForce,
        outside_rth=c2s.fillOutsideRTH,
        session=c2s.session,
    )


def amended(order: FutuOrder, c2s: Message) -> Terms:
    """The new terms of an order that is to be changed: price and quantity, the rest stays.

    Raises:
        Refused: They do not fit the security.
    """
    before, contract = order.terms, order.contract
    stop = before.stop_e8
    return msgspec.structs.replace(
        before,
        quantity_e8=_quantity_e8(contract, order.side, c2s.qty),
        price_e8=None if before.price_e8 is None else limit_e8(contract, c2s),
        stop_e8=_price_e8(contract, c2s.auxPrice) if stop and c2s.HasField("auxPrice") else stop,
    )


def ticket_of(order: FutuOrder, quote: Quote) -> Ticket:
    """An order as the matching takes it. A stop price that is reached already stops nothing."""
    terms = order.terms
    return Ticket(
        symbol=order.name,
        side=order.side,
        quantity_e8=terms.quantity_e8,
        price_e8=terms.price_e8,
        stop_e8=order.waiting_for(terms.stop_e8, quote),
        above=order.side is Side.BUY,
        tif=_TIFS.get(terms.kind, TimeInForce.GTC),
        client_id=str(order.order_id),
        kind=str(terms.kind),
    )


def _quantity_e8(contract: FutuContract, side: Side, quantity: float) -> int:
    """A quantity in whole lots; in mainland China, what is sold need not be."""
    quantity_e8 = _units_e8(quantity)
    odd = contract.market in (SH, SZ) and side is Side.SELL
    lot_e8 = E8 if odd else contract.lot_size * E8
    if quantity_e8 <= 0 or quantity_e8 % lot_e8:
        raise Refused("下单数量错误，必须是每手股数的整数倍")
    return quantity_e8


def limit_e8(contract: FutuContract, c2s: Message) -> int:
    """The limit of an order, moved to the next step if its client allows that.

    Raises:
        Refused: It is no price of this security.
    """
    limit = c2s.adjustSideAndLimit
    if not c2s.adjustPrice or not limit:
        return _price_e8(contract, c2s.price)
    wanted_e8, tick_e8 = _units_e8(c2s.price), contract.tick_e8
    moved_e8 = wanted_e8 // tick_e8 * tick_e8
    if limit > 0 and moved_e8 < wanted_e8:
        moved_e8 += tick_e8
    if not abs(moved_e8 - wanted_e8) <= abs(limit) * wanted_e8:
        raise Refused(_WRONG_PRICE)
    return _price_e8(contract, moved_e8 / E8)


def _price_e8(contract: FutuContract, price: float) -> int:
    price_e8 = _units_e8(price)
    if price_e8 <= 0 or price_e8 % contract.tick_e8:
        raise Refused(_WRONG_PRICE)
    return price_e8


def _units_e8(number: float) -> int:
    """A number of a client's; 0, which is never right, if no order can have it."""
    return to_e8(number) if 0 < number < _HUGE else 0
