"""What the trading side of the simulated Binance can be asked for, by REST and by WebSocket API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Protocol

import msgspec
from aiohttp import web

from foxtrot.errors import OrderRejected
from foxtrot.simulator import binance_order_payloads as wire
from foxtrot.simulator import binance_tickets as tickets
from foxtrot.simulator.accounts import Account, Fill, Order, Reason
from foxtrot.simulator.binance_limits import OrderGate
from foxtrot.simulator.binance_params import (
    Params,
    moment_of,
    number_of,
    refusal,
    row_limit,
    symbol_of,
    text_of,
)
from foxtrot.simulator.binance_payloads import Row
from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.matching import Matching

_DAY_MS = 86_400_000
_ID_MAX = 10**20
_ANSWERS = ("ACK", "RESULT", "FULL")
_REFUSALS = {
    Reason.DUPLICATE.value: "Duplicate order sent.",
    Reason.BALANCE.value: "Account has insufficient balance for requested action.",
    Reason.WOULD_MATCH.value: "Order would immediately match and take.",
    Reason.WOULD_TRIGGER.value: "Stop price would trigger immediately.",
    Reason.NO_LIQUIDITY.value: "Order book liquidity is less than `LOT_SIZE` filter minimum "
    "quantity.",
}
_NAMES = count(1)


class Venue(tickets.Venue, Protocol):
    """What the operations work upon."""

    matching: Matching
    order_gate: OrderGate
    faults: FaultBoard


class Asker(msgspec.Struct, frozen=True):
    """Who asks: the account, and what the key may do."""

    account: Account
    may_trade: bool


Act = Callable[[Venue, Asker, Params], object]
Weight = Callable[[Params], int]


class Operation(msgspec.Struct, frozen=True):
    """One thing that can be asked for; `kind` is its name for faults."""

    kind: str
    params: frozenset[str]
    weight: Weight
    act: Act
    trading: bool = False


def _place(venue: Venue, asker: Asker, params: Params) -> object:
    kind = _answer_kind(params)
    return _acknowledged(_place_order(venue, asker, params), kind)


def _test(venue: Venue, asker: Asker, params: Params) -> object:
    tickets.read_ticket(venue, asker.account, params, "test")
    return {}


def _place_order(venue: Venue, asker: Asker, params: Params) -> Order:
    ticket = tickets.read_ticket(venue, asker.account, params, _new_name())
    refused = venue.order_gate.charge(asker.account.name, venue.now_ms())
    if refused is not None:
        error = refusal(-1015, refused.message, status=refused.status)
        error.headers["Retry-After"] = str(refused.retry_after_s)
        raise error
    try:
        return venue.matching.place(asker.account, ticket, venue.now_ms())
    except OrderRejected as error:
        venue.order_gate.give_back(asker.account.name)
        raise refusal(-2010, _REFUSALS[error.code]) from None


def _acknowledged(order: Order, kind: str) -> Row:
    shown: Sequence[Fill] = order.fills if kind == "FULL" else ()
    return wire.acknowledgement(order, kind, order.created_ms, shown)


def _answer_kind(params: Params) -> str:
    default = "FULL" if params.get("type") in ("LIMIT", "MARKET") else "ACK"
    kind = params.get("newOrderRespType", default)
    if kind not in _ANSWERS:
        raise refusal(-1130, "Data sent for parameter 'newOrderRespType' is not valid.")
    return kind


def _cancel(venue: Venue, asker: Asker, params: Params) -> object:
    symbol = symbol_of(venue, params)
    order = _named(asker.account, symbol, params, "orderId", "origClientOrderId")
    return _cancel_order(venue, order, params)


def _cancel_order(venue: Venue, order: Order | None, params: Params) -> Row:
    cancel_id = tickets.client_id(params, "newClientOrderId") or _new_name()
    restricted = params.get("cancelRestrictions")
    if restricted not in (None, "ONLY_NEW", "ONLY_PARTIALLY_FILLED"):
        raise refusal(
            -1145, "cancelRestrictions has to be either ONLY_NEW or ONLY_PARTIALLY_FILLED."
        )
    if (
        order is not None
        and order.resting
        and venue.faults.take("cancel_race", symbol=order.symbol)
    ):
        venue.matching.fill(order, venue.now_ms())
    if order is None or not order.open:
        raise refusal(-2011, "Unknown order sent.")
    if restricted and restricted != f"ONLY_{order.state.value}":
        raise refusal(-2011, "Order was not canceled due to cancel restrictions.")
    venue.matching.cancel(order, venue.now_ms(), cancel_id=cancel_id)
    return wire.canceled_row(order, cancel_id)


def _cancel_all(venue: Venue, asker: Asker, params: Params) -> object:
    symbol = symbol_of(venue, params)
    orders = [order for order in asker.account.open_orders if order.symbol == symbol]
    if not orders:
        raise refusal(-2011, "Unknown order sent.")
    attempts = [_attempt(partial(_cancel_order, venue, order, {})) for order in orders]
    return [row for canceled, row in attempts if canceled]


def _replace(venue: Venue, asker: Asker, params: Params) -> object:
    """Cancel one order, then place another; each part may fail."""
    symbol, mode = symbol_of(venue, params), text_of(params, "cancelReplaceMode")
    if mode not in ("STOP_ON_FAILURE", "ALLOW_FAILURE"):
        raise refusal(-1130, "Data sent for parameter 'cancelReplaceMode' is not valid.")
    order = _named(asker.account, symbol, params, "cancelOrderId", "cancelOrigClientOrderId")
    tickets.read_ticket(venue, asker.account, params, "check")
    cancel_params = {
        theirs: params[ours]
        for ours, theirs in (
            ("cancelNewClientOrderId", "newClientOrderId"),
            ("cancelRestrictions", "cancelRestrictions"),
        )
        if ours in params
    }
    canceled, cancel_row = _attempt(lambda: _cancel_order(venue, order, cancel_params))
    placed, place_row = False, None
    tried = canceled or mode == "ALLOW_FAILURE"
    if tried:
        placed, place_row = _attempt(lambda: _place(venue, asker, params))
    result = {
        "cancelResult": "SUCCESS" if canceled else "FAILURE",
        "newOrderResult": _result(placed, tried=tried),
        "cancelResponse": cancel_row,
        "newOrderResponse": place_row,
    }
    if canceled and placed:
        return result
    if canceled or placed:
        raise refusal(-2021, "Order cancel-replace partially failed.", status=409, data=result)
    raise refusal(-2022, "Order cancel-replace failed.", data=result)


def _attempt(part: Callable[[], object]) -> tuple[bool, object]:
    try:
        return True, part()
    except web.HTTPException as error:
        return False, msgspec.json.decode(error.text or "{}")


def _result(done: bool, *, tried: bool) -> str:
    if not tried:
        return "NOT_ATTEMPTED"
    return "SUCCESS" if done else "FAILURE"


def _query(venue: Venue, asker: Asker, params: Params) -> object:
    symbol = symbol_of(venue, params)
    order = _named(asker.account, symbol, params, "orderId", "origClientOrderId")
    if order is None:
        raise refusal(-2013, "Order does not exist.")
    return wire.order_row(order)


def _open_orders(venue: Venue, asker: Asker, params: Params) -> object:
    symbol = symbol_of(venue, params) if "symbol" in params else None
    orders = asker.account.open_orders
    return [wire.order_row(order) for order in orders if symbol in (None, order.symbol)]


def _all_orders(venue: Venue, asker: Asker, params: Params) -> object:
    symbol, limit = symbol_of(venue, params), row_limit(params)
    start, end = _stretch(params)
    first = number_of(params, "orderId", 0, low=0, high=_ID_MAX)
    orders = [
        order
        for order in asker.account.orders
        if order.symbol == symbol and order.order_id >= first and start <= order.created_ms <= end
    ]
    from_start = "orderId" in params or "startTime" in params
    return [wire.order_row(each) for each in (orders[:limit] if from_start else orders[-limit:])]


def _trades(venue: Venue, asker: Asker, params: Params) -> object:
    symbol, limit = symbol_of(venue, params), row_limit(params)
    start, end = _stretch(params)
    first = number_of(params, "fromId", 0, low=0, high=_ID_MAX)
    order_id = number_of(params, "orderId", -1, low=0, high=_ID_MAX)
    fills = [
        fill
        for fill in sorted(asker.account.fills, key=lambda fill: fill.trade_id)
        if fill.symbol == symbol
        and fill.trade_id >= first
        and order_id in (-1, fill.order_id)
        and start <= fill.time_ms <= end
    ]
    from_start = "fromId" in params or "startTime" in params
    return [wire.my_trade_row(each) for each in (fills[:limit] if from_start else fills[-limit:])]


def _account(venue: Venue, asker: Asker, params: Params) -> object:
    return wire.account_row(
        asker.account,
        may_trade=asker.may_trade,
        with_zeros=params.get("omitZeroBalances") != "true",
        now_ms=venue.now_ms(),
    )


def _order_counts(venue: Venue, asker: Asker, params: Params) -> object:
    return venue.order_gate.rows(asker.account.name, venue.now_ms())


def _named(account: Account, symbol: str, params: Params, by_id: str, by_name: str) -> Order | None:
    """The order that a request names, by its id or else by its client order id."""
    order_id = number_of(params, by_id, -1, low=0, high=_ID_MAX)
    name = tickets.client_id(params, by_name)
    if order_id < 0 and not name:
        raise refusal(
            -1102, f"Param '{by_name}' or '{by_id}' must be sent, but both were empty/null!"
        )
    order = account.order(symbol, order_id) if order_id >= 0 else account.named(symbol, name)
    if order is not None and name and order.client_id != name:
        return None
    return order


def _stretch(params: Params) -> tuple[int, int]:
    start, end = moment_of(params, "startTime"), moment_of(params, "endTime")
    if start is not None and end is not None and end - start > _DAY_MS:
        raise refusal(-1127, "More than 24 hours between startTime and endTime.")
    return start or 0, 10**15 if end is None else end


def _new_name() -> str:
    """A client order id for who names none."""
    return f"simulated{next(_NAMES):013d}"


def _flat(weight: int) -> Weight:
    return lambda params: weight


_SIGNED = "timestamp recvWindow signature apiKey returnRateLimits"
_ORDER = (
    "symbol side type timeInForce quantity quoteOrderQty price stopPrice newClientOrderId "
    "newOrderRespType selfTradePreventionMode strategyId strategyType"
)


def _operation(
    kind: str, params: str, weight: Weight, act: Act, *, trading: bool = False
) -> Operation:
    return Operation(kind, frozenset(f"{params} {_SIGNED}".split()), weight, act, trading)


_ALL = (
    _operation("place", _ORDER, _flat(0), _place, trading=True),
    _operation("test", f"{_ORDER} computeCommissionRates", _flat(1), _test, trading=True),
    _operation(
        "cancel",
        "symbol orderId origClientOrderId newClientOrderId cancelRestrictions",
        _flat(0),
        _cancel,
        trading=True,
    ),
    _operation("cancel_all", "symbol", _flat(0), _cancel_all, trading=True),
    _operation(
        "replace",
        f"{_ORDER} cancelReplaceMode cancelNewClientOrderId cancelOrigClientOrderId cancelOrderId "
        "cancelRestrictions orderRateLimitExceededMode",
        _flat(0),
        _replace,
        trading=True,
    ),
    _operation("query", "symbol orderId origClientOrderId", _flat(4), _query),
    _operation(
        "open_orders", "symbol", lambda params: 6 if "symbol" in params else 80, _open_orders
    ),
    _operation("all_orders", "symbol orderId startTime endTime limit", _flat(20), _all_orders),
    _operation("trades", "symbol orderId startTime endTime fromId limit", _flat(20), _trades),
    _operation("account", "omitZeroBalances", _flat(20), _account),
    _operation("order_counts", "", _flat(40), _order_counts),
    _operation("subscribe", "", _flat(2), lambda venue, asker, params: None),
)
OPERATIONS: Mapping[str, Operation] = {operation.kind: operation for operation in _ALL}

REST: Mapping[tuple[str, str], Operation] = {
    ("POST", "/api/v3/order"): OPERATIONS["place"],
    ("POST", "/api/v3/order/test"): OPERATIONS["test"],
    ("DELETE", "/api/v3/order"): OPERATIONS["cancel"],
    ("GET", "/api/v3/order"): OPERATIONS["query"],
    ("POST", "/api/v3/order/cancelReplace"): OPERATIONS["replace"],
    ("GET", "/api/v3/openOrders"): OPERATIONS["open_orders"],
    ("DELETE", "/api/v3/openOrders"): OPERATIONS["cancel_all"],
    ("GET", "/api/v3/allOrders"): OPERATIONS["all_orders"],
    ("GET", "/api/v3/myTrades"): OPERATIONS["trades"],
    ("GET", "/api/v3/account"): OPERATIONS["account"],
    ("GET", "/api/v3/rateLimit/order"): OPERATIONS["order_counts"],
}

METHODS: Mapping[str, Operation] = {
    "order.place": OPERATIONS["place"],
    "order.test": OPERATIONS["test"],
    "order.cancel": OPERATIONS["cancel"],
    "order.status": OPERATIONS["query"],
    "order.cancelReplace": OPERATIONS["replace"],
    "openOrders.status": OPERATIONS["open_orders"],
    "openOrders.cancelAll": OPERATIONS["cancel_all"],
    "allOrders": OPERATIONS["all_orders"],
    "myTrades": OPERATIONS["trades"],
    "account.status": OPERATIONS["account"],
    "account.rateLimits.orders": OPERATIONS["order_counts"],
    "userDataStream.subscribe.signature": OPERATIONS["subscribe"],
}
