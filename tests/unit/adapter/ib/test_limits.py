"""Turns at a TWS: given when they come, to orders first, and never lost."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor

import pytest

from foxtrot.adapter.ib import limits
from foxtrot.adapter.ib.limits import IbPaceManager, PaceScope, pace_of
from foxtrot.errors import RateLimited
from tests.support.virtual_time import VirtualLoop, run_virtually


def played(play: Coroutine[object, object, None]) -> None:
    run_virtually(play, VirtualLoop())


def now() -> float:
    return asyncio.get_running_loop().time()


def pace() -> IbPaceManager:
    return IbPaceManager("127.0.0.1:7497")


def bars(turns: IbPaceManager, number: int, *, contract: str = "1@SMART", bar: str = "5 secs"):
    return turns.historical(contract, "TRADES", bar, f"request {number}")


def test_an_order_overtakes_what_waits() -> None:
    """An order is sent next, though hundreds of other messages came before it."""

    async def play() -> None:
        turns, sent = pace(), []

        async def send(what: str, *, order: bool = False) -> None:
            await turns.message(order=order)
            sent.append(what)

        async with asyncio.TaskGroup() as group:
            for number in range(300):
                group.create_task(send(f"message {number}"))
            await asyncio.sleep(0)
            began = len(sent)
            group.create_task(send("order", order=True))
        assert sent.index("order") == began
        assert [each for each in sent if each != "order"] == [f"message {n}" for n in range(300)]

    played(play())


def test_a_few_messages_do_not_wait() -> None:
    """A burst of five goes out at once; more follow smoothly."""

    async def play() -> None:
        turns, at = pace(), []
        for _ in range(7):
            await turns.message()
            at.append(now())
        assert at == pytest.approx([0, 0, 0, 0, 0, 0.025, 0.05], abs=1e-6)

    played(play())


def test_a_loop_that_stood_still_does_not_send_what_was_due_meanwhile_at_once() -> None:
    """After two seconds of a blocked loop a burst of five goes out, not eighty."""

    async def play() -> None:
        turns, at = pace(), []

        async def send() -> None:
            await turns.message()
            at.append(now())

        async with asyncio.TaskGroup() as group:
            for _ in range(200):
                group.create_task(send())
            await asyncio.sleep(0.1)
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualLoop)
            loop.selector.now += 2.0
            woke = now()
        assert sum(woke <= each < woke + 1.0 for each in at) <= 45

    played(play())


def test_who_gives_up_waiting_loses_no_turn() -> None:
    """Hundreds that are cancelled while they wait delay nobody."""

    async def play() -> None:
        turns = pace()
        crowd = [asyncio.ensure_future(turns.message()) for _ in range(500)]
        await asyncio.sleep(0)
        for task in crowd:
            task.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)
        began = now()
        await turns.message()
        assert now() - began < 0.1
        assert turns.statistics().messages_waiting == 0

    played(play())


def test_a_request_that_is_cancelled_in_its_turn_gives_it_back() -> None:
    """Who is cancelled between being given a turn and using it leaves the turn to the next."""

    async def play() -> None:
        turns, answered = pace(), asyncio.Event()

        async def ask(number: int) -> None:
            async with bars(turns, number, contract=str(number)):
                await answered.wait()

        asking = [asyncio.ensure_future(ask(number)) for number in range(50)]
        await asyncio.sleep(30)
        waiting = asyncio.ensure_future(ask(50))
        await asyncio.sleep(30)
        answered.set()
        await asyncio.sleep(0)
        assert turns.statistics().history == 51, "it has its turn, but did not run yet"
        waiting.cancel()
        await asyncio.gather(*asking, waiting, return_exceptions=True)
        assert waiting.cancelled()
        figures = turns.statistics()
        assert (figures.history_open, figures.history_last_10_min) == (0, 50)

    played(play())


def test_fifty_requests_are_open_at_most() -> None:
    """The 51st waits until one is answered."""

    async def play() -> None:
        turns, answered = pace(), asyncio.Event()

        async def ask(number: int) -> None:
            async with bars(turns, number, contract=str(number)):
                await answered.wait()

        asking = [asyncio.ensure_future(ask(number)) for number in range(50)]
        await asyncio.sleep(30)
        assert turns.statistics().history_open == 50
        last = asyncio.ensure_future(ask(50))
        await asyncio.sleep(30)
        assert turns.statistics().history_waiting == 1
        answered.set()
        await asyncio.gather(*asking, last)
        assert turns.statistics().history == 51

    played(play())


def test_identical_requests_keep_fifteen_seconds_and_hold_up_nobody_else() -> None:
    """The second of two equal ones waits; another contract's passes it."""

    async def play() -> None:
        turns, at = pace(), {}

        async def ask(name: str, number: int, contract: str) -> None:
            async with bars(turns, number, contract=contract):
                at[name] = now()

        await asyncio.gather(ask("first", 1, "A"), ask("twin", 1, "A"), ask("other", 1, "B"))
        assert at["other"] < 1.0
        assert 15.0 < at["twin"] - at["first"] < 15.5

    played(play())


def test_bid_ask_counts_twice() -> None:
    """Thirty requests for BID_ASK fill ten minutes; the next waits for them to pass."""

    async def play() -> None:
        turns, at = pace(), []
        for number in range(31):
            async with turns.historical(str(number), "BID_ASK", "1 secs", ""):
                at.append(now())
        assert at[29] < 5.0
        assert at[30] - at[0] > 600.0

    played(play())


def test_bars_of_a_minute_are_not_held_to_sixty_in_ten_minutes() -> None:
    """TWS has lifted that limit for them; six in two seconds of a contract stay too many."""

    async def play() -> None:
        turns, at = pace(), []
        for number in range(120):
            async with bars(turns, number, bar="1 min"):
                at.append(now())
        assert at[-1] < 60.0
        assert all(later - at[n] > 2.0 for n, later in enumerate(at[5:]))

    played(play())


def test_ticks_that_wait_for_ten_minutes_hold_up_no_bars_of_a_minute() -> None:
    """A large download of ticks is no reason for a chart of days to wait; ticks keep their turn."""

    async def play() -> None:
        turns, at, began = pace(), dict[str, float](), now()

        async def ask(name: str, bar: str) -> None:
            async with turns.historical(name, "TRADES", bar, name):
                at[name] = now() - began

        ticks = [f"ticks {number}" for number in range(63)]
        asking = [asyncio.ensure_future(ask(each, "ticks")) for each in ticks]
        await asyncio.sleep(5.0)
        await ask("days", "1 day")
        assert at["days"] < 6.0
        await asyncio.gather(*asking)
        assert [each for each in at if each in ticks] == ticks
        assert at["ticks 59"] < 5.0
        assert 600.0 < at["ticks 60"] < 603.0

    played(play())


def test_a_pacing_violation_pauses_history_and_a_second_one_for_longer() -> None:
    """Another program on the account has used it up: ask nothing for 15 s, then 30 s."""

    async def play() -> None:
        turns, at = pace(), []
        for number in range(3):
            async with bars(turns, number, contract=str(number), bar="1 min"):
                at.append(now())
            for _ in range(5):  # what was under way at the same time is told the same
                turns.violated(PaceScope.HISTORY)
        assert [b - a for a, b in itertools.pairwise(at)] == pytest.approx([15, 30], abs=0.1)
        assert turns.statistics().violations == 15

    played(play())


def test_after_a_pacing_violation_even_long_bars_keep_the_hard_limits_for_a_while() -> None:
    """Ten minutes of caution, then the way back to full speed."""

    async def play() -> None:
        turns, count = pace(), 0
        turns.violated(PaceScope.HISTORY)
        began = now()
        while now() - began < 600.0:
            async with bars(turns, count, contract=str(count), bar="1 min"):
                count += 1
        assert count <= 61
        await asyncio.sleep(600.0)
        began = now()
        for number in range(100):
            async with bars(turns, number, contract=str(number), bar="1 min"):
                pass
        assert now() - began < 10.0

    played(play())


def test_a_message_violation_stops_all_for_a_second_then_halves_the_rate_for_a_minute() -> None:
    """Error 100: even orders wait, and full speed comes back."""

    async def play() -> None:
        turns = pace()
        turns.violated(PaceScope.MESSAGES)
        began = now()
        await turns.message(order=True)
        assert now() - began == pytest.approx(1.0, abs=1e-3)
        for _ in range(100):
            await turns.message()
        assert now() - began == pytest.approx(1.0 + 100 / 20, abs=0.3)
        await asyncio.sleep(60.0)
        began = now()
        for _ in range(100):
            await turns.message()
        assert now() - began == pytest.approx(95 / 40, abs=0.1)

    played(play())


def test_history_is_not_starved_by_messages_that_never_end() -> None:
    """Requests yield to messages that wait, but some pass all the same."""

    async def play() -> None:
        turns = pace()

        async def chatter() -> None:
            while True:
                await turns.message()

        crowd = [asyncio.ensure_future(chatter()) for _ in range(50)]
        for number in range(3):
            async with asyncio.timeout(6.0), bars(turns, number):
                pass
        for number in range(4):
            async with asyncio.timeout(0.1), bars(turns, number, contract="2", bar="1 min"):
                pass  # TWS counts none of these, so they need not yield
        for task in crowd:
            task.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)

    played(play())


def test_a_crowd_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue has a bound; who comes then gets `RateLimited` at once."""
    monkeypatch.setattr(limits, "MOST_WAITING", 3)

    async def play() -> None:
        turns = pace()
        crowd = [asyncio.ensure_future(turns.message()) for _ in range(8)]
        await asyncio.sleep(0)
        with pytest.raises(RateLimited, match="3 others wait for their turn"):
            await turns.message()
        await turns.message(order=True)
        await asyncio.gather(*crowd)

    played(play())


def test_statistics_say_how_busy_it_is() -> None:
    """Counts, rates and waits of messages, orders and requests."""

    async def play() -> None:
        turns = pace()
        await asyncio.gather(*(turns.message(order=n % 10 == 0) for n in range(80)))
        async with turns.historical("A", "BID_ASK", "1 secs", ""):
            figures = turns.statistics()
        assert (figures.messages, figures.orders) == (80, 8)
        assert 40 <= figures.messages_last_s <= 45
        assert figures.messages_waited == 75
        assert figures.longest_wait_s == pytest.approx(75 / 40, abs=0.01)
        assert (figures.history, figures.history_last_10_min, figures.history_open) == (1, 2, 1)

    played(play())


def test_all_who_ask_one_tws_share_one_pace() -> None:
    """The same endpoint has the same turns; another one has its own."""

    async def play() -> None:
        one = pace_of("127.0.0.1:7497")
        assert pace_of("127.0.0.1:7497") is one
        assert pace_of("127.0.0.1:4002") is not one

    played(play())


def test_the_pace_is_told_in_facts() -> None:
    """The statistics, and what is left of each limit; from a thread without a loop as well."""

    async def play() -> None:
        turns = pace()
        await asyncio.gather(*(turns.message() for _ in range(10)))
        async with turns.historical("A", "BID_ASK", "1 secs", ""):
            with ThreadPoolExecutor(1) as other:
                facts = other.submit(turns.facts, now()).result(5.0)
        assert (facts["pace.messages"], facts["pace.history_open"]) == (10, 1)
        assert (facts["limits.messages.left"], facts["limits.messages.most"]) == (30, 40)
        assert (facts["limits.history.left"], facts["limits.history.most"]) == (58, 60)
        assert (facts["limits.history_open.left"], facts["limits.history_open.most"]) == (49, 50)

    played(play())
