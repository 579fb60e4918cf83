"""What each answer of Binance proves, over the real client: rejected, in doubt, or never sent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from foxtrot.execution import reconciler
from foxtrot.gateway import untold
from foxtrot.model.constants import OrderType, Status
from foxtrot.model.objects import NS_PER_S
from tests.support.binance_venue import BinanceUnderTest
from tests.support.rig import eventually
from tests.support.trading_rig import TradingRig, in_doubt, trading

Fault = tuple[str, dict[str, object]]

REFUSALS = (-1013, -1014, -1020, -1022, -1099, -1100, -1106, -1111, -1121, -2010, -2014, -2015)
"""The venue's own no. Too many requests and a wrong clock, which do more, are in `test_orders`."""

NOT_THERE = (-2011, -1121)
"""To a cancel: it may have traded, or have gone with its symbol."""

OPEN_CODES = (-1000, -1001, -1006, -1007, -1008, -1016, -1034, -9999)
OPEN_STATUSES = (403, 500, 502, 503, 504)
UNREADABLE = ("truncated_body", "html_body", "nameless_ack", "foreign_ack")

STILL_OPEN = "cancel refused: the venue still shows it as open"

OPEN: tuple[Fault, ...] = (
    *(("http_error", {"code": code, "status": 400}) for code in OPEN_CODES),
    *(("http_error", {"code": code, "status": 500}) for code in OPEN_CODES),
    *(("http_error", {"status": status}) for status in OPEN_STATUSES),
    ("http_error", {"status": 503, "code": -2010}),
    ("http_error", {"status": 400, "body": "<html>a proxy</html>"}),
    ("http_error", {"status": 401, "body": "{}"}),
)


@pytest.fixture(autouse=True)
def quick_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request is known to be late after a second; a silent stream is no concern here."""
    monkeypatch.setattr(untold, "SILENCE_S", 60.0)
    monkeypatch.setattr(reconciler, "GRACE_NS", NS_PER_S)
    monkeypatch.setattr(reconciler, "APART_NS", NS_PER_S // 5)


@pytest.fixture
def rig(venue: BinanceUnderTest) -> Iterator[TradingRig]:
    """Ready to trade, with caps that no loop of a test meets."""
    caps: dict[str, object] = {
        "orders.max_rejections": 1_000,
        "orders.max_open": 1_000,
        "orders.max_per_second": 1_000,
    }
    with trading(venue, caps) as rig:
        rig.trade()
        yield rig


def test_each_refusal_of_an_order_rejects_it(rig: TradingRig) -> None:
    """The venue's code and words are the reason; nothing is sent a second time."""
    for code in REFUSALS:
        rig.venue.faults.inject("http_error", request="place", code=code, count=1)
        orderid = rig.send(volume=0.01)
        assert rig.refused(orderid).startswith(f"{code}: ")
        assert not any(in_doubt(order) for order in rig.orders(orderid))
    assert set(rig.venue.received().values()) == {1}
    rig.wait_agreed()


@pytest.mark.parametrize("acts", [True, False], ids=["carried out", "not carried out"])
def test_each_open_answer_leaves_an_order_in_doubt(rig: TradingRig, acts: bool) -> None:
    """It ends as the venue has it: open if it was carried out, or else proved never to have been.

    No push may help: the stream is silent.
    """
    rig.venue.faults.inject("silent")
    orders = [struck(rig, "place", fault, acts=acts) for fault in OPEN]
    for orderid in orders:
        rig.wait_doubt(orderid)
    for orderid in orders:
        rig.wait_order(orderid, Status.NOTTRADED if acts else Status.REJECTED)
    assert set(rig.venue.received().values()) == {1}
    rig.venue.faults.clear()
    rig.wait_agreed()


def test_each_unreadable_success_leaves_an_order_in_doubt(rig: TradingRig) -> None:
    """200 proves nothing, unless it can be read and is about this order."""
    rig.venue.faults.inject("silent")
    orders = [struck(rig, "place", (name, {}), acts=None) for name in UNREADABLE]
    for orderid in orders:
        rig.wait_doubt(orderid)
        rig.wait_order(orderid, Status.NOTTRADED)
    rig.venue.faults.clear()
    rig.wait_agreed()


def test_each_refusal_of_a_cancel_leaves_the_order_open(rig: TradingRig) -> None:
    """It is as open as before, and says why."""
    orderid = rig.rest(volume=0.01)
    for code in set(REFUSALS) - set(NOT_THERE):
        rig.venue.faults.inject("http_error", request="cancel", code=code, count=1)
        since = len(rig.log)
        rig.cancel(orderid)
        words = f"cancel refused: {code}: "
        rig.wait_order(
            orderid, Status.NOTTRADED, since=since, where=lambda o, w=words: o.reason.startswith(w)
        )
    rig.cancel(orderid)
    rig.wait_order(orderid, Status.CANCELLED)
    rig.wait_agreed()


@pytest.mark.parametrize("acts", [True, False], ids=["carried out", "not carried out"])
def test_each_open_answer_to_a_cancel_is_looked_into(rig: TradingRig, acts: bool) -> None:
    """The order ends as the venue has it."""
    rig.venue.faults.inject("silent")
    faults = (*OPEN, *(("http_error", {"code": code, "status": 400}) for code in NOT_THERE))
    orders = [rig.rest(volume=0.01) for _ in faults]
    since = len(rig.log)
    for orderid, fault in zip(orders, faults, strict=True):
        strike(rig, "cancel", fault, acts=acts)
        rig.cancel(orderid)
        eventually(lambda name=orderid: name in rig.venue.cancels(), "it came in")
    for orderid in orders:
        if acts:
            rig.wait_order(orderid, Status.CANCELLED)
        else:
            rig.wait_order(orderid, since=since, where=lambda o: o.reason == STILL_OPEN)
    rig.venue.faults.clear()
    rig.wait_agreed()


def test_each_unreadable_success_of_a_cancel_is_looked_into(rig: TradingRig) -> None:
    """A cancel counts when its answer can be read and is about this order."""
    rig.venue.faults.inject("silent")
    for name in UNREADABLE:
        orderid = rig.rest(volume=0.01)
        strike(rig, "cancel", (name, {}), acts=None)
        rig.cancel(orderid)
        rig.wait_order(orderid, Status.CANCELLED)
    rig.venue.faults.clear()
    rig.wait_agreed()


def test_what_never_left_is_rejected_here(
    venue: BinanceUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No connection could be made: that is proof enough, and said to be ours."""
    monkeypatch.setattr("foxtrot.adapter.binance.limits.ACCOUNT_POLL_S", 60.0)
    with trading(venue, {"websocket.enabled": False}) as rig:
        rig.trade()
        left = rig.rest(volume=0.01)
        venue.stop()
        orderid = rig.send(volume=0.01)
        assert rig.refused(orderid).startswith("local:not_sent: not sent: cannot connect to ")
        since = len(rig.log)
        rig.cancel(left)
        told = rig.wait_order(left, since=since, where=lambda o: bool(o.reason))
        assert told.reason.startswith("cancel refused: not sent: ")
        venue.start()


def strike(rig: TradingRig, request: str, fault: Fault, *, acts: bool | None) -> None:
    """Spoil the next request of a kind."""
    name, params = fault
    known = {} if acts is None else {"acts": acts}
    rig.venue.faults.inject(name, request=request, count=1, **params, **known)


def struck(rig: TradingRig, request: str, fault: Fault, *, acts: bool | None) -> str:
    """Send an order whose answer is spoilt; it came in when this returns."""
    strike(rig, request, fault, acts=acts)
    orderid = rig.send(volume=0.01)
    eventually(lambda: orderid in rig.venue.received(), "it came in")
    return orderid


def test_an_order_at_market_is_judged_by_the_book_where_nobody_subscribed(
    rig: TradingRig,
) -> None:
    """It goes if it is small enough; it is stopped if it is too large, or if nobody can say."""
    taken = rig.send(OrderType.MARKET, volume=0.01, symbol="ETHUSDT")
    rig.wait_order(taken, Status.ALLTRADED)
    rig.change_settings({"orders.max_notional": 1.0})
    large = rig.send(OrderType.MARKET, volume=0.01, symbol="ETHUSDT")
    assert "max_notional" in rig.refused(large)
    rig.change_settings({})
    rig.venue.faults.inject("http_error", path="/api/v3/depth", status=503, count=0)
    blind = rig.send(OrderType.MARKET, volume=0.01, symbol="ETHUSDT")
    assert "no price is known to judge it by" in rig.refused(blind)
