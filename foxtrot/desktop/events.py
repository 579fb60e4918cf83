"""foxtrot's EventEngine in the place of vnpy's: a handler that raises does not end the desktop.

main_engine = MainEngine(DesktopEventEngine())
"""

from __future__ import annotations

import threading

from vnpy.event import Event as VnpyEvent
from vnpy.trader.event import EVENT_LOG
from vnpy.trader.object import LogData

from foxtrot.core.event_engine import EventEngine
from foxtrot.core.handlers import Handler, HandlerTable, name_of
from foxtrot.core.logs import get_logger
from foxtrot.errors import ShutdownTimeout
from foxtrot.model.events import Event

log = get_logger("foxtrot.desktop")

SOURCE = "foxtrot"
"""Whose lines these are, in vnpy's log."""

STOP_S = 3.0


class DesktopEventEngine(EventEngine):
    """vnpy's EventEngine with foxtrot's promises; for `vnpy.trader.engine.MainEngine(...)`.

    A handler that raises is named in vnpy's log, and the others get the event all the same.

    vnpy stops the event engine first and closes the gateways last, so that the last states of
    orders are lost. Here whoever has something to tell holds the engine (foxtrot's gateways do):
    it ends, and has served all that was put, when `stop` was called and the last has let go.
    """

    def __init__(self, interval: float = 1.0) -> None:
        super().__init__(interval)
        self._handlers = _Telling(self)
        self._holding = threading.Lock()
        self._holders = 0
        self._stopping = False

    def hold(self) -> None:
        """Keep the engine open until `let_go`."""
        with self._holding:
            self._holders += 1

    def let_go(self) -> None:
        """Have no more to tell; the last one ends an engine that was to stop."""
        with self._holding:
            self._holders -= 1
            ends = self._stopping and self._holders == 0
        if ends:
            self._end(STOP_S)

    def stop(self, timeout: float = STOP_S) -> None:
        """End once nobody holds the engine and all is served. Never raises: vnpy closes more."""
        with self._holding:
            self._stopping = True
            held = self._holders > 0
        if not held:
            self._end(timeout)

    def end(self, timeout: float = STOP_S) -> None:
        """The same, whoever holds the engine: what is told afterwards is dropped and counted."""
        with self._holding:
            self._stopping = True
        self._end(timeout)

    def _end(self, timeout: float) -> None:
        try:
            super().stop(timeout)
        except ShutdownTimeout:
            log.exception("close_failed", step="event engine of the desktop")


class _Telling(HandlerTable):
    """A table whose failures are lines in vnpy's log, too."""

    def __init__(self, engine: DesktopEventEngine) -> None:
        super().__init__()
        self._engine = engine
        self._told: set[str] = set()

    def failed(self, handler: Handler, event: Event, error: BaseException) -> None:
        """Tell the first failure of a handler, and that it is set aside."""
        set_aside = len(self.quarantined)
        super().failed(handler, event, error)
        if event.type == EVENT_LOG:
            return  # or a log that fails would tell of it for ever
        name = name_of(handler)
        if len(self.quarantined) > set_aside:
            self._tell(f"{name} fails again and again, and gets no more events")
        elif name not in self._told:
            self._told.add(name)
            self._tell(f"{name} failed with {type(error).__name__}: {error}")

    def _tell(self, msg: str) -> None:
        self._engine.put(VnpyEvent(EVENT_LOG, LogData(msg=msg, gateway_name=SOURCE)))
