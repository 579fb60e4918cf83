"""For any run of differences: the book is what a dictionary would be, or says that it is not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from foxtrot.adapter.binance.order_book import OrderBook, Outcome

prices = st.integers(1, 30).map(float)
volumes = st.integers(0, 5).map(float)
changes = st.lists(st.tuples(prices, volumes), max_size=6)
steps = st.lists(st.tuples(st.integers(1, 4), changes, changes), max_size=25)

Difference = tuple[int, int, list[tuple[float, float]], list[tuple[float, float]]]
Side = dict[float, float]


def numbered(steps: list[tuple[int, list, list]]) -> list[Difference]:  # type: ignore[type-arg]
    """The steps as the venue numbers them: without a hole, each some updates long."""
    found, next_id = [], 1
    for width, bids, asks in steps:
        found.append((next_id, next_id + width - 1, bids, asks))
        next_id += width
    return found


def changed(side: Side, changes: list[tuple[float, float]]) -> None:
    """The naive book."""
    for price, volume in changes:
        side[price] = volume
        if not volume:
            del side[price]


def model(differences: list[Difference], up_to: int = 2**62) -> tuple[Side, Side]:
    """The naive book after all differences that end at or before `up_to`."""
    bids: Side = {}
    asks: Side = {}
    for _, last_id, new_bids, new_asks in differences:
        if last_id <= up_to:
            changed(bids, new_bids)
            changed(asks, new_asks)
    return bids, asks


def shown(bids: Side, asks: Side) -> object:
    """The naive book as `best` shows it."""
    return tuple(sorted(bids.items(), reverse=True)), tuple(sorted(asks.items()))


@given(steps, st.data())
def test_the_book_is_the_naive_book(steps: list, data: st.DataObject) -> None:  # type: ignore[type-arg]
    """Wherever the snapshot falls, and however much waited for it, the end is the same."""
    differences = numbered(steps)
    waited = data.draw(st.integers(0, len(differences)))
    taken = data.draw(st.integers(0, waited))
    snapshot_id = differences[taken - 1][1] if taken else 0
    book = OrderBook()
    for difference in differences[:waited]:
        assert book.difference(*difference) is Outcome.BUFFERED
    bids, asks = model(differences, snapshot_id)
    assert book.snapshot(snapshot_id, list(bids.items()), list(asks.items()))
    for difference in differences[waited:]:
        assert book.difference(*difference) is Outcome.APPLIED
    assert book.best(100) == shown(*model(differences))


@given(steps, st.data())
def test_duplicates_change_nothing(steps: list, data: st.DataObject) -> None:  # type: ignore[type-arg]
    """Any difference told again, at any later time, is old."""
    differences = numbered(steps)
    book = OrderBook()
    book.snapshot(0, [], [])
    for number, difference in enumerate(differences):
        assert book.difference(*difference) is Outcome.APPLIED
        again = differences[data.draw(st.integers(0, number))]
        assert book.difference(*again) is Outcome.OLD
    assert book.best(100) == shown(*model(differences))


@given(steps.filter(lambda steps: len(steps) > 2), st.data())
def test_a_lost_difference_never_goes_unnoticed(steps: list, data: st.DataObject) -> None:  # type: ignore[type-arg]
    """The book is invalid from the gap on, and right again after a snapshot from beyond it."""
    differences = numbered(steps)
    lost = data.draw(st.integers(0, len(differences) - 2))
    book = OrderBook()
    book.snapshot(0, [], [])
    outcomes = [book.difference(*each) for each in differences if each is not differences[lost]]
    expected = [Outcome.APPLIED] * lost + [Outcome.GAP]
    expected += [Outcome.BUFFERED] * (len(outcomes) - len(expected))
    assert outcomes == expected
    assert not book.valid
    before = differences[lost][0] - 1
    assert not book.snapshot(before, [], [])
    at = differences[data.draw(st.integers(lost, len(differences) - 1))][1]
    bids, asks = model(differences, at)
    assert book.snapshot(at, list(bids.items()), list(asks.items()))
    assert book.best(100) == shown(*model(differences))


@given(st.lists(st.tuples(st.integers(-3, 20), st.integers(-3, 20), changes, changes), max_size=30))
def test_any_numbering_leaves_an_ordered_book(differences: list[Difference]) -> None:
    """Ids that make no sense do no more harm than an invalid book."""
    book = OrderBook()
    for number, difference in enumerate(differences):
        book.difference(*difference)
        if number % 5 == 0:
            book.snapshot(difference[0], [(1.0, 1.0)], [(2.0, 1.0)])
        bids, asks = book.best(100)
        assert list(bids) == sorted(bids, reverse=True)
        assert list(asks) == sorted(asks)
        assert all(volume > 0 for _, volume in bids + asks)
