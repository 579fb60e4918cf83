"""Whatever a venue does to orders, over the real client: in the end the books agree.

Ten schedules are played at a time, on threads of their own. `./scripts/faults --orders --venue
binance --seed S` plays one again.
"""

import logging
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.faults.venue_order_play import AT_ONCE, play_orders_many
from tests.faults.venue_order_schedules import LABELS, LEAST_ORDERS, Do, order_schedule
from tests.support.binance_venue import BinanceUnderTest
from tests.support.fault_table import Cells, note

COUNT, LONG_COUNT, LONG_FIRST = 30, 300, 1_000
SYMBOLS = BinanceUnderTest.symbols


@pytest.fixture(autouse=True)
def silent() -> Iterator[None]:
    """Some hundred outages are not logged."""
    names = ("foxtrot", "aiohttp")
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def check(first: int, request: pytest.FixtureRequest) -> None:
    """Play as many schedules as go at a time; those that fail are told with all that happened."""
    reports = list(play_orders_many(range(first, first + AT_ONCE)))
    cells: Cells = Counter()
    for report in reports:
        cells.update(report.cells)
    note(request.node, "over the real client", cells)
    failed = [report for report in reports if report.problem]
    assert not failed, "\n".join(report.text for report in failed)
    assert all(report.orders >= LEAST_ORDERS for report in reports)


@pytest.mark.timeout(150)
@pytest.mark.parametrize("first", range(0, COUNT, AT_ONCE))
def test_no_order_is_lost_doubled_or_lied_about(first: int, request: pytest.FixtureRequest) -> None:
    """After any faults: each fill told once, sums, ends, open orders and balances the venue's."""
    check(first, request)


@pytest.mark.slow
@pytest.mark.timeout(150)
@pytest.mark.parametrize("first", range(LONG_FIRST, LONG_FIRST + LONG_COUNT, AT_ONCE))
def test_three_hundred_schedules_end_with_books_that_agree(
    first: int, request: pytest.FixtureRequest
) -> None:
    """The promise holds for schedules that nobody has looked at."""
    check(first, request)


def test_the_thirty_hold_every_fault_of_orders() -> None:
    """None of the ways in which an order can go wrong is left out of a run."""
    plans = [order_schedule(seed, SYMBOLS) for seed in range(COUNT)]
    assert {act.fault.label for plan in plans for act in plan.faults if act.fault} == LABELS


def test_a_schedule_has_ten_orders_and_three_faults_half_of_them_in_flight() -> None:
    """Each schedule sends, cancels, modifies, and lets other hands in; its faults hit orders."""
    for seed in (*range(COUNT), *range(LONG_FIRST, LONG_FIRST + LONG_COUNT)):
        plan = order_schedule(seed, SYMBOLS)
        does = Counter(act.do for act in plan.acts)
        in_flight = sum(act.in_flight for act in plan.faults)
        assert does[Do.PLACE] >= LEAST_ORDERS, seed
        assert {Do.CANCEL, Do.MODIFY, Do.BY_HAND, Do.FILL} <= does.keys(), seed
        assert len(plan.faults) >= 3, seed
        assert in_flight * 2 >= len(plan.faults), seed


def test_a_seed_gives_the_same_schedule_of_orders_again() -> None:
    """A schedule that failed can be played again from its seed alone."""
    for seed in range(COUNT):
        assert order_schedule(seed, SYMBOLS) == order_schedule(seed, SYMBOLS)
