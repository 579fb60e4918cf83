"""From the socket's bytes to events, by the fast path and by the SDK's own: both tell the same."""

from __future__ import annotations

import pytest

from foxtrot.adapter.ib.slots import Mark, TickSlot
from foxtrot.model.constants import Lane
from foxtrot.model.objects import TickData
from tests.support.ib_door import frame
from tests.support.ib_feed import SOURCE, TICKS, Feed, price, printed, quote, size


@pytest.fixture(params=[True, False], ids=["fast", "sdk"])
def feed(request: pytest.FixtureRequest) -> Feed:
    """A feed by either path."""
    return Feed(fast=request.param)


def test_a_price_and_its_repeated_size_are_one_tick(feed: Feed) -> None:
    """The size that TWS repeats after each price makes no second tick."""
    feed(quote(10.0, 10.5))
    tick = feed.tick(price(1, 10.1, 300), size(0, 300))
    assert (tick.bid_price_1, tick.bid_volume_1) == (10.1, 300.0)
    assert (tick.ask_price_1, tick.ask_volume_1) == (10.5, 200.0)
    assert tick.ts_recv_ns > 0 == tick.ts_event_ns


def test_a_size_that_changed_alone_is_a_tick(feed: Feed) -> None:
    """A quote may change its size and keep its price."""
    feed(quote(10.0, 10.5))
    assert feed.tick(size(3, 900)).ask_volume_1 == 900.0


def test_a_print_keeps_the_exchanges_time(feed: Feed) -> None:
    """Its time is the exchange's, and two prints of one second are two."""
    first, second, third = feed.prints(
        printed(1_795_000_000, 10.0, 5),
        printed(1_795_000_000, 10.0, 5),
        printed(1_795_000_001, 10.0, 5),
    )
    assert first.ts_event_ns == second.ts_event_ns == 1_795_000_000 * 10**9
    assert third.ts_event_ns == 1_795_000_001 * 10**9
    assert first.tradeid != second.tradeid


def test_what_is_not_subscribed_is_ignored(feed: Feed) -> None:
    """Ticks that still come after a stream was given back become no event."""
    feed.ticks.drop(TICKS)
    assert feed(quote(10.0, 10.5)) == []
    assert feed.counters.ignored == 4


def test_a_message_that_cannot_be_read_costs_no_other(feed: Feed) -> None:
    """The messages around it are told, and it is counted."""
    feed(quote(10.0, 10.5))
    told = feed(price(1, 10.1, 1), frame(1, 6, TICKS, 1, "ten", 5, 1), price(1, 10.2, 1))
    assert [t.bid_price_1 for t in told if isinstance(t, TickData)] == [10.1, 10.2]
    assert feed.counters.malformed == 1


def test_other_messages_reach_the_decoder(feed: Feed) -> None:
    """An error among ticks is heard, in its place."""
    feed(price(1, 10.0, 1) + frame(4, 2, TICKS, 10197, "competing session", "") + size(0, 7))
    assert feed.errors == [(TICKS, 10197, "competing session")]


def test_books_balance(feed: Feed) -> None:
    """Each message is one event, or in one count."""
    feed(quote(10.0, 10.5), price(1, 10.4, 1), size(0, 1), price(1, "nan", 1), size(8, 5))
    feed(price(4, 10.2, 3), size(5, 3), size(8, 8), frame(2, 6, TICKS, 89, "5"))
    counters = feed.counters
    names = ("rejected", "malformed", "stale", "ignored", "held", "control")
    rest = sum(getattr(counters, name) for name in names)
    assert counters.received == len(feed.events) + rest == 12


def test_the_fast_path_survives_any_split() -> None:
    """Where the socket cuts the bytes makes no difference to what is told, in the end."""
    data = quote(10.0, 10.5) + b"".join(price(1, 10.0 + i / 100, i) for i in range(1, 40))
    whole = Feed()
    whole(data)
    for cut in range(1, 12):
        feed = Feed()
        for at in range(0, len(data), cut):
            feed(data[at : at + cut])
        assert feed.tick_slot.quoted() == whole.tick_slot.quoted()
        assert feed.counters.received == whole.counters.received == feed.raw._numMsgRecv


def test_a_line_full_of_garbage_is_given_up() -> None:
    """More than ten unreadable messages in a minute are worth a new connection."""
    feed = Feed()
    for _ in range(10):
        feed(price(1, "ten", 5))
    assert not feed.rotten
    feed(price(1, "ten", 5))
    assert len(feed.rotten) == 1


def test_two_contracts_do_not_mix() -> None:
    """Each request id has its own slot."""
    feed = Feed()
    other = TickSlot(SOURCE, Mark(), Lane.LATEST, 0.0)
    feed.ticks.add(99, other)
    feed(quote(10.0, 10.5), price(1, 20.0, 5, number=99))
    assert (feed.tick_slot.bid, other.bid) == (10.0, 20.0)


def test_what_only_begins_like_a_repeated_size_is_read_for_itself() -> None:
    """A longer message of the same begin costs nothing of what follows."""
    feed = Feed()
    longer = frame(2, 6, TICKS, 0, 100, "and more")
    feed(price(1, 10.0, 100), longer, price(2, 10.5, 7))
    assert (feed.tick_slot.bid, feed.tick_slot.ask) == (10.0, 10.5)
    assert feed.counters.malformed == 1
