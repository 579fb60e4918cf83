"""What reaches a window's table of ticks, and how the window lives meanwhile.

The bid's volume of each frame of the flood is the time of its sending, so every cell of that column
says how old its price is. A cell notes when its text was set; a timer of the window's own loop
notes how late it is called, and what is late by more than its interval counts for each beat that
was missed: somebody who clicks does not wait for the loop to be free.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vnpy.trader.ui import QtCore
from vnpy.trader.ui.widget import BidCell, TickMonitor

from tests.benchmarks.harness import percentile

STAMPED = "bid_volume_1"
BEAT_S = 0.005
QUIET_S = 1.0
"""Without a new price for so long, all that was sent is in the table."""

LONGEST_S = 60.0
_AGE_STEP_S = 0.01

Rows = dict[str, tuple[list[float], list[float]]]
"""By symbol: when a price was set, and when it was sent."""


@dataclass(frozen=True)
class Shown:
    """What a window made of one flood."""

    delivered: float
    """Share of the frames that reached a cell."""
    p50_us: float
    p99_us: float
    """From sending to the cell, of what reached one."""
    age_p50_us: float
    age_p99_us: float
    """Of what stands in the table, at any moment and over all symbols."""
    cpu_us: float
    """Of the whole process, for each frame that was sent."""
    lag_p50_us: float
    lag_p99_us: float
    lag_max_us: float
    """Of the window's loop."""
    behind_us: float
    """From sending the last frame to the last change of the table."""
    spent_us: float
    """From the first price in the table to the last."""
    left_us: float
    """How much older than the last frame the oldest price is that stays in the table."""


@dataclass(frozen=True)
class Idle:
    """How late the loop of a window is that has nothing to do: what the machine makes of it."""

    lag_p50_us: float
    lag_p99_us: float
    lag_max_us: float


class Beats:
    """Runs the loop of Qt's application, and notes how late it is.

    Args:
        app: The application.
        go_on: Told the time at each beat; the loop ends when it says no.
    """

    def __init__(self, app: Any, go_on: Callable[[float], bool]) -> None:
        self._app, self._go_on = app, go_on
        self._lags: list[tuple[float, float]] = []
        self._due = 0.0
        self._timer = QtCore.QTimer()
        self._timer.setTimerType(QtCore.Qt.TimerType.PreciseTimer)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._beat)

    def run(self) -> None:
        """Until the end."""
        self._next(time.monotonic())
        self._app.exec()

    def _next(self, now: float) -> None:
        self._due = now + BEAT_S
        self._timer.start(int(BEAT_S * 1e3))

    def _beat(self) -> None:
        now = time.monotonic()
        self._lags.append((now, max(now - self._due, 0.0)))
        if self._go_on(now):
            self._next(now)
        else:
            self._app.exit(0)

    def lags_us(self, began: float, ended: float) -> list[float]:
        """The median, the 99th percentile and the longest between two moments."""
        lags = _every_beat(
            [lag for at, lag in self._lags if at >= began and at - lag - BEAT_S <= ended]
        )
        return [percentile(lags, share) * 1e6 for share in (0.5, 0.99, 1.0)]


def idle(app: Any, seconds: float) -> Idle:
    """Let a window live that shows nothing."""
    began = time.monotonic()
    beats = Beats(app, lambda now: now - began < seconds)
    beats.run()
    return Idle(*beats.lags_us(began, began + seconds))


class Screen:
    """Notes each new price of the table, while the window's loop beats.

    Args:
        app: Qt's application, which is ended when nothing new comes any more.
        symbols: How many there are.
        frames: How many are sent.
    """

    def __init__(self, app: Any, symbols: int, frames: int) -> None:
        self._symbols, self._frames = symbols, frames
        self._set: list[tuple[float, str, float]] = []
        self._began = time.monotonic()
        self._cpu_began = self._cpu_ended = 0.0
        self._seen = 0
        self._beats = Beats(app, self._go_on)

    def __enter__(self) -> Screen:
        cell, sample, began = BidCell, self._sample, self._began

        class StampedCell(cell):  # type: ignore[misc]
            def set_content(self, content: Any, data: Any) -> None:
                super().set_content(content, data)
                if began < content <= time.monotonic():  # a snapshot's is a volume
                    sample(data.vt_symbol, content)

        self._before = TickMonitor.headers
        stamped = {**TickMonitor.headers[STAMPED], "cell": StampedCell}
        TickMonitor.headers = {**TickMonitor.headers, STAMPED: stamped}
        return self

    def __exit__(self, *raised: object) -> None:
        TickMonitor.headers = self._before

    def watch(self) -> Shown:
        """Let the window live until all is shown."""
        self._beats.run()
        return self._shown()

    def _sample(self, name: str, sent_at: float) -> None:
        if not self._set:
            self._cpu_began = time.process_time()
        self._set.append((time.monotonic(), name, sent_at))

    def _go_on(self, now: float) -> bool:
        if len(self._set) > self._seen:
            self._seen, self._cpu_ended = len(self._set), time.process_time()
        newest = self._set[-1][0] if self._set else now
        return now - newest < QUIET_S and now - self._began < LONGEST_S

    def _shown(self) -> Shown:
        if not self._set:
            raise RuntimeError("no price reached the table")
        began, ended = self._set[0][0], self._set[-1][0]
        last_sent = max(sent_at for _, _, sent_at in self._set)
        ages = [at - sent_at for at, _, sent_at in self._set]
        rows = self._rows()
        return Shown(
            len(self._set) / self._frames,
            *(percentile(ages, share) * 1e6 for share in (0.5, 0.99)),
            *(percentile(_standing(rows, began, last_sent), share) * 1e6 for share in (0.5, 0.99)),
            (self._cpu_ended - self._cpu_began) / self._frames * 1e6,
            *self._beats.lags_us(began, ended),
            (ended - last_sent) * 1e6,
            (ended - began) * 1e6,
            (last_sent - self._oldest(rows)) * 1e6,
        )

    def _rows(self) -> Rows:
        rows: Rows = {}
        for at, name, sent_at in self._set:
            moments, stamps = rows.setdefault(name, ([], []))
            moments.append(at)
            stamps.append(sent_at)
        return rows

    def _oldest(self, rows: Rows) -> float:
        """When the oldest price that stays was sent; one that never came, before the first."""
        if len(rows) < self._symbols:
            return min(sent_at for _, _, sent_at in self._set)
        return min(stamps[-1] for _, stamps in rows.values())


def _standing(rows: Rows, began: float, ended: float) -> list[float]:
    """How old the prices in the table were, at equal steps."""
    ages = []
    moment = began + _AGE_STEP_S
    while moment < ended:
        for moments, stamps in rows.values():
            place = bisect_right(moments, moment)
            if place:
                ages.append(moment - stamps[place - 1])
        moment += _AGE_STEP_S
    return ages or [moments[0] - stamps[0] for moments, stamps in rows.values()]


def _every_beat(lags: list[float]) -> list[float]:
    """With the beats that did not come while the loop was busy."""
    every = []
    for lag in lags:
        every.append(lag)
        missed = lag - BEAT_S
        while missed > 0:
            every.append(missed)
            missed -= BEAT_S
    return every
