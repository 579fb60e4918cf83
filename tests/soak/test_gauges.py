"""What a soak says of its gauges: a leak is found, and chance is none."""

from __future__ import annotations

from collections.abc import Sequence

from foxtrot.engine.main_engine import MainEngine
from tests.soak.gauges import Gauges, Sample, Verdict


def judged(tasks: Sequence[int]) -> Verdict:
    """The verdict about tasks, after quiet moments with so many of them."""
    with MainEngine() as engine:
        gauges = Gauges(engine)
    gauges.samples = [Sample(float(at), True, 1.0, 1, count, 1) for at, count in enumerate(tasks)]
    return next(each for each in gauges.verdicts() if each.gauge == "tasks")


def test_a_single_low_moment_is_no_growth_of_all_the_others() -> None:
    """In an hour one quiet moment fell between two sessions, and the next hour seemed to leak."""
    hour = [21, 23, 25] * 80
    hour[120] = 19
    assert judged(hour).flat


def test_what_is_leaked_is_found_among_much_coming_and_going() -> None:
    """A task that is left behind each time is there at every later moment."""
    hour = [21 + number % 5 + number // 30 for number in range(240)]
    verdict = judged(hour)
    assert not verdict.flat
    assert "GROWS" in str(verdict)


def test_a_few_quiet_moments_are_judged_by_the_least() -> None:
    """As in a minute's soak; none at all are no growth."""
    assert judged([30, 21, 21, 33, 21, 28, 21, 40, 21]).thirds == (21.0, 21.0, 21.0)
    assert judged([]).flat
