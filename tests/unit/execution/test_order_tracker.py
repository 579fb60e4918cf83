"""Every order that may live is known, every fill counts once, and only evidence ends a doubt."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from foxtrot.errors import InvalidState
from foxtrot.execution.order_tracker import NOTHING, OrderTracker
from foxtrot.execution.reports import OrderRecord
from foxtrot.execution.reports import OrderState as State
from foxtrot.model.constants import Direction, Exchange
from tests.support.orders import (
    BTC,
    ETH,
    NOW,
    fill,
    intent,
    report,
    state_of,
    tracker_with,
)

LATER = NOW + 1


def test_an_order_goes_from_intent_to_filled() -> None:
    """Each step is one change, to be written down and told."""
    tracker = OrderTracker("BINANCE")
    steps = [
        tracker.intend(intent(), NOW),
        tracker.sent("fx-1", NOW + 1),
        tracker.accepted("fx-1", "7", NOW + 2),
        tracker.filled(fill("1", "0.4"), NOW + 3),
        tracker.filled(fill("2", "0.6"), NOW + 4),
    ]
    states = [record.state for step in steps for record in step.records]
    assert states == [
        State.INTENT,
        State.SENT,
        State.ACCEPTED,
        State.PARTIALLY_FILLED,
        State.FILLED,
    ]
    assert [each.trade_id for step in steps for each in step.fills] == ["1", "2"]
    assert steps[-1].records[0].updated_ns == NOW + 4
    assert not any(step.alarms for step in steps)
    assert tracker.open_records() == ()
    assert repr(tracker) == "<OrderTracker BINANCE open=0 doubts=0 ended=1>"


def test_the_same_news_twice_is_news_once() -> None:
    """A push that is told again changes nothing and is not told on."""
    tracker = tracker_with()
    assert tracker.reported(report(traded="0.4"), LATER)
    assert tracker.reported(report(traded="0.4"), LATER) == NOTHING
    assert tracker.filled(fill("1", "0.4"), LATER).fills
    assert tracker.filled(fill("1", "0.4"), LATER) == NOTHING
    assert tracker.known_fill(BTC, "1")
    assert not tracker.known_fill(ETH, "1")


def test_fills_of_two_symbols_may_have_the_same_id() -> None:
    """A venue counts trades and orders for each symbol; none is taken for the other."""
    tracker = tracker_with()
    tracker.intend(intent("fx-2", symbol=ETH), NOW)
    tracker.accepted("fx-2", "7", NOW)
    tracker.filled(fill("1", "1"), LATER)
    tracker.filled(fill("1", "1", orderid="", symbol=ETH), LATER)
    assert state_of(tracker) is state_of(tracker, "fx-2") is State.FILLED


def test_a_fill_is_of_the_contract_as_its_order_spelled_it() -> None:
    """A deal of a past day may name a market alone: whoever counts by vt_symbol would miss it."""
    tracker = tracker_with()
    told = replace(fill("1", "1", orderid=""), exchange=Exchange.SMART)
    (counted,) = tracker.filled(told, LATER).fills
    assert (counted.orderid, counted.exchange) == ("fx-1", Exchange.BINANCE)


def test_an_order_name_is_given_once() -> None:
    """The same client order id is never used for two orders."""
    tracker = tracker_with()
    with pytest.raises(InvalidState, match="fx-1 is known"):
        tracker.intend(intent(), NOW)


def test_a_fill_before_the_acknowledgement_is_evidence() -> None:
    """The venue told of a fill first; the late acknowledgement takes nothing back."""
    tracker = tracker_with(venue_id="")
    changes = tracker.filled(fill("1", "0.4"), LATER)
    assert changes.records[0].state is State.PARTIALLY_FILLED
    assert tracker.accepted("fx-1", "7", LATER) == NOTHING
    found = tracker.match(fill("2", "0.1", orderid="", venue_id="7"))
    assert found is not None
    assert found.orderid == "fx-1"


def test_a_nameless_fill_waits_for_the_acknowledgement() -> None:
    """A fill that names only the venue's order is not given to a stranger while ours is unnamed."""
    tracker = tracker_with(venue_id="")
    assert tracker.filled(fill("1", "0.4", orderid=""), LATER) == NOTHING
    assert tracker.reported(report(orderid=""), LATER) == NOTHING
    assert tracker.fills_waiting() == (fill("1", "0.4", orderid=""),)
    changes = tracker.accepted("fx-1", "7", LATER)
    assert [each.orderid for each in changes.fills] == ["fx-1"]
    assert changes.records[-1].state is State.PARTIALLY_FILLED
    assert tracker.fills_waiting() == ()


def test_a_nameless_fill_is_external_once_it_cannot_be_ours() -> None:
    """The order it might have been of was refused: the fill is of somebody else's."""
    tracker = tracker_with(venue_id="")
    tracker.filled(fill("1", "0.4", orderid=""), LATER)
    other_side = tracker.filled(
        fill("2", "0.1", orderid="", venue_id="8", direction=Direction.SHORT), LATER
    )
    assert other_side.fills[0].orderid == "ext-8"
    changes = tracker.refused("fx-1", "no money", LATER)
    assert [each.orderid for each in changes.fills] == ["ext-7"]


def test_waiting_fills_are_bounded() -> None:
    """The oldest of too many is given up as external."""
    tracker = OrderTracker("BINANCE", keep_waiting=1)
    tracker.intend(intent(), NOW)
    tracker.filled(fill("1", "0.4", orderid=""), LATER)
    changes = tracker.filled(fill("2", "0.4", orderid="", venue_id="8"), LATER)
    assert [each.orderid for each in changes.fills] == ["ext-7"]
    assert len(tracker.fills_waiting()) == 1


def test_doubt_is_not_rejection() -> None:
    """An order whose answer did not come is open, and says why nothing is known."""
    tracker = tracker_with(venue_id="")
    (record,) = tracker.doubted("fx-1", "timeout", LATER).records
    assert (record.state, record.reason) == (State.IN_DOUBT, "timeout")
    assert tracker.doubts() == tracker.open_records() == (record,)


def test_what_the_venue_acknowledged_is_not_doubted() -> None:
    """The answer was lost, but the user stream had shown the order before."""
    tracker = tracker_with(venue_id="")
    tracker.reported(report(), LATER)
    assert tracker.doubted("fx-1", "timeout", LATER) == NOTHING


def test_a_cancel_does_not_end_a_doubt() -> None:
    """To ask for a cancel proves nothing, nor does its refusal."""
    tracker = tracker_with(venue_id="")
    assert tracker.cancelling("fx-1", LATER) == NOTHING
    tracker.doubted("fx-1", "timeout", LATER)
    assert tracker.cancelling("fx-1", LATER) == NOTHING
    assert tracker.cancel_refused("fx-1", "unknown order", LATER) == NOTHING
    assert state_of(tracker) is State.IN_DOUBT


@pytest.mark.parametrize(
    ("state", "traded"),
    [(State.ACCEPTED, "0"), (State.CANCELED, "0"), (State.FILLED, "1"), (State.REJECTED, "0")],
)
def test_a_report_ends_a_doubt(state: State, traded: str) -> None:
    """What the venue shows is evidence, and the reason of the doubt is gone."""
    tracker = tracker_with(venue_id="")
    tracker.doubted("fx-1", "timeout", LATER)
    (record,) = tracker.reported(report(state, traded), LATER).records
    assert (record.state, record.reason) == (state, "")


def test_a_late_answer_ends_a_doubt() -> None:
    """An acknowledgement after half a minute is one, and so is a refusal."""
    tracker = tracker_with(venue_id="")
    tracker.doubted("fx-1", "timeout", LATER)
    assert tracker.accepted("fx-1", "7", LATER).records[0].state is State.ACCEPTED
    tracker = tracker_with(venue_id="")
    tracker.doubted("fx-1", "timeout", LATER)
    (record,) = tracker.refused("fx-1", "no money", LATER).records
    assert (record.state, record.reason) == (State.REJECTED, "no money")
    assert tracker.refused("fx-1", "no money", LATER) == NOTHING


def test_what_was_not_sent_is_rejected_locally() -> None:
    """No connection existed: definitive, and said to be ours."""
    tracker = tracker_with(venue_id="")
    (record,) = tracker.not_sent("fx-1", "connection refused", LATER).records
    assert record.state is State.REJECTED
    assert record.reason == "local:not_sent: connection refused"


def test_only_a_doubt_never_arrived() -> None:
    """An order that the venue showed is not rejected because a query does not find it."""
    tracker = tracker_with()
    assert tracker.proved_absent("fx-1", LATER) == NOTHING
    tracker = tracker_with(venue_id="")
    assert tracker.proved_absent("fx-1", LATER) == NOTHING
    tracker.doubted("fx-1", "timeout", LATER)
    (record,) = tracker.proved_absent("fx-1", LATER).records
    assert (record.state, record.reason) == (State.REJECTED, "never reached the venue")


def test_a_refusal_of_a_living_order_is_alarmed() -> None:
    """The venue contradicts itself: the order stays what it was seen to be."""
    tracker = tracker_with()
    changes = tracker.refused("fx-1", "no money", LATER)
    assert changes.records == ()
    assert "no money" in changes.alarms[0]
    assert tracker.refused("fx-1", "no money", LATER) == NOTHING


def test_a_cancel_is_pending_until_it_is_answered() -> None:
    """Canceled by the venue's report; refused, it is as open as before and says so."""
    tracker = tracker_with()
    tracker.filled(fill("1", "0.4"), LATER)
    assert tracker.cancelling("fx-1", LATER).records[0].state is State.PENDING_CANCEL
    (record,) = tracker.cancel_refused("fx-1", "busy", LATER).records
    assert (record.state, record.reason) == (State.PARTIALLY_FILLED, "cancel refused: busy")
    assert tracker.cancelling("fx-1", LATER).records[0].reason == ""
    assert tracker.filled(fill("2", "0.1"), LATER).records[0].state is State.PENDING_CANCEL
    assert tracker.reported(report(State.CANCELED, "0.5"), LATER).records[0].state is State.CANCELED


def test_a_fill_may_be_faster_than_a_cancel() -> None:
    """The cancel came too late: the order is filled, and the cancel's answer changes nothing."""
    tracker = tracker_with()
    tracker.cancelling("fx-1", LATER)
    assert tracker.filled(fill("1", "1"), LATER).records[0].state is State.FILLED
    assert tracker.cancel_refused("fx-1", "unknown order", LATER) == NOTHING
    assert tracker.reported(report(State.CANCELED, "0", ts_ns=LATER), LATER) == NOTHING


def test_a_report_may_know_of_more_than_the_fills() -> None:
    """The traded volume is the larger one, and the missing fills are wanted."""
    tracker = tracker_with()
    (record,) = tracker.reported(report(traded="0.4"), LATER).records
    assert record.traded == Decimal("0.4")
    assert tracker.fills_missing() == (record,)
    changes = tracker.filled(fill("1", "0.4"), LATER)
    assert changes.records == ()
    assert len(changes.fills) == 1
    assert tracker.fills_missing() == ()


def test_the_end_may_be_told_before_the_last_fill() -> None:
    """The fill that the end had announced is no surprise."""
    tracker = tracker_with()
    tracker.reported(report(State.CANCELED, "0.4"), LATER)
    changes = tracker.filled(fill("1", "0.4"), LATER)
    assert len(changes.fills) == 1
    assert changes.alarms == ()
    assert tracker.fills_missing() == ()


def test_a_late_fill_is_taken_and_alarmed() -> None:
    """A fill that nobody had announced counts; the order has ended all the same."""
    tracker = tracker_with()
    tracker.reported(report(State.CANCELED), LATER)
    changes = tracker.filled(fill("1", "1"), LATER)
    assert len(changes.fills) == 1
    assert (changes.records[0].state, changes.records[0].traded) == (State.CANCELED, 1)
    assert changes.alarms == ("fx-1: 1 traded after it ended as canceled",)


def test_more_than_was_ordered_is_taken_and_alarmed() -> None:
    """What the venue did is true, even if it must not be."""
    tracker = tracker_with()
    tracker.filled(fill("1", "0.9"), LATER)
    changes = tracker.filled(fill("2", "0.2"), LATER)
    assert changes.records[0].state is State.FILLED
    assert changes.alarms == ("fx-1: 1.1 traded of 1.0",)


def test_filled_is_not_believed_without_the_volume() -> None:
    """A venue that says "filled" and shows half is alarmed once and stays open."""
    tracker = tracker_with()
    changes = tracker.reported(report(State.FILLED, "0.5"), LATER)
    assert changes.records[0].state is State.PARTIALLY_FILLED
    assert "not believed" in changes.alarms[0]
    assert tracker.reported(report(State.FILLED, "0.5"), LATER).alarms == ()


def test_an_old_report_counts_for_what_it_traded() -> None:
    """Of two reports out of order the newer one says how it is; a larger volume counts always."""
    tracker = tracker_with()
    tracker.reported(report(State.PENDING_CANCEL, "0.2", ts_ns=NOW + 10), LATER)
    tracker.cancel_refused("fx-1", "busy", LATER)
    (record,) = tracker.reported(
        report(State.PENDING_CANCEL, "0.4", ts_ns=NOW + 5, reason="old"), LATER
    ).records
    assert (record.state, record.traded) == (State.PARTIALLY_FILLED, Decimal("0.4"))
    assert record.reason == "cancel refused: busy"


def test_an_end_is_never_too_old() -> None:
    """What the venue once showed as ended has ended, whichever clock stamped the news."""
    tracker = tracker_with()
    tracker.reported(report(traded="0.2", ts_ns=NOW + 10), LATER)
    changes = tracker.reported(report(State.CANCELED, "0.2", ts_ns=NOW + 5), LATER)
    assert changes.records[0].state is State.CANCELED


def test_what_has_ended_stays_so() -> None:
    """Old news is no news; news that it lives is alarmed, once."""
    tracker = tracker_with()
    tracker.reported(report(State.CANCELED, ts_ns=NOW + 10), LATER)
    assert tracker.reported(report(ts_ns=NOW + 5), LATER) == NOTHING
    changes = tracker.reported(report(ts_ns=NOW + 11), LATER)
    assert changes.records == ()
    assert changes.alarms == ("fx-1: ended as canceled, shown as open",)
    assert tracker.reported(report(ts_ns=NOW + 12), LATER) == NOTHING
    assert state_of(tracker) is State.CANCELED


def test_an_order_of_somebody_else_appears_once() -> None:
    """Placed by hand, it is external, under the venue's name for it, and goes its way."""
    tracker = OrderTracker("BINANCE")
    (record,) = tracker.reported(report(orderid="web_1", volume="2"), LATER).records
    assert (record.orderid, record.external, record.state) == ("ext-7", True, State.ACCEPTED)
    assert (record.intent.request.volume, record.intent.request.price) == (2.0, 100.0)
    assert tracker.reported(report(orderid="web_1", volume="2"), LATER) == NOTHING
    changes = tracker.filled(fill("1", "2", orderid="web_1"), LATER)
    assert changes.fills[0].orderid == "ext-7"
    assert changes.records[0].state is State.FILLED


def test_an_order_of_somebody_else_waits_until_the_venue_has_a_name_for_it() -> None:
    """Two of them would be taken for one; TWS shows some before IB has named them."""
    tracker = OrderTracker("IB")
    nameless = report(orderid="", venue_id="")
    assert tracker.reported(nameless, LATER) == NOTHING
    assert not tracker.is_news(nameless)
    (record,) = tracker.reported(report(orderid=""), LATER).records
    assert record.orderid == "ext-7"


def test_a_fill_may_come_before_the_order_of_somebody_else() -> None:
    """Its volume is unknown until the venue shows the order; there is one order, not two."""
    tracker = OrderTracker("BINANCE")
    changes = tracker.filled(fill("1", "0.5", orderid="web_1"), LATER)
    (record,) = changes.records
    assert (record.orderid, record.state) == ("ext-7", State.PARTIALLY_FILLED)
    assert record.intent.request.volume == 0
    old = report(State.PARTIALLY_FILLED, "0.5", orderid="web_1", volume="2", ts_ns=NOW - 5)
    (record,) = tracker.reported(old, LATER).records
    assert (record.orderid, record.volume) == ("ext-7", 2)
    assert tracker.fills_missing() == ()


def test_an_order_for_an_amount_of_money_is_filled_with_what_it_got() -> None:
    """Somebody ordered for a sum; the venue shows no volume."""
    tracker = OrderTracker("BINANCE")
    shown = report(State.FILLED, "0.3", orderid="web_1", volume="0")
    (record,) = tracker.reported(shown, LATER).records
    assert (record.state, record.volume) == (State.FILLED, Decimal("0.3"))


def test_somebody_else_may_change_his_order() -> None:
    """The newest report says what an external order is."""
    tracker = OrderTracker("BINANCE")
    tracker.reported(report(orderid="web_1", volume="2", ts_ns=NOW), LATER)
    (record,) = tracker.reported(report(orderid="web_1", volume="3", ts_ns=NOW + 2), LATER).records
    assert record.volume == 3
    assert tracker.reported(report(orderid="web_1", volume="2", ts_ns=NOW + 1), LATER) == NOTHING


def test_two_symbols_may_have_orders_of_the_same_number() -> None:
    """Each is shown under a name of its own."""
    tracker = OrderTracker("BINANCE")
    tracker.reported(report(orderid="web_1"), LATER)
    (record,) = tracker.reported(report(orderid="web_2", symbol=ETH), LATER).records
    assert record.orderid == "ext-7-ETHUSDT"


def test_our_name_on_another_order_is_alarmed_not_merged() -> None:
    """The same client order id twice at the venue: two orders, and somebody should look."""
    tracker = tracker_with()
    changes = tracker.reported(report(venue_id="8", traded="0.5"), LATER)
    assert "another order of this name, 8" in changes.alarms[0]
    assert changes.records[0].orderid == "ext-8"
    assert tracker.reported(report(venue_id="8", traded="0.5"), LATER) == NOTHING
    assert tracker.filled(fill("1", "0.5", venue_id="8"), LATER).fills[0].orderid == "ext-8"
    ours = tracker.record("fx-1")
    assert ours is not None
    assert ours.traded == 0


def test_a_rejected_order_that_lives_is_shown() -> None:
    """It had been given up, and then it appears: alarmed, and there to be cancelled."""
    tracker = tracker_with(venue_id="")
    tracker.doubted("fx-1", "timeout", LATER)
    tracker.proved_absent("fx-1", LATER)
    assert tracker.reported(report(State.REJECTED), LATER).alarms == ()
    tracker = tracker_with(venue_id="")
    tracker.doubted("fx-1", "timeout", LATER)
    tracker.proved_absent("fx-1", LATER)
    changes = tracker.accepted("fx-1", "7", LATER)
    assert "another order of this name, 7" in changes.alarms[0]
    assert [each.orderid for each in tracker.open_records()] == ["ext-7"]
    assert state_of(tracker) is State.REJECTED


def test_the_answer_to_a_cancel_is_matched_by_the_venues_name() -> None:
    """A venue that puts the cancel's own id into the answer still means our order."""
    tracker = tracker_with()
    (record,) = tracker.reported(report(State.CANCELED, orderid="x-cancel"), LATER).records
    assert (record.orderid, record.state) == ("fx-1", State.CANCELED)


def test_restoring_is_silent_and_complete() -> None:
    """After a restart the sums go on where they were, and no fill is told again."""
    half = OrderRecord(intent(), State.PARTIALLY_FILLED, NOW, "7", Decimal("0.4"))
    tracker = OrderTracker("BINANCE")
    tracker.restore([half], [fill("1", "0.4")], trade_keys=[(BTC, "0")], now_ns=LATER)
    assert tracker.open_records() == (half,)
    assert tracker.filled(fill("0", "0.4", venue_id="3"), LATER) == NOTHING
    assert tracker.filled(fill("1", "0.4"), LATER) == NOTHING
    assert tracker.filled(fill("2", "0.6"), LATER).records[0].state is State.FILLED


@pytest.mark.parametrize("state", [State.INTENT, State.SENT, State.IN_DOUBT])
def test_an_unanswered_order_is_in_doubt_after_a_restart(state: State) -> None:
    """The process was killed at some step of sending: nobody knows which."""
    tracker = OrderTracker("BINANCE")
    tracker.restore([OrderRecord(intent(), state, NOW)], [], now_ns=LATER)
    assert state_of(tracker) is State.IN_DOUBT


def test_a_fill_of_an_ended_order_is_found_after_a_restart() -> None:
    """The end was written down, its last fill was not: it is no stranger's."""
    ended = OrderRecord(intent(), State.FILLED, NOW, "7", Decimal(1))
    tracker = OrderTracker("BINANCE")
    tracker.restore([ended], [fill("1", "0.4")], now_ns=LATER)
    assert tracker.fills_missing() == (ended,)
    changes = tracker.filled(fill("2", "0.6", orderid=""), LATER)
    assert changes.fills[0].orderid == "fx-1"
    assert changes.alarms == ()


def test_ended_orders_are_forgotten_their_fills_are_not() -> None:
    """Memory is bounded, the oldest end goes first, and no fill is ever counted twice."""
    tracker = OrderTracker("BINANCE", keep_ended=1, keep_fills=2)
    for number in "12345":
        tracker.intend(intent(f"fx-{number}"), NOW)
        tracker.filled(fill(number, "1", orderid=f"fx-{number}", venue_id=number), LATER)
    assert tracker.record("fx-4") is None
    assert tracker.record("fx-5") is not None
    assert tracker.match(fill("4", "1", orderid="", venue_id="4")) is None
    again = [tracker.filled(fill(each, "1", venue_id=each), LATER) for each in "345"]
    assert again == [NOTHING] * 3
    assert not tracker.known_fill(BTC, "2")


def test_news_of_a_forgotten_order_is_ignored() -> None:
    """A late answer has nothing to change any more."""
    tracker = OrderTracker("BINANCE")
    assert tracker.sent("fx-9", NOW) == NOTHING
    assert tracker.accepted("fx-9", "7", NOW) == NOTHING
    assert tracker.refused("fx-9", "no", NOW) == NOTHING
    assert tracker.cancel_refused("fx-9", "no", NOW) == NOTHING
    assert tracker.record("fx-9") is None


def test_a_mark_tells_old_from_new() -> None:
    """Whoever asks a venue can tell what changed since the question."""
    tracker = tracker_with()
    mark = tracker.mark
    assert not tracker.changed_since("fx-1", mark)
    tracker.cancelling("fx-1", NOW)
    assert tracker.changed_since("fx-1", mark)
    assert not tracker.changed_since("fx-2", mark)
