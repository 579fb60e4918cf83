"""Margin accounts of the simulated Interactive Brokers: cash, positions and profit.

A position may be short. What an order opens needs a share of its value as margin; nothing is
locked for it before it trades. Currencies are valued at fixed rates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from foxtrot.simulator.accounts import Account, Amount, Fill, Order, Reason, Side, rejected
from foxtrot.simulator.holdings import Holding as AnyHolding
from foxtrot.simulator.holdings import opened_e8
from foxtrot.simulator.ib_contracts import Row, Universe
from foxtrot.simulator.ib_listings import IbContract
from foxtrot.simulator.listings import E8, Listing, notional_e8
from foxtrot.simulator.market import Market

BASE = "USD"

_RATES = {"USD": 1.0, "EUR": 1.085, "GBP": 1.265, "CHF": 1.13, "MXN": 0.05}
_MARGIN = {"STK": 25, "FUT": 6, "CASH": 3, "OPT": 100, "IND": 100}
"""Percent of its value that a position needs."""
_WITHOUT_CASH = frozenset({"FUT"})
_CENT_E8 = E8 // 100

Values = Sequence[tuple[str, str, str]]
"""Key, value and currency of what is told about an account."""


class Holding(AnyHolding[IbContract]):
    """A position. The cost is signed as the quantity is, with commissions and the multiplier."""

    @property
    def row(self) -> Row:
        """The contract, where it is at home."""
        return Row(self.contract, self.contract.exchange)


class Booking(msgspec.Struct, frozen=True):
    """What a fill cost, and what it realized; None if it closed nothing."""

    commission_e8: int
    realized_e8: int | None


class IbAccount(Account):
    """One customer.

    Args:
        name: Such as DU1234567.
        cash: What it starts with, by currency.
        universe: What can be held.
        market: What it is worth.
    """

    def __init__(
        self, name: str, cash: Mapping[str, Amount], universe: Universe, market: Market
    ) -> None:
        super().__init__(name, cash, fee_e8=0)
        self.holdings: dict[str, Holding] = {}
        self.booking = Booking(0, None)
        """Of the fill that was settled last."""
        self._universe, self._market = universe, market

    def lock(self, order: Order, item: Listing, amount_e8: int) -> None:
        """Check that an order can be carried; nothing is set aside.

        Raises:
            OrderRejected: The funds do not suffice.
        """
        if amount_e8 and self.margin_of(order) > max(0, self.available_e8()):
            raise rejected(Reason.BALANCE, "the available funds do not suffice")

    def settle(self, order: Order, item: Listing, fill: Fill, lock_e8: int) -> None:
        """Book a fill: cash, position, commission and profit."""
        order.book(fill)
        holding = self._holding(fill.symbol)
        contract = holding.contract
        commission = commission_e8(contract, fill.quantity_e8, fill.turnover_e8)
        signed = fill.quantity_e8 if fill.side is Side.BUY else -fill.quantity_e8
        value = fill.turnover_e8 * _multiplier(contract) * (1 if signed > 0 else -1)
        realized = holding.book(signed, value, commission)
        cash = self.balance(contract.currency)
        if contract.sec_type in _WITHOUT_CASH:
            cash.free_e8 += realized or 0
        else:
            cash.free_e8 -= value + commission
        if contract.sec_type == "CASH":
            self.balance(contract.symbol).free_e8 += signed
        self.booking = Booking(commission, realized)

    def correct(self, name: str, signed_e8: int, change_e8: int) -> None:
        """The price of a fill was another one, by `change_e8`."""
        holding = self._holding(name)
        change = notional_e8(change_e8, signed_e8) * _multiplier(holding.contract)
        holding.cost_e8 += change
        if holding.contract.sec_type not in _WITHOUT_CASH:
            self.balance(holding.contract.currency).free_e8 -= change

    def margin_of(self, order: Order) -> int:
        """What an order needs as margin for what it would open, in the base currency."""
        contract = self._universe.contracts[order.symbol]
        opened = opened_e8(order, self._holding(order.symbol).quantity_e8)
        price = order.ticket.price_e8 or order.ticket.stop_e8 or self.price_e8(order.symbol)
        return _margin_e8(contract, notional_e8(price, opened))

    def reckon(self, name: str, quantity_e8: int, price_e8: int) -> tuple[str, str]:
        """Margin and commission of a trade that is only thought of."""
        contract, turnover = self._universe.contracts[name], notional_e8(price_e8, quantity_e8)
        commission = commission_e8(contract, quantity_e8, turnover)
        return _money(_margin_e8(contract, turnover)), _money(commission)

    def price_e8(self, name: str) -> int:
        """What a contract is valued at: the middle of its market."""
        quote = self._market.quote(name)
        return (quote.bid_e8 + quote.ask_e8) // 2

    def value_e8(self, holding: Holding) -> int:
        """What a position is worth, in its own currency."""
        each = notional_e8(self.price_e8(holding.contract.name), holding.quantity_e8)
        return each * _multiplier(holding.contract)

    def unrealized_e8(self, holding: Holding) -> int:
        """Its profit so far."""
        return self.value_e8(holding) - holding.cost_e8 if holding.quantity_e8 else 0

    def positions(self) -> list[Holding]:
        """What is held now."""
        return [each for each in self.holdings.values() if each.quantity_e8]

    def available_e8(self) -> int:
        """What can still carry something new, in the base currency."""
        return self.equity_e8() - self._used_e8()

    def equity_e8(self) -> int:
        """Cash and positions, in the base currency."""
        return self._cash_e8() + sum(self._worth_e8(each) for each in self.positions())

    def profit_e8(self) -> tuple[int, int]:
        """Unrealized and realized, in the base currency."""
        each = self.holdings.values()
        unrealized = sum(_base_e8(h.contract.currency, self.unrealized_e8(h)) for h in each)
        realized = sum(_base_e8(h.contract.currency, h.realized_e8) for h in each)
        return unrealized, realized

    def values(self) -> Values:
        """Everything that is told about the account."""
        equity, used, cash = self.equity_e8(), self._used_e8(), self._cash_e8()
        unrealized, realized = self.profit_e8()
        stocks = sum(self._worth_e8(h) for h in self.positions() if h.contract.sec_type == "STK")
        gross = sum(abs(self._worth_e8(each)) for each in self.positions())
        amounts = {
            "AccruedCash": 0,
            "AvailableFunds": equity - used,
            "BuyingPower": 4 * (equity - used),
            "EquityWithLoanValue": equity,
            "ExcessLiquidity": equity - used,
            "FullInitMarginReq": used,
            "FullMaintMarginReq": used,
            "GrossPositionValue": gross,
            "InitMarginReq": used,
            "MaintMarginReq": used,
            "NetLiquidation": equity,
            "TotalCashValue": cash,
        }
        ledger = {
            "RealizedPnL": realized,
            "StockMarketValue": stocks,
            "TotalCashBalance": cash,
            "UnrealizedPnL": unrealized,
        }
        words = (("AccountCode", self.name), ("AccountReady", "true"), ("AccountType", "MARGIN"))
        return [
            *[(key, value, "") for key, value in words],
            *[(key, _money(amount), BASE) for key, amount in amounts.items()],
            *[(key, _money(amount), "BASE") for key, amount in ledger.items()],
            ("CashBalance", _money(cash), "BASE"),
            *[("CashBalance", _money(each.free_e8), c) for c, each in self.balances.items()],
            *[("ExchangeRate", f"{_RATES.get(c, 1.0):.4f}", c) for c in self.balances],
        ]

    def _cash_e8(self) -> int:
        return sum(_base_e8(currency, each.free_e8) for currency, each in self.balances.items())

    def _used_e8(self) -> int:
        return sum(_margin_e8(h.contract, abs(self._raw_e8(h))) for h in self.positions())

    def _raw_e8(self, holding: Holding) -> int:
        """Price times quantity, without the multiplier."""
        return notional_e8(self.price_e8(holding.contract.name), holding.quantity_e8)

    def _worth_e8(self, holding: Holding) -> int:
        """What a position adds to the cash; a currency pair is in the cash already."""
        contract = holding.contract
        if contract.sec_type == "CASH":
            return 0
        futures = contract.sec_type in _WITHOUT_CASH
        own = self.unrealized_e8(holding) if futures else self.value_e8(holding)
        return _base_e8(contract.currency, own)

    def _holding(self, name: str) -> Holding:
        return self.holdings.setdefault(name, Holding(self._universe.contracts[name]))


def commission_e8(contract: IbContract, quantity_e8: int, turnover_e8: int) -> int:
    """What a fill costs, in the currency of the contract; about what IBKR's fixed prices are."""
    if contract.sec_type == "STK":
        return max(E8, quantity_e8 // 200)
    if contract.sec_type == "CASH":
        return max(2 * E8, turnover_e8 // 50_000)
    each_e8 = 225 * _CENT_E8 if contract.sec_type == "FUT" else 65 * _CENT_E8
    return max(E8, notional_e8(each_e8, quantity_e8))


def _multiplier(contract: IbContract) -> int:
    return int(contract.multiplier or 1)


def _base_e8(currency: str, amount_e8: int) -> int:
    return round(amount_e8 * _RATES.get(currency, 1.0))


def _margin_e8(contract: IbContract, value_e8: int) -> int:
    value = value_e8 * _multiplier(contract) * _MARGIN[contract.sec_type] // 100
    return _base_e8(contract.currency, value)


def _money(amount_e8: int) -> str:
    return f"{amount_e8 / E8:.2f}"
