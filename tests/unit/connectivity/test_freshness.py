"""A session lives by the data that arrives, and is asked when there is none."""

from foxtrot.connectivity.freshness import SessionLiveness, Verdict


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
