"""Whatever befalls orders: in the end foxtrot and the venue say the same of every one of them.

Virtual time: desk, guard, journal (a real file), tracker, reconciler and supervisor are real;
threads, sockets and SDKs are not in it. `./scripts/faults --orders --seed S` plays one again.
"""

import logging
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.__main__ import main
from tests.faults.order_mutants import ORDER_MUTANTS
from tests.faults.order_play import LEAST_ORDERS, play_orders, repeat_orders, shortest_orders
from tests.faults.order_schedules import Deed, order_schedule
from tests.support.fault_table import Cells, note, table
from tests.support.order_faults import REACHABLE, Trouble

pytestmark = pytest.mark.no_cover  # it runs through the same lines a thousand times

ROOT = Path(__file__).parents[2]
COUNT = int(os.environ.get("FOXTROT_SCHEDULES", "1000"))
PARTS = 2
ENOUGH = 500
"""So many schedules hold every fault in every state in which it can strike."""
LONG_COUNT, LONG_PARTS, LONG_FIRST = 10_000, 10, 1_000_000
CAUGHT_WITHIN = 300
EVERYDAY_MUTANTS = ("unknown_is_empty", "sent_again_under_another_name")
WAIT_S = 60.0


@pytest.fixture(autouse=True)
def silent() -> Iterator[None]:
    """A thousand outages are not logged."""
    log = logging.getLogger("foxtrot")
    before = log.level
    log.setLevel(logging.CRITICAL + 1)
    yield
    log.setLevel(before)


def check(seeds: range, request: pytest.FixtureRequest) -> None:
    """Play the schedules; the first that fails is named, with the way to repeat it."""
    cells: Cells = Counter()
    tame: list[int] = []
    for seed in seeds:
        outcome = play_orders(seed)
        cells.update(outcome.cells)
        if outcome.problems:
            told, again = (
                "\n".join(outcome.problems[:10]),
                repeat_orders(seed, shortest_orders(seed)),
            )
            pytest.fail(f"{told}\nto repeat: {again}", pytrace=False)
        assert outcome.orders >= LEAST_ORDERS, repeat_orders(seed, None)
        if outcome.faults < 3 or outcome.in_flight * 2 < outcome.faults:
            tame.append(seed)
    # Dice decide what is in flight when a fault strikes: five in a thousand may have too little.
    assert len(tame) * 200 <= len(seeds), f"fewer than three faults, or half in flight: {tame}"
    note(request.node, "in virtual time", cells)
    missed = sorted(cell for cell in REACHABLE if not cells[cell])
    assert len(seeds) < ENOUGH or not missed, f"{missed} in\n{table(cells)}"


@pytest.mark.timeout(240)
@pytest.mark.parametrize("part", range(PARTS))
def test_no_order_is_lost_doubled_or_lied_about(part: int, request: pytest.FixtureRequest) -> None:
    """After any faults: fills told once, sums, ends, open orders and positions are the venue's."""
    check(range(COUNT * part // PARTS, COUNT * (part + 1) // PARTS), request)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(LONG_PARTS))
def test_no_order_is_lost_in_ten_thousand_schedules(
    part: int, request: pytest.FixtureRequest
) -> None:
    """The promise holds for schedules that nobody has looked at."""
    size = LONG_COUNT // LONG_PARTS
    check(range(LONG_FIRST + part * size, LONG_FIRST + (part + 1) * size), request)


def test_the_schedules_hold_every_fault_and_every_deed() -> None:
    """No way in which orders go wrong is left out, nor anything that a user does with them."""
    plans = [order_schedule(seed) for seed in range(200)]
    assert {fault.kind for plan in plans for fault in plan.faults} == set(Trouble)
    assert {move.deed for plan in plans for move in plan.moves} == set(Deed)
    assert {plan.pushes for plan in plans} == {plan.names_fills for plan in plans} == {True, False}


def test_a_seed_gives_the_same_trace_of_orders_again() -> None:
    """What a seed does it does again, though each journal has a prefix of its own."""
    for seed in range(20):
        first, again = play_orders(seed), play_orders(seed)
        assert first.trace
        assert first.trace == again.trace, repeat_orders(seed, None)


def test_a_seed_gives_the_same_trace_of_orders_in_another_process() -> None:
    """A seed that failed elsewhere fails here, whatever the order of sets and dicts there."""
    command = [sys.executable, "-m", "tests.faults", "--orders", "--seed", "0x20", "--count", "20"]
    said = [
        subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            timeout=WAIT_S,
        ).stdout
        for seed in ("1", "2")
    ]
    assert b"20 schedules played, 0 failed" in said[0]
    assert said[0] == said[1]


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "name",
    [
        name if name in EVERYDAY_MUTANTS else pytest.param(name, marks=pytest.mark.slow)
        for name in ORDER_MUTANTS
    ],
)
def test_a_break_of_the_order_path_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The schedules notice when what orders pass through is broken on purpose."""
    ORDER_MUTANTS[name](monkeypatch)
    assert any(play_orders(seed).problems for seed in range(CAUGHT_WITHIN))


@pytest.mark.timeout(120)
def test_a_failure_of_orders_is_cut_down_and_can_be_repeated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failed schedule is told with the least number of faults that makes it fail."""
    ORDER_MUTANTS["one_absence_is_enough"](monkeypatch)
    seed = next(seed for seed in range(CAUGHT_WITHIN) if play_orders(seed).problems)
    least = shortest_orders(seed)
    assert least
    assert main(["--orders", "--seed", str(seed)]) == 1
    again = f"to repeat: scripts/faults --orders --seed {seed} --upto {least}\n"
    assert again in capsys.readouterr().out
    assert main(["--orders", "--seed", str(seed), "--upto", str(least - 1)]) == 0
