"""What an order goes through between the caller and the venue, when a venue's code misbehaves."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot.execution.reports import OrderState as S
from foxtrot.execution.reports import Unknown
from foxtrot.gateway import order_flow, untold
from foxtrot.gateway.trading import Accepted, Doubtful, NotSent, Refused
from foxtrot.model.constants import Exchange, Product
from foxtrot.model.objects import ContractData
from tests.support.orders import fill, intent, report
from tests.support.scripted_trading import Floor, ScriptedSession, on_floor, settled

CONTRACT = ContractData(
    "FAKE", "BTCUSDT", Exchange.BINANCE, "BTC/USDT", Product.SPOT, 1.0, 0.01, 0.001
)


def test_a_verb_that_raises_proves_nothing() -> None:
    """Whatever a venue's code raises, the order is in doubt, and named so."""

    async def play(floor: Floor) -> None:
        floor.submit()
        await settled()
        floor.session.answer("place", "fx-1", KeyError("spot"))
        await settled()
        assert floor.state() is S.IN_DOUBT
        assert floor.reason() == "KeyError while it was sent"
        assert floor.told[-1].extra == {"outcome": "unknown"}

    on_floor(play)


def test_no_answer_in_time_is_a_doubt_and_a_late_report_settles_it() -> None:
    """The request is given up after `orders.timeout_s`; what is pushed later counts."""

    async def play(floor: Floor) -> None:
        floor.submit()
        await asyncio.sleep(floor.flags.orders_timeout_s + 0.1)
        assert floor.state() is S.IN_DOUBT
        floor.flow.on_report(report())
        assert floor.state() is S.ACCEPTED
        assert floor.told[-1].extra is None

    on_floor(play)


def test_no_order_passes_a_halt_while_its_price_is_asked_for() -> None:
    """The gate is looked at again when the price is there."""

    async def play(floor: Floor) -> None:
        asked = asyncio.Event()
        floor.unpriced = True
        floor.session.price = lambda: slow_price(asked)
        floor.submit()
        await settled()
        floor.guard.halt("now")
        asked.set()
        await settled()
        assert floor.reason() == "local:not_sent: halted: now"
        assert ("place", "fx-1") not in floor.session.calls

    on_floor(play)


def test_an_order_whose_price_was_asked_for_goes_by_the_session_of_now() -> None:
    """The session that was asked is gone: the next one sends it, or nobody."""

    async def play(floor: Floor) -> None:
        asked = asyncio.Event()
        floor.unpriced = True
        floor.session.price = lambda: slow_price(asked)
        floor.submit("fx-1")
        await settled()
        first, second = floor.session, ScriptedSession()
        floor.trading.end()
        floor.begin(second)
        asked.set()
        await settled()
        assert [call for call in first.calls if call[0] == "place"] == []
        assert ("place", "fx-1") in second.calls
        second.answer("place", "fx-1", Refused("-1: no"))
        await settled()

    on_floor(play)


@pytest.mark.parametrize(
    ("price", "words"),
    [
        (Unknown("no answer"), "no price is known to judge it by (no answer)"),
        (ValueError("x"), "guard: a rule could not be judged (ValueError)"),
        (None, "no price is known to judge it by (no answer within 10 s)"),
    ],
    ids=["unknown", "raises", "hangs"],
)
def test_what_cannot_be_judged_is_not_sent(price: Unknown | Exception | None, words: str) -> None:
    """A price that does not come refuses the order in words, and frees its place."""

    async def play(floor: Floor) -> None:
        async def answer() -> Decimal | Unknown:
            if isinstance(price, Exception):
                raise price
            if price is None:
                await asyncio.Event().wait()
            return price or Unknown("")

        floor.unpriced = True
        floor.session.price = answer
        floor.submit()
        await asyncio.sleep(11.0)
        assert words in floor.reason()
        assert floor.state() is S.REJECTED
        assert floor.guard.open_orders == 0

    on_floor(play)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (msgspec.structs.replace(CONTRACT, volume_step=0.3), "volume: 1.0 is not a multiple"),
        (Unknown("no such contract"), "contract: BTCUSDT.BINANCE is not known (no such contract)"),
        (CONTRACT, ""),
    ],
    ids=["misfit", "unknown", "fits"],
)
def test_an_order_for_a_contract_that_nobody_looked_up_waits_for_it(
    found: ContractData | Unknown, words: str
) -> None:
    """It is looked up, then judged by its rules, and only then sent."""

    async def play(floor: Floor) -> None:
        floor.unlisted, floor.session.contract = True, found
        floor.submit()
        await settled()
        assert words in floor.reason()
        assert (("place", "fx-1") in floor.session.calls) is not bool(words)
        if not words:
            floor.session.answer("place", "fx-1", Refused("-1: no"))
            await settled()

    on_floor(play)


def test_a_price_that_cannot_be_judged_at_all_refuses() -> None:
    """Not even whether a price is needed is known: the order is refused, and does not hang."""

    async def play(floor: Floor) -> None:
        def broken(intent: object) -> bool:
            raise RuntimeError("no market")

        floor.flow._unpriced = broken
        floor.submit()
        await settled()
        assert floor.state() is S.REJECTED
        assert floor.guard.open_orders == 0

    on_floor(play)


def test_an_order_is_not_cancelled_twice_at_once() -> None:
    """A cancel of `cancel_all` that hangs is waited for before the next one goes."""

    async def play(floor: Floor) -> None:
        floor.submit()
        await settled()
        floor.session.answer("place", "fx-1", Doubtful("who knows"))
        await settled()
        floor.flow.doom()
        await settled()
        await asyncio.sleep(order_flow.CANCEL_AGAIN_S * 3)
        floor.flow.tend()
        await settled()
        assert floor.session.calls.count(("cancel", "fx-1")) == 1
        floor.session.answer("cancel", "fx-1", Refused("-2011: no"))
        await settled()
        await asyncio.sleep(order_flow.CANCEL_AGAIN_S)
        floor.flow.tend()
        await settled()
        assert floor.session.calls.count(("cancel", "fx-1")) == 2
        floor.flow.on_report(report(S.CANCELED))
        floor.session.answer("cancel", "fx-1", Doubtful(""))
        await settled()
        assert floor.flow.doomed == 0

    on_floor(play)


def test_cancel_all_sends_no_more_than_so_many_at_once() -> None:
    """The next goes when one is answered."""

    async def play(floor: Floor) -> None:
        names = [f"fx-{n}" for n in range(order_flow.CANCELS_AT_ONCE + 5)]
        for number, name in enumerate(names):
            floor.submit(name)
            await settled()
            shown = report(orderid=name, venue_id=str(number))
            floor.session.answer("place", name, Accepted(shown))
            await settled()
        floor.flow.doom()
        await settled()
        sent = [name for verb, name in floor.session.calls if verb == "cancel"]
        assert len(sent) == order_flow.CANCELS_AT_ONCE
        for number, name in enumerate(names):
            await settled()
            ended = report(S.CANCELED, orderid=name, venue_id=str(number))
            floor.session.answer("cancel", name, Accepted(ended))
        await settled()
        assert floor.flow.doomed == 0
        assert floor.guard.open_orders == 0

    on_floor(play)


def test_a_halt_stops_the_orders_that_wait_for_their_turn() -> None:
    """No more than so many are under way; the next of them goes, or is stopped, at an answer."""

    async def play(floor: Floor) -> None:
        names = [f"fx-{n}" for n in range(order_flow.PLACES_AT_ONCE + 2)]
        for name in names:
            floor.submit(name)
        await settled()
        assert [name for verb, name in floor.session.calls if verb == "place"] == names[:-2]
        floor.session.answer("place", names[0], Refused("-1: no"))
        await settled()
        assert floor.session.calls[-1] == ("place", names[-2])
        floor.guard.halt("now")
        floor.session.answer("place", names[1], Refused("-1: no"))
        await settled()
        assert floor.reason(names[-1]) == "local:not_sent: halted: now"
        assert ("place", names[-1]) not in floor.session.calls
        for name in names[2:-1]:
            floor.session.answer("place", name, Refused("-1: no"))
        await settled()

    on_floor(play)


@pytest.mark.parametrize(
    "answer", [Accepted(report()), Doubtful("who knows")], ids=["open", "in doubt"]
)
def test_an_order_that_is_being_modified_is_not_modified_again(answer: Accepted | Doubtful) -> None:
    """Two who modify it at the same moment do not get an order each for the one that goes."""

    async def play(floor: Floor) -> None:
        floor.submit()
        await settled()
        floor.session.answer("place", "fx-1", answer)
        await settled()
        for name in ("fx-2", "fx-3"):
            floor.flow.resubmit("fx-1", intent(name))
        await settled()
        assert [each for each in floor.session.calls if each[0] == "replace"] == [
            ("replace", "fx-2")
        ]
        assert floor.state("fx-3") is S.REJECTED
        gone = report(S.CANCELED), report(orderid="fx-2", venue_id="8")
        floor.session.answer("replace", "fx-2", (Accepted(gone[0]), Accepted(gone[1])))
        await settled()
        assert (floor.state("fx-1"), floor.state("fx-2")) == (S.CANCELED, S.ACCEPTED)

    on_floor(play)


def test_an_order_is_not_given_up_for_one_that_breaks_its_contract() -> None:
    """A contract that nobody looked up yet is looked up before the old order is cancelled."""

    async def play(floor: Floor) -> None:
        floor.submit()
        await settled()
        floor.session.answer("place", "fx-1", Accepted(report()))
        await settled()
        floor.unlisted = True
        floor.session.contract = msgspec.structs.replace(CONTRACT, volume_step=0.3)
        floor.flow.resubmit("fx-1", intent("fx-2"))
        await settled()
        assert "volume: 1.0 is not a multiple" in floor.reason("fx-2")
        assert ("replace", "fx-2") not in floor.session.calls
        assert floor.state("fx-1") is S.ACCEPTED

    on_floor(play)


@pytest.mark.parametrize("everything", [False, True], ids=["cancel", "cancel all"])
def test_an_order_that_is_cancelled_while_its_price_is_asked_for_is_not_sent(
    everything: bool,
) -> None:
    """A market order would fill before the cancel could follow it."""

    async def play(floor: Floor) -> None:
        asked = asyncio.Event()
        floor.unpriced = True
        floor.session.price = lambda: slow_price(asked)
        floor.submit()
        await settled()
        floor.flow.doom() if everything else floor.flow.start_cancel("fx-1")
        asked.set()
        await settled()
        assert floor.reason() == "local:not_sent: cancelled before it was sent"
        assert floor.state() is S.CANCELED
        assert ("place", "fx-1") not in floor.session.calls
        assert floor.flow.doomed == 0

    on_floor(play)


@pytest.mark.parametrize("everything", [False, True], ids=["cancel", "cancel all"])
def test_an_order_that_is_cancelled_in_the_same_breath_is_not_sent(everything: bool) -> None:
    """The cancel is there before the order left, so it need not run after it."""

    async def play(floor: Floor) -> None:
        floor.submit()
        floor.flow.doom() if everything else floor.flow.start_cancel("fx-1")
        await settled()
        assert floor.reason() == "local:not_sent: cancelled before it was sent"
        assert floor.state() is S.CANCELED
        assert floor.session.calls == []
        assert (floor.flow.doomed, floor.guard.open_orders) == (0, 0)

    on_floor(play)


def test_a_replacement_that_is_cancelled_in_the_same_breath_replaces_nothing() -> None:
    """The order that it was to replace stays as it is."""

    async def play(floor: Floor) -> None:
        floor.submit()
        await settled()
        floor.session.answer("place", "fx-1", Accepted(report()))
        await settled()
        floor.flow.resubmit("fx-1", intent("fx-2"))
        floor.flow.start_cancel("fx-2")
        await settled()
        assert (floor.state("fx-1"), floor.state("fx-2")) == (S.ACCEPTED, S.CANCELED)
        assert floor.session.calls == [("place", "fx-1")]

    on_floor(play)


def test_an_order_does_not_wait_long_for_its_turn() -> None:
    """Its price is of now; behind a venue that answers nobody it is refused in words."""

    async def play(floor: Floor) -> None:
        names = [f"fx-{n}" for n in range(order_flow.PLACES_AT_ONCE + 1)]
        for name in names:
            floor.submit(name)
        await asyncio.sleep(order_flow.PLACE_WAIT_S + 0.1)
        assert floor.state(names[-1]) is S.REJECTED
        assert "32 orders before it are still unanswered" in floor.reason(names[-1])
        assert ("place", names[-1]) not in floor.session.calls
        for name in names[:-1]:
            floor.session.answer("place", name, Refused("-1: no"))
        await settled()

    on_floor(play)


def test_what_an_answer_tells_first_the_stream_owes() -> None:
    """An answer that nobody pushes is a silent stream; what was pushed before it is not owed."""

    async def play(floor: Floor) -> None:
        now = floor.clock.time_ns() + 1
        for name, venue_id in (("fx-1", "7"), ("fx-2", "8")):
            floor.submit(name)
            await settled()
            shown = report(orderid=name, venue_id=venue_id, ts_ns=now)
            if name == "fx-1":
                floor.flow.on_report(shown)
            floor.session.answer("place", name, Accepted(shown))
            await settled()
            await asyncio.sleep(untold.SILENCE_S + 0.1)
            assert floor.untold.overdue is (name == "fx-2")
        floor.flow.on_report(report(orderid="fx-2", venue_id="8", ts_ns=now))
        assert not floor.untold.overdue

    on_floor(play)


def test_a_refusal_is_owed_by_nobody() -> None:
    """No stream tells of orders that never were."""

    async def play(floor: Floor) -> None:
        for number, answer in enumerate((Refused("-1: no"), NotSent("no line"), Doubtful("?"))):
            floor.submit(f"fx-{number}")
            await settled()
            floor.session.answer("place", f"fx-{number}", answer)
            await settled()
        await asyncio.sleep(untold.SILENCE_S + 0.1)
        assert not floor.untold.overdue

    on_floor(play)


def test_without_pushes_nothing_is_owed() -> None:
    """Who polls learns everything by answers."""

    async def play(floor: Floor) -> None:
        floor.untold.begin(pushes=False)
        floor.submit()
        await settled()
        floor.session.answer("place", "fx-1", Accepted(report(ts_ns=floor.clock.time_ns())))
        await asyncio.sleep(untold.SILENCE_S + 0.1)
        assert not floor.untold.overdue

    on_floor(play)


answers = st.sampled_from(["accepted", "filled", "refused", "not sent", "doubtful", "raises"])
ends = st.sampled_from(["filled", "canceled", "expired", "never arrived"])


@given(st.lists(st.tuples(answers, ends, st.booleans()), min_size=1, max_size=6))
def test_no_order_that_has_ended_is_counted_as_open(script: list[tuple[str, str, bool]]) -> None:
    """Whatever was answered, pushed and proved: when all have ended, the guard counts none."""

    async def play(floor: Floor) -> None:
        for number, (answer, end, early) in enumerate(script):
            await live(floor, f"fx-{number}", str(number), answer, end, early=early)
        assert all(not record.is_open for record in floor.tracker.open_records())
        assert floor.guard.open_orders == 0
        traded = [trade.tradeid for trade in floor.trades]
        assert len(traded) == len(set(traded))

    on_floor(play)


async def live(
    floor: Floor, name: str, venue_id: str, answer: str, end: str, *, early: bool
) -> None:
    """Let an order live: sent, answered, ended; `early` pushes come before the answer."""
    given = {
        "accepted": Accepted(report(orderid=name, venue_id=venue_id)),
        "filled": Accepted(
            report(S.FILLED, "1", orderid=name, venue_id=venue_id),
            (fill(venue_id, "1", orderid=name, venue_id=venue_id),),
        ),
        "refused": Refused("-1: no"),
        "not sent": NotSent("no line"),
        "doubtful": Doubtful("?"),
        "raises": ValueError("?"),
    }
    floor.submit(name)
    await settled()
    lives = answer in ("accepted", "filled")
    if early and lives:
        floor.flow.on_report(report(orderid=name, venue_id=venue_id))
    floor.session.answer("place", name, given[answer])
    await settled()
    if not lives and (end == "never arrived" or answer not in ("doubtful", "raises")):
        floor.flow.apply(floor.tracker.proved_absent(name, floor.clock.time_ns()))
    elif end == "filled":
        floor.flow.on_fill(fill(venue_id, "1", orderid=name, venue_id=venue_id))
    else:
        state = S.EXPIRED if end == "expired" else S.CANCELED
        floor.flow.on_report(report(state, orderid=name, venue_id=venue_id))


async def slow_price(asked: asyncio.Event) -> Decimal | Unknown:
    """A price that comes when the test says so."""
    await asked.wait()
    return Decimal(100)
