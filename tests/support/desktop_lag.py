"""How late the loop of a window is; the one measure for tests and benchmarks."""

from __future__ import annotations

import time
from typing import Any

DUE_MS = 5
"""How often the loop is asked to be on time."""


class LoopLag:
    """How much later than due a timer of Qt is served, from its making to `stop`.

    A loop that is busy for a second is late once, by a second. Belongs to the window's thread.

    Args:
        qt_core: The QtCore module of who has Qt.
    """

    def __init__(self, qt_core: Any) -> None:
        self.late_s: list[float] = []
        self._due = time.perf_counter() + DUE_MS / 1e3
        self._timer = qt_core.QTimer()
        self._timer.setTimerType(qt_core.Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._served)
        self._timer.start(DUE_MS)

    def _served(self) -> None:
        now = time.perf_counter()
        self.late_s.append(max(now - self._due, 0.0))
        self._due = now + DUE_MS / 1e3

    def stop(self) -> list[float]:
        """All that was measured, in seconds, the least first."""
        self._timer.stop()
        return sorted(self.late_s)

    def percentile(self, share: float) -> float:
        """The lag in seconds that `share` of the sample (0 to 1) does not exceed."""
        known = sorted(self.late_s)
        return known[min(int(share * len(known)), len(known) - 1)] if known else 0.0
