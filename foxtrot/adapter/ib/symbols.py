"""Pure: the names of contracts, as people write them.

    AAPL-USD-STK                         stock; so are CASH, IND, CFD, CMDTY, CRYPTO, FUND
    ES-20261218-USD-FUT                  future, by its last trading day
    ES-202612-USD-FUT                    … or by its month
    SI-202612-1000-USD-FUT               … of one multiplier
    AAPL-20261218-C-200-100-USD-OPT      option: expiry, right, strike, multiplier; so is FOP
    265598                               any contract, by its conId

They are those of vnpy_ib; the exchange follows a dot and is no part of the symbol.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from foxtrot.errors import ConfigurationError
from foxtrot.model.constants import Exchange, Product

PLAIN = ("STK", "CASH", "IND", "CFD", "CMDTY", "CRYPTO", "FUND")
OPTIONS = ("OPT", "FOP")
TYPES = (*PLAIN, "FUT", *OPTIONS)

PRODUCTS = {
    "STK": Product.EQUITY,
    "CASH": Product.FOREX,
    "IND": Product.INDEX,
    "CFD": Product.CFD,
    "CMDTY": Product.SPOT,
    "CRYPTO": Product.SPOT,
    "FUND": Product.FUND,
    "FUT": Product.FUTURES,
    "OPT": Product.OPTION,
    "FOP": Product.OPTION,
    "BOND": Product.BOND,
    "WAR": Product.WARRANT,
    "BAG": Product.SPREAD,
}

EXCHANGES = {
    each: each.value
    for each in (
        Exchange.SMART,
        Exchange.NYSE,
        Exchange.NASDAQ,
        Exchange.ARCA,
        Exchange.AMEX,
        Exchange.EDGEA,
        Exchange.ISLAND,
        Exchange.BATS,
        Exchange.IEX,
        Exchange.IBKRATS,
        Exchange.TSE,
        Exchange.SEHK,
        Exchange.SGX,
        Exchange.IDEALPRO,
        Exchange.CME,
        Exchange.GLOBEX,
        Exchange.CBOT,
        Exchange.NYMEX,
        Exchange.COMEX,
        Exchange.CBOE,
        Exchange.CFE,
        Exchange.ICE,
        Exchange.HKFE,
    )
} | {
    Exchange.OTC: "PINK",
    Exchange.EUREX: "EUREX",
    Exchange.LME: "LMEOTC",
    Exchange.KRX: "KSE",
    Exchange.SSE: "SEHKNTL",
    Exchange.SZSE: "SEHKSZSE",
}
"""IB's name of each exchange that can be named."""

EXCHANGES_BACK = {name: exchange for exchange, name in EXCHANGES.items()}

_EXAMPLES = {
    **{sec_type: f"AAPL-USD-{sec_type}" for sec_type in PLAIN},
    "CASH": "EUR-USD-CASH",
    "FUT": "ES-20261218-USD-FUT",
    "OPT": "AAPL-20261218-C-200-100-USD-OPT",
    "FOP": "ES-20261218-C-6000-50-USD-FOP",
}
_ROOT = re.compile(r"(?! )[!-,./-~ ]{1,32}(?<! )")
_CURRENCY = re.compile(r"[A-Z]{3}")
_EXPIRY = re.compile(r"\d{6}(\d{2})?")
_CON_ID = re.compile(r"[1-9]\d{0,9}")
_NUMBER = re.compile(r"\d{1,12}(\.\d{1,8})?")


@dataclass(frozen=True, slots=True)
class Spec:
    """What a symbol says of its contract; only `con_id`, or all but that.

    `multiplier` is text, as IB has it; `right` is C or P. Fields that the type has not are empty.
    """

    root: str = ""
    sec_type: str = ""
    currency: str = ""
    expiry: str = ""
    right: str = ""
    strike: float = 0.0
    multiplier: str = ""
    con_id: int = 0


def parse(symbol: str) -> Spec:
    """What a symbol says.

    Raises:
        ConfigurationError: `field` names the part that is wrong: symbol, type, currency, expiry,
            right, strike, multiplier, exchange or conId.
    """
    if "-" not in symbol:
        return Spec(con_id=_con_id(symbol))
    parts = symbol.split("-")
    sec_type = parts[-1]
    kind, _, exchange = sec_type.partition(".")
    if exchange and kind in TYPES:
        problem = f"{exchange!r} is not known here; such as SMART, NASDAQ, IDEALPRO, CME, CBOE"
        raise ConfigurationError(repr(symbol), "exchange", problem)
    if sec_type not in TYPES:
        allowed = ", ".join(TYPES)
        problem = f"{sec_type!r} is not known; allowed: {allowed}; such as {_EXAMPLES['STK']}"
        raise ConfigurationError(repr(symbol), "type", problem)
    reader = _Reader(symbol, sec_type)
    if sec_type == "FUT":
        return reader.future(parts)
    return reader.option(parts) if sec_type in OPTIONS else reader.plain(parts)


def format_symbol(spec: Spec) -> str:
    """The symbol that says this; what `parse` reads back."""
    if spec.con_id:
        return str(spec.con_id)
    strike = _short(Decimal(repr(spec.strike))) if spec.sec_type in OPTIONS else ""
    parts = (spec.root, spec.expiry, spec.right, strike, spec.multiplier)
    return "-".join((*filter(None, parts), spec.currency, spec.sec_type))


def number_text(text: str) -> str:
    """A number of IB's in its shortest spelling: "1000.0" is "1000"; empty if it is none."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return ""
    return _short(number) if number.is_finite() and number > 0 else ""


def _short(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _con_id(symbol: str) -> int:
    if symbol.isdigit() and symbol.isascii():
        if _CON_ID.fullmatch(symbol):
            return int(symbol)
        problem = "is a number from 1 to 10 digits that does not begin with 0"
        raise ConfigurationError(repr(symbol), "conId", problem)
    problem = f"has no type; write it as {_EXAMPLES['STK']}, or give the conId, such as 265598"
    raise ConfigurationError(repr(symbol), "type", problem)


class _Reader:
    """Reads the parts of one symbol; every complaint names the part."""

    def __init__(self, symbol: str, sec_type: str) -> None:
        self._symbol, self._sec_type = symbol, sec_type

    def plain(self, parts: list[str]) -> Spec:
        self._count(parts, 3)
        root, currency, _ = parts
        return Spec(self._root(root), self._sec_type, self._currency(currency))

    def future(self, parts: list[str]) -> Spec:
        self._count(parts, 4, 5)
        root, expiry, *middle, currency, _ = parts
        return Spec(
            self._root(root),
            self._sec_type,
            self._currency(currency),
            self._expiry(expiry),
            multiplier=self._number(middle[0], "multiplier") if middle else "",
        )

    def option(self, parts: list[str]) -> Spec:
        self._count(parts, 7)
        root, expiry, right, strike, multiplier, currency, _ = parts
        if right not in ("C", "P"):
            raise self._wrong("right", f"{right!r} must be C or P, and stands before the strike")
        return Spec(
            self._root(root),
            self._sec_type,
            self._currency(currency),
            self._expiry(expiry),
            right,
            float(self._number(strike, "strike")),
            self._number(multiplier, "multiplier"),
        )

    def _count(self, parts: list[str], *allowed: int) -> None:
        if len(parts) not in allowed:
            counts = " or ".join(map(str, allowed))
            raise self._wrong(
                "symbol", f"has {len(parts)} parts, but {self._sec_type} has {counts}"
            )

    def _root(self, text: str) -> str:
        if not _ROOT.fullmatch(text):
            raise self._wrong("symbol", f"{text!r} must be 1 to 32 letters, digits or marks")
        return text

    def _currency(self, text: str) -> str:
        if not _CURRENCY.fullmatch(text):
            raise self._wrong("currency", f"{text!r} must be three capital letters, such as USD")
        return text

    def _expiry(self, text: str) -> str:
        wrong = self._wrong("expiry", f"{text!r} must be a day or month, as 20261218 or 202612")
        if not _EXPIRY.fullmatch(text) or not text.isascii():
            raise wrong
        try:
            dt.date(int(text[:4]), int(text[4:6]), int(text[6:] or 1))
        except ValueError:
            raise wrong from None
        return text

    def _number(self, text: str, part: str) -> str:
        number = number_text(text) if _NUMBER.fullmatch(text) and text.isascii() else ""
        if not number:
            raise self._wrong(part, f"{text!r} must be a number above 0")
        return number

    def _wrong(self, part: str, problem: str) -> ConfigurationError:
        advice = f"; such as {_EXAMPLES[self._sec_type]}"
        return ConfigurationError(repr(self._symbol), part, problem + advice)
