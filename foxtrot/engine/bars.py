"""Bars from ticks, and longer bars from bars of one minute. Pure: the caller brings the time."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable

from foxtrot.errors import ConfigurationError, InvalidState
from foxtrot.model.constants import Exchange, Interval
from foxtrot.model.objects import NO_STATISTICS, NS_PER_S, BarData, TickData, utc

OnBar = Callable[[BarData], object]

MINUTE_NS = 60 * NS_PER_S
DAY_MINUTES = 24 * 60
CLOSE_AFTER_S = 5.0
"""How long after its end a bar waits for its last ticks, until `update_time` closes it."""

_UNITS = {Interval.MINUTE: 1, Interval.HOUR: 60}
_NAMES = {
    1: Interval.MINUTE,
    5: Interval.MINUTE_5,
    15: Interval.MINUTE_15,
    60: Interval.HOUR,
    240: Interval.HOUR_4,
}
_FELL_ANEW = 0.5
"""A rolling total falls by little; one below this share of what it was began anew."""


class BarGenerator:
    """Makes one-minute bars of one symbol's ticks, and longer ones of one-minute bars.

    As vnpy's, with every bar inside its own minute or window: minutes without a tick are not made
    up, a bar is closed by the first tick of a later minute or by `update_time`, and what comes
    later than that is left out and counted in `late`. Ticks that come out of order count by their
    own time. Windows begin at whole multiples of their length since midnight, UTC.

    A bar's volume is what the day's volume grew by. Where the venue's "day" is the last 24 hours
    (Binance), what drops out of it hides some of the growth; its own bars are exact.

    Args:
        on_bar: Gets each one-minute bar.
        window: Minutes or hours of a longer bar; they must fill a day. 0: none are made.
        on_window_bar: Gets each longer bar.
        interval: Whether `window` counts minutes or hours.
        close_after_s: Seconds after its end from which on `update_time` closes a bar.

    Raises:
        ConfigurationError: The window does not fill a day, or nobody takes its bars.
    """

    def __init__(
        self,
        on_bar: OnBar,
        window: int = 0,
        on_window_bar: OnBar | None = None,
        interval: Interval = Interval.MINUTE,
        *,
        close_after_s: float = CLOSE_AFTER_S,
    ) -> None:
        self.late = 0
        self._on_bar, self._on_window_bar = on_bar, on_window_bar
        self._close_after_ns = int(close_after_s * NS_PER_S)
        self._vt_symbol = ""
        self._minute = _Series(1)
        minutes = _minutes(window, interval, on_window_bar)
        self._window = _Series(minutes) if minutes else None
        self._newest_ns = -1
        self._newest_bar_ns = -1
        self._volume, self._turnover = _Meter(), _Meter()

    def update_tick(self, tick: TickData) -> None:
        """Take a tick; one without a last price says nothing.

        Raises:
            InvalidState: It is of another symbol than the first.
        """
        self._refuse_other(tick.vt_symbol)
        price = tick.last_price
        if not (price > 0 and math.isfinite(price)):
            return
        at_ns = tick.ts_event_ns or tick.ts_recv_ns
        if self._minute.is_closed_at(at_ns):
            self.late += 1
            return
        if (done := self._minute.pass_to(at_ns)) is not None:
            self._on_bar(done)
        forming = self._minute.at(at_ns, tick.adapter_name, tick.symbol, tick.exchange)
        forming.add_prices(at_ns, price, price, price, price)
        if at_ns >= self._newest_ns:
            self._newest_ns = at_ns
            forming.open_interest = tick.day.open_interest
            if _tells_volume(tick):
                forming.volume += self._volume.growth(tick.day.volume)
                forming.turnover += self._turnover.growth(tick.day.turnover)

    def update_bar(self, bar: BarData) -> None:
        """Take a closed one-minute bar into the window; one that still moves says nothing.

        Raises:
            InvalidState: No window was asked for, or the bar is not of one minute or of another
                symbol than the first.
        """
        self._refuse_other(bar.vt_symbol)
        if self._window is None:
            raise InvalidState("this BarGenerator has no window; give it window and on_window_bar")
        if bar.interval not in (Interval.MINUTE, None):
            raise InvalidState(f"windows are made of 1m bars, not of {bar.interval.value}")
        if not bar.closed:
            return
        at_ns = int(bar.datetime.timestamp()) * NS_PER_S
        if at_ns <= self._newest_bar_ns or self._window.is_closed_at(at_ns):
            self.late += 1
            return
        self._newest_bar_ns = at_ns
        self._hand_on(self._window.pass_to(at_ns))
        forming = self._window.at(at_ns, bar.adapter_name, bar.symbol, bar.exchange)
        forming.add_bar(at_ns, bar)
        self._hand_on(self._window.pass_to(at_ns + MINUTE_NS))

    def update_time(self, now: dt.datetime) -> None:
        """Close what ended some seconds ago; call it from `on_timer`, so that no bar hangs."""
        due_ns = int(now.timestamp() * NS_PER_S) - self._close_after_ns
        if (done := self._minute.pass_to(due_ns)) is not None:
            self._on_bar(done)
        if self._window is not None:
            self._hand_on(self._window.pass_to(due_ns))

    def _hand_on(self, done: BarData | None) -> None:
        if done is not None and self._on_window_bar is not None:
            self._on_window_bar(done)

    def _refuse_other(self, vt_symbol: str) -> None:
        self._vt_symbol = self._vt_symbol or vt_symbol
        if vt_symbol != self._vt_symbol:
            raise InvalidState(
                f"this BarGenerator makes bars of {self._vt_symbol}; give {vt_symbol} its own"
            )


def _tells_volume(tick: TickData) -> bool:
    """Whether the day's volume is known: IB tells the day piece by piece, perhaps that last."""
    day = tick.day
    began = day.open_price or day.high_price or day.low_price or tick.last_volume
    return bool(day.volume) or (day != NO_STATISTICS and not began)


class _Meter:
    """Turns a running total into growth."""

    def __init__(self) -> None:
        self._total: float | None = None

    def growth(self, total: float) -> float:
        """By how much the total grew. One that fell to less than half began anew."""
        before, self._total = self._total, total
        if before is None:
            return 0.0
        if total >= before:
            return total - before
        return total if total < before * _FELL_ANEW else 0.0


class _Forming:
    """A bar that is still open. First and last price go by their times, not by their arrival."""

    def __init__(self, adapter_name: str, symbol: str, exchange: Exchange) -> None:
        self._contract = (adapter_name, symbol, exchange)
        self._first_ns, self._last_ns = -1, -1
        self._open = self._high = self._low = self._close = 0.0
        self.volume = self.turnover = self.open_interest = 0.0

    def add_prices(self, at_ns: int, open_: float, high: float, low: float, close: float) -> None:
        fresh = self._last_ns < 0
        if fresh or at_ns < self._first_ns:
            self._first_ns, self._open = at_ns, open_
        if at_ns >= self._last_ns:
            self._last_ns, self._close = at_ns, close
        self._high = high if fresh else max(self._high, high)
        self._low = low if fresh else min(self._low, low)

    def add_bar(self, at_ns: int, bar: BarData) -> None:
        self.add_prices(at_ns, bar.open_price, bar.high_price, bar.low_price, bar.close_price)
        self.volume += bar.volume
        self.turnover += bar.turnover
        self.open_interest = bar.open_interest

    def bar(self, start_ns: int, interval: Interval | None) -> BarData:
        return BarData(
            *self._contract,
            utc(start_ns),
            interval=interval,
            volume=self.volume,
            turnover=self.turnover,
            open_interest=self.open_interest,
            open_price=self._open,
            high_price=self._high,
            low_price=self._low,
            close_price=self._close,
        )


class _Series:
    """Bars of one length, one after the other."""

    def __init__(self, minutes: int) -> None:
        self._length_ns = minutes * MINUTE_NS
        self._interval = _NAMES.get(minutes)
        self._number = 0  # of the bar that is open, or of the first that may be
        self._forming: _Forming | None = None

    def is_closed_at(self, at_ns: int) -> bool:
        """Whether the bar of this moment was closed before."""
        return at_ns // self._length_ns < self._number

    def pass_to(self, at_ns: int) -> BarData | None:
        """Close the open bar if it ends at this moment or before; the bar, if it was closed."""
        if self._forming is None or at_ns // self._length_ns <= self._number:
            return None
        done = self._forming.bar(self._number * self._length_ns, self._interval)
        self._number, self._forming = self._number + 1, None
        return done

    def at(self, at_ns: int, adapter_name: str, symbol: str, exchange: Exchange) -> _Forming:
        """The open bar, which is that of this moment; a fresh one if there is none."""
        if self._forming is None:
            self._number = at_ns // self._length_ns
            self._forming = _Forming(adapter_name, symbol, exchange)
        return self._forming


def _minutes(window: int, interval: Interval, on_window_bar: OnBar | None) -> int:
    unit = _UNITS.get(interval)
    if unit is None:
        problem = f"must be {Interval.MINUTE.value} or {Interval.HOUR.value}; was {interval.value}"
        raise ConfigurationError("BarGenerator", "interval", problem)
    if window == 0:
        return 0
    minutes = window * unit
    if window < 0 or DAY_MINUTES % minutes:
        problem = f"must fill a day of 24 hours in whole bars; {window} x {interval.value} does not"
        raise ConfigurationError("BarGenerator", "window", problem)
    if on_window_bar is None:
        raise ConfigurationError("BarGenerator", "on_window_bar", "is needed with a window")
    return minutes
