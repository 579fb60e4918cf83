"""What befalls orders at Futu alone: answers that say nothing, lost pushes, other hands."""

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
    LOT,
    TENCENT,
    TRADER,
    House,
    hasten,
    living,
    standing,
)
from tests.support.house import WATCHFUL, healed, kept
from tests.support.rig import eventually
from tests.support.trading_rig import TradingRig

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
    with living(house, config=replace(WATCHFUL, reconcile_s=0.3)) as rig:
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
