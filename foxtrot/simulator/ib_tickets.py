"""Reads what a client wants of an order, as strictly as TWS, with its codes and words."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from foxtrot.errors import OrderRejected, UnknownSymbol
from foxtrot.simulator import ib_requests as asked
from foxtrot.simulator.accounts import Reason, Side, Ticket, TimeInForce
from foxtrot.simulator.ib_contracts import CONTINUOUS, Row, Universe
from foxtrot.simulator.ib_limits import INVALID, text_of
from foxtrot.simulator.ib_order_payloads import ZONE
from foxtrot.simulator.ib_orders import Execution, IbOrder, Terms
from foxtrot.simulator.listings import to_e8
from foxtrot.simulator.market import Quote

_BAD_PRICE, _REJECTED, _BAD_TYPE, _NO_SIZE, _NO_ACCOUNT, _BAD_TIF, _FRACTION = (
    110,
    201,
    387,
    434,
    435,
    10052,
    10243,
)
_NOT_CANCELLABLE, _UNKNOWN_ID, _WRONG_STATE = 161, 10147, 10148
_SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
_WITH_LIMIT, _WITH_STOP = frozenset({"LMT", "STP LMT"}), frozenset({"STP", "STP LMT"})
_KINDS = frozenset({"LMT", "MKT", "STP", "STP LMT"})
_TIFS = {
    "DAY": TimeInForce.GTC,
    "GTC": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
}

_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)[- ]+(\d\d:\d\d:\d\d)(?: (\S+))?")


_REASONS = {
    Reason.BALANCE.value: "Order rejected - reason:YOUR ORDER IS NOT ACCEPTED. YOUR AVAILABLE "
    "FUNDS ARE NOT SUFFICIENT FOR THIS ORDER.",
    Reason.UNKNOWN.value: "Order rejected - reason:The order size is not above what was filled.",
}


class Wanted(msgspec.Struct, frozen=True):
    """What an order shall be."""

    account: str
    row: Row
    side: Side
    terms: Terms


def refusal(code: int, text: str) -> OrderRejected:
    """The error for what TWS refuses with this code."""
    return OrderRejected("simulator", str(code), text)


def answer_of(error: OrderRejected) -> tuple[int, str]:
    """Code and words for a refusal, whether it is TWS's own or the matching's."""
    if error.code in _REASONS:
        return _REJECTED, _REASONS[error.code]
    return int(error.code), error.text


def cancellable(order_id: int, order: IbOrder | None) -> IbOrder:
    """The order that a client wants to cancel under this id.

    Raises:
        OrderRejected: There is none, or it has ended.
    """
    if order is None:
        raise refusal(_UNKNOWN_ID, f"OrderId {order_id} that needs to be cancelled is not found.")
    if order.status == "Filled":
        text = "Cancel attempted when order is not in a cancellable state.  Order permId ="
        raise refusal(_NOT_CANCELLABLE, f"{text}{order.perm_id}")
    if not order.open:
        text = f"OrderId {order_id} that needs to be cancelled cannot be cancelled, state:"
        raise refusal(_WRONG_STATE, f"{text} {order.status}.")
    return order


def read_order(
    universe: Universe,
    accounts: Sequence[str],
    request: asked.PlaceOrder,
    *,
    fractions: bool = False,
) -> Wanted:
    """What a client wants; with `fractions`, the user may trade pieces of shares.

    Raises:
        OrderRejected: TWS would refuse it; `code` and `text` are what the client is told.
    """
    _check_offered(request)
    try:
        row = universe.one(request.contract)
    except UnknownSymbol as error:
        raise refusal(int(error.code), error.text) from None
    if row.contract.sec_type == "IND" or request.contract.sec_type == CONTINUOUS:
        text = "Order rejected - reason:The contract is not available for trading"
        raise refusal(_REJECTED, text)
    side = _SIDES.get(request.action)
    if side is None:
        raise _invalid("The order's action must be BUY or SELL.")
    if request.quantity % 1 and not fractions:
        text = "Fractional-sized order cannot be placed via API."
        raise refusal(_FRACTION, f"{text} Please use desktop TWS to place this order.")
    return Wanted(_account(accounts, request.account), row, side, _terms(row, request))


def ticket_of(order: IbOrder, quote: Quote) -> Ticket:
    """An order as the matching takes it. A stop price that is reached already stops nothing."""
    terms = order.terms
    return Ticket(
        symbol=order.name,
        side=order.side,
        quantity_e8=terms.quantity_e8,
        price_e8=terms.limit_e8,
        stop_e8=order.waiting_for(terms.stop_e8, quote),
        above=order.side is Side.BUY,
        tif=_TIFS[terms.tif],
        client_id=str(order.perm_id),
        kind=terms.kind,
    )


def passes(execution: Execution, wanted: asked.ReqExecutions) -> bool:
    """Whether a filter lets a fill pass; what it does not name may be anything."""
    order = execution.order
    side = {"BOT": "BUY", "SLD": "SELL"}.get(wanted.side, wanted.side)
    return (
        wanted.client_id in (0, order.client_id)
        and wanted.account in ("", order.account)
        and wanted.symbol in ("", order.row.contract.symbol)
        and wanted.sec_type in ("", order.row.contract.sec_type)
        and wanted.exchange in ("", execution.exchange)
        and side in ("", order.side.value)
        and execution.time_ms >= _since_ms(wanted.time)
    )


def _check_offered(request: asked.PlaceOrder) -> None:
    """What this gateway does not know it refuses, instead of leaving it out in silence.

    With 201: an SDK takes the other codes of a request that is not valid for mere warnings, and
    the order for one that lives.
    """
    unknown = {
        "transmit": not request.transmit,
        "parentId": request.parent_id != 0,
        "ocaGroup": request.oca_group != "",
        "goodAfterTime": request.good_after_time != "",
        "goodTillDate": request.good_till_date != "",
        "allOrNone": request.all_or_none,
        "hidden": request.hidden,
        "modelCode": request.model_code != "",
    }
    named = [*(name for name, given in unknown.items() if given), *request.extras]
    if named:
        text = f"Order rejected - reason:This gateway does not offer {', '.join(named)}."
        raise refusal(_REJECTED, text)


def _terms(row: Row, request: asked.PlaceOrder) -> Terms:
    kind, tif = request.order_type, request.tif or "DAY"
    if kind not in _KINDS:
        text = "Unsupported order type for this exchange and security type."
        raise refusal(_BAD_TYPE, text)
    if tif not in _TIFS:
        raise refusal(_BAD_TIF, f"Invalid time in force:{tif}")
    return Terms(
        kind=kind,
        quantity_e8=_quantity(request.quantity),
        limit_e8=_price(row, request.limit_price, "limit") if kind in _WITH_LIMIT else None,
        stop_e8=_price(row, request.aux_price, "stop") if kind in _WITH_STOP else None,
        tif=tif,
        outside_rth=request.outside_rth,
    )


def _quantity(quantity: float) -> int:
    if quantity == 0:
        raise refusal(_NO_SIZE, "The order size cannot be zero.")
    if not 0 < quantity < 1e9:
        raise _invalid("Invalid order size.")
    return to_e8(quantity)


def _price(row: Row, price: float | None, name: str) -> int:
    if price is None or not 0 < price < 1e9:
        raise _invalid(f"The order needs a {name} price.")
    price_e8 = to_e8(price)
    if price_e8 % to_e8(str(row.contract.step_at(price))):
        text = "The price does not conform to the minimum price variation for this contract."
        raise refusal(_BAD_PRICE, text)
    return price_e8


def _account(accounts: Sequence[str], wanted: str) -> str:
    if wanted in accounts:
        return wanted
    if wanted:
        raise _invalid(f"Invalid account code '{wanted}'.")
    if len(accounts) > 1:
        raise refusal(_NO_ACCOUNT, "You must specify an account.")
    return accounts[0]


def _invalid(cause: str) -> OrderRejected:
    return refusal(INVALID, text_of(INVALID, cause))


def _since_ms(text: str) -> int:
    """The time of a filter; one that cannot be read lets all pass."""
    match = _TIME.fullmatch(text)
    if match is None:
        return 0
    year, month, day, clock, zone = match.groups()
    try:
        moment = dt.datetime.fromisoformat(f"{year}-{month}-{day}T{clock}")
        return int(moment.replace(tzinfo=ZoneInfo(zone or ZONE)).timestamp() * 1_000)
    except (ValueError, ZoneInfoNotFoundError, OSError):  # a zone may be a folder of them
        return 0
