"""A program that trades at TWS or OpenD is killed: no order is lost or doubled, no fill untold.

The client id of the dead program is free again when TWS has seen its line end, and its orders are
there only for that id. Of its orders Futu knows the remark, by which the next run finds them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.kill_child import LINE_POINTS
from tests.faults.kill_line import LineKill
from tests.support.socket_houses import HOMES

pytestmark = pytest.mark.no_cover  # whoever is killed tells nobody what he covered

EVERY_DAY = 2
"""Of the points; the others are for long runs."""
SEEDS = [
    pytest.param(seed, marks=[pytest.mark.slow] if seed >= EVERY_DAY else [])
    for seed in range(len(LINE_POINTS))
]


@pytest.mark.timeout(90)
@pytest.mark.parametrize("venue", HOMES)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_killed_program_accounts_for_every_order(
    tmp_path: Path, venue: str, seed: int, request: pytest.FixtureRequest
) -> None:
    """F90: whatever it was doing: after the restart it knows all, and nothing was sent twice."""
    home, point = HOMES[venue], LINE_POINTS[seed]
    request.node.user_properties.append(("seed and point", f"{seed}: {point}"))
    with home.standing() as house:
        LineKill(house, venue.upper(), tmp_path, seed, home.LOT).play(point)
