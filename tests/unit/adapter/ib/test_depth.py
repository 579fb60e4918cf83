"""One contract's book, row by row."""

from __future__ import annotations

import pytest

from foxtrot.adapter.ib.depth import ASKS, BIDS, CHANGE, INSERT, REMOVE, DepthBook


def filled(rows: int = 3) -> DepthBook:
    """A book whose bids are full and whose asks have one row."""
    book = DepthBook(rows)
    for place in range(rows):
        assert book.apply(place, INSERT, BIDS, 10.0 - place, 1.0)
    assert book.apply(0, INSERT, ASKS, 11.0, 2.0)
    return book


def test_an_inserted_row_moves_those_below() -> None:
    """The one that does not fit any more falls off."""
    book = filled()
    assert book.apply(1, INSERT, BIDS, 9.5, 4.0)
    assert book.best(9)[0] == ((10.0, 1.0), (9.5, 4.0), (9.0, 1.0))


def test_a_changed_and_a_removed_row() -> None:
    """A row changes in its place, and those below a removed one move up."""
    book = filled()
    assert book.apply(0, CHANGE, BIDS, 10.0, 7.0)
    assert book.apply(1, REMOVE, BIDS, 0.0, 0.0)
    assert book.best(9) == (((10.0, 7.0), (8.0, 1.0)), ((11.0, 2.0),))


def test_a_row_that_fell_off_may_be_removed_again() -> None:
    """TWS counts rows that are not kept here."""
    book = filled()
    assert book.apply(0, REMOVE, ASKS, 0.0, 0.0)
    assert book.apply(0, REMOVE, ASKS, 0.0, 0.0)
    assert book.best(9)[1] == ()


@pytest.mark.parametrize(
    ("row", "operation", "side"),
    [(3, INSERT, BIDS), (-1, CHANGE, BIDS), (2, INSERT, ASKS), (0, 3, BIDS), (0, INSERT, 2)],
)
def test_a_change_that_fits_no_book_is_not_taken(row: int, operation: int, side: int) -> None:
    """A row out of reach, or an operation or side that there is not: the book stays as it was."""
    book = filled()
    before = book.best(9)
    assert not book.apply(row, operation, side, 9.0, 1.0)
    assert book.best(9) == before


def test_rows_of_one_price_are_one_level() -> None:
    """Several exchanges that bid the same are added up."""
    book = DepthBook(5)
    for place, volume in enumerate((1.0, 2.0, 3.0)):
        book.apply(place, INSERT, BIDS, 10.0, volume)
    assert book.best(5)[0] == ((10.0, 6.0),)


def test_a_bid_above_the_ask_is_crossed() -> None:
    """At one price they are locked, which exchanges may be for a while."""
    book = filled()
    assert not book.crossed()
    book.apply(0, CHANGE, BIDS, 11.0, 1.0)
    assert not book.crossed()
    book.apply(0, CHANGE, BIDS, 11.1, 1.0)
    assert book.crossed()
    book.clear()
    assert book.best(5) == ((), ())
