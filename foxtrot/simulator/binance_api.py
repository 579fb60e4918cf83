"""One way through the door of the trading side, for requests by REST and by WebSocket API.

A request passes, in this order: the faults that hit it before the venue acts, the weight, the
signature, the operation, and the faults that hit the answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import msgspec
from aiohttp import web

from foxtrot.simulator.accounts import Account
from foxtrot.simulator.binance_keys import ApiKey, Credentials, Keys
from foxtrot.simulator.binance_limits import WeightGate
from foxtrot.simulator.binance_orders import Asker, Operation
from foxtrot.simulator.binance_orders import Venue as OrdersVenue
from foxtrot.simulator.binance_params import check_names
from foxtrot.simulator.binance_seen import Seen
from foxtrot.simulator.faults import Fault

HTML = "<html><head><title>{title}</title></head><body><center>{title}</center></body></html>"
_NEW_ORDERS = ("place", "replace")
_LISTS = ("open_orders", "all_orders", "trades")

_NO_ANSWER = (
    "Timeout waiting for response from backend server. Send status unknown; "
    "execution status unknown."
)
_KNOWN_ERRORS: Mapping[int, tuple[int, str]] = {
    -1000: (500, "An unknown error occurred while processing the request."),
    -1001: (500, "Internal error; unable to process your request. Please try again."),
    -1003: (
        429,
        "Too many requests queued.",
    ),
    -1006: (
        500,
        "An unexpected response was received from the message bus. Execution status unknown.",
    ),
    -1007: (504, _NO_ANSWER),
    -1008: (
        503,
        "Server is currently overloaded with other requests. Please try again in a few minutes.",
    ),
    -1015: (429, "Too many new orders; current limit is 100 orders per 10 SECOND."),
    -1016: (503, "This service is no longer available."),
    -1021: (400, "Timestamp for this request is outside of the recvWindow."),
    -1022: (400, "Signature for this request is not valid."),
    -1034: (429, "Too many connections; current limit is 300 connections per 5 MINUTE."),
    -2010: (400, "Account has insufficient balance for requested action."),
    -2011: (400, "Unknown order sent."),
    -2013: (400, "Order does not exist."),
    -2014: (401, "API-key format invalid."),
    -2015: (401, "Invalid API-key, IP, or permissions for action."),
}
_KNOWN_PAGES = {403: "403 Forbidden", 502: "502 Bad Gateway", 504: "504 Gateway Time-out"}


class Venue(OrdersVenue, Protocol):
    """What the door needs of the venue."""

    seen: Seen
    keys: Keys
    accounts: Mapping[str, Account]


class Request(msgspec.Struct, frozen=True):
    """A request for an operation; `method` and `path` say by which way it came."""

    method: str
    path: str
    operation: Operation
    params: dict[str, str]
    shown: Credentials

    @property
    def kind(self) -> str:
        """What is asked for, as faults name it."""
        return self.operation.kind


class Reply(msgspec.Struct, kw_only=True):
    """What becomes of a request.

    `lost` is "silence" or "reset" if nothing is said; else the answer goes after `delay_s`.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    lost: str = ""
    delay_s: float | None = None
    cut: bool = False
    html: bool = False
    asker: Asker | None = None
    rate_limits: bytes = b""


class Api:
    """The door.

    Args:
        venue: Whose door it is.
        gate: The weight of all requests.
    """

    def __init__(self, venue: Venue, gate: WeightGate) -> None:
        self._venue, self._gate = venue, gate

    def receive(self, request: Request) -> None:
        """Note a request that came in, whatever becomes of it."""
        shown = {k: v for k, v in request.params.items() if k not in ("signature", "apiKey")}
        self._venue.seen.requested(request.method, request.path, shown)
        key = self._venue.keys.find(request.shown.key)
        name = request.params.get("newClientOrderId")
        if key is not None and name is not None and request.kind in _NEW_ORDERS:
            self._venue.accounts[key.account].received[name] += 1

    def handle(self, request: Request) -> Reply:
        """Carry out a request that was received, as far as the faults allow."""
        faults = self._venue.faults
        lost = self._lost(request, "request")
        if lost:
            return Reply(lost=lost)
        canned = faults.take("http_error", path=request.path, request=request.kind)
        if canned is not None and not canned.acts:
            return _canned_reply(canned)
        reply = self._answer(request)
        if canned is not None:
            return _canned_reply(canned)
        return reply if faults.quiet else self._spoilt(request, reply)

    def too_heavy(self, weight: int) -> Reply | None:
        """Count what a request weighs; the answer to it if that is too much."""
        refused = self._gate.charge(weight, self._venue.now_ms())
        if refused is None:
            return None
        body = msgspec.json.encode({"code": -1003, "msg": refused.message})
        headers = {"Retry-After": str(refused.retry_after_s)}
        return Reply(status=refused.status, body=body, headers=headers)

    def _answer(self, request: Request) -> Reply:
        operation, now_ms = request.operation, self._venue.now_ms()
        refused = self.too_heavy(operation.weight(request.params))
        if refused is not None:
            return refused
        try:
            key = self._let_in(request, now_ms)
            asker = Asker(self._venue.accounts[key.account], key.may_trade)
            result = operation.act(self._venue, asker, request.params)
        except web.HTTPException as error:
            headers = {k: v for k, v in error.headers.items() if k == "Retry-After"}
            return Reply(status=error.status, body=(error.text or "").encode(), headers=headers)
        reply = Reply(body=msgspec.json.encode(result), asker=asker)
        if operation.kind in _NEW_ORDERS:
            reply.headers = self._venue.order_gate.headers(key.account, now_ms)
        return reply

    def _let_in(self, request: Request, now_ms: int) -> ApiKey:
        params = request.params
        check_names(params, request.operation.params)
        trading = request.operation.trading
        return self._venue.keys.check(request.shown, params, now_ms, trading=trading)

    def _lost(self, request: Request, what: str) -> str:
        faults = self._venue.faults
        for fault, lost in ((f"{what}_swallowed", "silence"), (f"{what}_reset", "reset")):
            if faults.take(fault, path=request.path, request=request.kind):
                return lost
        return ""

    def _spoilt(self, request: Request, reply: Reply) -> Reply:
        """Apply the faults of the answer."""
        take, path, kind = self._venue.faults.take, request.path, request.kind
        reply.lost = self._lost(request, "ack")
        late = take("late_ack", path=path, request=kind)
        reply.delay_s = (late.seconds or 0.0) if late else None
        if reply.status != 200:
            return reply
        foreign = take("foreign_ack", path=path, request=kind)
        if foreign is not None:
            name = foreign.body or "somebody-elses-order"
            reply.body = _changed(reply.body, {"clientOrderId": name, "origClientOrderId": name})
        if take("nameless_ack", path=path, request=kind):
            reply.body = _changed(reply.body, {"orderId": None})
        if kind in _LISTS and take("empty_list", path=path, request=kind):
            reply.body = b"[]"
        if kind == "account" and take("empty_list", path=path, request=kind):
            reply.body = _changed(reply.body, {"balances": []})
        reply.html = take("html_body", path=path, request=kind) is not None
        reply.cut = take("truncated_body", path=path, request=kind) is not None
        return reply


def canned(fault: Fault) -> tuple[int, str]:
    """Status and body that `http_error` stands for: as it says, else as Binance says it."""
    if fault.code is not None:
        status, words = _KNOWN_ERRORS.get(fault.code, (400, "Simulated error."))
        body = msgspec.json.encode({"code": fault.code, "msg": fault.body or words}).decode()
        return fault.status or status, body
    status = fault.status or 503
    if fault.body is not None:
        return status, fault.body
    if status in _KNOWN_PAGES:
        return status, HTML.format(title=_KNOWN_PAGES[status])
    return status, '{"code":-1000,"msg":"An unknown error"}'


def _canned_reply(fault: Fault) -> Reply:
    status, body = canned(fault)
    return Reply(status=status, body=body.encode(), headers=dict(fault.headers or {}))


def _changed(body: bytes, fields: Mapping[str, object]) -> bytes:
    """The answer with some of its fields changed; a field of None is taken out."""
    answer = msgspec.json.decode(body)
    for row in _rows(answer):
        for name in fields.keys() & row.keys():
            row[name] = fields[name]
            if fields[name] is None:
                del row[name]
    return msgspec.json.encode(answer)


def _rows(answer: object) -> Iterator[dict[str, object]]:
    """The answer itself, and the answers inside it: a replacement has two, a list has many."""
    if isinstance(answer, dict):
        yield answer
        yield from _rows(list(answer.values()))
    elif isinstance(answer, list):
        for each in answer:
            yield from _rows(each)
