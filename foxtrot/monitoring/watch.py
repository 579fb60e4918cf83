"""Holds what the engine says of itself against the alert rules, again and again."""

from __future__ import annotations

from typing import Final

from foxtrot.core.clock import Clock, SystemClock
from foxtrot.core.event_engine import EventEngine
from foxtrot.core.logs import get_logger
from foxtrot.engine.main_engine import MainEngine
from foxtrot.engine.rollout import WATCH_LANE
from foxtrot.model.events import EVENT_TIMER, Event
from foxtrot.model.health import Alert
from foxtrot.monitoring.alerts import CRITICAL, AlertBook

LOOK_S: Final = 10.0
"""Between two looks; each reads the whole of `health()`."""

log = get_logger("foxtrot.monitoring")


class Watch:
    """`engine.add_engine(Watch)` makes `engine.health().alerts` tell what is wrong.

    What begins and what ends is logged, and told to the people who watch.

    Thread safety: `alerts` from any thread; the rest belongs to the lane `watch`.
    """

    engine_name = "watch"

    def __init__(
        self, engine: MainEngine, event_engine: EventEngine, clock: Clock | None = None
    ) -> None:
        self._engine, self._events, self._clock = engine, event_engine, clock or SystemClock()
        self._book = AlertBook()
        self._alerts: tuple[Alert, ...] = ()
        self._due = self._clock.monotonic()
        engine.alerts = self.alerts
        event_engine.register(EVENT_TIMER, self._on_timer, lane=WATCH_LANE)

    def alerts(self) -> tuple[Alert, ...]:
        """What was wrong at the last look."""
        return self._alerts

    def look(self) -> tuple[Alert, ...]:
        """Judge what is known now."""
        clock = self._clock
        before = {(alert.name, alert.subject): alert for alert in self._alerts}
        alerts = self._book.look(self._engine.health(), clock.monotonic(), clock.time_ns())
        self._alerts = alerts
        for alert in alerts:
            if before.pop((alert.name, alert.subject), None) is None:
                self._begun(alert)
        for alert in before.values():
            log.info("alert_over", alert=alert.name, subject=alert.subject)
            self._engine.write_log(f"over: {alert.text}", self.engine_name)
        return alerts

    def close(self) -> None:
        """Look no more."""
        self._events.unregister(EVENT_TIMER, self._on_timer)
        self._engine.alerts = tuple

    def _begun(self, alert: Alert) -> None:
        say = log.error if alert.severity == CRITICAL else log.warning
        say("alert", alert=alert.name, subject=alert.subject, value=alert.value, reason=alert.text)
        self._engine.write_log(alert.text, self.engine_name)

    def _on_timer(self, event: Event) -> None:
        now = self._clock.monotonic()
        if now >= self._due:
            self._due = now + LOOK_S
            self.look()
