"""Two connections bring the same prints for a while: each is told once, late or not."""

from __future__ import annotations

import random
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from foxtrot.model.objects import MarketTradeData
from tests.support.binance_frames import Routed, trade


def told(routed: Routed) -> list[int]:
    """The numbers of the prints, in the order in which they were told."""
    trades = [event.data for event in routed.events]
    return [int(data.tradeid) for data in trades if isinstance(data, MarketTradeData)]


def give(routed: Routed, *numbers: int) -> None:
    for number in numbers:
        routed(trade(number))


def test_a_print_that_comes_late_by_the_old_one_is_told(routed: Routed) -> None:
    """The new connection was faster; nothing is lost, nothing comes twice."""
    give(routed, 1, 2)
    routed.router.overlap(begins=True)
    give(routed, 5, 6, 3, 4, 5, 6, 3)
    assert told(routed) == [1, 2, 5, 6, 3, 4]
    assert routed.counts == {"stale": 3}


def test_what_was_told_before_the_overlap_stays_told(routed: Routed) -> None:
    """A replay on the new connection is seen through."""
    give(routed, 8, 9)
    routed.router.overlap(begins=True)
    give(routed, 7, 8, 9, 10)
    assert told(routed) == [8, 9, 10]


def test_after_the_overlap_late_is_old_again(routed: Routed) -> None:
    """With one connection its order is the order; the newest number is kept over the overlap."""
    give(routed, 1)
    routed.router.overlap(begins=True)
    give(routed, 5, 2)
    routed.router.overlap(begins=False)
    give(routed, 3, 4, 5, 6)
    assert told(routed) == [1, 5, 2, 6]


def test_a_late_print_that_cannot_be_believed_is_not_told(routed: Routed) -> None:
    """The gate is the same; its good copy by the other connection is told."""
    routed.router.overlap(begins=True)
    give(routed, 5)
    routed(trade(4).replace(b'"p":"', b'"p":"-'))
    assert routed.counts == {"rejected": 1}
    give(routed, 4)
    assert told(routed) == [5, 4]


def test_a_venue_that_counts_anew_is_believed_in_an_overlap_too(
    routed: Routed, clock: Callable[[float], None]
) -> None:
    """Low numbers for long enough are a new count, as at any other time."""
    give(routed, 1_000)
    routed.router.overlap(begins=True)
    give(routed, 1, 2)
    clock(3.0)
    give(routed, 3, 4)
    assert told(routed) == [1_000, 3, 4]


@given(st.integers(0, 2**32), st.integers(0, 30), st.integers(1, 40))
def test_two_lines_in_any_interleaving_tell_each_print_once(
    seed: int, before: int, count: int
) -> None:
    """Old and new each keep their order; however they interleave, no print is lost or doubled."""
    routed, dice = Routed(), random.Random(seed)
    give(routed, *range(1, before + 1))
    routed.router.overlap(begins=True)
    old = list(range(before + 1, before + count + 1))
    new = old[dice.randrange(count) :]
    while old or new:
        line = dice.choice([each for each in (old, new) if each])
        give(routed, line.pop(0))
    assert sorted(told(routed)) == list(range(1, before + count + 1))
