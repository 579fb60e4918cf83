"""The roll-out of an adapter's websocket: symbol by symbol, and back by itself. Pure.

It begins with polling, which gives the figures to compare with. Then the websocket serves a first
symbol, the top five, all majors and at last everything; each stage has to prove itself for a set
time. What goes wrong takes it back to polling, where it stays until a person lets it begin anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Final

import msgspec

from foxtrot.connectivity.vitals import Course, Vitals
from foxtrot.model.constants import Mode
from foxtrot.model.health import RollOutHealth
from foxtrot.model.objects import NS_PER_S

TOP: Final = 5
MOST_ERRORS: Final = 0.05
"""Share of errors in five minutes."""
LATENCY_FACTOR: Final = 2.0
"""Times the latency of the stage before."""
LATENCY_FLOOR_S: Final = 0.05
"""A latency before that was below counts as this: twice of nearly nothing harms nobody."""
LEAST_UPTIME: Final = 0.95
"""Share of the last hour in which the websocket served."""
MOST_MEMORY_BYTES: Final = 100 * 1024 * 1024
"""What the process may grow by in a stage."""


class Stage(Enum):
    """How much the websocket serves."""

    POLLING = "polling"
    FIRST = "first"
    TOP = "top"
    MAJORS = "majors"
    ALL = "all"


_ORDER = tuple(Stage)
OF_MODE: Final[Mapping[Mode, Stage]] = {Mode.POLLING: Stage.POLLING, Mode.WEBSOCKET: Stage.ALL}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is rolled out, and how long each stage has to prove itself.

    `symbols` are the majors, the most trusted first. A stage without a time is passed at once.
    `begin` is the first stage. Another than polling has no latency to be compared with.
    """

    symbols: tuple[str, ...] = ()
    validate_s: Mapping[Stage, float] = field(default_factory=dict)
    begin: Stage = Stage.POLLING


@dataclass(frozen=True, slots=True)
class Served:
    """What a stage means for the flags `websocket.enabled` and `websocket.symbols`."""

    websocket: bool
    symbols: tuple[str, ...] = ()


Seconds = Annotated[float, msgspec.Meta(ge=0.0)]


class Progress(msgspec.Struct, frozen=True):
    """What a roll-out has reached: what survives the process.

    `elapsed_s` is how long its stage has proved itself; `begin` the plan's when it was reached.

    Raises:
        ValueError: It contradicts itself.
    """

    stage: Stage
    elapsed_s: Seconds = 0.0
    begin: Stage | None = None
    baseline_s: Seconds | None = None
    reason: Annotated[str, msgspec.Meta(max_length=1024)] = ""
    pinned: bool = False
    rolled_back: bool = False
    validated: bool = False

    def __post_init__(self) -> None:
        if self.rolled_back and self.stage is not Stage.POLLING:
            raise ValueError("what was rolled back is polled")
        if self.validated and (self.stage is not Stage.ALL or self.pinned):
            raise ValueError("all is validated at the end alone")


class RollOut:
    """The state of one adapter's roll-out.

    Args:
        plan: May be replaced at any time; the stage is kept.
        now: Seconds, never stepping back.
        now_ns: The time, as people write it down.
    """

    def __init__(self, plan: Plan, now: float, now_ns: int) -> None:
        self.plan = plan
        self.pinned = self.rolled_back = self.validated = False
        self._baseline_s: float | None
        self._course: Course
        self._memory: int
        self._since: float
        self._begin(now, now_ns)

    @property
    def stage(self) -> Stage:
        """Where it stands."""
        return self._stage

    @property
    def served(self) -> Served:
        """What the websocket is to serve now."""
        symbols = self.plan.symbols
        return {
            Stage.POLLING: Served(websocket=False),
            Stage.FIRST: Served(bool(symbols), symbols[:1]),
            Stage.TOP: Served(bool(symbols), symbols[:TOP]),
            Stage.MAJORS: Served(bool(symbols), symbols),
            Stage.ALL: Served(websocket=True),
        }[self._stage]

    @property
    def health(self) -> RollOutHealth:
        """The same, to be shown."""
        goes_on = not (self.pinned or self.rolled_back or self.validated)
        until_ns = self._since_ns + round(self._validate_s * NS_PER_S) if goes_on else 0
        return RollOutHealth(
            self._stage.value,
            self._since_ns,
            until_ns,
            self._reason,
            self.rolled_back,
            self.pinned,
        )

    def progress(self, now: float) -> Progress:
        """What is to be kept of it."""
        return Progress(
            self._stage,
            max(now - self._since, 0.0),
            self.plan.begin,
            self._baseline_s,
            self._reason,
            self.pinned,
            self.rolled_back,
            self.validated,
        )

    def resume(self, progress: Progress, now: float, now_ns: int) -> None:
        """Go on where an earlier process stood; the time between them proves nothing."""
        self.pinned, self.rolled_back = progress.pinned, progress.rolled_back
        self.validated, self._baseline_s = progress.validated, progress.baseline_s
        since_ns = now_ns - round(progress.elapsed_s * NS_PER_S)
        self._enter(progress.stage, progress.reason, now - progress.elapsed_s, since_ns)

    def look(self, vitals: Vitals, memory_bytes: int, now: float, now_ns: int) -> bool:
        """Judge the figures of now; whether it is in another stage after that."""
        if self.pinned or self.rolled_back:
            return False
        self._course.add(now, vitals)
        self._memory = self._memory or memory_bytes
        if reason := self._trouble(memory_bytes):
            self.rolled_back = True
            self._enter(Stage.POLLING, reason, now, now_ns)
            return True
        if now - self._since < self._validate_s or self.validated:
            return False
        if self._stage is Stage.ALL:
            self.validated, self._reason = True, "validated; the roll-out is over"
            return False
        self._baseline_s = self._course.latency_s or self._baseline_s
        before, after = self._stage, _ORDER[_ORDER.index(self._stage) + 1]
        self._enter(after, f"{before.value} proved itself", now, now_ns)
        return True

    def override(self, stage: Stage, now: float, now_ns: int) -> None:
        """A person says where it is to stand, until `release`."""
        taken_back = self._stage is not Stage.POLLING and not self.pinned
        self.rolled_back = stage is Stage.POLLING and (self.rolled_back or taken_back)
        self.pinned, self.validated = True, False
        self._enter(stage, "manual override", now, now_ns)

    def release(self, now: float, now_ns: int) -> None:
        """It goes on by itself: from the begin."""
        self.pinned = self.rolled_back = self.validated = False
        self._begin(now, now_ns)

    def _begin(self, now: float, now_ns: int) -> None:
        begin, self._baseline_s = self.plan.begin, None
        reason = "measured for comparison" if begin is Stage.POLLING else "rollout.begin"
        self._enter(begin, reason, now, now_ns)

    @property
    def _validate_s(self) -> float:
        return self.plan.validate_s.get(self._stage, 0.0)

    def _enter(self, stage: Stage, reason: str, now: float, now_ns: int) -> None:
        self._stage, self._reason = stage, reason
        self._since, self._since_ns = now, now_ns
        self._course, self._memory = Course(), 0

    def _trouble(self, memory_bytes: int) -> str:
        """Why it has to go back; empty if all is well, or nothing is streamed."""
        if self._stage is Stage.POLLING:
            return ""
        course, most_s = self._course, self._most_latency_s
        if course.error_share > MOST_ERRORS:
            return f"errors: {course.error_share:.1%} in five minutes"
        if most_s is not None and (course.latency_s or 0.0) > most_s:
            return f"latency: {course.latency_s:.3f} s, twice that of the stage before"
        uptime = course.uptime.get(Mode.WEBSOCKET.value, 1.0)
        if uptime < LEAST_UPTIME:
            return f"stability: the websocket served {uptime:.1%} of the last hour"
        grown = memory_bytes - self._memory
        if grown > MOST_MEMORY_BYTES and not self.validated:
            return f"memory: the process grew by {grown >> 20} MiB in this stage"
        return ""

    @property
    def _most_latency_s(self) -> float | None:
        if self._baseline_s is None:
            return None
        return LATENCY_FACTOR * max(self._baseline_s, LATENCY_FLOOR_S)
