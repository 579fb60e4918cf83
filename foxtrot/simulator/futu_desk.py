"""The other hands on a simulated OpenD: its own user, the exchange, and the test.

Each call may come from any thread. An order is given by its remark or its id; if several have one
remark, the newest is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from foxtrot.errors import ConfigurationError
from foxtrot.simulator.accounts import Amount, Side
from foxtrot.simulator.futu_account_room import AccountRoom
from foxtrot.simulator.futu_accounts import FutuAccount
from foxtrot.simulator.futu_contracts import Universe
from foxtrot.simulator.futu_order_room import OrderRoom, Refusal
from foxtrot.simulator.futu_orders import FAILED, Deal, FutuOrder, Terms
from foxtrot.simulator.futu_tickets import LIMIT, MARKET
from foxtrot.simulator.listings import to_e8
from foxtrot.simulator.market import Market

T = TypeVar("T")

_WHERE = "simulated Futu OpenD"


class Venue(Protocol):
    """What the desk works upon."""

    market: Market
    universe: Universe

    def now_ms(self) -> int:
        """The venue's clock."""

    def wake(self, symbol: str) -> None:
        """Bring a symbol's market to the present."""

    def on_loop(self, call: Callable[[], T]) -> T:
        """Run a call on the venue's loop and wait for what it returns."""


class Desk:
    """Forces things that no client asked for, and shows the books.

    Args:
        venue: Where.
        orders: Its orders.
        accounts: Its accounts.
    """

    def __init__(self, venue: Venue, orders: OrderRoom, accounts: AccountRoom) -> None:
        self._venue, self._orders, self._accounts = venue, orders, accounts

    def fill(
        self, order: str | int, volume: Amount | None = None, price: Amount | None = None
    ) -> Deal:
        """Fill an order that rests: all of it, or `volume`; at its limit, or a better price.

        Raises:
            InvalidState: It does not rest in the book.
            ConfigurationError: There is no such order, or volume or price do not fit.
        """

        def act() -> Deal:
            found = self.order(order)
            if found.booked is None:
                raise ConfigurationError(_WHERE, "order", f"{order!r} was refused")
            self._orders.matching.fill(
                found.booked,
                self._venue.now_ms(),
                quantity_e8=None if volume is None else to_e8(volume),
                price_e8=None if price is None else to_e8(price),
            )
            return found.deals[-1]

        return self._venue.on_loop(act)

    def end(self, order: str | int) -> None:
        """Cancel an open order, as OpenD's own user or the exchange would.

        Raises:
            OrderRejected: It has ended.
        """
        self._venue.on_loop(lambda: self._orders.cancel(self.order(order)))

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

        return self._venue.on_loop(act)

    def set_price(self, symbol: str, bid: Amount) -> None:
        """Move the market so that its best bid is at `bid` or the next level below."""

        def act() -> None:
            self._venue.wake(symbol)
            now_ms = max(self._venue.now_ms(), self._venue.market.now_ms(symbol) + 1)
            self._venue.market.set_quote(symbol, float(bid), now_ms)

        self._venue.on_loop(act)

    def reject_next(self, text: str, *, later: bool = False, status: int = FAILED) -> None:
        """Refuse the next new order so; `later`, take it and let it come to that status then."""
        refusal = Refusal(text, later, status)
        self._venue.on_loop(lambda: self._orders.refusals.append(refusal))

    def tell(self, order: str | int, status: int, text: str = "") -> None:
        """Say that an order has this status, whatever has become of it, in pushes and lists."""

        def act() -> None:
            found = self.order(order)
            found.told, found.error = status, text
            self._orders.reports.order(found)

        self._venue.on_loop(act)

    def push_first(self, early: bool = True) -> None:
        """Let the pushes that a request causes come before its answer, or after it again."""
        self._venue.on_loop(lambda: setattr(self._orders.reports, "early", early))

    def lock(self) -> None:
        """Lock trading, as a restart of OpenD does."""
        self._venue.on_loop(lambda: setattr(self._accounts, "unlocked", False))

    def deposit(self, amount: Amount, currency: str = "HKD", *, account: int | None = None) -> None:
        """Add to the cash, or take from it with an amount below zero."""

        def act() -> None:
            self.account(account).balance(currency).free_e8 += to_e8(amount)

        self._venue.on_loop(act)

    def end_day(self) -> None:
        """Let the day be over: its orders end, and today's lists begin anew."""
        self._venue.on_loop(self._orders.end_day)

    def forget_orders(self) -> None:
        """Know no order, deal or position any more; nobody is told."""
        self._venue.on_loop(self._orders.reset)

    def order(self, order: str | int) -> FutuOrder:
        """The order of this remark or id.

        Raises:
            ConfigurationError: There is none.
        """
        for each in reversed(self.held()):
            if order in (each.order_id, each.order_id_ex, each.remark):
                return each
        raise ConfigurationError(_WHERE, "order", f"there is no {order!r}")

    def account(self, acc_id: int | None = None) -> FutuAccount:
        """The account of this id; the first, if None.

        Raises:
            ConfigurationError: There is none.
        """
        accounts = self._accounts.accounts
        found = accounts.get(next(iter(accounts)) if acc_id is None else acc_id)
        if found is None:
            raise ConfigurationError(_WHERE, "account", f"there is no {acc_id!r}")
        return found

    @property
    def unlocked(self) -> bool:
        """Whether accounts that are real can trade."""
        return self._accounts.unlocked

    @property
    def unlocks(self) -> int:
        """How often somebody tried to unlock trading."""
        return self._accounts.unlocks

    def held(self) -> list[FutuOrder]:
        """Every order that was ever taken, oldest first."""
        return list(self._orders.orders.values())

    def traded(self) -> list[Deal]:
        """Every deal, oldest first; those of practice accounts, which clients never see, too."""
        return list(self._orders.deals)

    def received(self) -> Mapping[str, int]:
        """Every remark that ever came in with a new order, and how often."""
        return dict(self._orders.received)

    def cancels(self) -> list[str]:
        """The remark of every cancel that came in, in order; the order's id without one."""
        return list(self._orders.cancels)
