"""What of the frames is not told: the old, the impossible, and books that cannot be right."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from foxtrot.adapter.binance import mapping
from foxtrot.model.objects import DepthData, TickData
from tests.support.binance_frames import AT_MS, Routed, candle, day, depth, quote, snapshot, trade

# -- never older ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("new", "same", "old"),
    [
        (quote(5), quote(5), quote(4)),
        (day(AT_MS + 5), None, day(AT_MS + 4)),
        (trade(5), trade(5), trade(4)),
        (candle(AT_MS + 5), candle(AT_MS + 5), candle(AT_MS + 4)),
    ],
    ids=["quote", "day", "trade", "bar"],
)
def test_nothing_is_told_twice_or_out_of_order(
    routed: Routed, new: bytes, same: bytes | None, old: bytes, clock: object
) -> None:
    """What is older, or a duplicate, is counted as stale."""
    routed(new)
    if same is not None:
        routed(same)
    routed(old)
    assert len(routed.events) == 1
    assert routed.counts == {"stale": 1 + (same is not None)}


@pytest.mark.parametrize("make", [quote, trade], ids=["quote", "trade"])
def test_a_venue_that_counts_anew_is_believed_after_two_seconds(
    routed: Routed, make: Callable[[int], bytes], clock: Callable[[float], None]
) -> None:
    """A restart may reset its numbers; without this the stream would be dead for good."""
    routed(make(1_000))
    for number in range(1, 6):
        routed(make(number))
    assert len(routed.events) == 1
    clock(1.9)
    routed(make(6))
    assert len(routed.events) == 1
    clock(0.2)
    routed(make(7))
    routed(make(8))
    assert len(routed.events) == 3
    routed(make(8))
    assert routed.counts == {"stale": 7}


def test_something_newer_ends_the_doubt(routed: Routed, clock: Callable[[float], None]) -> None:
    """A single old frame long ago does not let another old one in."""
    routed(quote(1_000))
    routed(quote(5))
    routed(quote(1_001))
    clock(10.0)
    routed(quote(6))
    routed(quote(7))
    assert routed.counts == {"stale": 3}


# -- the gate ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "bad", "good"),
    [
        ("crossed", quote(2, "102.0", "101.0"), quote(3)),
        ("zero", quote(2, "0"), quote(3)),
        ("negative", quote(2, "-1"), quote(3)),
        ("huge", quote(2, ask="1e13"), quote(3)),
        ("volume", quote(2, B="-1"), quote(3)),
        ("day", day(c="0"), day(AT_MS + 1)),
        ("day time", day(10**18), day(AT_MS + 1)),
        ("trade", trade(2, p="0"), trade(3)),
        ("trade time", trade(2, T=0), trade(3)),
        ("bar", candle(h="0"), candle(AT_MS + 1)),
        ("bar time", candle(t=0), candle(AT_MS + 1)),
    ],
)
def test_numbers_that_cannot_be_are_rejected_and_the_next_are_told(
    routed: Routed, kind: str, bad: bytes, good: bytes
) -> None:
    """A bad number never reaches a strategy, and moves no mark."""
    routed(bad)
    assert routed.events == []
    assert routed.counts == {"rejected": 1}
    routed(good)
    assert len(routed.events) == 1


@pytest.mark.parametrize("spelt", ["NaN", "Infinity", "1e400", "\uff11", "", " 5 ", "1_0"])
@pytest.mark.parametrize("make", ["b", "c", "p"])
def test_what_is_no_number_never_becomes_a_price(routed: Routed, make: str, spelt: str) -> None:
    """Rejected by the gate or malformed to the decoder: told it is not."""
    frames = {"b": quote(1, spelt), "c": day(c=spelt), "p": trade(1, p=spelt)}
    routed(frames[make])
    assert routed.events == []
    assert sum(routed.counts.values()) == 1
    assert set(routed.counts) <= {"rejected", "malformed"}


def test_a_rejected_quote_is_logged_once_per_episode(
    routed: Routed, caplog: pytest.LogCaptureFixture
) -> None:
    """A thousand bad quotes are two lines: the first bad one, and the first good one after."""
    with caplog.at_level("INFO", logger="foxtrot"):
        for episode in (1_000, 2_000):
            for number in range(episode, episode + 50):
                routed(quote(number, "102.0"))
            routed(quote(episode + 99))
    lines = [record.getMessage() for record in caplog.records]
    assert lines == 2 * [
        "numbers_rejected venue=BINANCE symbol=BTCUSDT what=quote reason=crossed: bid above ask",
        "numbers_believed_again venue=BINANCE symbol=BTCUSDT what=quote rejected=50",
    ]
    assert routed.counts == {"rejected": 100}


# -- books ------------------------------------------------------------------------------------


def test_a_market_that_leaves_the_snapshot_asks_for_another(routed: Routed) -> None:
    """Of the levels beyond it only those that changed since are known: they are not told as all."""
    bids = [(100.0 - n, 1.0) for n in range(20)]
    asks = [(101.0 + n, 1.0) for n in range(20)]
    assert routed.router.snapshot("BTCUSDT", mapping.DepthSnapshot(9, bids, asks), asked=20)
    events = len(routed.events)
    routed(depth(10, 10, "100.0", "0"))
    assert (len(routed.events), routed.gaps) == (events, ["BTCUSDT"])
    assert routed.counts == {"held": 1}
    bids.append((80.0, 500.0))
    assert routed.router.snapshot("BTCUSDT", mapping.DepthSnapshot(9, bids, asks), asked=21)
    assert isinstance(routed.last, DepthData)
    assert routed.last.bids == tuple(bids[1:])


def test_a_gap_asks_for_a_snapshot_and_hides_the_levels(routed: Routed) -> None:
    """A book that misses a difference is not shown, neither by itself nor on a tick."""
    routed.router.snapshot("BTCUSDT", snapshot(10))
    routed(depth(12, 12))
    assert routed.gaps == ["BTCUSDT"]
    routed(quote(1))
    assert isinstance(routed.last, TickData)
    assert (routed.last.bids, routed.last.asks) == ((), ())
    assert routed.router.levels("BTCUSDT", 5) is None
    assert routed.router.snapshot("BTCUSDT", snapshot(12))
    routed(depth(13, 13))
    assert routed.router.levels("BTCUSDT", 1) == (((100.0, 1.0),), ((101.0, 2.0),))


def test_a_crossed_book_is_thrown_away(routed: Routed) -> None:
    """It cannot be right: rejected, and fetched anew."""
    routed.router.snapshot("BTCUSDT", snapshot(10))
    told = len(routed.events)
    routed(depth(11, 11, "101.5"))
    assert len(routed.events) == told
    assert (routed.gaps, routed.counts) == (["BTCUSDT"], {"rejected": 1})


def test_a_difference_that_is_in_the_snapshot_is_stale(routed: Routed) -> None:
    """It is told already."""
    routed.router.snapshot("BTCUSDT", snapshot(10))
    routed(depth(9, 10))
    assert routed.counts == {"stale": 1}


def test_a_snapshot_with_bad_numbers_is_refused(routed: Routed) -> None:
    """Another one is asked for."""
    bad = mapping.DepthSnapshot(10, [(-1.0, 5.0)], [])
    assert not routed.router.snapshot("BTCUSDT", bad)
    assert routed.events == []


def test_a_snapshot_nobody_wants_any_more_is_no_trouble(routed: Routed) -> None:
    """It was on its way while the stream was given back."""
    routed.router.depths.clear()
    assert routed.router.snapshot("BTCUSDT", snapshot(10))
    assert routed.events == []
