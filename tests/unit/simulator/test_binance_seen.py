"""What the venue saw."""

from __future__ import annotations

from foxtrot.simulator.binance_seen import Seen


def test_lists_are_copies() -> None:
    """Who reads them cannot change them, and is not disturbed by what comes later."""
    seen = Seen()
    assert (seen.connected(), seen.connected()) == (1, 2)
    seen.subscribed(1, ("a@trade",))
    before = seen.subscribes
    seen.subscribed(2, ("b@trade",))
    before.clear()
    assert seen.subscribes == [(1, ("a@trade",)), (2, ("b@trade",))]


def test_memory_is_bounded() -> None:
    """The oldest entries go; the count of connections stays right."""
    seen = Seen()
    for number in range(100_001):
        seen.requested("GET", "/", {"n": str(number)})
    assert len(seen.requests) == 100_000
    assert seen.requests[0][2] == {"n": "1"}
