"""From a seed to a schedule of orders over a real client, and of what breaks around them.

Each schedule has ten orders at least, cancels, modifications, orders and fills by other hands, and
three faults at least, half of them on an order in flight: they strike as its request leaves.
Thirty seeds in a row hold every fault.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from foxtrot.simulator.binance_socket import PATH as LINE
from foxtrot.simulator.faults import KINDS

BUSY_S = 4.0
"""From the first fault to the last; each ends soon after, and then the venue is healed."""

LEAST_ORDERS = 10
_LEAST, _MOST = 3, 7
_POLLED = 0.15
"""How many users have the websocket switched off."""

Params = dict[str, object]
Dice = random.Random


class Do(Enum):
    """What is done to an order, by whom ever."""

    PLACE = "place"
    CANCEL = "cancel"
    MODIFY = "modify"
    CANCEL_ALL = "cancel all"
    REFRESH = "refresh"
    BY_HAND = "place by hand"
    CANCEL_BY_HAND = "cancel by hand"
    FILL = "fill"
    EXPIRE = "expire"
    DEPOSIT = "deposit"
    RESTART = "restart"


class Shape(Enum):
    """What an order is to meet in the market."""

    REST = "rest"
    BEST = "best"
    CROSS = "cross"
    MARKET = "market"
    FAK = "fak"
    FOK = "fok"
    POST_ONLY = "post only"
    STOP = "stop"
    STOP_LIMIT = "stop limit"


@dataclass(frozen=True)
class Fault:
    """One fault; `lasts_s` of 0 strikes at once, or as often as its count says.

    `follows`: it strikes right after what it is for has left. `drops`: connections are reset as it
    begins. `hides`: what it keeps from us, nothing else will ever tell but the regular look.
    """

    label: str
    name: str
    params: Params = field(default_factory=dict)
    lasts_s: float = 0.0
    follows: bool = False
    drops: bool = False
    hides: bool = False


@dataclass(frozen=True)
class Act:
    """One thing that happens; `pick` says to which of the orders there are."""

    at: float
    do: Do | None
    pick: int = 0
    shape: Shape = Shape.REST
    symbol: str = ""
    buys: bool = True
    size: int = 1
    fault: Fault | None = None
    in_flight: bool = False


@dataclass(frozen=True)
class OrderSchedule:
    """All that happens, in the order of time; before it, an order rests in each symbol."""

    seed: int
    acts: tuple[Act, ...]
    streamed: bool

    @property
    def faults(self) -> tuple[Act, ...]:
        """The acts with a fault."""
        return tuple(act for act in self.acts if act.fault is not None)

    @property
    def hides(self) -> bool:
        """Whether only the regular look at everything finds what was missed."""
        return any(act.fault.hides for act in self.faults if act.fault is not None)

    def upto(self, count: int) -> OrderSchedule:
        """The same with the first `count` faults only."""
        kept = set(self.faults[:count])
        acts = (act if act in kept else replace(act, fault=None) for act in self.acts)
        return replace(self, acts=tuple(acts))


# -- faults on a request for an order ----------------------------------------------------------

_LATE_S = (0.05, 0.4, 1.5)
_VERY_LATE_S = 2.0
"""A request that is so late comes in when its order was asked for already."""
_DARK_S = 9.0
"""Longer than it takes to conclude that an order never arrived."""
_REPORTS: Params = {"channel": "executionReport"}
_RETRY = {"Retry-After": "1"}

Maker = Callable[[Dice, Do], Fault]


def _on_request(label: str, name: str, **params: object) -> Maker:
    def made(dice: Dice, do: Do) -> Fault:
        return Fault(label, name, {"count": 1, "request": _REQUEST[do], **params})

    return made


def _on_reports(label: str, name: str, *, hides: bool = False, lasts: bool = False) -> Maker:
    def made(dice: Dice, do: Do) -> Fault:
        count: Params = {} if lasts else {"count": dice.randint(1, 4)}
        lasts_s = dice.uniform(0.5, 1.5) if lasts else 0.0
        return Fault(label, name, {**_REPORTS, **count}, lasts_s, hides=hides)

    return made


def _on_line(label: str, name: str, **params: object) -> Maker:
    def made(dice: Dice, do: Do) -> Fault:
        where: Params = {"path": LINE} if dice.random() < 0.5 else {}
        return Fault(label, name, {**where, **params}, follows=True)

    return made


_REQUEST = {Do.PLACE: "place", Do.CANCEL: "cancel", Do.MODIFY: "replace"}

IN_FLIGHT: Mapping[str, Maker] = {
    **{
        name.replace("_", " "): _on_request(name.replace("_", " "), name)
        for name in (
            "request_swallowed",
            "request_reset",
            "ack_swallowed",
            "ack_reset",
            "truncated_body",
            "html_body",
            "foreign_ack",
            "nameless_ack",
        )
    },
    "late ack": lambda dice, do: Fault(
        "late ack", "late_ack", {"request": _REQUEST[do], "seconds": dice.choice(_LATE_S)}
    ),
    "403": _on_request("403", "http_error", status=403),
    "418": _on_request("418", "http_error", status=418, code=-1003, headers=_RETRY),
    "429": _on_request("429", "http_error", code=-1015, headers=_RETRY),
    "500": _on_request("500", "http_error", status=500),
    "502, done": _on_request("502, done", "http_error", status=502, acts=True),
    "-1006, done": _on_request("-1006, done", "http_error", code=-1006, acts=True),
    "-1007": _on_request("-1007", "http_error", code=-1007),
    "-1007, done": _on_request("-1007, done", "http_error", code=-1007, acts=True),
    "-1008": _on_request("-1008", "http_error", code=-1008),
    "-1021": _on_request("-1021", "http_error", code=-1021),
    "-2010": _on_request("-2010", "http_error", code=-2010),
    "duplicate": _on_reports("duplicate", "duplicate"),
    "malformed frame": _on_reports("malformed frame", "malformed_frame"),
    "lost report": _on_reports("lost report", "drop_stream", hides=True),
    "silent": _on_reports("silent", "silent", hides=True, lasts=True),
    "reordered": lambda dice, do: Fault("reordered", "reordered", {"count": dice.randint(1, 3)}),
    "late reports": lambda dice, do: Fault(
        "late reports", "late_reports", {"seconds": dice.uniform(0.1, 0.8)}, lasts_s=1.0
    ),
    "latency": lambda dice, do: Fault(
        "latency", "latency", {"seconds": dice.choice((0.2, 0.6, _VERY_LATE_S))}, lasts_s=0.7
    ),
    "cut": _on_line("cut", "rst"),
    "eof": _on_line("eof", "eof"),
    "close": lambda dice, do: _on_line("close", "close", code=dice.choice(_CODES))(dice, do),
}
"""By label, faults that strike as the request for an order leaves."""

_CODES = (1000, 1001, 1008, 1011, 1012, 1013)

# -- faults around -----------------------------------------------------------------------------

_QUESTIONS = ("open_orders", "trades", "account", "query")


def _on_question(label: str, name: str, *, hides: bool = False, **params: object) -> Maker:
    def made(dice: Dice, do: Do) -> Fault:
        asked = dice.choice(_QUESTIONS[:3])
        return Fault(label, name, {"count": 1, "request": asked, **params}, hides=hides)

    return made


def _while(
    label: str, name: str, *, drops: bool = False, hides: bool = False, **params: object
) -> Maker:
    def made(dice: Dice, do: Do) -> Fault:
        return Fault(label, name, params, dice.uniform(0.4, 1.5), drops=drops, hides=hides)

    return made


AROUND: Mapping[str, Maker] = {
    "maintenance": lambda dice, do: _while("maintenance", "maintenance", drops=dice.random() < 0.5)(
        dice, do
    ),
    "wall": _while("wall", "maintenance", status=403),
    "user terminated": lambda dice, do: Fault("user terminated", "user_terminated"),
    "cut 24h": _on_line("cut 24h", "cut_24h"),
    "shutdown": _on_line("shutdown", "server_shutdown", seconds=0.3),
    "list hangs": _on_question("list hangs", "request_swallowed"),
    "list reset": _on_question("list reset", "ack_reset"),
    "list cut": _on_question("list cut", "truncated_body"),
    "list html": _on_question("list html", "html_body"),
    "list 418": _on_question("list 418", "http_error", status=418, code=-1003, headers=_RETRY),
    "list 500": _on_question("list 500", "http_error", code=-1000),
    "empty list": _on_question("empty list", "empty_list", hides=True),
    "clock skew": lambda dice, do: Fault(
        "clock skew", "clock_skew", {"seconds": dice.choice((30.0, -30.0))}, lasts_s=1.5
    ),
    "refuse": _while("refuse", "refuse", drops=True),
    "outage": _while("outage", "refuse", drops=True, rest=True),
    "slow handshake": _while("slow handshake", "slow_handshake", drops=True, seconds=1.5),
    "mute": _while("mute", "mute", rest=True, hides=True),
    "no pong": _while("no pong", "no_pong"),
    "garbage frame": _on_reports("garbage frame", "garbage_frame"),
    "unknown event": _on_reports("unknown event", "unknown_event"),
    "cancel race": lambda dice, do: Fault("cancel race", "cancel_race"),
    "dark": lambda dice, do: Fault(
        "dark", "http_error", {"code": -1000, "request": "query"}, lasts_s=_DARK_S, hides=True
    ),
}
"""By label, faults that stand around while orders live."""

LABELS = frozenset({*IN_FLIGHT, *AROUND})
_LISTED = frozenset(label for label in AROUND if label.startswith(("list", "empty")))
_ACCOMPANIED = {"cancel race": Do.CANCEL, **dict.fromkeys(_LISTED, Do.REFRESH)}
"""What is done as such a fault begins, so that it strikes."""

_ONLY_NEW = frozenset({"-2010", "latency"})
"""What says most of a new order."""


# -- the schedule ------------------------------------------------------------------------------


def order_schedule(seed: int, symbols: Sequence[str]) -> OrderSchedule:
    """The schedule of a seed."""
    dice = random.Random(f"orders {seed}")
    count = dice.randint(_LEAST, _MOST)
    hits = [list(IN_FLIGHT)[(2 * seed + each) % len(IN_FLIGHT)] for each in (0, 1)]
    hits += dice.choices(list(IN_FLIGHT), k=(count + 1) // 2 - 2)
    others = [list(AROUND)[seed % len(AROUND)]]
    others += dice.choices(list(AROUND), k=count - len(hits) - 1)
    acts = [_hit(dice, label, symbols) for label in hits]
    for label in others:
        acts += _around(dice, label, symbols)
    acts += _plain(dice, symbols)
    return OrderSchedule(seed, tuple(sorted(acts, key=lambda act: act.at)), _streamed(dice, acts))


def _streamed(dice: Dice, acts: Sequence[Act]) -> bool:
    """Some users poll, unless what is to break is the stream."""
    names = {act.fault.name for act in acts if act.fault is not None}
    return dice.random() > _POLLED or any(KINDS[name].instant for name in names)


def _hit(dice: Dice, label: str, symbols: Sequence[str]) -> Act:
    do = dice.choices((Do.PLACE, Do.CANCEL, Do.MODIFY), weights=(5, 3, 2))[0]
    if label in _ONLY_NEW:
        do = Do.PLACE
    act = _act(dice, dice.uniform(0.3, BUSY_S), do, symbols)
    return replace(act, fault=IN_FLIGHT[label](dice, do), in_flight=True)


def _around(dice: Dice, label: str, symbols: Sequence[str]) -> list[Act]:
    """The fault, and what happens to orders while it stands."""
    at = dice.uniform(0.3, BUSY_S)
    fault = AROUND[label](dice, Do.PLACE)
    begins = _act(dice, at, _ACCOMPANIED.get(label), symbols)
    acts = [replace(begins, fault=fault)]
    if label == "dark":
        acts += _in_the_dark(dice, at, symbols)
    if fault.lasts_s or fault.follows:
        during = at + 0.5 * min(fault.lasts_s, 0.6)
        acts += [
            _act(dice, at - 0.05, Do.PLACE, symbols),
            _act(dice, during, Do.FILL, symbols),
            _act(dice, during, dice.choice((Do.BY_HAND, Do.CANCEL_BY_HAND, Do.FILL)), symbols),
        ]
    return acts


def _in_the_dark(dice: Dice, at: float, symbols: Sequence[str]) -> list[Act]:
    """An order is taken, its answer lost, the stream silent: not being told proves nothing."""
    silent = Fault("silent", "silent", _REPORTS, lasts_s=_DARK_S, hides=True)
    lost = IN_FLIGHT["ack reset"](dice, Do.PLACE)
    order = replace(_act(dice, at, Do.PLACE, symbols), shape=Shape.REST)
    return [
        replace(_act(dice, at, None, symbols), fault=silent),
        replace(order, fault=lost, in_flight=True),
    ]


def _plain(dice: Dice, symbols: Sequence[str]) -> list[Act]:
    """What a user, other hands and the venue do in any case."""
    does = [Do.PLACE] * LEAST_ORDERS + [Do.CANCEL, Do.CANCEL, Do.MODIFY, Do.BY_HAND, Do.FILL]
    often = (Do.PLACE, Do.CANCEL, Do.MODIFY, Do.FILL, Do.BY_HAND, Do.CANCEL_BY_HAND)
    rare = (Do.EXPIRE, Do.DEPOSIT, Do.REFRESH, Do.CANCEL_ALL, Do.RESTART)
    does += dice.choices((*often, *rare), weights=(4,) * 6 + (2, 2, 2, 1, 1), k=dice.randint(3, 8))
    return [_act(dice, dice.uniform(0.05, BUSY_S), do, symbols) for do in does]


def _act(dice: Dice, at: float, do: Do | None, symbols: Sequence[str]) -> Act:
    return Act(
        at,
        do,
        pick=dice.randrange(1_000),
        shape=dice.choices(list(Shape), weights=(8, 4, 3, 3, 1, 1, 2, 1, 1))[0],
        symbol=dice.choice(symbols),
        buys=dice.random() < 0.6,
        size=dice.randint(1, 5),
    )
