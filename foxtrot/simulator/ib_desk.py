"""The other hands on a simulated TWS: its own user, other clients, the exchange, and the test."""

from __future__ import annotations

from typing import Protocol

from foxtrot.errors import ConfigurationError
from foxtrot.simulator.accounts import Amount, Side
from foxtrot.simulator.desk import DeskVenue
from foxtrot.simulator.ib_account_room import AccountRoom
from foxtrot.simulator.ib_accounts import BASE, IbAccount
from foxtrot.simulator.ib_contracts import Row, Universe
from foxtrot.simulator.ib_order_room import TWS, OrderRoom, Refusal
from foxtrot.simulator.ib_orders import Execution, IbOrder, Terms
from foxtrot.simulator.ib_tickets import Wanted
from foxtrot.simulator.listings import to_e8
from foxtrot.simulator.socket_desk import SocketDesk


class Venue(DeskVenue, Protocol):
    """What the desk works upon."""

    universe: Universe


class Desk(SocketDesk[Venue, IbOrder, Execution]):
    """See `SocketDesk`; an order's names are its orderRef and its permId.

    Args:
        venue: Where.
        orders: Its orders.
        accounts: Its accounts.
    """

    def __init__(self, venue: Venue, orders: OrderRoom, accounts: AccountRoom) -> None:
        super().__init__(venue, orders)
        self._orders, self._accounts = orders, accounts

    def correct(self, exec_id: str, price: Amount) -> Execution:
        """Send another revision of a fill, at another price.

        Raises:
            ConfigurationError: There is no such fill.
        """

        def act() -> Execution:
            for each in self._orders.executions:
                if each.exec_id == exec_id:
                    return self._orders.correct(each, to_e8(price))
            raise ConfigurationError(self._venue.title, "execution", f"there is no {exec_id!r}")

        return self._act(act)

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

        return self._act(act)

    def reject_next(self, code: int, text: str, *, inactive: bool = False) -> None:
        """Refuse the next new order so; `inactive` keeps it in the books with that status."""
        refusal = Refusal(code, text, inactive)
        self._act(lambda: self._orders.refusals.append(refusal))

    def set_read_only(self, read_only: bool) -> None:
        """Tick or untick the box of TWS's settings that lets clients only look."""
        self._act(lambda: setattr(self._orders, "read_only", read_only))

    def set_fractions(self, fractions: bool) -> None:
        """Let clients trade pieces of shares, or not, as it is at first."""
        self._act(lambda: setattr(self._orders, "fractions", fractions))

    def deposit(self, amount: Amount, currency: str = BASE, *, account: str = "") -> None:
        """Add to the cash, or take from it with an amount below zero."""

        def act() -> None:
            owner = self.account(account)
            owner.balance(currency).free_e8 += to_e8(amount)
            self._accounts.revalued(owner)

        self._act(act)

    def account(self, name: str = "") -> IbAccount:
        """The account of this name; the first, if empty.

        Raises:
            ConfigurationError: There is none.
        """
        accounts = self._accounts.accounts
        found = accounts.get(name or next(iter(accounts)))
        if found is None:
            raise ConfigurationError(self._venue.title, "account", f"there is no {name!r}")
        return found

    def traded(self) -> list[Execution]:
        """Every fill with its corrections, oldest first."""
        return list(self._orders.executions)

    def _trades(self, order: IbOrder) -> list[Execution]:
        return order.executions
