"""Who gets which event, and what becomes of a handler that keeps failing."""

from __future__ import annotations

import contextlib
import inspect
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from foxtrot.core.logs import get_logger
from foxtrot.model.events import Event

Handler = Callable[[Event], object]
Plan = tuple[Handler, ...]
Critical = Callable[[str, BaseException], object]
"""Told the name of a handler nobody can do without, and what it raised."""

QUARANTINE_AFTER = 100
"""Failures in a row after which a handler is set aside."""

_PLANS_MAX = 20_000

log = get_logger("foxtrot.engine")


def say(event: str, **fields: object) -> None:
    """Log an error of the engine; a log that fails is no reason to lose events."""
    with contextlib.suppress(Exception):
        log.error(event, **fields)


def name_of(handler: Handler) -> str:
    """The handler as its author would recognise it."""
    target = getattr(handler, "func", handler)  # functools.partial
    module = getattr(target, "__module__", "") or type(target).__module__
    name = getattr(target, "__qualname__", "") or type(target).__qualname__
    return f"{module}.{name}"


class Relay(Protocol):
    """Another engine, which gets what its own handlers want."""

    def wants(self, type: str, topic: str) -> bool:
        """Whether one of them is registered for this kind of event."""
        ...

    def put(self, event: Event) -> None:
        """Queue an event for them."""
        ...


@dataclass(slots=True, eq=False)
class _Failing:
    """The record of a handler that is critical, or failed at least once."""

    handler: Handler
    critical: Critical | None = None
    total: int = 0
    streak: int = 0
    event: Event | None = None  # the one it failed on last, until that one is settled


class HandlerTable:
    """Registrations, and the plan (the handlers, in order) for each kind of event.

    `plans[type][topic]` is a cache: it is replaced, never changed, by a registration, so that the
    dispatcher reads it without a lock and a plan in use stays as it was.

    Thread safety: registrations from any thread; `failed` and `settle` from one at a time.
    """

    def __init__(self) -> None:
        # Re-entrant: a finaliser run by the collector may unregister inside a registration.
        self._lock = threading.RLock()
        self._by_type: dict[str, Plan] = {}
        self._general: Plan = ()
        self._relays: tuple[Relay, ...] = ()
        self._quarantined: Plan = ()
        self._records: list[_Failing] = []
        self._cached = 0
        self.plans: dict[str, dict[str, Plan]] = {}
        self.in_streak: list[_Failing] = []
        self.handler_errors = 0

    @property
    def quarantined(self) -> tuple[str, ...]:
        """Names of the handlers that were set aside."""
        return tuple(name_of(handler) for handler in self._quarantined)

    @property
    def failing(self) -> tuple[str, ...]:
        """Names of the critical handlers that failed on the last event they got."""
        return tuple(name_of(record.handler) for record in self.in_streak if record.critical)

    def add(self, type: str, handler: Handler, critical: Critical | None = None) -> None:
        """Register `handler` for `type`, once; one that was set aside gets a new chance.

        One that is `critical` never is: it goes on, and the first of its failures in a row is told.

        Raises:
            TypeError: It cannot be called, or is a coroutine function, which nobody would await.
        """
        _check(handler)
        with self._lock:
            known = self._by_type.get(type, ())
            if handler not in known:
                self._by_type[type] = (*known, handler)
            self._reinstate(handler)
            if critical is not None:
                self._record(handler).critical = critical

    def remove(self, type: str, handler: Handler) -> None:
        """Take `handler` off `type`, if it was there."""
        with self._lock:
            left = _without(self._by_type.get(type, ()), handler)
            if left:
                self._by_type[type] = left
            else:
                self._by_type.pop(type, None)
            self._forget(handler)

    def add_general(self, handler: Handler) -> None:
        """Register `handler` for every event, once."""
        _check(handler)
        with self._lock:
            if handler not in self._general:
                self._general = (*self._general, handler)
            self._reinstate(handler)

    def remove_general(self, handler: Handler) -> None:
        """Take `handler` off the general list, if it was there."""
        with self._lock:
            self._general = _without(self._general, handler)
            self._forget(handler)

    def relay(self, relays: Iterable[Relay]) -> None:
        """Hand events on to `relays`, too, as they want them from now on."""
        with self._lock:
            self._relays = tuple(relays)
            self._clear_plans()

    def make_plan(self, type: str, topic: str) -> Plan:
        """Work out and remember the handlers of one kind of event."""
        with self._lock:
            handlers = self._by_type.get(type, ())
            if topic:
                handlers += self._by_type.get(type + topic, ())
            handlers += self._general
            plan = tuple(h for h in handlers if h not in self._quarantined)
            plan += tuple(relay.put for relay in self._relays if relay.wants(type, topic))
            if self._cached >= _PLANS_MAX:  # order ids are topics, too: they come without end
                self._clear_plans()
            self.plans.setdefault(type, {})[topic] = plan
            self._cached += 1
            return plan

    def failed(self, handler: Handler, event: Event, error: BaseException) -> None:
        """Note that `handler` raised `error`; the hundredth time in a row sets it aside.

        A critical one stays, but the first time is told.
        """
        self._announce(*self._count(handler, event), event, error)

    def _count(self, handler: Handler, event: Event) -> tuple[_Failing, int, int]:
        """Note a failure; its record, and how many there were by then, in all and in a row."""
        self.handler_errors += 1
        record = self._record(handler)
        record.total += 1
        record.event = event
        record.streak += 1
        if record not in self.in_streak:
            self.in_streak.append(record)
        return record, record.total, record.streak

    def _announce(
        self, record: _Failing, total: int, streak: int, event: Event, error: BaseException
    ) -> None:
        if _is_power_of_ten(total):
            say(
                "handler_failed",
                handler=name_of(record.handler),
                event_type=event.type,
                failures=total,
                in_a_row=streak,
                exc_info=error,
            )
        if record.critical is None:
            if streak >= QUARANTINE_AFTER:
                self._quarantine(record)
        elif streak == 1:
            _tell(record.critical, name_of(record.handler), error)

    def settle(self, plan: Plan, event: Event) -> None:
        """End the streak of each handler of `plan` that got through `event`."""
        for record in tuple(self.in_streak):
            if record.event is event:
                record.event = None
            elif record.handler in plan:
                record.streak = 0
                self._end_streak(record)

    def _record(self, handler: Handler) -> _Failing:
        with self._lock:
            for record in self._records:
                if record.handler == handler:
                    return record
            record = _Failing(handler)
            self._records.append(record)
            return record

    def _quarantine(self, record: _Failing) -> None:
        with self._lock:
            self._quarantined = (*_without(self._quarantined, record.handler), record.handler)
            self._clear_plans()
        self._end_streak(record)
        say("handler_quarantined", handler=name_of(record.handler), failures=record.total)

    def _reinstate(self, handler: Handler) -> None:
        if handler in self._quarantined:
            self._quarantined = _without(self._quarantined, handler)
            self._drop_records(handler)
        self._clear_plans()

    def _forget(self, handler: Handler) -> None:
        self._clear_plans()
        if handler in self._general or any(handler in plan for plan in self._by_type.values()):
            return
        self._quarantined = _without(self._quarantined, handler)
        self._drop_records(handler)

    def _drop_records(self, handler: Handler) -> None:
        self._records = [r for r in self._records if r.handler != handler]
        self.in_streak = [r for r in self.in_streak if r.handler != handler]

    def _end_streak(self, record: _Failing) -> None:
        with self._lock:
            self.in_streak = [r for r in self.in_streak if r is not record]

    def _clear_plans(self) -> None:
        self.plans = {}
        self._cached = 0


class InlineTable(HandlerTable):
    """Handlers that are called on the spot, by any thread that puts an event."""

    def call(self, event: Event, topic: str) -> None:
        """Hand `event` to its handlers."""
        try:
            plan = self.plans[event.type][topic]
        except KeyError:
            plan = self.make_plan(event.type, topic)
        for handler in plan:
            try:
                handler(event)
            except Exception as error:  # noqa: BLE001  # boundary: harms neither producer nor others
                with self._lock:
                    counted = self._count(handler, event)
                # Without the lock: whoever reads the log, or is told, may put events.
                self._announce(*counted, event, error)
        if self.in_streak:
            with self._lock:
                self.settle(plan, event)


def _tell(critical: Critical, name: str, error: BaseException) -> None:
    try:
        critical(name, error)
    except Exception as failure:  # noqa: BLE001  # boundary: whoever is told must not end the dispatcher
        say("critical_not_told", handler=name, exc_info=failure)


def _check(handler: object) -> None:
    if not callable(handler):
        raise TypeError(f"a handler is a function of the event, not {type(handler).__name__}")
    if inspect.iscoroutinefunction(handler):
        raise TypeError("a handler is a plain function; start coroutines by bridge.submit in it")


def _without(plan: Plan, handler: Handler) -> Plan:
    return tuple(h for h in plan if h != handler)


def _is_power_of_ten(number: int) -> bool:
    while number % 10 == 0:
        number //= 10
    return number == 1
