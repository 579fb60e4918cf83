"""The lifecycle allows what its table says, and nothing else."""

import itertools

import pytest

from foxtrot.connectivity.lifecycle import SERVING, SEVERITY, TRANSITIONS, Lifecycle, worst
from foxtrot.errors import InvalidState
from foxtrot.model.constants import ConnectionState as S

ALLOWED = {
    S.DISCONNECTED: {S.CONNECTING, S.CLOSING},
    S.CONNECTING: {S.SYNCING, S.RECONNECTING, S.FAILED, S.CLOSING},
    S.SYNCING: {S.READY, S.DEGRADED, S.RECONNECTING, S.FAILED, S.CLOSING},
    S.READY: {S.DEGRADED, S.RECONNECTING, S.FAILED, S.CLOSING},
    S.DEGRADED: {S.READY, S.RECONNECTING, S.FAILED, S.CLOSING},
    S.RECONNECTING: {S.SYNCING, S.DEGRADED, S.FAILED, S.CLOSING},
    S.FAILED: {S.CONNECTING, S.RECONNECTING, S.SYNCING, S.CLOSING},
    S.CLOSING: {S.DISCONNECTED, S.CLOSED},
    S.CLOSED: set(),
}
PAIRS = [(a, b) for a, b in itertools.product(S, S) if a is not b]


def lifecycle_in(state: S) -> Lifecycle:
    lifecycle = Lifecycle(1)
    lifecycle.state = state
    return lifecycle


@pytest.mark.parametrize(("start", "to"), [pair for pair in PAIRS if pair[1] in ALLOWED[pair[0]]])
def test_an_allowed_step_is_taken(start: S, to: S) -> None:
    """State, reason and time change together, and the step tells both ends."""
    lifecycle = lifecycle_in(start)
    step = lifecycle.move(to, "because", 7)
    assert step is not None
    assert (step.previous, step.state, step.reason) == (start, to, "because")
    assert (lifecycle.state, lifecycle.reason, lifecycle.since_ns) == (to, "because", 7)


@pytest.mark.parametrize(
    ("start", "to"), [pair for pair in PAIRS if pair[1] not in ALLOWED[pair[0]]]
)
def test_any_other_step_is_refused(start: S, to: S) -> None:
    """A step that the table lacks raises, names both states and changes nothing."""
    lifecycle = lifecycle_in(start)
    with pytest.raises(InvalidState, match=f"from {start.value} to {to.value}"):
        lifecycle.move(to, "because", 7)
    assert (lifecycle.state, lifecycle.since_ns) == (start, 1)


@pytest.mark.parametrize("state", list(S))
def test_staying_is_no_step(state: S) -> None:
    """Moving to where one is refreshes the reason and keeps the time of arrival."""
    lifecycle = lifecycle_in(state)
    assert lifecycle.move(state, "still", 7) is None
    assert (lifecycle.reason, lifecycle.since_ns) == ("still", 1)


def test_the_table_knows_every_state() -> None:
    """A state added to the enum must be added to the table and to the order of severity."""
    assert set(TRANSITIONS) == set(S)
    assert sorted(SEVERITY, key=lambda s: s.value) == sorted(S, key=lambda s: s.value)


def test_every_state_but_the_last_may_be_closed() -> None:
    """Whatever a session is doing, it can be told to end; CLOSED is final."""
    for state in set(S) - {S.CLOSING, S.CLOSED}:
        assert S.CLOSING in TRANSITIONS[state]
    assert not TRANSITIONS[S.CLOSED]


def test_the_worst_state_is_shown() -> None:
    """Of several sessions the one in most trouble counts; without any it is DISCONNECTED."""
    assert worst([S.READY, S.RECONNECTING, S.DEGRADED]) is S.RECONNECTING
    assert worst([S.READY, S.READY]) is S.READY
    assert worst([S.FAILED, S.CONNECTING]) is S.FAILED
    assert worst([]) is S.DISCONNECTED
    assert {S.READY, S.DEGRADED} == SERVING
