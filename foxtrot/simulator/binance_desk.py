"""The other hands on a simulated Binance's books: other programs, the venue itself, and the test.

In Python each call may come from any thread; over the control endpoint the same is
`POST /control/desk/<call>` with its arguments as a JSON object, and `GET /control/ledger` shows
the books.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec
from aiohttp import web

from foxtrot.errors import ConfigurationError, FoxtrotError
from foxtrot.simulator import binance_order_payloads as wire
from foxtrot.simulator.accounts import Account, Amount, Fill, Order, Side, Ticket
from foxtrot.simulator.binance_user import UserStreams
from foxtrot.simulator.desk import Desk as AnyDesk
from foxtrot.simulator.desk import DeskVenue
from foxtrot.simulator.listings import decimal8, to_e8
from foxtrot.simulator.matching import Matching

T = TypeVar("T")

_BY_HAND = "by-hand-{}"


class Venue(DeskVenue, Protocol):
    """What the desk works upon."""

    matching: Matching
    users: UserStreams
    accounts: Mapping[str, Account]


class Desk(AnyDesk[Venue]):
    """Forces things that a client did not ask for. An order is given as `Order` or client id.

    Args:
        venue: Whose books these are.
    """

    def __init__(self, venue: Venue) -> None:
        super().__init__(venue)
        self._placed = 0

    def place(
        self,
        symbol: str,
        side: str,
        quantity: Amount,
        price: Amount | None = None,
        *,
        client_id: str = "",
        account: str = "main",
    ) -> Order:
        """Place an order that the client did not send: limit, or market without a price.

        Raises:
            OrderRejected: The venue would refuse it.
        """
        self._placed += 1
        ticket = Ticket(
            symbol=symbol,
            side=Side(side.upper()),
            quantity_e8=to_e8(quantity),
            price_e8=None if price is None else to_e8(price),
            client_id=client_id or _BY_HAND.format(self._placed),
            kind="MARKET" if price is None else "LIMIT",
        )

        def act() -> Order:
            self._venue.wake(symbol)
            owner = self.account(account)
            return self._venue.matching.place(owner, ticket, self._venue.now_ms(), by_hand=True)

        return self._act(act)

    def fill(
        self,
        order: Order | str,
        quantity: Amount | None = None,
        price: Amount | None = None,
        *,
        account: str = "main",
    ) -> Fill:
        """Fill an order that rests: all of it, or `quantity`; at its limit, or a better price.

        Raises:
            InvalidState: It does not rest in the book.
            ConfigurationError: There is no such order, or quantity or price do not fit.
        """
        return self._act(
            lambda: self._venue.matching.fill(
                self._found(order, account),
                self._venue.now_ms(),
                quantity_e8=None if quantity is None else to_e8(quantity),
                price_e8=None if price is None else to_e8(price),
            )
        )

    def cancel(self, order: Order | str, *, account: str = "main") -> None:
        """Cancel an open order, as the customer's other program would.

        Raises:
            OrderRejected: It has ended.
        """
        found = self._found(order, account)
        name = f"web_{found.order_id}"
        self._act(lambda: self._venue.matching.cancel(found, self._venue.now_ms(), cancel_id=name))

    def expire(self, order: Order | str, *, account: str = "main") -> None:
        """End an open order for reasons of the venue's own.

        Raises:
            OrderRejected: It has ended.
        """
        found = self._found(order, account)
        self._act(lambda: self._venue.matching.expire(found, self._venue.now_ms()))

    def deposit(self, asset: str, amount: Amount, *, account: str = "main") -> None:
        """Add to a balance, or take from it with an amount below zero."""

        def act() -> None:
            owner = self.account(account)
            balance = owner.balance(asset)
            if balance.free_e8 + to_e8(amount) < 0:
                raise ConfigurationError("deposit", "amount", "the account has less than that")
            balance.free_e8 += to_e8(amount)
            self._venue.users.deposited(owner, asset, to_e8(amount))

        self._act(act)

    def account(self, name: str = "main") -> Account:
        """The account of this name.

        Raises:
            ConfigurationError: There is none.
        """
        found = self._venue.accounts.get(name)
        if found is None:
            raise ConfigurationError(self._venue.title, "account", f"there is no {name!r}")
        return found

    def ledger(self) -> dict[str, object]:
        """The books of every account, as the venue's own answers tell them."""
        return {name: _books(account) for name, account in self._venue.accounts.items()}

    def _found(self, order: Order | str, account: str) -> Order:
        if isinstance(order, Order):
            return order
        for each in reversed(self.account(account).orders):
            if each.client_id == order:
                return each
        raise ConfigurationError(self._venue.title, "order", f"there is no {order!r}")

    def _act(self, call: Callable[[], T]) -> T:
        def act() -> T:
            result = call()
            self._venue.users.flush()
            return result

        return self._venue.on_loop(act)


def desk_routes(desk: Desk) -> Sequence[web.RouteDef]:
    """The desk over HTTP."""

    async def ledger(request: web.Request) -> web.Response:
        return _json(desk.ledger())

    async def act(request: web.Request) -> web.Response:
        calls: Mapping[str, Callable[..., object]] = {
            "place": desk.place,
            "fill": desk.fill,
            "cancel": desk.cancel,
            "expire": desk.expire,
            "set_price": desk.set_price,
            "deposit": desk.deposit,
        }
        call = calls.get(request.match_info["call"])
        if call is None:
            return _json({"error": f"known calls are: {', '.join(calls)}"}, status=404)
        try:
            result = call(**msgspec.json.decode(await request.read(), type=dict[str, object]))
        except (FoxtrotError, TypeError, ValueError, ArithmeticError) as error:
            return _json({"error": str(error)}, status=400)
        return _json(_shown(result))

    return (web.get("/control/ledger", ledger), web.post("/control/desk/{call}", act))


def _shown(result: object) -> object:
    if isinstance(result, Order):
        return wire.order_row(result)
    return wire.my_trade_row(result) if isinstance(result, Fill) else {}


def _books(account: Account) -> dict[str, object]:
    return {
        "orders": [{**wire.order_row(o), "byHand": o.by_hand} for o in account.orders],
        "openOrders": [wire.order_row(order) for order in account.open_orders],
        "trades": [wire.my_trade_row(fill) for fill in account.fills],
        "balances": {
            asset: {"free": decimal8(balance.free_e8), "locked": decimal8(balance.locked_e8)}
            for asset, balance in account.balances.items()
        },
        "received": dict(account.received),
    }


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(body), status=status, content_type="application/json"
    )
