"""Deliberate breaks of the product code; the schedules have to catch each of them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from foxtrot.connectivity import backoff
from foxtrot.connectivity.backoff import Backoff
from foxtrot.connectivity.breaker import BreakerState, CircuitBreaker
from foxtrot.connectivity.config import StreamConfig
from foxtrot.connectivity.contained import Contained
from foxtrot.connectivity.freshness import SessionLiveness, StreamFreshness, Verdict
from foxtrot.connectivity.orchestrator import (
    Subscribable,
    SubscribeOutcome,
    SubscriptionOrchestrator,
)
from foxtrot.connectivity.subscriptions import Difference, SubscriptionManager
from foxtrot.connectivity.supervisor import Session, Supervisor
from foxtrot.core.settings import FeatureFlags
from foxtrot.errors import HeartbeatTimeout
from foxtrot.gateway.feeds import MarketFeeds
from foxtrot.model.constants import Mode, StreamState
from foxtrot.model.health import StreamKey

Mutant = Callable[[pytest.MonkeyPatch], None]
MUTANTS: dict[str, Mutant] = {}


def mutant(apply: Mutant) -> Mutant:
    """Add a break to the list, by its name."""
    MUTANTS[apply.__name__] = apply
    return apply


@mutant
def backoff_reset_at_connect(patch: pytest.MonkeyPatch) -> None:
    """A connection counts as good the moment it is READY."""
    ready = Backoff.ready

    def broken(self: Backoff, now: float) -> None:
        ready(self, now)
        self.attempt = 0

    patch.setattr(Backoff, "ready", broken)


@mutant
def backoff_never_reset(patch: pytest.MonkeyPatch) -> None:
    """A connection that stayed up is no success either."""
    lost = Backoff.lost

    def broken(self: Backoff, now: float) -> bool:
        before = self.attempt
        was_ready = lost(self, now)
        self.attempt = before
        return was_ready

    patch.setattr(Backoff, "lost", broken)


@mutant
def backoff_without_maximum(patch: pytest.MonkeyPatch) -> None:
    """The delay goes on doubling."""
    delay_s = backoff.delay_s

    def broken(attempt: int, base_s: float, max_s: float, dice: float) -> float:
        return delay_s(attempt, base_s, math.inf, dice)

    patch.setattr(backoff, "delay_s", broken)


@mutant
def one_stream_forgotten_on_restore(patch: pytest.MonkeyPatch) -> None:
    """The last stream of the book does not survive a lost session."""
    lost = SubscriptionManager.lost

    def broken(self: SubscriptionManager, now_ns: int, reason: str) -> None:
        lost(self, now_ns, reason)
        for key in list(self.wanted)[-1:]:
            self.holds([key], StreamState.ACTIVE, now_ns)

    patch.setattr(SubscriptionManager, "lost", broken)


@mutant
def sdk_open_trusted(patch: pytest.MonkeyPatch) -> None:
    """A session that was not closed is held for alive."""

    def broken(self: SessionLiveness, received: int, now: float) -> Verdict:
        self.answered(now)
        return Verdict.ALIVE

    patch.setattr(SessionLiveness, "look", broken)


@mutant
def snapshot_comparison_dropped(patch: pytest.MonkeyPatch) -> None:
    """A stream that stands still is held for quiet, whatever its market does."""

    def broken(
        self: StreamFreshness, key: StreamKey, snapshot: object, now: float, *, told: object = None
    ) -> int:
        return 0

    patch.setattr(StreamFreshness, "judge", broken)


@mutant
def probe_answer_ignored(patch: pytest.MonkeyPatch) -> None:
    """A quiet market is held for a dead session."""

    async def broken(
        self: Supervisor, session: Session, steps: Contained, liveness: SessionLiveness
    ) -> None:
        raise HeartbeatTimeout(liveness.silent_s(self._clock.monotonic()))

    patch.setattr(Supervisor, "_probe", broken)


@mutant
def never_back_from_polling(patch: pytest.MonkeyPatch) -> None:
    """What was polled once stays polled."""
    orphaned = MarketFeeds._orphaned
    gone: set[tuple[int, StreamKey]] = set()

    def broken(self: MarketFeeds, key: StreamKey) -> bool:
        if orphaned(self, key):
            gone.add((id(self), key))
        return (id(self), key) in gone

    patch.setattr(MarketFeeds, "_orphaned", broken)


@mutant
def open_breaker_never_tries(patch: pytest.MonkeyPatch) -> None:
    """Once open, the breaker stays open."""

    def broken(self: CircuitBreaker, now: float) -> float:
        return 1e6 if self.state is BreakerState.OPEN else 0.0

    patch.setattr(CircuitBreaker, "wait_s", broken)


@mutant
def breaker_never_opens(patch: pytest.MonkeyPatch) -> None:
    """Missed attempts are not counted."""
    patch.setattr(CircuitBreaker, "failed", lambda self, now: False)


@mutant
def no_fall_back(patch: pytest.MonkeyPatch) -> None:
    """Nothing is polled while the websocket is down."""
    patch.setattr(MarketFeeds, "_orphaned", lambda self, key: False)


@mutant
def polling_left_at_the_probe(patch: pytest.MonkeyPatch) -> None:
    """Polling ends as soon as the websocket is tried again, not when it has the stream."""
    orphaned = MarketFeeds._orphaned

    def broken(self: MarketFeeds, key: StreamKey) -> bool:
        half_open = self._feeds[Mode.WEBSOCKET].breaker.state is BreakerState.HALF_OPEN
        return orphaned(self, key) and not half_open

    patch.setattr(MarketFeeds, "_orphaned", broken)


@mutant
def bulk_torn_down_on_a_change(patch: pytest.MonkeyPatch) -> None:
    """Every change unsubscribes and subscribes everything."""
    difference = SubscriptionManager.difference

    def broken(self: SubscriptionManager) -> Difference:
        found = difference(self)
        held = tuple(key for key, entry in self.wanted.items() if entry.held)
        if not found or not held:
            return found
        return Difference((*found.add, *held), (*found.remove, *held))

    patch.setattr(SubscriptionManager, "difference", broken)


@mutant
def unanswered_taken_for_held(patch: pytest.MonkeyPatch) -> None:
    """No answer is a good answer."""
    subscribe = SubscriptionOrchestrator._subscribe

    class Blind:
        def __init__(self, session: Subscribable) -> None:
            self._session = session

        async def subscribe(self, keys: Sequence[StreamKey]) -> SubscribeOutcome:
            outcome = await self._session.subscribe(keys)
            return replace(outcome, unanswered=frozenset())

        async def unsubscribe(self, keys: Sequence[StreamKey]) -> None:
            await self._session.unsubscribe(keys)

    async def broken(
        self: SubscriptionOrchestrator, session: Subscribable, keys: tuple[StreamKey, ...]
    ) -> None:
        await subscribe(self, Blind(session), keys)

    patch.setattr(SubscriptionOrchestrator, "_subscribe", broken)


@mutant
def refused_for_ever(patch: pytest.MonkeyPatch) -> None:
    """A stream that was refused is never asked for again."""
    refused = SubscriptionManager.refused

    def broken(
        self: SubscriptionManager, key: StreamKey, reason: str, now_ns: int, retry_at: float | None
    ) -> bool:
        return refused(self, key, reason, now_ns)

    patch.setattr(SubscriptionManager, "refused", broken)
    patch.setattr(SubscriptionManager, "retry_refused", lambda self, now_ns: None)


@mutant
def never_unsubscribed(patch: pytest.MonkeyPatch) -> None:
    """What is not wanted any more is not given back."""
    difference = SubscriptionManager.difference

    def broken(self: SubscriptionManager) -> Difference:
        return replace(difference(self), remove=())

    patch.setattr(SubscriptionManager, "difference", broken)


@mutant
def retry_after_ignored(patch: pytest.MonkeyPatch) -> None:
    """Neither a rate limit nor a close code asks for a longer wait."""
    patch.setattr(Supervisor, "_floor_s", lambda self, cause: 0.0)


@mutant
def close_without_deadline(patch: pytest.MonkeyPatch) -> None:
    """A session that will not close is waited for, for an hour."""

    async def broken(self: Supervisor, session: Session, steps: Contained) -> None:
        with contextlib.suppress(TimeoutError):
            await steps.step("close", session.close(), 3_600.0)

    patch.setattr(Supervisor, "_close_in_time", broken)


@mutant
def connect_without_deadline(patch: pytest.MonkeyPatch) -> None:
    """A venue may take for ever to let somebody in."""
    with_flags = StreamConfig.with_flags

    def broken(self: StreamConfig, flags: FeatureFlags) -> StreamConfig:
        return replace(with_flags(self, flags), connect_timeout_s=1e6, sync_timeout_s=1e6)

    patch.setattr(StreamConfig, "with_flags", broken)


@mutant
def session_left_open(patch: pytest.MonkeyPatch) -> None:
    """An old session is not closed before the next one is made."""

    async def broken(self: Supervisor, session: Session, steps: Contained) -> None:
        await steps.end(self.config.end_timeout_s)

    patch.setattr(Supervisor, "_close", broken)


@mutant
def settings_ignored(patch: pytest.MonkeyPatch) -> None:
    """A change of the settings is known and moves no stream."""

    def broken(self: MarketFeeds, flags: FeatureFlags) -> None:
        self._flags = flags

    patch.setattr(MarketFeeds, "apply", broken)
