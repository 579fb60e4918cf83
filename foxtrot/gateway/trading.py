"""What a venue's trading session offers beside being a session, and what its answers prove."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from foxtrot.connectivity.supervisor import Session
from foxtrot.execution.reports import (
    FillReport,
    Known,
    OrderIntent,
    OrderRecord,
    OrderReport,
    Unknown,
)
from foxtrot.model.constants import Exchange
from foxtrot.model.objects import AccountData, ContractData, PositionData


class Accepted(msgspec.Struct, frozen=True):
    """The venue did what was asked; `report` is the order as it is then."""

    report: OrderReport
    fills: tuple[FillReport, ...] = ()


class Refused(msgspec.Struct, frozen=True):
    """Positive evidence that the venue did not do it. With `hold_s` it also asked us to wait."""

    reason: str
    hold_s: float = 0.0


class NotSent(msgspec.Struct, frozen=True):
    """Positive evidence that nothing reached the venue."""

    reason: str


class Doubtful(msgspec.Struct, frozen=True):
    """No evidence either way: it may have been done, or be done yet. With `hold_s`, wait."""

    reason: str
    hold_s: float = 0.0


Answer = Accepted | Refused | NotSent | Doubtful


class Balances(msgspec.Struct, frozen=True):
    """What the account holds."""

    accounts: tuple[AccountData, ...] = ()
    positions: tuple[PositionData, ...] = ()


class TradingListener(Protocol):
    """Who is told what the venue pushes about an account. Called on the loop thread."""

    def on_report(self, report: OrderReport) -> None:
        """An order, as it is now or was a moment ago."""

    def on_fill(self, fill: FillReport) -> None:
        """A fill; may come twice, or before its order."""

    def on_missed(self, what: str) -> None:
        """Something happened that was not told; it has to be asked for."""

    def on_balances(self, balances: Balances) -> None:
        """Some of what the account holds has changed."""


class TradingSession(Session, Protocol):
    """A session that trades. None of its verbs raises but for being cancelled.

    A verb that gets no answer in its own time returns `Doubtful` or `Unknown`, with the reason.
    """

    @property
    def pushes(self) -> bool:
        """Whether the venue tells what happens by itself; if not, the desk keeps asking."""

    @property
    def least_poll_s(self) -> float:
        """How often, at most, the venue's limits allow everything to be asked for."""

    @property
    def fills_s(self) -> float:
        """How long the venue's limits may make the question for one symbol's fills wait."""

    async def place(self, intent: OrderIntent) -> Answer:
        """Send a new order under the intent's orderid, once."""

    async def cancel(self, record: OrderRecord) -> Answer:
        """Cancel an order, by the venue's id where it is known, or else by ours."""

    async def replace(self, record: OrderRecord, intent: OrderIntent) -> tuple[Answer, Answer]:
        """Cancel an order and send another; what became of the cancel, and of the new order."""

    async def open_orders(self) -> Known[OrderReport] | Unknown:
        """Every order of the account that is open now."""

    async def find(self, symbol: str, orderid: str, venue_id: str) -> Known[OrderReport] | Unknown:
        """One order, by the venue's id if given, or else by ours, whatever its state.

        `Known` and empty if the venue says that it has none such.
        """

    async def fills(self, symbols: Sequence[str], since_ns: int) -> Known[FillReport] | Unknown:
        """The account's fills in these symbols since a moment."""

    async def balances(self) -> Balances | Unknown:
        """All that the account holds."""

    async def look_up(self, symbol: str, exchange: Exchange) -> ContractData | Unknown:
        """A contract that nobody has asked for yet, where the venue does not list them all."""

    async def reference_price(self, symbol: str, exchange: Exchange) -> Decimal | Unknown:
        """A price of now by request, for a contract that nobody subscribed to."""
