"""Whatever Binance says of orders: what comes out is believable, or it is refused whole."""

from __future__ import annotations

import json
from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from foxtrot.adapter.binance import evidence, order_mapping
from foxtrot.adapter.binance.evidence import Reply
from foxtrot.adapter.binance.order_mapping import ExecutionReport, OrderAnswer, TradeAnswer
from foxtrot.execution.reports import (
    FillReport,
    OrderIntent,
    OrderReport,
    OrderState,
    exact,
    trade_data,
)
from foxtrot.gateway.trading import Accepted, Answer, Doubtful, Refused
from foxtrot.model.constants import Direction, Exchange, OrderType
from foxtrot.model.objects import utc
from foxtrot.model.requests import OrderRequest

LARGEST = Decimal(10) ** 15

ORDER: dict[str, object] = {
    "symbol": "BTCUSDT", "orderId": 7, "clientOrderId": "fx-1", "origQty": "0.5",
    "executedQty": "0.2", "status": "NEW", "type": "LIMIT", "side": "BUY", "price": "100.0",
    "timeInForce": "GTC", "transactTime": 1_700_000_000_000,
    "fills": [{"tradeId": 3, "price": "100.0", "qty": "0.2", "commission": "0.0002",
               "commissionAsset": "BTC"}],
}  # fmt: skip
PUSH: dict[str, object] = {
    "e": "executionReport", "E": 1_700_000_000_000, "s": "BTCUSDT", "c": "fx-1", "S": "BUY",
    "o": "LIMIT", "f": "GTC", "q": "0.5", "p": "100.0", "P": "0", "x": "TRADE", "X": "NEW",
    "i": 7, "l": "0.2", "z": "0.2", "L": "100.0", "t": 3, "T": 1_700_000_000_000, "C": "",
    "r": "NONE", "n": "0", "N": None,
}  # fmt: skip
TRADE: dict[str, object] = {
    "symbol": "BTCUSDT", "id": 3, "orderId": 7, "price": "100.0", "qty": "0.2",
    "time": 1_700_000_000_000, "isBuyer": True, "commission": "0", "commissionAsset": "BTC",
}  # fmt: skip

odd = st.sampled_from(
    [
        "NaN", "sNaN", "-NaN", "Infinity", "-Infinity", "1e400", "-1", "-0", "1E+15", "1e-400",
        "\uff11\uff12", "1_000", " 5 ", "", "0x1p3", "1,5", "9" * 400, "\x00", "null", "SELL",
        "FILLED", "CANCELED", "EXPIRED_IN_MATCH", "MARKET", "WELL", None, True, [], {}, -1, 0,
        2**63, 2**64, 1e308, 5e-324,
    ]
)  # fmt: skip
hostile = st.one_of(
    odd, odd, st.text(max_size=8), st.integers(), st.floats().map(str), st.decimals().map(str)
)


@st.composite
def spoilt(draw: st.DrawFn, whole: dict[str, object]) -> dict[str, object]:
    """A message with up to three of its fields changed or lost, also of the first of its fills."""
    message = dict(whole)
    fills = message.get("fills")
    if isinstance(fills, list) and draw(st.booleans()):
        message["fills"] = [draw(spoilt(fills[0]))]
    for name in draw(st.lists(st.sampled_from(sorted(whole)), max_size=3)):
        if draw(st.booleans()):
            message[name] = draw(hostile)
        else:
            message.pop(name, None)
    return message


def encoded(message: dict[str, object]) -> bytes:
    """As it may come over the wire; JSON knows no NaN, but some write it."""
    return json.dumps(message).encode()


def is_believable(number: Decimal) -> bool:
    """Whether it may be a price or a volume."""
    return number.is_finite() and 0 <= number < LARGEST


def check_report(report: OrderReport) -> None:
    """A report of an order that may be taken."""
    numbers = (report.volume, report.traded, report.price, report.stop_price)
    assert all(map(is_believable, numbers))
    assert report.state not in (OrderState.INTENT, OrderState.SENT, OrderState.IN_DOUBT)
    assert report.direction in (Direction.LONG, Direction.SHORT)
    assert report.venue_id
    utc(report.ts_ns)


def check_fill(fill: FillReport) -> None:
    """A fill that may be counted."""
    assert is_believable(fill.price)
    assert is_believable(fill.volume)
    assert fill.volume > 0
    assert fill.price > 0
    assert fill.trade_id
    trade_data(fill, "BINANCE")
    assert fill.direction in (Direction.LONG, Direction.SHORT)


@given(spoilt(ORDER))
def test_an_answer_is_believable_or_refused(message: dict[str, object]) -> None:
    """An answer to an order."""
    try:
        answer = msgspec.json.decode(encoded(message), type=OrderAnswer, strict=False)
        report, fills = order_mapping.order_report(answer), order_mapping.fills_of(answer)
    except (ValueError, msgspec.DecodeError):
        return
    check_report(report)
    for fill in fills:
        check_fill(fill)


@given(spoilt(PUSH))
def test_a_push_is_believable_or_refused(message: dict[str, object]) -> None:
    """A report of the user stream."""
    try:
        push = msgspec.json.decode(encoded(message), type=ExecutionReport, strict=False)
        report, fill = order_mapping.report_of_push(push), order_mapping.fill_of_push(push)
    except (ValueError, msgspec.DecodeError):
        return
    check_report(report)
    if fill is not None:
        check_fill(fill)


@given(spoilt(TRADE))
def test_a_trade_is_believable_or_refused(message: dict[str, object]) -> None:
    """A row of the list of trades."""
    try:
        trade = msgspec.json.decode(encoded(message), type=TradeAnswer, strict=False)
        fill = order_mapping.fill_of_trade(trade)
    except (ValueError, msgspec.DecodeError):
        return
    check_fill(fill)


@given(st.integers(100, 599), st.one_of(spoilt(ORDER).map(encoded), st.binary(max_size=64)))
def test_no_reply_makes_an_order_of_another(status: int, body: bytes) -> None:
    """Only 200 accepts, and only under our name; nothing that a reply holds can raise."""
    answer: Answer = evidence.placed(Reply(status, {}, body), "fx-1")
    if isinstance(answer, Accepted):
        assert status == 200
        assert answer.report.orderid == "fx-1"
        check_report(answer.report)
    else:
        assert isinstance(answer, Doubtful | Refused)


@given(
    st.integers(400, 599),
    st.one_of(st.integers(-10_000, 10_000), hostile),
    st.dictionaries(st.sampled_from(["Retry-After", "retry-after"]), st.text(max_size=12)),
)
def test_a_hold_is_bounded(status: int, code: object, headers: dict[str, str]) -> None:
    """Whatever stands in Retry-After: never negative, never more than the longest ban."""
    body = encoded({"code": code, "msg": "No."})
    answer = evidence.placed(Reply(status, headers, body), "fx-1")
    assert isinstance(answer, Doubtful | Refused)
    assert 0 <= answer.hold_s <= evidence.LONGEST_HOLD_S


prices = st.decimals("0.00000001", 10**6, places=8).map(float)


@given(st.sampled_from(sorted(order_mapping.ORDER_TYPES, key=lambda t: t.name)), prices, prices)
def test_what_is_asked_for_is_sent_exactly(kind: OrderType, price: float, volume: float) -> None:
    """No digit is lost, and none is in a form that the venue does not read."""
    request = OrderRequest(
        "BTCUSDT", Exchange.BINANCE, Direction.SHORT, kind, volume, price, stop_price=price
    )
    sent = order_mapping.parameters(OrderIntent("fx-1", request, 1), "BINANCE")
    assert Decimal(sent["quantity"]) == exact(volume)
    for field in ("quantity", "price", "stopPrice"):
        assert "e" not in sent.get(field, "").lower()
    assert sent.get("price", f"{exact(price):f}") == f"{exact(price):f}"
    assert sent["newClientOrderId"] == "fx-1"
