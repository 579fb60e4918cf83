"""The pace of requests for the past, counted."""

from __future__ import annotations

from foxtrot.simulator.ib_pacing import HistoryPace


def test_the_same_request_needs_fifteen_seconds() -> None:
    """Not a moment less, and every try counts as one."""
    pace = HistoryPace()
    asked = [pace.admit("AAPL", "TRADES", "1 secs 60 S", at_s) for at_s in (0, 14.9, 29.8, 44.8)]
    assert asked == [True, False, False, True]


def test_only_what_matters_is_remembered() -> None:
    """A client that asks for days on end does not fill the memory."""
    pace = HistoryPace()
    for at_s in range(1_000):
        pace.admit("AAPL", "TRADES", f"until {at_s}", at_s)
    assert repr(pace) == "<HistoryPace remembered=15>"


def test_a_contract_has_five_requests_in_two_seconds() -> None:
    """The sixth is too many; other data of the same contract is counted apart."""
    pace = HistoryPace()
    asked = [pace.admit("AAPL", "TRADES", str(n), n * 0.1) for n in range(6)]
    assert asked == [True] * 5 + [False]
    assert pace.admit("AAPL", "BID", "6", 0.6)
    assert pace.admit("MSFT", "TRADES", "7", 0.7)
    assert pace.admit("AAPL", "TRADES", "8", 2.6)


def test_there_are_sixty_in_ten_minutes() -> None:
    """Whatever they are for; BID_ASK counts twice."""
    pace = HistoryPace()
    assert all(pace.admit(f"contract {n}", "TRADES", "x", n) for n in range(58))
    assert pace.admit("contract 58", "BID_ASK", "x", 58)
    assert not pace.admit("contract 59", "TRADES", "x", 59)
    assert pace.admit("contract 60", "TRADES", "x", 660)
