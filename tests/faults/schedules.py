"""From a seed to a schedule: what the user does, what the venue does to him, and the healing.

Each schedule has at least three faults and a changing set of subscriptions. A longer prefix of its
faults is the same schedule with more trouble; the user does the same in all of them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from enum import Enum

from foxtrot.core.settings import FeatureFlags
from foxtrot.model.constants import Channel, Exchange, Mode
from foxtrot.model.health import StreamKey
from tests.support.model_venue import Fault, Kind

SYMBOLS = tuple("ABCDEFGH")
STREAMED = frozenset({Channel.TICK, Channel.TRADE})
POLLED = frozenset({Channel.TICK, Channel.TRADE, Channel.BAR})
KEYS = tuple(
    StreamKey(channel, s, Exchange.BINANCE)
    for s in SYMBOLS
    for channel in (Channel.TICK, Channel.TRADE)
)
KEYS += (
    StreamKey(Channel.BAR, "A", Exchange.BINANCE, "1m"),
    StreamKey(Channel.BAR, "B", Exchange.BINANCE, "1m"),
)

BUSY_S = 200.0
_CODES = (1008.0, 1012.0, 1013.0)
_SHORT = (Kind.DROP, Kind.CLOSE, Kind.DEAF, Kind.DEAD)
_LONG = tuple(kind for kind in Kind if kind not in _SHORT)
_EITHER_WAY = frozenset(Kind) - {Kind.QUIET, Kind.FLAP, Kind.DEAD}


class Act(Enum):
    """What a user does."""

    WANT = "want"
    DROP = "drop"
    FLAGS = "flags"
    RESTART = "restart"


@dataclass(frozen=True)
class Move:
    """One thing that the user does."""

    at: float
    act: Act
    keys: tuple[StreamKey, ...] = ()
    flags: FeatureFlags | None = None


@dataclass(frozen=True)
class Schedule:
    """All that happens; `faults` and `moves` in the order of time."""

    seed: int
    flags: FeatureFlags
    individual: frozenset[Channel]
    """Channels that are asked for stream by stream."""
    faults: tuple[Fault, ...]
    moves: tuple[Move, ...]

    def upto(self, count: int) -> Schedule:
        """The same with the first `count` faults only."""
        return replace(self, faults=self.faults[:count])

    @property
    def heals_at(self) -> float:
        """When the last fault is over and the user is content."""
        return max([BUSY_S, *(fault.ends for fault in self.faults)]) + 1.0


def schedule(seed: int) -> Schedule:
    """The schedule of a seed."""
    dice = random.Random(seed)
    settings: dict[str, object] = {
        "websocket.reconnect_max_delay": dice.choice((20.0, 60.0)),
        "websocket.max_reconnect_attempts": dice.choice((4, 50)),
    }
    faults = sorted((_fault(dice) for _ in range(dice.randint(3, 7))), key=lambda fault: fault.at)
    if dice.random() < 0.35:
        faults.append(_blackout(dice))
        faults.sort(key=lambda fault: fault.at)
    moves = _Moves(dice, settings)
    individual = frozenset({Channel.TRADE} if dice.random() < 0.4 else ())
    return Schedule(seed, _flags(settings), individual, tuple(faults), moves.made())


def _fault(dice: random.Random) -> Fault:
    kind = dice.choice((*_SHORT, *_LONG))
    lasts_s = 0.0 if kind in _SHORT else dice.uniform(2.0, 60.0)
    amounts = {
        Kind.CLOSE: dice.choice(_CODES),
        Kind.FLAP: dice.uniform(0.5, 20.0),
        Kind.RATE_LIMITED: dice.uniform(5.0, 90.0),
        Kind.SLOW_CLOSE: dice.uniform(0.5, 1.9),
    }
    polling = kind in _EITHER_WAY and dice.random() < 0.3
    named = kind is Kind.REFUSE_SYMBOL or (kind is Kind.UNANSWERED and dice.random() < 0.5)
    return Fault(
        at=dice.uniform(2.0, BUSY_S - 60.0),
        kind=kind,
        mode=Mode.POLLING if polling else Mode.WEBSOCKET,
        lasts_s=lasts_s,
        amount=amounts.get(kind, 0.0),
        symbol=dice.choice(SYMBOLS) if named else "",
        drops=kind not in (Kind.QUIET, Kind.DEAD) and dice.random() < 0.8,
    )


def _blackout(dice: random.Random) -> Fault:
    """The websocket is down for so long that the breaker opens."""
    at, lasts_s = dice.uniform(5.0, 60.0), dice.uniform(90.0, 200.0)
    return Fault(at, Kind.REFUSE, Mode.WEBSOCKET, lasts_s, drops=True)


def _flags(settings: dict[str, object]) -> FeatureFlags:
    return FeatureFlags.model_validate(settings)


class _Moves:
    """Makes the user's moves and knows what they lead to."""

    def __init__(self, dice: random.Random, settings: dict[str, object]) -> None:
        self._dice, self._settings = dice, dict(settings)
        self._wanted: list[StreamKey] = []

    def made(self) -> tuple[Move, ...]:
        """The moves; the first wants something, and each of want, drop and flags is among them."""
        dice = self._dice
        acts = [Act.WANT, Act.DROP, Act.FLAGS]
        often = (Act.WANT, Act.DROP, Act.FLAGS, Act.RESTART)
        acts += dice.choices(often, weights=(8, 6, 6, 2), k=dice.randint(3, 9))
        dice.shuffle(acts)
        times = sorted(dice.uniform(1.0, BUSY_S) for _ in acts)
        return (self._want(0.0), *map(self._move, times, acts))

    def _move(self, at: float, act: Act) -> Move:
        if act is Act.WANT:
            return self._want(at)
        if act is Act.DROP:
            return self._drop(at)
        if act is Act.FLAGS:
            return self._flip(at)
        return Move(at, act)

    def _want(self, at: float) -> Move:
        keys = self._dice.sample(KEYS, self._dice.randint(2, 6))
        self._wanted = list(dict.fromkeys([*self._wanted, *keys]))
        return Move(at, Act.WANT, tuple(keys))

    def _drop(self, at: float) -> Move:
        if len(self._wanted) < 2:
            return self._want(at)
        count = min(self._dice.randint(1, 4), len(self._wanted) - 1)
        keys = self._dice.sample(self._wanted, count)
        self._wanted = [key for key in self._wanted if key not in keys]
        return Move(at, Act.DROP, tuple(keys))

    def _flip(self, at: float) -> Move:
        dice, settings = self._dice, self._settings
        toss = dice.random()
        if toss < 0.4:
            settings["websocket.enabled"] = not settings.get("websocket.enabled", True)
        elif toss < 0.85:
            settings["websocket.symbols"] = tuple(dice.sample(SYMBOLS, dice.choice((0, 0, 2, 4))))
        else:
            fallback = settings.get("websocket.fallback_on_error", True)
            settings["websocket.fallback_on_error"] = not fallback
        return Move(at, Act.FLAGS, flags=_flags(settings))
