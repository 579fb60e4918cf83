"""For any interleaving of requests: the window is never exceeded in the rolling sense."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from foxtrot.connectivity.pacing import RollingWindow, Spacing

# Quarters are exact in binary: the arithmetic of the test adds no rounding of its own.
quarters = st.integers(0, 400).map(lambda n: n / 4)
steps = st.lists(st.tuples(quarters, st.integers(1, 10)), max_size=80)


@given(steps, st.integers(10, 30), st.integers(1, 240).map(lambda n: n / 4))
def test_a_window_is_never_exceeded(
    steps: list[tuple[float, int]], limit: int, per_s: float
) -> None:
    """Count the units of every window that begins with a send: none holds more than the limit."""
    window, now = RollingWindow(limit, per_s), 1000.0
    sent: list[tuple[Fraction, int]] = []
    for pause, units in steps:
        now += pause
        wait = window.reserve(now, units)
        assert wait >= 0.0
        sent.append((Fraction(now) + Fraction(wait), units))
    for begin, _ in sent:
        inside = sum(u for at, u in sent if begin <= at < begin + Fraction(per_s))
        assert inside <= limit


@given(steps, st.integers(10, 30))
def test_a_window_makes_nobody_wait_without_need(
    steps: list[tuple[float, int]], limit: int
) -> None:
    """Who waits would have exceeded the window, or overtaken somebody, one quarter earlier."""
    window, now, per_s = RollingWindow(limit, 60.0), 1000.0, 60.0
    sent: list[tuple[float, int]] = []
    for pause, units in steps:
        now += pause
        at = now + window.reserve(now, units)
        if at > max(now, sent[-1][0] if sent else now):
            earlier = at - 0.25
            inside = sum(u for t, u in sent if earlier - per_s < t <= earlier)
            assert inside + units > limit
        sent.append((at, units))


@given(steps, st.integers(10, 20))
def test_requests_go_out_in_the_order_in_which_they_came(
    steps: list[tuple[float, int]], limit: int
) -> None:
    """However heavy, nobody is overtaken, so nobody waits for ever."""
    window, now, last = RollingWindow(limit, 30.0), 0.0, 0.0
    for pause, units in steps:
        now += pause
        at = now + window.reserve(now, units)
        assert at >= last
        last = at


@given(st.lists(quarters, max_size=80), st.integers(1, 40).map(lambda n: n / 4))
def test_a_gap_is_always_kept(pauses: list[float], gap: float) -> None:
    """Two sends are never closer than the gap, and a send after a long pause never waits."""
    spacing, now, last = Spacing(gap), 0.0, float("-inf")
    for pause in pauses:
        now += pause
        at = now + spacing.reserve(now)
        assert at - last >= gap
        assert at == max(now, last + gap)
        last = at


@given(steps, st.integers(10, 30))
def test_a_look_at_a_window_foretells_what_a_reservation_would_get(
    steps: list[tuple[float, int]], limit: int
) -> None:
    """`free_at` takes nothing, and says when the same units would be granted."""
    window, now = RollingWindow(limit, 30.0), 0.0
    for pause, units in steps:
        now += pause
        looked = [window.free_at(now, units) for _ in range(2)]
        at = now + window.reserve(now, units)
        assert looked == [at, at]


@given(steps, steps, st.integers(10, 30))
def test_what_is_given_back_was_never_taken(
    before: list[tuple[float, int]], after: list[tuple[float, int]], limit: int
) -> None:
    """Units that were used at once, and given back unused, leave no trace."""
    one, other, now = RollingWindow(limit, 30.0), RollingWindow(limit, 30.0), 0.0
    for pause, units in before:
        now += pause
        one.reserve(now, units)
        other.reserve(now, units)
    if one.free_at(now, 7) == now:
        one.reserve(now, 7)
        one.give_back(now, 7)
    for pause, units in after:
        now += pause
        assert one.reserve(now, units) == other.reserve(now, units)


@given(steps, st.integers(10, 30))
def test_what_is_left_may_be_taken_at_once_and_no_more(
    steps: list[tuple[float, int]], limit: int
) -> None:
    """Asking what is left changes nothing; just that much passes without a wait."""
    window, now = RollingWindow(limit, 60.0), 1000.0
    for pause, units in steps:
        now += pause
        left = window.left(now)
        assert left == window.left(now)
        assert 0 <= left <= limit
        assert (window.reserve(now, units) == 0.0) == (units <= left)
