"""What is told of a contract, and when; what cannot be true is not."""

from __future__ import annotations

import datetime as dt

import pytest

from foxtrot.adapter.futu.slots import Mark, make_slot
from foxtrot.model.constants import Channel, Direction, Exchange, Interval, Lane
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import DepthData, Source, TickData
from tests.support.futu_feed import AT_S, HOSTILE, SECURITY, Feed, bars, book, prints, quote

BIDS = [(611.5 - 0.5 * row, 100 * (row + 1)) for row in range(10)]
ASKS = [(612.0 + 0.5 * row, 200 * (row + 1)) for row in range(10)]


def test_a_quote_is_a_tick_with_the_day() -> None:
    """The last price comes with the day's statistics and OpenD's time, in UTC."""
    tick = Feed(Channel.TICK).tick(quote(612.0, at_s=AT_S + 0.25))
    assert (tick.last_price, tick.volume, tick.turnover) == (612.0, 1_000.0, 5e5)
    assert (tick.open_price, tick.high_price, tick.low_price) == (610.0, 620.0, 600.0)
    assert (tick.pre_close, tick.vt_symbol) == (605.0, "00700.SEHK")
    assert tick.datetime == dt.datetime.fromtimestamp(AT_S + 0.25, dt.UTC)
    assert tick.ts_recv_ns > 0


def test_a_tick_shows_bid_and_ask_and_five_levels() -> None:
    """Quote and book come apart and are shown together; a book before the quote waits for it."""
    feed = Feed(Channel.TICK)
    assert feed(book(BIDS, ASKS)) == []
    tick = feed.tick(quote(612.0))
    assert (tick.bid_price_1, tick.bid_volume_1) == (611.5, 100.0)
    assert (tick.ask_price_1, tick.ask_volume_1) == (612.0, 200.0)
    assert (tick.bid_price_5, tick.ask_volume_5, len(tick.bids)) == (609.5, 1_000.0, 5)
    moved = feed.tick(book([(611.0, 700)], ASKS, at_s=AT_S + 1))
    assert (moved.bid_price_1, moved.bid_volume_1, moved.last_price) == (611.0, 700.0, 612.0)
    assert feed.balance == 0


def test_a_contract_without_a_book_has_ticks() -> None:
    """An index has no book, and no more has a user without the right to it."""
    tick = Feed(Channel.TICK).tick(quote(25_000.0, high=25_100.0))
    assert (tick.last_price, tick.bid_price_1) == (25_000.0, 0.0)


def test_a_book_has_ten_levels_and_its_own_time() -> None:
    """Best first, both sides."""
    depth = Feed(Channel.DEPTH).depth(book(BIDS, ASKS))
    assert depth.bids == tuple((price, float(volume)) for price, volume in BIDS)
    assert len(depth.asks) == 10
    assert depth.ts_event_ns == int(AT_S) * 1_000_000_000


def test_with_basic_rights_a_book_has_one_level() -> None:
    """Rows of zeros stand for what the user may not see."""
    empty = [(0.0, 0)] * 9
    depth = Feed(Channel.DEPTH).depth(book([*BIDS[:1], *empty], [*ASKS[:1], *empty]))
    assert depth.bids == ((611.5, 100.0),)
    assert depth.asks == ((612.0, 200.0),)


def test_one_push_serves_every_stream_of_the_contract() -> None:
    """Ticks and depth of a contract share one book of OpenD's."""
    feed = Feed(Channel.TICK, Channel.DEPTH)
    told = feed(quote(612.0), book(BIDS, ASKS))
    assert [type(item).__name__ for item in told] == ["TickData", "DepthData", "TickData"]
    assert feed.balance == 0


def test_two_names_of_one_contract_are_both_served() -> None:
    """OpenD knows one AAPL; AAPL.NASDAQ and AAPL.SMART may both be wanted."""
    feed = Feed(Channel.TICK)
    other = Source.of("00700", Exchange.SMART, "FUTU")
    key = StreamKey(Channel.TICK, "00700", Exchange.SMART)
    slot = make_slot(key, other, SECURITY, Mark(), conflate=True)
    feed.ticks.add(slot)
    told = feed(quote(612.0))
    names = [item.vt_symbol for item in told if isinstance(item, TickData)]
    assert names == ["00700.SEHK", "00700.SMART"]
    feed.ticks.drop(slot)
    assert len(feed(quote(613.0))) == 1


@pytest.mark.parametrize("number", HOSTILE)
def test_numbers_that_cannot_be_true_are_refused(number: float) -> None:
    """They are counted, and the stream goes on with the next good one."""
    feed = Feed(*Channel)
    assert feed(quote(number), quote(612.0, high=number)) == []
    assert feed(book([(number, 100)], ASKS), book(BIDS, [(number, 100)])) == []
    assert feed(prints((1, number, 0)), bars((1, number))) == []
    assert feed(quote(612.0, at_s=number), book(BIDS, ASKS, at_s=number)) == []
    assert feed.counters.rejected == feed.counters.received
    assert len(feed(quote(612.0), prints((1, 612.0, 0)))) == 2


def test_a_volume_below_zero_is_refused() -> None:
    """Nor is a price of nought believed of what was traded."""
    feed = Feed(Channel.TICK, Channel.DEPTH)
    assert feed(quote(612.0, volume=-1), quote(0.0), book([(611.0, -5)], ASKS)) == []
    assert feed.tick(quote(0.0, volume=0)).last_price == 0.0


def test_nothing_is_told_twice_after_a_reconnect() -> None:
    """OpenD tells a new session first what the last one knew already."""
    feed = Feed(*Channel)
    pushes = (book(BIDS, ASKS), quote(612.0), prints((7, 612.0, 0)), bars((1, 612.0)))
    assert len(feed(*pushes)) == 4
    again = feed.again()
    assert again(*pushes) == []
    assert again.counters.stale == again.counters.received - again.counters.held
    tick = again.tick(quote(613.0, at_s=AT_S + 1))
    assert (tick.last_price, tick.bid_price_1) == (613.0, 611.5)


def test_a_quote_that_comes_before_the_book_leaves_no_tick_without_prices() -> None:
    """After a reconnect in a quiet market: the book has not moved, and is shown all the same."""
    feed = Feed(Channel.TICK)
    feed(book(BIDS, ASKS), quote(612.0))
    again = feed.again()
    assert isinstance(last := again(quote(612.0), book(BIDS, ASKS))[-1], TickData)
    assert (last.bid_price_1, last.ask_price_1) == (611.5, 612.0)
    assert again(book(BIDS, ASKS), quote(612.0)) == []
    assert again.balance == 0


def test_a_book_that_moved_while_away_is_told() -> None:
    """Though the price has not moved."""
    feed = Feed(Channel.TICK)
    feed(book(BIDS, ASKS), quote(612.0))
    tick = feed.again().tick(book(BIDS[1:], ASKS, at_s=AT_S + 9), quote(612.0))
    assert tick.bid_price_1 == 611.0


def test_prints_have_side_number_and_time() -> None:
    """The side is the taker's; with neither it is NET."""
    feed = Feed(Channel.TRADE)
    (item,) = feed.prints(prints((6_665_702_738_232_312_347, 612.0, 3)))
    assert (item.tradeid, item.price, item.volume) == ("6665702738232312347", 612.0, 200.0)
    assert (item.direction, item.ts_event_ns) == (Direction.LONG, int(AT_S + 3) * 1_000_000_000)
    pushes = (prints((6_665_702_738_232_312_347 + taker, 1.0, 4), taker=taker) for taker in (2, 3))
    told = feed.prints(*pushes)
    assert [each.direction for each in told] == [Direction.SHORT, Direction.NET]


def test_the_past_of_the_tape_is_no_news() -> None:
    """What OpenD remembers from before the subscription is not told, what follows is."""
    feed = Feed(Channel.TRADE)
    assert feed.prints(prints((1, 1.0, 0), (2, 1.0, 0), data_type=3)) == []
    assert [each.tradeid for each in feed.prints(prints((2, 1.0, 0), (3, 1.0, 0)))] == ["3"]


def test_prints_missed_while_away_are_told() -> None:
    """Of what OpenD remembers, a new session tells what the last one did not."""
    feed = Feed(Channel.TRADE)
    feed(prints((1, 1.0, 0), (2, 1.0, 0)))
    told = feed.again().prints(prints((2, 1.0, 0), (3, 1.0, 1), (4, 1.0, 1), data_type=3))
    assert [each.tradeid for each in told] == ["3", "4"]


def test_prints_that_were_reported_late_are_told_once() -> None:
    """The newest number may bear an older time; after a break nothing before it is told again."""
    feed = Feed(Channel.TRADE)
    pushes = prints((1, 1.0, 0), (2, 1.0, 9), (3, 1.0, 5))
    assert [each.tradeid for each in feed.prints(pushes)] == ["1", "2", "3"]
    again = feed.again()
    assert again.prints(pushes) == []
    assert [each.tradeid for each in again.prints(prints((1, 1.0, 10)))] == ["1"]


def test_an_opend_that_numbers_anew_is_heard() -> None:
    """Smaller numbers with later times are news."""
    feed = Feed(Channel.TRADE)
    feed(prints((1_000, 1.0, 0)))
    assert [each.tradeid for each in feed.prints(prints((1, 1.0, 5)))] == ["1"]


def test_a_bar_bears_its_begin_and_is_closed_by_the_next() -> None:
    """OpenD names a minute by its end."""
    feed = Feed(Channel.BAR)
    told = feed.bars(bars((1, 611.0)), bars((1, 612.0)), bars((2, 613.0)))
    assert [(bar.datetime.timestamp() - AT_S, bar.close_price, bar.closed) for bar in told] == [
        (0.0, 611.0, False),
        (0.0, 612.0, False),
        (0.0, 612.0, True),
        (60.0, 613.0, False),
    ]
    assert told[0].interval is Interval.MINUTE


def test_a_bar_that_was_not_followed_to_its_end_is_not_called_closed() -> None:
    """What an earlier session saw of it need not be all of it."""
    feed = Feed(Channel.BAR)
    feed(bars((1, 611.0)))
    told = feed.again().bars(bars((3, 612.0)))
    assert [bar.closed for bar in told] == [False]
    resumed = Feed(Channel.BAR)
    resumed(bars((1, 611.0)))
    told = resumed.again().bars(bars((1, 611.0)), bars((2, 612.0)))
    assert [bar.closed for bar in told] == [True, False]


def test_bars_of_another_length_or_without_trades_are_ignored() -> None:
    """Nothing is told of them, and of bars that are over."""
    feed = Feed(Channel.BAR)
    assert feed(bars((1, 611.0), kind=6), bars((1, 611.0), blank=True)) == []
    feed(bars((5, 611.0)))
    assert feed(bars((4, 611.0))) == []


def test_a_bar_outside_its_own_range_is_refused() -> None:
    """A close above the high is none."""
    feed = Feed(Channel.BAR)
    assert feed(bars((1, 616.0))) == []
    assert feed.counters.rejected == 1


def test_what_nobody_wants_is_counted() -> None:
    """A push of a contract that was given back is no event."""
    feed = Feed(Channel.TICK)
    assert feed(quote(1.0, code="00005"), prints((1, 1.0, 0), (2, 1.0, 0))) == []
    assert (feed.counters.received, feed.counters.ignored) == (3, 3)


def test_ticks_may_be_conflated_and_prints_may_not() -> None:
    """A slow handler sees the newest tick, and every print."""
    ticks, tape = Feed(Channel.TICK, Channel.DEPTH), Feed(Channel.TRADE, Channel.BAR)
    ticks(quote(612.0), book(BIDS, ASKS))
    tape(prints((1, 1.0, 0)), bars((1, 612.0)))
    assert ticks.lanes() == {Lane.LATEST}
    assert tape.lanes() == {Lane.BOUNDED}


def test_of_books_that_came_at_once_the_newest_is_told() -> None:
    """Nobody waits for what has passed; each that is left out is counted, for each stream."""
    feed = Feed(Channel.TICK, Channel.DEPTH)
    feed(quote(612.0))
    told = feed.at_once(*(book([(price, 100)], ASKS) for price in (608.0, 609.0, 610.0)))
    assert {type(item) for item in told} == {TickData, DepthData}
    assert [item.bids for item in told] == [((610.0, 100.0),)] * 2  # type: ignore[attr-defined]
    assert (feed.counters.conflated, feed.balance) == (4, 0)
    assert len(feed(book([(608.0, 100)], ASKS, at_s=AT_S + 1))) == 2  # and it is over


def test_who_wants_every_book_has_every_book() -> None:
    """However many come at once."""
    feed = Feed(Channel.DEPTH, conflate=False)
    told = feed.at_once(*(book([(price, 100)], ASKS) for price in (608.0, 609.0, 610.0)))
    assert (len(told), feed.counters.conflated) == (3, 0)


def test_a_book_that_cannot_be_read_is_counted_in_a_rush_as_well() -> None:
    """What came before and after it is told."""
    feed, broken = Feed(Channel.DEPTH), book(BIDS, ASKS)
    broken.orderBookBidList[0].ClearField("volume")
    assert feed.at_once(broken) == []
    assert (feed.counters.malformed_by_type, feed.balance) == ({"Qot_UpdateOrderBook": 1}, 0)
    assert len(feed.at_once(book(BIDS, ASKS))) == 1
