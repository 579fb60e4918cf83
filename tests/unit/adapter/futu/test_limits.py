"""The turns of an OpenD: questions wait for theirs, orders are refused rather than sent late."""

from __future__ import annotations

import asyncio
import contextlib
import itertools

import pytest

from foxtrot.adapter.futu.limits import PER_WINDOW, Pace, known_pace, pace_of
from foxtrot.adapter.futu.schema import Message, Proto, c2s_of
from foxtrot.errors import RateLimited
from tests.support.virtual_time import VirtualLoop, run_virtually

ORDERS = PER_WINDOW[Proto.Trd_PlaceOrder]


def order_of(account: int) -> Message:
    """As much of an order as its turn depends on."""
    c2s = c2s_of(Proto.Trd_PlaceOrder)
    c2s.header.accID = account
    return c2s


async def test_an_order_too_many_is_refused_and_takes_no_turn() -> None:
    """The 16th order in 30 seconds is refused at once, each time, with when to come again."""
    pace = Pace("FUTU")
    for _ in range(ORDERS):
        await pace.turn(Proto.Trd_PlaceOrder, order_of(1))
    for _ in range(2):
        with pytest.raises(RateLimited) as caught:
            await pace.turn(Proto.Trd_PlaceOrder, order_of(1))
        assert 29.0 < caught.value.retry_after_s <= 30.5
        assert caught.value.code == ""


async def test_each_account_has_its_own_turns() -> None:
    """OpenD counts orders by account."""
    pace = Pace("FUTU")
    for account in (1, 2):
        for _ in range(ORDERS):
            await pace.turn(Proto.Trd_PlaceOrder, order_of(account))


async def test_later_pages_of_the_past_are_free() -> None:
    """Only the first page of bars counts."""
    pace = Pace("FUTU")
    c2s = c2s_of(Proto.Qot_RequestHistoryKL)
    c2s.nextReqKey = b"more"
    async with asyncio.timeout(5):
        for _ in range(3 * PER_WINDOW[Proto.Qot_RequestHistoryKL]):
            await pace.turn(Proto.Qot_RequestHistoryKL, c2s)


async def test_what_has_no_limit_never_waits() -> None:
    """A subscription is bounded by its quota, not by a window."""
    pace = Pace("FUTU")
    async with asyncio.timeout(5):
        for _ in range(500):
            await pace.turn(Proto.Qot_Sub, c2s_of(Proto.Qot_Sub))


async def test_a_question_waits_for_its_turn() -> None:
    """One question too many is not refused: it waits, and goes away if nobody wants it any more."""
    pace = Pace("FUTU")
    for _ in range(PER_WINDOW[Proto.Trd_UnlockTrade]):
        await pace.turn(Proto.Trd_UnlockTrade, c2s_of(Proto.Trd_UnlockTrade))
    waiting = asyncio.ensure_future(pace.turn(Proto.Trd_UnlockTrade, c2s_of(Proto.Trd_UnlockTrade)))
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


def test_who_gives_up_waiting_has_taken_no_turn() -> None:
    """Many who came and went while the window was full make nobody wait longer."""

    async def play() -> None:
        loop, pace = asyncio.get_running_loop(), Pace("FUTU")
        c2s = c2s_of(Proto.Trd_UnlockTrade)
        for _ in range(PER_WINDOW[Proto.Trd_UnlockTrade]):
            await pace.turn(Proto.Trd_UnlockTrade, c2s)
        for _ in range(50):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(pace.turn(Proto.Trd_UnlockTrade, c2s), 0.1)
        await pace.turn(Proto.Trd_UnlockTrade, c2s)
        assert loop.time() < 31.0

    run_virtually(play(), VirtualLoop())


def test_who_waits_goes_one_by_one() -> None:
    """In no 30 seconds there are more than the window holds, however many wait."""

    async def play() -> None:
        loop, pace, turns = asyncio.get_running_loop(), Pace("FUTU"), list[float]()
        limit = PER_WINDOW[Proto.Trd_UnlockTrade]

        async def ask() -> None:
            await pace.turn(Proto.Trd_UnlockTrade, c2s_of(Proto.Trd_UnlockTrade))
            turns.append(loop.time())

        await asyncio.gather(*(ask() for _ in range(3 * limit)))
        apart = [later - first for first, later in zip(turns, turns[limit:], strict=False)]
        assert min(apart) > 30.0

    run_virtually(play(), VirtualLoop())


@pytest.mark.parametrize(
    ("proto", "apart_s"), [(Proto.Trd_PlaceOrder, 0.02), (Proto.Trd_ModifyOrder, 0.04)]
)
def test_orders_and_cancels_do_not_come_at_once(proto: Proto, apart_s: float) -> None:
    """OpenD refuses two of an account that come closer; a burst of all that a window has passes."""

    async def play() -> None:
        loop, pace, turns = asyncio.get_running_loop(), Pace("FUTU"), list[float]()

        async def ask(account: int) -> None:
            c2s = c2s_of(proto)
            c2s.header.accID = account
            await pace.turn(proto, c2s)
            turns.append(loop.time())

        await asyncio.gather(*(ask(1) for _ in range(PER_WINDOW[proto])))
        apart = [later - first for first, later in itertools.pairwise(turns)]
        assert min(apart) > apart_s
        before = loop.time()
        await ask(2)
        assert loop.time() == before, "another account is counted by itself"

    run_virtually(play(), VirtualLoop())


@pytest.mark.parametrize("proto", [Proto.Trd_PlaceOrder, Proto.Trd_ModifyOrder])
def test_orders_and_cancels_leave_in_the_order_in_which_they_came(proto: Proto) -> None:
    """Who sells before he buys with the money is not overtaken by himself; a gap closes up."""

    async def play() -> None:
        pace, turns = Pace("FUTU"), list[int]()
        c2s = c2s_of(proto)
        c2s.header.accID = 1

        async def ask(number: int) -> None:
            await pace.turn(proto, c2s)
            turns.append(number)

        asked = [asyncio.ensure_future(ask(number)) for number in range(PER_WINDOW[proto])]
        await asyncio.sleep(0)
        asked[3].cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        assert turns == [number for number in range(PER_WINDOW[proto]) if number != 3]

    run_virtually(play(), VirtualLoop())


def test_what_can_wait_leaves_turns_to_others() -> None:
    """Of ten turns, who spares three waits for the eighth; who spares none has it at once."""

    async def play() -> None:
        loop, pace = asyncio.get_running_loop(), Pace("FUTU")
        c2s, proto = c2s_of(Proto.Trd_UnlockTrade), Proto.Trd_UnlockTrade
        for _ in range(7):
            await pace.turn(proto, c2s, spare=3)
        waiting = asyncio.ensure_future(pace.turn(proto, c2s, spare=3))
        await asyncio.sleep(0)
        for _ in range(3):
            await pace.turn(proto, c2s)
        assert loop.time() < 1.0
        await waiting
        assert loop.time() > 30.0

    run_virtually(play(), VirtualLoop())


async def test_all_who_use_one_opend_share_its_turns() -> None:
    """The turns belong to the OpenD, not to who asks."""
    assert pace_of("FUTU", "127.0.0.1:1") is pace_of("OTHER", "127.0.0.1:1")
    assert pace_of("FUTU", "127.0.0.1:1") is not pace_of("FUTU", "127.0.0.1:2")


async def test_what_is_left_is_told_in_facts() -> None:
    """Of each limit that was touched; of several accounts the least, and none by its number."""
    endpoint, loop = "127.0.0.1:1", asyncio.get_running_loop()
    assert known_pace(loop, endpoint) is None
    pace = pace_of("FUTU", endpoint)
    assert known_pace(loop, endpoint) is pace
    for account in (8001, 8002, 8002):
        await pace.turn(Proto.Trd_PlaceOrder, order_of(account))
    facts = pace.facts(loop.time())
    assert facts == {"limits.Trd_PlaceOrder.left": 13, "limits.Trd_PlaceOrder.most": 15}
