"""Plays a schedule over the real feeds in virtual time and says what went wrong."""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from foxtrot.connectivity.config import StreamConfig
from foxtrot.connectivity.lifecycle import SERVING, TRANSITIONS
from foxtrot.core.bridge import AsyncThreadBridge
from foxtrot.errors import FoxtrotError, HeartbeatTimeout
from foxtrot.gateway.capabilities import Capabilities
from foxtrot.gateway.feeds import MarketFeeds
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.constants import Mode, StreamState
from foxtrot.model.health import ConnectionStatus, StreamKey
from tests.faults.pace import Pace
from tests.faults.schedules import KEYS, POLLED, STREAMED, Act, Move, Schedule, schedule
from tests.support.model_venue import NAME, POLL_S, ModelSession, ModelVenue
from tests.support.virtual_bridge import VirtualBridge
from tests.support.virtual_time import TimeStandsError, VirtualLoop, run_virtually

RECOVERY_S = 150.0
"""The longest wait of all (a Retry-After of 90 s), a step that hangs for 30 s, and a margin."""
QUIET_S = 21.0
COVERED_S = 10.0
POLLING_HEALS_S = 130.0
STOP_S = 5.0
BUSY_S = 25.0
"""How long a session may be busy with a request: until its silence is found."""
CRASH = re.compile(r"^\w+ in the \w+ session$")
"""What the supervisor says of an error that is none of foxtrot's."""
_HELD = {Mode.WEBSOCKET: StreamState.ACTIVE, Mode.POLLING: StreamState.POLLING}


@dataclass(frozen=True)
class Report:
    """What came of a schedule: nothing to complain about, hopefully."""

    problems: tuple[str, ...]
    trace: tuple[tuple[object, ...], ...]

    @property
    def digest(self) -> str:
        """A short name of the trace."""
        return hashlib.sha256(repr(self.trace).encode()).hexdigest()[:16]


def play(seed: int, upto: int | None = None) -> Report:
    """Play the schedule of `seed`, or a prefix of its faults."""
    plan = schedule(seed)
    loop = VirtualLoop()
    try:
        return run_virtually(_play(plan if upto is None else plan.upto(upto), loop), loop)
    except TimeStandsError as error:
        return Report((f"virtual time stands still: {error}",), ())


def shortest(seed: int) -> int | None:
    """The least number of faults with which the schedule of `seed` fails; None if it does not."""
    counts = range(len(schedule(seed).faults) + 1)
    return next((count for count in counts if play(seed, count).problems), None)


def repeat(seed: int, upto: int | None) -> str:
    """The command that plays a schedule again."""
    return f"scripts/faults --seed {seed}" + ("" if upto is None else f" --upto {upto}")


async def _play(plan: Schedule, loop: VirtualLoop) -> Report:
    return await Play(plan, loop).run()


class Play:
    """One schedule on its way; the listener of the feeds too."""

    def __init__(self, plan: Schedule, loop: VirtualLoop) -> None:
        self.plan = plan
        self.venue = ModelVenue(loop.clock, random.Random(plan.seed + 1), KEYS)
        self.bridge = VirtualBridge()
        self.wanted: dict[StreamKey, float] = {}
        """What the user wants, and since when."""
        self.flags, self.changed_at = plan.flags, 0.0
        self._doubtful: set[tuple[StreamKey, str]] = set()
        self.said: dict[str, S] = {}
        self.statuses = 0
        template = StreamConfig(individual=plan.individual)
        config = template.with_flags(plan.flags)
        self.paces = {mode: Pace(self.venue, config) for mode in Mode}
        self.venue.on_step = self._check_step
        self.venue.on_made = lambda session: self.paces[session.mode].made(session)
        self.venue.on_closing = lambda session: self.paces[session.mode].closing(session)
        self.venue.on_release = self._released
        self.feeds = MarketFeeds(
            NAME,
            make_session=self.venue.make,
            capabilities=Capabilities(streamed=STREAMED, polled=POLLED),
            listener=self,
            bridge=cast(AsyncThreadBridge, self.bridge),
            clock=loop.clock,
            config=template,
            flags=plan.flags,
            rng=random.Random(plan.seed + 2),
        )

    async def run(self) -> Report:
        """Play it to its end."""
        market = asyncio.create_task(self.venue.trade())
        self.feeds.start()
        for at, step in self._timeline():
            await self._sleep_until(at)
            if isinstance(step, Move):
                await self._do(step)
            else:
                step()
        await self._sleep_until(self.plan.heals_at)
        if await self._recovered():
            await self._check_quiet(market)
        market.cancel()
        await asyncio.wait([market])
        await self._stop()
        await self._check_nothing_left()
        problems = (*self.venue.complaints, *self.bridge.crashes)
        return Report(problems, tuple(self.venue.trace))

    # -- the timeline -----------------------------------------------------------------------

    def _timeline(self) -> list[tuple[float, Move | Callable[[], None]]]:
        steps: list[tuple[float, Move | Callable[[], None]]] = []
        for fault in self.plan.faults:
            steps.append((fault.at, partial(self.venue.begin, fault)))
            steps.append((fault.ends, partial(self.venue.end, fault)))
        steps += [(move.at, move) for move in self.plan.moves]
        return sorted(steps, key=lambda step: step[0])

    async def _sleep_until(self, at: float) -> None:
        await asyncio.sleep(max(at - self.venue.now, 0.0))

    async def _do(self, move: Move) -> None:
        self.venue.note("user", move.act.value, *map(str, move.keys))
        if move.act is Act.WANT:
            self.wanted.update({key: self.venue.now for key in move.keys if key not in self.wanted})
            self.feeds.want(move.keys)
        elif move.act is Act.DROP:
            for key in move.keys:
                self.wanted.pop(key, None)
            self.feeds.drop(move.keys)
        elif move.flags is not None:
            self.flags, self.changed_at = move.flags, self.venue.now
            self.feeds.apply(move.flags)
        else:
            self.changed_at = self.venue.now
            await self._stop()
            self.feeds.start()

    async def _stop(self) -> None:
        began = self.venue.now
        await self.feeds.stop()
        took_s = self.venue.now - began
        if took_s > STOP_S:
            self.venue.complain(f"stopping took {took_s:.1f} s")

    # -- Listener ---------------------------------------------------------------------------

    def on_connection(self, status: ConnectionStatus) -> None:
        """Each step has to be legal, and to go on from the one before."""
        self.statuses += 1
        name, state, previous = status.session, status.state, status.previous
        self.venue.note("state", name, state.value, status.reason, status.attempt, status.delay_s)
        before = self.said.get(name, S.DISCONNECTED)
        self.said[name] = state
        if previous is not before or state not in TRANSITIONS[previous]:
            self.venue.complain(f"{name} went from {before.value} to {state.value}")
        mode = Mode(name)
        if state is S.CONNECTING and previous is S.DISCONNECTED:
            self.paces[mode].started()
        session = self.venue.newest(mode)
        if session is not None and previous is S.SYNCING and state in SERVING:
            self.paces[mode].ready()
            session.ready()

    def on_streams(self, keys: Sequence[StreamKey]) -> None:
        """Nothing to do; the entries are looked at in the end."""

    def on_error(self, error: FoxtrotError) -> None:
        """Each error has to have a cause."""
        self.venue.note("error", type(error).__name__, str(error))
        if CRASH.match(str(error)):
            self.venue.complain(f"crash: {error}")
        sessions = [self.venue.newest(mode) for mode in Mode]
        if isinstance(error, HeartbeatTimeout) and not any(s and s.deaf for s in sessions):
            self.venue.complain("a session that answers its probes was given up")

    # -- while it runs ----------------------------------------------------------------------

    def _released(self, session: ModelSession, key: StreamKey) -> None:
        """What is wanted by this way is never given back, nor by the other until it has it."""
        if key not in self.wanted:
            return
        mode = self.feeds.mode_of(key)
        to_come = mode is Mode.WEBSOCKET and self.flags.websocket_fallback_on_error
        if mode is session.mode:
            self.venue.complain(f"{session.name} gives back {key}, which is wanted")
        elif to_come and not self.venue.gave(mode, key, self.venue.now - BUSY_S):
            self.venue.complain(f"{session.name} gives back {key}, which nobody has")

    def _check_step(self) -> None:
        self._check_covered()
        self._check_honest()

    def _check_honest(self) -> None:
        """What is said to be served is served, or will not be said much longer."""
        doubtful = set()
        for key, (mode, entry) in self.feeds.entries().items():
            session = self.venue.newest(mode)
            if entry.held and session is not None and session.alive and key not in session.held:
                doubtful.add((key, session.name))
        for key, name in sorted(self._doubtful & doubtful, key=str):
            self.venue.complain(f"{name} does not have {key}, which is said to be served")
        self._doubtful = doubtful

    def _check_covered(self) -> None:
        """While the breaker is open, polling serves."""
        now, pace = self.venue.now, self.paces[Mode.WEBSOCKET]
        flags = self.flags
        settled = now - max(self.changed_at, pace.open_since) >= COVERED_S
        if not (flags.websocket_enabled and flags.websocket_fallback_on_error and settled):
            return
        if not pace.tripped or self._polling_hurt():
            return
        for key, since in self.wanted.items():
            if now - since >= COVERED_S and not any(self.venue.holds(m, key) for m in Mode):
                self.venue.complain(f"the websocket is down for long and {key} is not served")

    def _polling_hurt(self) -> bool:
        """Whether polling may still suffer from a fault."""
        hurt = [fault for fault in self.plan.faults if fault.mode is Mode.POLLING]
        now = self.venue.now
        return any(fault.at <= now <= fault.ends + POLLING_HEALS_S for fault in hurt)

    # -- in the end -------------------------------------------------------------------------

    async def _recovered(self) -> bool:
        """Wait until all is as it should be; a healed venue gives no reason to wait for long."""
        until = self.venue.now + RECOVERY_S
        while wrong := self._wrong():
            if self.venue.now > until:
                for text in wrong:
                    self.venue.complain(f"{RECOVERY_S:g} s after the healing: {text}")
                return False
            await asyncio.sleep(1.0)
        return True

    def _expected(self, mode: Mode) -> set[StreamKey]:
        return {key for key in self.wanted if self.feeds.mode_of(key) is mode}

    def _wrong(self) -> list[str]:
        """What is not as it should be at rest."""
        wrong = []
        for mode in Mode:
            expected, held = self._expected(mode), self.venue.held(mode)
            if held != expected:
                wrong.append(f"{mode.value}: {_texts(held)} held, {_texts(expected)} wanted")
        shown = {key: (mode, e.state) for key, (mode, e) in self.feeds.entries().items()}
        due = {key: (m, _HELD[m]) for m in Mode for key in self._expected(m)}
        if shown != due:
            wrong.append("the entries say something else")
        sessions = self.feeds.sessions()
        wrong += [f"{s.name} is {s.state.value}" for s in sessions if s.state is not S.READY]
        wrong += [f"breaker {s.breaker}" for s in sessions if s.breaker != "closed"]
        rest = S.READY if len(sessions) == 1 and self.flags.websocket_enabled else S.DEGRADED
        if self.feeds.state is not rest:
            wrong.append(f"the feeds are {self.feeds.state.value} instead of {rest.value}")
        return wrong

    async def _check_quiet(self, market: asyncio.Task[None]) -> None:
        """Nothing happens any more but that each stream arrives, once and by one way."""
        await asyncio.sleep(2 * POLL_S)
        since, statuses = dict(self.venue.market), self.statuses
        for inbox in self.venue.inbox.values():
            inbox.numbers.clear()
            inbox.modes.clear()
        await asyncio.sleep(QUIET_S)
        market.cancel()
        await asyncio.sleep(2 * POLL_S)
        if self.statuses != statuses:
            self.venue.complain("a session changed its state while nothing happened")
        for text in self._wrong():
            self.venue.complain(f"after the quiet: {text}")
        for key in self.venue.market:
            self._check_stream(key, since[key])

    def _check_stream(self, key: StreamKey, since: int) -> None:
        inbox, newest = self.venue.inbox[key], self.venue.market[key]
        self.venue.note("inbox", str(key), inbox.last, inbox.numbers)
        if key not in self.wanted:
            if inbox.numbers:
                self.venue.complain(f"{key} comes and is not wanted")
            return
        mode = self.feeds.mode_of(key)
        if inbox.modes != {mode}:
            self.venue.complain(f"{key} comes by {len(inbox.modes)} ways, or by the wrong one")
        if inbox.last != newest:
            self.venue.complain(f"{key} stands at {inbox.last}, the venue at {newest}")
        if mode is Mode.WEBSOCKET and inbox.numbers != list(range(since + 1, newest + 1)):
            self.venue.complain(f"{key} came with gaps or twice: {inbox.numbers}")
        if sorted(set(inbox.numbers)) != inbox.numbers:
            self.venue.complain(f"{key} went back: {inbox.numbers}")

    async def _check_nothing_left(self) -> None:
        for made in self.venue.sessions.values():
            for session in made:
                if not session.closed:
                    self.venue.complain(f"{session.name} is left open")
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in sorted(left, key=lambda task: task.get_name()):
            self.venue.complain(f"left behind: {task.get_name()}")
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=STOP_S)


def _texts(keys: set[StreamKey]) -> str:
    return ", ".join(sorted(map(str, keys))) or "nothing"
