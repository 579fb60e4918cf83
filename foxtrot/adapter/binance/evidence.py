"""What a reply of Binance proves about an order. The one table of it; pure.

Only positive evidence rejects: the venue's own refusal, read whole, or a connection that never was.
Everything else leaves the outcome open, and the order in doubt until the venue is asked.
Source: Binance spot API documents, "errors" and "rest-api, HTTP Return Codes" (2026-07).
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from foxtrot.adapter.binance import order_mapping
from foxtrot.adapter.binance.order_mapping import OrderAnswer
from foxtrot.core.redaction import TEXT_LIMIT, scrub
from foxtrot.errors import (
    AuthenticationError,
    FoxtrotError,
    RateLimited,
    UnknownSymbol,
    VenueBanned,
    VenueError,
    VenueUnavailable,
)
from foxtrot.execution.reports import OrderRecord
from foxtrot.gateway.trading import Accepted, Answer, Doubtful, NotSent, Refused

OK = 200
CLOCK = -1021
"""The request's time is outside what the venue allows."""

_UNKNOWN_SYMBOL = -1121
UNKNOWN_ORDER = frozenset({-2011, -2013, _UNKNOWN_SYMBOL})
"""There is no such order, or it is no longer open, or its symbol is not listed any more. Proves
nothing when it answers a cancel."""

DEFAULT_HOLD_S = 10.0
"""Where the venue says "too many orders" without saying how long: its shortest window."""

LONGEST_HOLD_S = 259_200.0
"""Three days, the longest ban. Source: "IP Limits"."""

_OPEN = frozenset({-1000, -1001, -1006, -1007, -1008, -1016, -1034})
"""Codes after which an order may have been executed all the same."""

_AT_THE_DOOR = frozenset({-1002, -1003, -1013, -1014, -1015, -1020, -1021, -1022, -1099, -2010})
_IN_USE = "Duplicate order sent."
"""The words, under -2010, for a client order id that an open order has: it may be this one, if
something on the way sent it twice."""

_TOO_MANY_ORDERS = -1015
_TOO_MANY = frozenset({-1003, _TOO_MANY_ORDERS})
_KEYS = frozenset({-1002, -1022, -2014, -2015})
_BANNED, _LIMITED = 418, 429
_HALF_REFUSED = 400


class Reply(msgspec.Struct, frozen=True):
    """What the venue answered to a request, before anybody judged it.

    Of the trading websocket too, whose `status` means the same.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class Unheard(msgspec.Struct, frozen=True):
    """There was no reply; `sent` says whether the request may have reached the venue."""

    error: FoxtrotError
    sent: bool


class Words(msgspec.Struct, frozen=True):
    """The venue's own code and text of a refusal."""

    code: int = 0
    msg: str = ""


class Replacement(msgspec.Struct):
    """The answer to a cancel-replace; a refusal has it in `data`."""

    cancelResult: str = ""
    newOrderResult: str = ""
    cancelResponse: msgspec.Raw = msgspec.Raw(b"")
    newOrderResponse: msgspec.Raw = msgspec.Raw(b"")
    data: Replacement | None = None


def placed(reply: Reply | Unheard, orderid: str) -> Answer:
    """What a reply proves about a new order; an empty `orderid` stands for any."""
    if isinstance(reply, Unheard):
        words = str(reply.error)
        return Doubtful(f"no answer: {words}") if reply.sent else NotSent(f"not sent: {words}")
    if reply.status != OK:
        return _refused(reply)
    return _accepted(reply, orderid)


def cancelled(reply: Reply | Unheard, record: OrderRecord) -> Answer:
    """What a reply proves about a cancel; that an order is unknown proves nothing."""
    if isinstance(reply, Reply) and reply.status != OK and _is_unknown(reply):
        return Doubtful("the venue knows no such open order; it may have traded")
    return _about(placed(reply, ""), record)


def _about(answer: Answer, record: OrderRecord) -> Answer:
    if not isinstance(answer, Accepted):
        return answer
    same = answer.report.orderid == record.orderid or answer.report.venue_id == record.venue_id
    return answer if same else Doubtful("the venue's answer is about another order")


def _is_unknown(reply: Reply) -> bool:
    return words_of(reply).code in UNKNOWN_ORDER


def replaced(reply: Reply | Unheard, record: OrderRecord, orderid: str) -> tuple[Answer, Answer]:
    """What a reply proves about a cancel-replace: about the cancel, and about the new order.

    The venue answers 200 if it did both, 409 if only the cancel, 400 if neither.
    """
    if isinstance(reply, Unheard):
        answer = placed(reply, orderid)
        return answer, answer
    try:
        both = msgspec.json.decode(reply.body, type=Replacement, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError):
        both = Replacement()
    halves = both.data or both
    if not halves.cancelResult:
        answer = _refused(reply) if reply.status != OK else Doubtful("the answer cannot be read")
        return answer, answer
    cancel = _half(halves.cancelResult, halves.cancelResponse, reply)
    if halves.newOrderResult == "NOT_ATTEMPTED":
        new: Answer = Refused("not attempted, as the cancel before it failed")
    else:
        new = placed(_half(halves.newOrderResult, halves.newOrderResponse, reply), orderid)
    return cancelled(cancel, record), new


def _half(result: str, body: msgspec.Raw, reply: Reply) -> Reply:
    return Reply(OK if result == "SUCCESS" else _HALF_REFUSED, reply.headers, bytes(body))


def is_about_the_clock(reply: Reply | Unheard) -> bool:
    """Whether the venue refused a request for its time alone."""
    return isinstance(reply, Reply) and reply.status != OK and words_of(reply).code == CLOCK


def is_about_the_address(reply: Reply) -> bool:
    """Whether nothing at all may be sent for a while; too many new orders stop new orders alone."""
    return reply.status == _BANNED or (
        reply.status == _LIMITED and words_of(reply).code != _TOO_MANY_ORDERS
    )


def words_of(reply: Reply) -> Words:
    """The code and text of a refusal; code 0 if it is not one of the venue's own."""
    try:
        words = msgspec.json.decode(reply.body, type=Words)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Words()
    return Words(words.code, scrub(words.msg, limit=TEXT_LIMIT))


def refusal(reply: Reply, venue: str, what: str) -> FoxtrotError:
    """The error for a question that was not answered."""
    words = words_of(reply)
    code, text = str(words.code or reply.status), words.msg or f"no readable answer to {what}"
    if reply.status == _BANNED:
        return VenueBanned(venue, code, text, _hold_s(reply))
    if reply.status == _LIMITED or words.code in _TOO_MANY:
        return RateLimited(venue, code, text, _hold_s(reply))
    if words.code in _KEYS:
        return AuthenticationError(venue, code, text)
    if words.code == _UNKNOWN_SYMBOL:
        return UnknownSymbol(venue, code, text)
    kind = VenueError if words.code and words.code not in _OPEN else VenueUnavailable
    return kind(venue, code, text)


def _accepted(reply: Reply, orderid: str) -> Answer:
    try:
        answer = msgspec.json.decode(reply.body, type=OrderAnswer, strict=False)
        report, fills = order_mapping.order_report(answer), order_mapping.fills_of(answer)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        return Doubtful("the venue's answer cannot be read")
    if orderid and report.orderid != orderid:
        return Doubtful("the venue's answer is about another order")
    return Accepted(report, fills)


def _refused(reply: Reply) -> Answer:
    words = words_of(reply)
    text = f"{words.code}: {words.msg}" if words.code else f"HTTP {reply.status}"
    if reply.status in (_LIMITED, _BANNED):
        return Refused(text, _hold_s(reply))
    definite = words.code in _AT_THE_DOOR or _is_about_the_request(words.code)
    if not definite or words.code in _OPEN or words.msg == _IN_USE or reply.status >= 500:
        return Doubtful(f"no proof: {text}")
    return Refused(text, _hold_s(reply) if words.code in _TOO_MANY else 0.0)


def _is_about_the_request(code: int) -> bool:
    """11xx: the request is malformed. 20xx: the matching engine or the key says no."""
    return -1199 <= code <= -1100 or -2099 <= code <= -2010


def _hold_s(reply: Reply) -> float:
    for name, value in reply.headers.items():
        if name.lower() == "retry-after" and (seconds := value.strip()).isdecimal():
            return min(float(seconds), LONGEST_HOLD_S)
    return DEFAULT_HOLD_S
