"""The EventEngine: one dispatcher thread between those who know something and those who care.

Producers append to one of three deques and ring a bell only when the dispatcher sleeps; the
dispatcher drains what is there before it sleeps again. Both rely on the GIL making `append`,
`popleft` and reading a flag atomic: the dispatcher says "idle" first and looks once more at the
deques, a producer appends first and looks at the flag, so one of them always notices.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Protocol

from foxtrot.core.clock import Clock, SystemClock
from foxtrot.core.handlers import Handler, HandlerTable, name_of, say
from foxtrot.core.wakeup import Wakeup, make_wakeup
from foxtrot.errors import ConfigurationError, InvalidState, ShutdownTimeout, WrongThread
from foxtrot.model.constants import Lane
from foxtrot.model.events import EVENT_TIMER, Event
from foxtrot.model.health import EngineHealth

__all__ = ["EventEngine", "EventLike", "Handler"]

# Looked up once: an enum member's attribute access is dear on the producer's path.
_LATEST = Lane.LATEST
_BOUNDED = Lane.BOUNDED
_RELIABLE = Lane.RELIABLE
_NEVER = float("inf")
_TIMER = Event(EVENT_TIMER)


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


class EventEngine:
    """Hands each event to its handlers, in order, on one thread; vnpy's interface.

    Three lanes (`Event.lane`). RELIABLE is served first and never dropped. LATEST is conflated per
    (type, topic), the newest wins, once its backlog is older than `conflate_after_s` or longer
    than `latest_limit`. BOUNDED loses its oldest past `bounded_limit`. Everything is counted:
    received = delivered + conflated + dropped + queued.

    Thread safety: every method from any thread, handlers included, but that `drain` waits for the
    dispatcher and refuses to be called on it, and `stop` there only asks.

    Args:
        interval: Seconds between two timer events.
        conflate_after_s: Age of the LATEST backlog above which it is conflated.
        bounded_limit: Most events kept in the BOUNDED lane.
        latest_limit: Length of the LATEST backlog above which it is conflated on arrival.
        reliable_alarm: Length of the RELIABLE backlog at which an alarm is logged.
        clock: Where the time comes from.
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
    ) -> None:
        _check(interval=interval, conflate_after_s=conflate_after_s)
        _check(bounded_limit=bounded_limit, latest_limit=latest_limit)
        _check(reliable_alarm=reliable_alarm)
        self._interval = interval
        self._conflate_after_s = conflate_after_s
        self._bounded_limit = bounded_limit
        self._latest_limit = latest_limit
        self._reliable_alarm = reliable_alarm
        self._monotonic = (clock or SystemClock()).monotonic

        self._handlers = HandlerTable()
        self._reliable: deque[Event] = deque()
        self._bounded: deque[Event] = deque()
        self._latest: deque[Event] = deque()
        # LATEST events past `latest_limit`, newer than all of the deque; guarded by the lock.
        self._spill: OrderedDict[tuple[str, str], Event] = OrderedDict()
        # What the dispatcher conflates; its own, older than all of deque and spill.
        self._folded: OrderedDict[tuple[str, str], Event] = OrderedDict()

        # Re-entrant: a finaliser run by the collector may put inside a put.
        self._lock = threading.RLock()
        self._wakeup: Wakeup  # from `start` on
        self._thread = threading.Thread(target=self._run, name="foxtrot-events", daemon=True)
        self._started = self._closed = self._ended = False
        self._idle = False
        self._episodes: set[Lane] = set()
        self._barriers: deque[threading.Event] = deque()
        self._current: Handler | None = None

        self._delivered = 0  # written by the dispatcher
        self._conflated = 0  # likewise
        self._conflated_on_arrival = 0  # under the lock
        self._dropped = 0  # under the lock

        self._now = self._mark = self._turn_at = self._last_turn_at = self._monotonic()
        self._fresh_left = 0
        self._stale_at = self._now
        self._timer_at = self._give_up_at = _NEVER

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
            self._timer_at = self._monotonic() + self._interval
            self._thread.start()
            self._started = True

    def stop(self, timeout: float = 10.0) -> None:
        """Refuse further events, serve what is queued, end the dispatcher. Idempotent.

        In a handler it only asks: the dispatcher cannot wait for itself.

        Raises:
            ShutdownTimeout: A handler did not return in time; the error names it.
        """
        with self._lock:
            self._closed = True
            self._give_up_at = self._monotonic() + timeout
            if not self._started:
                self._finish()
                return
        self._wakeup.ring()
        if threading.current_thread() is self._thread:
            return
        self._thread.join(timeout)
        if self._thread.is_alive():
            handler = self._current
            where = f" in {name_of(handler)}" if handler else ""
            raise ShutdownTimeout("EventEngine", timeout, [f"thread {self._thread.name}{where}"])

    def drain(self, timeout: float = 10.0) -> bool:
        """Wait until all that was put before this call was served; whether it was.

        Raises:
            WrongThread: Called in a handler, which would wait for itself.
        """
        if threading.current_thread() is self._thread:
            raise WrongThread("drain() in a handler would wait for the handler itself")
        if not self._started:
            return not self._queued()
        barrier = threading.Event()
        self._barriers.append(barrier)
        self._wakeup.ring()
        if self._ended:
            return True
        return barrier.wait(timeout)

    def health(self) -> EngineHealth:
        """Counters and lag at this moment; exact while nothing moves. Never raises."""
        queued = self._queued()
        conflated = self._conflated + self._conflated_on_arrival
        return EngineHealth(
            running=self._thread.is_alive(),
            received=self._delivered + conflated + self._dropped + queued,
            delivered=self._delivered,
            conflated=conflated,
            dropped=self._dropped,
            queued=queued,
            lag_s=max(self._monotonic() - self._last_turn_at, 0.0) if queued else 0.0,
            handler_errors=self._handlers.errors,
            quarantined=self._handlers.quarantined,
        )

    def __repr__(self) -> str:
        health = self.health()
        return (
            f"<EventEngine {self._state} queued={health.queued} delivered={health.delivered}"
            f" conflated={health.conflated} dropped={health.dropped}>"
        )

    @property
    def _state(self) -> str:
        if self._ended:
            return "STOPPED"
        if self._closed:
            return "STOPPING"
        return "RUNNING" if self._started else "NEW"

    # ------------------------------------------------------------------ registration

    def register(self, type: str, handler: Handler) -> None:
        """Call `handler` with every event of `type`, or of `type + topic`; once, however often.

        A handler that was set aside for its failures gets a new chance.
        """
        self._handlers.add(type, handler)

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
        if lane is _LATEST and event.topic:
            if self._spill or len(self._latest) >= self._latest_limit:
                self._put_spill(event)
            else:
                self._latest.append(event)
        elif lane is _BOUNDED:
            self._bounded.append(event)
            if len(self._bounded) > self._bounded_limit:
                self._trim()
        else:
            self._reliable.append(event)
            if len(self._reliable) >= self._reliable_alarm:
                self._alarm(_RELIABLE)
        if self._idle:
            self._wake()

    def _refuses(self) -> bool:
        """Whether an event comes too late; what handlers say during the last drain still counts."""
        if threading.current_thread() is self._thread and not self._ended:
            return False
        with self._lock:
            self._dropped += 1
        return True

    def _put_spill(self, event: Event) -> None:
        key = (event.type, event.topic)
        with self._lock:
            self._conflated_on_arrival += key in self._spill
            self._spill[key] = event

    def _trim(self) -> None:
        with self._lock:
            while len(self._bounded) > self._bounded_limit and _pop(self._bounded) is not None:
                self._dropped += 1
        self._alarm(_BOUNDED)

    def _alarm(self, lane: Lane) -> None:
        """Say once per episode that a lane runs over."""
        with self._lock:
            if lane in self._episodes:
                return
            self._episodes.add(lane)
        say("backlog_alarm", lane=lane.name, queued=self._queued(), dropped=self._dropped)

    def _wake(self) -> None:
        self._idle = False
        self._wakeup.ring()
        if self._ended:
            # This put overlapped with the end. The flag makes each such put come here.
            self._idle = True
            self._sweep()

    # ------------------------------------------------------------------ dispatcher

    def _run(self) -> None:
        self._now = self._mark = self._turn_at = self._last_turn_at = self._monotonic()
        go_on = True
        while go_on:
            try:
                go_on = self._turn()
            except BaseException as error:  # noqa: BLE001  # boundary: only stop() ends the dispatcher
                say("dispatcher_error", exc_info=error)
        self._finish()

    def _turn(self) -> bool:
        """Serve all that is queued now; whether to go on."""
        waiting = len(self._barriers)
        self._last_turn_at, self._turn_at = self._turn_at, self._now
        market = max(len(self._latest) + len(self._spill) + len(self._folded), len(self._bounded))
        for _ in range(market or 1):
            # Before each event of the market, all that is known of orders.
            if self._reliable:
                self._serve_reliable()
            if self._bounded and (event := _pop(self._bounded)) is not None:
                self._dispatch(event)
                if self._reliable:
                    self._serve_reliable()
            if self._latest or self._folded or self._spill:
                self._dispatch(self._next_latest())
            if self._now >= self._give_up_at:
                return False
        for _ in range(waiting):
            self._barriers.popleft().set()
        if self._episodes:
            self._end_episodes()
        if self._queued():
            return True
        if self._closed:
            return False
        self._sleep()
        return True

    def _serve_reliable(self) -> None:
        reliable, dispatch = self._reliable, self._dispatch
        while reliable and self._now < self._give_up_at:
            dispatch(reliable.popleft())

    def _next_latest(self) -> Event:
        """The next LATEST event, conflated if the backlog is older than it may be."""
        if not self._fresh_left and not self._folded:
            # All that is queued now was put after the last look, which left the mark.
            self._stale_at = self._mark + self._conflate_after_s
            self._mark = self._now
            self._fresh_left = len(self._latest)
        if self._folded or not self._fresh_left or self._now >= self._stale_at:
            self._fold()
            return self._folded.popitem(last=False)[1]
        self._fresh_left -= 1
        return self._latest.popleft()

    def _fold(self) -> None:
        """Conflate the LATEST backlog: the place of the oldest, the value of the newest."""
        folded, popleft = self._folded, self._latest.popleft
        self._mark, self._fresh_left = self._now, 0
        taken, before = len(self._latest), len(folded)
        for _ in range(taken):
            event = popleft()
            folded[event.type, event.topic] = event
        if self._spill:
            with self._lock:
                # Not before the deque is empty, looked at where nobody can spill: all that is in
                # the spill is newer.
                if not self._latest:
                    taken += len(self._spill)
                    folded.update(self._spill)
                    self._spill.clear()
        self._conflated += taken - (len(folded) - before)

    def _dispatch(self, event: Event) -> None:
        self._delivered += 1
        topic = event.topic if type(event) is Event else _topic_of(event)
        handlers = self._handlers
        try:
            plan = handlers.plans[event.type][topic]
        except KeyError:
            plan = handlers.make_plan(event.type, topic)
        for handler in plan:
            self._current = handler
            try:
                handler(event)
            except BaseException as error:  # noqa: BLE001  # boundary: a handler harms nobody else
                handlers.failed(handler, event, error)
        if handlers.in_streak:
            handlers.settle(plan, event)
        self._now = self._monotonic()
        if self._now >= self._timer_at:
            self._put_timer()

    def _put_timer(self) -> None:
        self._timer_at += self._interval
        if self._timer_at <= self._now:  # no volley after a long handler
            self._timer_at = self._now + self._interval
        if not self._closed:
            self._reliable.append(_TIMER)

    def _sleep(self) -> None:
        self._current = None
        self._turn_at = self._last_turn_at = _NEVER  # nothing is old while nothing is queued
        self._idle = True
        if not (self._reliable or self._latest or self._bounded or self._spill):
            self._wakeup.wait(self._timer_at - self._now)
        self._idle = False
        self._now = self._mark = self._turn_at = self._last_turn_at = self._monotonic()
        if self._now >= self._timer_at:
            self._put_timer()

    def _end_episodes(self) -> None:
        backlog = {_RELIABLE: len(self._reliable), _BOUNDED: len(self._bounded)}
        limit = {_RELIABLE: self._reliable_alarm, _BOUNDED: self._bounded_limit}
        for lane in tuple(self._episodes):
            if backlog[lane] <= limit[lane] // 2:
                self._episodes.discard(lane)

    def _finish(self) -> None:
        with self._lock:
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
            for lane in (self._reliable, self._bounded, self._latest):
                while _pop(lane) is not None:
                    self._dropped += 1
            for kept in (self._spill, self._folded):
                self._dropped += len(kept)
                kept.clear()

    def _queued(self) -> int:
        return (
            len(self._reliable)
            + len(self._bounded)
            + len(self._latest)
            + len(self._spill)
            + len(self._folded)
        )


def _lane_of(event: EventLike) -> Lane:
    if isinstance(event, Event):
        return event.lane
    if not isinstance(getattr(event, "type", None), str):
        raise TypeError(f"put() takes events, not {type(event).__name__}")
    return _RELIABLE


def _topic_of(event: EventLike) -> str:
    return event.topic if isinstance(event, Event) else ""


def _pop(lane: deque[Event]) -> Event | None:
    """The oldest, if another thread was not quicker."""
    try:
        return lane.popleft()
    except IndexError:
        return None


def _check(**numbers: float) -> None:
    for name, number in numbers.items():
        if not number > 0:
            raise ConfigurationError("EventEngine", name, f"must be above 0, was {number!r}")
