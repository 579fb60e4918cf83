"""What a reply proves about an order: rejected only on positive evidence, else in doubt."""

import json

import pytest

from foxtrot.adapter.binance import evidence
from foxtrot.adapter.binance.evidence import Reply, Unheard
from foxtrot.errors import (
    AuthenticationError,
    ConnectError,
    ConnectionClosed,
    FoxtrotError,
    RateLimited,
    UnknownSymbol,
    VenueBanned,
    VenueError,
    VenueUnavailable,
)
from foxtrot.execution.reports import OrderIntent, OrderRecord, OrderState
from foxtrot.gateway.trading import Accepted, Answer, Doubtful, NotSent, Refused
from foxtrot.model.constants import Direction, Exchange, OrderType
from foxtrot.model.requests import OrderRequest

REQUEST = OrderRequest("BTCUSDT", Exchange.BINANCE, Direction.LONG, OrderType.LIMIT, 0.5, 100.0)
RECORD = OrderRecord(
    OrderIntent("fx-1", REQUEST, 1), OrderState.ACCEPTED, updated_ns=1, venue_id="7"
)
ORDER = {
    "symbol": "BTCUSDT", "orderId": 7, "clientOrderId": "fx-1", "origQty": "0.50000000",
    "executedQty": "0.20000000", "status": "PARTIALLY_FILLED", "type": "LIMIT", "side": "BUY",
    "price": "100.00", "timeInForce": "GTC", "transactTime": 1_700_000_000_000,
    "fills": [{"tradeId": 3, "price": "100.00", "qty": "0.20000000", "commission": "0.0002",
               "commissionAsset": "BTC"}],
}  # fmt: skip
CANCELLED = {
    **ORDER, "clientOrderId": "of-the-cancel", "origClientOrderId": "fx-1", "status": "CANCELED",
    "fills": [],
}  # fmt: skip


def reply(status: int, body: object, **headers: str) -> Reply:
    """A reply with a JSON body, or with a text as it is."""
    text = body if isinstance(body, str) else json.dumps(body)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, names, text.encode())


def refused(code: int, msg: str = "No.", status: int = 400) -> Reply:
    """The venue's own refusal."""
    return reply(status, {"code": code, "msg": msg})


def placed(answer: Reply | Unheard) -> Answer:
    """What it proves about the order fx-1."""
    return evidence.placed(answer, "fx-1")


def test_an_order_that_echoes_our_id_is_accepted() -> None:
    """With the fills it brings."""
    answer = placed(reply(200, ORDER))
    assert isinstance(answer, Accepted)
    assert (answer.report.venue_id, answer.report.orderid) == ("7", "fx-1")
    assert [(fill.trade_id, str(fill.volume)) for fill in answer.fills] == [("3", "0.20000000")]


@pytest.mark.parametrize(
    "body",
    [
        "",
        '{"symbol":"BTCUSDT","orderId":7,"clientOr',
        "<html>please wait</html>",
        "[]",
        {},
        {**ORDER, "orderId": None},
        {**ORDER, "clientOrderId": "somebody-elses"},
        {**ORDER, "origQty": "NaN"},
        {**ORDER, "executedQty": "-1"},
        {**ORDER, "status": "WELL"},
        {**ORDER, "side": "HOLD"},
        {**ORDER, "fills": [{"tradeId": 3, "price": "1e400", "qty": "1"}]},
    ],
    ids=str,
)
def test_success_that_cannot_be_believed_is_doubtful(body: object) -> None:
    """A truncated or foreign 200 proves nothing."""
    assert isinstance(placed(reply(200, body)), Doubtful)


@pytest.mark.parametrize(
    "code", [-2010, -1013, -1111, -1100, -1106, -1121, -1021, -1022, -2014, -2015, -1020]
)
def test_the_venues_own_no_is_a_rejection(code: int) -> None:
    """Its code and words are passed on."""
    assert placed(refused(code, "It says why.")) == Refused(f"{code}: It says why.")


def test_a_name_that_is_in_use_proves_that_an_order_lives() -> None:
    """No name is sent twice from here: something on the way repeated it, and one is open."""
    assert isinstance(placed(refused(-2010, "Duplicate order sent.")), Doubtful)


@pytest.mark.parametrize("code", [-1000, -1001, -1006, -1007, -1008, -1016, -1034, -9999])
@pytest.mark.parametrize("status", [400, 503, 504])
def test_a_code_that_leaves_it_open_is_doubtful(code: int, status: int) -> None:
    """Also one that nobody knows."""
    assert isinstance(placed(refused(code, status=status)), Doubtful)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, "<html>WAF</html>"),
        (500, ""),
        (502, "<html>Bad Gateway</html>"),
        (503, {"code": -2010, "msg": "a proxy's cache"}),
        (504, ""),
        (301, ""),
        (400, "<html>a proxy</html>"),
        (401, {"code": "x", "msg": 1}),
    ],
)
def test_what_is_not_the_engines_word_is_doubtful(status: int, body: object) -> None:
    """A firewall, a proxy and a broken server know nothing of the order."""
    assert isinstance(placed(reply(status, body)), Doubtful)


@pytest.mark.parametrize(
    ("answer", "hold_s"),
    [
        (reply(429, {"code": -1015, "msg": "Too many new orders."}, Retry_After="7"), 7.0),
        (reply(429, "slow down"), evidence.DEFAULT_HOLD_S),
        (reply(418, {"code": -1003, "msg": "banned"}, retry_after="120"), 120.0),
        (reply(418, {"code": -1003, "msg": "b"}, Retry_After="99999999"), evidence.LONGEST_HOLD_S),
        (reply(400, {"code": -1003, "msg": "Too many requests."}), evidence.DEFAULT_HOLD_S),
        (reply(429, {"code": -1015, "msg": "x"}, Retry_After="soon"), evidence.DEFAULT_HOLD_S),
    ],
)
def test_too_many_is_a_rejection_and_a_pause(answer: Reply, hold_s: float) -> None:
    """The venue's own pause counts, within its longest ban."""
    verdict = placed(answer)
    assert isinstance(verdict, Refused)
    assert verdict.hold_s == hold_s


def test_no_reply_proves_nothing_unless_nothing_was_sent() -> None:
    """A lost answer leaves it open; a connection that never was does not."""
    lost = Unheard(ConnectionClosed(1006, "x"), sent=True)
    never = Unheard(ConnectError("h:1", "refused"), sent=False)
    assert isinstance(placed(lost), Doubtful)
    assert isinstance(placed(never), NotSent)


def test_a_cancel_is_proved_by_the_order_it_names() -> None:
    """By its original client order id, or by the venue's."""
    by_hand = {**CANCELLED, "origClientOrderId": "by-hand"}
    for body in (CANCELLED, by_hand):
        answer = evidence.cancelled(reply(200, body), RECORD)
        assert isinstance(answer, Accepted)
        assert answer.report.state is OrderState.CANCELED
    other = {**by_hand, "orderId": 8}
    assert isinstance(evidence.cancelled(reply(200, other), RECORD), Doubtful)


@pytest.mark.parametrize("code", [-2011, -2013, -1121])
def test_an_unknown_order_does_not_prove_a_cancel(code: int) -> None:
    """It may have traded; the venue has to be asked."""
    assert isinstance(evidence.cancelled(refused(code), RECORD), Doubtful)


def test_a_replacement_answers_for_both_orders() -> None:
    """Done, done in part, or not at all."""
    new = {**ORDER, "clientOrderId": "fx-2", "orderId": 8, "fills": []}
    both = {
        "cancelResult": "SUCCESS", "newOrderResult": "SUCCESS",
        "cancelResponse": CANCELLED, "newOrderResponse": new,
    }  # fmt: skip
    cancel, order = evidence.replaced(reply(200, both), RECORD, "fx-2")
    assert isinstance(cancel, Accepted)
    assert isinstance(order, Accepted)

    half = {
        **both, "newOrderResult": "FAILURE",
        "newOrderResponse": {"code": -2010, "msg": "insufficient"},
    }  # fmt: skip
    partly = reply(409, {"code": -2021, "msg": "partially failed", "data": half})
    cancel, order = evidence.replaced(partly, RECORD, "fx-2")
    assert isinstance(cancel, Accepted)
    assert order == Refused("-2010: insufficient")

    nothing = {
        "cancelResult": "FAILURE", "newOrderResult": "NOT_ATTEMPTED",
        "cancelResponse": {"code": -2011, "msg": "Unknown order sent."}, "newOrderResponse": None,
    }  # fmt: skip
    failed = reply(400, {"code": -2022, "msg": "failed", "data": nothing})
    cancel, order = evidence.replaced(failed, RECORD, "fx-2")
    assert isinstance(cancel, Doubtful)
    assert isinstance(order, Refused)


@pytest.mark.parametrize(
    "answer",
    [reply(200, "{"), reply(502, "<html>"), Unheard(ConnectionClosed(1006, ""), sent=True)],
)
def test_a_lost_replacement_leaves_both_open(answer: Reply | Unheard) -> None:
    """Neither the cancel nor the new order is known."""
    cancel, order = evidence.replaced(answer, RECORD, "fx-2")
    assert isinstance(cancel, Doubtful)
    assert isinstance(order, Doubtful)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(-2015, status=401), AuthenticationError),
        (refused(-1022), AuthenticationError),
        (refused(-1121), UnknownSymbol),
        (refused(-1003), RateLimited),
        (reply(418, ""), VenueBanned),
        (reply(503, "<html>"), VenueUnavailable),
        (reply(200, "{"), VenueUnavailable),
        (refused(-1007), VenueUnavailable),
        (refused(-2013), VenueError),
    ],
)
def test_an_unanswered_question_says_why(answer: Reply, kind: type[FoxtrotError]) -> None:
    """By the class that says what to do next."""
    assert type(evidence.refusal(answer, "BINANCE", "account")) is kind


def test_the_venues_words_carry_no_secret_and_no_control_characters() -> None:
    """They are shown to people and written to logs."""
    words = evidence.words_of(refused(-1100, "bad\r\nsignature=abcdef0123456789"))
    assert "\n" not in words.msg
    assert "abcdef0123456789" not in words.msg
