"""From a seed to a schedule over a real client: faults of the simulators, and a restless user.

Each schedule has at least three faults and a changing set of subscriptions. Thirty seeds in a row
hold every fault of connections and market data.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from foxtrot.model.constants import Channel, Exchange
from foxtrot.model.health import StreamKey
from foxtrot.simulator.faults import KINDS
from tests.faults.schedules import Act

BUSY_S = 3.0
"""From the first fault to the last; each ends soon after, and then the venue is healed."""

_LEAST, _MOST = 3, 6
_CONTENT = 0.7
"""How many users want everything streamed in the end."""

_CODES = (1000, 1001, 1008, 1011, 1012, 1013)
_RETRY = {"Retry-After": "1"}
_DISTORTED = ("bookTicker", "trade", "depth@100ms", "kline_1m")

Params = dict[str, object]
_PARAMS: Mapping[str, Callable[[random.Random], Params]] = {
    "close": lambda dice: {"code": dice.choice(_CODES)},
    "rst": lambda dice: {},
    "eof": lambda dice: {},
    "cut_24h": lambda dice: {},
    "server_shutdown": lambda dice: dice.choice(({}, {"seconds": 0.5})),
    "burst": lambda dice: {"frames": dice.choice((10, 200))},
    "silent": lambda dice: {},
    "mute": lambda dice: {"rest": dice.random() < 0.3},
    "no_pong": lambda dice: {},
    "malformed_frame": lambda dice: {"count": dice.randint(1, 12)},
    "garbage_frame": lambda dice: {"count": dice.randint(1, 12)},
    "hostile_number": lambda dice: {"count": dice.randint(1, 12)},
    "unknown_event": lambda dice: {"count": dice.randint(1, 5)},
    "error_ack": lambda dice: {"count": dice.randint(1, 3)},
    "no_ack": lambda dice: {"count": dice.randint(1, 4)},
    "depth_gap": lambda dice: {"count": dice.randint(1, 3)},
    "http_error": lambda dice: {
        "count": dice.randint(1, 4),
        "status": dice.choice((429, 418, 503)),
        "headers": _RETRY,
    },
    "truncated_body": lambda dice: {"count": dice.randint(1, 3)},
    "clock_skew": lambda dice: {"seconds": dice.choice((30.0, -30.0, 3600.0))},
    "duplicate": lambda dice: {"count": dice.randint(1, 50)},
    "latency": lambda dice: {"seconds": dice.uniform(0.02, 0.3)},
    "refuse": lambda dice: dice.choice(({}, {"status": 503}, {"rest": True})),
    "stale_replay": lambda dice: {"count": dice.randint(1, 9)},
    "slow_handshake": lambda dice: {"seconds": 1.5},
    "drop_stream": lambda dice: {"channel": dice.choice(_DISTORTED)},
}
"""Every fault of connections and market data, each with dice for its parameters."""

VOCABULARY = frozenset(_PARAMS)

_DROPS = frozenset(
    {"refuse", "slow_handshake", "stale_replay", "error_ack", "no_ack", "http_error"}
)
"""Faults that are met by who connects, so they begin with a loss."""


@dataclass(frozen=True)
class Trouble:
    """One fault: it strikes `at` a time, or stands until `ends`."""

    at: float
    ends: float
    name: str
    params: Params
    drops: bool = False
    """Whether the connections are reset as it begins."""


@dataclass(frozen=True)
class Change:
    """One thing that the user does."""

    at: float
    act: Act
    keys: tuple[StreamKey, ...] = ()
    settings: Params = field(default_factory=dict)


@dataclass(frozen=True)
class VenueSchedule:
    """All that happens; `faults` and `changes` in the order of time."""

    seed: int
    faults: tuple[Trouble, ...]
    changes: tuple[Change, ...]
    anchor: tuple[StreamKey, ...]
    """What is wanted from the beginning to the end."""

    def upto(self, count: int) -> VenueSchedule:
        """The same with the first `count` faults only."""
        return replace(self, faults=self.faults[:count])


def venue_schedule(seed: int, symbols: Sequence[str]) -> VenueSchedule:
    """The schedule of a seed."""
    dice = random.Random(seed)
    kinds = list(_PARAMS)
    names = [kinds[seed % len(kinds)]]
    names += dice.choices(kinds, k=dice.randint(_LEAST, _MOST) - 1)
    faults = sorted((_trouble(dice, name, symbols) for name in names), key=lambda f: f.at)
    anchor = tuple(
        StreamKey(channel, symbols[0], Exchange.BINANCE)
        for channel in (Channel.TICK, Channel.TRADE)
    )
    changes = _Changes(dice, symbols, anchor).made()
    return VenueSchedule(seed, tuple(faults), changes, anchor)


def _trouble(dice: random.Random, name: str, symbols: Sequence[str]) -> Trouble:
    params = _PARAMS[name](dice)
    if name == "drop_stream" or (name == "silent" and dice.random() < 0.5):
        params = {**params, "symbol": dice.choice(symbols)}
    at = dice.uniform(0.1, BUSY_S)
    ends = at if KINDS[name].instant else at + dice.uniform(0.2, 2.0)
    return Trouble(at, ends, name, params, drops=name in _DROPS and dice.random() < 0.8)


class _Changes:
    """Makes what the user does and knows what it leads to."""

    def __init__(
        self, dice: random.Random, symbols: Sequence[str], anchor: tuple[StreamKey, ...]
    ) -> None:
        self._dice, self._symbols, self._anchor = dice, symbols, anchor
        keys = (_key(symbol, channel) for symbol in symbols for channel in Channel)
        self._keys = [key for key in keys if key not in anchor]
        self._wanted: list[StreamKey] = []
        self._settings: Params = {}

    def made(self) -> tuple[Change, ...]:
        """The changes; the first wants the anchor, and want, drop and flags are all among them."""
        dice = self._dice
        acts = [Act.DROP, Act.FLAGS]
        acts += dice.choices(
            (Act.WANT, Act.DROP, Act.FLAGS, Act.RESTART), weights=(4, 3, 2, 1), k=dice.randint(3, 7)
        )
        dice.shuffle(acts)
        acts.insert(0, Act.WANT)
        times = sorted(dice.uniform(0.05, BUSY_S) for _ in acts)
        changes = [Change(0.0, Act.WANT, self._anchor), *map(self._change, times, acts)]
        if dice.random() < _CONTENT:
            changes.append(Change(BUSY_S, Act.FLAGS))
        return tuple(changes)

    def _change(self, at: float, act: Act) -> Change:
        if act is Act.WANT:
            return self._want(at)
        if act is Act.DROP:
            return self._drop(at)
        if act is Act.FLAGS:
            return Change(at, act, settings=self._flip())
        return Change(at, act)

    def _want(self, at: float) -> Change:
        keys = self._dice.sample(self._keys, self._dice.randint(1, 5))
        self._wanted = list(dict.fromkeys([*self._wanted, *keys]))
        return Change(at, Act.WANT, tuple(keys))

    def _drop(self, at: float) -> Change:
        if not self._wanted:
            return self._want(at)
        keys = self._dice.sample(self._wanted, self._dice.randint(1, len(self._wanted)))
        self._wanted = [key for key in self._wanted if key not in keys]
        return Change(at, Act.DROP, tuple(keys))

    def _flip(self) -> Params:
        dice, settings = self._dice, self._settings
        prefix = dice.choice(("", "adapters.BINANCE."))
        toss = dice.random()
        if toss < 0.2:
            key = f"{prefix}websocket.enabled"
            settings[key] = not settings.get(key, True)
        elif toss < 0.7:
            some = dice.sample(self._symbols, dice.choice((0, 0, 2)))
            settings[f"{prefix}websocket.symbols"] = some
        elif toss < 0.85:
            settings["subscriptions.individual"] = dice.choice(([], ["trade"], ["tick", "bar"]))
        else:
            key = "websocket.fallback_on_error"
            settings[key] = not settings.get(key, True)
        return dict(settings)


def _key(symbol: str, channel: Channel) -> StreamKey:
    return StreamKey(channel, symbol, Exchange.BINANCE, "1m" if channel is Channel.BAR else "")
