"""A strategy that trades: long while a fast average is above a slow one, and out otherwise."""

from __future__ import annotations

from collections import deque

from foxtrot import BarData, BarGenerator, OrderData, OrderType, Strategy, TickData, TradeData


class MaCross(Strategy):
    """Averages of one-minute closing prices of one symbol; buys and sells at the market.

    The past fills the averages before it starts, and its bars are its own: made of ticks, closed
    by the next minute's first tick or by the timer.
    """

    parameters = ("fast", "slow", "volume")
    variables = ("fast_average", "slow_average", "pnl")

    fast = 5
    slow = 20
    volume = 0.001

    def on_init(self) -> None:
        """Begin with the closing prices of the past."""
        self.fast_average = self.slow_average = 0.0
        self._closes: deque[float] = deque(maxlen=self.slow)
        self._bars = BarGenerator(self.on_bar)
        self._order = ""
        self.load_bars(hours=2)

    def on_start(self) -> None:
        """Say what it follows, from the timer's next beat on."""
        self.write_log(f"averages of {self.fast} and {self.slow} minutes")

    def on_tick(self, tick: TickData) -> None:
        """Make bars."""
        self._bars.update_tick(tick)

    def on_timer(self) -> None:
        """Close a bar that no tick will close, and try again what was refused."""
        self._bars.update_time(self.now)
        self._follow()

    def on_bar(self, bar: BarData) -> None:
        """Move the averages."""
        self._closes.append(bar.close_price)
        closes = list(self._closes)
        self.slow_average = sum(closes) / len(closes)
        self.fast_average = sum(closes[-self.fast :]) / len(closes[-self.fast :])
        self._follow()

    def on_order(self, order: OrderData) -> None:
        """Wait for an order to end before the next."""
        if order.vt_orderid == self._order and not order.is_active():
            self._order = ""

    def on_trade(self, trade: TradeData) -> None:
        """Say what it came to."""
        made = "" if self.pnl is None else f"; made {self.pnl:+,.4f}"
        self.write_log(f"holds {self.pos:g} after {trade.volume:g} at {trade.price:,.6g}{made}")

    def _follow(self) -> None:
        if self._order or len(self._closes) < self.slow or not self.ready:
            return
        wanted = self.volume if self.fast_average > self.slow_average else 0.0
        if wanted > self.pos:
            missing = round(wanted - self.pos, 10)  # 0.001 - 0.0007 is no multiple of any step
            self._order = self.buy(0, missing, type=OrderType.MARKET)
        elif wanted < self.pos:
            self._order = self.sell(0, self.pos - wanted, type=OrderType.MARKET)
