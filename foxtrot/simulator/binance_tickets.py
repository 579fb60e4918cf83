"""From the parameters of a new order to a ticket: Binance's order types and its filters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

import msgspec

from foxtrot.simulator import binance_payloads as wire
from foxtrot.simulator.accounts import Account, Side, Ticket, TimeInForce
from foxtrot.simulator.binance_params import Listed, Params, refusal, symbol_of, text_of
from foxtrot.simulator.listings import Listing, notional_e8, to_e8

_DECIMAL = re.compile(r"([0-9]{1,20})(\.[0-9]{1,20})?")
_DECIMAL_TEXT = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
_CLIENT_ID = re.compile(r"[a-zA-Z0-9\-_]{1,36}")
_CLIENT_ID_TEXT = "^[a-zA-Z0-9-_]{1,36}$"
_PRECISION = 8
_ALGO = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
_PLAIN = ("timeInForce", "quantity", "price")


class _Form(msgspec.Struct, frozen=True):
    """What a type of order must say; what is not named here it must not say."""

    needs: tuple[str, ...]
    may: tuple[str, ...] = ()


_FORMS: Mapping[str, _Form] = {
    "LIMIT": _Form(_PLAIN),
    "LIMIT_MAKER": _Form(("quantity", "price")),
    "MARKET": _Form((), ("quantity", "quoteOrderQty")),
    "STOP_LOSS": _Form(("quantity", "stopPrice")),
    "STOP_LOSS_LIMIT": _Form((*_PLAIN, "stopPrice")),
    "TAKE_PROFIT": _Form(("quantity", "stopPrice")),
    "TAKE_PROFIT_LIMIT": _Form((*_PLAIN, "stopPrice")),
}
_OPTIONAL = ("timeInForce", "quantity", "price", "quoteOrderQty", "stopPrice")


class Venue(Listed, Protocol):
    """What is needed of the venue to read an order."""

    def now_ms(self) -> int:
        """The venue's clock."""


def read_ticket(venue: Venue, account: Account, params: Params, new_id: str) -> Ticket:
    """The ticket that the parameters of a new order ask for.

    Args:
        venue: Where it is traded.
        account: Whose it is.
        params: What came in.
        new_id: The client order id it gets if it names none.

    Raises:
        web.HTTPException: It is none, or a filter forbids it, in Binance's words.
    """
    symbol = symbol_of(venue, params)
    side, kind = _side(params), text_of(params, "type")
    form = _FORMS.get(kind)
    if form is None:
        raise refusal(-1116, "Invalid orderType.")
    _check_form(params, form)
    amounts = {name: _amount(params, name) for name in _OPTIONAL[1:] if name in params}
    stop = amounts.get("stopPrice")
    ticket = Ticket(
        symbol=symbol,
        side=side,
        quantity_e8=amounts.get("quantity", 0),
        price_e8=amounts.get("price"),
        stop_e8=stop,
        above=stop is not None and kind.startswith("STOP") is (side is Side.BUY),
        tif=_tif(params),
        post_only=kind == "LIMIT_MAKER",
        budget_e8=amounts.get("quoteOrderQty"),
        client_id=client_id(params, "newClientOrderId") or new_id,
        kind=kind,
    )
    _check_filters(venue, account, ticket)
    return ticket


def client_id(params: Params, name: str) -> str:
    """A client order id; empty if the request names none."""
    found = params.get(name)
    if found is None:
        return ""
    if not _CLIENT_ID.fullmatch(found):
        raise refusal(
            -1100,
            f"Illegal characters found in parameter '{name}'; legal range is '{_CLIENT_ID_TEXT}'.",
        )
    return found


def _side(params: Params) -> Side:
    try:
        return Side(text_of(params, "side"))
    except ValueError:
        raise refusal(-1117, "Invalid side.") from None


def _tif(params: Params) -> TimeInForce:
    try:
        return TimeInForce(params.get("timeInForce", "GTC"))
    except ValueError:
        raise refusal(-1115, "Invalid timeInForce.") from None


def _check_form(params: Params, form: _Form) -> None:
    for name in form.needs:
        text_of(params, name)
    for name in _OPTIONAL:
        if name in params and name not in (*form.needs, *form.may):
            raise refusal(-1106, f"Parameter '{name}' sent when not required.")
    named = [name for name in form.may if name in params]
    if form.may and len(named) != 1:
        if named:
            raise refusal(-1106, f"Parameter '{named[1]}' sent when not required.")
        first, second = form.may
        raise refusal(
            -1102, f"Param '{first}' or '{second}' must be sent, but both were empty/null!"
        )


def _amount(params: Params, name: str) -> int:
    found = params[name]
    if not _DECIMAL.fullmatch(found):
        raise refusal(
            -1100,
            f"Illegal characters found in parameter '{name}'; legal range is '{_DECIMAL_TEXT}'.",
        )
    if len(found.partition(".")[2].rstrip("0")) > _PRECISION:
        raise refusal(-1111, f"Parameter '{name}' has too much precision.")
    amount = to_e8(found)
    if amount <= 0:
        raise refusal(-1013, f"Invalid {name}.")
    return amount


def _check_filters(venue: Venue, account: Account, ticket: Ticket) -> None:
    item = venue.market.listings[ticket.symbol]
    rules = _Rules(item)
    now_ms = venue.market.now_ms(ticket.symbol)
    average = venue.market.bar(ticket.symbol, "5m", now_ms)
    average_e8 = to_e8(str(wire.average_price(average, now_ms)["price"]))
    failed = (
        rules.price(ticket, average_e8)
        or rules.quantity(ticket)
        or rules.notional(ticket, average_e8)
        or rules.count(ticket, account)
    )
    if failed:
        raise refusal(-1013, f"Filter failure: {failed}")


class _Rules:
    """The filters of a symbol, read from what exchangeInfo tells; each names itself if it fails."""

    def __init__(self, item: Listing) -> None:
        self._rows = {str(row["filterType"]): row for row in wire.filters(item)}

    def price(self, ticket: Ticket, average_e8: int) -> str | None:
        for price in (ticket.price_e8, ticket.stop_e8):
            if price is not None and not self._in_steps("PRICE_FILTER", "Price", "tickSize", price):
                return "PRICE_FILTER"
        side = "bid" if ticket.side is Side.BUY else "ask"
        low = self._e8("PERCENT_PRICE_BY_SIDE", f"{side}MultiplierDown")
        high = self._e8("PERCENT_PRICE_BY_SIDE", f"{side}MultiplierUp")
        price = ticket.price_e8
        if price is None:
            return None
        if notional_e8(average_e8, low) <= price <= notional_e8(average_e8, high):
            return None
        return "PERCENT_PRICE_BY_SIDE"

    def quantity(self, ticket: Ticket) -> str | None:
        if ticket.budget_e8 is not None:
            return None
        if not self._in_steps("LOT_SIZE", "Qty", "stepSize", ticket.quantity_e8):
            return "LOT_SIZE"
        if ticket.price_e8 is None and not self._in_steps(
            "MARKET_LOT_SIZE", "Qty", "stepSize", ticket.quantity_e8
        ):
            return "MARKET_LOT_SIZE"
        return None

    def notional(self, ticket: Ticket, average_e8: int) -> str | None:
        price = ticket.price_e8 or ticket.stop_e8 or average_e8
        worth = ticket.budget_e8 or notional_e8(price, ticket.quantity_e8)
        if worth < self._e8("NOTIONAL", "minNotional"):
            return "NOTIONAL"
        if ticket.price_e8 is not None and worth > self._e8("NOTIONAL", "maxNotional"):
            return "NOTIONAL"
        return None

    def count(self, ticket: Ticket, account: Account) -> str | None:
        kinds = [o.ticket.kind for o in account.open_orders if o.symbol == ticket.symbol]
        if len(kinds) >= self._whole("MAX_NUM_ORDERS", "maxNumOrders"):
            return "MAX_NUM_ORDERS"
        waiting = sum(kind in _ALGO for kind in kinds)
        if ticket.kind in _ALGO and waiting >= self._whole(
            "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders"
        ):
            return "MAX_NUM_ALGO_ORDERS"
        return None

    def _in_steps(self, rule: str, what: str, step: str, value: int) -> bool:
        size = self._e8(rule, step)
        low, high = self._e8(rule, f"min{what}"), self._e8(rule, f"max{what}")
        return low <= value <= high and not (size and (value - low) % size)

    def _e8(self, rule: str, field: str) -> int:
        return to_e8(str(self._rows[rule][field]))

    def _whole(self, rule: str, field: str) -> int:
        return int(str(self._rows[rule][field]))
