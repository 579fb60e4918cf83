"""Time comes from a clock that tests can hold still."""

import time

from foxtrot.core.clock import Clock, SystemClock
from tests.support.clock import ManualClock


def test_the_system_clock_is_the_machines() -> None:
    """The system clock lies between two readings of the machine's own clocks."""
    clock: Clock = SystemClock()
    before, before_ns = time.monotonic(), time.time_ns()
    now, now_ns = clock.monotonic(), clock.time_ns()

    assert before <= now <= time.monotonic()
    assert before_ns <= now_ns <= time.time_ns()


def test_the_manual_clock_moves_both_times_together_and_only_when_told() -> None:
    """A manual clock stands still until it is advanced, then both of its times move."""
    clock: Clock = (manual := ManualClock(monotonic=5.0, time_ns=7))

    assert (clock.monotonic(), clock.time_ns()) == (5.0, 7)
    manual.advance(1.5)
    assert (clock.monotonic(), clock.time_ns()) == (6.5, 1_500_000_007)
