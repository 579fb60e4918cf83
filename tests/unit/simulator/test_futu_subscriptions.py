"""The quota of subscriptions and the minute that each must last."""

from __future__ import annotations

import pytest

from foxtrot.simulator.futu_limits import FutuLimits, Refused
from foxtrot.simulator.futu_subscriptions import Subscriptions

TENCENT, HSBC, APPLE = ("HK.00700", 1), ("HK.00005", 1), ("US.AAPL", 1)


def book(quota: int = 2) -> Subscriptions:
    return Subscriptions(FutuLimits(subscriptions=quota))


def test_the_quota_is_shared_by_all_connections() -> None:
    """What another connection has is gone; the same stock twice counts once."""
    subscriptions = book()
    subscriptions.add(1, [TENCENT], 0.0)
    subscriptions.add(2, [TENCENT, HSBC], 0.0)
    with pytest.raises(Refused, match="已用订阅额度：2/2"):
        subscriptions.add(3, [APPLE], 0.0)
    assert subscriptions.used(0.0) == 2


def test_a_request_beyond_the_quota_gives_nothing() -> None:
    """All of it or none of it."""
    subscriptions = book()
    with pytest.raises(Refused):
        subscriptions.add(1, [TENCENT, HSBC, APPLE], 0.0)
    assert subscriptions.held(1) == []


def test_a_subscription_lasts_a_minute() -> None:
    """Sooner it cannot be ended, in OpenD's words, and nothing of the request is carried out."""
    subscriptions = book()
    subscriptions.add(1, [TENCENT], 0.0)
    subscriptions.add(1, [HSBC], 30.0)
    with pytest.raises(Refused, match=r"HK\.00005的Basic订阅时间过短，至少需要订阅1分钟"):
        subscriptions.remove(1, [TENCENT, HSBC], 60.0)
    assert set(subscriptions.held(1)) == {TENCENT, HSBC}
    subscriptions.remove(1, [TENCENT, HSBC], 90.0)
    assert subscriptions.used(90.0) == 0


def test_a_connection_that_ends_keeps_its_quota_until_the_minute_is_over() -> None:
    """Reconnecting again and again does not make more of it."""
    subscriptions = book(quota=1)
    subscriptions.add(1, [TENCENT], 0.0)
    subscriptions.drop(1, 10.0)
    with pytest.raises(Refused):
        subscriptions.add(2, [HSBC], 59.0)
    subscriptions.add(2, [TENCENT], 59.0)
    subscriptions.drop(2, 59.5)
    subscriptions.add(3, [HSBC], 120.0)


def test_quota_is_free_only_when_nobody_has_it() -> None:
    """Two connections have one stock: one of them ending it frees nothing."""
    subscriptions = book(quota=1)
    subscriptions.add(1, [TENCENT], 0.0)
    subscriptions.add(2, [TENCENT], 0.0)
    subscriptions.remove(1, [TENCENT], 100.0)
    assert subscriptions.used(100.0) == 1
    assert not subscriptions.holds(1, TENCENT)
    assert subscriptions.holds(2, TENCENT)
