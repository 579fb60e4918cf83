"""Contracts that OpenD may refuse to show: asked for apart, the promising first."""

from __future__ import annotations

from foxtrot.adapter.futu.doubts import Doubts
from foxtrot.adapter.futu.symbols import Security

A, B, C, D, E = (Security(1, code) for code in "ABCDE")


def test_one_bad_contract_is_found_by_halves() -> None:
    """The others are in no doubt any more once they were shown without it."""
    doubts = Doubts()
    assert doubts.undoubted([A, B, C, D]) == [(A, B, C, D)]
    assert not doubts.refused((A, B, C, D))
    assert doubts.undoubted([A, B, C, D]) == []
    assert doubts.next() == (A, B)
    assert doubts.shown((A, B)) == {A, B}
    assert not doubts.refused(doubts.next())
    assert doubts.refused(doubts.next())
    assert doubts.shown(doubts.next()) == {D}
    assert doubts.next() == ()
    assert doubts.undoubted([A, B, D]) == [(A, B, D)]
    assert doubts.shown((A, B, D)) == set()


def test_a_new_contract_is_not_asked_for_with_what_is_shown() -> None:
    """Refused, it would cost the others their ticks."""
    doubts = Doubts()
    doubts.shown((A, B))
    assert doubts.undoubted([A, C, B]) == [(A, B), (C,)]


def test_no_more_than_opend_takes_are_asked_for_together() -> None:
    """400 codes in a request."""
    many = [Security(1, str(number)) for number in range(900)]
    assert [len(group) for group in Doubts().undoubted(many)] == [400, 400, 100]


def test_what_was_shown_comes_first_and_what_was_refused_last() -> None:
    """Of the rest, most contracts with one request."""
    doubts = Doubts()
    doubts.refused((A,))
    doubts.recall([A, B])
    doubts.refused((B, C))
    doubts.shown((D, E))
    doubts.refused((D, E))
    order = []
    while group := doubts.next():
        order.append(group)
        doubts.shown(group)
    assert order == [(D,), (E,), (B,), (C,), (A,)]


def test_what_nobody_wants_is_not_asked_for() -> None:
    """Given back while it was in doubt."""
    doubts = Doubts()
    doubts.refused((A, B, C, D))
    doubts.keep({B, D})
    assert [doubts.next(), doubts.shown(doubts.next()), doubts.next()] == [(B,), {B}, (D,)]
