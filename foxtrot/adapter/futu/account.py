"""Which account is traded, and what it holds, put together from OpenD's lists. Pure.

Source: OpenAPI documents, "Get the list of trading accounts", "Get account funds", "Get positions
list".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from foxtrot.adapter.futu import order_mapping
from foxtrot.adapter.futu.order_mapping import CN, HK, HKCC, US, Name, WirePosition
from foxtrot.adapter.futu.schema import Message
from foxtrot.adapter.futu.settings import FutuSettings, TradeEnv
from foxtrot.errors import ConfigurationError
from foxtrot.gateway.trading import Balances
from foxtrot.model.constants import Direction
from foxtrot.model.objects import AccountData, PositionData

_MARKETS = {"HK": (HK,), "US": (US,), "CN": (CN, HKCC)}
_CURRENCIES = {1: "HKD", 2: "USD", 3: "CNH", 4: "JPY", 5: "SGD", 6: "AUD", 7: "CAD", 8: "MYR"}
"""Trd_Common.Currency."""
_COUNTED_IN = {"HK": 1, "US": 2, "CN": 3}
"""The currency in which an account with several is asked for, by the market of the settings."""

_ACTIVE, _SHORT = 0, 1
_SHARES = frozenset({0, 1, 4})
"""SimAccType of the paper accounts that trade shares; real ones have none."""
_LARGEST = 1e15


class WireAccount(Protocol):
    """`Trd_Common.TrdAcc`."""

    trdEnv: int
    accID: int
    trdMarketAuthList: Iterable[int]
    securityFirm: int
    simAccType: int
    accStatus: int


class WireCash(Protocol):
    """`Trd_Common.AccCashInfo`."""

    currency: int
    cash: float
    availableBalance: float


class WireFunds(Protocol):
    """`Trd_Common.Funds`."""

    totalAssets: float
    frozenCash: float
    cashInfoList: Iterable[WireCash]


class TradedAccount(msgspec.Struct, frozen=True):
    """The account that is traded.

    Args:
        acc_id: Its number.
        env: A `TradeEnv`.
        markets: The TrdMarkets that it may trade.
        market: The one of them that questions name.
        firm: Which of Futu's companies keeps it.
        currency: In which its worth is counted.
    """

    acc_id: int
    env: int
    markets: tuple[int, ...]
    market: int
    firm: int
    currency: int

    @property
    def real(self) -> bool:
        """Whether money is traded; else it is for paper trading."""
        return self.env == TradeEnv.REAL

    def head(self, header: Message, trd_market: int) -> None:
        """Fill in the `TrdHeader` of a question or a command about it."""
        header.trdEnv, header.accID, header.trdMarket = self.env, self.acc_id, trd_market


def choose(rows: Iterable[WireAccount], settings: FutuSettings) -> TradedAccount:
    """The account that the settings mean.

    Raises:
        ConfigurationError: None fits, or several do.
    """
    wanted = _MARKETS[settings.market]
    fit = [
        row
        for row in rows
        if row.trdEnv == settings.trade_env
        and is_active(row)
        and row.simAccType in _SHARES
        and settings.account in ("", str(row.accID))
        and any(each in wanted for each in row.trdMarketAuthList)
    ]
    kind = f"{settings.trade_env.name.lower()} account for {settings.market}"
    if not fit:
        problem = f"OpenD has no such {kind}; give the number of one it has, or another market"
        raise ConfigurationError("connect", "account", problem)
    if len(fit) > 1:
        ends = ", ".join(f"…{str(row.accID)[-4:]}" for row in fit)
        problem = f"OpenD has several: {ends}; give the whole number of the {kind} to trade"
        raise ConfigurationError("connect", "account", problem)
    row, markets = fit[0], tuple(fit[0].trdMarketAuthList)
    return TradedAccount(
        acc_id=row.accID,
        env=row.trdEnv,
        markets=markets,
        market=next(each for each in wanted if each in markets),
        firm=row.securityFirm,
        currency=_COUNTED_IN[settings.market],
    )


def is_active(row: WireAccount) -> bool:
    """Whether an account can be used."""
    return row.accStatus == _ACTIVE


class Holdings:
    """The positions and values of one account.

    Args:
        adapter_name: For the data.
        account: Its number.
        name_of: How a contract is spelled here, by QotMarket and code.
    """

    def __init__(
        self, adapter_name: str, account: int, name_of: Callable[[int, str], Name]
    ) -> None:
        self._adapter_name, self._account, self._name_of = adapter_name, str(account), name_of
        self._accounts: tuple[AccountData, ...] = ()
        self._held: dict[Name, PositionData] = {}

    def names(self) -> list[Name]:
        """The contracts that are held."""
        return [name for name, held in self._held.items() if held.volume]

    def funded(self, funds: WireFunds) -> None:
        """Take the account's worth, under its number, and its cash, as `<number>.<currency>`.

        Raises:
            ValueError: A number cannot be believed.
        """
        name = self._adapter_name
        worth, frozen = _believed(funds.totalAssets), _believed(funds.frozenCash)
        told = [AccountData(name, self._account, worth, frozen)]
        for row in funds.cashInfoList:
            currency = _CURRENCIES.get(row.currency, str(row.currency))
            cash, free = _believed(row.cash), _believed(row.availableBalance)
            told.append(
                AccountData(name, f"{self._account}.{currency}", cash, max(0.0, cash - free))
            )
        self._accounts = tuple(told)

    def listed(self, rows: Iterable[WirePosition]) -> None:
        """Take the list of all positions; what it lacks is held no more.

        Raises:
            ValueError: A number cannot be believed; nothing was taken.
        """
        shown: dict[Name, PositionData] = {}
        for row in rows:
            if order_mapping.is_elsewhere(row):
                continue
            position = self._position(row)
            shown[position.symbol, position.exchange] = position
        for name in self._held.keys() - shown.keys():
            shown[name] = PositionData(self._adapter_name, *name, Direction.NET)
        self._held = shown

    def balances(self) -> Balances:
        """All of it; positions that were closed with a volume of 0."""
        return Balances(self._accounts, tuple(self._held.values()))

    def _position(self, row: WirePosition) -> PositionData:
        name = self._name_of(*order_mapping.security_of(row))
        volume = abs(_believed(row.qty))
        frozen = max(0.0, volume - abs(_believed(row.canSellQty)))
        costs = (row.averageCostPrice, row.dilutedCostPrice, row.costPrice)
        return PositionData(
            self._adapter_name,
            *name,
            Direction.NET,
            -volume if row.positionSide == _SHORT else volume,
            frozen=frozen,
            price=next((cost for cost in costs if cost and _can_be(cost)), 0.0),
            pnl=row.plVal if _can_be(row.plVal) else 0.0,
        )


def _believed(number: float) -> float:
    if not _can_be(number):
        raise ValueError("a number of the account cannot be believed")
    return number


def _can_be(number: float) -> bool:
    return math.isfinite(number) and abs(number) < _LARGEST
