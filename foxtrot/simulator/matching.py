"""Matches the customers' orders against the simulated market; pure, and no venue in particular.

An order takes what stands in the market's book, the best first. What rests is filled, often in
parts, when the market trades at its price (a seeded share of that trade) or moves through it (all
that stands there). Customers do not trade with each other, and the market does not feel them; but
what was once taken of a book is gone until the book moves.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from enum import Enum

import msgspec

from foxtrot.errors import ConfigurationError, InvalidState, OrderRejected
from foxtrot.simulator.accounts import (
    Account,
    Fill,
    Order,
    Reason,
    Side,
    State,
    Ticket,
    TimeInForce,
    cost_e8,
    rejected,
)
from foxtrot.simulator.listings import E8, Listing, notional_e8
from foxtrot.simulator.market import Market, Step

_LEFT = {TimeInForce.IOC: "QUANTITY", TimeInForce.FOK: "ORDER"}


class What(Enum):
    """What a report tells of an order."""

    ACCEPTED = "accepted"
    TRIGGERED = "triggered"
    TRADED = "traded"
    CANCELED = "canceled"
    EXPIRED = "expired"
    AMENDED = "amended"


class Report(msgspec.Struct, frozen=True):
    """One change of an order. The order is live: read it before the next change."""

    what: What
    order: Order
    fill: Fill | None = None
    cancel_id: str = ""


class Matching:
    """The orders of all accounts in one market.

    Args:
        market: What they trade with.
        seed: Same seed, same market, same fills.
        first_order: The id of the first order of each symbol.
        first_trade: The id of the first fill of each symbol.

    Thread safety: none; one thread owns it.
    """

    def __init__(
        self, market: Market, *, seed: int = 0, first_order: int = 1_001, first_trade: int = 5_001
    ) -> None:
        self.on_report: Callable[[Report], None] | None = None
        self._market = market
        self._first_order, self._first_trade = first_order, first_trade
        # S311: fills of a toy market, not secrets
        self._random = random.Random(f"{seed}:matching")  # noqa: S311
        self._open: dict[str, list[Order]] = {}
        self._orders: dict[str, int] = {}
        self._trades: dict[str, int] = {}
        self._taken: dict[str, tuple[int, dict[int, int]]] = {}

    def __repr__(self) -> str:
        return f"<Matching open={sum(len(orders) for orders in self._open.values())}>"

    def place(
        self, account: Account, ticket: Ticket, now_ms: int, *, by_hand: bool = False
    ) -> Order:
        """Take an order, and trade at once what can be traded.

        Raises:
            OrderRejected: With a `Reason` as its code; nothing has happened then.
        """
        self._check(account, ticket)
        order = Order(
            order_id=self._orders.get(ticket.symbol, self._first_order),
            account=account,
            ticket=ticket,
            quantity_e8=self._quantity(ticket),
            created_ms=now_ms,
            updated_ms=now_ms,
            by_hand=by_hand,
        )
        account.lock(order, self._item(order), self._lock_e8(order))
        self._orders[ticket.symbol] = order.order_id + 1
        account.add(order)
        self._open.setdefault(ticket.symbol, []).append(order)
        if ticket.stop_e8 is None:
            order.working_ms = now_ms
        self._tell(What.ACCEPTED, order)
        if order.working_ms is not None:
            self._take(order, now_ms)
        return order

    def cancel(self, order: Order, now_ms: int, *, cancel_id: str = "") -> None:
        """Cancel an open order.

        Raises:
            OrderRejected: It has ended.
        """
        self._end(order, State.CANCELED, What.CANCELED, now_ms, cancel_id)

    def amend(self, order: Order, ticket: Ticket, now_ms: int) -> None:
        """Give an open order other terms; it keeps its id, and trades at once what it can.

        Raises:
            OrderRejected: It has ended, or cannot be like that; nothing has happened then.
        """
        if not order.open or ticket.quantity_e8 <= order.filled_e8:
            raise rejected(Reason.UNKNOWN, "it has ended, or nothing would be left of it")
        before = order.ticket, order.quantity_e8
        order.ticket, order.quantity_e8 = ticket, ticket.quantity_e8
        try:
            order.account.lock(order, self._item(order), self._lock_e8(order))
        except OrderRejected:
            order.ticket, order.quantity_e8 = before
            raise
        order.updated_ms = now_ms
        if ticket.stop_e8 is None and order.working_ms is None:
            order.working_ms = now_ms
        self._tell(What.AMENDED, order)
        if order.working_ms is not None:
            self._take(order, now_ms)

    def expire(self, order: Order, now_ms: int, reason: str = "EXCHANGE_CANCELED") -> None:
        """End an open order for the venue's own reasons.

        Raises:
            OrderRejected: It has ended.
        """
        if order.open:
            order.expiry = reason
        self._end(order, State.EXPIRED, What.EXPIRED, now_ms)

    def fill(
        self,
        order: Order,
        now_ms: int,
        *,
        quantity_e8: int | None = None,
        price_e8: int | None = None,
    ) -> Fill:
        """Let an order that rests be filled, whatever the market does.

        Args:
            order: Which one.
            now_ms: When.
            quantity_e8: How much; all that is left, if None.
            price_e8: At which price; the order's own, if None. Never beyond its limit.

        Raises:
            InvalidState: The order does not rest in the book.
            ConfigurationError: Quantity or price do not fit the order.
        """
        limit = order.ticket.price_e8
        if not order.resting or limit is None:
            raise InvalidState(f"order {order.order_id} does not rest in the book")
        quantity = order.remaining_e8 if quantity_e8 is None else quantity_e8
        price = limit if price_e8 is None else price_e8
        if not 0 < quantity <= order.remaining_e8:
            raise ConfigurationError("fill", "quantity", "it is more than what is left, or nothing")
        if price <= 0 or not _fits(order.ticket, price):
            raise ConfigurationError("fill", "price", "it is beyond the order's limit")
        return self._execute(order, price, quantity, now_ms, maker=True)

    def step(self, step: Step, now_ms: int) -> None:
        """Let the open orders feel what the market did."""
        if not self._open.get(step.symbol):
            return
        self._trigger(step, now_ms)
        for side in Side:
            queue = self._queue(step.symbol, side)
            if queue:
                self._hit(queue, step, now_ms)
                self._overrun(queue, now_ms)

    def cost_e8(self, symbol: str, side: Side, quantity_e8: int) -> int:
        """What a quantity costs or brings in the book as it stands."""
        total = 0
        for price, available in self._levels(symbol, side):
            part = min(available, quantity_e8)
            total += notional_e8(price, part)
            quantity_e8 -= part
            if not quantity_e8:
                break
        return total

    def _check(self, account: Account, ticket: Ticket) -> None:
        named = account.named(ticket.symbol, ticket.client_id)
        if named is not None and named.open:
            raise rejected(Reason.DUPLICATE, "an open order has this client id")
        if ticket.post_only and ticket.price_e8 is not None:
            best = next(self._levels(ticket.symbol, ticket.side), None)
            if best is not None and _fits(ticket, best[0]):
                raise rejected(Reason.WOULD_MATCH, "it would match at once")
        if ticket.stop_e8 is not None and self._triggers(ticket, None):
            raise rejected(Reason.WOULD_TRIGGER, "its stop price is reached already")

    def _quantity(self, ticket: Ticket) -> int:
        """The quantity of an order; what its budget can trade now, if it has one."""
        budget = ticket.budget_e8
        if budget is None:
            return ticket.quantity_e8
        step = self._market.listings[ticket.symbol].step_e8
        quantity = 0
        for price, available in self._levels(ticket.symbol, ticket.side):
            part = min(available, budget * E8 // price // step * step)
            quantity += part
            budget -= cost_e8(price, part)
            if part < available:
                break
        if not quantity:
            raise rejected(Reason.NO_LIQUIDITY, "the book has not the least quantity for it")
        return quantity

    def _lock_e8(self, order: Order) -> int:
        """What has to stand behind the rest of an order."""
        ticket, remaining = order.ticket, order.remaining_e8
        if ticket.side is Side.SELL:
            return remaining
        if ticket.price_e8 is not None:
            return cost_e8(ticket.price_e8, remaining)
        if ticket.stop_e8 is not None and order.working_ms is None:
            return cost_e8(ticket.stop_e8, remaining)
        return self.cost_e8(ticket.symbol, ticket.side, remaining)

    def _take(self, order: Order, now_ms: int) -> None:
        """Trade with the book as far as the limit goes; what may not rest ends."""
        ticket = order.ticket
        parts = list(self._reach(order))
        enough = sum(quantity for _, quantity in parts) == order.remaining_e8
        if ticket.tif is not TimeInForce.FOK or enough:
            for price, quantity in parts:
                self._note_taken(order.symbol, price, quantity)
                self._execute(order, price, quantity, now_ms, maker=False)
        if not order.open:
            return
        if ticket.price_e8 is None:
            self.expire(order, now_ms, "INSUFFICIENT_LIQUIDITY")
        elif ticket.tif is not TimeInForce.GTC:
            self.expire(order, now_ms, f"UNFILLED_{ticket.tif.value}_{_LEFT[ticket.tif]}_EXPIRED")

    def _trigger(self, step: Step, now_ms: int) -> None:
        for order in tuple(self._open[step.symbol]):
            if order.working_ms is not None or not self._triggers(order.ticket, step):
                continue
            order.working_ms = order.updated_ms = now_ms
            try:
                order.account.lock(order, self._item(order), self._lock_e8(order))
            except OrderRejected:
                self.expire(order, now_ms, "REJECTED")
                continue
            self._tell(What.TRIGGERED, order)
            self._take(order, now_ms)

    def _triggers(self, ticket: Ticket, step: Step | None) -> bool:
        quote = self._market.quote(ticket.symbol)
        prices = [trade.price_e8 for trade in step.trades] if step else []
        if ticket.stop_e8 is None:
            return False
        if ticket.above:
            return max([*prices, quote.bid_e8]) >= ticket.stop_e8
        return min([*prices, quote.ask_e8]) <= ticket.stop_e8

    def _queue(self, symbol: str, side: Side) -> list[Order]:
        """The resting orders of a side, the best price first and then the oldest."""
        resting = [
            (order.ticket.price_e8, order)
            for order in self._open[symbol]
            if order.ticket.side is side and order.working_ms is not None
        ]
        sign = -1 if side is Side.BUY else 1
        return [order for _, order in sorted(resting, key=lambda entry: sign * (entry[0] or 0))]

    def _hit(self, queue: list[Order], step: Step, now_ms: int) -> None:
        """A seeded share of each trade of the market falls to who stood there."""
        buying = queue[0].ticket.side is Side.BUY
        lot = self._market.listings[step.symbol].step_e8
        for trade in step.trades:
            if trade.buyer_is_maker is not buying:
                continue
            share = self._random.randint(0, trade.quantity_e8 // lot) * lot
            for order in queue:
                part = min(share, order.remaining_e8)
                if part and order.open and _fits(order.ticket, trade.price_e8):
                    share -= part
                    self._execute(order, order.ticket.price_e8 or 0, part, now_ms, maker=True)

    def _overrun(self, queue: list[Order], now_ms: int) -> None:
        """Who stands where the market has gone through is filled at his own price."""
        for order in queue:
            parts = list(self._reach(order)) if order.open else []
            for price, quantity in parts:
                self._note_taken(order.symbol, price, quantity)
            total = sum(quantity for _, quantity in parts)
            if total:
                self._execute(order, order.ticket.price_e8 or 0, total, now_ms, maker=True)

    def _reach(self, order: Order) -> Iterator[tuple[int, int]]:
        """Price and quantity of what an order can have of the book."""
        left = order.remaining_e8
        for price, available in self._levels(order.symbol, order.ticket.side):
            if not left or not _fits(order.ticket, price):
                return
            part = min(available, left)
            left -= part
            yield price, part

    def _levels(self, symbol: str, side: Side) -> Iterator[tuple[int, int]]:
        """What is left of the side of the book that `side` trades with, the best first."""
        book = self._market.book(symbol)
        update_id, taken = self._taken.get(symbol, (0, {}))
        for price, quantity in book.asks if side is Side.BUY else book.bids:
            left = quantity - (taken.get(price, 0) if update_id == book.update_id else 0)
            if left > 0:
                yield price, left

    def _note_taken(self, symbol: str, price_e8: int, quantity_e8: int) -> None:
        update_id = self._market.quote(symbol).update_id
        known, taken = self._taken.get(symbol, (0, {}))
        if known != update_id:
            taken = {}
        taken[price_e8] = taken.get(price_e8, 0) + quantity_e8
        self._taken[symbol] = (update_id, taken)

    def _execute(
        self, order: Order, price_e8: int, quantity_e8: int, now_ms: int, *, maker: bool
    ) -> Fill:
        item, account, ticket = self._item(order), order.account, order.ticket
        turnover = notional_e8(price_e8, quantity_e8)
        bought = ticket.side is Side.BUY
        fill = Fill(
            trade_id=self._trades.get(order.symbol, self._first_trade),
            order_id=order.order_id,
            client_id=order.client_id,
            symbol=order.symbol,
            side=ticket.side,
            price_e8=price_e8,
            quantity_e8=quantity_e8,
            turnover_e8=turnover,
            fee_e8=notional_e8(account.fee_e8, quantity_e8 if bought else turnover),
            fee_asset=item.base if bought else item.quote,
            time_ms=now_ms,
            maker=maker,
        )
        self._trades[order.symbol] = fill.trade_id + 1
        account.settle(order, item, fill, self._lock_after(order, fill))
        order.updated_ms = now_ms
        order.state = State.PARTIALLY_FILLED
        if not order.remaining_e8:
            self._close(order, State.FILLED)
        self._tell(What.TRADED, order, fill)
        return fill

    def _lock_after(self, order: Order, fill: Fill) -> int:
        if order.ticket.side is Side.SELL:
            return order.locked_e8 - fill.quantity_e8
        if order.ticket.price_e8 is None:
            return order.locked_e8 - fill.turnover_e8
        return cost_e8(order.ticket.price_e8, order.remaining_e8 - fill.quantity_e8)

    def _end(
        self, order: Order, state: State, what: What, now_ms: int, cancel_id: str = ""
    ) -> None:
        if not order.open:
            raise rejected(Reason.UNKNOWN, "the order has ended")
        order.updated_ms = now_ms
        self._close(order, state)
        self._tell(what, order, cancel_id=cancel_id)

    def _close(self, order: Order, state: State) -> None:
        order.account.close(order, self._item(order), state)
        self._open[order.symbol].remove(order)

    def _tell(
        self, what: What, order: Order, fill: Fill | None = None, *, cancel_id: str = ""
    ) -> None:
        if self.on_report is not None:
            self.on_report(Report(what, order, fill, cancel_id))

    def _item(self, order: Order) -> Listing:
        return self._market.listings[order.symbol]


def _fits(ticket: Ticket, price_e8: int) -> bool:
    """Whether the limit of an order allows a price."""
    limit = ticket.price_e8
    if limit is None:
        return True
    return price_e8 <= limit if ticket.side is Side.BUY else price_e8 >= limit
