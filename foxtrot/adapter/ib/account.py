"""What the account holds, put together from TWS's positions, portfolio and account values. Pure.

Source: TWS API documents, "Account & Portfolio Data".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from foxtrot.adapter.ib.instruments import UNSET
from foxtrot.adapter.ib.sdk import RawContract
from foxtrot.gateway.trading import Balances
from foxtrot.model.constants import Direction, Exchange
from foxtrot.model.objects import AccountData, PositionData

NET_VALUE = "NetLiquidation"
AVAILABLE = "AvailableFunds"
CASH = "CashBalance"
_KEYS = frozenset({NET_VALUE, AVAILABLE, CASH})
_TOTAL = "BASE"
"""What TWS calls the sum over all currencies."""

_LARGEST = 1e15

PositionRow = tuple[str, RawContract, float, float]
"""Account, contract, volume (below zero if short), average cost of one piece."""


@dataclass(slots=True)
class _Held:
    name: tuple[str, Exchange]
    volume: float = 0.0
    price: float = 0.0
    pnl: float = 0.0


class Holdings:
    """The positions and values of one account.

    Args:
        adapter_name: For the data.
        account: Whose; what TWS tells of other accounts is passed over.
        name_of: How a contract is spelled here.
    """

    def __init__(
        self,
        adapter_name: str,
        account: str,
        name_of: Callable[[RawContract], tuple[str, Exchange]],
    ) -> None:
        self._adapter_name, self._account, self._name_of = adapter_name, account, name_of
        self._held: dict[int, _Held] = {}
        self._misnamed: list[_Held] = []
        """What was told before its exchange was known: nothing is held under that name."""
        self._values: dict[tuple[str, str], float] = {}

    def follow(self, before: Holdings) -> None:
        """Take up the positions that an earlier session told: what closed since is told, too."""
        self._held, self._misnamed = before._held, before._misnamed

    @property
    def has_values(self) -> bool:
        """Whether TWS has told what the account is worth."""
        return any(key == NET_VALUE for key, _ in self._values)

    def names(self) -> list[tuple[str, Exchange]]:
        """The contracts that are held."""
        return [held.name for held in self._held.values() if held.volume]

    def listed(self, rows: Iterable[PositionRow]) -> None:
        """Take the list of all positions; what it lacks is held no more.

        Raises:
            ValueError: A number cannot be believed.
        """
        shown = [row for row in rows if row[0] == self._account]
        gone = self._held.keys() - {contract.conId for _, contract, _, _ in shown}
        for con_id in gone:
            self._held[con_id] = _Held(self._held[con_id].name)
        for row in shown:
            self._name_placeless(row[1])
            self.moved(*row)

    def _name_placeless(self, contract: RawContract) -> None:
        held = self._held.get(contract.conId)
        if held is None or held.name[1] is not Exchange.GLOBAL:
            return
        name = self._name_of(contract)
        if name != held.name:
            self._misnamed.append(_Held(held.name))
            held.name = name

    def moved(
        self, account: str, contract: RawContract, volume: float, cost: float
    ) -> PositionData | None:
        """Take one position; returns it if it changed.

        Raises:
            ValueError: A number cannot be believed.
        """
        if account != self._account:
            return None
        known = self._held.get(contract.conId)
        held = known or _Held(self._name_of(contract))
        price = _if_set(cost) / _multiplier(contract)
        after = (_believed(volume), price if volume else 0.0)
        if known is not None and (held.volume, held.price) == after:
            return None
        held.volume, held.price = after
        held.pnl = held.pnl if held.volume else 0.0
        self._held[contract.conId] = held
        return self._position(held)

    def valued(
        self, contract: RawContract, volume: float, pnl: float, account: str
    ) -> PositionData | None:
        """Take what a position has gained; returns it if that changed.

        Raises:
            ValueError: A number cannot be believed.
        """
        held = self._held.get(contract.conId)
        if account != self._account or held is None or held.volume != _believed(volume):
            return None  # the position itself is told by `moved`
        gained = _if_set(pnl)
        if held.pnl == gained:
            return None
        held.pnl = gained
        return self._position(held)

    def worth(self, key: str, value: str, currency: str, account: str) -> bool:
        """Take a value of the account; returns whether something changed that is shown.

        Raises:
            ValueError: The number cannot be believed.
        """
        if key not in _KEYS or currency == _TOTAL or account != self._account:
            return False
        number = _believed(float(value))
        changed = self._values.get((key, currency)) != number
        self._values[key, currency] = number
        return changed

    def accounts(self) -> tuple[AccountData, ...]:
        """The account's worth, under its number, and its cash, as `<number>.<currency>`.

        What is frozen of its worth is what is not available for new positions.
        """
        shown = []
        for (key, currency), value in self._values.items():
            if key == NET_VALUE:
                free = self._values.get((AVAILABLE, currency), value)
                frozen = max(0.0, value - free)
                shown.append(AccountData(self._adapter_name, self._account, value, frozen))
            elif key == CASH:
                name = f"{self._account}.{currency}"
                shown.append(AccountData(self._adapter_name, name, value))
        return tuple(shown)

    def balances(self) -> Balances:
        """All of it; positions that were closed with a volume of 0."""
        held = (*self._misnamed, *self._held.values())
        return Balances(self.accounts(), tuple(map(self._position, held)))

    def _position(self, held: _Held) -> PositionData:
        symbol, exchange = held.name
        return PositionData(
            self._adapter_name,
            symbol,
            exchange,
            Direction.NET,
            held.volume,
            price=held.price,
            pnl=held.pnl,
        )


def _believed(number: float) -> float:
    if not math.isfinite(number) or abs(number) >= _LARGEST:
        raise ValueError("a number of the account cannot be believed")
    return number


def _if_set(number: float) -> float:
    return 0.0 if UNSET < number < math.inf else _believed(number)


def _multiplier(contract: RawContract) -> float:
    """By how much TWS has multiplied the cost of one piece."""
    try:
        found = float(contract.multiplier or 1)
    except ValueError:
        return 1.0
    return found if math.isfinite(found) and found > 0 else 1.0
