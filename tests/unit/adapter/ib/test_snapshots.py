"""The rows of a snapshot as one picture of a market."""

from __future__ import annotations

from foxtrot.adapter.ib.snapshots import Snapshot
from tests.support.ib_feed import AT_S, SOURCE


def test_a_snapshot_is_a_tick() -> None:
    """Quote, last trade with its time, and the day."""
    rows = [
        (1, 10.0, 5.0), (0, 5.0), (2, 11.0, 7.0), (4, 10.5, 3.0), (5, 4.0), (45, str(AT_S)),
        (8, 900.0), (9, 9.9, 0.0), (6, 12.0, 0.0), (49, 0.0), (48, "10.5;3;0"),
    ]  # fmt: skip
    tick = Snapshot(rows, 0.0).tick(SOURCE, 1)
    assert (tick.bid_price_1, tick.ask_volume_1, tick.last_volume) == (10.0, 7.0, 4.0)
    assert (tick.volume, tick.pre_close, tick.high_price) == (900.0, 9.9, 12.0)
    assert tick.ts_event_ns == AT_S * 10**9


def test_a_snapshot_of_nothing_says_nothing() -> None:
    """TWS ends it after eleven seconds, without a row."""
    assert not Snapshot([], 0.0)
    assert Snapshot([], 0.0).quoted((1.0, 2.0, 3.0, 4.0, 5.0, 6.0)) == (
        1.0,
        2.0,
        3.0,
        4.0,
        5.0,
        6.0,
    )


def test_a_side_that_is_gone_is_empty() -> None:
    """-1 without a size is no bid; a last price that is not there leaves the one that was told."""
    told = (10.0, 5.0, 11.0, 7.0, 10.5, 3.0)
    snapshot = Snapshot([(1, -1.0, 0.0), (4, -1.0, 0.0)], 0.0)
    assert snapshot.quoted(told) == (0.0, 0.0, 11.0, 7.0, 10.5, 3.0)
    assert snapshot.bad == ""


def test_numbers_that_cannot_be_true_are_named() -> None:
    """One of them spoils the whole picture."""
    assert Snapshot([(1, -3.0, 1.0)], 0.0).bad == "price out of range"
    assert Snapshot([(1, -3.0, 1.0)], -1e12).bad == ""
    assert Snapshot([(0, float("nan"))], 0.0).bad == "volume out of range"
