"""What is told of a contract, and when; what cannot be true is not."""

from __future__ import annotations

import pytest

from foxtrot.adapter.ib.mapping import moment
from foxtrot.model.objects import MarketTradeData, TickData
from tests.support.ib_feed import (
    AT_S,
    TICKS,
    Feed,
    bar_now,
    bar_over,
    bars_past,
    price,
    printed,
    quote,
    row,
    size,
    stamp,
)


def test_a_quote_is_never_told_half() -> None:
    """Bid and ask that move together are told when both have come, not crossed in between."""
    feed = Feed()
    feed(quote(10.0, 10.5))
    told = feed(quote(11.0, 11.5))
    assert [(t.bid_price_1, t.ask_price_1) for t in told if isinstance(t, TickData)] == [
        (11.0, 11.5)
    ]


def test_a_quote_of_before_a_gap_is_not_shown_beside_one_of_after_it() -> None:
    """What TWS is asked for again it tells whole, and where it tells no ask there is none."""
    feed = Feed()
    feed(quote(10.0, 10.5), price(4, 10.2, 3))
    feed.tick_slot.begin()
    tick = feed.tick(price(1, 9.0, 100))
    assert (tick.bid_price_1, tick.ask_price_1, tick.ask_volume_1) == (9.0, 0.0, 0.0)
    assert tick.last_price == 10.2


def test_a_size_in_between_tells_no_half_quote() -> None:
    """TWS may correct the size of a bid before the ask that moved with it comes."""
    feed = Feed()
    feed(quote(10.0, 10.5))
    tick = feed.tick(price(1, 11.0, 100), size(0, 150), price(2, 11.5, 7))
    assert (tick.bid_price_1, tick.bid_volume_1, tick.ask_price_1) == (11.0, 150.0, 11.5)


def test_a_quote_of_one_side_is_told() -> None:
    """Where nobody asks, the bid alone is told, at the end of the reading."""
    tick = Feed().tick(price(1, 10.0, 100))
    assert (tick.bid_price_1, tick.ask_price_1) == (10.0, 0.0)


@pytest.mark.parametrize("none", [(-1, 0), (0, 0), (-1, "")])
def test_a_side_that_is_gone_is_empty(none: tuple[object, object]) -> None:
    """TWS's price of -1 without a size is no price."""
    feed = Feed()
    feed(quote(10.0, 10.5))
    tick = feed.tick(price(1, *none))
    assert (tick.bid_price_1, tick.bid_volume_1, tick.ask_price_1) == (0.0, 0.0, 10.5)


@pytest.mark.parametrize("bad", [("nan", 1), ("inf", 1), (1e13, 1), (-3, 1), (10, "nan"), (10, -1)])
@pytest.mark.parametrize("kind", [1, 2, 4, 66])
def test_numbers_that_cannot_be_true_are_refused(kind: int, bad: tuple[object, object]) -> None:
    """They are counted, and what was known stays."""
    feed = Feed()
    feed(quote(10.0, 10.5))
    before = feed.tick_slot.quoted()
    assert feed(price(kind, *bad)) == []
    assert feed.tick_slot.quoted() == before
    assert feed.counters.rejected == 1


def test_a_future_may_fall_below_zero() -> None:
    """Oil did, in April 2020."""
    tick = Feed(lowest=-1e12).tick(price(4, -37.63, 5))
    assert tick.last_price == -37.63


def test_a_trade_has_the_exchanges_time_and_its_volume() -> None:
    """The last price is told at once with the second of the trade, the day's volume after it."""
    feed = Feed()
    feed(quote(10.0, 10.5))
    first, last = feed(stamp(AT_S), price(4, 10.2, 7), size(5, 7), size(8, 1234))
    assert isinstance(first, TickData)
    assert isinstance(last, TickData)
    assert first.ts_event_ns == last.ts_event_ns == AT_S * 10**9
    assert (first.last_price, first.last_volume, first.volume) == (10.2, 7.0, 0.0)
    assert last.volume == 1234.0
    assert feed.tick(price(1, 10.1, 1)).ts_event_ns == 0


def test_two_equal_trades_are_two_ticks() -> None:
    """The same price and size once more is another trade."""
    feed = Feed()
    assert len(feed(price(4, 10.2, 7), size(5, 7), price(4, 10.2, 7), size(5, 7))) == 2


def test_delayed_ticks_are_ticks() -> None:
    """Their types have other numbers."""
    tick = Feed().tick(size(74, 99), price(66, 10.0, 1), price(67, 10.5, 2))
    assert (tick.bid_price_1, tick.ask_price_1, tick.volume) == (10.0, 10.5, 99.0)


def test_the_statistics_of_the_day_come_with_the_tick() -> None:
    """Open, high, low, close, volume and open interest, all in one tick."""
    tick = Feed().tick(
        price(14, 9.0), price(6, 12.0), price(7, 8.0), price(9, 9.5), size(8, 500), size(86, 77)
    )
    day = tick.open_price, tick.high_price, tick.low_price, tick.pre_close
    assert day == (9.0, 12.0, 8.0, 9.5)
    assert (tick.volume, tick.open_interest) == (500.0, 77.0)


def test_a_book_is_told_whole() -> None:
    """All changes of a reading are one event; rows of one price are one level."""
    feed = Feed()
    book = feed.depth(
        row(0, 0, 1, 10.0, 5), row(1, 0, 1, 10.0, 3), row(2, 0, 1, 9.9, 1), row(0, 0, 0, 10.1, 4)
    )
    assert book.bids == ((10.0, 8.0), (9.9, 1.0))
    assert book.asks == ((10.1, 4.0),)
    assert feed.tick(quote(10.0, 10.1)).bid_volume_2 == 1.0


def test_a_crossed_book_is_not_told() -> None:
    """In the midst of changes it waits for the rest of them."""
    feed = Feed()
    feed(row(0, 0, 1, 10.0, 5), row(0, 0, 0, 10.1, 4))
    assert feed(row(0, 1, 1, 10.2, 5)) == []
    assert feed.depth(row(0, 1, 0, 10.3, 4)).asks == ((10.3, 4.0),)


@pytest.mark.parametrize("bad", [(5, 0, 1, 10.0, 1), (0, 7, 1, 10.0, 1), (0, 0, 1, "nan", 1)])
def test_a_change_that_does_not_fit_tears_the_book(bad: tuple[int, int, int, object, int]) -> None:
    """It is asked for again, once, and shows nothing meanwhile."""
    feed = Feed()
    feed(quote(10.0, 10.5), row(0, 0, 1, 10.0, 5), row(0, 0, 0, 10.5, 4))
    assert feed(row(*bad), row(0, 0, 1, 9.0, 1)) == []
    assert feed.torn == [feed.book_slot]
    assert feed.tick(price(1, 10.1, 1)).bids == ()
    feed.book_slot.begin()
    assert feed.depth(row(0, 0, 1, 10.0, 5)).bids == ((10.0, 5.0),)


def test_a_print_that_cannot_be_true_is_refused() -> None:
    """Neither a price nor a time from nowhere is told; the next print is."""
    feed = Feed()
    told = feed(printed(AT_S, -5, 1), printed(0, 5, 1), printed(10**12, 5, 1), printed(AT_S, 5, 1))
    assert [t.price for t in told if isinstance(t, MarketTradeData)] == [5.0]
    assert feed.counters.rejected == 3


def test_a_bar_is_closed_by_the_next() -> None:
    """Each update is told while it moves; the first of the next one closes it."""
    feed = Feed()
    feed(bars_past(AT_S - 60, AT_S))
    feed(bar_now(AT_S, 10, 13, 9, 12))
    closed, moving = feed.bars(bar_now(AT_S + 60, 12, 12, 12, 12))
    assert (closed.closed, closed.high_price, closed.datetime.timestamp()) == (True, 13.0, AT_S)
    assert (moving.closed, moving.datetime.timestamp()) == (False, AT_S + 60)
    assert feed.bars(bar_now(AT_S, 1, 1, 1, 1)) == []


def test_a_real_time_bar_is_told_once_and_over() -> None:
    """Five seconds have no bar of the moment; one that is older than the newest is not told."""
    feed = Feed()
    first, second = feed.bars(bar_over(AT_S, 10, 13, 9, 12), bar_over(AT_S + 5, 12, 12, 12, 12))
    assert (first.closed, first.open_price, first.high_price) == (True, 10.0, 13.0)
    assert (first.low_price, first.close_price, first.volume) == (9.0, 12.0, 7.0)
    assert second.datetime.timestamp() == AT_S + 5
    assert feed.bars(bar_over(AT_S, 1, 1, 1, 1)) == []
    assert feed.bars(bar_over(AT_S + 10, 12, 11, 12, 12)) == []
    assert feed.counters.rejected == 1


def test_bars_of_the_past_are_no_news() -> None:
    """When a stream begins, only the newest bar is told."""
    told = Feed().bars(bars_past(AT_S - 120, AT_S - 60, AT_S))
    assert [(bar.closed, bar.datetime.timestamp()) for bar in told] == [(False, AT_S)]


def test_bars_that_a_gap_has_cost_are_told() -> None:
    """After a reconnect the bar that was moving is closed, and what came after it is told."""
    feed = Feed()
    feed(bars_past(AT_S))
    feed.bar_slot.begin()
    told = feed.bars(bars_past(AT_S - 60, AT_S, AT_S + 60, AT_S + 120))
    closed = [bar.datetime.timestamp() for bar in told if bar.closed]
    assert closed == [AT_S, AT_S + 60]
    assert told[-1].datetime.timestamp() == AT_S + 120


def test_a_bar_that_polling_has_told_closed_is_not_told_again() -> None:
    """While a stream stands still its bars are polled as well; a strategy acts on each once."""
    feed = Feed()
    feed(bars_past(AT_S))
    feed.bar_slot.mark.closed(moment(str(AT_S)))
    assert feed.bars(bar_now(AT_S, 10, 13, 9, 12)) == []
    (bar,) = feed.bars(bar_now(AT_S + 60, 12, 12, 12, 12))
    assert (bar.closed, bar.datetime) == (False, moment(str(AT_S + 60)))
    feed.bar_slot.mark.closed(moment(str(AT_S + 60)))
    feed.bar_slot.begin()
    feed(bars_past(AT_S, AT_S + 60))
    (bar,) = feed.bars(bar_now(AT_S + 120, 12, 12, 12, 12))
    assert (bar.closed, bar.datetime) == (False, moment(str(AT_S + 120)))


def test_a_real_time_bar_is_not_told_again_by_another_session() -> None:
    """It is over when it is told, whoever tells it."""
    feed = Feed()
    assert len(feed.bars(bar_over(AT_S, 10, 13, 9, 12))) == 1
    assert feed.bars(bar_over(AT_S, 10, 13, 9, 12)) == []


def test_a_bar_that_cannot_be_true_is_refused() -> None:
    """A close outside the bar's own high and low is no close."""
    feed = Feed()
    feed(bars_past(AT_S))
    assert feed.bars(bar_now(AT_S, 10, 11, 9, 12)) == []
    assert feed.counters.rejected == 1


async def test_a_sign_of_a_stream_is_its_data() -> None:
    """Whoever waits for a stream is told by the first thing that comes of it."""
    feed = Feed()
    sign = feed.ticks.first_sign(TICKS)
    assert not sign.done()
    feed(price(1, 10.0, 1))
    assert sign.done()
