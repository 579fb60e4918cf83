"""IB's trading session against a simulated gateway: what becomes of an order is what TWS says."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from typing import Any, cast

import pytest

from foxtrot.adapter.ib import order_mapping
from foxtrot.adapter.ib.client import IbClient
from foxtrot.adapter.ib.contracts import Contracts
from foxtrot.adapter.ib.sdk import RawOrder
from foxtrot.errors import ConnectionClosed, VenueUnavailable
from foxtrot.execution.reports import Known, OrderState, Unknown
from foxtrot.gateway.trading import Accepted, Balances, Doubtful, NotSent, Refused
from foxtrot.model.constants import OrderType
from foxtrot.model.objects import NS_PER_S
from foxtrot.simulator.ib import SimulatedIb
from tests.support.ib_answers import contract
from tests.support.ib_door import WELCOME, Door, Fields, frame, standing
from tests.support.ib_trading import AAPL, SMART, Desk, desk_of, intent


async def test_an_order_is_accepted_filled_and_its_fee_known() -> None:
    """TWS takes an order and fills it: every step is told once, the fill with its commission."""
    async with desk_of() as desk, desk.session() as session:
        answer = await session.place(intent())
        assert isinstance(answer, Accepted), answer
        assert (answer.report.orderid, answer.report.state) == ("fx-1", OrderState.ACCEPTED)

        desk.gateway.desk.fill("fx-1", 4)
        desk.gateway.desk.fill("fx-1")
        await desk.told.until(lambda: OrderState.FILLED in desk.told.states("fx-1"))

        assert desk.told.states("fx-1") == [
            OrderState.ACCEPTED,
            OrderState.PARTIALLY_FILLED,
            OrderState.FILLED,
        ]
        assert [each.volume for each in desk.told.fills] == [4, 6]
        assert all(each.fee > 0 and each.fee_currency == "USD" for each in desk.told.fills)
        assert {each.orderid for each in desk.told.fills} == {"fx-1"}
        assert (desk.told.fills[0].symbol, desk.told.fills[0].exchange) == (AAPL, SMART)
        assert not desk.gateway.violations


@pytest.mark.parametrize("inactive", [False, True])
async def test_a_refused_order_is_rejected_with_the_words_of_tws(inactive: bool) -> None:
    """Error 201 is positive evidence, whether TWS keeps the order as inactive or not."""
    async with desk_of() as desk, desk.session() as session:
        desk.gateway.desk.reject_next(201, "Order rejected - reason: no", inactive=inactive)
        answer = await session.place(intent())

        assert answer == Refused("201: Order rejected - reason: no")
        assert set(desk.told.states("fx-1")) <= {OrderState.REJECTED}


@pytest.mark.parametrize("code", [399, 10349, 2109, 99_999])
async def test_a_notice_leaves_a_live_order_alone(code: int) -> None:
    """Only its status says what becomes of an order; a person reads the notice."""
    async with desk_of() as desk, desk.session() as session:
        desk.gateway.faults.inject("order_notice", code=code, body="the TIF was set")
        answer = await session.place(intent())
        await desk.told.until(lambda: any(f"{code}: the TIF" in each for each in desk.told.said))

        assert isinstance(answer, Accepted)
        assert desk.told.states("fx-1") == [OrderState.ACCEPTED]
        cancel = await session.cancel(desk.record_of(intent()))
        assert isinstance(cancel, Accepted)
        assert cancel.report.state is OrderState.CANCELED


async def test_an_order_id_that_was_used_before_is_a_refusal_and_the_next_order_goes() -> None:
    """Error 103: the order is not sent again by itself, and ids go on above the venue's."""
    async with desk_of() as desk, desk.session() as session:
        for ref in ("elsewhere-1", "elsewhere-2"):
            desk.gateway.desk.place_by_hand("AAPL", 5, 40.0, client_id=1, order_ref=ref)
            desk.gateway.desk.end(ref)
        answer = await session.place(intent())
        assert isinstance(answer, Refused)
        assert answer.reason.startswith("103:")

        assert isinstance(await session.place(intent("fx-2")), Accepted)
        assert desk.gateway.desk.received() == {"fx-2": 1}


async def test_a_swallowed_order_is_in_doubt_and_then_nowhere() -> None:
    """No answer proves nothing; three lists that lack the order are what the desk goes by."""
    async with desk_of() as desk:
        desk.patience_s = 0.3
        async with desk.session() as session:
            desk.gateway.faults.inject("request_swallowed", request="place")
            assert isinstance(await session.place(intent()), Doubtful)

            desk.record_of(intent(), OrderState.IN_DOUBT)
            assert await session.find(AAPL, "fx-1", "") == Known(())


async def test_an_order_whose_answer_is_lost_is_found_by_the_next_session() -> None:
    """The line drops after the order arrived: it is in doubt, and found under its own name."""
    async with desk_of() as desk:
        async with desk.session() as session:
            desk.gateway.faults.inject("ack_reset", request="place")
            assert isinstance(await session.place(intent()), Doubtful)
        desk.record_of(intent(), OrderState.IN_DOUBT)
        async with desk.session() as session:
            found = await session.find(AAPL, "fx-1", "")
            assert isinstance(found, Known)
            assert found.items[0].state is OrderState.ACCEPTED
            cancel = await session.cancel(desk.records["fx-1"])
            assert isinstance(cancel, Accepted)
            assert cancel.report.state is OrderState.CANCELED


async def test_nothing_is_sent_over_a_line_that_is_gone() -> None:
    """A session that lost its connection says that nothing was sent, and changes nothing."""
    async with desk_of() as desk, desk.session() as session:
        desk.gateway.faults.inject("rst")
        with pytest.raises(ExceptionGroup) as lost:
            await session.run()
        assert lost.group_contains(ConnectionClosed)
        assert isinstance(await session.place(intent()), NotSent)
        assert isinstance(await session.open_orders(), Unknown)


async def test_what_was_filled_while_away_is_told_by_the_lists() -> None:
    """An order that ended between two sessions is found with its end, its fills and their fees."""
    async with desk_of() as desk:
        async with desk.session() as session:
            answer = await session.place(intent())
            assert isinstance(answer, Accepted)
        desk.gateway.desk.fill("fx-1")
        async with desk.session() as session:
            opened = await session.open_orders()
            found = await session.find(AAPL, "fx-1", answer.report.venue_id)
            fills = await session.fills([AAPL], 0)

            assert opened == Known(())
            assert isinstance(found, Known)
            assert isinstance(fills, Known)
            assert (found.items[0].state, found.items[0].traded) == (OrderState.FILLED, 10)
            assert [(each.volume, each.orderid) for each in fills.items] == [(10, "fx-1")]
            assert fills.items[0].fee > 0


async def test_an_order_keeps_the_name_its_contract_was_ordered_by() -> None:
    """Who ordered by conId is told of that conId, also by a session that never looked it up."""
    async with desk_of() as desk:
        async with desk.session() as session:
            await session.place(intent())
        by_id = intent(symbol="265598")
        desk.record_of(by_id)
        async with desk.session() as session:
            found = await session.open_orders()
            assert isinstance(found, Known)
            assert [each.symbol for each in found.items] == ["265598"]


async def test_an_order_of_an_earlier_day_that_is_nowhere_is_not_called_lost() -> None:
    """TWS forgets at midnight what ended: absence proves nothing of yesterday's orders.

    Only whoever cancels such an order gets it closed, and is told what is not known of it.
    """
    async with desk_of() as desk, desk.session() as session:
        old = desk.record_of(intent(created_ns=1), OrderState.IN_DOUBT)
        assert isinstance(await session.find(AAPL, "fx-1", ""), Unknown)

        cancel = await session.cancel(old)
        assert isinstance(cancel, Accepted)
        assert cancel.report.state is OrderState.CANCELED
        assert "earlier day" in cancel.report.reason


async def test_what_ended_before_midnight_is_known_while_a_list_has_it() -> None:
    """The list of ended orders tells what traded; fills of the day before are told nowhere."""
    async with desk_of() as desk:
        async with desk.session() as session:
            await session.place(intent())
        desk.gateway.desk.fill("fx-1", 4)
        desk.gateway.orders.traded.clear()
        desk.gateway.desk.end("fx-1")
        async with desk.session() as session:
            found = await session.find(AAPL, "fx-1", "")
            assert isinstance(found, Known)
            assert (found.items[0].state, found.items[0].traded) == (OrderState.CANCELED, 4)
            assert await session.fills([AAPL], 0) == Known(())


async def test_a_cancel_that_comes_too_late_brings_the_fill() -> None:
    """The order trades as it is cancelled: the answer is what TWS says of it, and one end."""
    async with desk_of() as desk, desk.session() as session:
        await session.place(intent())
        desk.gateway.faults.inject("cancel_race")
        cancel = await session.cancel(desk.record_of(intent()))
        assert isinstance(cancel, Accepted)
        assert (cancel.report.state, cancel.report.traded) == (OrderState.FILLED, 10)
        await desk.told.until(lambda: desk.told.fills)
        assert desk.told.states("fx-1") == [OrderState.ACCEPTED, OrderState.FILLED]


async def test_a_cancelled_order_says_why_if_tws_does() -> None:
    """Error 202 before the status ends nothing by itself; its words are the reason."""
    async with desk_of() as desk, desk.session() as session:
        await session.place(intent())
        desk.gateway.faults.inject("notice_first")
        desk.gateway.desk.end("fx-1")
        await desk.told.until(lambda: OrderState.CANCELED in desk.told.states("fx-1"))
        assert desk.told.reports[-1].reason.startswith("202:")
        assert not desk.told.said


async def test_orders_of_others_are_shown_and_not_cancelled() -> None:
    """What was ordered by hand or by another client is shown; only he who did so can cancel it."""
    async with desk_of() as desk, desk.session() as session:
        by_hand = desk.gateway.desk.place_by_hand("AAPL", 5, 40.0)
        other = desk.gateway.desk.place_by_hand("MSFT", 5, 40.0, client_id=7, order_ref="bot-1")
        shown = await session.open_orders()
        assert isinstance(shown, Known)
        assert {(each.venue_id, each.orderid) for each in shown.items} == {
            (str(by_hand.perm_id), ""),
            (str(other.perm_id), "bot-1"),
        }
        for order, words in ((by_hand, "made in TWS"), (other, "client id 7")):
            record = desk.record_of(intent("x"), venue_id=str(order.perm_id))
            answer = await session.cancel(record)
            assert isinstance(answer, Refused)
            assert words in answer.reason
        assert desk.gateway.desk.cancels() == []


@pytest.fixture
def strange_terms(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of orders whose terms cannot be believed."""
    names, read = set[str](), order_mapping.terms

    def terms(order: RawOrder) -> order_mapping.Terms:
        if order.orderRef in names:
            raise ValueError("1E+18 is no volume")
        return read(order)

    monkeypatch.setattr(order_mapping, "terms", terms)
    return names


@pytest.mark.parametrize("ended", [False, True])
async def test_an_order_of_others_that_cannot_be_read_is_told_to_people(
    strange_terms: set[str], ended: bool
) -> None:
    """Trading goes on; it is said once which order is not shown here, and why."""
    async with desk_of() as desk:
        theirs = desk.gateway.desk.place_by_hand("AAPL", 5, 40.0, client_id=9, order_ref="theirs")
        if ended:
            desk.gateway.desk.end("theirs")
        strange_terms.add("theirs")
        async with desk.session() as session:
            assert await session.open_orders() == Known(())
            assert await session.open_orders() == Known(())
            (said,) = desk.told.said
            assert said == (
                f"IB: order theirs ({theirs.perm_id}) in AAPL cannot be read, so it is not shown"
                " here; look at it in TWS: 1E+18 is no volume"
            )
            assert not desk.told.missed, "asking again would bring the same"
            assert isinstance(await session.place(intent()), Accepted)


@pytest.mark.parametrize("ended", [False, True])
async def test_what_cannot_be_read_is_not_called_absent(
    strange_terms: set[str], ended: bool
) -> None:
    """A list with an order in it that cannot be read proves of none that it never arrived."""
    async with desk_of() as desk:
        async with desk.session() as session:
            await session.place(intent())
        if ended:
            desk.gateway.desk.end("fx-1")
        desk.record_of(intent(), OrderState.IN_DOUBT)
        strange_terms.add("fx-1")
        async with desk.session() as session:
            assert isinstance(await session.find(AAPL, "fx-1", ""), Unknown)
            assert isinstance(await session.cancel(desk.records["fx-1"]), NotSent)
            strange_terms.clear()
            found = await session.find(AAPL, "fx-1", "")
            assert isinstance(found, Known)
            assert [each.orderid for each in found.items] == ["fx-1"]


async def test_what_no_list_brings_readable_is_not_asked_for_without_end() -> None:
    """The library cannot decode an order: with the next list it would come so again."""

    def broken(fields: list[str]) -> None:
        raise ValueError("not enough values to unpack")

    async with desk_of() as desk:
        desk.gateway.desk.place_by_hand("AAPL", 5, 40.0, client_id=9)
        async with desk.session(sync=False) as session:
            session.client.raw.decoder.handlers[5] = broken
            await session.sync()
            assert await session.open_orders() == Known(())
            assert not desk.told.missed
            assert len(desk.told.said) == 1
            assert isinstance(await session.find(AAPL, "fx-1", ""), Unknown)


async def test_a_session_that_cannot_begin_says_what_it_does_not_believe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fill is never passed over: what is wrong with it is said, so that somebody can look."""
    async with desk_of() as desk:
        async with desk.session() as session:
            await session.place(intent())
            desk.gateway.desk.fill("fx-1")
        monkeypatch.setattr(order_mapping, "_LARGEST", Decimal(10))
        async with desk.session(sync=False) as session:
            with pytest.raises(VenueUnavailable, match=r"cannot be believed: 50\.0 is no price"):
                await session.sync()


async def test_a_message_that_cannot_be_read_is_told_to_people_once() -> None:
    """The library could not decode it: it may have been a fill, so all is asked for again."""
    async with desk_of() as desk, desk.session() as session:
        for _ in range(2):
            session.client.inbox.unreadable("decode", None)
        assert len(desk.told.missed) == 2
        (said,) = desk.told.said
        assert "a message of TWS could not be read (decode)" in said


async def test_what_was_missed_during_another_question_is_asked_for() -> None:
    """The answer to a look at TWS's clock or at a contract brings no fill again."""
    async with desk_of() as desk, desk.session() as session:
        session.client.requests.open(999_999, "contractDetails")
        session.client.requests.open_named("currentTime")
        session.client.inbox.unreadable("decode", None)
        assert len(desk.told.missed) == 1


async def test_an_order_is_replaced_only_when_it_is_cancelled() -> None:
    """The new order goes out after the old one ended without trading on, and not otherwise."""
    async with desk_of() as desk, desk.session() as session:
        await session.place(intent())
        both = await session.replace(desk.record_of(intent()), intent("fx-2", price=51.0))
        assert [type(each) for each in both] == [Accepted, Accepted]

        desk.gateway.faults.inject("cancel_race")
        _, new = await session.replace(desk.record_of(intent("fx-2")), intent("fx-3"))
        assert isinstance(new, NotSent)
        assert desk.gateway.desk.received() == {"fx-1": 1, "fx-2": 1}


@pytest.mark.parametrize(
    "request_kind",
    ["open_orders", "completed_orders", "executions", "positions", "account_updates"],
)
async def test_a_session_is_not_in_step_before_every_list_was_answered(request_kind: str) -> None:
    """A list that TWS does not answer is not an empty one: the session does not begin."""
    async with desk_of() as desk:
        desk.patience_s = 0.2
        desk.gateway.faults.inject("request_swallowed", request=request_kind, count=9)
        async with desk.session(sync=False) as session:
            with pytest.raises(VenueUnavailable):
                await session.sync()


async def test_a_question_that_many_ask_at_once_is_asked_once() -> None:
    """Hundreds of orders that are to be found cost a few messages, not three for each."""
    async with desk_of() as desk, desk.session() as session:
        await session.place(intent())
        before = len(desk.gateway.seen.requests)
        answers = await asyncio.gather(*(session.find(AAPL, "fx-1", "") for _ in range(200)))
        assert all(isinstance(each, Known) and each.items for each in answers)
        assert len(desk.gateway.seen.requests) - before <= 8


async def test_while_tws_has_lost_ib_nothing_is_sent_and_then_all_is_asked() -> None:
    """1100 stops orders at the door; 1102 has everything asked for that was missed."""
    async with desk_of() as desk, desk.session() as session:
        desk.gateway.faults.inject("notice", code=1100, body="Connectivity lost")
        await session.probe()
        assert isinstance(await session.place(intent()), NotSent)
        desk.gateway.faults.inject("notice", code=1102, body="Connectivity restored")
        await desk.told.until(lambda: desk.told.missed)
        assert isinstance(await session.place(intent()), Accepted)


async def test_a_line_that_is_down_from_the_start_stops_orders_too() -> None:
    """TWS says 2110 right behind its welcome, before anybody else listens."""
    lost = frame(4, 2, -1, 2110, "Connectivity is broken", "")
    async with standing(Door(welcome=WELCOME + lost)) as door:
        desk = Desk(cast("SimulatedIb", door))
        desk.patience_s = 0.2
        async with desk.session(sync=False) as session:
            answer = await session.place(intent())
            assert answer == NotSent("TWS cannot reach IB (2110: Connectivity is broken)")


@pytest.mark.parametrize(
    ("told", "price"),
    [
        ([(1, 9.9), (2, 10.1)], "10.1"),
        ([(9, 9.5), (4, 10.0)], "10.0"),  # nobody offers any: that is known when time is up
    ],
)
async def test_a_price_is_had_though_the_snapshot_goes_on(
    told: list[tuple[int, float]], price: str
) -> None:
    """TWS ends a snapshot after 11 s where something is missing; no order waits for that."""

    def ticks(fields: Fields) -> bytes:
        return b"".join(frame(1, 6, fields[2], kind, value, 1, 0) for kind, value in told)

    async with desk_of() as desk:
        desk.patience_s = 1.0
        async with desk.session() as session:
            await session.look_up(AAPL, SMART)
            async with standing(Door(answers={"1": ticks})) as door:
                beside = Desk(cast("SimulatedIb", door))
                beside.patience_s, beside.contracts = 1.0, desk.contracts
                async with beside.session(sync=False) as quiet:
                    assert await quiet.reference_price(AAPL, SMART) == Decimal(price)
                    asked, ended = await door.hear("1"), await door.hear("2")
                    assert ended[2] == asked[2], "it would take one of TWS's lines until its end"


async def test_a_cancel_is_sent_again_while_the_answer_to_the_first_is_awaited() -> None:
    """The first cancel got lost: who cancels again is not made to wait for its answer."""
    async with desk_of() as desk, desk.session() as session:
        await session.place(intent())
        desk.gateway.faults.inject("request_swallowed", request="cancel")
        record = desk.record_of(intent())
        answers = await asyncio.gather(session.cancel(record), session.cancel(record))
        assert [type(each) for each in answers] == [Accepted, Accepted]


async def test_an_order_that_cannot_be_filled_at_once_expires() -> None:
    """TWS says Cancelled of a FAK order that nobody cancelled; it is told as what it is."""
    async with desk_of() as desk, desk.session() as session:
        await session.place(intent(kind=OrderType.FAK))
        await desk.told.until(lambda: OrderState.EXPIRED in desk.told.states("fx-1"))
        assert "expired" in desk.told.reports[-1].reason


async def test_contracts_of_what_is_held_are_looked_up() -> None:
    """A position of an earlier run can be closed without subscribing to it first."""
    async with desk_of() as desk:
        async with desk.session() as session:
            await session.place(intent())
            desk.gateway.desk.fill("fx-1")
        told = asyncio.Event()
        desk.contracts = Contracts("IB", told=lambda contract: told.set())
        async with desk.session() as session:
            running = asyncio.ensure_future(session.run())
            await asyncio.wait_for(told.wait(), 5)
            assert desk.contracts.get(f"{AAPL}.SMART") is not None
            running.cancel()


async def test_a_corrected_fill_is_told_once_and_the_correction_to_people() -> None:
    """A higher revision of an execution is no second fill; somebody should look."""
    async with desk_of() as desk, desk.session() as session:
        await session.place(intent())
        fill = desk.gateway.desk.fill("fx-1")
        desk.gateway.desk.correct(fill.exec_id, 49.5)
        await desk.told.until(lambda: desk.told.said)
        assert len(desk.told.fills) == 1
        assert "to 10.0 at 49.5" in desk.told.said[0]
        listed = await session.fills([AAPL], 0)
        assert isinstance(listed, Known)
        assert [each.price for each in listed.items] == [Decimal("49.5")]


async def test_a_fill_that_was_corrected_while_we_were_away_is_told_to_people_once() -> None:
    """The list of the next session shows the new price: nobody trades on by the old one unaware."""
    async with desk_of() as desk:
        async with desk.session() as session:
            await session.place(intent())
            fill = desk.gateway.desk.fill("fx-1")
            await desk.told.until(lambda: desk.told.fills)
        corrected = desk.gateway.desk.correct(fill.exec_id, 49.5)
        for _ in range(2):
            async with desk.session() as session:
                listed = await session.fills([AAPL], 0)
                assert isinstance(listed, Known)
                assert [each.price for each in listed.items] == [Decimal("49.5")]
        assert len(desk.told.fills) == 1
        assert corrected.exec_id.endswith(".02")
        assert ["to 10.0 at 49.5" in each for each in desk.told.said] == [True]


async def test_reports_that_come_twice_are_told_once() -> None:
    """TWS is known to repeat itself; what it says again is no news."""
    async with desk_of() as desk, desk.session() as session:
        desk.gateway.faults.inject("duplicate_reports")
        await session.place(intent())
        desk.gateway.desk.fill("fx-1")
        await desk.told.until(lambda: OrderState.FILLED in desk.told.states("fx-1"))
        await session.probe()
        assert desk.told.states("fx-1") == [OrderState.ACCEPTED, OrderState.FILLED]
        assert len(desk.told.fills) == 1


async def test_what_the_account_holds_is_listed_and_pushed() -> None:
    """Positions at their price, the account's worth and its cash; a fill moves all three."""
    async with desk_of() as desk, desk.session() as session:
        before = await session.balances()
        assert isinstance(before, Balances)
        assert {each.accountid for each in before.accounts} >= {"DU1234567", "DU1234567.USD"}
        assert before.positions == ()

        await session.place(intent())
        desk.gateway.desk.fill("fx-1")
        await desk.told.until(
            lambda: any(
                position.volume for told in desk.told.balances for position in told.positions
            )
        )
        after = await session.balances()
        assert isinstance(after, Balances)
        (position,) = after.positions
        assert (position.symbol, position.volume) == (AAPL, 10)
        assert 50 <= position.price < 51


async def test_a_replacement_is_not_sent_once_trading_is_halted() -> None:
    """The cancel before it may take seconds, and the new order would fill."""
    async with desk_of() as desk, desk.session() as session:
        await session.place(intent())
        desk.unwanted = lambda orderid: "halted: by hand" if desk.gateway.desk.cancels() else ""
        cancel, new = await session.replace(desk.record_of(intent()), intent("fx-2", price=51.0))
        assert isinstance(cancel, Accepted)
        assert new == NotSent("halted: by hand")
        assert desk.gateway.desk.received() == {"fx-1": 1}


async def test_an_order_that_is_halted_while_its_contract_is_looked_up_is_not_sent() -> None:
    """That may take seconds, too."""
    async with desk_of() as desk, desk.session() as session:
        desk.unwanted = lambda orderid: "halted" if desk.contracts.get(f"{AAPL}.SMART") else ""
        assert await session.place(intent()) == NotSent("halted")


async def test_an_order_that_tws_has_and_ib_has_not_confirmed_is_told_by_the_stream() -> None:
    """It was kept back while its answer was awaited: untold, the stream would seem silent."""

    def pending(fields: Fields) -> bytes:
        return frame(3, fields[1], "PendingSubmit", 0, 10, 0, 77, 0, 0, 1, "", 0)

    async with desk_of() as desk, desk.session() as session:
        await session.look_up(AAPL, SMART)
        async with standing(Door(answers={"3": pending})) as door:
            beside = Desk(cast("SimulatedIb", door))
            beside.patience_s, beside.contracts = 0.2, desk.contracts
            async with beside.session(sync=False) as slow:
                answer = await slow.place(intent())
                assert isinstance(answer, Accepted)
                await beside.told.until(lambda: beside.told.reports)
                assert beside.told.states("fx-1") == [OrderState.ACCEPTED]


async def test_a_position_that_moves_while_the_worth_is_asked_for_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The list of positions was answered before: nothing else would tell of it."""
    async with desk_of() as desk, desk.session() as session:
        client, ask = session.client, session.client.ask_named

        async def moving(name: str, *args: Any, **options: Any) -> list[object]:
            if name == "accountUpdates":
                client.inbox.position(client.account, contract(265598, AAPL), 5.0, 50.0)
            return await ask(name, *args, **options)

        monkeypatch.setattr(client, "ask_named", moving)
        held = await session.balances()
        assert isinstance(held, Balances)
        assert [each.volume for each in held.positions] == [5.0]


async def test_a_position_that_moves_while_contracts_are_looked_up_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Contracts that IB cannot tell of now cost a deadline, in every round, and bring nothing."""
    async with desk_of() as desk, desk.session() as session:

        async def in_vain(client: IbClient, pushed: object) -> bool:
            client.inbox.position(client.account, contract(265598, AAPL), 5.0, 50.0)
            return False

        monkeypatch.setattr(desk.contracts, "complete", in_vain)
        held = await session.balances()
        assert isinstance(held, Balances)
        assert [each.volume for each in held.positions] == [5.0]


async def test_a_rejection_that_crosses_a_cancel_is_a_rejection() -> None:
    """The error may be of the cancel; once TWS shows the order as inactive, it was not."""
    async with desk_of() as desk, desk.session() as session:
        await session.place(intent())
        desk.gateway.faults.inject("request_swallowed", request="cancel")
        cancelling = asyncio.ensure_future(session.cancel(desk.record_of(intent())))
        await session.probe()  # the cancel is on its way
        ((_, number),) = session._feed.cancelling
        session._feed.error(number, 201, "Order rejected - reason: margin")
        assert isinstance(await cancelling, Doubtful)
        session._feed.orderStatus(number, "Inactive", 0, 10, 0, 0, 0, 0, 1, "", 0)
        await desk.told.until(lambda: OrderState.REJECTED in desk.told.states("fx-1"))
        assert desk.told.reports[-1].reason == "201: Order rejected - reason: margin"


async def test_an_order_whose_first_cancel_was_refused_is_cancelled_by_the_second() -> None:
    """An API that was read-only for a while refuses cancels: the order itself was never refused."""
    async with desk_of() as desk, desk.session() as session:
        await session.place(intent())
        desk.gateway.faults.inject("request_swallowed", request="cancel")
        cancelling = asyncio.ensure_future(session.cancel(desk.record_of(intent())))
        await session.probe()  # the cancel is on its way
        ((_, number),) = session._feed.cancelling
        session._feed.error(number, 321, "The API interface is currently in Read-Only mode.")
        assert isinstance(await cancelling, Doubtful)
        for status in ("PendingCancel", "Cancelled"):
            session._feed.orderStatus(number, status, 0, 10, 0, 0, 0, 0, 1, "", 0)
        await desk.told.until(lambda: desk.told.reports[-1].state is OrderState.CANCELED)
        assert OrderState.REJECTED not in desk.told.states("fx-1")


async def test_a_tws_without_ib_proves_no_absence() -> None:
    """One that was started anew has no orders until it has found IB again."""
    async with desk_of() as desk, desk.session() as session:
        desk.record_of(intent(), OrderState.IN_DOUBT)
        desk.gateway.faults.inject("notice", code=1100, body="Connectivity lost")
        await session.probe()
        assert isinstance(await session.find(AAPL, "fx-1", ""), Unknown)
        desk.gateway.faults.inject("notice", code=1102, body="Connectivity restored")
        await session.probe()
        assert await session.find(AAPL, "fx-1", "") == Known(())


async def test_fills_of_the_time_that_tws_was_without_ib_are_asked_for_when_it_is_back() -> None:
    """It answered all the while, and without them: what it was asked then was not known."""
    async with desk_of() as desk, desk.session() as session:
        begun_ns = time.time_ns()
        desk.gateway.faults.inject("notice", code=1100, body="Connectivity lost")
        await session.probe()
        assert await session.fills([AAPL], begun_ns - NS_PER_S) == Known(())
        desk.gateway.desk.place_by_hand("AAPL", 5, 40.0, client_id=9, order_ref="theirs")
        desk.gateway.desk.fill("theirs")
        desk.gateway.faults.inject("notice", code=1102, body="Connectivity restored")
        await session.probe()
        session._lists._executed_at = float("-inf")
        listed = await session.fills([AAPL], begun_ns + 600 * NS_PER_S)
        assert isinstance(listed, Known)
        assert [each.volume for each in listed.items] == [5]


async def test_what_tws_could_not_know_without_ib_is_asked_for_by_the_next_session() -> None:
    """A TWS that restarts after such a time takes the session with it, and not what is unknown."""
    async with desk_of() as desk:
        begun_ns = time.time_ns()
        async with desk.session() as session:
            desk.gateway.faults.inject("notice", code=1100, body="Connectivity lost")
            await session.probe()
            assert await session.fills([AAPL], begun_ns - NS_PER_S) == Known(())
        desk.gateway.desk.place_by_hand("AAPL", 5, 40.0, client_id=9, order_ref="theirs")
        desk.gateway.desk.fill("theirs")
        async with desk.session() as fresh:
            fresh._venue = session._venue
            listed = await fresh.fills([AAPL], begun_ns + 600 * NS_PER_S)
            assert isinstance(listed, Known)
            assert [each.volume for each in listed.items] == [5]
