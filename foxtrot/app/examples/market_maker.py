"""A toy that makes a market: a bid below and an ask above the middle, moved along with it."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from foxtrot import (
    ContractData,
    Direction,
    OrderData,
    OrderType,
    Strategy,
    TickData,
    TradeData,
)


class MarketMaker(Strategy):
    """Quotes one symbol on both sides, never more than `most` to either side of nothing.

    Once a second it looks whether its quotes still stand around the middle; if not, it cancels
    both and quotes anew when they are gone. It knows nothing of what it trades: it is a toy.
    """

    parameters = ("volume", "distance", "tolerance", "most", "post_only", "pause")
    variables = ("bid", "ask", "pnl")

    volume = 0.01
    distance = 0.00005
    """From the middle to each quote, as a share of the price."""
    tolerance = 0.00005
    """How far the middle may move before the quotes follow, as a share of the price."""
    most = 0.05
    post_only = True
    """Whether a quote that would trade at once is refused; not every venue offers that."""
    pause = 1
    """Seconds from one pair of quotes to the next, at least: some venues count orders."""

    def on_init(self) -> None:
        """Begin without a quote."""
        self.bid = self.ask = 0.0
        self._middle = self._quoted = 0.0
        self._rest = 0
        self._open: set[str] = set()

    def on_tick(self, tick: TickData) -> None:
        """Know the middle."""
        if tick.bid_price_1 and tick.ask_price_1:
            self._middle = (tick.bid_price_1 + tick.ask_price_1) / 2

    def on_timer(self) -> None:
        """Quote, or take back quotes that stand wrong."""
        contract = self.engine.get_contract(self.vt_symbols[0], self.adapter_name)
        if not self._middle or contract is None or not self.ready:
            return
        self._rest = max(self._rest - 1, 0)
        if not self._open:
            if not self._rest:
                self._quote(contract)
        elif (
            abs(self._middle / self._quoted - 1) > self.tolerance or len(self._open) < self._sides()
        ):
            self.cancel_all()

    def on_order(self, order: OrderData) -> None:
        """Forget an order that has ended."""
        if not order.is_active():
            self._open.discard(order.vt_orderid)

    def on_trade(self, trade: TradeData) -> None:
        """Say what it came to."""
        side = "bought" if trade.direction is Direction.LONG else "sold"
        made = "" if self.pnl is None else f"; made {self.pnl:+,.4f}"
        self.write_log(f"{side} {trade.volume:g} at {trade.price:,.6g}{made}")

    def on_stop(self) -> None:
        """Leave no quote behind."""
        self.cancel_all()

    def _sides(self) -> int:
        return (self.pos + self.volume <= self.most) + (self.pos - self.volume >= -self.most)

    def _quote(self, contract: ContractData) -> None:
        self._quoted, self._rest = self._middle, self.pause
        self.bid = _on_tick(self._middle * (1 - self.distance), contract.pricetick, ROUND_FLOOR)
        self.ask = _on_tick(self._middle * (1 + self.distance), contract.pricetick, ROUND_CEILING)
        kind = OrderType.POST_ONLY if self.post_only else OrderType.LIMIT
        ids = []
        if self.pos + self.volume <= self.most:
            ids.append(self.buy(self.bid, self.volume, type=kind))
        if self.pos - self.volume >= -self.most:
            ids.append(self.sell(self.ask, self.volume, type=kind))
        self._open.update(ids)


def _on_tick(price: float, tick: float, rounding: str) -> float:
    step = Decimal(repr(tick))
    return float((Decimal(repr(price)) / step).to_integral_value(rounding) * step)
