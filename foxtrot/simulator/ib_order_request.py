"""Reads placeOrder, by far the longest of a client's messages: 115 fields for a plain order."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from foxtrot.simulator.ib_requests import ContractQuery, PlaceOrder, Request
from foxtrot.simulator.ib_wire import Cursor, WireError

Layout = tuple[tuple[str, str], ...]
"""Names and kinds of fields: t text, n number, i whole number or empty, f flag."""


def _layout(text: str) -> Layout:
    words = text.split()
    return tuple(zip(words[::2], words[1::2], strict=True))


_HEAD = _layout("""
    sec_id_type t  sec_id t  action t  quantity n  order_type t  limit_price n  aux_price n
    tif t  oca_group t  account t  open_close t  origin i  order_ref t  transmit f  parent_id i
    block_order f  sweep_to_fill f  display_size i  trigger_method i  outside_rth f  hidden f
""")
_GROUP = _layout("""
    shares_allocation t  discretionary_amount n  good_after_time t  good_till_date t
    fa_group t  fa_method t  fa_percentage t
""")
_PROFILE = _layout("fa_profile t")
_DETAILS = _layout("""
    model_code t  short_sale_slot i  designated_location t  exempt_code i  oca_type i  rule_80a t
    settling_firm t  all_or_none f  min_quantity i  percent_offset n  e_trade_only f
    firm_quote_only f  nbbo_price_cap n  auction_strategy i  starting_price n  stock_ref_price n
    delta n  range_lower n  range_upper n  override_constraints f  volatility n  volatility_type i
    neutral_order_type t  neutral_aux_price n
""")
_NEUTRAL = _layout("""
    neutral_con_id i  neutral_firm t  neutral_account t  neutral_intent t  neutral_open_close t
    neutral_short_sale f  neutral_slot i  neutral_location t
""")
_TRAIL = _layout("""
    continuous_update f  reference_price_type i  trail_stop_price n  trailing_percent n
    scale_initial i  scale_subsequent i  scale_increment n
""")
_SCALE = _layout("""
    scale_adjust_value n  scale_adjust_interval i  scale_profit n  scale_auto_reset f
    scale_position i  scale_filled i  scale_random f
""")
_ACTIVE = _layout("scale_table t  active_start t  active_stop t  hedge_type t")
_CLEARING = _layout("opt_out_smart f  clearing_account t  clearing_intent t  not_held f")
_AFTER_ALGO = _layout("""
    algo_id t  what_if f  misc_options t  solicited f  randomize_size f  randomize_price f
""")
_BENCHMARK = _layout("ref_contract i  decrease f  change n  ref_change n  ref_exchange t")
_CONDITIONS = {
    1: _layout("conjunction t  is_more f  price n  con_id i  exchange t  trigger_method i"),
    3: _layout("conjunction t  is_more f  time t"),
    4: _layout("conjunction t  is_more f  percent i"),
    5: _layout("conjunction t  sec_type t  exchange t  symbol t"),
    6: _layout("conjunction t  is_more f  volume i  con_id i  exchange t"),
    7: _layout("conjunction t  is_more f  change n  con_id i  exchange t"),
}
_AFTER_CONDITIONS = _layout("conditions_ignore_rth f  conditions_cancel f")
_ADJUSTED = _layout("""
    adjusted_type t  trigger_price n  limit_offset n  adjusted_stop n  adjusted_limit n
    adjusted_trail n  adjusted_unit i  operator t  tier_name t  tier_value t  cash_quantity n
    decision_maker t  decision_algo t  execution_trader t  execution_algo t  no_auto_price f
    oms_container f  up_to_limit f  price_management f
""")
_SINCE = (
    (158, _layout("duration i")),
    (160, _layout("post_to_ats i")),
    (162, _layout("auto_cancel_parent f")),
    (166, _layout("advanced_error_override t")),
    (169, _layout("manual_order_time t")),
)
"""What newer server versions added at the end."""

_READERS: Mapping[str, Callable[[Cursor], object]] = {
    "t": Cursor.text,
    "n": Cursor.number,
    "i": Cursor.optional_integer,
    "f": Cursor.flag,
}
_KEPT = frozenset(field.name for field in msgspec.structs.fields(PlaceOrder))


_EXTRAS: Mapping[str, str] = {
    "display_size": "displaySize",
    "min_quantity": "minQty",
    "discretionary_amount": "discretionaryAmt",
    "fa_group": "faGroup",
    "fa_method": "faMethod",
    "neutral_order_type": "deltaNeutralOrderType",
    "scale_increment": "scalePriceIncrement",
    "active_start": "activeStartTime",
    "active_stop": "activeStopTime",
    "hedge_type": "hedgeType",
    "algorithm": "algoStrategy",
    "conditions": "conditions",
    "adjusted_type": "adjustedOrderType",
    "cash_quantity": "cashQty",
}


def read_contract(cursor: Cursor) -> ContractQuery:
    """The twelve fields by which a client describes a contract.

    Raises:
        WireError: They are not there, or a number is none.
    """
    return ContractQuery(
        con_id=cursor.integer(),
        symbol=cursor.text(),
        sec_type=cursor.text(),
        expiry=cursor.text(),
        strike=cursor.number() or 0.0,
        right=cursor.text(),
        multiplier=cursor.text(),
        exchange=cursor.text(),
        primary_exchange=cursor.text(),
        currency=cursor.text(),
        local_symbol=cursor.text(),
        trading_class=cursor.text(),
    )


def read_order(cursor: Cursor, version: int) -> Request:
    """The rest of a placeOrder, after its message id.

    Raises:
        WireError: A field is missing, or not what it must be.
    """
    order_id, contract = cursor.integer(), read_contract(cursor)
    found = _read(cursor, _HEAD)
    if contract.sec_type == "BAG":
        cursor.skip(8 * cursor.integer())
        cursor.skip(cursor.integer())
        cursor.skip(2 * cursor.integer())
    found |= _read(cursor, _GROUP + (_PROFILE if version < 177 else ()) + _DETAILS)
    if found["neutral_order_type"]:
        _read(cursor, _NEUTRAL)
    found |= _read_strategy(cursor)
    found |= _read(cursor, _AFTER_ALGO)
    if found["order_type"] in ("PEG BENCH", "PEGBENCH"):
        _read(cursor, _BENCHMARK)
    found["conditions"] = _read_conditions(cursor)
    found |= _read(cursor, _ADJUSTED)
    for since, layout in _SINCE:
        if version >= since:
            _read(cursor, layout)
    if version >= 170:
        _read_offsets(cursor, contract, str(found["order_type"]))
    if found["quantity"] is None:
        raise WireError("the quantity is missing")
    make: Callable[..., Request] = PlaceOrder
    kept = {name: value for name, value in found.items() if name in _KEPT}
    extras = tuple(name for ours, name in _EXTRAS.items() if found[ours])
    return make(order_id=order_id, contract=contract, extras=extras, **kept)


def _read(cursor: Cursor, layout: Layout) -> dict[str, object]:
    return {name: _READERS[kind](cursor) for name, kind in layout}


def _read_strategy(cursor: Cursor) -> dict[str, object]:
    """Trailing, scale, hedge, clearing and algorithm."""
    found = _read(cursor, _TRAIL)
    increment = found["scale_increment"]
    if isinstance(increment, float) and increment > 0:
        _read(cursor, _SCALE)
    found |= _read(cursor, _ACTIVE)
    if found["hedge_type"]:
        cursor.skip(1)
    _read(cursor, _CLEARING)
    if cursor.flag():
        cursor.skip(3)
    found["algorithm"] = cursor.text()
    if found["algorithm"]:
        cursor.skip(2 * cursor.integer())
    return found


def _read_conditions(cursor: Cursor) -> int:
    """How many there are."""
    count = cursor.integer()
    for _ in range(count):
        kind = cursor.integer()
        if kind not in _CONDITIONS:
            raise WireError(f"condition type {kind} is unknown")
        _read(cursor, _CONDITIONS[kind])
    if count:
        _read(cursor, _AFTER_CONDITIONS)
    return count


def _read_offsets(cursor: Cursor, contract: ContractQuery, order_type: str) -> None:
    """What orders that peg, and those of one exchange, have at their end."""
    if contract.exchange == "IBKRATS":
        cursor.skip(1)
    if order_type in ("PEG BEST", "PEGBEST"):
        cursor.skip(1)
        if cursor.text() == "Infinite":
            cursor.skip(2)
    elif order_type in ("PEG MID", "PEGMID"):
        cursor.skip(2)
