"""The book forgets nothing that is wanted and asks for nothing twice."""

from foxtrot.connectivity.subscriptions import SubscriptionManager
from foxtrot.model.constants import StreamState
from tests.support.sessions import tick

A, B, C = tick("A"), tick("B"), tick("C")


def test_a_new_stream_is_pending_and_in_the_difference() -> None:
    """What is wanted and not held is to be subscribed, in the order it was wanted."""
    book = SubscriptionManager()
    assert book.want([B, A], 1) == [B, A]
    assert book.difference().add == (B, A)
    assert book.wanted[A].state is StreamState.PENDING
    assert not book.complete


def test_wanting_twice_is_wanting_once() -> None:
    """The second time nothing is new."""
    book = SubscriptionManager()
    book.want([A], 1)
    assert book.want([A], 2) == []
    assert book.wanted[A].since_ns == 1
    assert len(book) == 1
    assert A in book


def test_a_held_stream_closes_the_difference() -> None:
    """Nothing to do is false."""
    book = SubscriptionManager()
    book.want([A], 1)
    book.holds([A], StreamState.ACTIVE, 2)
    assert not book.difference()
    assert book.complete
    assert book.wanted[A].since_ns == 2


def test_a_dropped_stream_is_to_be_unsubscribed_until_it_is_released() -> None:
    """What is held and not wanted is in the difference until the venue gives it no more."""
    book = SubscriptionManager()
    book.want([A], 1)
    book.holds([A], StreamState.ACTIVE, 2)
    assert book.drop([A, B]) == [A]
    assert book.difference().remove == (A,)
    book.released([A, B])
    assert not book.difference()


def test_a_stream_dropped_before_its_answer_is_given_back() -> None:
    """An answer for what nobody wants any more leads to an unsubscribe."""
    book = SubscriptionManager()
    book.want([A], 1)
    book.drop([A])
    book.holds([A], StreamState.ACTIVE, 2)
    assert book.difference().remove == (A,)
    assert len(book) == 0


def test_a_stream_wanted_again_while_held_is_held() -> None:
    """Dropped and wanted in one breath: the venue gives it all the time, and the book knows how."""
    book = SubscriptionManager()
    book.want([A], 1)
    book.holds([A], StreamState.POLLING, 2)
    book.drop([A])
    assert book.want([A], 3) == [A]
    assert book.wanted[A].state is StreamState.POLLING
    assert not book.difference()
    assert book.complete


def test_a_refused_stream_is_left_alone_until_it_is_wanted_again() -> None:
    """No storm of requests for what the venue will not give; the reason stays readable."""
    book = SubscriptionManager()
    book.want([A, B], 1)
    book.refused(A, "no such symbol", 2)
    assert book.refused(C, "never wanted", 2) is False
    assert book.difference().add == (B,)
    assert book.wanted[A].reason == "no such symbol"
    assert not book.complete
    assert book.want([A], 3) == [A]
    assert book.difference().add == (A, B)


def test_a_new_session_asks_for_refused_streams_once_more() -> None:
    """And remembers why they were refused, until there is an answer."""
    book = SubscriptionManager()
    book.want([A], 1)
    book.refused(A, "no such symbol", 2)
    book.lost(3, "session lost")
    assert not book.difference()
    book.retry_refused(4)
    assert book.difference().add == (A,)
    assert book.wanted[A].reason == "no such symbol"


def test_a_lost_session_leaves_everything_pending() -> None:
    """Nothing is held, nothing is to be unsubscribed, all that is wanted is to be restored."""
    book = SubscriptionManager()
    book.want([A, B], 1)
    book.holds([A, B], StreamState.ACTIVE, 2)
    book.drop([B])
    book.lost(3, "session lost")
    difference = book.difference()
    assert (difference.add, difference.remove) == ((A,), ())
    assert book.wanted[A].reason == "session lost"


def test_unanswered_requests_are_counted_per_stream() -> None:
    """The worst of them decides when patience ends; an answer or a new session forgets."""
    book = SubscriptionManager()
    book.want([A, B], 1)
    assert book.unanswered([A], "no answer") == 1
    assert book.unanswered([A, B, C], "no answer") == 2
    assert book.wanted[B].failures == 1
    book.holds([A], StreamState.ACTIVE, 2)
    assert book.wanted[A].failures == 0
    book.lost(3, "session lost")
    assert book.unanswered([B], "no answer") == 1


def test_what_it_shows_is_a_copy() -> None:
    """A reader on another thread cannot change the book, nor is changed by it."""
    book = SubscriptionManager()
    book.want([A], 1)
    shown = book.wanted
    book.want([B], 2)
    shown.clear()
    assert list(book.wanted) == [A, B]


def test_what_was_found_out_early_is_forgotten_with_the_request() -> None:
    """Unanswered, refused or lost: the next request begins without it."""
    book = SubscriptionManager()
    endings = (
        lambda: book.unanswered([A], "no answer"),
        lambda: book.refused(A, "not now", 2),
        lambda: book.lost(2, "session lost"),
        lambda: book.released([A]),
    )
    for end in endings:
        book.want([A], 1)
        book.mark(A, StreamState.STALE, "stands still", 1)
        end()
        book.holds([A], StreamState.ACTIVE, 3)
        assert book.wanted[A].state is StreamState.ACTIVE
        book.lost(4, "session lost")
