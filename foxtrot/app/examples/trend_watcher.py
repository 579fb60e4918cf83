"""A strategy that only watches: it says when a fast average crosses a slow one."""

from __future__ import annotations

from dataclasses import dataclass

from foxtrot import Strategy, TickData

_FAST, _SLOW = 2 / (30 + 1), 2 / (150 + 1)
"""Weights of the newest price in averages of about 30 and 150 ticks."""

_WARM_UP = 60
_BAND = 2e-5
"""The averages must part by this share of the price, or noise would turn the trend."""


@dataclass(slots=True)
class _Averages:
    fast: float
    slow: float
    ticks: int = 0
    trend: str = ""

    def add(self, price: float) -> None:
        self.fast += (price - self.fast) * _FAST
        self.slow += (price - self.slow) * _SLOW
        self.ticks += 1

    def side(self) -> str:
        """Where the fast average is; empty while it is too near to tell."""
        distance = self.fast / self.slow - 1
        if abs(distance) < _BAND:
            return ""
        return "up" if distance > 0 else "down"


class TrendWatcher(Strategy):
    """Keeps two moving averages of the mid price of each symbol, and says when they cross."""

    def on_init(self) -> None:
        """Begin with no averages."""
        self._averages: dict[str, _Averages] = {}

    def on_start(self) -> None:
        """Say what is watched."""
        count = len(self.vt_symbols)
        self.write_log(f"watching {count} symbol{'s' if count != 1 else ''}")

    def on_tick(self, tick: TickData) -> None:
        """Add the mid price, and say so if the trend turned."""
        price = (tick.bid_price_1 + tick.ask_price_1) / 2 or tick.last_price
        if not price:
            return
        averages = self._averages.setdefault(tick.vt_symbol, _Averages(price, price))
        averages.add(price)
        side = averages.side()
        if averages.ticks < _WARM_UP or not side or side == averages.trend:
            return
        averages.trend = side
        self.write_log(f"{tick.symbol} turns {side} at {price:,.6g}")
