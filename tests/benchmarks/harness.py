"""Measures two things side by side: interleaved rounds, medians, and the ratio of each round.

Absolute numbers move from machine to machine and from run to run; ratios measured in one run hold.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import importlib
import json
import math
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TypeVar

R = TypeVar("R")


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One figure of ours against the same figure of a peer, round by round.

    `floor` and `aim` are ratios ours / peer; where `smaller_is_better`, they are upper limits.
    `curve` is the curve that it is a point of, and where: curves are drawn beside the ratios.
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
    curve: tuple[str, float] | None = None

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
            _number(c.ratio),
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
    """Write results.json, and results.png and curves.png where matplotlib is installed."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "results.json"
    content = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "comparisons": [c.to_json() for c in comparisons],
    }
    target.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    with contextlib.suppress(ImportError):
        _plot(comparisons, folder / "results.png")
        _plot_curves([c for c in comparisons if c.curve], folder / "curves.png")
    return target


def store(comparisons: Sequence[Comparison], target: Path) -> None:
    """Keep the ratios in `target`, beside those of suites that did not run this time."""
    kept: dict[tuple[str, str], dict[str, object]] = {}
    if target.is_file():
        before = json.loads(target.read_text(encoding="utf-8"))["comparisons"]
        kept = {(c["name"], c["peer_name"]): c for c in before}
    for c in comparisons:
        ratio = float(f"{c.ratio:.3g}")
        kept[c.name, c.peer_name] = {"name": c.name, "peer_name": c.peer_name, "ratio": ratio}
    content = {"comparisons": list(kept.values())}
    target.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def regressions(comparisons: Sequence[Comparison], stored: Path, tolerance: float) -> list[str]:
    """Ratios that are worse than the stored ones by more than `tolerance`, as lines of text."""
    before = _stored_ratios(stored)
    lines = []
    for now in comparisons:
        old = before.get((now.name, now.peer_name))
        if old is None:
            continue
        change = now.ratio / old if now.smaller_is_better else old / now.ratio
        if change > 1 + tolerance:
            lines.append(f"{now.name}, {now.peer_name}: ratio {now.ratio:.2f}, was {old:.2f}")
    return lines


def unknown(comparisons: Sequence[Comparison], stored: Path) -> list[str]:
    """Figures that `stored` has nothing about, as lines of text."""
    before = _stored_ratios(stored)
    return [f"{c.name}, {c.peer_name}" for c in comparisons if (c.name, c.peer_name) not in before]


def _stored_ratios(stored: Path) -> dict[tuple[str, str], float]:
    kept = json.loads(stored.read_text(encoding="utf-8"))["comparisons"]
    return {(c["name"], c["peer_name"]): c["ratio"] for c in kept}


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
    plt = _pyplot()
    figure, axes = plt.subplots(figsize=(9, 0.5 * len(comparisons) + 1.5))
    names = [f"{c.name}\nvs {c.peer_name}" for c in comparisons]
    # All bars grow with quality: a ratio where smaller is better is shown as its inverse.
    gains = [1 / c.ratio if c.smaller_is_better else c.ratio for c in comparisons]
    axes.barh(names, [gain - 1 for gain in gains], left=1, color="tab:blue")
    axes.set_xscale("log")
    for row, c in enumerate(comparisons):
        for goal, colour in ((c.floor, "tab:red"), (c.aim, "tab:green")):
            if goal is not None:
                mark = 1 / goal if c.smaller_is_better else goal
                axes.plot([mark, mark], [row - 0.4, row + 0.4], color=colour)
    axes.axvline(1.0, color="grey", linewidth=0.8)
    axes.set_xlabel("times better than the peer; red: floor, green: aim")
    axes.tick_params(axis="y", labelsize=7)
    axes.set_ylim(len(names) - 0.5, -0.5)
    figure.tight_layout()
    figure.savefig(target, dpi=120)
    plt.close(figure)


def _plot_curves(points: Sequence[Comparison], target: Path) -> None:
    names = list(dict.fromkeys(point.curve[0] for point in points if point.curve))
    if not names:
        return
    plt = _pyplot()
    figure, grid = plt.subplots(1, len(names), figsize=(4 * len(names), 3.5), squeeze=False)
    for axes, name in zip(grid[0], names, strict=True):
        row = [point for point in points if point.curve and point.curve[0] == name]
        at = [point.curve[1] for point in row if point.curve]
        axes.semilogx(at, [statistics.median(p.ours) for p in row], "o-", label="foxtrot")
        axes.semilogx(at, [statistics.median(p.peer) for p in row], "o--", label=row[0].peer_name)
        axes.set_title(name, fontsize=9)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("streams")
        axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(target, dpi=120)
    plt.close(figure)


def _pyplot() -> ModuleType:
    """matplotlib without a screen.

    Raises:
        ImportError: It is not installed.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    return importlib.import_module("matplotlib.pyplot")
