"""What a simulated venue lists: symbols with their grids and a plausible price.

All prices and quantities of the simulators are integers in units of 1e-8, so that grids, sums
and texts are exact.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Protocol, TypeVar

import msgspec

from foxtrot.errors import ConfigurationError

E8 = 100_000_000

DEFAULT_SYMBOLS = (
    "BTCUSDT",
    "ETHUSDT",
    "BNBUSDT",
    "SOLUSDT",
    "XRPUSDT",
    "DOGEUSDT",
    "BTCUSDC",
    "BTCEUR",
    "ETHBTC",
    "BNBETH",
)

_USD = {
    "USDT": 1.0,
    "USDC": 1.0,
    "FDUSD": 1.0,
    "EUR": 1.09,
    "TRY": 0.029,
    "BTC": 61_250.0,
    "ETH": 2_640.0,
    "BNB": 585.0,
    "SOL": 148.0,
    "XRP": 0.56,
    "ADA": 0.36,
    "DOGE": 0.115,
    "LTC": 67.0,
    "LINK": 11.4,
    "AVAX": 26.5,
    "DOT": 4.3,
    "TRX": 0.155,
    "SHIB": 0.0000175,
}
_QUOTES = ("FDUSD", "USDT", "USDC", "EUR", "TRY", "BTC", "ETH", "BNB")
_TYPICAL_LEVEL_USD = 8_000.0


class Listing(msgspec.Struct, frozen=True):
    """One symbol. `gap_e8` is the distance of the book's levels, `lot_e8` a typical quantity."""

    symbol: str
    base: str
    quote: str
    price_e8: int
    tick_e8: int
    step_e8: int
    gap_e8: int
    lot_e8: int
    min_notional_e8: int


class Named(Protocol):
    """What can be chosen by its name."""

    @property
    def name(self) -> str:
        """Unlike any other's."""


N = TypeVar("N", bound=Named)


def decimal8(value_e8: int) -> str:
    """An amount of 1e-8 units as the venue writes it, with eight decimals."""
    if value_e8 < 0:
        return "-" + decimal8(-value_e8)
    return f"{value_e8 // E8}.{value_e8 % E8:08d}"


def to_e8(amount: str | float | Decimal) -> int:
    """An amount in units of 1e-8, rounded to the nearest."""
    return round(Decimal(str(amount)) * E8)


def notional_e8(price_e8: int, quantity_e8: int) -> int:
    """Price times quantity, exact to the unit below."""
    return price_e8 * quantity_e8 // E8


def listing(symbol: str) -> Listing:
    """The listing of `symbol`; an unknown base gets a price derived from its name.

    Raises:
        ConfigurationError: The symbol is not upper-case ASCII or ends in no known quote currency.
    """
    base, quote = _split(symbol)
    price = _usd(base) / _usd(quote)
    tick_e8 = _tick_e8(price)
    step_e8 = _step_e8(_usd(base))
    price_e8 = max(tick_e8 * 1000, to_e8(price) // tick_e8 * tick_e8)
    gap_e8 = max(1, round(price_e8 / tick_e8 * 1e-5)) * tick_e8
    lot_e8 = max(1, to_e8(_TYPICAL_LEVEL_USD / _usd(base)) // step_e8) * step_e8
    min_notional_e8 = to_e8(5.0 / _usd(quote)) if _usd(quote) < 100 else to_e8(0.0001)
    return Listing(symbol, base, quote, price_e8, tick_e8, step_e8, gap_e8, lot_e8, min_notional_e8)


def chosen(
    names: Sequence[str] | None,
    listed: Iterable[N],
    made_up: Callable[[str], N | None],
    title: str,
) -> list[N]:
    """What a venue lists, or those of it that are named.

    Args:
        names: Which; all, if None.
        listed: What there is.
        made_up: Makes what is not among them, for whoever names it.
        title: What people call the venue.

    Raises:
        ConfigurationError: There is no such name.
    """
    known = {item.name: item for item in listed}
    if names is None:
        return list(known.values())
    found = []
    for name in names:
        item = made_up(name) or known.get(name)
        if item is None:
            problem = f"{name!r} is not listed; listed are: {', '.join(sorted(known))}"
            raise ConfigurationError(title, "symbols", problem)
        found.append(item)
    return found


def _split(symbol: str) -> tuple[str, str]:
    if symbol.isascii() and symbol.isalnum() and symbol.upper() == symbol:
        for quote in _QUOTES:
            if symbol.endswith(quote) and len(symbol) > len(quote):
                return symbol.removesuffix(quote), quote
    problem = f"{symbol!r} is no upper-case symbol that ends in one of {', '.join(_QUOTES)}"
    raise ConfigurationError("simulated venue", "symbols", problem)


def _usd(asset: str) -> float:
    known = _USD.get(asset)
    if known is not None:
        return known
    share = zlib.crc32(asset.encode()) / 2**32
    return float(10 ** (share * 4 - 1))


def _tick_e8(price: float) -> int:
    exponent = math.floor(math.log10(price))
    decimals = min(8, max(2, 5 - exponent))
    return int(10 ** (8 - decimals))


def _step_e8(base_usd: float) -> int:
    exponent = math.floor(math.log10(base_usd))
    decimals = min(5, max(0, exponent + 1))
    return int(10 ** (8 - decimals))
