"""Asking for what was missed: in the right order, wholly or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from foxtrot.errors import FoxtrotError, RateLimited, VenueUnavailable
from foxtrot.execution.order_tracker import Changes, OrderTracker
from foxtrot.execution.reconciler import CAP_NS
from foxtrot.execution.reports import Known, OrderReport, Unknown
from foxtrot.execution.reports import OrderState as S
from foxtrot.gateway.lookout import Lookout
from foxtrot.gateway.trading import Balances
from foxtrot.gateway.untold import SILENCE_S, Untold
from foxtrot.model.objects import NS_PER_S, AccountData
from tests.support.orders import BTC, ETH, NOW, fill, report, state_of, tracker_with
from tests.support.scripted_trading import ScriptedSession
from tests.support.virtual_time import VirtualClock, VirtualLoop, run_virtually

LIMITED = RateLimited("FAKE", "-1003", "too much", 30.0)
HELD = Balances((AccountData("FAKE", "USDT", 5.0, 0.0),))


class Watch:
    """A lookout over a tracker, and a session that the test scripts."""

    def __init__(self, clock: VirtualClock, tracker: OrderTracker) -> None:
        self.clock, self.tracker = clock, tracker
        self.told: list[Changes] = []
        self.balances: list[Balances] = []
        self.untold = Untold(clock)
        self.session = ScriptedSession()
        self.lookout = Lookout(
            "FAKE",
            tracker,
            take=self.told.append,
            balances=self.balances.append,
            untold=self.untold,
            clock=clock,
        )

    async def reconcile(self, *symbols: str, ready: bool = False) -> int:
        """Ask for everything since `NOW`."""
        return await self.lookout.reconcile(self.session, symbols, NOW, ready=ready)


def watching(
    play: Callable[[Watch], Coroutine[object, object, None]], tracker: OrderTracker | None = None
) -> None:
    """Play a scene in virtual time."""
    loop = VirtualLoop()

    async def scene() -> None:
        await play(Watch(loop.clock, tracker or OrderTracker("FAKE")))

    run_virtually(scene(), loop)


def test_all_is_asked_for_and_the_moment_before_is_returned() -> None:
    """Orders, the fills of each symbol, balances; known is what was before the first question."""

    async def play(watch: Watch) -> None:
        before = watch.clock.time_ns()
        watch.session.held = HELD
        assert await watch.reconcile(ETH, BTC) == before
        assert watch.session.calls == [
            ("open_orders", ""),
            ("fills", BTC),
            ("fills", ETH),
            ("balances", ""),
        ]
        assert watch.balances == [HELD]
        assert watch.lookout.last_full_ns == before

    watching(play)


@pytest.mark.parametrize("which", ["orders", "trades", "held"])
@pytest.mark.parametrize("error", [None, LIMITED])
def test_a_list_without_an_answer_is_no_reconciliation(
    which: str, error: FoxtrotError | None
) -> None:
    """It ends with the cause that was given, such as a ban, or that the venue is unavailable."""

    async def play(watch: Watch) -> None:
        setattr(watch.session, which, Unknown("no answer", error))
        with pytest.raises(type(error) if error else VenueUnavailable) as caught:
            await watch.reconcile(BTC)
        assert error is None or caught.value is error
        assert watch.lookout.last_full_ns == 0

    watching(play)


def test_what_the_lists_lack_is_asked_for_singly() -> None:
    """An order that is not among the open ones is looked up before anybody is ready."""
    tracker = tracker_with()

    async def play(watch: Watch) -> None:
        watch.session.found = Known((report(S.CANCELED),))
        await watch.reconcile()
        assert ("find", "fx-1") in watch.session.calls
        assert state_of(tracker) is S.CANCELED

    watching(play, tracker)


def test_what_a_lost_session_did_not_answer_is_asked_at_once_of_the_next() -> None:
    """A question that went down with its line is not waited for: the doubt would last for it."""
    tracker = tracker_with(venue_id="")
    tracker.doubted("fx-1", "timeout", NOW)

    async def play(watch: Watch) -> None:
        await watch.reconcile()
        await asyncio.sleep(CAP_NS / NS_PER_S)
        find, watch.session.find = watch.session.find, never  # type: ignore[method-assign]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(watch.lookout.look(watch.session, ready=True), 1.0)
        watch.session.calls.clear()
        watch.session.find = find  # type: ignore[method-assign]
        await watch.reconcile()
        assert ("find", "fx-1") in watch.session.calls

    watching(play, tracker)


def test_a_lookout_is_woken_by_what_was_missed() -> None:
    """And a reconciliation is what it was woken for: it is not woken twice."""

    async def play(watch: Watch) -> None:
        watch.lookout.miss("a frame")
        assert await watch.lookout.wait(1.0)
        await watch.reconcile()
        assert not await watch.lookout.wait(1.0)

    watching(play)


def test_what_was_missed_is_not_forgotten_by_a_list_without_an_answer() -> None:
    """It is still to be asked for."""

    async def play(watch: Watch) -> None:
        watch.lookout.miss("a frame")
        watch.session.held = Unknown("busy")
        with pytest.raises(VenueUnavailable):
            await watch.reconcile()
        assert await watch.lookout.wait(0.0)

    watching(play)


def test_what_is_missed_while_all_is_asked_for_is_not_forgotten() -> None:
    """It may have happened after the question."""

    async def play(watch: Watch) -> None:
        def late() -> Balances:
            watch.lookout.miss("a frame")
            return Balances()

        answer = watch.session.balances

        async def balances() -> Balances | Unknown:
            late()
            return await answer()

        watch.session.balances = balances  # type: ignore[method-assign]
        await watch.reconcile()
        assert await watch.lookout.wait(0.0)

    watching(play)


def test_a_list_that_knows_more_than_the_stream_proves_it_silent() -> None:
    """News of after the beginning is owed; what the stream had told is no news."""
    tracker = tracker_with()

    async def play(watch: Watch) -> None:
        watch.untold.begin(pushes=True)
        now = watch.clock.time_ns() + 1
        watch.session.orders = Known((report(),))
        watch.session.trades = Known((fill("1", "0.4", ts_ns=now),))
        await watch.reconcile(BTC, ready=True)
        watch.clock._selector.now += SILENCE_S + 1
        assert watch.untold.overdue
        watch.untold.told("fx-1")
        await watch.reconcile(BTC, ready=True)
        watch.clock._selector.now += SILENCE_S + 1
        assert not watch.untold.overdue

    watching(play, tracker)


def test_what_others_do_is_owed_by_no_stream() -> None:
    """TWS pushes the orders of its client alone: a trade by hand must not end the session."""

    async def play(watch: Watch) -> None:
        watch.untold.begin(pushes=True)
        after = watch.clock.time_ns() + NS_PER_S
        theirs = fill("1", "1", orderid="", venue_id="9", ts_ns=after)
        watch.session.trades = Known((theirs,))
        await watch.reconcile(BTC, ready=True)
        assert [each.fills for each in watch.told if each.fills]
        await asyncio.sleep(SILENCE_S + 0.1)
        assert not watch.untold.overdue

    watching(play)


async def never(symbol: str, orderid: str, venue_id: str) -> Known[OrderReport] | Unknown:
    """A question that the line swallows."""
    return await asyncio.get_running_loop().create_future()
