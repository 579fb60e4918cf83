"""What grew in the last minutes, by which alerts and the roll-out judge."""

import pytest

from foxtrot.connectivity.vitals import LEAST_COUNT, LONG_S, SHORT_S, Course, Trail, Vitals, vitals
from foxtrot.model.constants import ConnectionState
from foxtrot.model.health import AdapterHealth, Histogram, Latency, SessionHealth

READY = ConnectionState.READY


def course_of(*seen: tuple[float, Vitals]) -> Course:
    """A course that saw these, each at its time."""
    course = Course()
    for now, figures in seen:
        course.add(now, figures)
    return course


def test_a_trail_forgets_what_is_older_than_its_window() -> None:
    """Ten a minute for an hour are fifty in five minutes, give or take a step."""
    trail = Trail(SHORT_S)
    for minute in range(61):
        trail.add(minute * 60.0, minute * 10.0)
    assert trail.growth == 50
    assert trail.span_s == SHORT_S
    assert trail.rate == pytest.approx(10 / 60)


def test_a_counter_that_starts_anew_did_not_shrink() -> None:
    """A session that was made anew counts from nothing; what it counted before stays."""
    trail = Trail(SHORT_S)
    for now, value in enumerate((5.0, 9.0, 2.0, 3.0)):
        trail.add(float(now), value)
    assert trail.growth == 4 + 2 + 1


def test_a_gauge_may_shrink() -> None:
    """Memory that was given back counts against what was taken."""
    trail = Trail(SHORT_S, counter=False)
    for now, value in enumerate((5.0, 9.0, 2.0)):
        trail.add(float(now), value)
    assert trail.growth == -3


def test_a_trail_of_one_point_has_no_rate() -> None:
    """Nothing is said of what was seen once."""
    trail = Trail(SHORT_S)
    assert (trail.growth, trail.span_s, trail.rate) == (0.0, 0.0, 0.0)
    trail.add(1.0, 7.0)
    assert (trail.growth, trail.rate) == (0.0, 0.0)


def test_errors_are_a_share_of_all_that_came() -> None:
    """Errors and useless messages, of messages and errors; a few of nothing prove nothing."""
    few = LEAST_COUNT - 1
    assert course_of((0, Vitals()), (9, Vitals(0, few, few))).error_share == 0.0
    assert course_of((0, Vitals()), (9, Vitals(0, 20, 20))).error_share == 1.0
    assert course_of((0, Vitals()), (9, Vitals(98, 3, 2))).error_share == 0.03


def test_latency_is_the_mean_of_what_was_measured_lately() -> None:
    """Not of what was measured before the window, and nothing without data."""
    assert course_of((0, Vitals()), (9, Vitals())).latency_s is None
    few = Vitals(handled_sum_s=100.0, handled_count=LEAST_COUNT - 1)
    assert course_of((0, Vitals()), (9, few)).latency_s is None
    old = Vitals(handled_sum_s=100.0, handled_count=10)
    new = Vitals(handled_sum_s=103.0, handled_count=40)
    course = course_of((0.0, Vitals()), (100.0, old), (100.0 + SHORT_S, new))
    assert course.latency_s == pytest.approx(0.1)
    both = Vitals(venue_sum_s=1.0, venue_count=2, handled_sum_s=106.0, handled_count=70)
    course.add(101.0 + SHORT_S, both)
    assert course.latency_s == pytest.approx(0.5 + 0.1), "each is the mean of its own"


def test_uptime_is_of_the_whole_hour_for_each_session() -> None:
    """Half a minute without the websocket is less than a hundredth of the hour, however young."""
    down = {"websocket": 36.0, "trading": 0.0}
    course = course_of((0, Vitals()), (0, Vitals(down_s=dict.fromkeys(down, 0.0))))
    course.add(60, Vitals(down_s=down))
    assert course.uptime == {"websocket": 1 - 36 / LONG_S, "trading": 1.0}
    course.add(70, Vitals(down_s={"trading": 0.0}))
    assert course.uptime["websocket"] == 1 - 36 / LONG_S, "a session that was stopped is kept"


def test_vitals_are_read_off_a_snapshot() -> None:
    """What could not be read is counted once, as a message, though it is an error as well."""
    health = AdapterHealth(
        "V",
        READY,
        sessions=(SessionHealth("websocket", READY, 0, down_s=3.0),),
        received=100,
        malformed=4,
        rejected=2,
        reconnects=7,
        errors_by_class={"network": 3, "malformed": 4},
    )
    latency = Latency(Histogram((1.0,), (2, 0), 0.5), Histogram((1.0,), (3, 0), 0.25))
    assert vitals(health, latency) == Vitals(100, 9, 3, 7, 0.5, 2, 0.25, 3, {"websocket": 3.0})
    assert vitals(health, None).handled_count == 0
