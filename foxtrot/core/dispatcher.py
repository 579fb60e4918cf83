"""The dispatcher: one thread between those who know something and those who care.

Producers append to one of three deques and ring a bell only when the dispatcher sleeps; the
dispatcher drains what is there before it sleeps again. Both rely on the GIL making `append`,
`popleft` and reading a flag atomic: the dispatcher says "idle" first and looks once more at the
deques, a producer appends first and looks at the flag, so one of them always notices.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sized
from typing import TYPE_CHECKING, Protocol

from foxtrot.core.clock import Clock, SystemClock
from foxtrot.core.handlers import Critical, Handler, HandlerTable, InlineTable, name_of, say
from foxtrot.core.lanes import BoundedLane, LatestLane, pop
from foxtrot.core.metrics import SAMPLE_GAP_S, LatencySample
from foxtrot.core.wakeup import Wakeup, make_wakeup
from foxtrot.errors import ConfigurationError, InvalidState, WrongThread
from foxtrot.model.constants import Lane
from foxtrot.model.events import EVENT_TIMER, Event
from foxtrot.model.health import EngineHealth

# Looked up once: an enum member's attribute access is dear on the producer's path.
_LATEST = Lane.LATEST
_BOUNDED = Lane.BOUNDED
_RELIABLE = Lane.RELIABLE
_NEVER = float("inf")
_LONGEST_REST_S = 3600.0  # some systems refuse to sleep for very long, or for ever
_TIMER = Event(EVENT_TIMER)

_RUN = 256
"""Most events served between two looks at the clock of `stop` and at the other lanes."""
_AHEAD = _RUN
"""Most RELIABLE events that come during a turn and go before the market: a handler may put one for
each that it gets, such as an order for each refusal, and the others still want to see prices."""


class EventLike(Protocol):
    """What `put` takes: our Event, or vnpy's own."""

    @property
    def type(self) -> str:
        """Decides which handlers get it."""
        ...

    @property
    def data(self) -> object:
        """What happened."""
        ...


class Dispatcher:
    """Hands each event to its handlers, in order, on one thread.

    Three lanes (`Event.lane`). RELIABLE is served first and never dropped. LATEST is conflated per
    (type, topic, adapter), the newest wins, once its backlog is older than `conflate_after_s` or
    longer than `latest_limit`. BOUNDED loses its oldest past `bounded_limit`. All is counted:
    received = delivered + conflated + dropped + queued.

    Thread safety: every method from any thread, handlers included, but that `drain` and `join` wait
    for the thread and must not be called on it.

    Args:
        interval: Seconds between two timer events.
        conflate_after_s: Age of the LATEST backlog above which it is conflated.
        bounded_limit: Most events kept in the BOUNDED lane.
        latest_limit: Length of the LATEST backlog above which it is conflated on arrival.
        reliable_alarm: Length of the RELIABLE backlog at which an alarm is logged.
        clock: Where the time comes from.
        name: Name of the thread, after "foxtrot-".
    """

    def __init__(
        self,
        interval: float = 1.0,
        *,
        conflate_after_s: float = 0.02,
        bounded_limit: int = 100_000,
        latest_limit: int = 10_000,
        reliable_alarm: int = 10_000,
        clock: Clock | None = None,
        name: str = "events",
    ) -> None:
        _check(interval=interval)
        if not conflate_after_s >= 0:
            problem = f"must be 0 or more, was {conflate_after_s!r}"
            raise ConfigurationError("EventEngine", "conflate_after_s", problem)
        _check(bounded_limit=bounded_limit, latest_limit=latest_limit)
        _check(reliable_alarm=reliable_alarm)
        self.name = name
        self._interval = interval
        self._reliable_alarm = reliable_alarm
        self._clock = clock or SystemClock()
        self._monotonic = self._clock.monotonic

        self._handlers = HandlerTable()
        self._inline: InlineTable | None = None
        self._reliable: deque[Event] = deque()
        self._bounded = BoundedLane(bounded_limit)
        self._latest = LatestLane(latest_limit, conflate_after_s, self._monotonic)

        # Re-entrant: a finaliser run by the collector may put inside a put.
        self._lock = threading.RLock()
        self._wakeup: Wakeup  # from `start` on
        self._thread = threading.Thread(target=self._run, name=f"foxtrot-{name}", daemon=True)
        self._started = self._closed = self._ended = False
        self._cut_short = False  # whether it ended before all was served
        self._idle = False
        self._episodes: tuple[Lane, ...] = ()
        self._barriers: deque[threading.Event] = deque()
        self._current: Handler | None = None

        self._delivered = 0  # written by the dispatcher only
        self._dropped = 0  # under the lock
        self._now = self._turn_at = self._last_turn_at = self._monotonic()
        self._timer_at = self._give_up_at = _NEVER
        self._latency, self._sample_at = LatencySample(), self._now

    # ------------------------------------------------------------------ owner

    def start(self) -> None:
        """Start the dispatcher. What was put before is served first.

        Raises:
            InvalidState: It was started or stopped before.
        """
        with self._lock:
            if self._started or self._closed:
                raise InvalidState(f"an EventEngine starts once; this one is {self._state}")
            self._wakeup = make_wakeup()
            self._now = self._turn_at = self._last_turn_at = self._monotonic()
            self._latest.mark = self._now
            self._timer_at = self._now + self._interval
            self._thread.start()
            self._started = True

    def sibling(self, name: str) -> Dispatcher:
        """Make another one with the same limits, but without a timer."""
        return Dispatcher(
            _NEVER,
            conflate_after_s=self._latest.conflate_after_s,
            bounded_limit=self._bounded.limit,
            latest_limit=self._latest.limit,
            reliable_alarm=self._reliable_alarm,
            clock=self._clock,
            name=name,
        )

    def ask_to_stop(self, timeout: float) -> None:
        """Refuse further events and end once those queued are served, or after `timeout`."""
        with self._lock:
            self._closed = True
            self._give_up_at = self._monotonic() + timeout
            if not self._started:
                self._finish()
                return
        self._wakeup.ring()

    def join(self, timeout: float) -> list[str]:
        """Wait until it has ended; what did not, by name."""
        if self._started:
            self._thread.join(timeout)
        if not self._thread.is_alive():
            return []
        handler = self._current
        return [f"thread {self._thread.name}" + (f" in {name_of(handler)}" if handler else "")]

    def in_handler(self) -> bool:
        """Whether the caller is one of the handlers."""
        return threading.current_thread() is self._thread

    def drain(self, timeout: float = 10.0) -> bool:
        """Wait until all that was put before this call was served; whether it was.

        Raises:
            WrongThread: Called in a handler, which would wait for itself.
        """
        if self.in_handler():
            raise WrongThread("drain() in a handler would wait for the handler itself")
        if not self._started:
            return not (self._queued() or self._cut_short)
        barrier = threading.Event()
        self._barriers.append(barrier)
        self._wakeup.ring()
        return (self._ended or barrier.wait(timeout)) and not self._cut_short

    def health(self) -> EngineHealth:
        """Counters and lag at this moment; exact while nothing moves. Never raises."""
        queued, conflated, dropped = self._queued(), self._latest.conflated, self._lost()
        return EngineHealth(
            running=self._thread.is_alive(),
            received=self._delivered + conflated + dropped + queued,
            delivered=self._delivered,
            conflated=conflated,
            dropped=dropped,
            queued=queued,
            lag_s=max(self._monotonic() - self._last_turn_at, 0.0) if queued else 0.0,
            handler_errors=self._handlers.handler_errors,
            quarantined=self._handlers.quarantined,
            failing=self._handlers.failing,
            backlogs=tuple(lane.name for lane in self._episodes),
            latency=self._latency.read(),
        )

    @property
    def _state(self) -> str:
        if self._ended:
            return "STOPPED"
        if self._closed:
            return "STOPPING"
        return "RUNNING" if self._started else "NEW"

    # ------------------------------------------------------------------ registration

    def register(self, type: str, handler: Handler, *, critical: Critical | None = None) -> None:
        """Call `handler` with every event of `type`, or of `type + topic`; once, however often.

        A handler that was set aside for its failures gets a new chance.
        """
        self._handlers.add(type, handler, critical)

    def wants(self, type: str, topic: str) -> bool:
        """Whether anybody is registered for this kind of event."""
        return bool(self._handlers.make_plan(type, topic))

    def unregister(self, type: str, handler: Handler) -> None:
        """Undo `register`. An event in dispatch may still reach the handler."""
        self._handlers.remove(type, handler)

    def register_general(self, handler: Handler) -> None:
        """Call `handler` with every event."""
        self._handlers.add_general(handler)

    def unregister_general(self, handler: Handler) -> None:
        """Undo `register_general`."""
        self._handlers.remove_general(handler)

    # ------------------------------------------------------------------ producers

    def put(self, event: EventLike) -> None:
        """Queue `event`; never blocks. After `stop` it is dropped and counted.

        Raises:
            TypeError: It is no event: it has no `type` that is a string.
        """
        lane = event.lane if type(event) is Event else _lane_of(event)
        if TYPE_CHECKING:
            assert isinstance(event, Event)  # vnpy's go the same way and are told apart by type
        if self._closed and self._refuses():
            return
        if self._inline is not None:
            self._inline.call(event, _topic_of(event))
        if lane is _LATEST and event.topic:
            self._latest.put(event)
        elif lane is _BOUNDED:
            if self._bounded.put(event):
                self._alarm(_BOUNDED)
        else:
            self._reliable.append(event)
            if len(self._reliable) >= self._reliable_alarm and _RELIABLE not in self._episodes:
                self._alarm(_RELIABLE)
        if self._idle:
            self._wake()

    def _refuses(self) -> bool:
        """Whether an event comes too late; what handlers say during the last drain still counts."""
        if self.in_handler() and not self._ended:
            return False
        with self._lock:
            self._dropped += 1
        return True

    def _alarm(self, lane: Lane) -> None:
        """Say once per episode that a lane runs over."""
        with self._lock:
            if lane in self._episodes:
                return
            self._episodes += (lane,)
        say("backlog_alarm", lane=lane.name, queued=self._queued(), dropped=self._lost())

    def _wake(self) -> None:
        self._idle = False
        if not self._ended:
            self._wakeup.ring()
            return
        # This put overlapped with the end. The flag makes each such put come here.
        self._idle = True
        self._sweep()

    # ------------------------------------------------------------------ dispatcher

    def _run(self) -> None:
        go_on = True
        while go_on:
            try:
                go_on = self._turn()
            except BaseException as error:  # noqa: BLE001  # boundary: only stop() ends the dispatcher
                say("dispatcher_error", exc_info=error)
        self._finish()

    def _turn(self) -> bool:
        """Serve all that is queued now, rest if that was all; whether to go on."""
        waiting = len(self._barriers)
        self._last_turn_at, self._turn_at = self._turn_at, self._now
        self._serve_lanes()
        if self._now >= self._give_up_at:
            return False
        for _ in range(waiting):
            self._barriers.popleft().set()
        if self._episodes:
            self._end_episodes()
        if self._closed:
            return self._queued() > 0
        self._rest()
        return True

    def _serve_lanes(self) -> None:
        """Serve at least what is queued now, RELIABLE first, the other lanes in turn."""
        lane = self._latest
        trades, ticks = len(self._bounded.queue), len(lane)
        urgent = len(self._reliable) + _AHEAD
        ticks_turn = False
        while self._now < self._give_up_at:
            if self._reliable and urgent > 0:
                urgent -= self._serve(self._reliable.popleft, len(self._reliable), _NEVER, (), ())
            elif self._bounded.queue and not (ticks_turn and lane):
                trades -= self._serve_bounded()
                ticks_turn = True
            elif lane.queue or lane.folded or lane.spill:
                ticks -= self._serve_latest()
                ticks_turn = False
            else:
                return
            if trades <= 0 and ticks <= 0 and (urgent <= 0 or not self._reliable):
                return

    def _serve_bounded(self) -> int:
        queue, ticks = self._bounded.queue, self._latest.queue
        return self._serve(queue.popleft, len(queue), _NEVER, self._reliable, ticks)

    def _serve_latest(self) -> int:
        lane, trades = self._latest, self._bounded.queue
        fresh = lane.fresh(self._now)
        if not fresh:
            return self._serve(lane.next_conflated, lane.fold(), _NEVER, self._reliable, trades)
        served = self._serve(lane.queue.popleft, fresh, lane.stale_at, self._reliable, trades)
        lane.fresh_left -= served
        return served

    def _serve(
        self,
        take: Callable[[], Event],
        count: int,
        until: float,
        first: Sized,
        other: Sized,
    ) -> int:
        """Dispatch up to `count` events, fewer if `first` or `other` have any or `until` comes."""
        handlers, monotonic = self._handlers, self._monotonic
        until = min(until, self._timer_at)
        served, event = 0, None
        for served in range(1, min(count, _RUN) + 1):
            try:
                event = take()
            except LookupError:
                return served  # producers dropped the rest
            self._delivered += 1
            topic = event.topic if type(event) is Event else _topic_of(event)
            try:
                plan = handlers.plans[event.type][topic]
            except KeyError:
                plan = handlers.make_plan(event.type, topic)
            for handler in plan:
                self._current = handler
                try:
                    handler(event)
                except BaseException as error:  # noqa: BLE001  # boundary: harms nobody else
                    handlers.failed(handler, event, error)
            if handlers.in_streak:
                handlers.settle(plan, event)
            self._now = now = monotonic()
            if first or other or now >= until:
                break
        if self._now >= self._sample_at and self._latency.take(event, self._clock.time_ns()):
            self._sample_at = self._now + SAMPLE_GAP_S
        if self._now >= self._timer_at:
            self._put_timer()
        return served

    def _put_timer(self) -> None:
        self._timer_at += self._interval
        if self._timer_at <= self._now:  # no volley after a long handler
            self._timer_at = self._now + self._interval
        if not self._closed:
            self._reliable.append(_TIMER)

    def _rest(self) -> None:
        """Sleep until something is put or the timer is due, if nothing is queued."""
        lane = self._latest
        self._idle = True
        if not (self._reliable or lane.queue or self._bounded.queue or lane.folded or lane.spill):
            self._current = None
            self._turn_at = self._last_turn_at = _NEVER  # nothing is old while nothing is queued
            self._wakeup.wait(min(self._timer_at - self._now, _LONGEST_REST_S))
            self._now = self._turn_at = self._last_turn_at = lane.mark = self._monotonic()
        self._idle = False
        if self._now >= self._timer_at:
            self._put_timer()

    def _end_episodes(self) -> None:
        backlog = {_RELIABLE: len(self._reliable), _BOUNDED: len(self._bounded.queue)}
        limit = {_RELIABLE: self._reliable_alarm, _BOUNDED: self._bounded.limit}
        with self._lock:
            self._episodes = tuple(x for x in self._episodes if backlog[x] > limit[x] // 2)

    def _finish(self) -> None:
        with self._lock:
            self._cut_short = self._queued() > 0
            self._ended = True
            self._idle = True
        self._sweep()
        if self._started:
            self._wakeup.close()
        while self._barriers:
            self._barriers.popleft().set()

    def _sweep(self) -> None:
        """Count as dropped what nobody will serve."""
        with self._lock:
            for queue in (self._reliable, self._bounded.queue):
                while pop(queue) is not None:
                    self._dropped += 1
            self._dropped += self._latest.clear()

    def _queued(self) -> int:
        return len(self._reliable) + len(self._bounded.queue) + len(self._latest)

    def _lost(self) -> int:
        return self._dropped + self._bounded.dropped


def _lane_of(event: EventLike) -> Lane:
    if isinstance(event, Event):
        return event.lane
    if not isinstance(getattr(event, "type", None), str):
        raise TypeError(f"put() takes events, not {type(event).__name__}")
    return _RELIABLE


def _topic_of(event: EventLike) -> str:
    return event.topic if isinstance(event, Event) else ""


def _check(**numbers: float) -> None:
    for name, number in numbers.items():
        if not number > 0:
            raise ConfigurationError("EventEngine", name, f"must be above 0, was {number!r}")
