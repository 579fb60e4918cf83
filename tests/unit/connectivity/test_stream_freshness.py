"""A quiet market and a dead stream are told apart by a snapshot, never by silence alone."""

from hypothesis import given
from hypothesis import strategies as st

from foxtrot.connectivity.freshness import StreamFreshness
from foxtrot.model.constants import StreamState
from tests.support.sessions import tick

A, B = tick("A"), tick("B")


def fresh(idle_s: float = 10.0, longest_s: float = 60.0) -> StreamFreshness:
    return StreamFreshness(idle_s=idle_s, longest_s=longest_s)


def test_a_stream_that_moves_is_never_compared() -> None:
    """Each change of its activity starts its patience anew."""
    subject = fresh()
    for now in range(100):
        assert subject.look({A: now}, float(now)).silent == ()
    assert subject.state(A) is StreamState.ACTIVE


def test_only_the_silent_one_is_compared() -> None:
    """One dead stream among live ones is found, and no other is suspected."""
    subject = fresh()
    subject.look({A: 0, B: 0}, 0.0)
    assert subject.look({A: 0, B: 5}, 10.0).silent == (A,)


def test_the_same_market_means_quiet_and_longer_patience() -> None:
    """An illiquid symbol is asked about less and less, up to the longest patience."""
    subject = fresh()
    subject.look({A: 0}, 0.0)
    asked_at = []
    for now in range(400):
        if subject.look({A: 0}, float(now)).silent:
            asked_at.append(now)
            assert subject.judge(A, "same", float(now), told="same") == 0
    assert asked_at == [10, 30, 70, 130, 190, 250, 310, 370]
    assert subject.state(A) is StreamState.QUIET


def test_what_cannot_be_compared_is_neither_quiet_nor_stale_and_silent_more_rarely() -> None:
    """Nothing is known of it, so nothing is said of it; what comes makes it as watched as ever."""
    subject = fresh()
    subject.look({A: 0}, 0.0)
    asked_at = []
    for now in range(200):
        if subject.look({A: 0}, float(now)).silent:
            asked_at.append(now)
            subject.put_off(A, float(now))
    assert asked_at == [10, 30, 70, 130, 190]
    assert subject.state(A) is StreamState.PENDING
    assert subject.look({A: 1}, 200.0).revived == (A,)
    assert subject.look({A: 1}, 210.0).silent == (A,)


def test_a_condemned_stream_is_stale_until_something_comes() -> None:
    """What is known to be broken needs no comparison, and counts no strike."""
    subject = fresh()
    subject.look({A: 0}, 0.0)
    subject.condemn(A, 10.0)
    assert subject.state(A) is StreamState.STALE
    assert subject.look({A: 0}, 11.0).silent == ()
    assert subject.look({A: 1}, 12.0).revived == (A,)
    assert subject.judge(A, "new", 30.0, told="old") == 1


def test_a_market_that_moved_without_the_stream_means_stale() -> None:
    """Strikes are counted until something comes."""
    subject = fresh()
    subject.look({A: 0}, 0.0)
    assert subject.judge(A, "new", 10.0, told="old") == 1
    assert subject.state(A) is StreamState.STALE
    assert subject.judge(A, "newer", 20.0, told="old") == 2


def test_without_a_word_of_the_stream_two_snapshots_decide() -> None:
    """The first is only remembered; a second that differs shows that the market moves."""
    subject = fresh()
    subject.look({A: 0}, 0.0)
    assert subject.judge(A, "one", 10.0) == 0
    assert subject.state(A) is StreamState.PENDING
    assert subject.judge(A, "two", 20.0) == 1


def test_what_comes_revives_a_stream() -> None:
    """Data is the proof of life: the strikes are forgotten, and the change is told once."""
    subject = fresh()
    subject.look({A: 0}, 0.0)
    subject.judge(A, "new", 10.0, told="old")
    assert subject.look({A: 1}, 11.0).revived == (A,)
    assert subject.look({A: 2}, 12.0).revived == ()
    assert subject.state(A) is StreamState.ACTIVE
    assert subject.judge(A, "new", 30.0, told="old") == 1


def test_a_stream_that_is_gone_is_forgotten() -> None:
    """Wanted again, it starts with a clean sheet."""
    subject = fresh()
    subject.look({A: 0}, 0.0)
    subject.judge(A, "new", 10.0, told="old")
    subject.look({}, 11.0)
    subject.look({A: 0}, 12.0)
    assert subject.state(A) is StreamState.PENDING


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0.1, 30.0), st.booleans()), max_size=60))
def test_a_dead_stream_is_compared_in_time(steps: list[tuple[int, float, bool]]) -> None:
    """Looked at once a second, no stream is silent for longer than its patience and unasked."""
    subject = fresh()
    now, activity, last_sign, patience = 0.0, 0, 0.0, 10.0
    subject.look({A: activity}, now)
    for moves, pause, same in steps:
        now += pause
        if moves:
            activity, last_sign, patience = activity + moves, now, 10.0
        silent = subject.look({A: activity}, now).silent
        assert bool(silent) == (now - last_sign >= patience)
        if silent:
            subject.judge(A, 0 if same else 1, now, told=0)
            last_sign, patience = now, min(patience * 2, 60.0) if same else 10.0
