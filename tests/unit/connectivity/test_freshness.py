"""A session lives by the data that arrives, and is asked when there is none."""

import pytest

from foxtrot.connectivity.freshness import Absence, SessionLiveness, Verdict


def test_a_session_that_receives_is_alive() -> None:
    """As long as the count grows nobody is asked."""
    liveness = SessionLiveness(idle_s=15.0, now=100.0)
    for second in range(60):
        assert liveness.look(second + 1, 100.0 + second) is Verdict.ALIVE


def test_an_idle_session_is_to_be_probed() -> None:
    """After the idle time without data the venue is asked, not before."""
    liveness = SessionLiveness(idle_s=15.0, now=100.0, received=7)
    assert liveness.look(7, 114.9) is Verdict.ALIVE
    assert liveness.look(7, 115.0) is Verdict.PROBE


def test_a_count_that_starts_over_is_a_sign_of_life() -> None:
    """Any change of the count is data, also a smaller one."""
    liveness = SessionLiveness(idle_s=15.0, now=100.0, received=7)
    assert liveness.look(1, 120.0) is Verdict.ALIVE


def test_an_answered_probe_buys_another_idle_time() -> None:
    """A quiet market is not a dead line."""
    liveness = SessionLiveness(idle_s=15.0, now=100.0)
    assert liveness.look(0, 115.0) is Verdict.PROBE
    liveness.answered(116.0)
    assert liveness.look(0, 130.9) is Verdict.ALIVE
    assert liveness.look(0, 131.0) is Verdict.PROBE


def test_silence_is_measured_from_the_last_sign() -> None:
    """The text of the error tells how long nothing came."""
    liveness = SessionLiveness(idle_s=15.0, now=100.0)
    liveness.look(1, 110.0)
    assert liveness.silent_s(127.5) == 17.5


def test_silence_is_found_within_the_promised_time() -> None:
    """Wherever between two looks the data stops, 15 s idle and 4 s of probe end within 20 s."""
    worst = 0.0
    for tenth in range(300):
        stops_at = tenth / 10
        liveness, now, received = SessionLiveness(idle_s=15.0, now=0.0), 0.0, 0
        while True:
            now += max(liveness.next_look_s(now), 1e-6)
            received = received + 1 if now <= stops_at else int(stops_at * 1000)
            if liveness.look(received, now) is Verdict.PROBE:
                break
        worst = max(worst, now + 4.0 - stops_at)
    assert worst <= 20.0


def test_the_next_look_is_never_in_the_past() -> None:
    """A late look is due now."""
    liveness = SessionLiveness(idle_s=15.0, now=100.0)
    assert liveness.next_look_s(500.0) == 0.0


@pytest.mark.parametrize(
    ("passed_s", "wall_s", "away_s"),
    [
        (1.0, 1.0, 0.0),
        (5.9, 5.9, 0.0),  # late, as on a busy machine
        (1.0, 3_601.0, 3_600.0),  # asleep
        (61.0, 61.0, 60.0),  # stopped, or blocked
        (1.0, -59.0, 60.0),  # the clock was set back
    ],
)
def test_an_absence_shows_in_one_clock_or_the_other(
    passed_s: float, wall_s: float, away_s: float
) -> None:
    """Sleep lets the wall clock run ahead, a standstill makes a look late; a second is neither."""
    absence = Absence(100.0, 0)
    found = absence.look(100.0 + passed_s, round(wall_s * 1e9), due_s=1.0)
    assert found == pytest.approx(away_s, abs=1e-6)
