"""What befalls orders at Futu: answers that never come or say nothing, lost pushes, other hands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from foxtrot.adapter.futu import limits
from foxtrot.adapter.futu.schema import Proto
from foxtrot.adapter.futu.sdk import sdk
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.constants import OrderType, Status
from foxtrot.simulator.futu import FutuLimits
from tests.support.futu_house import (
    BABA,
    FUTU_SHORT,
    LOT,
    QUOTES,
    TENCENT,
    TRADER,
    House,
    hasten,
    living,
    standing,
)
from tests.support.house import healed, kept
from tests.support.rig import eventually
from tests.support.trading_rig import TRADING, TradingRig

WHOLE = 300.0
"""A volume that can be filled in parts."""
PER_WINDOW = limits.PER_WINDOW
"""As it is, not as it is made for tests."""
TOO_OFTEN = "下单频率太高，请求失败，每30秒最多15次。"


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    """The SDK's network thread lives as long as the process, so it is there before all else."""
    sdk()


@pytest.fixture(autouse=True)
def hastened(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits without need waits shortly."""
    hasten(monkeypatch)


@pytest.fixture
def house() -> Iterator[House]:
    """An OpenD whose market moves by hand."""
    with standing() as house:
        yield house


@pytest.fixture
def rig(house: House) -> Iterator[TradingRig]:
    """Orders are taken."""
    with living(house) as rig:
        rig.trade(TENCENT)
        yield rig


@pytest.mark.parametrize("fault", ["request_swallowed", "request_reset"])
def test_an_order_that_never_arrived(rig: TradingRig, fault: str) -> None:
    """F80: in doubt; Futu lists it nowhere, twice: rejected, and never sent again."""
    rig.venue.faults.inject(fault, request="place")
    orderid = rig.send(volume=LOT)
    rig.wait_doubt(orderid)
    rig.wait_order(orderid, Status.REJECTED)
    healed(rig)
    assert orderid not in rig.venue.received()


@pytest.mark.parametrize("fault", ["ack_swallowed", "ack_reset"])
@pytest.mark.parametrize("fills", [False, True])
def test_an_order_whose_answer_never_came(rig: TradingRig, fault: str, fills: bool) -> None:
    """F80: what is pushed or listed shows it by its remark: open, or filled, told once."""
    rig.venue.faults.inject(fault, request="place")
    price = rig.venue.crossing_price(TENCENT) if fills else None
    orderid = rig.send(price=price, volume=LOT)
    rig.wait_order(orderid, Status.ALLTRADED if fills else Status.NOTTRADED)
    healed(rig)
    assert rig.venue.received() == {orderid: 1}
    assert len(rig.fills(orderid)) == fills


@pytest.mark.parametrize("fault", ["bad_checksum", "unknown_format", "half_frame"])
def test_an_answer_that_cannot_be_read(rig: TradingRig, fault: str) -> None:
    """F81: it proves nothing; the order is what is pushed or listed, and is sent once."""
    rig.venue.faults.inject(fault, path=TRADER)
    orderid = rig.send(volume=LOT)
    rig.wait_order(orderid, Status.NOTTRADED)
    healed(rig)
    assert rig.venue.received() == {orderid: 1}


def test_an_answer_that_proves_nothing(rig: TradingRig) -> None:
    """F81: Futu's servers did not answer OpenD: in doubt until the lists were asked."""
    rig.venue.faults.inject("error_ack", request="place", body="请求超时")
    orderid = rig.send(volume=LOT)
    rig.wait_doubt(orderid)
    rig.wait_order(orderid, Status.REJECTED)
    rig.wait_agreed()


def test_an_answer_behind_its_time(rig: TradingRig) -> None:
    """F82: OpenD answers after it was asked what became of the order: no second one is sent."""
    rig.venue.faults.inject("late_ack", request="place", seconds=1.5)
    orderid = rig.send(volume=WHOLE)
    rig.wait_order(orderid, Status.NOTTRADED)
    rig.venue.fill(orderid, LOT)
    rig.wait_order(orderid, Status.PARTTRADED)
    healed(rig)
    assert rig.venue.received() == {orderid: 1}


@pytest.mark.parametrize("early", [False, True], ids=["answer first", "push first"])
def test_whatever_comes_first_an_order_ends_once(
    house: House, rig: TradingRig, early: bool
) -> None:
    """F41: the push may come before the answer: no order goes back, no fill is told twice."""
    house.sim.desk.push_first(early)
    orders = [rig.send(OrderType.MARKET, volume=LOT) for _ in range(5)]
    for orderid in orders:
        rig.wait_order(orderid, Status.ALLTRADED)
    rig.wait_agreed()
    assert {each.status for each in rig.last_of_each()} == {Status.ALLTRADED}


@pytest.mark.parametrize(
    ("fault", "params"),
    [
        ("reordered", {"channel": "deal", "count": 0}),
        ("reordered", {"channel": "order", "count": 0}),
        ("late_reports", {"seconds": 0.3}),
        ("duplicate_reports", {}),
    ],
    ids=["deals behind", "orders behind", "all late", "all twice"],
)
def test_reports_in_another_order(rig: TradingRig, fault: str, params: dict[str, object]) -> None:
    """F41: whatever comes first, or twice: no order goes back, each fill is told once."""
    orderid, other = rig.rest(volume=WHOLE), rig.rest(symbol=BABA, volume=LOT)
    rig.venue.faults.inject(fault, **params)
    rig.venue.fill(orderid, LOT)
    rig.wait_trades(orderid)
    rig.venue.fill(orderid)
    rig.cancel(other, BABA)
    rig.wait_order(orderid, Status.ALLTRADED)
    rig.wait_order(other, Status.CANCELLED)
    rig.venue.faults.clear()
    rig.wait_agreed()
    traded = [each.traded for each in rig.orders(orderid)]
    assert traded == sorted(traded)


@pytest.mark.parametrize("fault", ["bad_checksum", "unknown_format"])
def test_a_report_that_cannot_be_read_is_asked_for(rig: TradingRig, fault: str) -> None:
    """F31: order and deal are pushed, and neither can be read: the lists tell them, at once."""
    orderid = rig.rest(volume=LOT)
    rig.venue.faults.inject(fault, path=TRADER, count=2)
    rig.venue.fill(orderid)
    rig.wait_order(orderid, Status.ALLTRADED)
    assert kept(rig)
    healed(rig)


def test_a_report_that_is_lost_is_found(house: House) -> None:
    """F42: the line stands and a push got lost: the next look at the lists tells it, once."""
    with living(house, config=replace(FUTU_SHORT, reconcile_s=0.3)) as rig:
        rig.trade(TENCENT)
        orderid = rig.rest(volume=LOT)
        house.faults.inject("mute", path=TRADER)
        house.fill(orderid)
        house.faults.clear()
        rig.wait_order(orderid, Status.ALLTRADED)
        assert kept(rig)
        healed(rig)


def test_what_happened_while_nobody_listened(house: House, rig: TradingRig) -> None:
    """F42: one filled in two parts, one ended, one placed by hand: each told once, on the return.

    A push behind the lists tells nothing twice.
    """
    filled, ended = rig.rest(volume=WHOLE), rig.rest(volume=LOT)
    since = len(rig.log)
    house.faults.inject("refuse")
    house.faults.inject("rst", path=TRADER)
    rig.wait_trading(S.RECONNECTING, since)
    house.fill(filled, LOT)
    house.fill(filled)
    house.end(ended)
    theirs = f"ext-{house.place_by_hand(TENCENT, LOT, house.resting_price(TENCENT))}"
    house.faults.clear()
    rig.wait_order(filled, Status.ALLTRADED)
    rig.wait_order(ended, Status.CANCELLED)
    rig.wait_order(theirs, Status.NOTTRADED)
    assert len(rig.wait_trades(filled, 2)) == 2
    healed(rig)


def test_a_line_cut_between_the_parts_of_a_fill(rig: TradingRig) -> None:
    """F83: the traded total is Futu's after it, each part told once, also those while away."""
    orderid = rig.rest(volume=1_000.0)
    for part in range(4):
        rig.venue.fill(orderid, LOT)
        if part % 2:
            since = len(rig.log)
            rig.venue.faults.inject("rst", path=TRADER)
            rig.venue.fill(orderid, LOT)
            rig.wait_trading(S.READY, since)
    rig.wait_trades(orderid, 6)
    healed(rig)


@pytest.mark.parametrize("fault", ["request_swallowed", "ack_swallowed", "ack_reset"])
def test_a_cancel_without_an_answer(rig: TradingRig, fault: str) -> None:
    """F84: the order is what Futu lists in the end: open still, or cancelled."""
    orderid = rig.rest(volume=LOT)
    rig.venue.faults.inject(fault, request="cancel")
    rig.cancel(orderid)
    eventually(lambda: not rig.venue.faults.faults(), "the cancel was taken")
    if fault == "request_swallowed":
        eventually(lambda: not rig.trading().in_doubt, "nothing is in doubt")
    else:
        rig.wait_order(orderid, Status.CANCELLED)
    healed(rig)


def test_a_cancel_that_meets_a_fill(rig: TradingRig) -> None:
    """F84: Futu refuses the cancel, as the order has traded: that is told, once."""
    rig.venue.faults.inject("cancel_race")
    orderid = rig.rest(volume=LOT)
    rig.cancel(orderid)
    rig.wait_order(orderid, Status.ALLTRADED)
    rig.wait_agreed()
    assert Status.CANCELLED not in rig.statuses_of(orderid)


def test_orders_while_nobody_is_there(house: House, rig: TradingRig) -> None:
    """F84: neither a new order nor a cancel is kept for later: refused in words, none sent."""
    orderid = rig.rest(volume=LOT)
    since = len(rig.log)
    house.faults.inject("refuse")
    house.faults.inject("rst")
    rig.wait_trading(S.RECONNECTING, since)
    late = rig.send(volume=LOT)
    rig.cancel(orderid)
    told = rig.wait_order(orderid, since=since, where=lambda order: bool(order.reason))
    assert told.reason == "local:not_ready: not cancelled, trading is not ready"
    assert told.status is Status.NOTTRADED
    assert rig.refused(late).startswith("local:not_ready: ")
    healed(rig)
    assert (house.cancels(), house.received()) == ([], {orderid: 1})


def test_a_reject_storm_pauses_new_orders(house: House) -> None:
    """F85: so many rejections in a row, and new orders pause, in words; cancels go."""
    with living(house, {"orders.max_rejections": 3}) as rig:
        rig.trade(TENCENT)
        orderid = rig.rest(volume=LOT)
        for later in (False, True, False):
            house.sim.desk.reject_next("购买力不足", later=later)
            assert "购买力不足" in rig.refused(rig.send(volume=LOT))
        assert "rejected too many orders in a row" in rig.refused(rig.send(volume=LOT))
        rig.cancel(orderid)
        rig.wait_order(orderid, Status.CANCELLED)
        rig.adapter.resume()
        rig.rest(volume=LOT)
        rig.wait_agreed()


def test_orders_by_other_hands(house: House, rig: TradingRig) -> None:
    """F86: shown as external, never cancelled with ours; lists that lie end none of them."""
    mine = rig.rest(volume=LOT)
    theirs = f"ext-{house.place_by_hand(TENCENT, LOT, house.resting_price(TENCENT))}"
    rig.wait_order(theirs, Status.NOTTRADED)
    for list_ in ("open_orders", "all_orders"):
        house.faults.inject("empty_list", request=list_, count=0)
    reconciled = rig.trading().reconciled_ns
    rig.adapter.query_account()
    eventually(lambda: rig.trading().reconciled_ns > reconciled, "the lists were believed")
    assert {each.orderid for each in rig.last_of_each() if each.is_active()} == {mine, theirs}
    rig.adapter.cancel_all()
    rig.wait_order(mine, Status.CANCELLED)
    house.faults.clear()
    rig.adapter.query_account()
    healed(rig)
    assert house.cancels() == [mine]
    assert rig.orders(theirs)[-1].is_active()


@pytest.mark.parametrize("status", [-1, 4, 77], ids=["unknown", "timed out", "a new one"])
def test_a_status_that_nobody_knows(house: House, rig: TradingRig, status: int) -> None:
    """F32: an error on that order, in words; it is what it was, and later news counts."""
    orderid, other = rig.rest(volume=LOT), rig.rest(volume=LOT)
    house.sim.desk.tell(orderid, status)
    told = rig.wait_order(orderid, where=lambda order: f"status {status}" in order.reason)
    assert told.status is Status.NOTTRADED
    house.fill(other)
    rig.wait_order(other, Status.ALLTRADED)
    house.sim.desk.order(orderid).told = None
    house.fill(orderid)
    rig.wait_order(orderid, Status.ALLTRADED)
    rig.wait_agreed()


def test_another_program_uses_the_window_up(house: House, rig: TradingRig) -> None:
    """F50: Futu's words are told and new orders pause, however they come; cancels go."""
    orderid = rig.rest(volume=LOT)
    house.faults.inject("error_ack", request="place", body=TOO_OFTEN)
    assert "频率太高" in rig.refused(rig.send(volume=LOT))
    received = house.received()
    assert rig.refused(rig.send(volume=LOT)).startswith("local:")
    rig.cancel(orderid)
    rig.wait_order(orderid, Status.CANCELLED)
    rig.wait_agreed()
    assert house.received() == received


def test_our_own_window_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """F50: 15 orders in 30 s; one more is refused here rather than sent late, or too often."""
    monkeypatch.setattr(limits, "PER_WINDOW", PER_WINDOW)
    flags = {"orders.max_per_second": 1_000}
    with standing(FutuLimits()) as strict, living(strict, flags) as rig:
        rig.trade(TENCENT)
        orders = [rig.rest(volume=LOT) for _ in range(PER_WINDOW[Proto.Trd_PlaceOrder])]
        assert "are used up" in rig.refused(rig.send(volume=LOT))
        rig.cancel(orders[0])
        rig.wait_order(orders[0], Status.CANCELLED)
        assert len(strict.received()) == len(orders)
        rig.wait_agreed()


def test_trading_that_somebody_locked(house: House, rig: TradingRig) -> None:
    """F64: orders are refused in Futu's words; the next session unlocks it again."""
    house.sim.desk.lock()
    assert "解锁" in rig.refused(rig.send(volume=LOT))
    since = len(rig.log)
    house.faults.inject("rst", path=TRADER)
    rig.wait_trading(S.RECONNECTING, since)
    rig.wait_trading(S.READY, since)
    rig.rest(volume=LOT)
    healed(rig)


def test_lists_that_hang_hold_up_no_order(house: House, rig: TradingRig) -> None:
    """F72: an order is one question: sent, filled and told while no list is answered."""
    for list_ in ("open_orders", "trades", "managed_accounts", "account", "positions"):
        house.faults.inject("request_swallowed", request=list_, count=0)
    orderid = rig.rest(volume=WHOLE)
    house.fill(orderid, LOT)
    rig.wait_trades(orderid)
    rig.cancel(orderid)
    rig.wait_order(orderid, Status.CANCELLED)
    house.faults.clear()
    rig.wait_agreed()


def test_an_opend_that_hangs_is_left(rig: TradingRig) -> None:
    """F20: nothing is answered any more: an order is in doubt, the line is replaced; resolved."""
    since = len(rig.log)
    rig.venue.faults.inject("mute")
    orderid = rig.send(volume=LOT)
    rig.wait_doubt(orderid)
    rig.wait_trading(S.RECONNECTING, since)
    rig.venue.faults.clear()
    rig.wait_order(orderid, Status.NOTTRADED, Status.REJECTED)
    healed(rig)


def test_the_market_may_be_lost_without_trading(rig: TradingRig) -> None:
    """F11: the line of the market data is cut; orders do not notice."""
    orderid = rig.rest(volume=LOT)
    since = len(rig.log)
    rig.venue.faults.inject("rst", path=QUOTES)
    rig.wait_state(S.RECONNECTING, since=since)
    rig.cancel(orderid)
    rig.wait_order(orderid, Status.CANCELLED)
    assert S.RECONNECTING not in rig.states(TRADING)
    healed(rig)
