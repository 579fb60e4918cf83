"""What befalls trading on Binance as a whole: keys, clocks, limits, bans, streams and disks."""

from __future__ import annotations

import datetime as dt
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from foxtrot.adapter.binance import limits, orders
from foxtrot.errors import RateLimited
from foxtrot.execution import reconciler
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.constants import OrderType, Status
from foxtrot.model.objects import NS_PER_S
from foxtrot.model.requests import HistoryRequest
from tests.support.binance_venue import BinanceUnderTest
from tests.support.rig import SHORT, eventually
from tests.support.trading_rig import TRADING, TradingRig, trading

SYMBOL = "BTCUSDT"
TRADING_SOCKET = "/ws-api/v3"


@pytest.fixture
def rig(venue: BinanceUnderTest) -> Iterator[TradingRig]:
    """An engine with the adapter and its keys, not connected yet."""
    with trading(venue) as rig:
        yield rig


def test_a_wrong_secret_stops_trading_at_once(rig: TradingRig) -> None:
    """F60: -1022 is FAILED after one question; the words show neither key nor secret."""
    setting = {**rig.venue.setting(), **rig.venue.keys(), "secret": "not-the-right-secret"}
    rig.connect(setting)
    reason = rig.wait_trading(S.FAILED)
    assert "-1022" in reason
    assert "not-the-right-secret" not in reason + str(rig.adapter.health())
    assert len(signed(rig.venue)) == 1


def test_a_key_that_may_not_trade_brings_data() -> None:
    """F61: orders are rejected in the venue's words; account and market data go on."""
    venue = BinanceUnderTest(may_trade=False)
    venue.start()
    try:
        with trading(venue) as rig:
            rig.trade(SYMBOL)
            assert rig.refused(rig.send()).startswith("-2015: ")
            assert rig.account("USDT")[0] > 0
            rig.wait_fresh(SYMBOL)
            assert rig.adapter.state is S.READY
    finally:
        venue.stop()


def test_a_key_revoked_while_trading(rig: TradingRig) -> None:
    """F60: the key is refused from now on: the order is rejected, and trading stops soon."""
    rig.trade()
    rig.venue.forget_keys()
    assert rig.refused(rig.send()).startswith("-2015: ")
    rig.adapter.query_account()
    rig.wait_trading(S.FAILED)
    assert rig.refused(rig.send()).startswith("local:not_ready: trading is failed")


def test_a_clock_that_runs_away_is_set(rig: TradingRig) -> None:
    """F45: an order refused for its time is rejected; the clock is set, and the next one passes."""
    rig.trade()
    rig.venue.faults.inject("clock_skew", seconds=3_600)
    assert rig.refused(rig.send()).startswith("-1021: ")
    asked = times_asked(rig.venue)
    eventually(lambda: times_asked(rig.venue) >= asked, "the clock is asked for")
    eventually(lambda: taken(rig), "an order passes")
    rig.wait_agreed()


@pytest.mark.parametrize("ahead_s", [-3_600, 3_600])
def test_fills_are_found_by_the_venues_clock(rig: TradingRig, ahead_s: int) -> None:
    """F45: what filled during an outage is found, an hour before or behind our clock."""
    rig.venue.faults.inject("clock_skew", seconds=ahead_s)
    rig.trade()
    orderid = rig.rest()
    since = len(rig.log)
    rig.venue.faults.inject("refuse", rest=True)
    rig.venue.faults.inject("rst")
    rig.wait_trading(S.RECONNECTING, since)
    rig.venue.fill(orderid)
    rig.venue.faults.clear("refuse")
    rig.wait_order(orderid, Status.ALLTRADED)
    rig.wait_agreed()


def test_a_late_request_is_refused_before_it_is_given_up(rig: TradingRig) -> None:
    """F80: what is signed is void when the reconciler may take it for never arrived."""
    rig.trade()
    rig.rest()
    for _, _, params in signed(rig.venue):
        assert int(params["recvWindow"]) * 1_000_000 <= reconciler.GRACE_NS
    assert limits.RECEIVE_WINDOW_MS == 5_000


def test_too_many_new_orders_hold_new_orders_alone(rig: TradingRig) -> None:
    """F50: -1015 holds new orders for as long as the venue says, in words; cancels go."""
    rig.trade()
    orderid = rig.rest()
    headers = {"Retry-After": "30"}
    rig.venue.faults.inject("http_error", request="place", code=-1015, headers=headers, count=1)
    assert rig.refused(rig.send()).startswith("-1015: ")
    held = rig.refused(rig.send())
    assert held.startswith("local:held: the venue asked to wait (-1015: ")
    assert held.endswith("30 s left")
    rig.cancel(orderid)
    rig.wait_order(orderid, Status.CANCELLED)
    assert rig.trading().state is S.READY
    rig.adapter.resume()
    rig.rest()
    rig.wait_agreed()


@pytest.mark.parametrize("status", [418, 429])
@pytest.mark.parametrize("request_", ["place", "cancel", "open_orders"])
def test_a_ban_stops_everything(rig: TradingRig, status: int, request_: str) -> None:
    """F51: after 418, or 429 for its weight, nothing signed is sent before the time is over."""
    rig.trade()
    orderid = rig.rest()
    since = len(rig.log)
    headers = {"Retry-After": "2"}
    rig.venue.faults.inject(
        "http_error", request=request_, status=status, code=-1003, headers=headers, count=1
    )
    if request_ == "place":
        rig.send()
    elif request_ == "cancel":
        rig.cancel(orderid)
    else:
        rig.adapter.query_account()
    found = rig.wait_state(S.RECONNECTING, since=since, session=TRADING)
    assert found.delay_s >= 2.0
    asked = len(signed(rig.venue))
    words = rig.refused(rig.send())
    assert words.startswith("local:not_ready: ")
    assert "retry after 2 s" in words
    since = len(rig.log)
    rig.cancel(orderid)
    assert "not cancelled" in rig.wait_order(orderid, since=since).reason
    assert len(signed(rig.venue)) == asked
    rig.wait_trading(S.READY, since)
    rig.adapter.resume()
    rig.wait_served()
    rig.cancel(orderid)
    rig.wait_order(orderid, Status.CANCELLED)
    rig.wait_agreed()


def test_a_refusal_of_others_leaves_trading_as_it_is(
    rig: TradingRig, caplog: pytest.LogCaptureFixture
) -> None:
    """F51: a page of history is refused: nothing is asked for a while, and cancels go."""
    rig.trade()
    orderid = rig.rest()
    rig.venue.faults.inject(
        "http_error", path="/api/v3/klines", status=429, headers={"Retry-After": "60"}, count=1
    )
    hour = dt.timedelta(hours=1)
    asked = HistoryRequest(SYMBOL, rig.venue.exchange, dt.datetime.now(dt.UTC) - hour)
    with pytest.raises(RateLimited):
        rig.engine.query_history(asked, rig.name)
    rig.adapter.query_account()
    eventually(lambda: "question_unanswered" in caplog.text, "the account is asked for")
    rig.cancel(orderid)
    rig.wait_order(orderid, Status.CANCELLED)
    assert S.RECONNECTING not in rig.states(TRADING)


def test_a_reject_storm_pauses_new_orders(venue: BinanceUnderTest) -> None:
    """F85: so many rejections in a row, and new orders pause, in words; cancels go."""
    with trading(venue, {"orders.max_rejections": 3}) as rig:
        rig.trade()
        orderid = rig.rest()
        for _ in range(3):
            assert "insufficient balance" in rig.refused(rig.send(volume=10.0))
        assert "rejected too many orders in a row" in rig.refused(rig.send())
        rig.cancel(orderid)
        rig.wait_order(orderid, Status.CANCELLED)
        rig.adapter.resume()
        rig.rest()
        rig.wait_agreed()


@pytest.mark.parametrize("fault", ["user_terminated", "server_shutdown", "cut_24h"])
def test_a_user_stream_that_ends_is_replaced(rig: TradingRig, fault: str) -> None:
    """F64: trading goes on with a new stream; what happened meanwhile is told once."""
    rig.trade()
    orderid = rig.rest()
    since = len(rig.log)
    rig.venue.faults.inject(fault, path=TRADING_SOCKET)
    rig.wait_trading(S.READY, since)
    rig.venue.fill(orderid)
    rig.wait_order(orderid, Status.ALLTRADED)
    rig.wait_agreed()


@pytest.mark.parametrize("fault", ["refuse", "mute", "slow_handshake", "maintenance"])
def test_a_trading_socket_that_cannot_be_had_is_polled_around(
    venue: BinanceUnderTest, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """F01: orders go and are asked for; when the socket can be had again it is used again."""
    monkeypatch.setattr(orders, "_STREAM_RETRY_S", 0.5)
    monkeypatch.setattr(limits, "ACCOUNT_POLL_S", 0.3)
    venue.faults.inject(fault, path=TRADING_SOCKET)
    with trading(venue, {"connect.timeout_s": 1.0}) as rig:
        rig.trade()
        assert not rig.trading().pushed
        orderid = rig.rest()
        venue.fill(orderid, 0.2)
        rig.wait_trades(orderid, 1)
        venue.faults.clear()
        eventually(lambda: rig.trading().pushed, "the stream is back")
        venue.fill(orderid, 0.2)
        rig.wait_trades(orderid, 2)
        rig.wait_agreed()
        assert S.RECONNECTING not in rig.states(TRADING)


def test_a_subscription_that_is_refused_leaves_no_socket(venue: BinanceUnderTest) -> None:
    """F01: who polls holds no connection open for nothing."""
    venue.faults.inject("http_error", request="subscribe", code=-1000)
    with trading(venue) as rig:
        rig.trade()
        assert not rig.trading().pushed
        eventually(lambda: not sockets(venue), "the socket is closed")
        rig.rest()


def test_without_fall_back_the_socket_is_waited_for(venue: BinanceUnderTest) -> None:
    """F01: who wants no polling has no trading before the socket can be had."""
    venue.faults.inject("refuse", path=TRADING_SOCKET)
    with trading(venue, {"websocket.fallback_on_error": False}) as rig:
        rig.connect()
        rig.wait_trading(S.RECONNECTING)
        assert rig.refused(rig.send()).startswith("local:not_ready: ")
        venue.faults.clear()
        rig.wait_trading(S.READY)
        rig.wait_served()
        rig.rest()


def test_under_maintenance_orders_are_refused_here(rig: TradingRig) -> None:
    """F70: in words, and at once; what rested is there when it is over."""
    rig.trade()
    orderid = rig.rest()
    since = len(rig.log)
    rig.venue.faults.inject("maintenance")
    rig.venue.faults.inject("close", path=TRADING_SOCKET)
    rig.wait_trading(S.RECONNECTING, since)
    assert rig.refused(rig.send()).startswith("local:not_ready: ")
    rig.venue.faults.clear()
    rig.wait_trading(S.READY, since)
    rig.cancel(orderid)
    rig.wait_order(orderid, Status.CANCELLED)
    rig.wait_agreed()


def test_an_answer_behind_its_time_changes_nothing(rig: TradingRig) -> None:
    """F82: the reports were there before; no second order is sent for the one without an answer."""
    rig.trade()
    rig.venue.faults.inject("late_ack", request="place", seconds=1.5)
    orderid = rig.send()
    rig.wait_order(orderid, Status.NOTTRADED)
    rig.venue.fill(orderid, 0.2)
    rig.wait_order(orderid, Status.PARTTRADED)
    eventually(lambda: not placing(rig, orderid), "the answer was given up")
    rig.wait_agreed()
    assert rig.venue.received() == {orderid: 1}
    assert rig.statuses_of(orderid)[-1] is Status.PARTTRADED


def test_a_line_cut_between_the_parts_of_a_fill(rig: TradingRig) -> None:
    """F83: the traded total is the venue's after it, each part told once."""
    rig.trade()
    orderid = rig.rest()
    for part in range(4):
        rig.venue.fill(orderid, 0.1)
        if part % 2:
            since = len(rig.log)
            rig.venue.faults.inject("rst", path=TRADING_SOCKET)
            rig.venue.fill(orderid, 0.02)
            rig.wait_trading(S.READY, since)
    rig.wait_trades(orderid, 6)
    rig.wait_agreed()


def test_a_cancel_while_nobody_is_there(rig: TradingRig) -> None:
    """F84: it waits for a moment, then it is refused in words; the order is as open as it was."""
    rig.trade()
    orderid = rig.rest()
    since = len(rig.log)
    rig.venue.stop()
    rig.wait_trading(S.RECONNECTING, since)
    rig.cancel(orderid)
    told = rig.wait_order(orderid, since=since, where=lambda order: bool(order.reason))
    assert told.reason == "local:not_ready: not cancelled, trading is not ready"
    assert told.status is Status.NOTTRADED
    rig.venue.start()
    rig.wait_trading(S.READY, since)
    assert rig.venue.cancels() == []
    rig.wait_agreed()


def test_everything_late_is_everything(rig: TradingRig) -> None:
    """F72: with 0.2 s on each answer and each report orders live and end as without."""
    rig.trade()
    rig.venue.faults.inject("latency", seconds=0.2)
    orderid = rig.rest()
    rig.venue.fill(orderid, 0.2)
    rig.wait_trades(orderid)
    rig.cancel(orderid)
    rig.wait_order(orderid, Status.CANCELLED)
    rig.wait_agreed()


@pytest.mark.parametrize("fault", ["garbage_frame", "malformed_frame", "unknown_event"])
def test_a_frame_of_the_account_that_cannot_be_read(rig: TradingRig, fault: str) -> None:
    """F31: what it may have told is asked for; what is only unknown is passed over."""
    rig.trade()
    orderid = rig.rest()
    rig.venue.faults.inject(fault, channel="executionReport")
    rig.venue.fill(orderid, 0.2)
    rig.wait_trades(orderid)
    rig.wait_agreed()
    assert S.RECONNECTING not in rig.states(TRADING)


def test_a_venue_that_hangs_is_left(venue: BinanceUnderTest) -> None:
    """F20: nothing is answered any more: an order is in doubt, the session lost; then resolved."""
    with trading(venue, config=replace(SHORT, request_timeout_s=1.0)) as rig:
        rig.trade()
        since = len(rig.log)
        venue.faults.inject("mute", rest=True)
        orderid = rig.send()
        rig.wait_doubt(orderid)
        rig.wait_trading(S.RECONNECTING, since)
        venue.faults.clear()
        rig.wait_order(orderid, Status.NOTTRADED, Status.REJECTED)
        rig.wait_agreed()


def test_a_disk_that_is_full(rig: TradingRig) -> None:
    """F93: new orders are refused in words, cancels go; when there is room, orders pass."""
    rig.trade()
    orderid, left = rig.rest(volume=0.1), rig.rest(volume=0.1)
    with full_disk():
        assert rig.refused(rig.send()).startswith("local:journal: ")
        rig.cancel(orderid)
        rig.wait_order(orderid, Status.CANCELLED)
        rig.venue.fill(left, 0.04)
        rig.wait_trades(left)
        assert rig.trading().journal
    rig.rest(volume=0.1)
    assert not rig.trading().journal
    rig.adapter.close()
    with trading(rig.venue) as second:
        second.trade()
        second.wait_order(left, Status.PARTTRADED)
        second.wait_trades(left)
        second.settle()
        assert second.statuses_of(orderid) == [Status.CANCELLED]


def test_cancels_go_out_while_questions_wait(
    venue: BinanceUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F50: lists that are slow to come hold no cancel of a halt up."""
    monkeypatch.setattr("foxtrot.gateway.order_flow.CANCEL_AGAIN_S", 0.1)
    monkeypatch.setattr(reconciler, "GRACE_NS", NS_PER_S // 2)
    with trading(venue, config=replace(SHORT, request_timeout_s=10.0)) as rig:
        rig.trade()
        resting = [rig.rest(volume=0.01) for _ in range(3)]
        known = rig.trading().reconciled_ns
        venue.faults.inject("ack_swallowed", request="open_orders")
        venue.faults.inject("http_error", request="cancel", code=-1013, count=1)
        rig.adapter.query_account()
        eventually(lambda: not of_kind(venue, "ack_swallowed"), "a list is on its way")
        rig.adapter.halt()
        for orderid in resting:
            rig.wait_order(orderid, Status.CANCELLED)
        assert rig.trading().reconciled_ns == known


def test_the_market_may_be_lost_without_trading(rig: TradingRig) -> None:
    """F11: the line of the market data is cut; orders do not notice."""
    rig.trade(SYMBOL)
    orderid = rig.rest()
    since = len(rig.log)
    rig.venue.faults.inject("rst", path="/stream/ws/1")
    rig.wait_state(S.RECONNECTING, since=since)
    rig.cancel(orderid)
    rig.wait_order(orderid, Status.CANCELLED)
    assert S.RECONNECTING not in rig.states(TRADING)
    rig.wait_served()


def sockets(venue: BinanceUnderTest) -> int:
    """How many trading sockets stand."""
    return sum(connection.path == TRADING_SOCKET for connection in venue.sim.connections)


def placing(rig: TradingRig, orderid: str) -> bool:
    """Whether the answer to a new order is still awaited."""
    return any(f"place.{orderid}" in task for task in rig.tasks())


def of_kind(venue: BinanceUnderTest, name: str) -> bool:
    """Whether a fault still stands."""
    return any(fault.name == name for fault in venue.faults.faults())


def taken(rig: TradingRig) -> bool:
    """Whether the venue takes an order now."""
    orderid = rig.send(volume=0.01)
    return rig.wait_order(orderid, Status.NOTTRADED, Status.REJECTED).status is Status.NOTTRADED


def signed(venue: BinanceUnderTest) -> list[tuple[str, str, dict[str, str]]]:
    """The signed requests that came in."""
    return [each for each in venue.sim.seen.requests if "timestamp" in each[2]]


def times_asked(venue: BinanceUnderTest) -> int:
    """How often the venue was asked for its time."""
    return sum(path == "/api/v3/time" for _, path, _ in venue.sim.seen.requests)


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process can grow."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_no_two_refused_orders_share_a_name(rig: TradingRig) -> None:
    """Whoever refuses: before trading is ready, for its type, or while halted."""
    names = [rig.send(), rig.send(OrderType.RFQ)]
    rig.trade()
    rig.adapter.halt("now")
    names += [rig.send(), rig.send(OrderType.RFQ)]
    assert all(rig.refused(name).startswith("local:") for name in names)
    assert len(set(names)) == len(names)
