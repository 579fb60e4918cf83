"""Whatever a venue does and the user changes: in the end everything is as wanted.

Virtual time: the policies, the supervisor and the feeds are real; threads, sockets and SDKs are
not in it. `FOXTROT_SCHEDULES` says how many seeds are played.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from foxtrot.model.constants import Mode
from tests.faults.__main__ import main
from tests.faults.mutants import MUTANTS
from tests.faults.play import play, repeat, shortest
from tests.faults.schedules import Act, schedule
from tests.support.model_venue import Kind

pytestmark = pytest.mark.no_cover  # it runs through the same lines a thousand times

ROOT = Path(__file__).parents[2]
PARTS = 4
COUNT = int(os.environ.get("FOXTROT_SCHEDULES", "1000"))
LONG_COUNT, LONG_PARTS = 10_000, 10
CAUGHT_WITHIN = 200
WAIT_S = 60.0


@pytest.fixture(autouse=True)
def silent() -> Iterator[None]:
    """A thousand outages are not logged."""
    log = logging.getLogger("foxtrot")
    before = log.level
    log.setLevel(logging.CRITICAL + 1)
    yield
    log.setLevel(before)


def check(seeds: range) -> None:
    """Play the schedules; the first that fails is named, with the way to repeat it."""
    for seed in seeds:
        if problems := play(seed).problems:
            told = "\n".join(problems[:10])
            pytest.fail(f"{told}\nto repeat: {repeat(seed, shortest(seed))}", pytrace=False)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("part", range(PARTS))
def test_everything_wanted_is_served_after_the_healing(part: int) -> None:
    """After any faults each wanted stream is served, once, by the right way and up to date."""
    check(range(COUNT * part // PARTS, COUNT * (part + 1) // PARTS))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(LONG_PARTS))
def test_everything_wanted_is_served_after_ten_thousand_schedules(part: int) -> None:
    """The promise holds for schedules that nobody has looked at."""
    size = LONG_COUNT // LONG_PARTS
    check(range(1_000_000 + part * size, 1_000_000 + (part + 1) * size))


def test_a_schedule_has_faults_and_a_changing_set_of_subscriptions() -> None:
    """Each schedule has three faults at least, and the user wants, drops and flips meanwhile."""
    for seed in range(200):
        plan = schedule(seed)
        acts = {move.act for move in plan.moves}
        assert len(plan.faults) >= 3, repeat(seed, None)
        assert {Act.WANT, Act.DROP, Act.FLAGS} <= acts, repeat(seed, None)
        assert max(fault.ends for fault in plan.faults) < plan.heals_at


def test_the_schedules_hold_every_fault() -> None:
    """Each kind of fault comes up, the losses of either way among them."""
    faults = [fault for seed in range(200) for fault in schedule(seed).faults]
    assert {fault.kind for fault in faults} == set(Kind)
    assert {fault.mode for fault in faults if fault.drops} == set(Mode)


def test_a_seed_gives_the_same_trace_again() -> None:
    """What a seed does it does again, event by event."""
    for seed in range(20):
        first, again = play(seed), play(seed)
        assert first.trace
        assert first.trace == again.trace, repeat(seed, None)


def test_a_seed_gives_the_same_trace_in_another_process() -> None:
    """A seed that failed elsewhere fails here, whatever the order of sets and dicts there."""
    command = [sys.executable, "-m", "tests.faults", "--seed", "0x20", "--count", "20"]
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
    assert said[0].startswith(b"20 schedules played, 0 failed")
    assert said[0] == said[1]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_break_of_the_product_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The schedules notice when a policy is broken on purpose."""
    MUTANTS[name](monkeypatch)
    assert any(play(seed).problems for seed in range(CAUGHT_WITHIN))


def test_a_failure_is_cut_down_and_can_be_repeated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failed schedule is told with the least number of faults that makes it fail."""
    MUTANTS["backoff_reset_at_connect"](monkeypatch)
    seed = next(seed for seed in range(CAUGHT_WITHIN) if play(seed).problems)
    least = shortest(seed)
    assert least
    assert not play(seed, least - 1).problems
    assert main(["--seed", str(seed)]) == 1
    assert f"to repeat: scripts/faults --seed {seed} --upto {least}\n" in capsys.readouterr().out
    assert main(["--seed", str(seed), "--upto", str(least - 1)]) == 0
