"""The lanes of the market: what is kept, what gives way, and that it is counted."""

import pytest

from foxtrot.core.lanes import BoundedLane, LatestLane, pop
from foxtrot.model.constants import Exchange
from foxtrot.model.objects import Source, TickData
from tests.support.clock import ManualClock
from tests.support.engine import tick, trade


@pytest.fixture
def clock() -> ManualClock:
    """Time that stands still."""
    return ManualClock(monotonic=0.0)


@pytest.fixture
def lane(clock: ManualClock) -> LatestLane:
    """A lane that conflates what is older than a second, or comes fourth."""
    return LatestLane(3, 1.0, clock.monotonic)


def conflated(lane: LatestLane) -> list[object]:
    """All that the lane holds, conflated."""
    return [lane.next_conflated().data for _ in range(lane.fold())]


def test_a_bounded_lane_keeps_the_newest() -> None:
    """Past the limit each new event pushes the oldest out, and says so."""
    lane = BoundedLane(2)
    assert [lane.put(trade(number)) for number in range(4)] == [False, False, True, True]
    assert [event.data for event in lane.queue] == [2, 3]
    assert lane.dropped == 2


def test_what_is_young_is_taken_one_by_one(lane: LatestLane, clock: ManualClock) -> None:
    """Events put since the last look may be taken as they are, until they have grown old."""
    lane.put(tick(1))
    lane.put(tick(2))
    clock.advance(0.9)
    assert lane.fresh(clock.monotonic()) == 2
    assert lane.stale_at == 1.0
    clock.advance(0.2)
    assert lane.fresh(clock.monotonic()) == 0


def test_what_comes_after_a_look_is_as_young_as_the_look(
    lane: LatestLane, clock: ManualClock
) -> None:
    """The age of an event counts from the look before it at the earliest."""
    lane.put(tick(1))
    clock.advance(0.9)
    lane.fresh(clock.monotonic())
    lane.put(tick(2))
    assert lane.queue.popleft().data == 1
    lane.fresh_left -= 1
    clock.advance(0.9)
    assert lane.fresh(clock.monotonic()) == 1
    assert lane.stale_at == pytest.approx(1.9)


def test_a_rest_makes_what_follows_young(lane: LatestLane, clock: ManualClock) -> None:
    """After an idle hour the next event is not an hour old."""
    clock.advance(3600.0)
    lane.mark = clock.monotonic()
    lane.put(tick(1))
    assert lane.fresh(clock.monotonic()) == 1


def test_folding_keeps_the_oldest_place_and_the_newest_value(lane: LatestLane) -> None:
    """A symbol is served where its oldest event stood, with its newest value."""
    for data, topic in ((1, "A"), (2, "B"), (3, "A")):
        lane.put(tick(data, topic))
    assert conflated(lane) == [3, 2]
    assert lane.conflated == 1


def test_the_newest_finds_its_place_while_older_ones_are_served(lane: LatestLane) -> None:
    """An event that comes while the backlog is served replaces the one of its symbol."""
    lane.put(tick(1, "A"))
    lane.put(tick(2, "B"))
    assert lane.fold() == 2
    assert lane.next_conflated().data == 1
    lane.put(tick(3, "B"))
    assert lane.next_conflated().data == 3
    with pytest.raises(LookupError):
        lane.next_conflated()


def test_past_the_limit_producers_conflate_themselves(lane: LatestLane) -> None:
    """Nothing is added but one event per symbol while the queue is at its limit."""
    for number in range(100):
        lane.put(tick(number, "AB"[number % 2]))
    assert (len(lane.queue), len(lane.spill), len(lane)) == (3, 2, 5)
    assert conflated(lane) == [98, 99]
    assert lane.conflated == 98


def test_the_market_of_two_adapters_is_never_mixed() -> None:
    """An exchange and its testnet have the same symbols: each keeps its newest, at every limit."""
    both = [Source.of("A", Exchange.BINANCE, name) for name in ("LIVE", "TESTNET")]
    for limit in (1, 100):
        lane = LatestLane(limit, 1.0, ManualClock(monotonic=0.0).monotonic)
        ticks = [TickData(source, number, 0) for number in range(3) for source in both]
        for each in ticks:
            lane.put(tick(each, each.vt_symbol))
        assert conflated(lane)[-2:] == ticks[-2:]


def test_clearing_counts_what_is_lost(lane: LatestLane) -> None:
    """What is thrown away at the end is counted once, wherever it waited."""
    for number in range(4):
        lane.put(tick(number, str(number)))
    lane.fold()
    for number in range(4):
        lane.put(tick(number, "again"))
    assert lane.clear() == 8 - lane.conflated
    assert len(lane) == 0


def test_pop_gives_nothing_where_nothing_is() -> None:
    """Two threads may empty one queue."""
    lane = BoundedLane(1)
    lane.put(trade(1))
    assert pop(lane.queue) is not None
    assert pop(lane.queue) is None
