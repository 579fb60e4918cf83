"""Fills in what the simulated Futu tells of accounts, orders, deals and positions."""

from __future__ import annotations

import zlib

from foxtrot.simulator.accounts import Side
from foxtrot.simulator.futu_accounts import (
    CURRENCIES,
    FutuAccount,
    Holding,
    exchanged_e8,
)
from foxtrot.simulator.futu_contracts import US, FutuContract
from foxtrot.simulator.futu_orders import Deal, FutuOrder
from foxtrot.simulator.futu_schema import Message, Proto, response
from foxtrot.simulator.listings import E8

_BUY, _SELL = 1, 2
_MARGIN_ACCOUNT, _STOCK_ACCOUNT, _FUTU_SECURITIES, _ACTIVE = 2, 1, 1, 0
_LONG, _SHORT = 0, 1
_CURRENCY_OF = {asset: number for number, asset in CURRENCIES.items()}


def header(head: Message, account: FutuAccount, trd_market: int) -> None:
    """A `TrdHeader`."""
    head.trdEnv, head.accID, head.trdMarket = account.spec.env, account.spec.acc_id, trd_market


def account(row: Message, owner: FutuAccount) -> None:
    """A `TrdAcc`."""
    spec = owner.spec
    row.trdEnv, row.accID, row.accStatus = spec.env, spec.acc_id, _ACTIVE
    row.trdMarketAuthList.extend(spec.markets)
    row.accType = _MARGIN_ACCOUNT
    if spec.real:
        row.securityFirm, row.cardNum = _FUTU_SECURITIES, str(spec.acc_id)[-10:]
    else:
        row.simAccType = _STOCK_ACCOUNT


def funds(row: Message, owner: FutuAccount, currency: str) -> None:
    """A `Funds`, counted in a currency."""

    def told(amount_e8: int) -> float:
        return exchanged_e8(amount_e8, currency) / E8

    cash, value = owner.cash_e8(), owner.market_value_e8()
    available = owner.available_e8()
    longs = sum(max(0, owner.worth_e8(each)) for each in owner.positions())
    row.power = row.maxPowerShort = told(2 * available)
    row.totalAssets, row.cash, row.marketVal = told(cash + value), told(cash), told(value)
    row.frozenCash, row.debtCash = told(owner.frozen_e8()), told(max(0, -cash))
    row.avlWithdrawalCash = row.netCashPower = told(max(0, min(cash, available)))
    row.longMv, row.currency = told(longs), _CURRENCY_OF[currency]
    for asset, balance in owner.balances.items():
        cash_row = row.cashInfoList.add(currency=_CURRENCY_OF[asset], cash=balance.free_e8 / E8)
        cash_row.availableBalance = cash_row.netCashPower = max(0, balance.free_e8) / E8


def position(row: Message, owner: FutuAccount, holding: Holding) -> None:
    """A `Position`; a short one has a quantity below zero."""
    contract, quantity = holding.contract, holding.quantity_e8
    worth, average = owner.worth_e8(holding), holding.average_e8
    row.positionID = zlib.crc32(f"{owner.name} {contract.name}".encode())
    row.positionSide = _LONG if quantity > 0 else _SHORT
    row.code, row.name = contract.code, contract.title
    row.qty = quantity / E8
    row.canSellQty = owner.can_sell_e8(holding) / E8
    row.price, row.val = owner.price_e8(contract.name) / E8, worth / E8
    row.plVal = row.unrealizedPL = (worth - holding.cost_e8) / E8
    row.realizedPL = holding.realized_e8 / E8
    row.costPrice = row.averageCostPrice = row.dilutedCostPrice = average / E8
    row.plRatio = (worth - holding.cost_e8) / abs(holding.cost_e8 or 1) * 100
    row.secMarket, row.currency = contract.place.trd_sec_market, contract.place.currency
    row.trdMarket = owner.spec.market_of(contract)


def order(row: Message, item: FutuOrder, status: int | None = None) -> None:
    """An `Order`, with a status other than its own if one is given."""
    contract, terms = item.contract, item.terms
    row.trdSide = _BUY if item.side is Side.BUY else _SELL
    row.orderType, row.timeInForce = terms.kind, terms.tif
    row.orderStatus = item.status if status is None else status
    row.orderID, row.orderIDEx = item.order_id, item.order_id_ex
    row.code, row.name = contract.code, contract.title
    row.qty, row.price = terms.quantity_e8 / E8, (terms.price_e8 or 0) / E8
    if terms.stop_e8 is not None:
        row.auxPrice = terms.stop_e8 / E8
    if contract.market == US:
        row.fillOutsideRTH, row.session = terms.outside_rth, terms.session
    row.fillQty, row.fillAvgPrice = item.filled_e8 / E8, item.average_e8 / E8
    row.createTime = _time(contract, item.created_ms)
    row.updateTime = _time(contract, item.updated_ms)
    row.createTimestamp, row.updateTimestamp = item.created_ms / 1_000, item.updated_ms / 1_000
    row.lastErrMsg, row.remark = item.error, item.remark
    row.secMarket, row.currency = contract.place.trd_sec_market, contract.place.currency
    row.trdMarket = item.trd_market


def deal(row: Message, item: Deal) -> None:
    """An `OrderFill`."""
    owner = item.order
    contract = owner.contract
    row.trdSide = _BUY if owner.side is Side.BUY else _SELL
    row.fillID, row.fillIDEx = item.deal_id, item.deal_id_ex
    row.orderID, row.orderIDEx = owner.order_id, owner.order_id_ex
    row.code, row.name = contract.code, contract.title
    row.qty, row.price = item.quantity_e8 / E8, item.price_e8 / E8
    row.createTime = _time(contract, item.time_ms)
    row.createTimestamp = row.updateTimestamp = item.time_ms / 1_000
    row.status = 0
    row.secMarket, row.trdMarket = contract.place.trd_sec_market, owner.trd_market


def order_push(item: FutuOrder, status: int | None = None) -> Message:
    """2208: what has become of an order, with a status other than its own if one is given."""
    message = response(Proto.Trd_UpdateOrder)
    header(message.s2c.header, item.account, item.trd_market)
    order(message.s2c.order, item, status)
    return message


def deal_push(item: Deal) -> Message:
    """2218: a deal."""
    message = response(Proto.Trd_UpdateOrderFill)
    header(message.s2c.header, item.order.account, item.order.trd_market)
    deal(message.s2c.orderFill, item)
    return message


def _time(contract: FutuContract, at_ms: int) -> str:
    return f"{contract.text_of(at_ms)}.{at_ms % 1_000:03d}"
