"""A stream that keeps something to itself is found, and none that was only not ready yet."""

from foxtrot.gateway.untold import SILENCE_S, Untold
from tests.support.clock import ManualClock


def test_what_is_owed_is_overdue_after_a_while() -> None:
    """An order that an answer told of has to be pushed as well."""
    clock = ManualClock()
    untold = Untold(clock)
    untold.begin(pushes=True)
    untold.owe("fx-1", clock.time_ns())
    assert not untold.overdue
    clock.advance(SILENCE_S + 1)
    assert untold.overdue
    untold.told("fx-1")
    assert not untold.overdue


def test_a_second_answer_gives_no_more_time() -> None:
    """Whoever asks often does not hide a silent stream from himself."""
    clock = ManualClock()
    untold = Untold(clock)
    untold.begin(pushes=True)
    for _ in range(3):
        untold.owe("fx-1", clock.time_ns())
        clock.advance(SILENCE_S / 2)
    assert untold.overdue


def test_what_happened_before_the_stream_is_not_owed() -> None:
    """What was missed in an outage is told by lists alone."""
    clock = ManualClock()
    untold = Untold(clock)
    untold.owe("fx-0", clock.time_ns())
    untold.begin(pushes=True)
    untold.owe("fx-1", clock.time_ns() - 1)
    clock.advance(SILENCE_S + 1)
    assert not untold.overdue


def test_a_new_beginning_forgives() -> None:
    """A stream is not asked for what another one, or a lost frame, kept to itself."""
    clock = ManualClock()
    untold = Untold(clock)
    untold.begin(pushes=True)
    untold.owe("fx-1", clock.time_ns())
    untold.begin(pushes=True)
    clock.advance(SILENCE_S + 1)
    assert not untold.overdue
