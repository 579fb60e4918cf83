"""Messages about orders, fills, positions and accounts, by the layouts of versions 157 to 178.

Prices and quantities are integers of 1e-8; what has no value is written as TWS writes it: empty,
or as the largest double.
"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from foxtrot.simulator.accounts import Side
from foxtrot.simulator.ib_contracts import Row
from foxtrot.simulator.ib_orders import Execution, IbOrder
from foxtrot.simulator.ib_wire import UNSET_DOUBLE, UNSET_INTEGER, Value, encode
from foxtrot.simulator.listings import E8

ZONE = "US/Eastern"
"""The zone that this TWS was set to at its login; it writes local times of it."""

_NO_RIGHT = "0"
_ANY_RIGHT = "?"
_NO_MARGINS = (UNSET_DOUBLE,) * 9
_ACTIONS = {Side.BUY: "BUY", Side.SELL: "SELL"}
_TOOK, _MADE = 2, 1


def plain(value_e8: int) -> str:
    """An amount as the shortest decimal."""
    sign, value = ("-" if value_e8 < 0 else ""), abs(value_e8)
    tail = f"{value % E8:08d}".rstrip("0")
    return f"{sign}{value // E8}" + (f".{tail}" if tail else "")


def local_time(time_ms: int) -> str:
    """A time in TWS's zone, to the second."""
    moment = dt.datetime.fromtimestamp(time_ms // 1_000, ZoneInfo(ZONE))
    return f"{moment:%Y%m%d %H:%M:%S} {ZONE}"


def open_order(
    order: IbOrder, version: int, *, status: str = "", what_if: tuple[str, str] | None = None
) -> bytes:
    """5: an order with all its terms; 144 fields for a plain one at version 176.

    Args:
        order: Which one.
        version: What the client's connection speaks.
        status: Instead of its own.
        what_if: Margin and commission, as the answer to a question and no order.
    """
    return encode(
        5,
        order.order_id,
        *_contract(order.row, order.row.exchange, _ANY_RIGHT),
        *_terms(order),
        order.client_id,
        order.perm_id,
        *_allocation(order, version, shares=("",)),
        *(0, "", "", "", "", "", 0, 0, 0, 0, "", 0),  # auction strategy … minimum quantity, OCA
        *(0, 0, "", 0, 0, "", 0, "None", ""),  # e-trade only … delta neutral price
        *(0, "", "", "", "?", 0, 0, ""),  # the rest of a delta neutral order
        *(0, 0, "", "", "", "", "", 0, 0, 0),  # continuous update … legs
        *("", "", "", "", 0, "", "", 0, 0, "", 0),  # scale, hedge, clearing, algorithm; solicited
        what_if is not None,
        status or order.status,
        *_costs(order, what_if),
        *(0, 0, 0),  # randomized size and price, conditions
        *_adjusted(version),
        *_offsets(version),
    )


def completed_order(order: IbOrder, version: int) -> bytes:
    """101: an order that has ended. It names neither the client nor his id for it."""
    return encode(
        101,
        *_contract(order.row, order.row.exchange, _ANY_RIGHT),
        *_terms(order),
        order.perm_id,
        *_allocation(order, version, shares=()),
        *("", "", "", "", "", 0, 0, 0, "", 0),  # starting price … OCA type
        *(0, "", 0, "None", "", 0, 0, 0, ""),  # trigger … delta neutral
        *(0, 0, "", "", "", 0, 0, 0),  # continuous update … legs
        *("", "", "", "", "", "", 0, 0, "", 0),  # scale, hedge, clearing, algorithm; solicited
        order.status,
        *(0, 0, 0),  # randomized size and price, conditions
        *("", "", "", 0, 0, ""),  # trailing stop … automatic cancellation
        plain(order.filled_e8),
        *(0, 0, "", 0, 0, 0),  # reference contract … parent
        local_time(order.ended_ms),
        _completed_words(order),
        *_offsets(version),
    )


def order_status(order: IbOrder, *, status: str = "") -> bytes:
    """3: the state of an order, or `status` instead of it."""
    last = order.executions[-1].price_e8 if order.executions else 0
    return encode(
        3,
        order.order_id,
        status or order.status,
        plain(order.filled_e8),
        plain(order.remaining_e8),
        plain(order.average_e8),
        order.perm_id,
        0,
        plain(last),
        order.client_id,
        "",
        0,
    )


def exec_details(execution: Execution, version: int, *, req_id: int = -1) -> bytes:
    """11: a fill; `req_id` is that of the question for it, -1 when it happens."""
    order = execution.order
    return encode(
        11,
        req_id,
        order.order_id,
        *_contract(order.row, execution.exchange, _NO_RIGHT),
        execution.exec_id,
        local_time(execution.time_ms),
        order.account,
        execution.exchange,
        "BOT" if order.side is Side.BUY else "SLD",
        plain(execution.quantity_e8),
        plain(execution.price_e8),
        order.perm_id,
        order.client_id,
        0,
        plain(execution.total_e8),
        plain(execution.average_e8),
        order.ref,
        *("", "", ""),
        _MADE if execution.maker else _TOOK,
        *((0,) if version >= 178 else ()),
    )


def executions_end(req_id: int) -> bytes:
    """55."""
    return encode(55, 1, req_id)


def commission_report(execution: Execution) -> bytes:
    """59: what a fill cost, and what it brought if it closed something."""
    realized = execution.realized_e8
    return encode(
        59,
        1,
        execution.exec_id,
        plain(execution.commission_e8),
        execution.order.row.contract.currency,
        UNSET_DOUBLE if realized is None else plain(realized),
        *("", ""),
    )


def open_orders_end() -> bytes:
    """53."""
    return encode(53, 1)


def completed_orders_end() -> bytes:
    """102."""
    return encode(102)


def order_error(order_id: int, code: int, text: str, version: int) -> bytes:
    """4: an error or a notice about an order."""
    advanced = ("",) if version >= 166 else ()
    return encode(4, 2, order_id, code, text, *advanced)


def next_valid_id(order_id: int) -> bytes:
    """9."""
    return encode(9, 1, order_id)


def position(account: str, row: Row, quantity_e8: int, average_e8: int) -> bytes:
    """61: a position. Its contract has no exchange."""
    contract = _contract(row, "", _NO_RIGHT)
    return encode(61, 3, account, *contract, plain(quantity_e8), plain(average_e8))


def positions_end() -> bytes:
    """62."""
    return encode(62, 1)


def portfolio(
    account: str,
    row: Row,
    *,
    quantity_e8: int,
    price_e8: int,
    value_e8: int,
    average_e8: int,
    unrealized_e8: int,
    realized_e8: int,
) -> bytes:
    """7: a position with what it is worth."""
    amounts = (quantity_e8, price_e8, value_e8, average_e8, unrealized_e8, realized_e8)
    contract = _contract(row, row.contract.primary_exchange or row.contract.exchange, _NO_RIGHT)
    return encode(7, 8, *contract, *[plain(amount) for amount in amounts], account)


def account_value(account: str, key: str, value: str, currency: str) -> bytes:
    """6: one number or word about an account."""
    return encode(6, 2, key, value, currency, account)


def account_time(time_ms: int) -> bytes:
    """8: when the account's values were last worked out."""
    return encode(8, 1, local_time(time_ms)[9:14])


def account_end(account: str) -> bytes:
    """54."""
    return encode(54, 1, account)


def account_value_of(req_id: int, account: str, key: str, value: str, currency: str) -> bytes:
    """73: as 6, for a question with an id."""
    return encode(73, 1, req_id, account, "", key, value, currency)


def account_end_of(req_id: int) -> bytes:
    """74."""
    return encode(74, 1, req_id)


def summary(req_id: int, account: str, key: str, value: str, currency: str) -> bytes:
    """63: one row of an account summary."""
    return encode(63, 1, req_id, account, key, value, currency)


def summary_end(req_id: int) -> bytes:
    """64."""
    return encode(64, 1, req_id)


def pnl(req_id: int, daily_e8: int, unrealized_e8: int, realized_e8: int) -> bytes:
    """94: profit and loss of an account."""
    return encode(94, req_id, plain(daily_e8), plain(unrealized_e8), plain(realized_e8))


def pnl_single(req_id: int, quantity_e8: int, amounts_e8: tuple[int, int, int, int]) -> bytes:
    """95: profit and loss of a position: daily, unrealized, realized, and its value."""
    return encode(95, req_id, plain(quantity_e8), *[plain(amount) for amount in amounts_e8])


def _contract(row: Row, exchange: str, no_right: str) -> tuple[Value, ...]:
    item = row.contract
    return (
        item.con_id,
        item.symbol,
        item.sec_type,
        item.expiry,
        item.strike,
        item.right or no_right,
        item.multiplier,
        exchange,
        item.currency,
        item.local_symbol,
        item.trading_class,
    )


def _terms(order: IbOrder) -> tuple[Value, ...]:
    """From the side to the reference."""
    terms = order.terms
    return (
        _ACTIONS[order.side],
        plain(terms.quantity_e8),
        terms.kind,
        _price(terms.limit_e8),
        _price(terms.stop_e8),
        terms.tif,
        "",
        order.account,
        "",
        0,
        order.ref,
    )


def _price(price_e8: int | None) -> str:
    return "0.0" if price_e8 is None else plain(price_e8)


def _allocation(order: IbOrder, version: int, *, shares: tuple[str, ...]) -> tuple[Value, ...]:
    """From regular hours to the exemption."""
    profile = ("",) if version < 177 else ()
    return (
        order.terms.outside_rth,
        *(0, 0, ""),  # hidden, discretionary amount, good after
        *shares,
        *("", "", ""),  # group, method, percentage
        *profile,
        *("", "", "", "", "", 0, "", -1),  # model, good till … exemption
    )


def _costs(order: IbOrder, what_if: tuple[str, str] | None) -> tuple[Value, ...]:
    if what_if is None:
        return (*_NO_MARGINS, "", "", "", "", "")
    margin, commission = what_if
    margins = ("0", "0", "0", margin, margin, "0", margin, margin, "0")
    return (*margins, commission, "", "", order.row.contract.currency, "")


def _adjusted(version: int) -> tuple[Value, ...]:
    """From the adjusted type to the automatic cancellation by the parent."""
    fields: list[Value] = ["None", *(UNSET_DOUBLE,) * 6, 0, "", "", "", "", 0, 0, 0, 0]
    if version >= 159:
        fields.append(UNSET_INTEGER)
    if version >= 160:
        fields.append(UNSET_INTEGER)
    if version >= 162:
        fields.append(0)
    return tuple(fields)


def _offsets(version: int) -> tuple[Value, ...]:
    return ("", "", "", "", "") if version >= 170 else ()


def _completed_words(order: IbOrder) -> str:
    if order.status == "Filled":
        return f"Filled Size: {plain(order.filled_e8)}"
    return "Cancelled by Trader" if order.status == "Cancelled" else "Order Rejected"
