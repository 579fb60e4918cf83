"""From a seed to a storm: what befalls several venues at once, and what is done at each meanwhile.

A venue suffers faults of its own, and of the line to it; a user changes subscriptions and trades,
other hands trade as well. Twenty seeds in a row hold every fault of each venue.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

BUSY_S = 2.0
"""From the first fault to the last; each ends soon after, and then everything is healed."""

_LEAST, _MOST = 2, 4
_LONGEST_S = 0.8
_ACTS = (8, 14)

Params = Mapping[str, object]


class Do(enum.Enum):
    """What a user, or other hands, do at a venue."""

    WANT = "want"
    DROP = "drop"
    REST = "rest"
    CROSS = "cross"
    CANCEL = "cancel"
    FILL = "fill"
    END_BY_HAND = "end by hand"
    PLACE_BY_HAND = "place by hand"


@dataclass(frozen=True)
class Suffering:
    """One fault of a venue, or a toxic on its line; an instant one has no `lasts_s`."""

    name: str
    params: Params = field(default_factory=dict)
    toxic: bool = False
    instant: bool = False


_REQUESTS = ("place", "cancel")
_LOST = tuple(
    Suffering(name, {"request": request, "count": 1})
    for name in ("request_swallowed", "request_reset", "ack_swallowed", "ack_reset")
    for request in _REQUESTS
)
_BAD = tuple(
    Suffering(name, {"count": count})
    for name, count in (("malformed_frame", 3), ("garbage_frame", 3), ("hostile_number", 6))
)
_COMMON = (
    Suffering("rst", instant=True),
    Suffering("eof", instant=True),
    Suffering("refuse", {"rest": True}),
    Suffering("silent"),
    Suffering("mute", {"rest": True}),
    Suffering("latency", {"seconds": 0.1}),
    Suffering("late_reports", {"seconds": 0.3}),
    Suffering("reordered", {"count": 2}),
    Suffering("unknown_event", {"count": 3}),
    Suffering("slow_handshake", {"seconds": 1.0}),
    *_BAD,
    *_LOST,
    Suffering("down", toxic=True),
    Suffering("reset_peer", {"delay_s": 0.1}, toxic=True),
    Suffering("timeout", toxic=True),
    Suffering("timeout", {"stream": "upstream"}, toxic=True),
    Suffering("latency", {"delay_s": 0.1, "jitter_s": 0.1, "toxicity": 0.5}, toxic=True),
    Suffering("slicer", {"size_bytes": 4, "variation_bytes": 3}, toxic=True),
    Suffering("bandwidth", {"rate_bytes_s": 50_000}, toxic=True),
    Suffering("limit_data", {"size_bytes": 3_000}, toxic=True),
    Suffering("slow_close", {"delay_s": 0.2}, toxic=True),
)
_OWN: Mapping[str, Sequence[Suffering]] = {
    "binance": (
        Suffering("close", {"code": 1001}, instant=True),
        Suffering("server_shutdown", {"seconds": 0.2}, instant=True),
        Suffering("user_terminated", instant=True),
        Suffering("http_error", {"status": 503}),
        Suffering("depth_gap"),
    ),
    "ib": (
        Suffering("corrupt_length"),
        Suffering("duplicate_reports"),
        Suffering("restart", {"seconds": 0.5}, instant=True),
    ),
    "futu": (
        Suffering("half_frame"),
        Suffering("corrupt_length"),
        Suffering("bad_checksum", {"count": 2}),
        Suffering("unknown_format", {"count": 2}),
        Suffering("restart", {"seconds": 0.5}, instant=True),
    ),
}
SUFFERINGS = {name: (*_COMMON, *own) for name, own in _OWN.items()}
"""All that may befall a venue, by its name."""


@dataclass(frozen=True)
class Fault:
    """What befalls a venue from `at` to `ends`, in seconds."""

    at: float
    ends: float
    venue: str
    what: Suffering


@dataclass(frozen=True)
class Act:
    """What is done at a venue; `pick` chooses a symbol, a channel or an order out of what is."""

    at: float
    venue: str
    do: Do
    pick: int


@dataclass(frozen=True)
class Storm:
    """All that happens, each in the order of time."""

    seed: int
    faults: tuple[Fault, ...]
    acts: tuple[Act, ...]

    def upto(self, count: int) -> Storm:
        """The same with the first `count` faults only."""
        return replace(self, faults=self.faults[:count])


def storm(seed: int, venues: Sequence[str]) -> Storm:
    """The storm of a seed; what a venue goes through is the same whatever others there are."""
    faults: list[Fault] = []
    acts: list[Act] = []
    for venue in venues:
        dice = random.Random(f"storm {seed} {venue}")
        everything = SUFFERINGS[venue]
        count = dice.randint(_LEAST, _MOST)
        chosen = [everything[(2 * seed + each) % len(everything)] for each in (0, 1)]
        chosen += dice.choices(everything, k=count - len(chosen))
        faults += [_fault(dice, venue, what) for what in chosen]
        does = [Do.REST, Do.CROSS, Do.WANT, Do.PLACE_BY_HAND]
        does += dice.choices(list(Do), weights=(3, 2, 3, 2, 2, 2, 1, 1), k=dice.randint(*_ACTS))
        acts += [Act(dice.uniform(0.0, BUSY_S), venue, do, dice.randrange(1_000)) for do in does]
    by_time = sorted(faults, key=lambda fault: fault.at)
    return Storm(seed, tuple(by_time), tuple(sorted(acts, key=lambda act: act.at)))


def _fault(dice: random.Random, venue: str, what: Suffering) -> Fault:
    at = dice.uniform(0.1, BUSY_S)
    return Fault(at, at if what.instant else at + dice.uniform(0.2, _LONGEST_S), venue, what)
