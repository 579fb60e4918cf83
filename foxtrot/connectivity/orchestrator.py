"""The orchestrator of subscriptions: makes what the venue gives equal to what is wanted.

It owns the state of every subscription; a session only asks and answers. What stays is never
touched: a move concerns the difference alone, and the failure of one stream moves no other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from foxtrot.connectivity.config import StreamConfig
from foxtrot.connectivity.diagnostics import labels
from foxtrot.connectivity.subscriptions import SubscriptionManager
from foxtrot.core.clock import Clock
from foxtrot.core.logs import FoxtrotLogger
from foxtrot.errors import FoxtrotError, StreamingError, UnknownSymbol, VenueError
from foxtrot.model.constants import StreamState
from foxtrot.model.health import StreamKey

_LEAST_WAIT_S = 0.001
"""A timer may come a moment before its time: whoever looks then looks again, but not at once."""


@dataclass(frozen=True, slots=True)
class SubscribeOutcome:
    """What became of a request to subscribe; a stream in neither field is held now."""

    refused: Mapping[StreamKey, FoxtrotError] = field(default_factory=dict)
    unanswered: frozenset[StreamKey] = frozenset()


class Subscribable(Protocol):
    """The part of a session that the orchestrator needs."""

    async def subscribe(self, keys: Sequence[StreamKey]) -> SubscribeOutcome:
        """Ask for streams, within the session's own deadline."""

    async def unsubscribe(self, keys: Sequence[StreamKey]) -> None:
        """Give streams back; an unanswered request counts as done."""


class StreamListener(Protocol):
    """Who is told about streams. Called on the loop thread; must not block."""

    def on_streams(self, keys: Sequence[StreamKey]) -> None:
        """The entries of these streams changed."""

    def on_error(self, error: FoxtrotError) -> None:
        """Something went wrong; it is being dealt with."""


class SubscriptionOrchestrator:
    """Closes the difference on the session of the moment. Belongs to the loop thread.

    In bulk, the usual way, one request carries many streams. A channel that the settings name as
    individual is asked for stream by stream, so that each answers for itself alone.
    """

    def __init__(
        self,
        *,
        listener: StreamListener,
        clock: Clock,
        config: Callable[[], StreamConfig],
        held_state: StreamState,
        log: FoxtrotLogger,
    ) -> None:
        self.book = SubscriptionManager()
        self._listener, self._clock, self._config = listener, clock, config
        self._held_state, self._log = held_state, log
        self._changed = asyncio.Event()
        self._doubted: dict[StreamKey, tuple[StreamState, str]] = {}

    # -- what is wanted ---------------------------------------------------------------------

    def want(self, keys: Sequence[StreamKey]) -> None:
        """Add streams; the session follows."""
        fresh = self.book.want(keys, self._clock.time_ns())
        if fresh:
            self._listener.on_streams(fresh)
            self._changed.set()

    def drop(self, keys: Sequence[StreamKey]) -> None:
        """Take streams back; the session follows."""
        if self.book.drop(keys):
            self._changed.set()

    # -- the moves --------------------------------------------------------------------------

    async def restore(self, session: Subscribable) -> None:
        """Ask a fresh session for everything that is wanted, the refused streams included."""
        self.book.retry_refused(self._clock.time_ns())
        await self._close_difference(session)

    async def next_change(self, session: Subscribable) -> None:
        """Wait until something is to be done, and do it."""
        await self._wait_changed()
        self._changed.clear()
        self.book.retry_due(self._clock.monotonic(), self._clock.time_ns())
        await self._close_difference(session)

    def doubt(self, reason: str) -> None:
        """Nobody knows whether the session lives: what it holds is stale until `believe`."""
        for key, entry in self.book.wanted.items():
            if entry.held and key not in self._doubted:
                self._doubted[key] = entry.state, entry.reason
                self.book.mark(key, StreamState.STALE, reason, self._clock.time_ns())
        self._listener.on_streams(list(self._doubted))

    def believe(self) -> None:
        """The session lives: its streams are what they were, unless it has said else since."""
        doubted, self._doubted = self._doubted, {}
        for key, (state, reason) in doubted.items():
            self.book.mark(key, state, reason, self._clock.time_ns())
        self._listener.on_streams(list(doubted))

    def lost(self) -> None:
        """The session is gone, and with it all that it held."""
        self._doubted.clear()
        self.book.lost(self._clock.time_ns(), "session lost")
        self._listener.on_streams(list(self.book.wanted))

    def report(self, key: StreamKey, state: StreamState, reason: str) -> None:
        """Take what a session found out about a stream that it holds, or is about to."""
        entry = self.book.entry(key)
        self._doubted.pop(key, None)
        if entry is None or entry.state is state:
            return
        if state is StreamState.FAILED:
            self.book.released([key])
            self._fail({key: StreamingError(reason)})
        else:
            self.book.mark(key, state, reason, self._clock.time_ns())
            level = _level(entry.state, state)
            self._log.log(level, "stream_state", stream=str(key), state=state.value, reason=reason)
        self._listener.on_streams([key])
        self._changed.set()

    async def _wait_changed(self) -> None:
        due_at = self.book.next_retry_at()
        wait_s = None if due_at is None else max(due_at - self._clock.monotonic(), _LEAST_WAIT_S)
        try:
            async with asyncio.timeout(wait_s):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _close_difference(self, session: Subscribable) -> None:
        while difference := self.book.difference():
            if difference.remove:
                await self._unsubscribe(session, difference.remove)
            for batch in self._batches(difference.add):
                await self._subscribe(session, batch)

    def _batches(self, keys: Sequence[StreamKey]) -> Iterable[tuple[StreamKey, ...]]:
        alone = self._config().individual
        bulk = tuple(key for key in keys if key.channel not in alone)
        if bulk:
            yield bulk
        for key in keys:
            # It may have been given back while the ones before it were asked for.
            if key.channel in alone and key in self.book:
                yield (key,)

    async def _unsubscribe(self, session: Subscribable, keys: tuple[StreamKey, ...]) -> None:
        self._log.info("unsubscribing", streams=names(keys))
        self.book.released(keys)  # now, or one that is wanted again meanwhile would seem held
        for key in keys:
            self._doubted.pop(key, None)
        try:
            async with asyncio.timeout(self._config().sync_timeout_s):
                await session.unsubscribe(keys)
        except (VenueError, TimeoutError) as error:
            # What still comes is ignored; a stream too many must not cost the others.
            kind = type(error).__name__
            self._log.warning("unsubscribe_failed", streams=names(keys), reason=kind)
        self._log.info("unsubscribed", streams=names(keys))

    async def _subscribe(self, session: Subscribable, keys: tuple[StreamKey, ...]) -> None:
        self._log.debug("subscribing", streams=names(keys))
        outcome = await session.subscribe(keys)
        # While the session asked for many, it may have given up one of them.
        given_up = {key for key in keys if self._has_failed(key)}
        failed = outcome.refused.keys() | outcome.unanswered | given_up
        held = [key for key in keys if key not in failed]
        self.book.holds(held, self._held_state, self._clock.time_ns())
        self._fail(outcome.refused)
        if held:
            self._log.info("subscribed", streams=names(held))
        self._count_unanswered(outcome.unanswered)
        self._listener.on_streams(keys)

    def _has_failed(self, key: StreamKey) -> bool:
        entry = self.book.entry(key)
        return entry is not None and entry.state is StreamState.FAILED

    def _fail(self, refused: Mapping[StreamKey, FoxtrotError]) -> None:
        now_ns = self._clock.time_ns()
        retry_at = self._clock.monotonic() + self._config().refused_retry_s
        for key, error in refused.items():
            hopeless = isinstance(error, UnknownSymbol)
            news = self.book.refused(key, str(error), now_ns, None if hopeless else retry_at)
            if news:
                self._log.warning("subscription_refused", stream=str(key), **labels(error))
                self._listener.on_error(error)

    def _count_unanswered(self, keys: frozenset[StreamKey]) -> None:
        if not keys:
            return
        self._log.warning("subscription_unanswered", streams=names(keys))
        asked = self.book.unanswered(keys, "the venue did not answer")
        if asked < self._config().subscribe_attempts:
            return
        text = f"{len(keys)} subscriptions unanswered after {asked} requests"
        if any(key.channel not in self._config().individual for key in keys):
            raise StreamingError(text)
        self._fail(dict.fromkeys(keys, StreamingError(text)))


def names(keys: Iterable[StreamKey]) -> str:
    """A few names and the count of the rest: a log line for a thousand streams stays readable."""
    every = sorted(str(key) for key in keys)
    shown = ", ".join(every[:8])
    return f"{shown} and {len(every) - 8} more" if len(every) > 8 else shown


def _level(before: StreamState, after: StreamState) -> int:
    """A market that goes quiet and moves again is no news; a dead stream and its return are."""
    if after is StreamState.STALE:
        return logging.WARNING
    return logging.INFO if before is StreamState.STALE else logging.DEBUG
