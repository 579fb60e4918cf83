"""A model of a venue in virtual time: two ways in, numbered updates, and faults it obeys.

It is strict: what a well-behaved client never does is written down in `complaints`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from foxtrot.connectivity.freshness import StreamFreshness
from foxtrot.connectivity.orchestrator import SubscribeOutcome
from foxtrot.errors import (
    ConnectError,
    ConnectionClosed,
    FoxtrotError,
    RateLimited,
    SubscriptionRefused,
)
from foxtrot.model.constants import Mode, StreamState
from foxtrot.model.health import StreamKey
from tests.support.virtual_time import VirtualClock

NAME = "MODEL"
DROPPED = 1006
MARKET_STEP_S = 2.0
POLL_S = 2.0
LOOK_S = 2.0
"""How often a session looks for streams that stand still."""
_IDLE_S, _LONGEST_S = 10.0, 120.0
ANSWER_S = 5.0
"""How long a session waits for the answer to a subscription."""


class Kind(Enum):
    """What a venue can do to its clients; `amount` of the fault in brackets."""

    DROP = "drop"
    CLOSE = "close with a code"  # code
    DEAF = "silent session"
    FLAP = "flap"  # seconds from READY to the drop
    REFUSE = "refuse connect"
    HANG_CONNECT = "hang connect"
    HANG_SYNC = "hang sync"
    RATE_LIMITED = "rate limited"  # retry after so many seconds
    UNANSWERED = "unanswered subscribe"
    REFUSE_SYMBOL = "refused symbol"
    SLOW_CLOSE = "slow close"  # seconds
    HANG_CLOSE = "close hangs"
    QUIET = "quiet market"
    DEAD = "dead streams"  # every other one, until it is asked for afresh


@dataclass(frozen=True)
class Fault:
    """One fault: it begins `at` a time and is over `lasts_s` later."""

    at: float
    kind: Kind
    mode: Mode = Mode.WEBSOCKET
    lasts_s: float = 0.0
    amount: float = 0.0
    symbol: str = ""
    drops: bool = False
    """Whether it begins with the loss of the session of the moment."""

    @property
    def ends(self) -> float:
        """When it is over."""
        return self.at + self.lasts_s


@dataclass
class Inbox:
    """What reached the client of one stream since the last look."""

    last: int = -1
    numbers: list[int] = field(default_factory=list)
    modes: set[Mode] = field(default_factory=set)


class ModelVenue:
    """Sessions by websocket and by polling over one market. Lives on the virtual loop."""

    def __init__(self, clock: VirtualClock, dice: random.Random, keys: Iterable[StreamKey]) -> None:
        self.clock, self.dice = clock, dice
        self.market = dict.fromkeys(keys, 0)
        self.inbox = {key: Inbox() for key in self.market}
        self.sessions: dict[Mode, list[ModelSession]] = {mode: [] for mode in Mode}
        self.active: list[Fault] = []
        self.complaints: list[str] = []
        self.trace: list[tuple[object, ...]] = []
        self.on_step: Callable[[], None] = lambda: None
        self.on_made: Callable[[ModelSession], None] = lambda session: None
        self.on_closing: Callable[[ModelSession], None] = lambda session: None
        self.on_release: Callable[[ModelSession, StreamKey], None] = lambda session, key: None

    @property
    def now(self) -> float:
        """Virtual seconds."""
        return self.clock.monotonic()

    def note(self, *what: object) -> None:
        """Write down what happens; equal seeds give equal traces."""
        self.trace.append((self.now, *what))

    def complain(self, text: str) -> None:
        """Write down what a client must not do."""
        self.complaints.append(f"{self.now:.3f} s: {text}")

    # -- sessions ---------------------------------------------------------------------------

    def make(self, mode: Mode) -> ModelSession:
        """A session, unopened."""
        made = self.sessions[mode]
        session = ModelSession(self, mode, len(made))
        if made and not made[-1].closed:
            self.complain(f"{session.name} made while {made[-1].name} is not closed")
        made.append(session)
        self.on_made(session)
        return session

    def newest(self, mode: Mode) -> ModelSession | None:
        """The session of the moment, closed or not."""
        made = self.sessions[mode]
        return made[-1] if made else None

    def holds(self, mode: Mode, key: StreamKey) -> bool:
        """Whether the venue gives `key` by this way."""
        session = self.newest(mode)
        return session is not None and session.alive and key in session.held

    def gave(self, mode: Mode, key: StreamKey, since: float) -> bool:
        """Whether it gave `key` by this way, be it for a moment only."""
        made = (session for session in self.sessions[mode] if key in session.held)
        return any(session.ended_at < 0 or session.ended_at >= since for session in made)

    def held(self, mode: Mode) -> set[StreamKey]:
        """All that the venue gives by this way."""
        return {key for key in self.market if self.holds(mode, key)}

    # -- the market -------------------------------------------------------------------------

    async def trade(self) -> None:
        """Move the market on for ever; every stream says something every other step."""
        step = 0
        while True:
            await asyncio.sleep(MARKET_STEP_S)
            step += 1
            if self.fault(Kind.QUIET) is None:
                for place, key in enumerate(self.market):
                    if (place + step) % 2:
                        self.publish(key)
            self.on_step()

    def publish(self, key: StreamKey) -> None:
        """One more update of a stream, sent to who holds it."""
        self.market[key] += 1
        session = self.newest(Mode.WEBSOCKET)
        if session is not None and session.alive and not session.deaf and session.hears(key):
            session.told[key] = self.market[key]
            self.deliver(session, key)

    def deliver(self, session: ModelSession, key: StreamKey) -> None:
        """The latest update reaches the client."""
        session.received += 1
        inbox, number = self.inbox[key], self.market[key]
        inbox.last = number
        inbox.numbers.append(number)
        inbox.modes.add(session.mode)

    # -- faults -----------------------------------------------------------------------------

    def fault(self, kind: Kind, mode: Mode | None = None) -> Fault | None:
        """The active fault of a kind."""
        for fault in self.active:
            if fault.kind is kind and mode in (None, fault.mode):
                return fault
        return None

    def begin(self, fault: Fault) -> None:
        """Obey a fault from now on."""
        self.note("fault", fault.kind.value, fault.mode.value, fault.amount, fault.symbol)
        self.active.append(fault)
        session = self.newest(fault.mode)
        if session is None:
            return
        if fault.kind is Kind.DEAF:
            session.fall_silent()
        elif fault.kind is Kind.DEAD:
            session.dead.update(list(session.held)[::2])
        elif fault.kind is Kind.CLOSE:
            session.lose(ConnectionClosed(int(fault.amount)))
        elif fault.drops or fault.kind is Kind.DROP:
            session.lose(ConnectionClosed(DROPPED))

    def end(self, fault: Fault) -> None:
        """A fault is over; what it broke stays broken."""
        self.note("healed", fault.kind.value, fault.mode.value)
        self.active.remove(fault)


class ModelSession:
    """One connection to a `ModelVenue`; see `supervisor.Session`."""

    endpoint = "model.example:1"

    def __init__(self, venue: ModelVenue, mode: Mode, number: int) -> None:
        self.venue, self.mode, self.number = venue, mode, number
        self.name = f"{mode.value} {number}"
        self.report: Callable[[StreamKey, StreamState, str], None] = lambda key, state, why: None
        self.received = 0
        self.held: dict[StreamKey, int] = {}
        """What the venue gives, and the number that was polled last."""
        self.told: dict[StreamKey, int] = {}
        """The number that each stream brought last."""
        self.dead: set[StreamKey] = set()
        self.opened = self.closed = self.deaf = False
        self.deaf_at = self.ready_at = self.ended_at = -1.0
        self.cause: FoxtrotError | None = None
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def alive(self) -> bool:
        """Whether the venue has the connection."""
        return self.opened and not self.closed and not self._lost.done()

    def hears(self, key: StreamKey) -> bool:
        """Whether what happens to a stream comes through."""
        return key in self.held and key not in self.dead

    def lose(self, error: FoxtrotError) -> None:
        """The connection is gone, if there is one."""
        if self.alive and not self.deaf:
            self.venue.note(self.name, "lost", str(error))
            self.cause = error
            self._lost.set_result(None)

    def fall_silent(self) -> None:
        """Nothing comes through any more, and nobody says so."""
        if self.alive and not self.deaf:
            self.deaf, self.deaf_at = True, self.venue.now

    def ready(self) -> None:
        """The client calls it READY."""
        self.ready_at = self.venue.now
        flap = self.venue.fault(Kind.FLAP, self.mode)
        if flap is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(flap.amount, self._flap)

    def _flap(self) -> None:
        if self.venue.fault(Kind.FLAP, self.mode):
            self.lose(ConnectionClosed(DROPPED))

    # -- Session ----------------------------------------------------------------------------

    async def prepare(self) -> None:
        """See `Session`."""
        await self._step("prepare")

    async def open(self) -> None:
        """See `Session`."""
        await self._step("open")
        fault = self.venue.fault(Kind.RATE_LIMITED, self.mode)
        if fault is not None:
            self._fail(RateLimited(NAME, "429", "too many requests", fault.amount))
        if self.venue.fault(Kind.REFUSE, self.mode):
            self._fail(ConnectError(self.endpoint, "refused"))
        await self._hang_if(Kind.HANG_CONNECT)
        self.opened = True

    async def sync(self) -> None:
        """See `Session`."""
        await self._step("sync")
        await self._hang_if(Kind.HANG_SYNC)
        if self.deaf:
            await asyncio.get_running_loop().create_future()

    async def subscribe(self, keys: Sequence[StreamKey]) -> SubscribeOutcome:
        """See `Session`."""
        for key in keys:
            if key in self.held:
                self.venue.complain(f"{self.name} asks for {key} again")
        await self._step("subscribe", keys)
        mute, bad = self._named(Kind.UNANSWERED, keys), self._named(Kind.REFUSE_SYMBOL, keys)
        if self.deaf:
            mute, bad = set(keys), set()
        if mute:
            await asyncio.sleep(ANSWER_S)
        given = [key for key in keys if key not in mute | bad]
        self.held.update(dict.fromkeys(given, -1))
        refusal = SubscriptionRefused(NAME, "-1", "not now")
        return SubscribeOutcome(
            {key: refusal for key in keys if key in bad - mute}, frozenset(mute)
        )

    async def unsubscribe(self, keys: Sequence[StreamKey]) -> None:
        """See `Session`."""
        for key in keys:
            if key not in self.held:
                self.venue.complain(f"{self.name} gives back {key}, which it has not")
            self.venue.on_release(self, key)
        await self._step("unsubscribe", keys)
        if self.deaf:
            await asyncio.sleep(ANSWER_S)
        for key in keys:
            self._forget(key)

    async def run(self) -> None:
        """See `Session`."""
        if self.mode is Mode.WEBSOCKET:
            await self._watch()
        while not self._lost.done():
            self._poll()
            await asyncio.wait([self._lost], timeout=POLL_S)
        assert self.cause is not None
        raise self.cause

    async def probe(self) -> None:
        """See `Session`."""
        await self._step("probe")
        if self.deaf:
            await asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        """See `Session`."""
        if self.closed:
            self.venue.complain(f"{self.name} is closed twice")
        self.venue.note(self.name, "close")
        self.closed = True
        self.venue.on_closing(self)
        try:
            slow = self.venue.fault(Kind.SLOW_CLOSE, self.mode)
            await asyncio.sleep(slow.amount if slow else 0.01)
            await self._hang_if(Kind.HANG_CLOSE)
        finally:
            self.ended_at = self.venue.now

    # -- inside -----------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Find streams that stand still while their market moves, and ask for them afresh."""
        freshness = StreamFreshness(idle_s=_IDLE_S, longest_s=_LONGEST_S)
        while not self._lost.done():
            await asyncio.wait([self._lost], timeout=LOOK_S)
            if not self.deaf:
                self._look(freshness)

    def _look(self, freshness: StreamFreshness) -> None:
        activity = {key: self.told.get(key, -1) for key in self.held}
        sighting = freshness.look(activity, self.venue.now)
        for key in sighting.revived:
            self.report(key, StreamState.ACTIVE, "data came")
        for key in sighting.silent:
            self._judge(freshness, key)

    def _judge(self, freshness: StreamFreshness, key: StreamKey) -> None:
        snapshot, told = self.venue.market[key], self.told.get(key)
        if freshness.judge(key, snapshot, self.venue.now, told=told):
            self.venue.note(self.name, "renew", str(key))
            self.report(key, StreamState.STALE, "stands still")
            self.dead.discard(key)
        elif freshness.state(key) is StreamState.QUIET:
            self.report(key, StreamState.QUIET, "its market stands still")

    def _forget(self, key: StreamKey) -> None:
        self.held.pop(key, None)
        self.told.pop(key, None)
        self.dead.discard(key)

    def _poll(self) -> None:
        """One round: each polled stream is told if it moved."""
        if self.deaf:
            return
        self.received += 1
        for key, before in self.held.items():
            if self.venue.market[key] != before:
                self.held[key] = self.venue.market[key]
                self.venue.deliver(self, key)

    def _fail(self, error: FoxtrotError) -> None:
        self.cause = error
        raise error

    def _named(self, kind: Kind, keys: Sequence[StreamKey]) -> set[StreamKey]:
        """Those of `keys` that the active fault of a kind concerns."""
        fault = self.venue.fault(kind, self.mode)
        if fault is None:
            return set()
        return {key for key in keys if fault.symbol in ("", key.symbol)}

    async def _hang_if(self, kind: Kind) -> None:
        if self.venue.fault(kind, self.mode):
            await asyncio.get_running_loop().create_future()

    async def _step(self, step: str, keys: Sequence[StreamKey] = ()) -> None:
        if self.closed:
            self.venue.complain(f"{step} of {self.name}, which is closed")
        self.venue.note(self.name, step, *map(str, keys))
        # Time passes with every step, so that no mistake of the client can stop the clock.
        await asyncio.sleep(self.venue.dice.uniform(0.01, 0.2))
