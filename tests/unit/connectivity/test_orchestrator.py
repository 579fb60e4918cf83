"""The orchestrator moves the difference only, and one stream's failure moves no other."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from foxtrot.errors import StreamingError, SubscriptionRefused, VenueUnavailable
from foxtrot.model.constants import Channel, Exchange, StreamState
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.health import StreamKey
from tests.support.rig import eventually
from tests.support.sessions import HANG, PATIENT, Rig, tick

DEPTH_A, DEPTH_B = (
    StreamKey(Channel.DEPTH, "A", Exchange.BINANCE),
    StreamKey(Channel.DEPTH, "B", Exchange.BINANCE),
)
INDIVIDUAL = replace(PATIENT, individual=frozenset({Channel.DEPTH}), refused_retry_s=0.001)


@pytest.fixture
def rig() -> Iterator[Rig]:
    """A supervisor whose depth streams are asked for one by one."""
    with Rig(INDIVIDUAL) as made:
        yield made


def wanted(rig: Rig, *keys: StreamKey) -> None:
    rig.call(lambda: rig.supervisor.want(keys))


def test_bulk_and_individual_streams_live_side_by_side(rig: Rig) -> None:
    """One request for all ticks, one for each book."""
    wanted(rig, tick("A"), tick("B"), DEPTH_A, DEPTH_B)
    rig.call(rig.supervisor.start)
    rig.wait_state(S.READY)
    asked = [call.keys for call in rig.venue.calls_of("subscribe")]
    assert asked == [(tick("A"), tick("B")), (DEPTH_A,), (DEPTH_B,)]


def test_an_individual_stream_that_is_refused_leaves_the_others_alone(rig: Rig) -> None:
    """It is asked for again by itself, and held when the venue gives it."""
    rig.venue.refused[DEPTH_A] = SubscriptionRefused("FAKE", "2", "not now")
    wanted(rig, tick("A"), DEPTH_A, DEPTH_B)
    rig.call(rig.supervisor.start)
    rig.wait_state(S.DEGRADED)
    rig.call(rig.venue.refused.clear)
    rig.wait_state(S.READY)
    assert len(rig.venue.sessions) == 1
    assert rig.venue.newest.held == {tick("A"), DEPTH_A, DEPTH_B}


def test_an_individual_stream_that_nobody_answers_fails_alone(rig: Rig) -> None:
    """The session of the others is not given up for it."""
    rig.venue.unanswered.add(DEPTH_A)
    wanted(rig, tick("A"), DEPTH_A)
    rig.call(rig.supervisor.start)
    rig.wait_state(S.DEGRADED)
    book = rig.supervisor.book
    eventually(lambda: book.wanted[DEPTH_A].state is StreamState.FAILED, "it fails alone")
    rig.call(rig.venue.unanswered.clear)
    rig.wait_state(S.READY)
    assert len(rig.venue.sessions) == 1


def test_an_unsubscriber_that_fails_is_contained(rig: Rig) -> None:
    """Giving a stream back goes wrong; the others are not touched, and nothing hangs."""
    wanted(rig, tick("A"), tick("B"))
    rig.call(rig.supervisor.start)
    rig.wait_state(S.READY)
    rig.venue.plan("unsubscribe", VenueUnavailable("FAKE", "", "not now"))
    rig.call(lambda: rig.supervisor.drop([tick("A")]))
    wanted(rig, tick("C"))
    rig.venue.changes.wait_for(lambda held: tick("C") in held)
    assert len(rig.venue.sessions) == 1
    assert set(rig.supervisor.book.wanted) == {tick("B"), tick("C")}


def test_a_stream_that_is_being_given_back_does_not_seem_held(rig: Rig) -> None:
    """Wanted again before the venue answered, it is PENDING: the venue may stop it any moment."""
    rig.start("A", "B")
    rig.wait_state(S.READY)
    rig.venue.plan("unsubscribe", HANG)
    rig.call(lambda: rig.supervisor.drop([tick("A")]))
    rig.venue.calls.wait_for(lambda call: call.step == "unsubscribe")
    wanted(rig, tick("A"))
    assert rig.supervisor.book.wanted[tick("A")].state is StreamState.PENDING


def test_what_a_session_reports_is_shown(rig: Rig) -> None:
    """A stream that stands still is STALE, one that has nothing to say QUIET; both are held."""
    rig.start("A")
    rig.wait_state(S.READY)
    for state in (StreamState.STALE, StreamState.QUIET, StreamState.ACTIVE):
        rig.call(lambda state=state: rig.venue.newest.report(tick("A"), state, "because"))
        entry = rig.supervisor.book.wanted[tick("A")]
        assert (entry.state, entry.reason, entry.held) == (state, "because", True)


def test_a_stream_that_a_session_gives_up_is_asked_for_again_later(rig: Rig) -> None:
    """Its failure is told once, and only it is asked for again."""
    rig.start("A", "B")
    rig.wait_state(S.READY)
    asked = len(rig.venue.calls_of("subscribe"))
    rig.call(lambda: rig.venue.newest.report(tick("A"), StreamState.FAILED, "stands still"))
    eventually(lambda: len(rig.venue.calls_of("subscribe")) > asked, "it is asked for again")
    rig.wait_state(S.READY)
    assert [type(error) for error in rig.told.errors.items] == [StreamingError]
    assert rig.venue.calls_of("subscribe")[-1].keys == (tick("A"),)
    assert len(rig.venue.sessions) == 1


def reports_while_it_asks(rig: Rig, state: StreamState) -> None:
    """Let the next sessions find this out about A before `subscribe` returns."""

    def report(number: int, step: str) -> None:
        if step == "subscribe":
            rig.venue.newest.report(tick("A"), state, "because")

    rig.venue.before_step = report


@pytest.mark.parametrize("state", [StreamState.STALE, StreamState.QUIET])
def test_what_is_found_out_while_streams_are_asked_for_counts(rig: Rig, state: StreamState) -> None:
    """A line that broke meanwhile is told once: its streams must not look alive afterwards."""
    reports_while_it_asks(rig, state)
    rig.start("A", "B")
    rig.wait_state(S.READY)
    wanted_now = rig.supervisor.book.wanted
    assert (wanted_now[tick("A")].state, wanted_now[tick("A")].reason) == (state, "because")
    assert wanted_now[tick("B")].state is StreamState.ACTIVE


def test_a_stream_that_is_given_up_while_it_is_asked_for_is_not_held() -> None:
    """The session has forgotten it: nobody would ever notice that it brings nothing."""
    with Rig(PATIENT) as rig:
        reports_while_it_asks(rig, StreamState.FAILED)
        rig.start("A", "B")
        status = rig.wait_state(S.READY, S.DEGRADED)
        assert (status.state, status.reason) == (S.DEGRADED, "not held: tick:A.BINANCE")
        assert rig.supervisor.book.wanted[tick("A")].state is StreamState.FAILED


def test_a_doubtful_stream_that_speaks_while_it_is_asked_for_is_active(rig: Rig) -> None:
    """Its data came before the answer did; it is told once, and must not be missed."""
    rig.start("A", "B")
    rig.wait_state(S.READY)
    reports_while_it_asks(rig, StreamState.ACTIVE)
    since = len(rig.told.statuses)

    def die() -> None:
        for state in (StreamState.STALE, StreamState.FAILED):
            rig.venue.newest.report(tick("A"), state, "stands still")

    rig.call(die)
    rig.wait_state(S.READY, since=since)
    assert rig.supervisor.book.wanted[tick("A")].state is StreamState.ACTIVE


def test_a_stream_that_is_asked_for_anew_in_a_doubt_is_what_it_is_by_then(rig: Rig) -> None:
    """It stood still before it was given back; that says nothing of the one that is held now."""
    rig.start("A", "B")
    rig.wait_state(S.READY)
    rig.call(lambda: rig.venue.newest.report(tick("A"), StreamState.STALE, "stands still"))
    rig.call(lambda: rig.supervisor.streams.doubt("nothing ran for a while"))
    rig.call(lambda: rig.supervisor.drop([tick("A")]))
    rig.venue.changes.wait_for(lambda held: held == {tick("B")})
    wanted(rig, tick("A"))
    book = rig.supervisor.book
    eventually(lambda: book.wanted[tick("A")].state is StreamState.ACTIVE, "it is held afresh")
    rig.call(rig.supervisor.streams.believe)
    assert {key: entry.state for key, entry in book.wanted.items()} == {
        tick("A"): StreamState.ACTIVE,
        tick("B"): StreamState.ACTIVE,
    }
