"""Whatever happens, the roll-out serves nothing that has not proved itself."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from foxtrot.connectivity.rollout import Plan, RollOut, Stage
from foxtrot.connectivity.vitals import Trail, Vitals

ORDER = list(Stage)
HELD_S = 100.0
PLAN = Plan(("A", "B", "C"), dict.fromkeys(Stage, HELD_S))

GOOD = {"messages": 100, "handled_sum_s": 10.0, "handled_count": 100}
HAPPENS: dict[str, dict[str, float]] = {
    "well": GOOD,
    "nothing": {},
    "errors": {**GOOD, "faults": 30},
    "slow": {**GOOD, "handled_sum_s": 100.0},
    "down": {"down": 200.0},
    "grown": {"memory": 200 * 1024 * 1024},
}
steps = st.lists(
    st.tuples(
        st.sampled_from([0.0, 1.0, 50.0, 100.0, 150.0]),
        st.sampled_from(sorted(HAPPENS)),
        st.sampled_from([None, None, None, None, None, *Stage, "release"]),
    ),
    max_size=25,
)


class Counters:
    """What grows as things happen."""

    def __init__(self) -> None:
        self._sums: Counter[str] = Counter()

    def add(self, what: str) -> tuple[Vitals, int]:
        """The figures after that."""
        self._sums.update(HAPPENS[what])  # type: ignore[arg-type]
        sums = self._sums
        figures = Vitals(
            sums["messages"],
            sums["faults"],
            handled_sum_s=sums["handled_sum_s"],
            handled_count=sums["handled_count"],
            down_s={"websocket": float(sums["down"])},
        )
        return figures, 1 + sums["memory"]


@given(steps)
def test_a_stage_is_left_upwards_one_at_a_time_and_never_too_soon(
    story: list[tuple[float, str, Stage | str | None]],
) -> None:
    """By itself it goes one stage on after its time, or back to polling for good."""
    roll, counters, now, entered = RollOut(PLAN, 0.0, 0), Counters(), 0.0, 0.0
    for seconds, what, person in story:
        now += seconds
        before, stuck = roll.stage, roll.rolled_back or roll.pinned
        moved = roll.look(*counters.add(what), now, round(now * 1e9))
        assert moved == (roll.stage is not before)
        if moved:
            assert not stuck
            on = ORDER.index(roll.stage) - ORDER.index(before)
            assert roll.rolled_back == (on < 0)
            assert (on == 1 and now - entered >= HELD_S) or roll.stage is Stage.POLLING
            entered = now
        if isinstance(person, Stage):
            roll.override(person, now, 0)
            entered = now
        elif person is not None:
            roll.release(now, 0)
            entered = now
        assert roll.served.websocket is (roll.stage is not Stage.POLLING)
        assert not (roll.rolled_back and roll.stage is not Stage.POLLING)


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 1000)), min_size=1, max_size=80))
def test_a_trail_holds_all_of_its_window_and_is_bounded(points: list[tuple[float, int]]) -> None:
    """The growth is never more than that of the whole, nor less than that of the window."""
    trail, now, total = Trail(300.0), 0.0, 0
    history: list[tuple[float, int]] = []
    for seconds, grown in points:
        now, total = now + seconds, total + grown
        history.append((now, total))
        trail.add(now, total)
    within = [value for at, value in history if at >= now - 300.0]
    assert within[-1] - within[0] <= trail.growth <= total - history[0][1]
    assert len(trail._points) <= 62
