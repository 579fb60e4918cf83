"""From a seed to a schedule of orders: what the user does, what goes wrong, and the healing.

Each schedule has ten orders and three faults at least, and half of the faults are of those that
strike an order under way. A longer prefix of its faults is the same schedule with more trouble.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from foxtrot.model.constants import Direction, OrderType
from tests.support.model_trading import SYMBOLS
from tests.support.order_faults import ON_CANCEL, ON_PUSH, ON_REQUEST, Fault, Trouble

BUSY_S = 40.0
"""What the user does is over by then."""

_LINE = (Trouble.DROP, Trouble.DEAF, Trouble.MAINTENANCE, Trouble.AWAY)
_LISTS = (Trouble.LISTS_HANG, Trouble.LISTS_STALE)
_TYPES = (OrderType.LIMIT, OrderType.MARKET, OrderType.FAK, OrderType.FOK)
_SIDES = (Direction.LONG, Direction.SHORT)
_KINDS = (*Trouble, *(kind for kind in Trouble if kind in ON_PUSH), Trouble.CLAIM)
_AIMABLE = (*_LINE, *_LISTS, Trouble.CRASH, Trouble.DISK_FULL, Trouble.EXTERNAL, Trouble.ENDED)
_IN_FLIGHT = tuple(kind for kind in Trouble if kind in ON_REQUEST | ON_CANCEL) + _AIMABLE


class Deed(Enum):
    """What a user does with orders."""

    SEND = "send"
    CANCEL = "cancel"
    MODIFY = "modify"
    CANCEL_ALL = "cancel all"
    HALT = "halt"
    RESUME = "resume"
    REFRESH = "refresh"
    RECYCLE = "recycle"
    RESTART = "restart"


@dataclass(frozen=True)
class Move:
    """One thing that the user does; `pick`, from 0 to 1, chooses among the orders that are open."""

    at: float
    deed: Deed
    pick: float = 0.0
    symbol: str = ""
    side: Direction = Direction.LONG
    type: OrderType = OrderType.LIMIT
    tenths: int = 0


@dataclass(frozen=True)
class OrderSchedule:
    """All that happens; `faults` and `moves` in the order of time."""

    seed: int
    pushes: bool
    names_fills: bool
    faults: tuple[Fault, ...]
    moves: tuple[Move, ...]

    def upto(self, count: int) -> OrderSchedule:
        """The same with the first `count` faults only."""
        return replace(self, faults=self.faults[:count])


def order_schedule(seed: int) -> OrderSchedule:
    """The schedule of a seed."""
    dice = random.Random(seed)
    count = dice.randint(3, 8)
    kinds = [(dice.choice(_IN_FLIGHT), True) for _ in range((count + 1) // 2)]
    pushes, names_fills = dice.random() < 0.85, dice.random() < 0.6
    others = _KINDS if pushes else tuple(kind for kind in _KINDS if kind not in ON_PUSH)
    kinds += [(dice.choice(others), False) for _ in range(count // 2)]
    faults = sorted((_fault(dice, *kind) for kind in kinds), key=lambda fault: fault.at)
    moves = list(_moves(dice))
    if dice.random() < 0.4:
        faults.append(_last_stand(dice))
        moves += [Move(BUSY_S, Deed.SEND, symbol=symbol, tenths=9) for symbol in SYMBOLS]
    moves += _cancels(dice, faults)
    moves.sort(key=lambda move: move.at)
    return OrderSchedule(seed, pushes, names_fills, tuple(faults), tuple(moves))


def _fault(dice: random.Random, kind: Trouble, aimed: bool) -> Fault:
    lasting = kind in (Trouble.MAINTENANCE, Trouble.AWAY, Trouble.DISK_FULL, *_LISTS)
    counted = ON_REQUEST | ON_CANCEL | ON_PUSH
    most = {Trouble.HIDDEN: 1, Trouble.REJECTED: 12} | dict.fromkeys(ON_PUSH, 9)
    return Fault(
        at=dice.uniform(3.0, BUSY_S - 8.0),
        kind=kind,
        lasts_s=dice.uniform(1.0, 15.0) if lasting else 0.0,
        count=dice.randint(1, most.get(kind, 3)) if kind in counted else 1,
        aimed=aimed and kind in _AIMABLE,
        amount=dice.random(),
    )


def _last_stand(dice: random.Random) -> Fault:
    """Cancels get lost just before all is well: then it shows whether they are tried again."""
    kind = dice.choice((Trouble.CANCEL_LOST, Trouble.CANCEL_UNHEARD))
    return Fault(BUSY_S + 1.0, kind, count=dice.randint(1, 3), amount=dice.random())


def _moves(dice: random.Random) -> Iterator[Move]:
    """An order in each symbol, and then whatever comes to mind."""
    for symbol in SYMBOLS:
        yield Move(2.0, Deed.SEND, symbol=symbol, tenths=9)
    times = sorted(dice.uniform(3.0, BUSY_S) for _ in range(dice.randint(24, 40)))
    deeds = (Deed.SEND, Deed.CANCEL, Deed.MODIFY, Deed.CANCEL_ALL, Deed.HALT, Deed.REFRESH)
    deeds += (Deed.RECYCLE, Deed.RESTART)
    for at in times:
        deed = dice.choices(deeds, weights=(60, 16, 8, 4, 5, 3, 1, 1))[0]
        if deed is Deed.SEND:
            yield send(dice, at)
            continue
        yield Move(at, deed, dice.random())
        if deed is Deed.HALT:
            yield Move(at + dice.uniform(1.0, 4.0), Deed.RESUME)


def _cancels(dice: random.Random, faults: list[Fault]) -> Iterator[Move]:
    """Half of the time, what befalls cancels befalls those of a `cancel_all`."""
    for fault in faults:
        if fault.kind in ON_CANCEL and (fault.at > BUSY_S or dice.random() < 0.5):
            yield Move(fault.at + 0.1, Deed.CANCEL_ALL)


def send(dice: random.Random, at: float) -> Move:
    """A new order, most often one that rests."""
    kind = dice.choices(_TYPES, weights=(66, 16, 12, 6))[0]
    return Move(
        at,
        Deed.SEND,
        dice.random(),
        symbol=dice.choice(SYMBOLS),
        side=dice.choice(_SIDES),
        type=kind,
        tenths=dice.randint(1, 9),
    )
