"""Whether a session or a stream is alive, judged by the application data that arrived. Pure.

An SDK's "connected" proves nothing, nor does a pong: only data does, or the venue's answer to a
probe. The session counts what it receives; this module looks at the count now and then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from foxtrot.model.constants import StreamState
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import NS_PER_S

_LOOKS = 16
"""Looks per idle time; a sign of life is dated by the look that finds it."""


class Verdict(Enum):
    """What to do about a session now."""

    ALIVE = "alive"
    PROBE = "probe"


AWAY_S = 5.0
"""Nothing ran for so long: connections may have died unseen, and timers are late."""


class Absence:
    """Finds out that the machine slept, or that this process stood still.

    Asleep, the wall clock runs on while the monotonic one stands; stopped or blocked, both run on
    and nobody looks. A wall clock that is set counts as well: the two cannot be told apart.
    """

    def __init__(self, monotonic: float, time_ns: int) -> None:
        self._monotonic, self._time_ns = monotonic, time_ns

    def look(self, monotonic: float, time_ns: int, *, due_s: float) -> float:
        """Seconds of absence since the last look, which was to be `due_s` ago; 0 if none."""
        passed_s = monotonic - self._monotonic
        by_the_wall_s = (time_ns - self._time_ns) / NS_PER_S
        self._monotonic, self._time_ns = monotonic, time_ns
        away_s = max(passed_s - due_s, abs(by_the_wall_s - passed_s))
        return away_s if away_s > AWAY_S else 0.0


class SessionLiveness:
    """Idle for `idle_s`: ask the venue. The caller kills the session if it does not answer."""

    def __init__(self, *, idle_s: float, now: float, received: int = 0) -> None:
        self.idle_s = idle_s
        self._received = received
        self._last_sign = now

    def look(self, received: int, now: float) -> Verdict:
        """Judge by the count of application messages `received` so far."""
        if received != self._received:
            self._received, self._last_sign = received, now
        return Verdict.PROBE if now - self._last_sign >= self.idle_s else Verdict.ALIVE

    def answered(self, now: float) -> None:
        """The venue answered a probe."""
        self._last_sign = now

    def silent_s(self, now: float) -> float:
        """Seconds since the last sign of life."""
        return now - self._last_sign

    def next_look_s(self, now: float) -> float:
        """Seconds until the next look is due."""
        return min(max(self._last_sign + self.idle_s - now, 0.0), self.idle_s / _LOOKS)


@dataclass(slots=True)
class _Sight:
    """What is known of one stream."""

    activity: int
    since: float
    patience_s: float
    state: StreamState = StreamState.PENDING
    snapshot: object = None
    strikes: int = 0


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a look at all streams found."""

    silent: tuple[StreamKey, ...]
    """Nothing came for longer than their patience: compare them with snapshots."""
    revived: tuple[StreamKey, ...]
    """Not heard before, quiet or stale, and something came."""


class StreamFreshness:
    """Tells a quiet market from a dead stream.

    Silence alone proves nothing: an illiquid symbol or a closed market has nothing to say. A
    snapshot decides: if the market is where the stream left it, the stream is QUIET and is left in
    peace for twice as long; if it moved on, the stream is STALE.

    Args:
        idle_s: Silence after which a stream is compared for the first time.
        longest_s: The longest a quiet stream is left in peace.
    """

    def __init__(self, *, idle_s: float, longest_s: float) -> None:
        self._idle_s, self._longest_s = idle_s, longest_s
        self._sights: dict[StreamKey, _Sight] = {}

    def look(self, activity: Mapping[StreamKey, int], now: float) -> Sighting:
        """Take the activity of every stream there is: a number that changes when anything comes."""
        for gone in self._sights.keys() - activity.keys():
            del self._sights[gone]
        silent, revived = [], []
        for key, count in activity.items():
            sight = self._sights.get(key)
            if sight is None:
                self._sights[key] = _Sight(count, now, self._idle_s)
            elif sight.activity != count:
                if sight.state is not StreamState.ACTIVE:
                    revived.append(key)
                self._sights[key] = _Sight(count, now, self._idle_s, StreamState.ACTIVE)
            elif now - sight.since >= sight.patience_s:
                silent.append(key)
        return Sighting(tuple(silent), tuple(revived))

    def judge(self, key: StreamKey, snapshot: object, now: float, *, told: object = None) -> int:
        """Compare a silent stream with a snapshot of its market.

        Args:
            key: The stream.
            snapshot: What the market looks like now; anything that can be compared.
            now: Monotonic seconds.
            told: What the stream said last, in the same form. Where that is not known, the
                snapshot before this one serves: the market must not have moved between the two.

        Returns:
            How often in a row it was found stale; 0 if it is quiet.
        """
        sight = self._sights.get(key)
        if sight is None:
            return 0
        before = sight.snapshot if told is None else told
        sight.snapshot, sight.since = snapshot, now
        if before is None:
            return 0
        if before == snapshot:
            sight.state, sight.strikes = StreamState.QUIET, 0
            sight.patience_s = min(sight.patience_s * 2, self._longest_s)
            return 0
        sight.state, sight.patience_s = StreamState.STALE, self._idle_s
        sight.strikes += 1
        return sight.strikes

    def condemn(self, key: StreamKey, now: float) -> None:
        """A silent stream is stale, whatever its market looks like."""
        sight = self._sights.get(key)
        if sight is not None:
            sight.state, sight.since, sight.patience_s = StreamState.STALE, now, self._idle_s

    def put_off(self, key: StreamKey, now: float) -> None:
        """A silent stream could not be compared: it is silent again later, ever more rarely."""
        sight = self._sights.get(key)
        if sight is not None:
            sight.since, sight.patience_s = now, min(sight.patience_s * 2, self._longest_s)

    def state(self, key: StreamKey) -> StreamState:
        """PENDING until something came, then ACTIVE, QUIET or STALE."""
        sight = self._sights.get(key)
        return sight.state if sight is not None else StreamState.PENDING
