"""The simulated Futu's orders: what clients may do with them, and what they are told."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from foxtrot.simulator.futu import FutuLimits, SimulatedFutu
from foxtrot.simulator.futu_schema import Proto
from tests.unit.simulator.futu_client import (
    PAPER_ID,
    REAL_ID,
    Client,
    header,
)

PLACED, CHANGED = Proto.Trd_PlaceOrder, Proto.Trd_ModifyOrder


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedFutu]:
    """An OpenD whose market stands still."""
    async with SimulatedFutu(rate_hz=0) as venue:
        yield venue


@pytest.fixture
async def client(sim: SimulatedFutu) -> Client:
    """One that has unlocked trading and hears of all that concerns Hong Kong."""
    made = Client(sim, REAL_ID, PAPER_ID)
    made.unlock()
    return made


async def test_an_order_lives_and_its_client_hears_of_it(client: Client) -> None:
    """The reply names the order; then come its states, part fills, and deals with their ids."""
    order = client.place()
    assert client.statuses() == [2, 5]
    client.venue.desk.fill("mine", 100)
    client.venue.desk.fill("mine")
    assert client.statuses() == [2, 5, 10, 11]
    assert [deal.qty for deal in client.deals()] == [100, 200]
    assert {deal.orderIDEx for deal in client.deals()} == {order}
    assert len({deal.fillIDEx for deal in client.deals()}) == 2
    (listed,) = client.orders()
    assert (listed.orderIDEx, listed.remark, listed.orderStatus) == (order, "mine", 11)
    assert (listed.fillQty, listed.fillAvgPrice) == (300, 500)


async def test_an_order_that_meets_the_market_is_filled_at_once(client: Client) -> None:
    """A market order, and a limit far above the market, end as filled; the position shows it."""
    client.place(orderType=2)
    client.place(price=700, remark="above")
    assert [order.orderStatus for order in client.orders()] == [11, 11]
    answer = client.get(Proto.Trd_GetPositionList, header=header())
    (position,) = answer.positionList
    assert (position.code, position.qty, position.positionSide) == ("00700", 600, 0)


async def test_a_change_keeps_the_id_and_the_remark(client: Client) -> None:
    """Price and quantity are new; what is unfit is refused and changes nothing."""
    order = client.place()
    assert client.change(order, qty=400, price=501).s2c.orderIDEx == order
    (listed,) = client.orders()
    assert (listed.orderIDEx, listed.qty, listed.price, listed.remark) == (order, 400, 501, "mine")
    assert client.change(order, qty=10, price=501).retType == -1
    assert client.change(order, qty=400, price=500.3).retType == -1
    assert client.change(order, 4, qty=400, price=500).retType == -1
    assert "购买力" in client.change(order, qty=10_000_000, price=501).retMsg
    (same,) = client.orders()
    assert (same.qty, same.price, same.orderStatus) == (400, 501, 5)


async def test_a_cancel_is_told_twice_and_only_once_possible(client: Client) -> None:
    """First that it is being cancelled, then that it is; an end, or no such order, is refused."""
    order = client.place()
    client.venue.desk.fill(order, 100)
    assert client.change(order, 2).retType == 0
    assert client.statuses() == [2, 5, 10, 12, 14]
    assert "状态" in client.change(order, 2).retMsg
    assert "不存在" in client.change("nothing", 2).retMsg
    assert "不存在" in client.change(client.place(acc_id=PAPER_ID), 2).retMsg
    untouched = client.place()
    client.change(untouched, 2)
    assert client.statuses()[-2:] == [13, 15]
    assert client.venue.desk.cancels() == ["mine"] * 3


async def test_cancel_all_ends_what_is_open_for_real_alone(client: Client) -> None:
    """Accounts for practice do not offer it."""
    client.place()
    client.place(remark="other")
    fields = {"orderID": 0, "modifyOrderOp": 2, "forAll": True}
    paper = fields | {"packetID": client.packet(), "header": header(PAPER_ID)}
    assert "不支持" in client.refused(CHANGED, **paper)
    client.get(CHANGED, **fields, packetID=client.packet(), header=header())
    assert [order.orderStatus for order in client.orders()] == [15, 15]


async def test_a_cancel_may_come_too_late(client: Client) -> None:
    """With the fault for it, the order is filled the moment its cancel comes in, and this told."""
    order = client.place()
    client.venue.faults.inject("cancel_race")
    assert client.change(order, 2).retType == -1
    assert client.statuses()[-1] == 11
    assert [deal.qty for deal in client.deals()] == [300]


async def test_trading_for_real_is_locked_for_everybody_or_for_nobody(sim: SimulatedFutu) -> None:
    """The lock is OpenD's, not a connection's; practice needs no key."""
    first, second = Client(sim), Client(sim)
    assert "解锁" in second.refused(PLACED, **second.wanted())
    assert second.place(acc_id=PAPER_ID)
    wrong = {"unlock": True, "pwdMD5": "0" * 32}
    assert "密码" in first.refused(Proto.Trd_UnlockTrade, **wrong)
    first.unlock()
    assert second.place()
    sim.desk.lock()
    assert "解锁" in first.refused(PLACED, **first.wanted())


async def test_practice_has_no_deals_and_only_simple_orders(client: Client) -> None:
    """No deals in lists or pushes; good for the day, limit and market; fills show in orders."""
    client.place(acc_id=PAPER_ID)
    client.venue.desk.fill("mine", 100)
    assert client.statuses() == [2, 5, 10]
    assert not client.deals()
    deals = client.refused(Proto.Trd_GetOrderFillList, header=header(PAPER_ID))
    assert deals == "模拟交易不支持成交数据"
    for odd in ({"timeInForce": 1}, {"orderType": 8}, {"orderType": 11, "auxPrice": 700}):
        assert "不支持" in client.refused(PLACED, **client.wanted(acc_id=PAPER_ID, **odd))


async def test_a_copy_of_a_request_is_refused(client: Client) -> None:
    """A packet id counts once, and for its own connection alone."""
    fields = client.wanted()
    client.get(PLACED, **fields)
    assert client.refused(PLACED, **fields)
    foreign = Client(client.venue)
    assert foreign.refused(PLACED, **client.wanted())
    assert len(client.venue.violations) == 2
    assert client.venue.desk.received() == {"mine": 3}


async def test_too_many_orders_are_refused_in_the_words_of_opend(client: Client) -> None:
    """15 new orders and 20 changes of an account in 30 seconds; other accounts have their own."""
    orders = [client.place() for _ in range(15)]
    text = client.refused(PLACED, **client.wanted())
    assert text == "下单频率太高，请求失败，每30秒最多15次。"
    assert client.place(acc_id=PAPER_ID)
    changes = [client.change(orders[0], qty=300, price=500) for _ in range(21)]
    assert [change.retType for change in changes] == [0] * 20 + [-1]
    assert changes[-1].retMsg == "改单频率太高，请求失败，每30秒最多20次。"


async def test_an_order_may_fail_at_once_or_later(client: Client) -> None:
    """A refusal is an answer; a failure comes after the acceptance, with its words."""
    client.venue.desk.reject_next("市场已收市")
    assert client.refused(PLACED, **client.wanted()) == "市场已收市"
    client.venue.desk.reject_next("券商拒绝", later=True)
    client.place(remark="later")
    assert client.statuses() == [2, 21]
    (listed,) = client.orders()
    assert (listed.orderStatus, listed.lastErrMsg) == (21, "券商拒绝")
    assert client.change(listed.orderIDEx, 2).retType == -1


async def test_rules_can_be_switched_off() -> None:
    """A test that places many orders need not wait for half a minute."""
    async with SimulatedFutu(rate_hz=0, limits=FutuLimits(place=None)) as sim:
        client = Client(sim)
        for number in range(40):
            client.place(acc_id=PAPER_ID, qty=100, remark=str(number))
        assert len(sim.desk.held()) == 40


async def test_a_reply_may_be_lost_before_or_after_the_order_is_taken(client: Client) -> None:
    """Before: no order. After: an order that is pushed and listed, though nobody was answered."""
    faults = client.venue.faults
    faults.inject("request_swallowed", request="place")
    assert not client.ask(PLACED, **client.wanted()).s2c.orderIDEx
    assert not client.venue.desk.held()
    faults.inject("ack_swallowed", request="place")
    assert not client.ask(PLACED, **client.wanted(remark="lost")).s2c.orderIDEx
    assert client.statuses() == [2, 5]
    assert [order.remark for order in client.orders()] == ["lost"]


async def test_nothing_is_remembered_after_orders_are_forgotten(client: Client) -> None:
    """Ids go on, so that no new order bears the name of an old one."""
    old = client.place(orderType=2)
    client.venue.desk.forget_orders()
    assert not client.orders()
    assert not client.get(Proto.Trd_GetPositionList, header=header()).positionList
    assert client.change(old, 2).retType == -1
    assert client.place() > old
