"""For any settings and any number of failures: bounded, finite, growing, counted."""

import math
import random

from hypothesis import given
from hypothesis import strategies as st

from foxtrot.connectivity.backoff import Backoff, delay_s

bases = st.floats(0.01, 3600.0)
maxima = st.floats(0.01, 86_400.0)
dice = st.floats(0.0, 1.0)
attempts = st.integers(0, 10**12)


@given(attempts, bases, maxima, dice)
def test_no_delay_is_above_the_maximum(n: int, base: float, top: float, die: float) -> None:
    """Jitter included, at any attempt, and never an overflow."""
    delay = delay_s(n, base, top, die)
    assert math.isfinite(delay)
    assert 0.0 < delay <= top


@given(attempts, attempts, bases, maxima, dice)
def test_the_ceiling_never_falls(m: int, n: int, base: float, top: float, die: float) -> None:
    """A later attempt never waits less than an earlier one, the dice being equal."""
    early, late = sorted((m, n))
    assert delay_s(early, base, top, die) <= delay_s(late, base, top, die)


@given(attempts, bases, maxima, dice)
def test_jitter_is_a_fifth_at_most(n: int, base: float, top: float, die: float) -> None:
    """The delay is near min(base * 2^n, max), computed here without overflow."""
    ceiling = top if n > 64 else min(base * 2**n, top)
    delay = delay_s(n, base, top, die)
    assert 0.8 * ceiling * (1 - 1e-9) <= delay <= 1.2 * ceiling * (1 + 1e-9)


lives = st.lists(st.tuples(st.booleans(), st.floats(0.0, 100.0)), max_size=50)


@given(lives, st.integers(1, 10))
def test_only_a_stable_life_resets_the_count(lives: list[tuple[bool, float]], most: int) -> None:
    """The count is the number of failures since the last life of 30 s of READY."""
    backoff = Backoff(
        base_s=1.0, max_s=60.0, max_attempts=most, stable_after_s=30.0, rng=random.Random(0)
    )
    now, expected = 0.0, 0
    for was_ready, lasted in lives:
        if was_ready:
            backoff.ready(now)
        before, now = now, now + lasted
        backoff.lost(now)
        if was_ready and now - before >= 30.0:
            expected = 0
        assert backoff.attempt == expected
        assert backoff.exhausted == (expected >= most)
        backoff.next_delay_s()
        expected += 1
