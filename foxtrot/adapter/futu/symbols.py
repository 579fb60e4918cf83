"""How contracts are spelled here, and what OpenD calls them. Pure.

Symbols are Futu's codes, exchanges are ours: 00700 at SEHK, AAPL at NASDAQ or SMART, 600519 at SSE,
000001 at SZSE. Of the US, Futu knows one market only, so any US exchange finds the contract.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from foxtrot.errors import ConfigurationError
from foxtrot.model.constants import Exchange


class QotMarket(IntEnum):
    """Qot_Common.QotMarket: the market of a contract, in all but orders."""

    HK = 1
    US = 11
    SH = 21
    SZ = 22


class Security(NamedTuple):
    """A contract as OpenD names it in all but orders: `Qot_Common.Security`."""

    market: int
    code: str


class Place(msgspec.Struct, frozen=True):
    """A market.

    Args:
        prefix: Of names as Futu's own programs write them.
        zone: Of its times that come as text.
        trd_sec_market: What orders call it (Trd_Common.TrdSecMarket).
        currency: Of its prices.
    """

    prefix: str
    zone: str
    trd_sec_market: int
    currency: str


PLACES: Mapping[QotMarket, Place] = MappingProxyType(
    {
        QotMarket.HK: Place("HK", "Asia/Hong_Kong", 1, "HKD"),
        QotMarket.US: Place("US", "America/New_York", 2, "USD"),
        QotMarket.SH: Place("SH", "Asia/Shanghai", 31, "CNH"),
        QotMarket.SZ: Place("SZ", "Asia/Shanghai", 32, "CNH"),
    }
)

EXCHANGES: Mapping[Exchange, QotMarket] = MappingProxyType(
    {
        Exchange.SEHK: QotMarket.HK,
        Exchange.SMART: QotMarket.US,
        Exchange.NASDAQ: QotMarket.US,
        Exchange.NYSE: QotMarket.US,
        Exchange.AMEX: QotMarket.US,
        Exchange.ARCA: QotMarket.US,
        Exchange.BATS: QotMarket.US,
        Exchange.IEX: QotMarket.US,
        Exchange.OTC: QotMarket.US,
        Exchange.SSE: QotMarket.SH,
        Exchange.SZSE: QotMarket.SZ,
    }
)
"""The exchanges that a request may name, and the market that each is in."""

_SUSPECT = re.compile(r"[^!-~]")  # anything but visible ASCII
_LONGEST = 32
_HK_DIGITS = 5
_CN_DIGITS = 6
_PREFIX = re.compile(r"(?i)(HK|US|SH|SZ)\.")

_EXCH_TYPES: Mapping[int, Exchange] = MappingProxyType(
    {4: Exchange.NYSE, 5: Exchange.NASDAQ, 6: Exchange.OTC, 7: Exchange.AMEX}
)
"""Qot_Common.ExchType: NYSE, Nasdaq, pink sheets, AMEX. Every other market is one exchange here."""

_BY_MARKET: Mapping[QotMarket, Exchange] = MappingProxyType(
    {
        QotMarket.HK: Exchange.SEHK,
        QotMarket.US: Exchange.SMART,
        QotMarket.SH: Exchange.SSE,
        QotMarket.SZ: Exchange.SZSE,
    }
)


def parse(symbol: str, exchange: Exchange) -> Security:
    """What OpenD calls a contract.

    Raises:
        ConfigurationError: It cannot be one; the text says why, and how it would be written.
    """
    market = EXCHANGES.get(exchange)
    if market is None:
        known = ", ".join(each.value for each in EXCHANGES)
        raise _wrong("exchange", f"{exchange.value} is not one of Futu's: {known}")
    if not symbol or len(symbol) > _LONGEST or _SUSPECT.search(symbol):
        raise _wrong("symbol", "is no code of Futu's, such as 00700, AAPL or 600519")
    if _PREFIX.match(symbol):
        raise _wrong("symbol", f"{symbol!r} carries its market; write {_here(symbol)} instead")
    digits = {QotMarket.HK: _HK_DIGITS, QotMarket.SH: _CN_DIGITS, QotMarket.SZ: _CN_DIGITS}
    needed = digits.get(market)
    if needed is not None and symbol.isdecimal() and len(symbol) != needed:
        padded = market is QotMarket.HK and len(symbol) < needed
        meant = f"; write {symbol.zfill(needed)}" if padded else ""
        raise _wrong("symbol", f"{symbol!r} must have {needed} digits at {exchange.value}{meant}")
    return Security(int(market), symbol)


def exchange_of(market: int, exch_type: int) -> Exchange | None:
    """Where a contract is traded by its ExchType, or by its market; None if it is not one of ours.

    Exchanges that a request could not name are told by their market.
    """
    try:
        place = QotMarket(market)
    except ValueError:
        return None
    named = _EXCH_TYPES.get(exch_type)
    return named if named is not None and EXCHANGES.get(named) is place else _BY_MARKET[place]


def market_of_order(trd_sec_market: int) -> QotMarket | None:
    """The market that an order or a position means; None if it is not one of ours."""
    for market, place in PLACES.items():
        if place.trd_sec_market == trd_sec_market:
            return market
    return None


def _here(name: str) -> str:
    """How a name of Futu's own, such as US.AAPL, is written here."""
    prefix, _, code = name.partition(".")
    market = next(each for each, place in PLACES.items() if place.prefix == prefix.upper())
    return f"{code}.{_BY_MARKET[market].value}"


def _wrong(field: str, problem: str) -> ConfigurationError:
    return ConfigurationError("subscribe", field, problem)
