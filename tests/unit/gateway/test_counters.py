"""Counters of a feed."""

from foxtrot.gateway.counters import FeedCounters


def test_everything_starts_at_nought() -> None:
    """A fresh feed has received nothing and lost nothing."""
    counters = FeedCounters()
    assert not any(getattr(counters, name) for name in FeedCounters.NAMES)


def test_each_type_of_message_has_its_count_from_the_start() -> None:
    """Nought is shown too; a type that nobody named is counted all the same."""
    counters = FeedCounters(("trade", "quote"))
    assert counters.malformed_by_type == {"trade": 0, "quote": 0}
    for type_ in ("trade", "trade", "new"):
        counters.unreadable(type_)
    assert counters.malformed_by_type == {"trade": 2, "quote": 0, "new": 1}
    assert counters.malformed == 3
