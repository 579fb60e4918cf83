"""Accounts of the simulated Futu: cash by currency, positions, and what can be bought.

Half of a position's value is asked for as margin, and as much for what an order would open, so a
position may be short. Currencies are valued at fixed rates; nothing is charged for a trade.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from foxtrot.simulator.accounts import Account, Amount, Fill, Order, Reason, Side, rejected
from foxtrot.simulator.futu_contracts import FutuContract, Universe
from foxtrot.simulator.holdings import Holding as AnyHolding
from foxtrot.simulator.holdings import opened_e8
from foxtrot.simulator.listings import Listing, notional_e8
from foxtrot.simulator.market import Market

SIMULATE, REAL = 0, 1
"""TrdEnv."""
HK, US, CN, HKCC = 1, 2, 3, 4
"""TrdMarket."""
CURRENCIES: Mapping[int, str] = MappingProxyType({1: "HKD", 2: "USD", 3: "CNH"})
"""Trd_Common.Currency."""
BASE = "HKD"

_RATES = {"HKD": 1.0, "USD": 7.8, "CNH": 1.09}
_MARGIN_PERCENT = 50


SIMULATED_PASSWORD = "123456"  # noqa: S105 - unlocks nothing elsewhere
"""The trade password of a simulated user who was given none."""


class AccountSpec(msgspec.Struct, frozen=True):
    """An account as it is opened: its id, TrdEnv, the TrdMarkets it may trade, and its cash."""

    acc_id: int
    env: int
    markets: tuple[int, ...]
    cash: Mapping[str, Amount]

    @property
    def real(self) -> bool:
        """Whether it trades for real; else it is for practice."""
        return self.env == REAL

    def market_of(self, contract: FutuContract) -> int:
        """The TrdMarket by which it reaches a security; China's are reached from Hong Kong too."""
        market = contract.place.trd_market
        return HKCC if market == CN and HKCC in self.markets else market


DEFAULT_ACCOUNTS = (
    AccountSpec(
        281_756_457_982_434_020,
        REAL,
        (HK, US, HKCC),
        {"HKD": 10_000_000, "USD": 1_000_000, "CNH": 5_000_000},
    ),
    AccountSpec(9_053_218, SIMULATE, (HK,), {"HKD": 10_000_000}),
    AccountSpec(9_053_219, SIMULATE, (US,), {"USD": 1_000_000}),
    AccountSpec(9_053_220, SIMULATE, (CN,), {"CNH": 10_000_000}),
)
"""One account for real, and one for practice in each market. The first id is beyond a double's."""


class Holding(AnyHolding[FutuContract]):
    """A position."""


class FutuAccount(Account):
    """One account.

    Args:
        spec: As what it was opened.
        universe: What can be held.
        market: What it is worth.
    """

    def __init__(self, spec: AccountSpec, universe: Universe, market: Market) -> None:
        super().__init__(str(spec.acc_id), spec.cash, fee_e8=0)
        self.spec = spec
        self.holdings: dict[str, Holding] = {}
        self._universe, self._market = universe, market

    @property
    def currency(self) -> str:
        """What it is counted in when nobody asks for another one."""
        return next(iter(self.spec.cash), BASE)

    def lock(self, order: Order, item: Listing, amount_e8: int) -> None:
        """Check that an order can be carried.

        Raises:
            OrderRejected: It would need more margin than there is.
        """
        if amount_e8 and self._opening_e8(order) > self.available_e8(besides=order):
            raise rejected(Reason.BALANCE, "the buying power does not suffice")

    def settle(self, order: Order, item: Listing, fill: Fill, lock_e8: int) -> None:
        """Book a fill: cash and position."""
        order.book(fill)
        sign = 1 if fill.side is Side.BUY else -1
        holding = self.holdings.setdefault(
            fill.symbol, Holding(self._universe.contracts[fill.symbol])
        )
        holding.book(sign * fill.quantity_e8, sign * fill.turnover_e8)
        self.balance(item.quote).free_e8 -= sign * fill.turnover_e8

    def positions(self) -> list[Holding]:
        """What it holds."""
        return [holding for holding in self.holdings.values() if holding.quantity_e8]

    def price_e8(self, name: str) -> int:
        """What a share is worth now: the best bid."""
        return self._market.quote(name).bid_e8

    def worth_e8(self, holding: Holding) -> int:
        """What a position is worth, in the currency of its market; below zero if it is short."""
        return notional_e8(self.price_e8(holding.contract.name), holding.quantity_e8)

    def cash_e8(self) -> int:
        """All cash, in the base currency."""
        return sum(base_e8(asset, each.free_e8) for asset, each in self.balances.items())

    def market_value_e8(self) -> int:
        """All positions, in the base currency."""
        return sum(
            base_e8(each.contract.place.asset, self.worth_e8(each)) for each in self.positions()
        )

    def frozen_e8(self, besides: Order | None = None) -> int:
        """What stands behind open orders, in the base currency."""
        others = (order for order in self.open_orders if order is not besides)
        return sum(self._opening_e8(order) for order in others)

    def available_e8(self, besides: Order | None = None) -> int:
        """What can stand behind new orders, in the base currency; at least nothing."""
        gross = sum(
            abs(base_e8(each.contract.place.asset, self.worth_e8(each)))
            for each in self.positions()
        )
        equity = self.cash_e8() + self.market_value_e8()
        used = gross * _MARGIN_PERCENT // 100
        return max(0, equity - used - self.frozen_e8(besides))

    def power_e8(self, besides: Order | None = None) -> tuple[int, int]:
        """What new orders may be worth: for cash, and with margin; in the base currency."""
        most = self.available_e8(besides) * 100 // _MARGIN_PERCENT
        return max(0, min(self.cash_e8() - self.frozen_e8(besides), most)), most

    def can_sell_e8(self, holding: Holding) -> int:
        """How much of a position no open order would close."""
        leaving = Side.SELL if holding.quantity_e8 > 0 else Side.BUY
        claimed = sum(
            order.remaining_e8
            for order in self.open_orders
            if order.symbol == holding.contract.name and order.ticket.side is leaving
        )
        return max(0, abs(holding.quantity_e8) - claimed)

    def _opening_e8(self, order: Order) -> int:
        """The margin for what the rest of an order would open, in the base currency."""
        holding = self.holdings.get(order.symbol)
        opened = opened_e8(order, holding.quantity_e8 if holding else 0)
        price = order.ticket.price_e8 or order.ticket.stop_e8 or self.price_e8(order.symbol)
        asset = self._universe.contracts[order.symbol].place.asset
        return base_e8(asset, notional_e8(price, opened)) * _MARGIN_PERCENT // 100


def exchanged_e8(amount_e8: int, currency: str) -> int:
    """An amount of the base currency in another one."""
    return round(amount_e8 / _RATES[currency])


def base_e8(currency: str, amount_e8: int) -> int:
    """An amount of a currency in the base one."""
    return round(amount_e8 * _RATES.get(currency, 1.0))
