"""The truth about orders: a venue that knows every order and fill, and says so when it is asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from foxtrot.execution.reports import TERMINAL, ZERO, FillReport, OrderReport, OrderState
from foxtrot.model.constants import Direction, Exchange, OrderType

MAX_AGE_NS = 5_000_000_000
"""A request that was longer under way is not carried out, as by Binance's `recvWindow`."""

LAG_NS = 1_900_000_000
"""For so long a new order is not found by the query for one order."""


@dataclass(slots=True)
class VenueOrder:
    """One order as the venue has it; `orderid` is the client's name for it, "" if it gave none."""

    venue_id: str
    orderid: str
    symbol: str
    direction: Direction
    volume: Decimal
    placed_ns: int
    ts_ns: int
    traded: Decimal = ZERO
    state: OrderState = OrderState.ACCEPTED


class OrderVenue:
    """Orders and fills, numbered for each symbol; what happens is pushed into `pushes`.

    Args:
        names_fills: Whether fills carry the client order id (Binance's list of trades does not).
    """

    def __init__(self, *, names_fills: bool = True) -> None:
        self.names_fills = names_fills
        self.orders: list[VenueOrder] = []
        self.trades: list[FillReport] = []
        self.pushes: list[OrderReport | FillReport] = []

    def place(
        self, orderid: str, symbol: str, direction: Direction, volume: Decimal, now_ns: int
    ) -> VenueOrder:
        """Take an order."""
        number = 1 + sum(each.symbol == symbol for each in self.orders)
        order = VenueOrder(str(number), orderid, symbol, direction, volume, now_ns, now_ns)
        self.orders.append(order)
        self.pushes.append(report_of(order))
        return order

    def fill(self, order: VenueOrder, volume: Decimal, now_ns: int) -> None:
        """Trade a part of an open order."""
        order.traded += volume
        order.ts_ns = now_ns
        order.state = OrderState.PARTIALLY_FILLED
        if order.traded == order.volume:
            order.state = OrderState.FILLED
        number = 1 + sum(each.symbol == order.symbol for each in self.trades)
        fill = FillReport(
            trade_id=str(number),
            venue_id=order.venue_id,
            orderid=order.orderid if self.names_fills else "",
            symbol=order.symbol,
            exchange=Exchange.BINANCE,
            direction=order.direction,
            price=Decimal(100),
            volume=volume,
            ts_ns=now_ns,
        )
        self.trades.append(fill)
        self.pushes += [fill, report_of(order)]

    def end(self, order: VenueOrder, state: OrderState, now_ns: int) -> None:
        """Cancel or expire an open order."""
        order.state, order.ts_ns = state, now_ns
        self.pushes.append(report_of(order))

    def open(self) -> list[VenueOrder]:
        """The orders that live."""
        return [each for each in self.orders if each.state not in TERMINAL]

    def open_list(self) -> tuple[OrderReport, ...]:
        """The answer to the question for all open orders."""
        return tuple(report_of(each) for each in self.open())

    def look_up(
        self, symbol: str, orderid: str, venue_id: str, now_ns: int
    ) -> tuple[OrderReport, ...]:
        """The answer to the question for one order; late to know of a new one."""
        return tuple(
            report_of(each)
            for each in self.orders
            if each.symbol == symbol
            and each.placed_ns + LAG_NS <= now_ns
            and (each.venue_id == venue_id if venue_id else each.orderid == orderid)
        )

    def fills(self, symbol: str, since_ns: int, venue_id: str) -> tuple[FillReport, ...]:
        """The answer to the question for fills."""
        return tuple(
            each
            for each in self.trades
            if symbol in ("", each.symbol)
            and venue_id in ("", each.venue_id)
            and each.ts_ns >= since_ns
        )


def report_of(order: VenueOrder) -> OrderReport:
    """What the venue says of an order."""
    return OrderReport(
        venue_id=order.venue_id,
        orderid=order.orderid,
        symbol=order.symbol,
        exchange=Exchange.BINANCE,
        direction=order.direction,
        type=OrderType.LIMIT,
        volume=order.volume,
        traded=order.traded,
        state=order.state,
        ts_ns=order.ts_ns,
        price=Decimal(100),
    )


def volumes(fills: Iterable[FillReport]) -> dict[str, Decimal]:
    """The sum of the fills of each order, by its `orderid`."""
    sums: dict[str, Decimal] = {}
    for each in fills:
        sums[each.orderid] = sums.get(each.orderid, ZERO) + each.volume
    return sums
