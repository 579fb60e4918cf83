"""A stream of bad numbers fills no log: one line when it begins, one when it ends."""

import logging

import pytest

from foxtrot.core.logs import get_logger
from foxtrot.gateway.counters import FeedCounters
from foxtrot.gateway.episodes import Episodes


def made() -> tuple[Episodes, FeedCounters]:
    counters = FeedCounters()
    return Episodes(counters, get_logger("foxtrot.test")), counters


def test_an_episode_is_told_once_and_counted_whole(caplog: pytest.LogCaptureFixture) -> None:
    """Every refusal is counted; the first and the end are told, the end with the count."""
    caplog.set_level(logging.INFO, logger="foxtrot.test")
    episodes, counters = made()
    for _ in range(5):
        episodes.refuse("A", "quote", "crossed")
    episodes.believe("A", "quote")
    assert counters.rejected == 5
    assert [message.partition(" ")[0] for message in caplog.messages] == [
        "numbers_rejected",
        "numbers_believed_again",
    ]
    assert "rejected=5" in caplog.messages[1]


def test_each_part_of_a_symbol_has_episodes_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    """Good quotes do not end an episode of bad statistics."""
    caplog.set_level(logging.INFO, logger="foxtrot.test")
    episodes, _ = made()
    for _ in range(3):
        episodes.refuse("A", "day", "price out of range")
        episodes.believe("A", "quote")
    assert len(caplog.messages) == 1
    assert episodes.open == {("A", "day"): 3}


def test_a_new_episode_is_told_again(caplog: pytest.LogCaptureFixture) -> None:
    """What was good in between is news when it is bad again."""
    caplog.set_level(logging.WARNING, logger="foxtrot.test")
    episodes, _ = made()
    for _ in range(2):
        episodes.refuse("A", "trade", "volume out of range")
        episodes.believe("A", "trade")
    assert len(caplog.messages) == 2
    assert episodes.open == {}


def test_one_question_keeps_the_episodes(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever asks whether numbers are refused begins and ends their episode by it."""
    caplog.set_level(logging.INFO, logger="foxtrot.test")
    episodes, counters = made()
    answers = [episodes.refuses("A", "quote", reason) for reason in ("", "crossed", "crossed", "")]
    assert answers == [False, True, True, False]
    assert counters.rejected == 2
    assert [message.partition(" ")[0] for message in caplog.messages] == [
        "numbers_rejected",
        "numbers_believed_again",
    ]
