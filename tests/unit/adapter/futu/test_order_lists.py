"""OpenD's lists: few questions, each answered from what is young enough to prove something."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from foxtrot.adapter.futu.account import TradedAccount
from foxtrot.adapter.futu.client import FutuClient
from foxtrot.adapter.futu.order_feed import OrderFeed
from foxtrot.adapter.futu.order_lists import BELIEVED_S, OrderLists
from foxtrot.adapter.futu.schema import Proto
from foxtrot.errors import ConnectionClosed, VenueUnavailable
from foxtrot.execution.reports import OrderIntent, OrderRecord, OrderState
from foxtrot.gateway.trading import TradingListener
from foxtrot.model.constants import Direction, Exchange, OrderType
from foxtrot.model.requests import OrderRequest
from tests.support.futu_wire_orders import deal, order
from tests.support.virtual_time import VirtualLoop, run_virtually

ACCOUNT = TradedAccount(281_756_457_982_434_020, 1, (1, 2, 4), 1, 1, 1)
TODAY, PAST = Proto.Trd_GetOrderList, Proto.Trd_GetHistoryOrderList
DEALS, PAST_DEALS = Proto.Trd_GetOrderFillList, Proto.Trd_GetHistoryOrderFillList


class Opend:
    """Answers with the rows it was given, and counts the questions."""

    def __init__(self) -> None:
        self.rows: dict[Proto, list[Any]] = {}
        self.asked: Counter[Proto] = Counter()
        self.questions: list[Any] = []
        self.lost = False
        self.takes_s = 0.0
        self.answered: Callable[[], None] = lambda: None
        self.turn = asyncio.Event()
        self.turn.set()
        self.ahead_s = 0
        self.account = ACCOUNT
        feed = OrderFeed(
            "FUTU",
            ACCOUNT,
            name_of=lambda market, code: (code, Exchange.SEHK),
            record=lambda orderid: None,
            listener=cast("TradingListener", self),
            say=lambda text: None,
            time_ns=time.time_ns,
        )
        client = cast("FutuClient", self)
        self.lists = OrderLists("FUTU", client, ACCOUNT, feed, time.time_ns)

    async def ask(
        self, proto: Proto, c2s: Any, *, turned: Callable[[], None] = lambda: None, spare: int = 0
    ) -> Any:
        """An answer, when the turn has come."""
        await self.turn.wait()
        turned()
        self.asked[proto] += 1
        self.questions.append(c2s)
        await asyncio.sleep(self.takes_s)
        if self.lost:
            raise ConnectionClosed(1006)
        rows = self.rows.get(proto, [])
        self.answered()
        return SimpleNamespace(orderList=rows, orderFillList=rows)

    async def state(self) -> Any:
        """What time it is at Futu."""
        return SimpleNamespace(time=int(time.time()) + self.ahead_s)


async def test_who_looks_for_orders_in_the_same_moment_shares_an_answer() -> None:
    """Ten in doubt are one question; who comes later asks anew."""
    opend = Opend()
    opend.rows[TODAY] = [order(remark=f"fx-{n}", orderIDEx=f"FH{n}") for n in range(10)]
    found = await asyncio.gather(*(opend.lists.find(None, f"fx-{n}", "") for n in range(10)))
    assert [each.orderid for each in found if each] == [f"fx-{n}" for n in range(10)]
    assert opend.asked == {TODAY: 1}
    assert await opend.lists.find(None, "", "FH3") is not None
    assert opend.asked == {TODAY: 2}


async def test_who_comes_before_the_turn_shares_the_question() -> None:
    """While OpenD's window is full one question waits, however many ask and give up."""
    opend = Opend()
    opend.rows[TODAY] = [order()]
    opend.turn.clear()
    for _ in range(5):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(opend.lists.find(None, "fx-1", ""), 0.001)
    last = asyncio.ensure_future(opend.lists.find(None, "fx-1", ""))
    await asyncio.sleep(0)
    opend.turn.set()
    assert await last is not None
    assert opend.asked == {TODAY: 1}


async def test_who_waits_for_a_list_when_the_session_ends_is_told_so() -> None:
    """It is no cancellation of who asked: an order that depends on the answer would hang."""
    opend = Opend()
    opend.turn.clear()
    waiting = asyncio.ensure_future(opend.lists.find(None, "fx-1", ""))
    for _ in range(3):
        await asyncio.sleep(0)
    await opend.lists.close()
    with pytest.raises(ConnectionClosed):
        await asyncio.wait_for(waiting, 5)


async def test_what_today_lacks_is_looked_for_in_the_past() -> None:
    """An order that ended before midnight is found; absent is only what both lists lack."""
    opend = Opend()
    opend.rows[PAST] = [order(orderStatus=15)]
    assert (await opend.lists.find(None, "fx-1", "")) is not None
    assert (await opend.lists.find(None, "fx-2", "")) is None
    question = opend.questions[-1]
    assert (question.header.accID, question.header.trdEnv) == (ACCOUNT.acc_id, 1)
    assert question.filterConditions.beginTime < question.filterConditions.endTime


async def test_an_order_of_which_futu_is_not_sure_is_neither_found_nor_absent() -> None:
    """Timed out there: that is no answer."""
    opend = Opend()
    opend.rows[TODAY] = [order(orderStatus=4)]
    with pytest.raises(VenueUnavailable, match="status 4"):
        await opend.lists.find(None, "fx-1", "")
    assert await opend.lists.open() == ()


async def test_a_round_of_questions_for_fills_asks_once_and_a_search_asks_anew() -> None:
    """Deals are told once, of the symbols asked for, and never from before a search for orders."""
    opend = Opend()
    opend.rows[DEALS] = opend.rows[PAST_DEALS] = [deal(), deal(code="09988", fillIDEx="FD4")]
    first = await opend.lists.fills(["00700"], 1)
    second = await opend.lists.fills(["09988"], 1)
    assert [each.trade_id for each in (*first, *second)] == ["FD3", "FD4"]
    assert await opend.lists.fills(["00700"], 2 * 10**18) == ()
    assert opend.asked == {DEALS: 1, PAST_DEALS: 1}
    await opend.lists.find(None, "fx-1", "")
    await opend.lists.fills(["00700"], 1)
    assert opend.asked[DEALS] == 2


async def test_a_deal_of_a_day_that_ends_between_two_questions_is_not_missed() -> None:
    """It moves from today's list to that of the past: in one of them it has to be seen."""
    opend = Opend()
    opend.rows[DEALS] = [deal()]

    def day_ends() -> None:
        opend.rows = {PAST_DEALS: [deal()]}

    opend.answered = day_ends
    assert [each.trade_id for each in await opend.lists.fills(["00700"], 1)] == ["FD3"]


def test_a_slow_opend_is_asked_once_for_a_round_as_well() -> None:
    """Its answers take longer than they are believed: the next symbol of the round shares them."""

    async def play() -> None:
        opend = Opend()
        opend.rows[PAST_DEALS] = [deal(), deal(code="09988", fillIDEx="FD4")]
        opend.takes_s = 2 * BELIEVED_S
        told = [await opend.lists.fills([code], 1) for code in ("00700", "09988")]
        assert [each.trade_id for (each,) in told] == ["FD3", "FD4"]
        assert opend.asked == {DEALS: 1, PAST_DEALS: 1}
        await asyncio.sleep(BELIEVED_S)
        await opend.lists.fills(["00700"], 1)
        assert opend.asked[DEALS] == 2

    run_virtually(play(), VirtualLoop())


@pytest.mark.parametrize("ahead_s", [-3_600, 3_600])
async def test_fills_are_found_by_futus_clock(ahead_s: int) -> None:
    """Our clock is an hour off: what traded a minute ago is told, and what did before is not."""
    opend = Opend()
    opend.ahead_s = ahead_s
    there = time.time() + ahead_s
    opend.rows[DEALS] = [
        deal(createTimestamp=there - 60),
        deal(createTimestamp=there - 600, fillIDEx="FD4"),
    ]
    since_ns = time.time_ns() - 300 * 10**9
    assert [each.trade_id for each in await opend.lists.fills(["00700"], since_ns)] == ["FD3"]


async def test_a_list_that_is_not_answered_is_no_empty_list() -> None:
    """The cause is raised, for each who waits; nothing of it is believed later."""
    opend = Opend()
    opend.lost = True
    answers = await asyncio.gather(
        opend.lists.open(), opend.lists.find(None, "fx-1", ""), return_exceptions=True
    )
    assert [type(each) for each in answers] == [ConnectionClosed] * 2
    with pytest.raises(ConnectionClosed):
        await opend.lists.fills(["00700"], 1)
    await opend.lists.close()


async def test_an_order_like_ours_whose_remark_is_not_told_leaves_the_doubt() -> None:
    """It may be ours; one that is told to have none is somebody else's."""
    opend = Opend()
    record = doubtful(time.time_ns())
    untold = {"HasField": lambda name: name != "remark"}
    like = {"remark": "", "createTimestamp": time.time(), **untold}
    by_hand: dict[str, object] = {"HasField": lambda name: True}
    for others in (
        by_hand,
        {"price": 400.0},
        {"qty": 100.0},
        {"createTimestamp": 1.7e9},
        {"trdSide": 2},
    ):
        opend.rows[TODAY] = [order(**{**like, **others})]
        assert await opend.lists.find(record, "fx-1", "") is None
    opend.rows[TODAY] = [order(**like)]
    with pytest.raises(VenueUnavailable, match=r"FH7.*remark"):
        await opend.lists.find(record, "fx-1", "")


def doubtful(created_ns: int) -> OrderRecord:
    """Our order for 300 of Tencent at 500."""
    request = OrderRequest("00700", Exchange.SEHK, Direction.LONG, OrderType.LIMIT, 300.0, 500.0)
    intent = OrderIntent("fx-1", request, created_ns)
    return OrderRecord(intent, OrderState.IN_DOUBT, created_ns)
