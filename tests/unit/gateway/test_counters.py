"""Counters of a feed."""

from foxtrot.gateway.counters import FeedCounters


def test_everything_starts_at_nought() -> None:
    """A fresh feed has received nothing and lost nothing."""
    counters = FeedCounters()
    assert not any(getattr(counters, name) for name in FeedCounters.__slots__)
