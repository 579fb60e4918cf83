"""What may go wrong with orders, in virtual time: faults, and where in the life of an order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from foxtrot.execution.reports import OrderState as S


class Trouble(Enum):
    """What may go wrong with orders."""

    DROP = "line drops"
    DEAF = "line falls silent"
    MAINTENANCE = "maintenance"
    AWAY = "fills while away"
    LISTS_HANG = "lists hang"
    LISTS_STALE = "lists are stale"
    LOST_REQUEST = "request lost"
    LOST_ANSWER = "answer lost"
    CUT_ANSWER = "answer cut short"
    LATE_ANSWER = "answer late"
    LATE_REQUEST = "request late"
    NOT_SENT = "not sent"
    REJECTED = "rejected"
    HELD = "rate limited"
    HIDDEN = "not found at first"
    CANCEL_LOST = "cancel lost"
    CANCEL_UNHEARD = "cancel's answer lost"
    CANCEL_RACE = "cancel races a fill"
    PUSH_LOST = "push lost"
    PUSH_TWICE = "push twice"
    PUSH_LATE = "push late"
    CLAIM = "called filled too soon"
    ENDED = "ended by the venue"
    EXTERNAL = "order by hand"
    CRASH = "killed"
    DISK_FULL = "disk full"


ON_REQUEST = frozenset(
    {
        Trouble.LOST_REQUEST,
        Trouble.LOST_ANSWER,
        Trouble.CUT_ANSWER,
        Trouble.LATE_ANSWER,
        Trouble.LATE_REQUEST,
        Trouble.NOT_SENT,
        Trouble.REJECTED,
        Trouble.HELD,
        Trouble.HIDDEN,
    }
)
ON_CANCEL = frozenset({Trouble.CANCEL_LOST, Trouble.CANCEL_UNHEARD, Trouble.CANCEL_RACE})
ON_PUSH = frozenset({Trouble.PUSH_LOST, Trouble.PUSH_TWICE, Trouble.PUSH_LATE, Trouble.CLAIM})
OF_OURS = frozenset({Trouble.CRASH, Trouble.DISK_FULL})
"""What happens to foxtrot, not to the venue."""


@dataclass(frozen=True)
class Fault:
    """One fault, from `at` on.

    It waits for the next `count` requests, cancels or pushes, as its kind is. Any other begins at
    once and lasts `lasts_s`, or when the next request is under way if it is `aimed`. `amount`,
    from 0 to 1, says in which of several ways it shows.
    """

    at: float
    kind: Trouble
    lasts_s: float = 0.0
    count: int = 1
    aimed: bool = False
    amount: float = 0.0

    @property
    def waits(self) -> bool:
        """Whether it waits for something to strike."""
        return self.aimed or self.kind in ON_REQUEST | ON_CANCEL | ON_PUSH


_LIVES = frozenset({S.SENT, S.IN_DOUBT, S.ACCEPTED, S.PARTIALLY_FILLED, S.PENDING_CANCEL})
_ENDED_THERE = frozenset({S.FILLED, S.CANCELED, S.EXPIRED})
_REACHABLE = {
    **dict.fromkeys(ON_REQUEST, frozenset({S.SENT})),
    **dict.fromkeys(ON_CANCEL, frozenset({S.PENDING_CANCEL, S.IN_DOUBT})),
    Trouble.PUSH_LOST: _LIVES,
    Trouble.CLAIM: _LIVES,
    Trouble.ENDED: _LIVES,
    Trouble.PUSH_TWICE: _LIVES - {S.SENT, S.IN_DOUBT} | _ENDED_THERE,
    Trouble.PUSH_LATE: _LIVES - {S.SENT} | _ENDED_THERE,
}
REACHABLE = frozenset(
    (kind.value, state.value)
    for kind in Trouble
    for state in _REACHABLE.get(kind, _LIVES | {S.INTENT})
)
"""Faults, and the states of orders in which they may strike.

A request is lost while its order is sent, a cancel while it is under way or the order is in doubt;
a push arrives late or again after the answer, also when all is over; if it was told before, there
is no doubt. What befalls the line, the
lists or the process strikes all that is open, an order whose price is being asked for too.
"""
