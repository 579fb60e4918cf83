"""A picture of each gauge over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.soak.gauges import ALLOWED, Sample

_UNITS = {"memory_mib": "memory (MiB)"}


def plot(samples: Sequence[Sample], directory: Path, title: str) -> list[Path]:
    """Draw one PNG for each gauge; dots are the quiet moments, which are judged."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    quiet = [each for each in samples if each.quiet]
    for gauge in ALLOWED:
        figure, axes = pyplot.subplots(figsize=(9, 4))
        axes.plot(
            [each.at_s / 60 for each in samples],
            [getattr(each, gauge) for each in samples],
            linewidth=0.8, color="0.6", label="every second",
        )  # fmt: skip
        axes.plot(
            [each.at_s / 60 for each in quiet],
            [getattr(each, gauge) for each in quiet],
            ".", markersize=4, label="quiet moments",
        )  # fmt: skip
        axes.set(xlabel="minutes", ylabel=_UNITS.get(gauge, gauge), title=title)
        axes.set_ylim(bottom=0)
        axes.grid(visible=True, alpha=0.3)
        axes.legend(loc="lower right")
        figure.tight_layout()
        paths.append(directory / f"soak-{gauge.removesuffix('_mib')}.png")
        figure.savefig(paths[-1], dpi=100)
        pyplot.close(figure)
    return paths
