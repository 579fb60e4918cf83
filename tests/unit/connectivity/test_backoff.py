"""Delays grow to their maximum and start over only after a stable life."""

import random

import pytest

from foxtrot.connectivity.backoff import Backoff, delay_s


def backoff(*, base_s: float = 1.0, max_s: float = 60.0, max_attempts: int = 50) -> Backoff:
    return Backoff(
        base_s=base_s,
        max_s=max_s,
        max_attempts=max_attempts,
        stable_after_s=30.0,
        rng=random.Random(1),
    )


def test_the_delay_doubles_up_to_the_maximum() -> None:
    """Without luck either way it is 1, 2, 4 … 32, 60, 60 seconds."""
    delays = [delay_s(n, 1.0, 60.0, 0.5) for n in range(8)]
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60]


def test_jitter_spreads_a_fifth_to_both_sides_inside_the_maximum() -> None:
    """Clients do not come back in step, and nobody waits longer than the user allowed."""
    assert delay_s(0, 1.0, 60.0, 0.0) == pytest.approx(0.8)
    assert delay_s(0, 1.0, 60.0, 1.0) == pytest.approx(1.2)
    assert delay_s(9, 1.0, 60.0, 1.0) == 60.0


def test_no_attempt_overflows() -> None:
    """The billionth attempt waits the maximum, as the tenth does."""
    assert delay_s(10**9, 1.0, 60.0, 0.5) == 60.0
    assert delay_s(1024, 0.01, 86_400.0, 0.5) == 86_400.0


def test_attempts_are_counted_and_end() -> None:
    """After the allowed number it says so, and goes on giving delays."""
    pacing = backoff(max_attempts=2)
    assert not pacing.exhausted
    pacing.next_delay_s()
    assert not pacing.exhausted
    pacing.next_delay_s()
    assert pacing.exhausted
    assert pacing.next_delay_s() > 0


@pytest.mark.parametrize(("life_s", "attempt"), [(29.9, 2), (30.0, 0), (3600.0, 0)])
def test_only_a_stable_life_starts_over(life_s: float, attempt: int) -> None:
    """READY for 30 s resets the count, READY for less does not."""
    pacing = backoff()
    pacing.next_delay_s()
    pacing.next_delay_s()
    pacing.ready(100.0)
    pacing.lost(100.0 + life_s)
    assert pacing.attempt == attempt


def test_a_session_that_was_never_ready_resets_nothing() -> None:
    """A loss without a READY of its own does not live on an earlier one."""
    pacing = backoff()
    pacing.ready(0.0)
    pacing.lost(1.0)
    pacing.next_delay_s()
    pacing.lost(1000.0)
    assert pacing.attempt == 1


def test_it_can_be_retuned_without_losing_count() -> None:
    """New settings count for the next delay, and the attempts so far stay."""
    pacing = backoff()
    for _ in range(3):
        pacing.next_delay_s()
    pacing.retune(base_s=0.01, max_s=0.02, max_attempts=3)
    assert pacing.exhausted
    assert pacing.next_delay_s() <= 0.02


def test_two_clients_have_dice_of_their_own() -> None:
    """Without a given generator every backoff throws its own dice."""
    made = [Backoff(base_s=1.0, max_s=60.0, max_attempts=50, stable_after_s=30.0) for _ in range(2)]
    first, second = ([each.next_delay_s() for _ in range(5)] for each in made)
    assert first != second
