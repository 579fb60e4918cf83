"""What an error code that TWS gives on an order's id proves of that order. The one table; pure.

Only positive evidence rejects. A code that is not in the table proves nothing: the order is in
doubt until the venue is asked. A notice changes nothing: what becomes of the order is told by its
status, never by an error.
Source: TWS API documents, "Message Codes" (2024), and what TWS is known to send beside them.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from foxtrot.core.redaction import TEXT_LIMIT, scrub
from foxtrot.gateway.trading import Answer, Doubtful, Refused


class Proof(Enum):
    """What a code proves."""

    REFUSED = "refused"
    ALIVE = "alive"
    CANCELLED = "cancelled"
    NOT_CANCELLED = "not_cancelled"
    CANNOT_CANCEL = "cannot_cancel"
    NOTHING = "nothing"


DUPLICATE_ID = 103
"""An order with this id, or with a greater one, was sent before; this one was not taken."""

ID_OF_ANOTHER = frozenset({DUPLICATE_ID, 104, 105})
"""What lives under the id is another order, which TWS took this one for a change of."""


def _spread(*parts: int | range) -> Iterable[int]:
    for part in parts:
        yield from (part,) if isinstance(part, int) else part


_REFUSED = frozenset(
    _spread(
        *ID_OF_ANOTHER,
        range(109, 130),  # price, time in force or routing
        range(131, 134),
        range(140, 149),
        range(151, 161),
        163,
        164,
        range(200, 202),  # no such contract; rejected
        203,  # not for this account
        range(311, 316),
        321,  # not valid, or the API is read-only
        range(325, 354),
        range(355, 365),
        range(367, 399),
        range(400, 404),
        range(405, 420),
        range(423, 430),
        range(432, 448),
        460,  # no trading permission
        461,
        range(10002, 10028),
        range(10032, 10090),
        10149,
        10151,
        10152,
        10163,
        range(10240, 10276),
        10289,
        10311,
        10318,
    )
)
_ALIVE = frozenset(
    _spread(
        399,  # held until the market opens, and the like
        404,  # held until shares to sell short are found
        range(2100, 2200),  # warnings
        10349,  # the time in force was set by the user's presets
    )
)
_TABLE: dict[int, Proof] = {
    **dict.fromkeys(_REFUSED, Proof.REFUSED),
    **dict.fromkeys(_ALIVE, Proof.ALIVE),
    202: Proof.CANCELLED,
    # None of these says what became of the order: it may have traded, or be another client's.
    **dict.fromkeys((135, 161, 10147, 10148), Proof.NOT_CANCELLED),
    **dict.fromkeys((136, 137), Proof.CANNOT_CANCEL),
}


def proof_of(code: int) -> Proof:
    """What a code proves of the order on whose id it came."""
    return _TABLE.get(code, Proof.NOTHING)


def words(code: int, text: str) -> str:
    """A code and its text, as people are shown them."""
    return f"{code}: {scrub(text, limit=TEXT_LIMIT)}"


def of_new_order(code: int, text: str) -> Answer | None:
    """What a code proves of an order just sent; None if the answer is still to come."""
    match proof_of(code):
        case Proof.REFUSED:
            return Refused(words(code, text))
        case Proof.NOTHING:
            return Doubtful(f"no proof: {words(code, text)}")
    return None


def of_cancel(code: int, text: str) -> Answer | None:
    """What a code proves of a cancel just sent; None if the answer is still to come."""
    match proof_of(code):
        case Proof.CANNOT_CANCEL:
            return Refused(words(code, text))
        case Proof.ALIVE | Proof.CANCELLED:
            return None
    return Doubtful(f"no proof: {words(code, text)}")
