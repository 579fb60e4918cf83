"""What a simulated venue knows of its customers: balances, orders and fills, exact to 1e-8.

Nothing here belongs to one venue; order and trade ids count per symbol, as on many venues, so an
id alone names nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum

import msgspec

from foxtrot.errors import OrderRejected
from foxtrot.simulator.listings import E8, Listing, notional_e8, to_e8

FEE_E8 = E8 // 1_000
"""What an account is charged unless it was told otherwise, in 1e-8 of what a trade brings."""

_KEPT_ORDERS = 100_000

Amount = str | int | float | Decimal


class Side(Enum):
    """Which way an order goes."""

    BUY = "BUY"
    SELL = "SELL"


class TimeInForce(Enum):
    """How long an order waits for the other side."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class State(Enum):
    """What has become of an order."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


class Reason(Enum):
    """Why an order is refused; the `code` of `OrderRejected`."""

    DUPLICATE = "duplicate"
    BALANCE = "balance"
    WOULD_MATCH = "would_match"
    WOULD_TRIGGER = "would_trigger"
    NO_LIQUIDITY = "no_liquidity"
    UNKNOWN = "unknown"


def rejected(reason: Reason, text: str) -> OrderRejected:
    """The error for an order that is refused."""
    return OrderRejected("simulator", reason.value, text)


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer asks for. Without a price it is done at the market's.

    `stop_e8` makes it wait until the market is at or `above` (else at or below) that price;
    `budget_e8` names an amount of the quote currency instead of a quantity; `kind` is the venue's
    own word for the type.
    """

    symbol: str
    side: Side
    quantity_e8: int = 0
    price_e8: int | None = None
    stop_e8: int | None = None
    above: bool = False
    tif: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    budget_e8: int | None = None
    client_id: str = ""
    kind: str = ""


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an order that was traded."""

    trade_id: int
    order_id: int
    client_id: str
    symbol: str
    side: Side
    price_e8: int
    quantity_e8: int
    turnover_e8: int
    fee_e8: int
    fee_asset: str
    time_ms: int
    maker: bool


class Order(msgspec.Struct, kw_only=True, eq=False):
    """An order that the venue took, from its acceptance to its end; owned by the matching.

    `expiry` is the reason, if it expired; `by_hand` means that no client of ours sent it.
    """

    order_id: int
    account: Account
    ticket: Ticket
    quantity_e8: int
    created_ms: int
    updated_ms: int
    working_ms: int | None = None
    state: State = State.NEW
    filled_e8: int = 0
    turnover_e8: int = 0
    locked_e8: int = 0
    fills: list[Fill] = msgspec.field(default_factory=list)
    by_hand: bool = False
    expiry: str = ""

    @property
    def symbol(self) -> str:
        """What it trades."""
        return self.ticket.symbol

    @property
    def client_id(self) -> str:
        """The customer's name for it."""
        return self.ticket.client_id

    @property
    def remaining_e8(self) -> int:
        """What is not traded yet."""
        return self.quantity_e8 - self.filled_e8

    @property
    def open(self) -> bool:
        """Whether it may still trade."""
        return self.state in (State.NEW, State.PARTIALLY_FILLED)

    @property
    def resting(self) -> bool:
        """Whether it stands in the book, with a limit, and waits for the other side."""
        return self.open and self.working_ms is not None and self.ticket.price_e8 is not None

    def book(self, fill: Fill) -> None:
        """A part of it was traded."""
        self.filled_e8 += fill.quantity_e8
        self.turnover_e8 += fill.turnover_e8
        self.fills.append(fill)


class Balance(msgspec.Struct):
    """What an account has of one asset; `locked_e8` stands behind open orders."""

    free_e8: int = 0
    locked_e8: int = 0


class Account:
    """One customer: the ledger a test compares with what a client believes.

    Args:
        name: Who it is.
        balances: What it starts with.
        fee_e8: Commission on what a trade brings, in 1e-8 of it.

    Thread safety: written by the venue's loop; the properties give copies to any thread.
    """

    def __init__(self, name: str, balances: Mapping[str, Amount], *, fee_e8: int = FEE_E8) -> None:
        self.name, self.fee_e8 = name, fee_e8
        self.balances = {asset: Balance(to_e8(amount)) for asset, amount in balances.items()}
        self.received: Counter[str] = Counter()
        """Every client order id that ever came in with an order, and how often."""
        self._orders: dict[tuple[str, int], Order] = {}
        self._named: dict[tuple[str, str], Order] = {}
        self._open: dict[tuple[str, int], Order] = {}

    def __repr__(self) -> str:
        return f"<Account {self.name} orders={len(self._orders)} open={len(self._open)}>"

    @property
    def orders(self) -> list[Order]:
        """Every order that was ever accepted, oldest first."""
        return list(self._orders.values())

    @property
    def open_orders(self) -> list[Order]:
        """The orders that may still trade, oldest first."""
        return list(self._open.values())

    @property
    def fills(self) -> list[Fill]:
        """Every trade of this account, oldest first."""
        fills = [fill for order in self.orders for fill in order.fills]
        return sorted(fills, key=lambda fill: (fill.time_ms, fill.trade_id))

    def order(self, symbol: str, order_id: int) -> Order | None:
        """The order of this id; None if there is none."""
        return self._orders.get((symbol, order_id))

    def named(self, symbol: str, client_id: str) -> Order | None:
        """The open order of this client id, else the newest one; None if there is none."""
        return self._named.get((symbol, client_id))

    def balance(self, asset: str) -> Balance:
        """The balance of an asset."""
        return self.balances.setdefault(asset, Balance())

    def add(self, order: Order) -> None:
        """Take a new order into the books; the oldest that ended are forgotten past a bound."""
        key = (order.symbol, order.order_id)
        self._orders[key] = self._open[key] = order
        self._named[order.symbol, order.client_id] = order
        if len(self._orders) > _KEPT_ORDERS:
            oldest = next(key for key, each in self._orders.items() if not each.open)
            gone = self._orders.pop(oldest)
            if self._named.get((gone.symbol, gone.client_id)) is gone:
                del self._named[gone.symbol, gone.client_id]

    def lock(self, order: Order, item: Listing, amount_e8: int) -> None:
        """Let `amount_e8` stand behind an order, instead of what stood behind it before.

        Raises:
            OrderRejected: The account has less than that.
        """
        balance = self.balance(paid_in(order.ticket, item))
        change = amount_e8 - order.locked_e8
        if change > balance.free_e8:
            raise rejected(Reason.BALANCE, "the balance does not suffice")
        balance.free_e8 -= change
        balance.locked_e8 += change
        order.locked_e8 = amount_e8

    def settle(self, order: Order, item: Listing, fill: Fill, lock_e8: int) -> None:
        """Book a fill; afterwards `lock_e8` stands behind the rest of the order."""
        bought = fill.side is Side.BUY
        paid = fill.turnover_e8 if bought else fill.quantity_e8
        gained = fill.quantity_e8 if bought else fill.turnover_e8
        given = self.balance(paid_in(order.ticket, item))
        given.locked_e8 += lock_e8 - order.locked_e8
        given.free_e8 += order.locked_e8 - lock_e8 - paid
        order.locked_e8 = lock_e8
        self.balance(fill.fee_asset).free_e8 += gained - fill.fee_e8
        order.book(fill)

    def close(self, order: Order, item: Listing, state: State) -> None:
        """End an order and free what stood behind it."""
        self.lock(order, item, 0)
        order.state = state
        self._open.pop((order.symbol, order.order_id), None)


def paid_in(ticket: Ticket, item: Listing) -> str:
    """The asset that an order spends."""
    return item.quote if ticket.side is Side.BUY else item.base


def cost_e8(price_e8: int, quantity_e8: int) -> int:
    """Price times quantity, exact to the unit above."""
    return -notional_e8(-price_e8, quantity_e8)
