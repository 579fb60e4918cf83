"""vnpy's main engine, closed the other way round: what it holds is heard to its end.

main_engine = DesktopEngine()  # instead of MainEngine(EventEngine())
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from vnpy.event import EventEngine
from vnpy.trader.engine import MainEngine

from foxtrot.core.logs import get_logger
from foxtrot.desktop.events import SOURCE, DesktopEventEngine

log = get_logger("foxtrot.desktop")

CLOSE_S = 2.2
"""Within so long apps and gateways are closed, or left to themselves."""

APPS_S = 1.2
"""Of that, what the apps may take."""

_LEAST_S = 0.3
"""What the events, and then vnpy's own engines, get at least."""


class DesktopEngine(MainEngine):  # type: ignore[misc]
    """vnpy's main engine on foxtrot's events; may be closed by its window and by who opened it.

    Args:
        event_engine: One of ours; a new one by default.
    """

    def __init__(self, event_engine: EventEngine | None = None) -> None:
        self._closed = False
        super().__init__(event_engine or DesktopEventEngine())
        self._own = frozenset(self.engines)

    def close(self) -> None:
        """Close the apps, then all gateways at once, then the events and vnpy's engines.

        vnpy stops the events first: the last states of orders are lost, and a strategy that stops
        does not hear that its orders are cancelled. What does not close in time, of whomever, is
        named in the log and left to itself. Idempotent; never raises.
        """
        if self._closed:
            return
        self._closed = True
        until = time.monotonic() + CLOSE_S
        for name in [each for each in reversed(self.engines) if each not in self._own]:
            self._close({name: self.engines[name].close}, until - CLOSE_S + APPS_S)
        self._close({name: each.close for name, each in self.gateways.items()}, until)
        self._end_events(max(until - time.monotonic(), _LEAST_S))
        own = {name: self.engines[name].close for name in self._own}
        self._close(own, time.monotonic() + _LEAST_S)

    def _end_events(self, timeout: float) -> None:
        if isinstance(self.event_engine, DesktopEventEngine):
            self.event_engine.end(timeout)
        else:
            self.event_engine.stop()

    def _close(self, steps: Mapping[str, Callable[[], None]], until: float) -> None:
        """Take these steps side by side, and wait for them until a moment."""
        threads = {
            name: threading.Thread(
                target=self._step, args=(name, step), name=f"foxtrot-close-{name}", daemon=True
            )
            for name, step in steps.items()
        }
        for thread in threads.values():
            thread.start()
        for name, thread in threads.items():
            thread.join(max(until - time.monotonic(), 0.0))
            if thread.is_alive():
                self._tell(name, "did not close in time, and is left to itself")

    def _step(self, name: str, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # boundary: an app or gateway must not keep the desktop open
            log.exception("close_failed", step=name)
            self._tell(name, f"could not be closed: {type(error).__name__}: {error}")

    def _tell(self, name: str, what: str) -> None:
        log.warning("not_closed", step=name, reason=what)
        self.write_log(f"{name} {what}", SOURCE)
