"""Pure: what OpenD says of a contract, under the name that it has here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol
from zoneinfo import ZoneInfo

from foxtrot.adapter.futu.mapping import PRICE_LIMIT
from foxtrot.adapter.futu.symbols import PLACES, QotMarket, Security
from foxtrot.model.constants import Exchange, Product
from foxtrot.model.objects import ContractData, Source

Name = tuple[str, Exchange]
"""How a contract is spelled: symbol and exchange."""

_PRODUCTS: Mapping[int, Product] = MappingProxyType(
    {
        1: Product.BOND,
        3: Product.EQUITY,
        4: Product.ETF,
        5: Product.WARRANT,
        6: Product.INDEX,
        8: Product.OPTION,
        10: Product.FUTURES,
    }
)
"""Qot_Common.SecurityType; a fund that is traded is an ETF."""

_BY_PIECE = frozenset({Product.OPTION, Product.FUTURES})
"""Traded by the piece: what OpenD calls their lot is how much of the underlying one is worth."""

_TICK = 0.01
"""Where OpenD tells no price step."""

_LEAST_TICK: Mapping[int, float] = MappingProxyType({QotMarket.HK: 0.001})
"""Where the step depends on the price, the finest: OpenD refuses a price that has another."""


class RawStatic(Protocol):
    """What is read of Qot_Common.SecurityStaticBasic."""

    lotSize: int
    secType: int
    name: str
    exchType: int


@dataclass(frozen=True, slots=True)
class Instrument:
    """A contract that OpenD knows, under the name it has here.

    `price_step` is the step at the price of the moment: in Hong Kong it depends on the price.
    """

    security: Security
    data: ContractData
    source: Source
    lot_size: int
    price_step: float
    listed_at: Exchange | None

    @property
    def symbol(self) -> str:
        """Futu's code."""
        return self.data.symbol

    @property
    def exchange(self) -> Exchange:
        """As it was asked for."""
        return self.data.exchange

    @property
    def vt_symbol(self) -> str:
        """`symbol.EXCHANGE`."""
        return self.source.vt_symbol

    @property
    def trd_sec_market(self) -> int:
        """What orders call its market."""
        return PLACES[QotMarket(self.security.market)].trd_sec_market

    @property
    def currency(self) -> str:
        """Of its prices."""
        return PLACES[QotMarket(self.security.market)].currency

    @property
    def zone(self) -> ZoneInfo:
        """Of its market."""
        return ZoneInfo(PLACES[QotMarket(self.security.market)].zone)


def instrument(
    adapter_name: str,
    name: Name,
    security: Security,
    static: RawStatic,
    price_step: float,
    listed_at: Exchange | None,
) -> Instrument:
    """A contract as it was asked for, with what OpenD says of it."""
    symbol, exchange = name
    product = _PRODUCTS.get(static.secType, Product.EQUITY)
    told = max(int(static.lotSize), 1)
    lot, size = (1, told) if product in _BY_PIECE else (told, 1)
    step = price_step if 0 < price_step < PRICE_LIMIT else _TICK
    data = ContractData(
        adapter_name,
        symbol,
        exchange,
        name=static.name or symbol,
        product=product,
        size=float(size),
        pricetick=step,
        min_volume=float(lot),
        volume_step=float(lot),
        net_position=True,
        history_data=True,
        least_pricetick=_LEAST_TICK.get(security.market, 0.0),
    )
    source = Source.of(symbol, exchange, adapter_name, data.name)
    return Instrument(security, data, source, lot, step, listed_at)
