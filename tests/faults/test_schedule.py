"""Whatever a venue does and the user changes, over the real client: in the end all is as wanted.

Six schedules are played at a time, on threads of their own. `./scripts/faults --venue binance
--seed S` plays one again.
"""

import logging
from collections.abc import Iterator

import pytest

from foxtrot.simulator.faults import KINDS
from tests.faults.schedules import Act
from tests.faults.venue_play import AT_ONCE, play_many
from tests.faults.venue_schedules import VOCABULARY, venue_schedule
from tests.support.binance_venue import BinanceUnderTest

COUNT, LONG_COUNT, LONG_FIRST = 30, 300, 1_000
SYMBOLS = BinanceUnderTest.symbols


@pytest.fixture(autouse=True)
def silent() -> Iterator[None]:
    """Some hundred outages are not logged."""
    log = logging.getLogger("foxtrot")
    before = log.level
    log.setLevel(logging.CRITICAL + 1)
    yield
    log.setLevel(before)


def check(first: int) -> None:
    """Play as many schedules as go at a time; those that fail are told with all that happened."""
    reports = play_many("binance", range(first, first + AT_ONCE))
    failed = [report for report in reports if report.problem]
    assert not failed, "\n".join(report.text for report in failed)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("first", range(0, COUNT, AT_ONCE))
def test_a_venue_that_misbehaved_is_served_in_full_again(first: int) -> None:
    """After any faults and changes: wanted is active, the last told is the last there is."""
    check(first)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("first", range(LONG_FIRST, LONG_FIRST + LONG_COUNT, AT_ONCE))
def test_three_hundred_schedules_end_in_full_service(first: int) -> None:
    """The promise holds for schedules that nobody has looked at."""
    check(first)


def test_the_thirty_hold_every_fault_of_the_vocabulary() -> None:
    """None of the ways in which a connection or its data can fail is left out of a run."""
    plans = [venue_schedule(seed, SYMBOLS) for seed in range(COUNT)]
    assert {fault.name for plan in plans for fault in plan.faults} == VOCABULARY
    assert set(KINDS) >= VOCABULARY


def test_a_schedule_has_three_faults_and_a_changing_set_of_subscriptions() -> None:
    """Each schedule has three faults at least; the user wants, drops and flips meanwhile."""
    for seed in (*range(COUNT), *range(LONG_FIRST, LONG_FIRST + LONG_COUNT)):
        plan = venue_schedule(seed, SYMBOLS)
        assert len(plan.faults) >= 3, seed
        assert {Act.WANT, Act.DROP, Act.FLAGS} <= {change.act for change in plan.changes}, seed


def test_a_seed_gives_the_same_schedule_again() -> None:
    """A schedule that failed can be played again from its seed alone."""
    for seed in range(COUNT):
        assert venue_schedule(seed, SYMBOLS) == venue_schedule(seed, SYMBOLS)
