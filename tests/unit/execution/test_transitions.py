"""Which states follow which, and what evidence makes of a record."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from foxtrot.errors import InvalidState
from foxtrot.execution.reports import TERMINAL, OrderRecord, OrderReport
from foxtrot.execution.reports import OrderState as State
from foxtrot.execution.transitions import TRANSITIONS, checked, with_report, with_traded
from foxtrot.model.constants import OrderType
from tests.support.orders import NOW, intent, report


def record(state: State, traded: str = "0") -> OrderRecord:
    """Order fx-1 with a volume of 1."""
    return OrderRecord(intent(), state, NOW, traded=Decimal(traded))


def test_the_table_has_every_state() -> None:
    """No state is forgotten, and every way leads to a state."""
    assert set(TRANSITIONS) == set(State)


@pytest.mark.parametrize("state", sorted(TERMINAL, key=lambda each: each.value))
def test_what_has_ended_never_begins_again(state: State) -> None:
    """No way leads out of an end, whatever the venue says later."""
    assert TRANSITIONS[state] == frozenset()
    for claim in State:
        assert with_report(record(state, "0.5"), report(claim, "0.7"), stale=False).state is state


def test_doubt_ends_by_evidence_alone() -> None:
    """An order in doubt becomes what a venue can show, and nothing else."""
    assert not TRANSITIONS[State.IN_DOUBT] & {State.INTENT, State.SENT, State.IN_DOUBT}


def test_a_way_that_no_order_goes_is_refused() -> None:
    """A fault in the tracker is an error, not a wrong state on the screen."""
    before = record(State.PARTIALLY_FILLED, "0.5")
    with pytest.raises(InvalidState, match="from partially_filled to rejected"):
        checked(before, replace(before, state=State.REJECTED))
    with pytest.raises(InvalidState, match="traded volume shrinks"):
        checked(before, replace(before, traded=Decimal("0.4")))
    assert checked(before, before) == before


@pytest.mark.parametrize(
    ("before", "claim", "traded", "after"),
    [
        (State.SENT, State.ACCEPTED, "0", State.ACCEPTED),
        (State.IN_DOUBT, State.ACCEPTED, "0.5", State.PARTIALLY_FILLED),
        (State.SENT, State.PARTIALLY_FILLED, "1", State.FILLED),
        (State.ACCEPTED, State.FILLED, "1", State.FILLED),
        (State.ACCEPTED, State.FILLED, "0.5", State.PARTIALLY_FILLED),
        (State.ACCEPTED, State.FILLED, "0", State.ACCEPTED),
        (State.PARTIALLY_FILLED, State.CANCELED, "0.5", State.CANCELED),
        (State.PENDING_CANCEL, State.CANCELED, "1", State.FILLED),
        (State.PENDING_CANCEL, State.PARTIALLY_FILLED, "0.5", State.PENDING_CANCEL),
        (State.ACCEPTED, State.PENDING_CANCEL, "0", State.PENDING_CANCEL),
        (State.SENT, State.EXPIRED, "0.5", State.EXPIRED),
        (State.SENT, State.REJECTED, "0", State.REJECTED),
        (State.PARTIALLY_FILLED, State.REJECTED, "0.5", State.CANCELED),
    ],
)
def test_a_report_and_what_was_traded_make_the_state(
    before: State, claim: State, traded: str, after: State
) -> None:
    """Filled is what traded all of its volume; rejected is what traded nothing."""
    start = record(before, "0.5" if before is State.PARTIALLY_FILLED else "0")
    assert with_report(start, report(claim, traded), stale=False).state is after


def test_a_price_that_was_changed_at_the_venue_is_the_orders_price() -> None:
    """By hand, or by the venue for a dividend: whoever looks at the order sees where it stands."""
    moved = replace(report(), price=Decimal("99.5"))
    after = with_report(record(State.ACCEPTED), moved, stale=False)
    assert after.intent == replace(intent(), request=replace(intent().request, price=99.5)), (
        "all else is what was asked for"
    )
    assert with_report(after, moved, stale=False) == after


@pytest.mark.parametrize(
    ("shown", "stale"),
    [
        (report(), False),
        (replace(report(), price=Decimal("99.5")), True),
        (replace(report(), price=Decimal(0)), False),
        (replace(report(), stop_price=Decimal(98)), False),
        (replace(report(), price=Decimal("99.5"), type=OrderType.MARKET), False),
        (replace(report(State.CANCELED), price=Decimal("99.5")), False),
    ],
)
def test_a_price_that_proves_nothing_changes_none(shown: OrderReport, stale: bool) -> None:
    """Of an older report, of another type, of none, or of an end."""
    assert with_report(record(State.ACCEPTED), shown, stale=stale).intent == intent()


def test_a_smaller_volume_at_the_venue_ends_as_canceled() -> None:
    """Somebody made the order smaller at the venue, and that was traded: the rest is gone."""
    after = with_report(
        record(State.ACCEPTED), report(State.FILLED, "0.4", volume="0.4"), stale=False
    )
    assert after.state is State.CANCELED
    assert "a volume of 0.4" in after.reason


def test_the_rest_that_was_rejected_says_so() -> None:
    """A rejection after a fill is a cancellation of the rest, with the venue's words."""
    start = record(State.PARTIALLY_FILLED, "0.5")
    after = with_report(start, report(State.REJECTED, "0.5", reason="no margin"), stale=False)
    assert (after.state, after.reason) == (State.CANCELED, "the rest was rejected: no margin")


def test_traded_never_shrinks() -> None:
    """A report or a sum that says less than is known does not count."""
    start = record(State.PARTIALLY_FILLED, "0.5")
    assert with_report(start, report(traded="0.2"), stale=False).traded == Decimal("0.5")
    assert with_traded(start, Decimal("0.2")).traded == Decimal("0.5")


def test_the_reason_of_a_doubt_goes_with_it() -> None:
    """An order that is no longer in doubt does not go on saying why it was."""
    doubt = replace(record(State.IN_DOUBT), reason="timeout")
    assert with_report(doubt, report(), stale=False).reason == ""
    assert with_traded(doubt, Decimal("0.5")).reason == ""


def test_long_decimals_fill_an_order_of_floats() -> None:
    """A volume with more digits than a float has is complete when all of it is traded."""
    long = "1234567890123.12345678"
    strange = replace(record(State.SENT), external=True)
    shown = with_report(strange, report(State.FILLED, long, volume=long), stale=False)
    assert shown.state is State.FILLED
