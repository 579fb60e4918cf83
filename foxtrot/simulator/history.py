"""The past of a simulated market: a price path that is a pure function of seed, symbol and time.

Any stretch of it can be asked for, again and again, with the same answer; the live market starts
on the path and keeps close to it, so that past and present fit together.
"""

from __future__ import annotations

import datetime as dt
import math
import random
from functools import lru_cache

import msgspec

from foxtrot.simulator.listings import Listing, notional_e8

LAUNCH_MS = 1_500_000_000_000
"""Nothing was traded before; bars begin here."""

DAY_MS = 86_400_000

INTERVALS_MS = {
    "1s": 1_000,
    "1m": 60_000,
    "3m": 180_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "2h": 7_200_000,
    "4h": 14_400_000,
    "6h": 21_600_000,
    "8h": 28_800_000,
    "12h": 43_200_000,
    "1d": DAY_MS,
    "3d": 3 * DAY_MS,
    "1w": 7 * DAY_MS,
    "1M": 30 * DAY_MS,
}
_MONDAY_MS = 4 * DAY_MS

_WAVES = (
    (30 * DAY_MS, 0.08),
    (7 * DAY_MS, 0.04),
    (DAY_MS, 0.018),
    (21_600_000, 0.008),
    (3_600_000, 0.004),
    (600_000, 0.0015),
    (60_000, 0.0004),
)
_TRADES_PER_MS = 0.004
_MASK = (1 << 64) - 1


class Bar(msgspec.Struct):
    """Open to close of one stretch of time; `end_ms` is the first moment that is not in it."""

    start_ms: int
    end_ms: int
    open_e8: int
    high_e8: int
    low_e8: int
    close_e8: int
    volume_e8: int = 0
    turnover_e8: int = 0
    trades: int = 0
    taker_volume_e8: int = 0
    taker_turnover_e8: int = 0
    first_id: int = -1
    last_id: int = -1

    def add(self, later: Bar) -> None:
        """Take in a bar that follows this one."""
        if not later.trades:
            return
        if not self.trades:
            self.open_e8, self.high_e8, self.low_e8 = later.open_e8, later.high_e8, later.low_e8
            self.first_id = later.first_id
        self.high_e8 = max(self.high_e8, later.high_e8)
        self.low_e8 = min(self.low_e8, later.low_e8)
        self.close_e8 = later.close_e8
        self.volume_e8 += later.volume_e8
        self.turnover_e8 += later.turnover_e8
        self.trades += later.trades
        self.taker_volume_e8 += later.taker_volume_e8
        self.taker_turnover_e8 += later.taker_turnover_e8
        self.last_id = later.last_id

    @classmethod
    def flat(cls, start_ms: int, end_ms: int, price_e8: int) -> Bar:
        """A bar in which nothing was traded."""
        return cls(start_ms, end_ms, price_e8, price_e8, price_e8, price_e8)


def bar_start(interval: str, at_ms: int) -> int:
    """Start of the bar of `interval` that holds the moment `at_ms`; weeks start on Monday."""
    if interval == "1M":
        return _month_start(at_ms)
    length = INTERVALS_MS[interval]
    offset = _MONDAY_MS if interval == "1w" else 0
    return (at_ms - offset) // length * length + offset


def bar_end(interval: str, start_ms: int) -> int:
    """The first moment after the bar of `interval` that starts at `start_ms`."""
    if interval == "1M":
        return _month_start(start_ms + 31 * DAY_MS)
    return start_ms + INTERVALS_MS[interval]


class Path:
    """The past of one symbol."""

    def __init__(self, listing: Listing, seed: int) -> None:
        self._listing = listing
        # S311: prices of a toy market, not secrets
        self._seed = random.Random(f"{seed}:{listing.symbol}").getrandbits(64)  # noqa: S311
        self._per_ms = listing.lot_e8 * _TRADES_PER_MS / 4

    def price(self, at_ms: int) -> float:
        """The price at a moment, in units of 1e-8, off the tick grid."""
        deviation = 0.0
        for number, (period, size) in enumerate(_WAVES):
            cell, rest = divmod(at_ms, period)
            share = rest / period
            share = share * share * (3 - 2 * share)
            before = _noise(self._seed, number, cell)
            after = _noise(self._seed, number, cell + 1)
            deviation += size * (before + (after - before) * share)
        return self._listing.price_e8 * math.exp(deviation)

    def price_on_grid(self, at_ms: int) -> int:
        """The price at a moment, on the tick grid."""
        tick = self._listing.tick_e8
        return max(tick, round(self.price(at_ms) / tick) * tick)

    def trade_count(self, at_ms: int) -> int:
        """How many trades there were since the launch; also the id of the next trade."""
        return int(_TRADES_PER_MS * _busy_ms(at_ms))

    def volume_until(self, at_ms: int) -> int:
        """What was traded since the launch, in units of 1e-8."""
        step = self._listing.step_e8
        return int(self._per_ms * _busy_ms(at_ms)) // step * step

    def bar(self, start_ms: int, end_ms: int, samples: int = 6) -> Bar:
        """The bar of one stretch of the past."""
        start_ms = max(start_ms, LAUNCH_MS)
        span = end_ms - start_ms
        inner = [self.price_on_grid(start_ms + span * i // samples) for i in range(samples + 1)]
        first, last = self.trade_count(start_ms), self.trade_count(end_ms)
        volume = self.volume_until(end_ms) - self.volume_until(start_ms)
        if last <= first or volume <= 0:
            return Bar.flat(start_ms, end_ms, inner[0])
        turnover = notional_e8(sum(inner) // len(inner), volume)
        step = self._listing.step_e8
        taker = int(volume * (0.5 + 0.1 * _noise(self._seed, 99, start_ms))) // step * step
        return Bar(
            start_ms,
            end_ms,
            open_e8=inner[0],
            high_e8=max(inner),
            low_e8=min(inner),
            close_e8=inner[-1],
            volume_e8=volume,
            turnover_e8=turnover,
            trades=last - first,
            taker_volume_e8=taker,
            taker_turnover_e8=turnover * taker // volume,
            first_id=first,
            last_id=last - 1,
        )


def _busy_ms(at_ms: int) -> float:
    """Time since the launch, running faster in the busy hours of a day."""
    since = max(0, at_ms - LAUNCH_MS)
    turn = 2 * math.pi / DAY_MS
    return since + 0.5 / turn * (1 + math.sin(turn * since))


@lru_cache(maxsize=1 << 16)
def _noise(seed: int, wave: int, cell: int) -> float:
    """A fixed number between -1 and 1 for one cell of one wave."""
    mixed = (seed + wave * 0x9E3779B97F4A7C15 + cell * 0xD1B54A32D192ED03) & _MASK
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB & _MASK
    return (mixed >> 11) / (1 << 52) - 1.0


def _month_start(at_ms: int) -> int:
    moment = dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC)
    first = dt.datetime(moment.year, moment.month, 1, tzinfo=dt.UTC)
    return int(first.timestamp()) * 1000
