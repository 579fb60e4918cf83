"""For any sequence of moves: the state follows the table, and a way out always exists."""

from hypothesis import given
from hypothesis import strategies as st

from foxtrot.connectivity.lifecycle import SEVERITY, TRANSITIONS, Lifecycle, worst
from foxtrot.errors import InvalidState
from foxtrot.model.constants import ConnectionState as S


@given(st.lists(st.sampled_from(S), max_size=60))
def test_any_walk_stays_on_the_table(walk: list[S]) -> None:
    """Each accepted step is an edge, each refused one is none, and refusals change nothing."""
    lifecycle, state = Lifecycle(0), S.DISCONNECTED
    for now, to in enumerate(walk, 1):
        try:
            step = lifecycle.move(to, "walk", now)
        except InvalidState:
            assert to not in TRANSITIONS[state]
            assert to is not state
        else:
            assert (step is None) == (to is state)
            assert to is state or to in TRANSITIONS[state]
            state = to
        assert lifecycle.state is state


@given(st.sampled_from(sorted(set(S) - {S.CLOSED}, key=lambda s: s.value)))
def test_from_any_state_ready_can_be_reached(start: S) -> None:
    """Nothing but CLOSED is a dead end."""
    reached, front = {start}, [start]
    while front:
        fresh = TRANSITIONS[front.pop()] - reached
        reached |= fresh
        front.extend(fresh)
    assert S.READY in reached


@given(st.lists(st.sampled_from(S), min_size=1))
def test_the_worst_is_one_of_them_and_none_is_worse(states: list[S]) -> None:
    """What is shown for several sessions is the state of one of them."""
    shown = worst(states)
    assert shown in states
    assert all(SEVERITY.index(state) <= SEVERITY.index(shown) for state in states)
