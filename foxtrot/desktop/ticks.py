"""vnpy's table of prices and its order form, drawn at the pace that the window can keep.

vnpy draws each tick as it comes, and lets its table be sorted and painted anew for it. What comes
faster than that waits in a queue of Qt's that has no end, and the window answers nobody meanwhile.
Here the newest tick of each symbol waits, and drawing takes a quarter of the window's time at most:
a single tick is shown at once, a flood as often as that allows.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from vnpy.event import Event
from vnpy.trader.event import EVENT_TICK
from vnpy.trader.ui import QtCore
from vnpy.trader.ui.widget import TickMonitor as VnpyTickMonitor
from vnpy.trader.ui.widget import TradingWidget as VnpyTradingWidget

Draw = Callable[[Event], None]

_RESTS = 3
"""Times as long as drawing took, painting included, until the next time."""

_LONGEST_REST_MS = 50


class Pace(QtCore.QObject):  # type: ignore[misc]
    """Hands on the newest tick of each symbol, when the window has time for it.

    Thread safety: `take` from any thread, the rest on the window's.

    Args:
        parent: Whom it ends with.
        draw: Shows a tick.
    """

    _come = QtCore.Signal()

    def __init__(self, parent: QtCore.QObject, draw: Draw) -> None:
        super().__init__(parent)
        self._draw = draw
        self._newest: dict[str, Event] = {}
        self._asked = False
        self._began = 0.0
        self._come.connect(self._draw_all, QtCore.Qt.ConnectionType.QueuedConnection)
        self._painted, self._rested = QtCore.QTimer(self), QtCore.QTimer(self)
        for timer, happened in ((self._painted, self._rest), (self._rested, self._go_on)):
            timer.setSingleShot(True)
            timer.setTimerType(QtCore.Qt.TimerType.PreciseTimer)
            timer.timeout.connect(happened)

    def take(self, event: Event) -> None:
        """Show a tick, or a newer one of its symbol, soon."""
        self._newest[event.data.vt_symbol] = event
        if not self._asked:
            self._asked = True
            self._come.emit()

    def _draw_all(self) -> None:
        self._began = time.monotonic()
        try:
            for symbol in list(self._newest):
                self._draw(self._newest.pop(symbol))
        finally:
            self._painted.start(0)  # Qt paints before it looks at its timers

    def _rest(self) -> None:
        spent_ms = (time.monotonic() - self._began) * 1e3
        self._rested.start(min(round(spent_ms * _RESTS), _LONGEST_REST_MS))

    def _go_on(self) -> None:
        self._asked = False  # first: who puts a tick from now on asks
        if self._newest:
            self._asked = True
            self._draw_all()


class TickMonitor(VnpyTickMonitor):  # type: ignore[misc]
    """vnpy's table of prices; it has its name, by which vnpy keeps the widths of its columns."""

    def register_event(self) -> None:
        """Take ticks, and draw them when there is time."""
        self.pace = Pace(self, self.process_event)
        self.event_engine.register(EVENT_TICK, self.pace.take)

    def process_event(self, event: Event) -> None:
        """Show a tick. A row that exists finds its place by itself, if it is sorted by a price."""
        if event.data.vt_symbol in self.cells:
            self.update_old_row(event.data)
        else:
            super().process_event(event)


class TradingWidget(VnpyTradingWidget):  # type: ignore[misc]
    """vnpy's form for orders, with the prices of the symbol that is typed."""

    def register_event(self) -> None:
        """Take ticks of the symbol, and draw them when there is time."""
        self.pace = Pace(self, self.process_tick_event)
        self.event_engine.register(EVENT_TICK, self._take)

    def _take(self, event: Event) -> None:
        if event.data.vt_symbol == self.vt_symbol:
            self.pace.take(event)


PACED = {VnpyTickMonitor: TickMonitor, VnpyTradingWidget: TradingWidget}
"""What is drawn at a pace in the place of what vnpy has."""
