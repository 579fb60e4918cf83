"""The venue's rules, without a venue."""

from __future__ import annotations

from foxtrot.simulator.binance_limits import Limits, OrderGate, WeightGate
from foxtrot.simulator.window import Window


def test_a_window_admits_its_limit_and_no_more() -> None:
    """Five in a second pass, the sixth does not, and a second later there is room again."""
    window = Window(5, 1.0)
    assert [window.admit(0.1 * n) for n in range(6)] == [True] * 5 + [False]
    assert window.admit(2.0)


def test_a_window_says_when_to_come_back() -> None:
    """The wait is until the oldest event has left."""
    window = Window(1, 300.0)
    assert window.retry_after_s(0.0) == 0
    window.admit(10.0)
    assert window.retry_after_s(20.0) == 291


def test_no_limit_means_no_limit() -> None:
    """`Limits.none` switches every counting rule off."""
    limits = Limits.none()
    assert all(Window(limits.messages_per_s, 1.0).admit(0.0) for _ in range(1_000))
    gate = WeightGate(limits)
    assert all(gate.charge(6_000, 0) is None for _ in range(100))


def test_weight_is_counted_by_the_minute_of_the_clock() -> None:
    """The count starts anew with the minute, not a minute after the first request."""
    gate = WeightGate(Limits(weight_per_minute=10))
    assert gate.charge(10, 59_000) is None
    refused = gate.charge(1, 59_500)
    assert refused is not None
    assert (refused.status, refused.retry_after_s) == (429, 1)
    assert gate.charge(10, 60_000) is None
    assert gate.used == 10


def test_who_goes_on_is_banned_longer_each_time() -> None:
    """After ten refusals comes 418, for two minutes, and after the next offence for four."""
    gate = WeightGate(Limits(weight_per_minute=1, refusals_before_ban=2, ban_s=120))
    answers = [gate.charge(1, 0) for _ in range(4)]
    assert [answer and answer.status for answer in answers] == [None, 429, 429, 418]
    last = answers[-1]
    assert last is not None
    assert last.retry_after_s == 120
    assert "IP banned until 120000" in last.message
    banned = gate.charge(1, 119_000)
    assert banned is not None
    assert (banned.status, banned.retry_after_s) == (418, 1)
    again = [gate.charge(1, 120_000) for _ in range(4)][-1]
    assert again is not None
    assert again.retry_after_s == 240


def test_unfilled_orders_are_counted_in_aligned_windows() -> None:
    """Two in ten seconds, and the next two when the ten seconds are over."""
    gate = OrderGate(Limits(orders_per_10_s=2))
    assert [gate.charge("a", 10_000 + n) is None for n in range(3)] == [True, True, False]
    refused = gate.charge("a", 17_500)
    assert refused is not None
    assert (refused.status, refused.retry_after_s) == (429, 3)
    assert refused.message == "Too many new orders; current limit is 2 orders per 10 SECOND."
    assert gate.charge("b", 17_500) is None
    assert gate.charge("a", 20_000) is None
    assert [row["count"] for row in gate.rows("a", 20_001)] == [1, 3]
    assert gate.headers("a", 86_400_000)["X-MBX-ORDER-COUNT-1D"] == "0"


def test_a_filled_order_does_not_count() -> None:
    """It gives its place back, and never more than there was."""
    gate = OrderGate(Limits(orders_per_10_s=1))
    gate.give_back("a")
    assert gate.charge("a", 1) is None
    gate.give_back("a")
    gate.give_back("a")
    assert gate.charge("a", 2) is None
    assert gate.charge("a", 3) is not None
