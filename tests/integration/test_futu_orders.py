"""Orders at the simulated OpenD through the whole engine: desk, journal, session and wire."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from foxtrot.adapter.futu import limits
from foxtrot.adapter.futu.schema import Message, Proto
from foxtrot.execution import reconciler
from foxtrot.model.constants import ConnectionState, Direction, OrderType, Status
from foxtrot.model.objects import NS_PER_S
from foxtrot.simulator.futu_accounts import DEFAULT_ACCOUNTS
from tests.support.futu_books import FutuBooks
from tests.support.rig import WAIT_S, eventually
from tests.support.trading_rig import TRADING, TradingRig, trading

VOLUME = 300.0
TENCENT = FutuBooks.symbols[0]
MANY = {"orders.max_per_second": 1000}
ENOUGH = dict.fromkeys(limits.PER_WINDOW, 10_000)
TIMED_OUT, FAILED = 4, 21


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request is late after a fraction of a second, and the venue takes any number of them."""
    monkeypatch.setattr(reconciler, "GRACE_NS", NS_PER_S // 2)
    monkeypatch.setattr(reconciler, "UNBOUNDED", 1)
    monkeypatch.setattr(reconciler, "APART_NS", NS_PER_S // 5)
    monkeypatch.setattr(limits, "PER_WINDOW", ENOUGH)
    monkeypatch.setattr(limits, "APART_S", {})


@contextmanager
def listening(*, paper: bool = False) -> Iterator[FutuBooks]:
    """An OpenD."""
    books = FutuBooks(paper=paper)
    books.start()
    try:
        yield books
    finally:
        books.stop()


@pytest.fixture
def books() -> Iterator[FutuBooks]:
    """An OpenD whose real account is traded."""
    with listening() as books:
        yield books


@pytest.fixture
def rig(books: FutuBooks) -> Iterator[TradingRig]:
    """An engine that may send orders to it."""
    with trading(books, MANY) as rig:
        rig.trade(TENCENT)
        yield rig


@pytest.mark.parametrize("paper", [False, True])
def test_an_order_lives_fills_and_is_cancelled(paper: bool) -> None:
    """Send, fill a part, cancel the rest: each step is told once, on paper too."""
    with listening(paper=paper) as books, trading(books, MANY) as rig:
        rig.trade(TENCENT)
        orderid = rig.rest(volume=VOLUME)
        books.fill(orderid, 100)
        rig.wait_order(orderid, Status.PARTTRADED)
        rig.cancel(orderid)
        rig.wait_order(orderid, Status.CANCELLED)
        rig.wait_agreed()
        assert rig.statuses_of(orderid) == [
            Status.SUBMITTING,
            Status.NOTTRADED,
            Status.PARTTRADED,
            Status.CANCELLED,
        ]
        (fill,) = rig.fills(orderid)
        assert (fill.volume, fill.price) == (100, books.resting_price(TENCENT))
        eventually(lambda: rig.position(TENCENT) == 100, "the position is told")
        assert not books.sim.violations


@pytest.mark.parametrize("halts", [True, False])
def test_a_halt_or_a_cancel_stops_what_still_waits_for_its_turn(
    books: FutuBooks, rig: TradingRig, monkeypatch: pytest.MonkeyPatch, halts: bool
) -> None:
    """Futu wants time between two orders; a market order that goes after a halt would fill."""
    first = rig.send(OrderType.MARKET, volume=100.0)
    rig.wait_order(first, Status.ALLTRADED)
    turn, waits, comes = limits.Pace.turn, threading.Event(), asyncio.Event()

    async def later(pace: limits.Pace, proto: int, c2s: Message, *, spare: int = 0) -> None:
        if proto == Proto.Trd_PlaceOrder:
            waits.set()
            await comes.wait()
        await turn(pace, proto, c2s, spare=spare)

    async def come() -> None:
        comes.set()

    monkeypatch.setattr(limits.Pace, "turn", later)
    second = rig.send(OrderType.MARKET, volume=100.0)
    assert waits.wait(WAIT_S)
    rig.adapter.halt("by hand") if halts else rig.cancel(second)
    rig.wait_carried_out()
    rig.engine.bridge.run(come(), WAIT_S)
    reason = "halted: by hand" if halts else "cancelled before it was sent"
    ended = rig.wait_order(second, Status.REJECTED if halts else Status.CANCELLED)
    assert ended.reason == f"local:not_sent: {reason}"
    assert books.received() == {first: 1}
    rig.wait_agreed()


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("paper", [False, True])
def test_orders_that_fill_at_once_end_as_filled(early: bool, paper: bool) -> None:
    """20 of 20, whether the pushes come before the answer to the order or after it."""
    with listening(paper=paper) as books, trading(books, MANY) as rig:
        rig.trade(TENCENT)
        books.sim.desk.push_first(early)
        sent = [rig.send(OrderType.MARKET, volume=100.0) for _ in range(20)]
        for orderid in sent:
            rig.wait_order(orderid, Status.ALLTRADED)
        rig.wait_agreed()
        assert [each.status for each in rig.last_of_each()] == [Status.ALLTRADED] * 20
        assert {orderid: len(rig.fills(orderid)) for orderid in sent} == dict.fromkeys(sent, 1)


@pytest.mark.parametrize("fault", ["late_reports", "duplicate_reports", "reordered"])
def test_late_and_repeated_pushes_change_nothing(
    books: FutuBooks, rig: TradingRig, fault: str
) -> None:
    """What comes late, twice or in another order is counted once."""
    books.faults.inject(fault)
    orderid = rig.send(OrderType.MARKET, volume=VOLUME)
    rig.wait_order(orderid, Status.ALLTRADED)
    rig.wait_agreed()


@pytest.mark.parametrize("kind", [OrderType.STOP, OrderType.STOP_LIMIT, OrderType.FOK])
def test_every_kind_of_order_reaches_futu(
    books: FutuBooks, rig: TradingRig, kind: OrderType
) -> None:
    """Stops wait and can be cancelled; what cannot be filled at once ends by itself."""
    above = books.crossing_price(TENCENT) + 10
    if kind is OrderType.FOK:
        orderid = rig.send(kind, volume=VOLUME)
        rig.wait_order(orderid, Status.CANCELLED, Status.REJECTED)
    else:
        price = above if kind is OrderType.STOP_LIMIT else 0.0
        orderid = rig.send(kind, volume=VOLUME, price=price, stop_price=above)
        rig.wait_order(orderid, Status.NOTTRADED)
        rig.cancel(orderid)
        rig.wait_order(orderid, Status.CANCELLED)
    rig.wait_agreed()


def test_a_sale_short_is_a_position_below_zero(books: FutuBooks, rig: TradingRig) -> None:
    """Sold at the market, the position is told with its sign; bought back, it is 0."""
    sold = rig.send(OrderType.MARKET, volume=VOLUME, direction=Direction.SHORT)
    rig.wait_order(sold, Status.ALLTRADED)
    eventually(lambda: rig.position(TENCENT) == -VOLUME, "the position is short")
    assert rig.account(str(DEFAULT_ACCOUNTS[0].acc_id))[0] > 0


@pytest.mark.parametrize("fault", ["ack_swallowed", "ack_reset", "request_swallowed"])
def test_an_order_whose_answer_is_lost_is_found_by_its_remark(
    books: FutuBooks, rig: TradingRig, fault: str
) -> None:
    """It is sent once; if Futu has it it lives, if not it never arrived."""
    books.faults.inject(fault, request="place")
    orderid = rig.send(volume=VOLUME)
    if fault == "request_swallowed":
        assert "never reached" in rig.refused(orderid)
    else:
        rig.wait_order(orderid, Status.NOTTRADED)
        books.fill(orderid)
        rig.wait_order(orderid, Status.ALLTRADED)
    rig.wait_agreed()
    assert books.received().get(orderid, 0) <= 1


@pytest.mark.parametrize("later", [False, True])
def test_what_futu_refuses_is_rejected_in_its_words(
    books: FutuBooks, rig: TradingRig, later: bool
) -> None:
    """In the answer to the order, or after it was taken."""
    books.sim.desk.reject_next("买入股数错误", later=later)
    orderid = rig.send(volume=VOLUME)
    assert "买入股数错误" in rig.refused(orderid)
    assert rig.statuses_of(orderid)[-1] is Status.REJECTED


@pytest.mark.parametrize("status", [TIMED_OUT, -1, 77])
def test_a_status_that_proves_nothing_is_told_of_that_order(
    books: FutuBooks, rig: TradingRig, status: int
) -> None:
    """The order stays what it was, with the reason; people are told; later news counts."""
    orderid = rig.rest(volume=VOLUME)
    books.sim.desk.tell(orderid, status)
    told = rig.wait_order(orderid, where=lambda order: f"status {status}" in order.reason)
    assert told.status is Status.NOTTRADED
    rig.wait_log(f"{orderid}: Futu shows order status {status}")
    books.sim.desk.order(orderid).told = None
    books.fill(orderid)
    rig.wait_order(orderid, Status.ALLTRADED)
    rig.wait_agreed()


def test_an_order_that_timed_out_at_futu_is_not_given_up(books: FutuBooks, rig: TradingRig) -> None:
    """Nobody knows what became of it: it is neither refused nor sent again until Futu does."""
    books.sim.desk.reject_next("处理超时", later=True, status=TIMED_OUT)
    orderid = rig.send(volume=VOLUME)
    told = rig.wait_order(orderid, where=lambda order: "status 4" in order.reason)
    assert told.is_active()
    books.sim.desk.tell(orderid, FAILED, "服务拒绝")
    assert "服务拒绝" in rig.refused(orderid)
    assert books.received() == {orderid: 1}


def test_an_order_is_replaced_by_another_name(books: FutuBooks, rig: TradingRig) -> None:
    """The new one is sent once the old one is cancelled, as remarks cannot be changed."""
    orderid = rig.rest(volume=VOLUME)
    price = books.resting_price(TENCENT) - 1
    newer = rig.adapter.modify_order(orderid, price=price, volume=200.0)
    newer = newer.removeprefix(f"{rig.name}.")
    rig.wait_order(orderid, Status.CANCELLED)
    rig.wait_order(newer, Status.NOTTRADED)
    rig.wait_agreed()


def test_a_cancel_that_comes_too_late_is_answered_by_the_fill(
    books: FutuBooks, rig: TradingRig
) -> None:
    """Futu refuses the cancel, as the order has traded: that is what is told."""
    orderid = rig.rest(volume=VOLUME)
    books.faults.inject("cancel_race")
    rig.cancel(orderid)
    rig.wait_order(orderid, Status.ALLTRADED)
    rig.wait_agreed()


@pytest.mark.parametrize("paper", [False, True])
def test_what_happened_while_away_is_told_on_the_way_back(paper: bool) -> None:
    """One fills in two parts, one ends, one is placed by hand meanwhile: each told once."""
    with listening(paper=paper) as books, trading(books, MANY) as rig:
        rig.trade(TENCENT)
        filled, ended, kept = (rig.rest(volume=VOLUME) for _ in range(3))
        books.fill(filled, 100)
        rig.wait_order(filled, Status.PARTTRADED)
        since = len(rig.log)
        books.stop()
        rig.wait_trading(ConnectionState.RECONNECTING, since=since)
        books.start()
        books.fill(filled)
        books.end(ended)
        rig.wait_order(filled, Status.ALLTRADED)
        rig.wait_order(ended, Status.CANCELLED)
        rig.wait_trading(ConnectionState.READY, since=since)
        rig.wait_agreed()
        assert sum(each.volume for each in rig.fills(filled)) == VOLUME
        rig.cancel(kept)
        rig.wait_order(kept, Status.CANCELLED)


@pytest.mark.parametrize("anew", [False, True], ids=["reconnect", "connect"])
def test_a_position_that_was_closed_while_away_is_told(
    books: FutuBooks, rig: TradingRig, anew: bool
) -> None:
    """OpenD lists it no more, and shown as held it would be sold a second time."""
    bought = rig.send(OrderType.MARKET, volume=VOLUME)
    eventually(lambda: rig.position(TENCENT) == VOLUME, "it is held")
    price = books.crossing_price(TENCENT) + 5
    sold = rig.send(volume=VOLUME, direction=Direction.SHORT, price=price)
    rig.wait_order(bought, Status.ALLTRADED)
    rig.wait_order(sold, Status.NOTTRADED)
    since = len(rig.log)
    books.stop()
    rig.wait_trading(ConnectionState.RECONNECTING, since=since)
    books.start()
    books.fill(sold)
    if anew:
        rig.connect()
    rig.wait_trading(ConnectionState.READY, since=since)
    rig.wait_order(sold, Status.ALLTRADED)
    eventually(lambda: rig.position(TENCENT) == 0, "it is told as closed")


@pytest.mark.parametrize("paper", [False, True])
def test_another_run_of_the_program_goes_on_where_the_first_ended(paper: bool) -> None:
    """A fill that was told is not told again, and the rest of the order is, under its own name."""
    with listening(paper=paper) as books:
        with trading(books, MANY) as rig:
            rig.trade(TENCENT)
            orderid = rig.rest(volume=VOLUME)
            books.fill(orderid, 100)
            rig.wait_trades(orderid)
        books.fill(orderid)
        with trading(books, MANY) as rig:
            rig.trade(TENCENT)
            rig.wait_order(orderid, Status.ALLTRADED)
            rig.wait_trades(orderid, 2)
            assert {each.tradeid for each in rig.fills(orderid)} == {
                each.trade_id for each in books.traded()
            }


def test_orders_placed_by_hand_are_external(books: FutuBooks, rig: TradingRig) -> None:
    """They are told under Futu's name for them, filled or not."""
    venue_id = books.place_by_hand(TENCENT, 200, books.resting_price(TENCENT))
    rig.wait_order(f"ext-{venue_id}", Status.NOTTRADED)
    books.fill(venue_id)
    rig.wait_order(f"ext-{venue_id}", Status.ALLTRADED)
    rig.wait_agreed()


def test_trading_that_somebody_locked_is_unlocked_by_the_next_session(
    books: FutuBooks, rig: TradingRig
) -> None:
    """A locked OpenD refuses in words; with its restart the password is sent again."""
    books.sim.desk.lock()
    assert "解锁" in rig.refused(rig.send(volume=VOLUME))
    since = len(rig.log)
    books.stop()
    books.start()
    rig.wait_trading(ConnectionState.READY, since=since)
    rig.rest(volume=VOLUME)


def test_a_wrong_password_ends_trading_and_is_not_tried_again(books: FutuBooks) -> None:
    """The reason is told, and Futu is not asked until it locks the account."""
    with trading(books, MANY) as rig:
        rig.connect({**books.setting(), "password": "654321"})
        reason = rig.wait_state(ConnectionState.FAILED, session=TRADING).reason
        assert "密码" in reason
        assert books.sim.desk.unlocks == 1


def test_an_opend_that_is_unlocked_by_hand_alone_trades_all_the_same(books: FutuBooks) -> None:
    """One with a window refuses every password: orders wait for who sits before it."""
    words = "请使用右上角解锁按钮解锁交易，GUI版本OpenD已屏蔽解锁接口"
    books.sim.faults.inject("error_ack", request="unlock", body=words)
    with trading(books, MANY) as rig:
        rig.trade(TENCENT)
        assert "解锁" in rig.refused(rig.send(volume=VOLUME))
        books.sim.accounts.unlocked = True
        rig.rest(volume=VOLUME)
