"""Whatever hundreds of concurrent callers do: no rolling window of TWS is ever exceeded."""

from __future__ import annotations

import asyncio
import itertools
import math
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from foxtrot.adapter.ib.limits import IbPaceManager
from foxtrot.simulator.ib_pacing import HistoryPace
from tests.support.virtual_time import VirtualLoop, run_virtually

SMALL = ("1 secs", "5 secs", "30 secs", "ticks")
LONG = ("1 min", "1 day")


@dataclass(frozen=True)
class Call:
    """One caller: when he comes, what he asks, how long the answer takes, when he gives up."""

    at_s: float
    contract: int
    what: str
    bar: str
    identity: int
    answer_s: float
    patience_s: float


@dataclass(frozen=True)
class Sent:
    """What arrives at TWS."""

    at: float
    call: Call
    ended: float


def calls(bars: tuple[str, ...], longest_pause_s: int) -> st.SearchStrategy[Call]:
    return st.builds(
        Call,
        st.integers(0, longest_pause_s * 8).map(lambda n: n / 8),
        st.integers(0, 12),
        st.sampled_from(("TRADES", "MIDPOINT", "BID_ASK")),
        st.sampled_from(bars),
        st.integers(0, 6),
        st.integers(0, 400).map(lambda n: n / 8),
        st.one_of(st.just(math.inf), st.integers(0, 6400).map(lambda n: n / 8)),
    )


def crowd(bars: tuple[str, ...], longest_pause_s: int = 30) -> st.SearchStrategy[list[Call]]:
    """Many callers, made of few: hundreds are too many to be drawn one by one."""
    drawn = st.lists(calls(bars, longest_pause_s), min_size=1, max_size=24)
    return st.tuples(drawn, st.integers(8, 20)).map(lambda pair: pair[0] * pair[1])


async def tws(pace: IbPaceManager, callers: list[Call]) -> list[Sent]:
    """Let all of them loose; what each really sends, and when."""
    loop, sent = asyncio.get_running_loop(), []

    async def ask(call: Call) -> None:
        await asyncio.sleep(call.at_s)
        limit_s = None if math.isinf(call.patience_s) else call.patience_s
        try:
            async with asyncio.timeout(limit_s):
                async with pace.historical(
                    str(call.contract), call.what, call.bar, str(call.identity)
                ):
                    await pace.message()
                    at = loop.time()
                    try:
                        await asyncio.sleep(call.answer_s)
                    finally:
                        sent.append(Sent(at, call, loop.time()))
        except TimeoutError:
            pass

    await asyncio.gather(*(ask(call) for call in callers))
    figures = pace.statistics()
    assert (figures.history_open, figures.history_waiting, figures.messages_waiting) == (0, 0, 0)
    return sorted(sent, key=lambda each: each.at)


def most_within(units: list[tuple[float, int]], per_s: float) -> int:
    """The fullest window that begins with a send, counted one by one."""
    return max(
        (sum(n for at, n in units if begin <= at < begin + per_s) for begin, _ in units), default=0
    )


def check(sent: list[Sent]) -> None:
    """TWS's rules, word for word, for small bars; those for all bars too.

    The simulated gateway, which counts in its own way, would not complain either.
    """
    gateway = HistoryPace()
    for each in sent:
        call = each.call
        twin = f"{call.contract} {call.what} {call.bar} {call.identity}"
        if call.bar in SMALL:
            assert gateway.admit(str(call.contract), call.what, twin, each.at)
    assert most_within([(each.at, 1) for each in sent], 1.0) <= 50
    small: list[tuple[float, int]] = []
    same: dict[object, list[tuple[float, int]]] = {}
    twins: dict[object, list[float]] = {}
    for each in sent:
        call = each.call
        units = 2 if call.what == "BID_ASK" else 1
        same.setdefault((call.contract, call.what), []).append((each.at, units))
        if call.bar in SMALL:
            small.append((each.at, units))
            twin = (call.contract, call.what, call.bar, call.identity)
            twins.setdefault(twin, []).append(each.at)
        open_now = sum(other.at <= each.at < other.ended for other in sent)
        assert open_now <= 50
    assert most_within(small, 600.0) <= 60
    assert all(most_within(units, 2.0) < 6 for units in same.values())
    for times in twins.values():
        assert all(later - earlier >= 15.0 for earlier, later in itertools.pairwise(times))


@settings(max_examples=40, deadline=None)
@given(crowd(SMALL))
def test_small_bars_keep_every_hard_limit(callers: list[Call]) -> None:
    """Up to 480 callers, some of which give up: the strict count finds no violation."""
    check(run_virtually(tws(IbPaceManager("tws"), callers), VirtualLoop()))


@settings(max_examples=25, deadline=None)
@given(crowd(LONG + SMALL[:1]))
def test_long_bars_among_small_ones_keep_theirs(callers: list[Call]) -> None:
    """Bars of a minute and more are faster, and take nothing from the small ones."""
    check(run_virtually(tws(IbPaceManager("tws"), callers), VirtualLoop()))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 160).map(lambda n: n / 32), st.booleans(), st.integers(0, 64)),
        min_size=1,
        max_size=40,
    ),
    st.integers(4, 12),
)
def test_fifty_messages_a_second_are_never_exceeded(
    drawn: list[tuple[float, bool, int]], times: int
) -> None:
    """Hundreds of messages and orders, some given up: no rolling second has more than 50."""
    sent: list[tuple[float, int]] = []

    async def play() -> None:
        pace, loop = IbPaceManager("tws"), asyncio.get_running_loop()

        async def send(at_s: float, order: bool, patience: int) -> None:
            await asyncio.sleep(at_s)
            try:
                async with asyncio.timeout(patience / 8 if patience else None):
                    await pace.message(order=order)
                    sent.append((loop.time(), 1))
            except TimeoutError:
                pass

        await asyncio.gather(*(send(*each) for each in drawn * times))
        assert pace.statistics().messages_waiting == 0

    run_virtually(play(), VirtualLoop())
    assert most_within(sent, 1.0) <= 50


def test_history_runs_within_two_percent_of_what_is_allowed() -> None:
    """An hour and forty minutes of small bars: 600 requests pass in 600/60 times ten minutes."""

    async def play() -> list[float]:
        pace, loop, at = IbPaceManager("tws"), asyncio.get_running_loop(), []

        async def ask(number: int) -> None:
            async with pace.historical(str(number % 50), "TRADES", "5 secs", str(number)):
                await pace.message()
                at.append(loop.time())
                await asyncio.sleep(0.5)

        await asyncio.gather(*(ask(number) for number in range(601)))
        return at

    at = run_virtually(play(), VirtualLoop())
    allowed_s = 600 / 60 * 600.0
    assert allowed_s <= at[600] - at[0] <= allowed_s * 1.02
