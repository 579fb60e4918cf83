"""The book of subscriptions: what is wanted, what the venue gives, and the difference. Pure.

A set of wanted streams and a set of held ones is all that is needed to survive reconnects, churn
and a change of mode: whoever owns a session asks for the difference and closes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from foxtrot.model.constants import StreamState
from foxtrot.model.health import StreamKey

_HELD = frozenset({StreamState.ACTIVE, StreamState.QUIET, StreamState.STALE, StreamState.POLLING})


@dataclass(frozen=True, slots=True)
class Entry:
    """State of one wanted stream.

    `failures` counts attempts that were not answered; a refused stream is asked for again at
    `retry_at` (monotonic seconds), or with the next session if that is None. A stream that stood
    still is doubtful: it counts as STALE until it brings something.
    """

    state: StreamState
    since_ns: int
    reason: str = ""
    failures: int = 0
    retry_at: float | None = None
    doubtful: bool = False

    @property
    def held(self) -> bool:
        """Whether the venue gives it."""
        return self.state in _HELD


@dataclass(frozen=True, slots=True)
class Difference:
    """What to do so that the venue gives what is wanted."""

    add: tuple[StreamKey, ...]
    remove: tuple[StreamKey, ...]

    def __bool__(self) -> bool:
        return bool(self.add or self.remove)


class SubscriptionManager:
    """Wanted and held streams of one feed. Owned by the loop thread; snapshots are for all."""

    def __init__(self) -> None:
        self._wanted: dict[StreamKey, Entry] = {}
        self._held: dict[StreamKey, StreamState] = {}
        self._early: dict[StreamKey, tuple[StreamState, str]] = {}  # found out before it is held

    def want(self, keys: Iterable[StreamKey], now_ns: int) -> list[StreamKey]:
        """Add wanted streams; returns those that were not wanted before, or had failed."""
        fresh = []
        for key in keys:
            entry = self._wanted.get(key)
            if entry is None or entry.state is StreamState.FAILED:
                # Dropped and wanted again before anybody gave it back: it is held all the time.
                self._wanted[key] = Entry(self._held.get(key, StreamState.PENDING), now_ns)
                fresh.append(key)
        return fresh

    def drop(self, keys: Iterable[StreamKey]) -> list[StreamKey]:
        """Take back wanted streams; returns those that were wanted."""
        return [key for key in keys if self._wanted.pop(key, None) is not None]

    def difference(self) -> Difference:
        """Streams to subscribe and to unsubscribe; a refused stream is not asked for again."""
        add = tuple(
            key
            for key, entry in self._wanted.items()
            if key not in self._held and entry.state is not StreamState.FAILED
        )
        return Difference(add, tuple(key for key in self._held if key not in self._wanted))

    def holds(self, keys: Iterable[StreamKey], state: StreamState, now_ns: int) -> None:
        """The venue gives these streams now."""
        for key in keys:
            self._held[key] = state
            entry, early = self._wanted.get(key), self._early.pop(key, None)
            if entry is not None and early is not None:
                self._wanted[key] = Entry(early[0], now_ns, early[1])
            elif entry is not None and entry.doubtful:
                self._wanted[key] = Entry(StreamState.STALE, now_ns, entry.reason, doubtful=True)
            elif entry is not None:
                self._wanted[key] = Entry(state, now_ns)

    def released(self, keys: Iterable[StreamKey]) -> None:
        """The venue gives these streams no more."""
        for key in keys:
            self._held.pop(key, None)
            self._early.pop(key, None)

    def refused(
        self, key: StreamKey, reason: str, now_ns: int, retry_at: float | None = None
    ) -> bool:
        """The venue will not give this stream; returns whether that is news."""
        self._early.pop(key, None)
        entry = self._wanted.get(key)
        if entry is None:
            return False
        self._wanted[key] = Entry(
            StreamState.FAILED, now_ns, reason, 0, retry_at, entry.state is StreamState.STALE
        )
        return entry.reason != reason

    def mark(self, key: StreamKey, state: StreamState, reason: str, now_ns: int) -> None:
        """A stream turned out to be quiet, stale or alive again; counts once it is held."""
        if key in self._held and key in self._wanted:
            self._wanted[key] = Entry(state, now_ns, reason)
        elif key in self._wanted:
            self._early[key] = state, reason

    def unanswered(self, keys: Iterable[StreamKey], reason: str) -> int:
        """Nobody answered for these streams; returns how often the worst of them was asked."""
        most = 0
        for key in keys:
            self._early.pop(key, None)
            entry = self._wanted.get(key)
            if entry is not None:
                self._wanted[key] = replace(entry, failures=entry.failures + 1, reason=reason)
                most = max(most, entry.failures + 1)
        return most

    def lost(self, now_ns: int, reason: str) -> None:
        """The session is gone: nothing is held, everything wanted is pending again."""
        self._held.clear()
        self._early.clear()
        for key, entry in self._wanted.items():
            if entry.state is not StreamState.FAILED:
                self._wanted[key] = Entry(StreamState.PENDING, now_ns, reason)

    def retry_refused(self, now_ns: int) -> None:
        """A new session: what was refused before is asked for once more."""
        for key, entry in self._wanted.items():
            if entry.state is StreamState.FAILED:
                self._wanted[key] = Entry(StreamState.PENDING, now_ns, entry.reason)

    def retry_due(self, now: float, now_ns: int) -> None:
        """What was refused for a while is pending again when its time has come."""
        for key, entry in self._wanted.items():
            if entry.retry_at is not None and entry.retry_at <= now:
                self._wanted[key] = Entry(
                    StreamState.PENDING, now_ns, entry.reason, doubtful=entry.doubtful
                )

    def next_retry_at(self) -> float | None:
        """When the next refused stream is to be asked for again, in monotonic seconds."""
        times = (entry.retry_at for entry in self._wanted.values())
        return min((at for at in times if at is not None), default=None)

    def entry(self, key: StreamKey) -> Entry | None:
        """State of one wanted stream."""
        return self._wanted.get(key)

    @property
    def wanted(self) -> dict[StreamKey, Entry]:
        """A copy of the wanted streams."""
        return dict(self._wanted)

    @property
    def complete(self) -> bool:
        """Whether every wanted stream is held."""
        return all(entry.held for entry in list(self._wanted.values()))

    def __contains__(self, key: StreamKey) -> bool:
        return key in self._wanted

    def __len__(self) -> int:
        return len(self._wanted)
