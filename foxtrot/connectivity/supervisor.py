"""The only reconnect loop in the house.

A session is one connection made of fresh SDK objects and used once. The supervisor opens it, brings
its subscriptions in step with the book, watches that it lives, and replaces it when it does not.
Websocket and polling are both sessions; so will be trading.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Sequence
from typing import Protocol

from foxtrot.connectivity.backoff import Backoff
from foxtrot.connectivity.breaker import CircuitBreaker
from foxtrot.connectivity.config import StreamConfig
from foxtrot.connectivity.contained import Contained
from foxtrot.connectivity.diagnostics import Uptime, labels
from foxtrot.connectivity.freshness import Absence, SessionLiveness, Verdict
from foxtrot.connectivity.lifecycle import SERVING, Lifecycle
from foxtrot.connectivity.orchestrator import (
    StreamListener,
    Subscribable,
    SubscriptionOrchestrator,
    names,
)
from foxtrot.connectivity.subscriptions import SubscriptionManager
from foxtrot.core.bridge import AsyncThreadBridge
from foxtrot.core.clock import Clock
from foxtrot.core.logs import get_logger
from foxtrot.errors import (
    Action,
    ConnectionClosed,
    ConnectTimeout,
    FoxtrotError,
    HeartbeatTimeout,
    RateLimited,
    ShutdownTimeout,
    StreamingError,
    UnexpectedError,
)
from foxtrot.model.constants import ConnectionState, StreamState
from foxtrot.model.health import ConnectionStatus, SessionHealth, StreamKey

log = get_logger("foxtrot.connectivity.supervisor")

_POLICY_VIOLATION = 1008
_TRY_LATER = frozenset({1012, 1013})
_STEPS = frozenset({ConnectionState.CONNECTING, ConnectionState.SYNCING, ConnectionState.CLOSING})
"""States on the way to another, which are nobody's concern in normal work."""
_STOPPED = frozenset(
    {ConnectionState.CLOSING, ConnectionState.DISCONNECTED, ConnectionState.CLOSED}
)


class Session(Subscribable, Protocol):
    """One connection. Made unopened, used once, closed for good. Lives on the loop thread."""

    endpoint: str
    report: Callable[[StreamKey, StreamState, str], None]
    """Set by the supervisor: tells what the session found out about a stream that it holds."""

    @property
    def received(self) -> int:
        """Application messages so far: the sign of life."""

    async def prepare(self) -> None:
        """Do what is slow but local, such as importing an SDK; no deadline of the venue's."""

    async def open(self) -> None:
        """Connect and authenticate."""

    async def sync(self) -> None:
        """Fetch what must be known before the session may be called READY."""

    async def run(self) -> None:
        """Do the session's background work until the connection is gone; then raise the cause."""

    async def probe(self) -> None:
        """Ask the venue for a sign of life; raise, or do not return, if there is none."""

    async def close(self) -> None:
        """Give everything back. Never raises."""


class Listener(StreamListener, Protocol):
    """Who is told what happens. Called on the loop thread; must not block."""

    def on_connection(self, status: ConnectionStatus) -> None:
        """The session changed its state."""


class _Recycled(StreamingError):
    """Not a failure: somebody asked for a fresh session now."""


class Supervisor:
    """Keeps one session alive and its subscriptions in step with the book.

    Thread safety: everything but `health()` and `state` belongs to the bridge's loop thread.
    """

    def __init__(
        self,
        name: str,
        *,
        venue: str,
        make_session: Callable[[], Session],
        listener: Listener,
        bridge: AsyncThreadBridge,
        clock: Clock,
        config: StreamConfig,
        held_state: StreamState = StreamState.ACTIVE,
        rng: random.Random | None = None,
        on_absence: Callable[[str], None] = lambda what: None,
    ) -> None:
        self.name, self._venue = name, venue
        self._config, self._rng = config, rng
        self._on_absence = on_absence
        self._log = log.bind(venue=venue, session=name)
        self.streams = SubscriptionOrchestrator(
            listener=listener,
            clock=clock,
            config=lambda: self._config,
            held_state=held_state,
            log=self._log,
        )
        self._make_session, self._listener = make_session, listener
        self._bridge, self._clock = bridge, clock
        self._lifecycle = Lifecycle(clock.time_ns())
        self._backoff = self._fresh_backoff()
        self.breaker = self._fresh_breaker()
        self._session: Session | None = None
        self._task: asyncio.Task[None] | None = None
        self._recycle = asyncio.Event()
        self._was_ready, self._reconnects = False, 0
        self._last_reconnect_ns = self._last_ready_ns = 0
        self._uptime = Uptime()

    # -- what the owner calls ---------------------------------------------------------------

    @property
    def state(self) -> ConnectionState:
        """Where the session stands."""
        return self._lifecycle.state

    @property
    def running(self) -> bool:
        """Whether the loop is started and not about to end."""
        return self._task is not None and self.state is not ConnectionState.CLOSING

    @property
    def config(self) -> StreamConfig:
        """Deadlines and delays."""
        return self._config

    @config.setter
    def config(self, config: StreamConfig) -> None:
        """Take other deadlines and delays; a wait under way keeps its own."""
        self._config = config
        self._backoff.retune(
            base_s=config.reconnect_base_delay_s,
            max_s=config.reconnect_max_delay_s,
            max_attempts=config.max_reconnect_attempts,
        )

    @property
    def session(self) -> Session | None:
        """The session of the moment, if one is open."""
        return self._session

    def start(self) -> None:
        """Start the loop; nothing happens if it runs already."""
        if self._task is None:
            self._backoff, self.breaker = self._fresh_backoff(), self._fresh_breaker()
            self._recycle.clear()
            self._was_ready = False
            self._task = self._bridge.spawn(self._run(), name=f"{self._venue}.{self.name}")

    async def stop(self) -> None:
        """End the loop and close the session; the book is kept for the next start."""
        task = self._task
        if task is None:
            return
        if self.state is not ConnectionState.CLOSING:
            self._move(ConnectionState.CLOSING, "asked to")
            task.cancel()
        await asyncio.wait([task])
        if self._task is task:
            self._task = None
            self._move(ConnectionState.DISCONNECTED, "asked to")

    def recycle(self) -> None:
        """Replace the session by a fresh one now, whatever it is doing."""
        self._recycle.set()

    @property
    def book(self) -> SubscriptionManager:
        """Its subscriptions."""
        return self.streams.book

    def want(self, keys: Sequence[StreamKey]) -> None:
        """Add streams; the session follows."""
        self.streams.want(keys)

    def drop(self, keys: Sequence[StreamKey]) -> None:
        """Take streams back; the session follows."""
        self.streams.drop(keys)

    def health(self) -> SessionHealth:
        """A snapshot, from any thread."""
        session = self._session
        up_s, down_s = self._uptime.read(self._clock.monotonic())
        return SessionHealth(
            name=self.name,
            state=self._lifecycle.state,
            since_ns=self._lifecycle.since_ns,
            reason=self._lifecycle.reason,
            attempt=self._backoff.attempt,
            reconnects=self._reconnects,
            last_reconnect_ns=self._last_reconnect_ns,
            last_ready_ns=self._last_ready_ns,
            breaker=self.breaker.state.value,
            received=session.received if session else 0,
            up_s=up_s,
            down_s=down_s,
        )

    def __repr__(self) -> str:
        held = sum(1 for entry in self.book.wanted.values() if entry.held)
        subs = f"subs={held}/{len(self.book)}"
        state = self.state.name
        return (
            f"<Supervisor {self._venue}.{self.name} {state} {subs} reconnects={self._reconnects}>"
        )

    # -- the loop ---------------------------------------------------------------------------

    async def _run(self) -> None:
        self._move(ConnectionState.CONNECTING, "asked to")
        while True:
            delay_s = await self._one_session()
            await self._wait_recycled(delay_s)
            if delay_s is None:
                self._move(ConnectionState.CONNECTING, "asked to")

    async def _one_session(self) -> float | None:
        """Live through one session; returns the seconds to wait then, or None: until asked."""
        try:
            session = self._make_session()
            session.report = self.streams.report
        except Exception as error:  # noqa: BLE001 - boundary: a venue's code may raise anything
            return self._plan(self._cause(error))
        steps = Contained(session, self._bridge, f"{self._venue}.{self.name}.session")
        try:
            cause = await self._until_lost(session, steps)
            return self._plan(cause)  # before closing, which may take its time
        finally:
            self._session = None
            session.report = _unheard
            self.streams.lost()
            await self._close(session, steps)

    async def _until_lost(self, session: Session, steps: Contained) -> FoxtrotError:
        """Live through one session; returns what ended it."""
        # A task of its own: an SDK may cancel from inside.
        name = f"{self._venue}.{self.name}.session"
        life = self._bridge.spawn(self._live(session, steps), name=name)
        try:
            await asyncio.wait([life])
        finally:
            life.cancel()
            await asyncio.wait([life])
            error = None if life.cancelled() else life.exception()
        return self._cause(_first_leaf(error or asyncio.CancelledError()))

    def _cause(self, error: BaseException) -> FoxtrotError:
        if isinstance(error, FoxtrotError):
            return error
        if isinstance(error, asyncio.CancelledError):
            return StreamingError(f"the {self.name} session was cancelled from inside")
        self._log.error("session_crashed", exc_info=error)
        return UnexpectedError(f"{type(error).__name__} in the {self.name} session")

    async def _live(self, session: Session, steps: Contained) -> None:
        await self._open(session, steps)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._part(lambda: steps.step("run", session.run())))
            group.create_task(self._raise_when_recycled())
            group.create_task(self._part(lambda: self._serve(session, steps, group)))

    async def _part(self, work: Callable[[], Coroutine[object, object, None]]) -> None:
        """Run a part of a session; the session ends with it, however that ends."""
        try:
            await work()  # made here: a task that is cancelled before it starts makes nothing
        except asyncio.CancelledError as error:  # a task group would not mind its end
            raise self._cause(error) from None
        raise StreamingError(f"the {self.name} session ended and gave no cause")

    async def _open(self, session: Session, steps: Contained) -> None:
        self.breaker.trying(self._clock.monotonic())
        timeout_s = self.config.connect_timeout_s
        attempt = self._backoff.attempt
        self._log.debug("connecting", endpoint=session.endpoint, attempt=attempt)
        try:
            await steps.step("prepare", session.prepare(), self.config.sync_timeout_s)
        except TimeoutError:
            raise StreamingError(f"the {self.name} session could not be prepared in time") from None
        try:
            await steps.step("open", session.open(), timeout_s)
        except TimeoutError:
            raise ConnectTimeout(session.endpoint, timeout_s) from None
        self._session = session
        self._move(ConnectionState.SYNCING, "connected")

    async def _serve(self, session: Session, steps: Contained, group: asyncio.TaskGroup) -> None:
        try:
            await steps.step("sync", session.sync(), self.config.sync_timeout_s)
        except TimeoutError:
            raise ConnectTimeout(session.endpoint, self.config.sync_timeout_s) from None
        # Watched from here on: what is asked for in vain has deadlines of its own, one by one.
        group.create_task(self._part(lambda: self._watch(session, steps)))
        await self.streams.restore(steps)
        self._count_ready()
        self._settle()
        while True:
            await self.streams.next_change(steps)
            self._settle()

    def _count_ready(self) -> None:
        self._backoff.ready(self._clock.monotonic())
        if self.breaker.succeeded():
            self._log.info("breaker_closed")
        now_ns = self._clock.time_ns()
        if self._was_ready:
            self._reconnects += 1
            self._last_reconnect_ns = now_ns
        self._was_ready, self._last_ready_ns = True, now_ns

    def _settle(self) -> None:
        if self.book.complete:
            held = len(self.book) > 0
            reason = "every wanted stream is held" if held else "in step with the venue"
            self._move(ConnectionState.READY, reason)
            return
        missing = [key for key, e in self.book.wanted.items() if e.state is StreamState.FAILED]
        self._move(ConnectionState.DEGRADED, f"not held: {names(missing)}")

    # -- watching ---------------------------------------------------------------------------

    async def _watch(self, session: Session, steps: Contained) -> None:
        now = self._clock.monotonic()
        liveness = SessionLiveness(idle_s=self.config.idle_s, now=now, received=session.received)
        absence, probed_s = Absence(now, self._clock.time_ns()), 0.0
        while True:
            liveness.idle_s = self.config.idle_s  # the settings may change while it is watched
            due_s = liveness.next_look_s(self._clock.monotonic())
            await asyncio.sleep(due_s)
            now = self._clock.monotonic()
            away_s = absence.look(now, self._clock.time_ns(), due_s=probed_s + due_s)
            probed_s = self.config.probe_s
            if away_s:
                await self._doubt(away_s, session, steps, liveness)
            elif liveness.look(session.received, now) is Verdict.PROBE:
                await self._probe(session, steps, liveness)
            else:
                probed_s = 0.0

    async def _doubt(
        self, away_s: float, session: Session, steps: Contained, liveness: SessionLiveness
    ) -> None:
        """Nothing ran for a while: believe the session again when it has answered."""
        what = f"nothing ran for {away_s:.1f} s, or the clock was set"
        self._log.warning("absence", away_s=round(away_s, 3))
        self.streams.doubt(what)
        self._on_absence(what)
        await self._probe(session, steps, liveness)
        self.streams.believe()

    async def _probe(self, session: Session, steps: Contained, liveness: SessionLiveness) -> None:
        silent_s = liveness.silent_s(self._clock.monotonic())
        self._log.debug("probing", silent_s=round(silent_s, 3))
        before = session.received
        try:
            await steps.step("probe", session.probe(), self.config.probe_s)
        except TimeoutError:
            if session.received == before:
                silent_s = liveness.silent_s(self._clock.monotonic())
                raise HeartbeatTimeout(silent_s) from None
        liveness.answered(self._clock.monotonic())

    async def _raise_when_recycled(self) -> None:
        await self._recycle.wait()
        self._recycle.clear()
        raise _Recycled("asked for a fresh session")

    # -- between sessions -------------------------------------------------------------------

    def _plan(self, cause: FoxtrotError) -> float | None:
        """Say what comes after a loss; returns the seconds to wait, or None: until asked."""
        was_ready = self._backoff.lost(self._clock.monotonic())
        if isinstance(cause, _Recycled):
            self._was_ready = False  # asked for, so that it is no reconnect
            self._move(ConnectionState.RECONNECTING, "asked for a fresh session")
            return 0.0
        if not was_ready and self.breaker.failed(self._clock.monotonic()):
            self._log.warning("breaker_opened", open_s=self.config.breaker_open_s)
        self._listener.on_error(cause)
        if cause.action is Action.STOP:
            self._log.error("stopped", **labels(cause), advice="mend the cause, then reconnect")
            self._move(ConnectionState.FAILED, str(cause))
            return None
        return self._plan_retry(cause)

    def _plan_retry(self, cause: FoxtrotError) -> float:
        held_back_s = self.breaker.wait_s(self._clock.monotonic())
        delay_s = max(self._backoff.next_delay_s(), self._floor_s(cause), held_back_s)
        attempt = self._backoff.attempt
        if self._backoff.exhausted:
            delay_s = max(delay_s, self.config.reconnect_max_delay_s)
            self._move(ConnectionState.FAILED, f"gave up after {attempt} attempts: {cause}")
        elif self.state is not ConnectionState.FAILED:
            self._move(ConnectionState.RECONNECTING, str(cause), delay_s=delay_s)
        self._log.warning(
            "reconnecting", attempt=attempt, delay_s=round(delay_s, 3), **labels(cause)
        )
        return delay_s

    def _floor_s(self, cause: FoxtrotError) -> float:
        """The least delay that `cause` asks for."""
        if isinstance(cause, RateLimited):
            return cause.retry_after_s
        if not isinstance(cause, ConnectionClosed):
            return 0.0
        if cause.code == _POLICY_VIOLATION:
            return self.config.policy_wait_s
        return self.config.try_later_wait_s if cause.code in _TRY_LATER else 0.0

    async def _wait_recycled(self, timeout_s: float | None) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._recycle.wait()
        except TimeoutError:
            return
        self._recycle.clear()

    async def _close(self, session: Session, steps: Contained) -> None:
        # A task of its own: what it raises is logged, and ends nothing but itself.
        name = f"{self._venue}.{self.name}.close"
        closing = self._bridge.spawn(self._close_in_time(session, steps), name=name)
        try:
            await asyncio.wait([closing])
        except asyncio.CancelledError:
            # Half a close leaves sockets behind, and this one has its own deadline.
            await asyncio.wait([closing])
            raise

    async def _close_in_time(self, session: Session, steps: Contained) -> None:
        end_s, close_s = self.config.end_timeout_s, self.config.close_timeout_s
        await steps.end(end_s)
        try:
            await steps.step("close", session.close(), close_s)
        except TimeoutError:
            self._log.warning("close_timed_out", timeout_s=close_s)
        finally:
            left_behind = await steps.end(end_s)
            if left_behind:  # closing what it waited for did not end it either
                self._alarm(ShutdownTimeout(f"the {self.name} session", end_s, left_behind))

    def _alarm(self, error: FoxtrotError) -> None:
        self._log.error("session_left_behind", **labels(error))
        self._listener.on_error(error)

    def _fresh_backoff(self) -> Backoff:
        config = self.config
        return Backoff(
            base_s=config.reconnect_base_delay_s,
            max_s=config.reconnect_max_delay_s,
            max_attempts=config.max_reconnect_attempts,
            stable_after_s=config.stable_after_s,
            rng=self._rng,
        )

    def _fresh_breaker(self) -> CircuitBreaker:
        config = self.config
        return CircuitBreaker(threshold=config.breaker_threshold, open_s=config.breaker_open_s)

    def _move(self, to: ConnectionState, reason: str, *, delay_s: float = 0.0) -> None:
        now_ns = self._clock.time_ns()
        step = self._lifecycle.move(to, reason, now_ns)
        if step is None:
            return
        self._time(to)
        attempt = self._backoff.attempt
        self._log.log(
            logging.DEBUG if to in _STEPS else logging.INFO,
            "connection_state",
            state=to.value,
            previous=step.previous.value,
            reason=reason,
            attempt=attempt,
            delay_s=round(delay_s, 3),
        )
        status = ConnectionStatus(
            self._venue, self.name, to, step.previous, reason, now_ns, attempt, delay_s
        )
        self._listener.on_connection(status)

    def _time(self, state: ConnectionState) -> None:
        now = self._clock.monotonic()
        if state in _STOPPED:
            self._uptime.pause(now)
        else:
            self._uptime.begin(state in SERVING, now)


def _unheard(key: StreamKey, state: StreamState, reason: str) -> None:
    """What a session that is gone still finds out concerns nobody."""


def _first_leaf(error: BaseException) -> BaseException:
    """The first cause in a tree of groups; the loop cares about one."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
