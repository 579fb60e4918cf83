"""A venue's flat facts as sentences."""

from __future__ import annotations

from tests.support.desktop import require

require("vnpy", "talib", "loguru")

from tests.support.desktop import main_engine_class  # noqa: E402

main_engine_class()

from foxtrot.desktop.connections.facts import groups_of  # noqa: E402


def test_a_pool_is_told_in_words() -> None:
    """What is in use, what may be, and under which client ids, is one line for each purpose."""
    (pool,) = groups_of(
        {
            "pool.established": 2,
            "pool.in_use": 1,
            "pool.idle": 1,
            "pool.history.in_use": 1,
            "pool.history.idle": 1,
            "pool.history.most": 4,
            "client_ids.history": "100, 101",
            "pool.api.in_use": 0,
            "client_ids.api": "",
        }
    )
    assert (pool.name, pool.summary) == ("pool", "in use 1, idle 1")
    told = [str(line) for line in pool.lines]
    assert "history: in use 1, idle 1, at most 4, client ids 100, 101" in told
    assert "api: in use 0" in told


def test_pacing_is_told_in_words() -> None:
    """Durations have their unit, and the heading says what waits."""
    facts = {
        "pace.messages_last_s": 3,
        "pace.messages_waiting": 2,
        "pace.longest_wait_s": 0.13569,
        "pace.violations": 0,
    }
    (pace,) = groups_of(facts)
    assert pace.summary == "messages waiting 2, violations 0"
    assert [str(line) for line in pace.lines] == [
        "messages in the last second: 3",
        "messages waiting: 2",
        "longest wait: 0.136 s",
        "violations: 0",
    ]


def test_the_nearest_limit_is_in_the_heading() -> None:
    """Of many limits a glance sees the one that is nearly used up."""
    facts = {
        "limits.orders.left": 5,
        "limits.orders.most": 10,
        "limits.weight.left": 90,
        "limits.weight.most": 900,
    }
    (limits,) = groups_of(facts)
    assert (limits.summary, limits.left) == ("weight 90 of 900 left", 0.1)


def test_a_fact_of_a_kind_of_its_own_is_told_as_it_is() -> None:
    """What no rule knows is shown all the same."""
    (odd, vnpy) = groups_of({"vnpy.state": "inferred", "odd": 1.5})
    assert [str(line) for line in odd.lines] == ["odd: 1.5"]
    assert vnpy.summary == "state inferred"
