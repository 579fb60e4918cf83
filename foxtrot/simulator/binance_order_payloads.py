"""What Binance tells about orders, trades and accounts: pure functions from the books to JSON."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from foxtrot.simulator.accounts import Account, Fill, Order, Side, State
from foxtrot.simulator.binance_payloads import Row
from foxtrot.simulator.listings import E8, decimal8
from foxtrot.simulator.matching import Report, What

_ZERO = decimal8(0)
_NO_SELF_TRADE = "EXPIRE_MAKER"
_EXECUTION_TYPES = {
    What.ACCEPTED: "NEW",
    What.TRIGGERED: "NEW",
    What.TRADED: "TRADE",
    What.CANCELED: "CANCELED",
    What.EXPIRED: "EXPIRED",
}


def acknowledgement(order: Order, kind: str, transact_ms: int, shown: Iterable[Fill]) -> Row:
    """The answer to a new order, of `newOrderRespType` ACK, RESULT or FULL."""
    row: Row = {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "transactTime": transact_ms,
    }
    if kind == "ACK":
        return row
    row |= _body(order)
    if order.working_ms is not None:
        row["workingTime"] = order.working_ms
    if kind == "FULL":
        row["fills"] = [_fill_row(fill) for fill in shown]
    return row


def order_row(order: Order) -> Row:
    """An order as GET /api/v3/order, openOrders and allOrders tell it."""
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        **_body(order),
        "icebergQty": _ZERO,
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": order.working_ms is not None,
        "workingTime": -1 if order.working_ms is None else order.working_ms,
    }


def canceled_row(order: Order, cancel_id: str) -> Row:
    """The answer to a cancel; `clientOrderId` is the name of the cancel, not of the order."""
    return {
        "symbol": order.symbol,
        "origClientOrderId": order.client_id,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": cancel_id,
        "transactTime": order.updated_ms,
        **_body(order),
    }


def my_trade_row(fill: Fill) -> Row:
    """One row of /api/v3/myTrades."""
    return {
        "symbol": fill.symbol,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "orderListId": -1,
        "price": decimal8(fill.price_e8),
        "qty": decimal8(fill.quantity_e8),
        "quoteQty": decimal8(fill.turnover_e8),
        "commission": decimal8(fill.fee_e8),
        "commissionAsset": fill.fee_asset,
        "time": fill.time_ms,
        "isBuyer": fill.side is Side.BUY,
        "isMaker": fill.maker,
        "isBestMatch": True,
    }


def account_row(account: Account, *, may_trade: bool, with_zeros: bool, now_ms: int) -> Row:
    """The answer of /api/v3/account."""
    fee = decimal8(account.fee_e8)
    points = account.fee_e8 * 10_000 // E8
    return {
        "makerCommission": points,
        "takerCommission": points,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {"maker": fee, "taker": fee, "buyer": _ZERO, "seller": _ZERO},
        "canTrade": may_trade,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": max([order.updated_ms for order in account.orders], default=now_ms),
        "accountType": "SPOT",
        "balances": [
            {
                "asset": asset,
                "free": decimal8(balance.free_e8),
                "locked": decimal8(balance.locked_e8),
            }
            for asset, balance in sorted(account.balances.items())
            if with_zeros or balance.free_e8 or balance.locked_e8
        ],
        "permissions": ["SPOT"],
        "uid": 1,
    }


def execution_report(report: Report, event_ms: int) -> bytes:
    """The user stream's event about one change of an order."""
    order, fill, ticket = report.order, report.fill, report.order.ticket
    row: Row = {
        "e": "executionReport",
        "E": event_ms,
        "s": order.symbol,
        "c": report.cancel_id or order.client_id,
        "S": ticket.side.value,
        "o": ticket.kind,
        "f": ticket.tif.value,
        "q": decimal8(order.quantity_e8),
        "p": decimal8(ticket.price_e8 or 0),
        "P": decimal8(ticket.stop_e8 or 0),
        "F": _ZERO,
        "g": -1,
        "C": order.client_id if report.cancel_id else "",
        "x": _EXECUTION_TYPES[report.what],
        "X": order.state.value,
        "r": "NONE",
        "i": order.order_id,
        "l": decimal8(fill.quantity_e8 if fill else 0),
        "z": decimal8(order.filled_e8),
        "L": decimal8(fill.price_e8 if fill else 0),
        "n": decimal8(fill.fee_e8) if fill else "0",
        "N": fill.fee_asset if fill else None,
        "T": order.updated_ms,
        "t": fill.trade_id if fill else -1,
        "I": order.order_id * 2 + len(order.fills),
        "w": order.open and order.working_ms is not None,
        "m": fill.maker if fill else False,
        "M": fill is not None,
        "O": order.created_ms,
        "Z": decimal8(order.turnover_e8),
        "Y": decimal8(fill.turnover_e8 if fill else 0),
        "Q": decimal8(ticket.budget_e8 or 0),
    }
    if order.working_ms is not None:
        row["W"] = order.working_ms
    row["V"] = _NO_SELF_TRADE
    if order.state is State.EXPIRED:
        row["eR"] = order.expiry
    return msgspec.json.encode(row)


def account_position(account: Account, assets: Iterable[str], time_ms: int) -> bytes:
    """The user stream's event about the balances that an order has moved."""
    rows = [
        {
            "a": asset,
            "f": decimal8(account.balance(asset).free_e8),
            "l": decimal8(account.balance(asset).locked_e8),
        }
        for asset in assets
    ]
    event = {"e": "outboundAccountPosition", "E": time_ms, "u": time_ms, "B": rows}
    return msgspec.json.encode(event)


def balance_update(asset: str, change_e8: int, time_ms: int) -> bytes:
    """The user stream's event about a deposit or a withdrawal."""
    change = decimal8(change_e8)
    event = {"e": "balanceUpdate", "E": time_ms, "a": asset, "d": change, "T": time_ms}
    return msgspec.json.encode(event)


def stream_terminated(time_ms: int) -> bytes:
    """The user stream's last word."""
    return msgspec.json.encode({"e": "eventStreamTerminated", "E": time_ms})


def _body(order: Order) -> Row:
    ticket = order.ticket
    row: Row = {
        "price": decimal8(ticket.price_e8 or 0),
        "origQty": decimal8(order.quantity_e8),
        "executedQty": decimal8(order.filled_e8),
        "origQuoteOrderQty": decimal8(ticket.budget_e8 or 0),
        "cummulativeQuoteQty": decimal8(order.turnover_e8),
        "status": order.state.value,
        "timeInForce": ticket.tif.value,
        "type": ticket.kind,
        "side": ticket.side.value,
        "stopPrice": decimal8(ticket.stop_e8 or 0),
        "selfTradePreventionMode": _NO_SELF_TRADE,
    }
    if order.state is State.EXPIRED:
        row["expiryReason"] = order.expiry
    return row


def _fill_row(fill: Fill) -> Row:
    return {
        "price": decimal8(fill.price_e8),
        "qty": decimal8(fill.quantity_e8),
        "commission": decimal8(fill.fee_e8),
        "commissionAsset": fill.fee_asset,
        "tradeId": fill.trade_id,
    }
