"""A program that trades at IB is killed: no order is forgotten or doubled, no fill untold.

Real processes, SDK and journal; the gateway goes on meanwhile. The client id of the dead program is
free again when TWS has seen its line end, and its orders are there only for that id.
"""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from foxtrot.execution.reports import OrderState
from foxtrot.model.constants import Status
from tests.faults.kill_child import IB_POINTS, TRADED, Errand
from tests.faults.kill_play import WAIT_S, Child, read_journal
from tests.support.ib_house import AAPL, House, standing
from tests.support.rig import eventually

EVERY_DAY = 2
"""Of the points; the others are for long runs."""
SEEDS = [
    pytest.param(seed, marks=[pytest.mark.slow] if seed >= EVERY_DAY else [])
    for seed in range(len(IB_POINTS))
]
_GRACE_S = 0.5
_TURN_S = 0.01


@pytest.fixture
def house() -> Iterator[House]:
    """A gateway that outlives its clients."""
    with standing() as house:
        yield house


@pytest.mark.timeout(90)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_killed_program_at_ib_accounts_for_every_order(
    house: House, tmp_path: Path, seed: int, request: pytest.FixtureRequest
) -> None:
    """F90: whatever it was doing: after the restart it knows all, and nothing was sent twice."""
    dice, point = random.Random(f"ib kill {seed}"), IB_POINTS[seed]
    request.node.user_properties.append(("seed and point", f"{seed}: {point}"))
    with ExitStack() as stack:
        first = start(house, tmp_path, dice, stack, point=point, acts=20)
        live_and_die(house, first, dice)
        by_hand = f"ext-{be_absent(house, dice)}"
        last = start(house, tmp_path, dice, stack, acts=0)
        eventually(lambda: last.said(TRADED) or last.dead, "it is ready again", WAIT_S)
        eventually(lambda: not doubts(last), "nothing is in doubt", WAIT_S)
        last.look()  # who is in doubt may be anybody's order: now it is known whose it is
        agree(house, last)
        assert by_hand in last.told.last
        assert told_twice(house, first) == told_twice(house, last) == []
        assert set(house.received().values()) <= {1}
        before = [each for each in house.held() if each.open]
        last.end(signal.SIGTERM)
        assert last.process.returncode == 0, last.errors.decode()
        assert [each for each in house.held() if each.open] == before
    assert unwritten(house, tmp_path) == []


def start(
    house: House,
    directory: Path,
    dice: random.Random,
    stack: ExitStack,
    *,
    point: str = "",
    acts: int,
) -> Child:
    """One life of the program."""
    errand = Errand(
        "",
        "",
        str(directory),
        dice.randrange(1_000_000),
        {symbol: house.newest(symbol)[0] for symbol in house.symbols},
        acts=acts,
        point=point,
        passes=dice.randint(2, 8),
        venue="IB",
        port=house.sim.port,
        grace_s=_GRACE_S,
    )
    child = Child(errand)
    stack.callback(child.close)
    return child


def live_and_die(house: House, child: Child, dice: random.Random) -> None:
    """Other hands move the market and fill orders until it dies; at rest, if it comes through."""
    pause, deadline = threading.Event(), time.monotonic() + WAIT_S
    while not child.dead and not child.said(TRADED) and time.monotonic() < deadline:
        pause.wait(_TURN_S)
        house.move(dice.choice(house.symbols))
        if dice.random() < 0.1:
            fill_one(house, dice)
    child.end(signal.SIGKILL)
    assert child.process.returncode == -signal.SIGKILL, child.errors.decode()
    eventually(lambda: not house.sim.connections, "TWS has seen its lines end")


def be_absent(house: House, dice: random.Random) -> str:
    """Other hands, while it is dead: orders fill, one ends, and one is placed."""
    for _ in range(2):
        fill_one(house, dice)
    still = [each.orderid for each in house.held() if each.open and each.orderid]
    if still:
        house.end(dice.choice(still))
    return house.place_by_hand(AAPL, 1.0, house.resting_price(AAPL))


def fill_one(house: House, dice: random.Random) -> None:
    """Fill an order of the program's."""
    resting = [each.orderid for each in house.held() if each.open and each.orderid]
    if resting:
        house.fill(dice.choice(resting))


def agree(house: House, child: Child) -> None:
    """Wait until a life believes what is so."""
    with suppress(AssertionError):
        eventually(lambda: not unlike(house, child), "both sides agree", WAIT_S)
    assert unlike(house, child) == [], child.errors.decode()


def unlike(house: House, child: Child) -> list[str]:
    """What a life believes that is not so."""
    last = child.told.last
    active = {name for name, order in last.items() if order.is_active()}
    held = {each.orderid or f"ext-{each.venue_id}": each for each in house.held()}
    there = {name for name, each in held.items() if each.open}
    shown = [name for name in active & there if last[name].traded != held[name].traded]
    return [*(active ^ there), *doubts(child), *shown]


def doubts(child: Child) -> list[str]:
    """Orders of which a life does not know whether they are there."""
    last = child.told.last
    return [name for name, order in last.items() if order.status is Status.SUBMITTING]


def told_twice(house: House, child: Child) -> list[str]:
    """Fills that a life told more than once, or that never were."""
    there = {each.trade_id for each in house.traded()}
    told = Counter(each.tradeid for each in child.told.trades)
    return [name for name, times in told.items() if times > 1 or name not in there]


def unwritten(house: House, directory: Path) -> list[str]:
    """Differences between the journal, after all, and the gateway's books."""
    records, fills = read_journal(directory, "ib")
    found = []
    for each in house.held():
        record = records.get(each.orderid or f"ext-{each.venue_id}")
        if record is None or record.is_open != each.open or record.traded != each.traded:
            found.append(f"{each} is {record}")
    names = {each.orderid for each in house.held()}
    for name, record in records.items():
        lost = name.startswith("fx") and name not in names
        if lost and record.state is not OrderState.REJECTED:
            found.append(f"{name} is {record.state}, unknown there")
    written = Counter(fill.trade_id for fill in fills)
    if written != Counter(each.trade_id for each in house.traded()):
        found.append("the fills differ")
    return found
