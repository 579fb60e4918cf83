"""The other hands on a simulated TWS: its own user, other clients, the exchange, and the test.

Each call may come from any thread. An order is given by its orderRef or its permId; if several
have one reference, the newest is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from foxtrot.errors import ConfigurationError
from foxtrot.simulator.accounts import Amount, Side
from foxtrot.simulator.ib_account_room import AccountRoom
from foxtrot.simulator.ib_accounts import BASE, IbAccount
from foxtrot.simulator.ib_contracts import Row, Universe
from foxtrot.simulator.ib_order_room import TWS, OrderRoom, Refusal
from foxtrot.simulator.ib_orders import Execution, IbOrder, Terms
from foxtrot.simulator.ib_tickets import Wanted
from foxtrot.simulator.listings import to_e8
from foxtrot.simulator.market import Market

T = TypeVar("T")

_WHERE = "simulated Interactive Brokers"


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
    ) -> Execution:
        """Fill an order that rests: all of it, or `volume`; at its limit, or a better price.

        Raises:
            InvalidState: It does not rest in the book.
            ConfigurationError: There is no such order, or volume or price do not fit.
        """

        def act() -> Execution:
            found = self.order(order)
            if found.booked is None:
                raise ConfigurationError(_WHERE, "order", f"{order!r} was refused")
            self._orders.matching.fill(
                found.booked,
                self._venue.now_ms(),
                quantity_e8=None if volume is None else to_e8(volume),
                price_e8=None if price is None else to_e8(price),
            )
            return found.executions[-1]

        return self._venue.on_loop(act)

    def correct(self, exec_id: str, price: Amount) -> Execution:
        """Send another revision of a fill, at another price.

        Raises:
            ConfigurationError: There is no such fill.
        """

        def act() -> Execution:
            for each in self._orders.executions:
                if each.exec_id == exec_id:
                    return self._orders.correct(each, to_e8(price))
            raise ConfigurationError(_WHERE, "execution", f"there is no {exec_id!r}")

        return self._venue.on_loop(act)

    def end(self, order: str | int) -> None:
        """Cancel an open order, as TWS's own user or the exchange would.

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
        client_id: int = TWS,
        order_ref: str = "",
        account: str = "",
    ) -> IbOrder:
        """Place an order in TWS's own window, or as another client: limit, or at the market.

        Args:
            symbol: A name of the universe, such as AAPL.
            volume: How much; what no client could send may be given here.
            price: The limit; at the market, if None.
            side: BUY or SELL.
            client_id: Who places it.
            order_ref: The reference it bears.
            account: For whom; the first account, if empty.

        Raises:
            OrderRejected: The account cannot carry it.
        """
        terms = Terms(
            kind="MKT" if price is None else "LMT",
            quantity_e8=to_e8(volume),
            limit_e8=None if price is None else to_e8(price),
        )

        def act() -> IbOrder:
            contract = self._venue.universe.contracts[symbol]
            row = Row(contract, contract.exchange)
            wanted = Wanted(self.account(account).name, row, Side(side), terms)
            return self._orders.enter_by_hand(wanted, client_id, order_ref)

        return self._venue.on_loop(act)

    def set_price(self, symbol: str, bid: Amount) -> None:
        """Move the market so that its best bid is at `bid` or the next level below."""

        def act() -> None:
            self._venue.wake(symbol)
            now_ms = max(self._venue.now_ms(), self._venue.market.now_ms(symbol) + 1)
            self._venue.market.set_quote(symbol, float(bid), now_ms)

        self._venue.on_loop(act)

    def reject_next(self, code: int, text: str, *, inactive: bool = False) -> None:
        """Refuse the next new order so; `inactive` keeps it in the books with that status."""
        refusal = Refusal(code, text, inactive)
        self._venue.on_loop(lambda: self._orders.refusals.append(refusal))

    def set_read_only(self, read_only: bool) -> None:
        """Tick or untick the box of TWS's settings that lets clients only look."""
        self._venue.on_loop(lambda: setattr(self._orders, "read_only", read_only))

    def set_fractions(self, fractions: bool) -> None:
        """Let clients trade pieces of shares, or not, as it is at first."""
        self._venue.on_loop(lambda: setattr(self._orders, "fractions", fractions))

    def deposit(self, amount: Amount, currency: str = BASE, *, account: str = "") -> None:
        """Add to the cash, or take from it with an amount below zero."""

        def act() -> None:
            owner = self.account(account)
            owner.balance(currency).free_e8 += to_e8(amount)
            self._accounts.revalued(owner)

        self._venue.on_loop(act)

    def end_day(self) -> None:
        """Let it be midnight: orders for the day end, and today's lists begin anew."""
        self._venue.on_loop(self._orders.end_day)

    def forget_orders(self) -> None:
        """Know no order, fill or position any more; nobody is told."""
        self._venue.on_loop(self._orders.reset)

    def order(self, order: str | int) -> IbOrder:
        """The order of this reference or permId.

        Raises:
            ConfigurationError: There is none.
        """
        for each in reversed(self.held()):
            if order in (each.perm_id, each.ref, str(each.perm_id)):
                return each
        raise ConfigurationError(_WHERE, "order", f"there is no {order!r}")

    def account(self, name: str = "") -> IbAccount:
        """The account of this name; the first, if empty.

        Raises:
            ConfigurationError: There is none.
        """
        accounts = self._accounts.accounts
        found = accounts.get(name or next(iter(accounts)))
        if found is None:
            raise ConfigurationError(_WHERE, "account", f"there is no {name!r}")
        return found

    def held(self) -> list[IbOrder]:
        """Every order that was ever taken, oldest first."""
        return list(self._orders.orders.values())

    def traded(self) -> list[Execution]:
        """Every fill with its corrections, oldest first."""
        return list(self._orders.executions)

    def received(self) -> Mapping[str, int]:
        """Every orderRef that ever came in with a new order, and how often."""
        return dict(self._orders.received)

    def cancels(self) -> list[str]:
        """The orderRef of every cancel that came in, in order; the permId or id without one."""
        return list(self._orders.cancels)
