"""What a vnpy gateway told of the account, kept so that it can be asked for. Loop thread only."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import TypeVar

from msgspec.structs import replace

from foxtrot.execution.reports import FillReport, OrderReport, OrderState, exact
from foxtrot.gateway.trading import Balances, TradingListener
from foxtrot.model.constants import Direction, OrderType, Status
from foxtrot.model.objects import AccountData, OrderData, PositionData, TradeData

_STATES = {
    Status.NOTTRADED: OrderState.ACCEPTED,
    Status.PARTTRADED: OrderState.PARTIALLY_FILLED,
    Status.ALLTRADED: OrderState.FILLED,
    Status.CANCELLED: OrderState.CANCELED,
    Status.REJECTED: OrderState.REJECTED,
}
"""Submitting is what a gateway says of itself, not of its venue, so that it is no report."""

_ENDED = frozenset({OrderState.FILLED, OrderState.CANCELED, OrderState.REJECTED})
_KEPT = 100_000

K = TypeVar("K")
V = TypeVar("V")


class OrderBook:
    """Orders, fills, balances and positions, as the gateway told them last.

    A gateway has a name of its own for each order of ours. While an order is being sent, what is
    told of orders that nobody knows is held back, until the gateway has returned that name.
    """

    def __init__(self) -> None:
        self.listener: TradingListener | None = None
        self.told = asyncio.Event()
        """Set, and replaced, whenever anything of an order is told."""
        self._names: dict[str, str] = {}
        self._orders: dict[str, OrderReport] = {}
        self._fills: dict[tuple[str, str], FillReport] = {}
        self._accounts: dict[str, AccountData] = {}
        self._positions: dict[str, PositionData] = {}
        self._sending: set[str] = set()
        self._held: list[OrderReport | FillReport] = []

    # -- names ------------------------------------------------------------------------------

    def sending(self, orderid: str) -> None:
        """An order of ours is about to be sent."""
        self._sending.add(orderid)

    def named(self, venue_id: str, orderid: str) -> None:
        """The gateway calls an order of ours `venue_id`; empty: it took none."""
        if venue_id:
            self._names[venue_id] = orderid
            _bound(self._names)
        self._sending.discard(orderid)
        self._take_held()

    def give_up_sending(self) -> None:
        """The gateway is another one: a call of the one before may hang for ever."""
        self._sending.clear()
        self._take_held()

    def _take_held(self) -> None:
        held, self._held = self._held, []
        for report in held:
            self._take(report)

    # -- what is told -----------------------------------------------------------------------

    def on_order(self, order: OrderData, now_ns: int) -> None:
        """An order, told at `now_ns`."""
        state = _STATES.get(order.status)
        if state is None:
            return
        price, stops = exact(order.price), order.type is OrderType.STOP
        report = OrderReport(
            venue_id=order.orderid,
            orderid="",
            symbol=order.symbol,
            exchange=order.exchange,
            direction=order.direction or Direction.NET,
            type=order.type,
            volume=exact(order.volume),
            traded=exact(order.traded),
            state=state,
            ts_ns=now_ns,
            price=Decimal(0) if stops else price,
            stop_price=price if stops else Decimal(0),
            reason=order.reason,
        )
        self._take(report)

    def on_trade(self, trade: TradeData, now_ns: int) -> None:
        """A fill, told at `now_ns`."""
        self._take(
            FillReport(
                trade_id=trade.tradeid,
                venue_id=trade.orderid,
                orderid="",
                symbol=trade.symbol,
                exchange=trade.exchange,
                direction=trade.direction or Direction.NET,
                price=exact(trade.price),
                volume=exact(trade.volume),
                ts_ns=now_ns,
            )
        )

    def on_account(self, account: AccountData) -> None:
        """A balance."""
        self._accounts[account.accountid] = account
        if self.listener is not None:
            self.listener.on_balances(Balances((account,)))

    def on_position(self, position: PositionData) -> None:
        """A position."""
        self._positions[position.vt_positionid] = position
        if self.listener is not None:
            self.listener.on_balances(Balances((), (position,)))

    def _take(self, report: OrderReport | FillReport) -> None:
        orderid = self._names.get(report.venue_id, "")
        if not orderid and self._sending and report.venue_id not in self._orders:
            self._held.append(report)
            return
        if isinstance(report, OrderReport):
            report = replace(report, orderid=orderid)
            self._orders[report.venue_id] = report
            _bound(self._orders)
        else:
            report = replace(report, orderid=orderid)
            self._fills[report.symbol, report.trade_id] = report
            _bound(self._fills)
        self._tell(report)

    def _tell(self, report: OrderReport | FillReport) -> None:
        told, self.told = self.told, asyncio.Event()
        told.set()
        if self.listener is None:
            return
        if isinstance(report, OrderReport):
            self.listener.on_report(report)
        else:
            self.listener.on_fill(report)

    # -- what is asked ----------------------------------------------------------------------

    def order(self, venue_id: str) -> OrderReport | None:
        """The last of an order, if the gateway told of it."""
        return self._orders.get(venue_id)

    def by_orderid(self, orderid: str) -> OrderReport | None:
        """The same by our name of it."""
        known = (v for v, name in self._names.items() if name == orderid)
        return self.order(next(known, ""))

    def open_orders(self) -> tuple[OrderReport, ...]:
        """Those that have not ended."""
        return tuple(each for each in self._orders.values() if each.state not in _ENDED)

    def fills(self, symbols: Sequence[str], since_ns: int) -> tuple[FillReport, ...]:
        """Those in `symbols` that were told since a moment."""
        found = self._fills.values()
        return tuple(f for f in found if f.symbol in symbols and f.ts_ns >= since_ns)

    def balances(self) -> Balances:
        """All that the account holds."""
        return Balances(tuple(self._accounts.values()), tuple(self._positions.values()))


def _bound(kept: dict[K, V]) -> None:
    if len(kept) > _KEPT:
        del kept[next(iter(kept))]
