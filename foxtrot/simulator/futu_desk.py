"""The other hands on a simulated OpenD: its own user, the exchange, and the test."""

from __future__ import annotations

from typing import Protocol

from foxtrot.errors import ConfigurationError
from foxtrot.simulator.accounts import Amount, Side
from foxtrot.simulator.desk import DeskVenue
from foxtrot.simulator.futu_account_room import AccountRoom
from foxtrot.simulator.futu_accounts import FutuAccount
from foxtrot.simulator.futu_contracts import Universe
from foxtrot.simulator.futu_order_room import OrderRoom, Refusal
from foxtrot.simulator.futu_orders import FAILED, Deal, FutuOrder, Terms
from foxtrot.simulator.futu_tickets import LIMIT, MARKET
from foxtrot.simulator.listings import to_e8
from foxtrot.simulator.socket_desk import SocketDesk


class Venue(DeskVenue, Protocol):
    """What the desk works upon."""

    universe: Universe


class Desk(SocketDesk[Venue, FutuOrder, Deal]):
    """See `SocketDesk`; an order's names are its remark and its two ids.

    Args:
        venue: Where.
        orders: Its orders.
        accounts: Its accounts.
    """

    def __init__(self, venue: Venue, orders: OrderRoom, accounts: AccountRoom) -> None:
        super().__init__(venue, orders)
        self._orders, self._accounts = orders, accounts

    def place_by_hand(
        self,
        symbol: str,
        volume: Amount,
        price: Amount | None = None,
        *,
        side: str = "BUY",
        remark: str = "",
        account: int | None = None,
    ) -> FutuOrder:
        """Place an order in Futu's own app: limit, or at the market.

        Args:
            symbol: A name of the universe, such as HK.00700.
            volume: How much; what no client could send may be given here.
            price: The limit; at the market, if None.
            side: BUY or SELL.
            remark: What stands upon it.
            account: For whom; the first account, if None.

        Raises:
            OrderRejected: The account cannot carry it.
        """
        terms = Terms(
            kind=MARKET if price is None else LIMIT,
            quantity_e8=to_e8(volume),
            price_e8=None if price is None else to_e8(price),
        )

        def act() -> FutuOrder:
            contract = self._venue.universe.contracts[symbol]
            owner = self.account(account)
            order = self._orders.made(owner, contract, Side(side), terms, remark)
            self._orders.enter(order)
            return order

        return self._act(act)

    def reject_next(self, text: str, *, later: bool = False, status: int = FAILED) -> None:
        """Refuse the next new order so; `later`, take it and let it come to that status then."""
        refusal = Refusal(text, later, status)
        self._act(lambda: self._orders.refusals.append(refusal))

    def tell(self, order: str | int, status: int, text: str = "") -> None:
        """Say that an order has this status, whatever has become of it, in pushes and lists."""

        def act() -> None:
            found = self.order(order)
            found.told, found.error = status, text
            self._orders.reports.order(found)

        self._act(act)

    def push_first(self, early: bool = True) -> None:
        """Let the pushes that a request causes come before its answer, or after it again."""
        self._act(lambda: setattr(self._orders.reports, "early", early))

    def lock(self) -> None:
        """Lock trading, as a restart of OpenD does."""
        self._act(lambda: setattr(self._accounts, "unlocked", False))

    def deposit(self, amount: Amount, currency: str = "HKD", *, account: int | None = None) -> None:
        """Add to the cash, or take from it with an amount below zero."""

        def act() -> None:
            self.account(account).balance(currency).free_e8 += to_e8(amount)

        self._act(act)

    def account(self, acc_id: int | None = None) -> FutuAccount:
        """The account of this id; the first, if None.

        Raises:
            ConfigurationError: There is none.
        """
        accounts = self._accounts.accounts
        found = accounts.get(next(iter(accounts)) if acc_id is None else acc_id)
        if found is None:
            raise ConfigurationError(self._venue.title, "account", f"there is no {acc_id!r}")
        return found

    @property
    def unlocked(self) -> bool:
        """Whether accounts that are real can trade."""
        return self._accounts.unlocked

    @property
    def unlocks(self) -> int:
        """How often somebody tried to unlock trading."""
        return self._accounts.unlocks

    def traded(self) -> list[Deal]:
        """Every deal, oldest first; those of practice accounts, which clients never see, too."""
        return list(self._orders.deals)

    def _trades(self, order: FutuOrder) -> list[Deal]:
        return order.deals
