"""What must not grow: memory, threads, tasks and descriptors; sampled, and judged."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass

from foxtrot import MainEngine
from foxtrot.core.process import process_health

MIB = 1 << 20
ALLOWED = {"memory_mib": 5.0, "threads": 0.0, "tasks": 1.0, "descriptors": 1.0}
"""The gauges, and by how much each may grow from the second to the last third of a soak."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What the process took at one moment; `quiet` if nothing was wrong then."""

    at_s: float
    quiet: bool
    memory_mib: float
    threads: int
    tasks: int
    descriptors: int


@dataclass(frozen=True)
class Verdict:
    """One gauge at quiet moments: how low it is in each third, and whether it is flat.

    What is under way at one moment is no leak; what is leaked is there at every later one. Low is
    what one in ten moments is below: the very least is a matter of chance, in an hour.
    """

    gauge: str
    thirds: tuple[float, float, float]
    allowed: float

    @property
    def growth(self) -> float:
        """From the second third to the last: the first is for warming up."""
        return self.thirds[2] - self.thirds[1]

    @property
    def flat(self) -> bool:
        """Whether it grew no more than it may."""
        return self.growth <= self.allowed

    def __str__(self) -> str:
        first, second, last = (f"{each:.1f}" for each in self.thirds)
        word = "flat" if self.flat else f"GROWS by {self.growth:.1f}, allowed {self.allowed:g}"
        return f"{self.gauge:<12} {first:>8} {second:>8} {last:>8}  {word}"


class Gauges:
    """Takes samples of this process and of one engine.

    Args:
        engine: Whose tasks are counted.
    """

    def __init__(self, engine: MainEngine) -> None:
        self._engine, self._began = engine, time.monotonic()
        self.samples: list[Sample] = []

    def take(self, *, quiet: bool = False) -> None:
        """Take a sample; one of a quiet moment is judged, so garbage is no part of it."""
        if quiet:
            gc.collect()
        process = process_health()
        self.samples.append(
            Sample(
                time.monotonic() - self._began,
                quiet,
                process.memory_bytes / MIB,
                len(process.threads),
                len(self._engine.bridge.health().tasks),
                process.descriptors,
            )
        )

    def verdicts(self) -> list[Verdict]:
        """How each gauge did at quiet moments."""
        quiet = [each for each in self.samples if each.quiet]
        size = max(len(quiet) // 3, 1)
        thirds = quiet[:size], quiet[size : 2 * size], quiet[-size:]
        return [_verdict(gauge, thirds) for gauge in ALLOWED]


def _verdict(gauge: str, thirds: Sequence[Sequence[Sample]]) -> Verdict:
    first, second, last = (
        _low([float(getattr(each, gauge)) for each in third]) for third in thirds
    )
    return Verdict(gauge, (first, second, last), ALLOWED[gauge])


def _low(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 10] if values else 0.0
