"""One symbol's book out of a snapshot and differences, and when it must not be believed."""

from foxtrot.adapter.binance.order_book import OrderBook, Outcome

BIDS = [(99.0, 1.0), (98.0, 2.0)]
ASKS = [(101.0, 1.0), (102.0, 2.0)]


def at(last_id: int) -> OrderBook:
    """A book that a snapshot of update `last_id` made."""
    book = OrderBook()
    assert book.snapshot(last_id, BIDS, ASKS)
    return book


def test_a_book_without_a_snapshot_shows_nothing() -> None:
    """Differences alone are no book: they wait."""
    book = OrderBook()
    assert book.difference(1, 2, [(99.0, 1.0)], []) is Outcome.BUFFERED
    assert not book.valid
    assert book.best(5) == ((), ())


def test_a_snapshot_is_shown_best_first() -> None:
    """Bids fall, asks rise, whatever the order they came in."""
    book = OrderBook()
    assert book.snapshot(7, [(98.0, 2.0), (99.0, 1.0)], [(102.0, 2.0), (101.0, 1.0)])
    assert book.valid
    assert book.best(5) == (tuple(BIDS), tuple(ASKS))


def test_a_book_does_not_reach_beyond_its_snapshot() -> None:
    """What rests there is told only when it changes, so that nobody knows the next best price."""
    book = OrderBook()
    assert book.snapshot(7, BIDS, ASKS, asked=2)
    assert book.reaches(2)
    assert not book.reaches(3)
    book.difference(8, 8, [(99.0, 0.0), (90.0, 1.0)], [])
    assert book.reaches(1)
    assert not book.reaches(2)
    book.difference(9, 9, [(98.5, 1.0)], [(101.0, 0.0), (110.0, 1.0)])
    assert not book.reaches(2)
    book.difference(10, 10, [], [(101.5, 1.0)])
    assert book.reaches(2)


def test_a_book_that_was_shown_whole_reaches_everywhere() -> None:
    """The venue gave fewer levels than were asked for: there are no others."""
    book = OrderBook()
    assert book.snapshot(7, BIDS, ASKS, asked=3)
    book.difference(8, 8, [(99.0, 0.0), (98.0, 0.0)], [])
    assert book.reaches(20)


def test_best_gives_no_more_levels_than_asked() -> None:
    """The number of levels is a bound for each side of its own."""
    assert at(7).best(1) == ((BIDS[0],), (ASKS[0],))
    assert at(7).best(0) == ((), ())


def test_the_next_difference_changes_adds_and_removes_levels() -> None:
    """A volume of zero removes a level, also one that is not there."""
    book = at(7)
    assert book.difference(8, 9, [(99.0, 0.0), (97.0, 3.0), (50.0, 0.0)], [(101.0, 5.0)]) is (
        Outcome.APPLIED
    )
    assert book.best(5) == (((98.0, 2.0), (97.0, 3.0)), ((101.0, 5.0), (102.0, 2.0)))


def test_a_difference_that_was_told_before_changes_nothing() -> None:
    """A duplicate or an older difference is recognised by its last id."""
    book = at(7)
    assert book.difference(8, 8, [(99.0, 4.0)], []) is Outcome.APPLIED
    assert book.difference(8, 8, [(99.0, 9.0)], []) is Outcome.OLD
    assert book.difference(1, 5, [(99.0, 9.0)], []) is Outcome.OLD
    assert book.best(1)[0] == ((99.0, 4.0),)


def test_a_difference_that_overlaps_the_snapshot_is_applied() -> None:
    """What begins before the snapshot's id and ends after it continues the book."""
    book = at(7)
    assert book.difference(5, 9, [(99.0, 4.0)], []) is Outcome.APPLIED
    assert book.difference(10, 10, [], [(101.0, 4.0)]) is Outcome.APPLIED


def test_a_missing_difference_makes_the_book_invalid() -> None:
    """After a gap nothing is believed until a new snapshot came."""
    book = at(7)
    assert book.difference(9, 9, [(99.0, 4.0)], []) is Outcome.GAP
    assert not book.valid
    assert book.difference(10, 10, [(99.0, 5.0)], []) is Outcome.BUFFERED
    assert book.snapshot(8, BIDS, ASKS)
    assert book.best(1)[0] == ((99.0, 5.0),)


def test_a_snapshot_older_than_what_waits_is_refused() -> None:
    """Between it and the first difference something is missing: another one is needed."""
    book = OrderBook()
    book.difference(10, 12, [(99.0, 4.0)], [])
    assert not book.snapshot(8, BIDS, ASKS)
    assert not book.valid
    assert book.snapshot(9, BIDS, ASKS)
    assert book.best(1)[0] == ((99.0, 4.0),)


def test_a_refused_snapshot_loses_nothing_that_waits() -> None:
    """A later snapshot still continues with the differences that came before the refusal."""
    book = OrderBook()
    book.difference(10, 12, [(99.0, 4.0)], [])
    book.difference(13, 13, [], [(101.0, 6.0)])
    assert not book.snapshot(1, BIDS, ASKS)
    assert book.snapshot(12, BIDS, ASKS)
    assert book.best(1) == ((BIDS[0],), ((101.0, 6.0),))


def test_a_snapshot_newer_than_all_that_waits_stands_alone() -> None:
    """Differences that it holds already are dropped."""
    book = OrderBook()
    book.difference(1, 5, [(99.0, 4.0)], [])
    assert book.snapshot(9, BIDS, ASKS)
    assert book.best(5) == (tuple(BIDS), tuple(ASKS))
    assert book.difference(10, 10, [], []) is Outcome.APPLIED


def test_a_gap_among_what_waits_is_found_by_the_snapshot() -> None:
    """The snapshot fits the first difference, but the second is missing one: not a book."""
    book = OrderBook()
    book.difference(1, 5, [(99.0, 4.0)], [])
    book.difference(7, 8, [(99.0, 5.0)], [])
    assert not book.snapshot(3, BIDS, ASKS)
    assert not book.valid


def test_after_a_gap_among_what_waits_the_next_snapshot_heals() -> None:
    """What came after the gap is kept for the snapshot that reaches it."""
    book = OrderBook()
    book.difference(1, 5, [], [])
    book.difference(7, 8, [], [])
    book.difference(9, 9, [(99.0, 6.0)], [])
    assert not book.snapshot(3, BIDS, ASKS)
    assert book.snapshot(7, BIDS, ASKS)
    assert book.best(1)[0] == ((99.0, 6.0),)


def test_what_waits_is_bounded() -> None:
    """With no snapshot in sight only the newest thousand differences are kept."""
    book = OrderBook()
    for number in range(1, 5_001):
        book.difference(number, number, [(float(number), 1.0)], [])
    assert not book.snapshot(3_999, [], [])
    assert book.snapshot(4_000, [], [])
    bids, _ = book.best(5_000)
    assert [price for price, _ in bids] == [float(n) for n in range(5_000, 4_000, -1)]


def test_levels_without_volume_in_a_snapshot_are_no_levels() -> None:
    """A zero in a snapshot is nothing to trade with."""
    book = OrderBook()
    book.snapshot(1, [(99.0, 0.0), (98.0, 1.0)], [(101.0, 0.0)])
    assert book.best(5) == (((98.0, 1.0),), ())


def test_a_book_that_touches_itself_is_crossed() -> None:
    """A bid at or above an ask would have traded; with one side empty there is nothing to say."""
    book = at(7)
    assert not book.crossed()
    book.difference(8, 8, [(101.0, 1.0)], [])
    assert book.crossed()
    assert not OrderBook().crossed()
    alone = OrderBook()
    alone.snapshot(1, BIDS, [])
    assert not alone.crossed()


def test_an_invalidated_book_starts_afresh() -> None:
    """Old levels do not shine through the next snapshot."""
    book = at(7)
    book.invalidate()
    assert not book.valid
    assert book.snapshot(20, [(1.0, 1.0)], [(2.0, 1.0)])
    assert book.best(5) == (((1.0, 1.0),), ((2.0, 1.0),))


def test_a_venue_that_counts_anew_is_believed_after_fifty_differences() -> None:
    """A restart may reset its ids; without this the book would stand still for good."""
    book = at(1_000_000)
    for number in range(1, 50):
        assert book.difference(number, number, [(99.0, 4.0)], []) is Outcome.OLD
    assert book.difference(50, 50, [(99.0, 5.0)], []) is Outcome.GAP
    assert not book.valid
    assert book.snapshot(49, BIDS, ASKS)
    assert book.difference(51, 51, [(98.0, 7.0)], []) is Outcome.APPLIED
    assert book.best(2)[0] == ((99.0, 5.0), (98.0, 7.0))


def test_old_differences_now_and_then_do_no_harm() -> None:
    """A single new one shows that the venue counts on."""
    book = at(1_000)
    for number in range(1_001, 1_201):
        assert book.difference(1, 1, [], []) is Outcome.OLD
        if number % 40 == 0:
            assert book.difference(number - 39, number, [], []) is not Outcome.GAP
    assert book.valid
