"""A program that trades at Futu is killed: no order is forgotten or doubled, no fill untold.

Of its orders Futu knows the remark, by which the next run finds them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.kill_child import LINE_POINTS
from tests.faults.kill_line import LineKill
from tests.support.futu_house import LOT, standing

pytestmark = pytest.mark.no_cover  # whoever is killed tells nobody what he covered

EVERY_DAY = 2
"""Of the points; the others are for long runs."""
SEEDS = [
    pytest.param(seed, marks=[pytest.mark.slow] if seed >= EVERY_DAY else [])
    for seed in range(len(LINE_POINTS))
]


@pytest.mark.timeout(90)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_killed_program_at_futu_accounts_for_every_order(
    tmp_path: Path, seed: int, request: pytest.FixtureRequest
) -> None:
    """F90: whatever it was doing: after the restart it knows all, and nothing was sent twice."""
    point = LINE_POINTS[seed]
    request.node.user_properties.append(("seed and point", f"{seed}: {point}"))
    with standing() as house:
        LineKill(house, "FUTU", tmp_path, seed, LOT).play(point)
