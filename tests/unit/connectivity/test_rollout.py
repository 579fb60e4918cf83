"""The roll-out of a websocket: one stage after the other, and back by itself."""

from collections.abc import Callable

import pytest

from foxtrot.connectivity.rollout import MOST_MEMORY_BYTES, Plan, RollOut, Served, Stage
from foxtrot.connectivity.vitals import Vitals

MAJORS = ("A", "B", "C", "D", "E", "F", "G")
PLAN = Plan(MAJORS, dict.fromkeys(Stage, 100.0))
NS = 1_000_000_000
GOOD = Vitals(messages=1_000, handled_sum_s=1.0, handled_count=100)


class Story:
    """A roll-out and the time, with counters that go on."""

    def __init__(self, plan: Plan = PLAN) -> None:
        self.now, self.memory = 0.0, 50_000_000
        self.roll = RollOut(plan, 0.0, 0)
        self.seen = Vitals()

    def go(self, seconds: float = 100.0, vitals: Vitals | None = None) -> bool:
        """Time passes; whether it came into another stage."""
        self.now += seconds
        vitals = vitals or Vitals()
        self.seen = Vitals(
            self.seen.messages + vitals.messages,
            self.seen.faults + vitals.faults,
            self.seen.errors + vitals.errors,
            self.seen.reconnects,
            0.0,
            0,
            self.seen.handled_sum_s + vitals.handled_sum_s,
            self.seen.handled_count + vitals.handled_count,
            {"websocket": self.seen.down_s.get("websocket", 0.0) + vitals.down_s.get("w", 0.0)},
        )
        return self.roll.look(self.seen, self.memory, self.now, round(self.now * NS))

    def until(self, stage: Stage) -> "Story":
        """Go on well until that stage."""
        self.go(0.0)
        while self.roll.stage is not stage:
            self.go(50.0, GOOD)
        self.go(0.0)
        return self


def test_it_goes_from_the_first_symbol_to_everything() -> None:
    """Each stage lasts its time, serves what it should, and is told with its end."""
    story, told = Story(), []
    while not story.roll.validated:
        if story.go(50.0, GOOD):
            health = story.roll.health
            told.append((story.roll.stage, story.roll.served, health.since_ns, health.until_ns))
    assert told == [
        (Stage.FIRST, Served(True, MAJORS[:1]), 100 * NS, 200 * NS),
        (Stage.TOP, Served(True, MAJORS[:5]), 200 * NS, 300 * NS),
        (Stage.MAJORS, Served(True, MAJORS), 300 * NS, 400 * NS),
        (Stage.ALL, Served(True, ()), 400 * NS, 500 * NS),
    ]
    assert story.now == 500
    assert story.roll.health.until_ns == 0
    assert story.roll.health.reason == "validated; the roll-out is over"


TROUBLES: dict[str, Callable[[Story], bool]] = {
    "errors": lambda story: story.go(1, Vitals(messages=94, faults=6)),
    "latency": lambda story: story.go(1, Vitals(handled_sum_s=11.0, handled_count=100)),
    "stability": lambda story: story.go(1, Vitals(down_s={"w": 181.0})),
    "memory": lambda story: (
        setattr(story, "memory", story.memory + MOST_MEMORY_BYTES + 1) or story.go(1)
    ),
}
HARMLESS: dict[str, Callable[[Story], bool]] = {
    "errors": lambda story: story.go(1, Vitals(messages=95, faults=4)),
    "latency": lambda story: story.go(1, Vitals(handled_sum_s=9.0, handled_count=100)),
    "stability": lambda story: story.go(1, Vitals(down_s={"w": 179.0})),
    "memory": lambda story: (
        setattr(story, "memory", story.memory + MOST_MEMORY_BYTES) or story.go(1)
    ),
}


@pytest.mark.parametrize("stage", [Stage.FIRST, Stage.TOP, Stage.MAJORS, Stage.ALL])
@pytest.mark.parametrize("trouble", sorted(TROUBLES))
def test_trouble_takes_every_stage_back_to_polling(stage: Stage, trouble: str) -> None:
    """At once, with the reason, and it stays there: what failed is not tried again by itself."""
    story = Story().until(stage)
    assert TROUBLES[trouble](story)
    assert story.roll.served == Served(websocket=False)
    health = story.roll.health
    assert (health.stage, health.rolled_back, health.until_ns) == ("polling", True, 0)
    assert health.reason.startswith(f"{trouble}: ")
    assert not story.go(10_000, GOOD)
    assert story.roll.stage is Stage.POLLING


@pytest.mark.parametrize("almost", sorted(HARMLESS))
def test_what_is_within_the_limits_is_borne(almost: str) -> None:
    """Five in a hundred, twice the latency, a twentieth of the hour, a hundred megabytes."""
    story = Story().until(Stage.FIRST)
    assert not HARMLESS[almost](story)
    assert story.roll.stage is Stage.FIRST


def test_trouble_while_polling_is_not_the_websockets() -> None:
    """The figures for comparison are taken, whatever they are; each stage begins its own count."""
    story = Story()
    story.go(0.0)
    assert not story.go(1, Vitals(messages=10, faults=50, errors=50))
    assert story.go(99)
    assert story.roll.stage is Stage.FIRST
    assert not story.go(1, GOOD)


def test_latency_of_nearly_nothing_may_double() -> None:
    """Two milliseconds instead of one harm nobody."""
    story = Story()
    story.go(0.0)
    story.go(100, Vitals(handled_sum_s=0.1, handled_count=100))
    assert not story.go(1, Vitals(handled_sum_s=0.2, handled_count=100))
    assert story.go(1, Vitals(handled_sum_s=30.0, handled_count=100))
    assert story.roll.rolled_back


def test_memory_is_no_matter_once_all_is_validated() -> None:
    """A process may grow in a year; errors still take it back."""
    story = Story().until(Stage.ALL)
    while not story.roll.validated:
        story.go(50.0, GOOD)
    assert not TROUBLES["memory"](story)
    assert story.go(1, Vitals(messages=1_000, faults=1_000))
    assert story.roll.health.reason.startswith("errors: ")


def test_a_person_overrides_it_and_lets_it_begin_anew() -> None:
    """Pinned it moves neither on nor back; taken back by hand it counts as rolled back."""
    story = Story().until(Stage.TOP)
    story.roll.override(Stage.ALL, story.now, 0)
    assert not story.go(1, Vitals(messages=20, faults=20))
    assert not story.go(100_000)
    assert (story.roll.stage, story.roll.health.until_ns) == (Stage.ALL, 0)
    assert not story.roll.rolled_back
    story.roll.release(story.now, 0)
    assert (story.roll.stage, story.roll.rolled_back) == (Stage.POLLING, False)
    story.until(Stage.FIRST)
    story.roll.override(Stage.POLLING, story.now, 0)
    assert story.roll.rolled_back
    assert story.roll.health.reason == "manual override"


def test_it_may_begin_with_what_an_earlier_process_has_validated() -> None:
    """Also when a person lets it begin anew; with nothing to compare the latency with at first."""
    story = Story(Plan(MAJORS, PLAN.validate_s, Stage.MAJORS))
    assert story.roll.served == Served(True, MAJORS)
    story.go(0.0)
    assert not story.go(1, Vitals(handled_sum_s=100.0, handled_count=100))
    assert story.go(100)
    assert story.roll.stage is Stage.ALL
    story.roll.release(story.now, 0)
    assert (story.roll.stage, story.roll.health.reason) == (Stage.MAJORS, "rollout.begin")


def test_without_majors_polling_is_followed_by_polling_until_all() -> None:
    """An empty list would mean every symbol: nothing is streamed before its stage has come."""
    story = Story(Plan((), PLAN.validate_s))
    served = []
    while story.roll.stage is not Stage.ALL:
        served.append(story.roll.served.websocket)
        story.go(100, GOOD)
    assert not any(served)
    assert story.roll.served == Served(True)
