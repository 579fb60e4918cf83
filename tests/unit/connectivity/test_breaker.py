"""The breaker opens after repeated misses, lets one attempt through after a pause, and closes."""

from hypothesis import given
from hypothesis import strategies as st

from foxtrot.connectivity.breaker import BreakerState, CircuitBreaker


def breaker(threshold: int = 3, open_s: float = 60.0) -> CircuitBreaker:
    return CircuitBreaker(threshold=threshold, open_s=open_s)


def test_it_opens_at_the_threshold_and_says_so_once() -> None:
    """Two misses are bad luck, three are a reason to stop trying."""
    subject = breaker()
    assert [subject.failed(0.0) for _ in range(4)] == [False, False, True, False]
    assert subject.state is BreakerState.OPEN


def test_open_means_waiting_for_the_whole_pause() -> None:
    """Nobody tries before the pause is over."""
    subject = breaker(threshold=1)
    subject.failed(100.0)
    assert subject.wait_s(100.0) == 60.0
    assert subject.wait_s(159.0) == 1.0
    assert subject.wait_s(161.0) == 0.0


def test_one_attempt_after_the_pause_decides() -> None:
    """Half open, a miss opens it for another pause, a success closes it."""
    subject = breaker(threshold=1)
    subject.failed(0.0)
    subject.trying(60.0)
    assert subject.state is BreakerState.HALF_OPEN
    assert subject.failed(61.0) is False
    assert (subject.state, subject.wait_s(61.0)) == (BreakerState.OPEN, 60.0)
    subject.trying(121.0)
    assert subject.succeeded() is True
    assert subject.state is BreakerState.CLOSED


def test_an_attempt_before_the_pause_is_over_leaves_it_open() -> None:
    """Somebody who asks for a fresh session may try early; the breaker does not take it as due."""
    subject = breaker(threshold=1)
    subject.failed(0.0)
    subject.trying(10.0)
    assert subject.state is BreakerState.OPEN


def test_a_success_forgets_the_misses() -> None:
    """Only consecutive misses count."""
    subject = breaker(threshold=2)
    subject.failed(0.0)
    assert subject.succeeded() is False
    assert subject.failed(1.0) is False


@given(st.lists(st.booleans()), st.integers(1, 10))
def test_it_is_open_exactly_after_that_many_misses_in_a_row(
    results: list[bool], threshold: int
) -> None:
    """Whatever went before, the last results decide."""
    subject = breaker(threshold)
    misses = 0
    for good in results:
        misses = 0 if good else misses + 1
        subject.succeeded() if good else subject.failed(0.0)
        assert (subject.state is BreakerState.OPEN) == (misses >= threshold)
