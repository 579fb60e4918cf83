"""All venues in one engine, all in trouble at once: in the end the books agree, and all is well.

`./scripts/faults --storm --venue all --seed S` plays one again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from foxtrot.adapter.futu.schema import sdk
from tests.faults.storm import SUFFERINGS, Do, storm
from tests.faults.storm_play import play_storm
from tests.support.lines import VENUES

SEEDS, LONG_FIRST, LONG_COUNT = 4, 1_000, 60
HOLDS_ALL = 20


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    """The network thread of Futu's SDK lives as long as the process: it is there before all."""
    sdk()


@pytest.fixture(autouse=True)
def silent() -> Iterator[None]:
    """Some hundred outages are not logged."""
    names = ("foxtrot", "aiohttp", "asyncio")
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_after_a_storm_over_all_venues_the_books_agree(seed: int) -> None:
    """The eleven invariants hold at each venue, whatever the others go through."""
    report = play_storm(VENUES, seed)
    assert not report.problem, report.text


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(LONG_FIRST, LONG_FIRST + LONG_COUNT))
def test_after_any_storm_the_books_agree(seed: int) -> None:
    """The promise holds for storms that nobody has looked at."""
    report = play_storm(VENUES, seed)
    assert not report.problem, report.text


@pytest.mark.parametrize("venue", VENUES)
def test_twenty_storms_hold_every_fault_of_a_venue(venue: str) -> None:
    """None is left out, and orders, hand-made ones too, and subscriptions are in each."""
    plans = [storm(seed, VENUES) for seed in range(HOLDS_ALL)]
    met = {repr(fault.what) for plan in plans for fault in plan.faults if fault.venue == venue}
    assert met == {repr(each) for each in SUFFERINGS[venue]}
    for plan in plans:
        does = {act.do for act in plan.acts if act.venue == venue}
        assert {Do.REST, Do.CROSS, Do.WANT, Do.PLACE_BY_HAND} <= does


def test_a_seed_gives_the_same_storm_again() -> None:
    """And the same at one venue alone as beside the others."""
    both, alone = storm(7, VENUES), storm(7, ("ib",))
    assert both == storm(7, VENUES)
    assert [fault for fault in both.faults if fault.venue == "ib"] == list(alone.faults)
