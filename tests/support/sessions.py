"""A scripted venue for the supervisor: sessions that do as the test says, and remember it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from foxtrot.connectivity.config import StreamConfig
from foxtrot.connectivity.orchestrator import SubscribeOutcome
from foxtrot.connectivity.supervisor import Supervisor
from foxtrot.core.bridge import AsyncThreadBridge
from foxtrot.core.clock import Clock, SystemClock
from foxtrot.errors import FoxtrotError
from foxtrot.model.constants import Channel, ConnectionState, Exchange, StreamState
from foxtrot.model.health import ConnectionStatus, StreamKey
from tests.support.events import WAIT_S, Collected

T = TypeVar("T")

PATIENT = StreamConfig(
    connect_timeout_s=60.0,
    sync_timeout_s=60.0,
    subscribe_timeout_s=60.0,
    close_timeout_s=60.0,
    idle_s=60.0,
    reconnect_base_delay_s=0.001,
    reconnect_max_delay_s=0.004,
    breaker_threshold=1_000_000,
)
"""Reconnects at once, and runs into no deadline or breaker that a test did not ask for."""


class Hang(Enum):
    """The outcome of a step that never ends."""

    HANG = "hang"


HANG = Hang.HANG
Outcome = BaseException | Hang | None


@dataclass(frozen=True)
class Call:
    """One call of a session's method."""

    session: int
    step: str
    keys: tuple[StreamKey, ...] = ()


def tick(symbol: str) -> StreamKey:
    """The tick stream of `symbol`."""
    return StreamKey(Channel.TICK, symbol, Exchange.BINANCE)


class FakeVenue:
    """Makes sessions and holds the script they follow.

    Thread safety: write the script before the supervisor starts or on the loop; read anywhere.
    """

    def __init__(self) -> None:
        self.calls: Collected[Call] = Collected()
        """Every step as it begins."""
        self.changes: Collected[frozenset[StreamKey]] = Collected()
        """What the newest session holds, after each change."""
        self.sessions: list[FakeSession] = []
        self.script: dict[str, deque[Outcome]] = {}
        self.always: dict[str, Outcome] = {}
        self.refused: dict[StreamKey, FoxtrotError] = {}
        self.unanswered: set[StreamKey] = set()
        self.misbehave: dict[str, BaseException] = {}
        self.before_step: Callable[[int, str], None] = lambda number, step: None
        self.steps = 0

    def make(self) -> FakeSession:
        """A fresh session; the script may have this fail, as step "make"."""
        outcome = self.outcome("make")
        if isinstance(outcome, BaseException):
            raise outcome
        session = FakeSession(self, len(self.sessions))
        self.sessions.append(session)
        return session

    def plan(self, step: str, *outcomes: Outcome) -> None:
        """What the next calls of `step` come to; those after go well."""
        self.script.setdefault(step, deque()).extend(outcomes)

    def outcome(self, step: str) -> Outcome:
        """What this call of `step` comes to."""
        planned = self.script.get(step)
        return planned.popleft() if planned else self.always.get(step)

    def calls_of(self, step: str) -> list[Call]:
        """All calls of `step` so far."""
        return [call for call in self.calls.items if call.step == step]

    @property
    def asked(self) -> list[StreamKey]:
        """Every stream that was ever asked for, as often as it was."""
        return [key for call in self.calls_of("subscribe") for key in call.keys]

    @property
    def newest(self) -> FakeSession:
        """The session that was made last."""
        return self.sessions[-1]


class FakeSession:
    """One session of a `FakeVenue`; see `supervisor.Session`."""

    endpoint = "fake.example:1"
    report: Callable[[StreamKey, StreamState, str], None]

    def __init__(self, venue: FakeVenue, number: int) -> None:
        self.venue, self.number = venue, number
        self.received = 0
        self.held: set[StreamKey] = set()
        self.closed = 0
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def prepare(self) -> None:
        """See `Session`."""
        await self._step("prepare")

    async def open(self) -> None:
        """See `Session`."""
        await self._step("open")

    async def sync(self) -> None:
        """See `Session`."""
        await self._step("sync")

    async def subscribe(self, keys: Sequence[StreamKey]) -> SubscribeOutcome:
        """See `Session`."""
        await self._step("subscribe", keys)
        refused = {key: error for key, error in self.venue.refused.items() if key in keys}
        unanswered = frozenset(self.venue.unanswered.intersection(keys))
        self.held.update(key for key in keys if key not in refused and key not in unanswered)
        self.venue.changes(frozenset(self.held))
        return SubscribeOutcome(refused, unanswered)

    async def unsubscribe(self, keys: Sequence[StreamKey]) -> None:
        """See `Session`."""
        await self._step("unsubscribe", keys)
        self.held.difference_update(keys)
        self.venue.changes(frozenset(self.held))

    async def run(self) -> None:
        """See `Session`; lives until `lose`."""
        await self._step("run")
        try:
            await self._lost
        except asyncio.CancelledError:
            if (error := self.venue.misbehave.get("cancelled")) is not None:
                raise error from None
            raise

    async def probe(self) -> None:
        """See `Session`."""
        await self._step("probe")

    async def close(self) -> None:
        """See `Session`."""
        self.closed += 1
        await self._step("close")

    def lose(self, error: BaseException) -> None:
        """The connection is gone; on the loop."""
        if not self._lost.done():
            self._lost.set_exception(error)

    async def _step(self, step: str, keys: Sequence[StreamKey] = ()) -> None:
        assert step == "close" or not self.closed, f"{step} of a closed session"
        venue = self.venue
        venue.steps += 1
        venue.before_step(venue.steps, step)
        venue.calls(Call(self.number, step, tuple(keys)))
        outcome = venue.outcome(step)
        if isinstance(outcome, BaseException):
            raise outcome
        if outcome is HANG:
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(0)


class Told:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.statuses: Collected[ConnectionStatus] = Collected()
        self.streams: Collected[tuple[StreamKey, ...]] = Collected()
        self.errors: Collected[FoxtrotError] = Collected()

    def on_connection(self, status: ConnectionStatus) -> None:
        """See `Listener`."""
        self.statuses(status)

    def on_streams(self, keys: Sequence[StreamKey]) -> None:
        """See `Listener`."""
        self.streams(tuple(keys))

    def on_error(self, error: FoxtrotError) -> None:
        """See `Listener`."""
        self.errors(error)


class Rig:
    """A supervisor on a real bridge, with a scripted venue. Use it as a context manager."""

    def __init__(self, config: StreamConfig = PATIENT, clock: Clock | None = None) -> None:
        self.venue, self.told = FakeVenue(), Told()
        self.absences: Collected[str] = Collected()
        self.bridge = AsyncThreadBridge("test-bridge")
        self.bridge.start()
        self.supervisor = self.call(
            lambda: Supervisor(
                "websocket",
                venue="FAKE",
                make_session=self.venue.make,
                listener=self.told,
                bridge=self.bridge,
                clock=clock or SystemClock(),
                config=config,
                on_absence=self.absences,
            )
        )

    def call(self, fn: Callable[[], T]) -> T:
        """Call `fn` on the loop and wait for what it returns."""

        async def called() -> T:
            return fn()

        return self.bridge.run(called(), timeout=WAIT_S)

    def start(self, *symbols: str) -> None:
        """Want the ticks of `symbols` and start the supervisor."""
        self.call(lambda: self.supervisor.want([tick(symbol) for symbol in symbols]))
        self.call(self.supervisor.start)

    def stop(self) -> None:
        """Stop the supervisor and wait for it."""
        self.bridge.run(self.supervisor.stop(), timeout=WAIT_S)

    def lose(self, error: BaseException) -> None:
        """Lose the newest session."""
        self.call(lambda: self.venue.newest.lose(error))

    def wait_state(self, *states: ConnectionState, since: int = 0) -> ConnectionStatus:
        """The first status in one of `states`, from the `since`-th on."""
        return self.told.statuses.wait_for(lambda status: status.state in states, since=since)

    def wait_states(self, state: ConnectionState, count: int) -> ConnectionStatus:
        """The `count`-th status in `state`."""
        found = self.told.statuses.wait_until(
            lambda all_: [s for s in all_ if s.state is state][count - 1 : count]
        )
        return found[0]

    @property
    def states(self) -> list[ConnectionState]:
        """All states it went through."""
        return [status.state for status in self.told.statuses.items]

    def __enter__(self) -> Rig:
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self.stop()
            left = self.call(_other_tasks)
        finally:
            self.bridge.stop()
        assert not left, f"tasks left behind: {left}"
        assert all(session.closed == 1 for session in self.venue.sessions), "not closed once"


def _other_tasks() -> list[str]:
    current = asyncio.current_task()
    return [task.get_name() for task in asyncio.all_tasks() if task is not current]
