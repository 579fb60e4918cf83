"""Counters of a feed."""

from foxtrot.gateway.counters import FeedCounters


def test_everything_starts_at_nought() -> None:
    """A fresh feed has received nothing and lost nothing."""
    counters = FeedCounters()
    assert {name: getattr(counters, name) for name in FeedCounters.__slots__} == {
        "ignored": 0,
        "malformed": 0,
        "received": 0,
        "rejected": 0,
        "stale": 0,
    }
