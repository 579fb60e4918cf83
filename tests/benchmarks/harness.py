"""Measures two things side by side: interleaved rounds, medians, and the ratio of each round.

Absolute numbers move from machine to machine and from run to run; ratios measured in one run hold.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import math
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

R = TypeVar("R")


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One figure of ours against the same figure of a peer, round by round.

    `floor` and `aim` are ratios ours / peer; where `smaller_is_better`, they are upper limits.
    """

    name: str
    unit: str
    ours: Sequence[float]
    peer_name: str
    peer: Sequence[float]
    floor: float | None = None
    aim: float | None = None
    smaller_is_better: bool = False
    note: str = ""

    @property
    def ratio(self) -> float:
        """Median of the rounds' ratios."""
        return statistics.median(a / b for a, b in zip(self.ours, self.peer, strict=True))

    @property
    def verdict(self) -> str:
        """How the ratio stands to the goals."""
        if self.floor is None:
            return ""
        if self.aim is not None and self._reaches(self.aim):
            return "aim"
        return "floor" if self._reaches(self.floor) else "BELOW"

    def _reaches(self, goal: float) -> bool:
        return self.ratio <= goal if self.smaller_is_better else self.ratio >= goal

    def to_json(self) -> dict[str, object]:
        """What the result file keeps."""
        fields = dataclasses.asdict(self)
        return {**fields, "ratio": self.ratio, "verdict": self.verdict}


def interleave(rounds: int, cases: Mapping[str, Callable[[], R]]) -> dict[str, list[R]]:
    """Run every case once per round, beginning with another one each time."""
    results: dict[str, list[R]] = {name: [] for name in cases}
    names = list(cases)
    for number in range(rounds + 1):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            gc.collect()
            result = cases[name]()
            if number:  # the first round only warms up
                results[name].append(result)
    return results


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of `values` lie; nearest rank."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def table(comparisons: Sequence[Comparison]) -> str:
    """The comparisons as lines of text: medians over the rounds, worst round in brackets."""
    rows = [("figure", "ours", "peer", "", "ratio", "floor", "aim", "")]
    rows += [
        (
            f"{c.name}, {c.unit}",
            _spread(c.ours, c.smaller_is_better),
            _spread(c.peer, c.smaller_is_better),
            c.peer_name,
            f"{c.ratio:.2f}",
            _goal(c.floor, c.smaller_is_better),
            _goal(c.aim, c.smaller_is_better),
            c.verdict,
        )
        for c in comparisons
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    lines += [f"{c.name}: {c.note}" for c in comparisons if c.note]
    return "\n".join(line.rstrip() for line in lines)


def save(comparisons: Sequence[Comparison], folder: Path) -> Path:
    """Write results.json, and results.png where matplotlib is installed."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "results.json"
    content = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "comparisons": [c.to_json() for c in comparisons],
    }
    target.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    _plot(comparisons, folder / "results.png")
    return target


def regressions(comparisons: Sequence[Comparison], stored: Path, tolerance: float) -> list[str]:
    """Ratios that are worse than the stored ones by more than `tolerance`, as lines of text."""
    kept = json.loads(stored.read_text(encoding="utf-8"))["comparisons"]
    before = {(c["name"], c["peer_name"]): c["ratio"] for c in kept}
    lines = []
    for now in comparisons:
        old = before.get((now.name, now.peer_name))
        if old is None:
            continue
        change = now.ratio / old if now.smaller_is_better else old / now.ratio
        if change > 1 + tolerance:
            lines.append(f"{now.name}, {now.peer_name}: ratio {now.ratio:.2f}, was {old:.2f}")
    return lines


def _spread(values: Sequence[float], smaller_is_better: bool) -> str:
    worst = max(values) if smaller_is_better else min(values)
    return f"{_number(statistics.median(values))} [{_number(worst)}]"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _goal(goal: float | None, smaller_is_better: bool) -> str:
    if goal is None:
        return ""
    return f"{'<=' if smaller_is_better else '>='} {goal:.2g}"


def _plot(comparisons: Sequence[Comparison], target: Path) -> None:
    try:
        import matplotlib as mpl
    except ImportError:
        return
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 0.5 * len(comparisons) + 1.5))
    names = [f"{c.name}\nvs {c.peer_name}" for c in comparisons]
    # All bars grow with quality: a ratio where smaller is better is shown as its inverse.
    gains = [1 / c.ratio if c.smaller_is_better else c.ratio for c in comparisons]
    axes.barh(names, gains, color="tab:blue")
    for row, c in enumerate(comparisons):
        for goal, colour in ((c.floor, "tab:red"), (c.aim, "tab:green")):
            if goal is not None:
                mark = 1 / goal if c.smaller_is_better else goal
                axes.plot([mark, mark], [row - 0.4, row + 0.4], color=colour)
    axes.axvline(1.0, color="grey", linewidth=0.8)
    axes.set_xlabel("times better than the peer; red: floor, green: aim")
    axes.tick_params(axis="y", labelsize=7)
    axes.invert_yaxis()
    figure.tight_layout()
    figure.savefig(target, dpi=120)
    plt.close(figure)
