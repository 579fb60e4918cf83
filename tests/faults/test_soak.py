"""A minute of pushes, orders and faults at all venues at once, five times as fast; then the end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.no_cover  # it measures

MINUTES, EVERY_S = "0.2", "1"
SEED = "7"
LONGEST_S = 110.0
ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(120)
def test_a_minute_of_faults_leaves_nothing_behind(tmp_path: Path) -> None:
    """Each is followed by recovery; memory, threads, tasks and descriptors are flat; it exits."""
    scale = ("--minutes", MINUTES, "--every", EVERY_S, "--scaled", "--seed", SEED)
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak", *scale, "--out", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    for venue in ("BINANCE", "IB", "FUTU"):
        assert f"{venue}: " in done.stdout
    drawn = {path.name for path in tmp_path.glob("*.png")}
    assert drawn == {f"soak-{each}.png" for each in ("memory", "threads", "tasks", "descriptors")}
