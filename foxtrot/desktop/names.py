"""Enums and symbols of ours in vnpy's words, and back: by name, as vnpy translates the values."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

from vnpy.trader import constant as their_constants

from foxtrot.errors import ConfigurationError
from foxtrot.model import constants
from foxtrot.model.constants import Exchange, Interval, OrderType

Spelling = tuple[str, Exchange]
"""A symbol and its exchange, as foxtrot spells them."""

_GLOBAL = their_constants.Exchange.GLOBAL
_ENUMS: Final = ("Direction", "Offset", "Status", "Product", "OptionType")


def _by_name(ours: type[Enum], theirs: type[Enum]) -> Mapping[Enum, Enum]:
    return {each: theirs[each.name] for each in ours if each.name in theirs.__members__}


THEIRS: dict[Enum, Enum] = {}
for _name in _ENUMS:
    THEIRS |= _by_name(getattr(constants, _name), getattr(their_constants, _name))
OURS: dict[Enum, Enum] = {theirs: ours for ours, theirs in THEIRS.items()}
"""vnpy's directions, offsets, statuses, products and kinds of options as ours."""

_EXCHANGES = _by_name(Exchange, their_constants.Exchange)
_OUR_EXCHANGES = {theirs: ours for ours, theirs in _EXCHANGES.items()}
_SUFFIXES: dict[Exchange, str] = {
    each: "_SPOT_BINANCE" if each is Exchange.BINANCE else f"_{each.name}"
    for each in Exchange
    if each not in _EXCHANGES
}
INTERVALS = _by_name(Interval, their_constants.Interval)
OUR_INTERVALS = {theirs: ours for ours, theirs in INTERVALS.items()}
ORDER_TYPES = {
    **_by_name(OrderType, their_constants.OrderType),
    OrderType.STOP_LIMIT: their_constants.OrderType.STOP,
    OrderType.POST_ONLY: their_constants.OrderType.LIMIT,
}
ADDED_TYPES = {each.name: each for each in (OrderType.STOP_LIMIT, OrderType.POST_ONLY)}
"""Types of orders that vnpy lacks, by name; ORDER_TYPES has what each is shown as there."""


def vnpy_symbol(symbol: str, exchange: Exchange) -> tuple[str, their_constants.Exchange]:
    """How vnpy spells a contract of ours: its symbol and its exchange."""
    known = _EXCHANGES.get(exchange)
    if known is not None:
        return symbol, known
    return symbol + _SUFFIXES[exchange], _GLOBAL


def foxtrot_symbol(symbol: str, exchange: their_constants.Exchange) -> Spelling:
    """How foxtrot spells a contract of vnpy's.

    Raises:
        ConfigurationError: It is traded at an exchange that foxtrot has no name for.
    """
    if exchange is _GLOBAL:
        for ours, suffix in _SUFFIXES.items():
            if symbol.endswith(suffix) and len(symbol) > len(suffix):
                return symbol.removesuffix(suffix), ours
    known = _OUR_EXCHANGES.get(exchange)
    if not isinstance(known, Exchange):
        problem = f"{getattr(exchange, 'name', exchange)} is not known to foxtrot"
        raise ConfigurationError("vnpy", "exchange", problem)
    return symbol, known


def foxtrot_exchanges(exchanges: list[their_constants.Exchange]) -> tuple[Exchange, ...]:
    """Where a vnpy gateway may trade; GLOBAL is every exchange that vnpy has no name for, too."""
    known = [_OUR_EXCHANGES[each] for each in exchanges if each in _OUR_EXCHANGES]
    added = list(_SUFFIXES) if _GLOBAL in exchanges else []
    return tuple(each for each in (*known, *added) if isinstance(each, Exchange))


def vnpy_exchanges(exchanges: tuple[Exchange, ...]) -> list[their_constants.Exchange]:
    """The same for one of ours."""
    return list(dict.fromkeys(vnpy_symbol("", each)[1] for each in exchanges))
