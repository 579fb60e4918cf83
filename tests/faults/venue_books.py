"""Compares what was told of orders, fills and balances with the books of the simulated venue.

Invariants of orders: each fill told once (I1), sums agree (I2), no order goes a forbidden way (I3),
open here is open there and ended here ended so there (I4), balances and positions are the venue's
(I5), and no client order id came in twice (I7).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from foxtrot.execution.order_tracker import NOT_SENT
from foxtrot.model.constants import ACTIVE_STATUSES, Direction, Status
from foxtrot.model.objects import AccountData, OrderData, PositionData, TradeData
from foxtrot.simulator.accounts import Account, Fill, Order, Side, State
from foxtrot.simulator.listings import E8

NEXT: Mapping[Status, frozenset[Status]] = {
    Status.SUBMITTING: frozenset(Status),
    Status.NOTTRADED: frozenset(Status) - {Status.SUBMITTING},
    Status.PARTTRADED: frozenset({Status.PARTTRADED, Status.ALLTRADED, Status.CANCELLED}),
    Status.ALLTRADED: frozenset({Status.ALLTRADED}),
    Status.CANCELLED: frozenset({Status.CANCELLED}),
    Status.REJECTED: frozenset({Status.REJECTED}),
}
"""Which status may follow which; the same may be told again."""

_ENDS = {
    State.FILLED: Status.ALLTRADED,
    State.CANCELED: Status.CANCELLED,
    State.EXPIRED: Status.CANCELLED,
}
_EXTERNAL, _LOCAL = "ext-", "local-"
_BASES = {"BTCUSDT": "BTC", "ETHUSDT": "ETH", "ETHBTC": "ETH"}
_SIDES = {Side.BUY: Direction.LONG, Side.SELL: Direction.SHORT}

Trade = tuple[str, str, str, float, float, Direction | None]
"""Symbol, trade id, order id, volume, price and direction."""


@dataclass
class Told:
    """What one process told, in its order; `restored` if it began with an older journal."""

    orders: list[OrderData] = field(default_factory=list)
    trades: list[TradeData] = field(default_factory=list)
    accounts: dict[str, AccountData] = field(default_factory=dict)
    positions: dict[str, PositionData] = field(default_factory=dict)

    def take(self, data: object) -> None:
        """Take the data of one event; what is not of trading is left out."""
        if isinstance(data, OrderData):
            self.orders.append(data)
        elif isinstance(data, TradeData):
            self.trades.append(data)
        elif isinstance(data, AccountData):
            self.accounts[data.accountid] = data
        elif isinstance(data, PositionData):
            self.positions[data.symbol] = data

    @property
    def last(self) -> dict[str, OrderData]:
        """The last word about each order that was not refused before it became one."""
        return {o.orderid: o for o in self.orders if not o.orderid.startswith(_LOCAL)}


def told_by(events: Iterable[object]) -> Told:
    """All that these events' data tell."""
    told = Told()
    for data in events:
        told.take(data)
    return told


def problems(told: Told, account: Account) -> list[str]:
    """Every difference between what was told and the venue's books; none, hopefully."""
    fills = tuple(account.fills)  # first, as the venue goes on: each has its order then
    orders = tuple(account.orders)
    called = dict(names(told, orders))
    return [
        *ways(told.orders),
        *_fills(told.trades, fills, called),
        *_orders(told, orders, called),
        *holdings(told, account),
        *twice(account),
    ]


def twice(account: Account) -> Iterator[str]:
    """Client order ids that came in more than once."""
    for name, times in account.received.items():
        if times > 1:
            yield f"I7: {name} came in {times} times"


def names(told: Told, orders: Iterable[Order]) -> Iterator[tuple[tuple[str, int], str]]:
    """Under which orderid each order of the venue is to be found here."""
    symbols = {o.orderid: o.symbol for o in told.orders}
    for order in orders:
        name = order.client_id
        if order.by_hand:
            name = f"{_EXTERNAL}{order.order_id}"
            longer = f"{name}-{order.symbol}"
            if longer in symbols or symbols.get(name, order.symbol) != order.symbol:
                name = longer
        yield (order.symbol, order.order_id), name


def ways(orders: Iterable[OrderData]) -> Iterator[str]:
    """Orders that went a way that is not allowed (I3)."""
    before: dict[str, OrderData] = {}
    for order in orders:
        last = before.setdefault(order.orderid, order)
        if order.status not in NEXT[last.status]:
            yield f"I3: {order.orderid} went from {last.status.name} to {order.status.name}"
        if order.traded < last.traded:
            yield f"I3: {order.orderid} had traded {last.traded}, then {order.traded}"
        before[order.orderid] = order


def _fills(
    trades: Iterable[TradeData], fills: Iterable[Fill], names: Mapping[tuple[str, int], str]
) -> Iterator[str]:
    here = Counter(map(trade_of, trades))
    there = Counter(fill_of(fill, names[fill.symbol, fill.order_id]) for fill in fills)
    for trade, times in (there - here).items():
        yield f"I1: not told {times} times: {trade}"
    for trade, times in (here - there).items():
        yield f"I1: told {times} times too often: {trade}"


def trade_of(trade: TradeData) -> Trade:
    """A fill as it was told."""
    amounts = trade.volume, trade.price
    return (trade.symbol, trade.tradeid, trade.orderid, *amounts, trade.direction)


def fill_of(fill: Fill, orderid: str) -> Trade:
    """A fill as the venue has it."""
    amounts = fill.quantity_e8 / E8, fill.price_e8 / E8
    return (fill.symbol, str(fill.trade_id), orderid, *amounts, _SIDES[fill.side])


def _orders(
    told: Told, orders: Iterable[Order], names: Mapping[tuple[str, int], str]
) -> Iterator[str]:
    last, sums = told.last, Counter[str]()
    for trade in told.trades:
        sums[trade.orderid] += round(trade.volume * E8)
    for order in orders:
        name = names[order.symbol, order.order_id]
        shown = last.pop(name, None)
        if shown is None:
            if not order.by_hand or order.open or order.fills:
                yield f"I4: {name} is not known here, {order.state.name} there"
            continue
        yield from _differences(shown, order, sums[name])
    for name, shown in last.items():
        never_left = shown.status is Status.REJECTED or shown.reason.startswith(NOT_SENT)
        if shown.traded or not never_left:
            yield f"I4: {name} is {shown.status.name} here, unknown there"


def _differences(shown: OrderData, order: Order, told_e8: int) -> Iterator[str]:
    name = shown.orderid
    if order.open != (shown.status in ACTIVE_STATUSES):
        yield f"I4: {name} is {shown.status.name} here, {order.state.name} there"
    elif not order.open and shown.status is not _ENDS[order.state]:
        yield f"I4: {name} ended as {shown.status.name} here, as {order.state.name} there"
    elif order.open and shown.status is Status.SUBMITTING:
        yield f"I4: {name} is in doubt, {order.state.name} there"
    amounts = round(shown.traded * E8), told_e8, order.filled_e8
    if len(set(amounts)) > 1:
        yield f"I2: {name}: order, fills and venue traded {amounts}"


def holdings(told: Told, account: Account) -> Iterator[str]:
    """Balances and positions that are not the venue's (I5)."""
    for asset, balance in account.balances.items():
        total = (balance.free_e8 + balance.locked_e8) / E8
        frozen = balance.locked_e8 / E8
        shown = told.accounts.get(asset)
        if shown is None or (shown.balance, shown.frozen) != (total, frozen):
            yield f"I5: {asset} is {shown}, {total} with {frozen} frozen there"
        for position in told.positions.values():
            if _BASES[position.symbol] == asset and (position.volume, position.frozen) != (
                total,
                frozen,
            ):
                yield f"I5: the position is {position}, {total} with {frozen} frozen there"
