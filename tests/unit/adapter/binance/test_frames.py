"""From the bytes of a frame to an event: each kind, and the first tick."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from foxtrot.adapter.binance import mapping
from foxtrot.adapter.binance.frames import GONE
from foxtrot.adapter.binance.marks import DAY
from foxtrot.model.constants import Channel, Direction, Exchange, Interval, Lane
from foxtrot.model.events import EVENT_BAR, EVENT_DEPTH, EVENT_MARKET_TRADE, EVENT_TICK, Event
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import NO_STATISTICS, BarData, DepthData, MarketTradeData, TickData
from tests.support.binance_frames import (
    AT_MS,
    NOW_NS,
    SOURCE,
    Routed,
    candle,
    day,
    depth,
    quote,
    seed,
    snapshot,
    text,
    trade,
)

HEARD = {
    Channel.TICK: quote(1), Channel.DEPTH: depth(1, 1), Channel.TRADE: trade(1),
    Channel.BAR: candle(),
}  # fmt: skip


def stream(channel: Channel, symbol: str = "BTCUSDT") -> StreamKey:
    """The stream of a channel; of bars, those of a minute."""
    return StreamKey(
        channel, symbol, Exchange.BINANCE, Interval.MINUTE.value if channel is Channel.BAR else ""
    )


@pytest.mark.parametrize("channel", Channel)
def test_a_stream_was_heard_when_something_readable_came(
    routed: Routed, clock: Callable[[float], None], channel: Channel
) -> None:
    """Told or not: a duplicate is a sign of life, a broken frame is none."""
    slots = {
        Channel.TICK: routed.tick, Channel.DEPTH: routed.depth,
        Channel.TRADE: routed.router.trades["BTCUSDT"],
        Channel.BAR: routed.router.bars["BTCUSDT", "1m"],
    }  # fmt: skip
    mark = slots[channel].mark
    assert mark.heard_ns == 0
    routed.router.snapshot("BTCUSDT", snapshot(0))
    routed(HEARD[channel])
    assert mark.heard_ns == NOW_NS
    clock(1.0)
    routed(HEARD[channel][:-1])
    assert mark.heard_ns == NOW_NS
    routed(HEARD[channel])
    assert mark.heard_ns == NOW_NS + 1_000_000_000


def test_statistics_are_heard_beside_the_quotes(
    routed: Routed, clock: Callable[[float], None]
) -> None:
    """Each part of a tick stream has its own time, and its own activity."""
    routed(day())
    assert (routed.tick.mark.heard_ns, routed.tick.day_mark.heard_ns) == (0, NOW_NS)
    part = StreamKey(Channel.TICK, "BTCUSDT", Exchange.BINANCE, DAY)
    assert routed.router.activity(part) == AT_MS
    routed(quote(7))
    assert routed.router.activity(part) == AT_MS
    assert routed.router.activity(stream(Channel.TICK)) == 7


@pytest.mark.parametrize("channel", Channel)
def test_what_was_given_back_is_gone(routed: Routed, channel: Channel) -> None:
    """Who asks about it later is told so, whatever it was."""
    assert routed.router.activity(stream(channel)) != GONE
    assert routed.router.activity(stream(channel, "ETHUSDT")) == GONE


def test_a_quote_becomes_a_tick(routed: Routed, clock: object) -> None:
    """Best prices, no venue's time, the time of receipt, on the lane that was asked for."""
    routed(quote(1))
    (event,) = routed.events
    assert (event.type, event.topic, event.lane) == (EVENT_TICK, "BTCUSDT.BINANCE", Lane.LATEST)
    tick = event.data
    assert isinstance(tick, TickData)
    assert (tick.bid_price_1, tick.bid_volume_1) == (100.0, 2.0)
    assert (tick.ask_price_1, tick.ask_volume_1) == (101.0, 3.0)
    assert (tick.ts_event_ns, tick.ts_recv_ns) == (0, NOW_NS)
    assert tick.source is SOURCE
    assert routed.counts == {}


def test_a_tick_merges_the_quote_with_the_day(routed: Routed) -> None:
    """Whichever came first: each later tick has both, and the last price."""
    routed(quote(1))
    routed(day())
    tick = routed.last
    assert isinstance(tick, TickData)
    assert (tick.bid_price_1, tick.ask_price_1) == (100.0, 101.0)
    assert (tick.last_price, tick.volume, tick.high_price) == (100.5, 1_234.0, 110.0)
    assert tick.ts_event_ns == AT_MS * 1_000_000
    routed(quote(2, bid="100.2"))
    tick = routed.last
    assert isinstance(tick, TickData)
    assert (tick.bid_price_1, tick.last_price, tick.pre_close) == (100.2, 100.5, 99.0)


def test_the_day_brings_prices_until_a_quote_came(routed: Routed) -> None:
    """A quiet symbol shows its prices too, but they never replace a quote."""
    routed(day())
    assert isinstance(routed.last, TickData)
    assert (routed.last.bid_price_1, routed.last.ask_price_1) == (100.4, 100.6)
    routed(quote(1))
    routed(day(AT_MS + 1_000))
    assert isinstance(routed.last, TickData)
    assert (routed.last.bid_price_1, routed.last.ask_price_1) == (100.0, 101.0)


def test_a_print_is_delivered(routed: Routed) -> None:
    """The aggressor sold where the buyer was the maker."""
    routed(trade(41))
    (event,) = routed.events
    assert (event.type, event.lane) == (EVENT_MARKET_TRADE, Lane.BOUNDED)
    assert isinstance(event.data, MarketTradeData)
    assert (event.data.tradeid, event.data.direction) == ("41", Direction.SHORT)


def test_a_bar_is_delivered(routed: Routed) -> None:
    """With its interval, and whether it is closed."""
    routed(candle())
    routed(candle(AT_MS + 1, x=True))
    bars = [event.data for event in routed.events if event.type == EVENT_BAR]
    assert all(isinstance(bar, BarData) and bar.interval is Interval.MINUTE for bar in bars)
    assert [bar.closed for bar in bars if isinstance(bar, BarData)] == [False, True]


def test_depth_is_delivered_once_there_is_a_book(routed: Routed) -> None:
    """Differences wait for the snapshot and are told with it."""
    routed(depth(10, 11, "100.0"))
    assert routed.events == []
    assert routed.counts == {"held": 1}
    assert routed.router.snapshot("BTCUSDT", snapshot(10))
    assert isinstance(routed.last, DepthData)
    assert routed.last.bids == ((100.0, 1.0), (99.0, 5.0))
    routed(depth(12, 12, "100.0", "0"))
    assert isinstance(routed.last, DepthData)
    assert routed.last.bids == ((99.0, 5.0),)
    assert routed.last.ts_event_ns == AT_MS * 1_000_000
    assert {event.type for event in routed.events} == {EVENT_DEPTH}


def test_a_tick_carries_the_levels_of_the_book(routed: Routed) -> None:
    """Ten of them, once depth is subscribed too."""
    bids = [(n, 1.0) for n in range(1, 15)]
    routed.router.snapshot("BTCUSDT", mapping.DepthSnapshot(1, bids, []))
    routed(quote(1))
    assert isinstance(routed.last, TickData)
    assert [price for price, _ in routed.last.bids] == list(range(14, 4, -1))
    assert (routed.last.bid_price_2, routed.last.ask_price_2) == (13, 0.0)


@pytest.mark.parametrize("frame", [quote(1), day(), trade(1), candle()], ids="qdtc")
def test_what_is_delivered_cannot_be_changed(routed: Routed, frame: bytes) -> None:
    """Every consumer gets the same object: none can spoil it for the others."""
    routed(frame)
    with pytest.raises(AttributeError, match="immutable"):
        routed.last.symbol = "X"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="immutable"):
        routed.events[-1].data = None


@pytest.mark.parametrize("frame", [quote(1), day(), trade(1), candle()], ids="qdtc")
def test_the_form_of_a_frame_does_not_matter(frame: bytes) -> None:
    """Another order of keys, white space and the wrapper of combined streams: the same event."""
    fields = json.loads(frame)
    backwards = dict(reversed(fields.items()))
    forms = [
        frame,
        json.dumps(backwards).encode(),
        json.dumps(fields, indent=3).encode(),
        b"\n\t " + frame + b" \n",
        text({"stream": "btcusdt@any", "data": fields}),
        text({"data": fields, "stream": "btcusdt@any"}),
    ]
    told = []
    for form in forms:
        routed = Routed()
        routed(form)
        (event,) = routed.events
        assert routed.counts == {}
        told.append((event.type, str(event.data).replace(str(_recv(event)), "")))
    assert len(set(told)) == 1


def _recv(event: Event) -> int:
    return getattr(event.data, "ts_recv_ns", 0)


def test_a_wrapper_in_a_wrapper_is_no_market_data(routed: Routed) -> None:
    """Nobody can make the program descend a thousand times for one frame."""
    for depth_ in (2, 500, 990, 5_000):
        routed(b'{"stream":"x","data":' * depth_ + quote(1) + b"}" * depth_)
    assert routed.events == []


def test_frames_of_what_is_not_subscribed_are_ignored(routed: Routed) -> None:
    """They come for a moment after every unsubscribe."""
    for slots in (routed.router.ticks, routed.router.depths, routed.router.trades):
        slots.clear()
    routed.router.bars.clear()
    for frame in (quote(1), day(), trade(1), candle(), depth(1, 1)):
        routed(frame)
    assert routed.events == []
    assert routed.counts == {"ignored": 5}


def test_an_answer_is_handed_back(routed: Routed) -> None:
    """What is no market data is the connection's business."""
    head = routed.router.on_other(b'{"result":null,"id":7}')
    assert head is not None
    assert head.id == 7
    head = routed.router.on_other(b'{"code":2,"msg":"Invalid request","id":8}')
    assert routed.counts == {"control": 2}
    assert head is not None
    assert (head.code, head.msg, head.id) == (2, "Invalid request", 8)


# -- the first tick ---------------------------------------------------------------------------


def test_a_seed_fills_what_the_streams_have_not_said(routed: Routed) -> None:
    """A quiet symbol has a tick at once."""
    routed.router.seed(seed())
    assert isinstance(routed.last, TickData)
    assert (routed.last.last_price, routed.last.bid_price_1) == (70.0, 69.0)
    assert (routed.last.volume, routed.last.ts_event_ns) == (7.0, AT_MS * 1_000_000)


def test_a_seed_leaves_a_quote_alone(routed: Routed) -> None:
    """The stream is newer: only the day and the last price are filled."""
    routed(quote(1))
    routed.router.seed(seed())
    assert isinstance(routed.last, TickData)
    assert (routed.last.bid_price_1, routed.last.ask_price_1) == (100.0, 101.0)
    assert routed.last.last_price == 70.0


def test_a_seed_that_comes_too_late_says_nothing(routed: Routed) -> None:
    """Once the stream has told the day, the snapshot is the past."""
    routed(day())
    routed.router.seed(seed(AT_MS + 60_000))
    assert len(routed.events) == 1
    assert routed.tick.last_price == 100.5


def test_a_quote_that_moved_during_a_gap_is_told_though_nobody_traded(routed: Routed) -> None:
    """The next session's first look is newer than what the one before told, whatever the day is."""
    slot = routed.router.ticks["BTCUSDT"]
    slot.day_mark.at, slot.mark.tick = AT_MS + 500, slot.tick(0, NOW_NS)
    routed.router.seed(seed())
    assert isinstance(routed.last, TickData)
    assert (routed.last.bid_price_1, routed.last.ts_event_ns) == (69.0, 0)
    assert slot.mark.tick is routed.last
    assert slot.day_mark.at == AT_MS + 500


def test_a_seed_that_repeats_what_the_session_before_told_says_nothing(routed: Routed) -> None:
    """Neither its day nor its quote is news."""
    slot = routed.router.ticks["BTCUSDT"]
    routed.router.seed(seed())
    slot.day, slot.day_mark.at = NO_STATISTICS, AT_MS
    routed.router.seed(seed())
    assert len(routed.events) == 1


def test_the_stream_may_repeat_the_moment_of_the_seed(routed: Routed) -> None:
    """Both have a resolution of a millisecond or worse; what is older stays out."""
    routed.router.seed(seed())
    routed(day(AT_MS))
    assert len(routed.events) == 2
    routed(day(AT_MS - 1))
    assert routed.counts == {"stale": 1}


def test_a_bad_or_unwanted_seed_is_dropped(routed: Routed) -> None:
    """The gate counts here as well."""
    routed.router.seed(seed(bidPrice=72.0))
    routed.router.ticks.clear()
    routed.router.seed(seed())
    assert routed.events == []


# -- what the streams have said ---------------------------------------------------------------


def test_activity_shows_which_stream_brings_something(routed: Routed) -> None:
    """Each stream has a number of its own that changes with its frames only."""
    keys = [
        StreamKey(Channel.TICK, "BTCUSDT", Exchange.BINANCE),
        StreamKey(Channel.DEPTH, "BTCUSDT", Exchange.BINANCE),
        StreamKey(Channel.TRADE, "BTCUSDT", Exchange.BINANCE),
        StreamKey(Channel.BAR, "BTCUSDT", Exchange.BINANCE, "1m"),
    ]
    routed.router.snapshot("BTCUSDT", snapshot(1))
    for key, frame in zip(keys, [quote(5), depth(2, 2), trade(1), candle()], strict=True):
        before = {each: routed.router.activity(each) for each in keys}
        assert not routed.router.flows(key)
        routed(frame)
        assert routed.router.flows(key)
        changed = [each for each in keys if routed.router.activity(each) != before[each]]
        assert changed == [key]
    assert routed.router.quoted("BTCUSDT") == (100.0, 2.0, 101.0, 3.0)
    assert routed.router.quoted("ETHUSDT") is None


def test_differences_without_their_book_are_a_flow_but_no_news(routed: Routed) -> None:
    """Nothing of them is told: neither activity nor a time may make the book look alive."""
    key = StreamKey(Channel.DEPTH, "BTCUSDT", Exchange.BINANCE)
    before = routed.router.activity(key)
    routed(depth(1, 1))
    routed(depth(2, 2))
    assert routed.router.flows(key)
    assert (routed.router.activity(key), routed.depth.mark.heard_ns) == (before, 0)
    routed.router.snapshot("BTCUSDT", snapshot(1))
    assert routed.router.activity(key) != before
    assert routed.depth.mark.heard_ns
    routed(depth(4, 4))
    assert routed.router.activity(key) == before


def test_a_book_that_is_fetched_anew_is_no_sign_of_life(routed: Routed) -> None:
    """A stream that stands still would count as alive each time it is asked for afresh."""
    key = StreamKey(Channel.DEPTH, "BTCUSDT", Exchange.BINANCE)
    routed.router.snapshot("BTCUSDT", snapshot(1), asked=500)
    routed(depth(2, 2))
    before = routed.router.activity(key)
    routed.router.snapshot("BTCUSDT", snapshot(9), asked=500)
    assert routed.router.activity(key) == before
    routed(depth(10, 10))
    assert routed.router.activity(key) != before


def test_a_frame_that_only_begins_like_a_quote_is_what_it_says(routed: Routed) -> None:
    """The order of its keys is the venue's affair."""
    router = routed.router
    frame = b'{"u":6,"e":"trade","E":1,"s":"BTCUSDT","t":5,"p":"100","q":"1","T":%d,"m":true}'
    assert router.on_quote(frame % AT_MS) is None
    assert isinstance(routed.last, MarketTradeData)


def test_prints_that_were_missed_are_said(routed: Routed, caplog: pytest.LogCaptureFixture) -> None:
    """Once, with their number; neither the first print nor the next in row says anything."""
    for number in (5, 6, 9, 10):
        routed(trade(number))
    assert ["count=2" in line for line in caplog.messages if "prints_missed" in line] == [True]


def test_a_stream_that_misses_every_other_print_fills_no_log(
    routed: Routed, caplog: pytest.LogCaptureFixture
) -> None:
    """The first of a row of holes is said, and the first after it was whole again."""
    for number in (1, 3, 5, 7, 9, 10, 12):
        routed(trade(number))
    assert len([line for line in caplog.messages if "prints_missed" in line]) == 2


def test_prints_that_may_come_late_are_not_missed(
    routed: Routed, caplog: pytest.LogCaptureFixture
) -> None:
    """While two connections bring the same stream the other one may have them still."""
    routed(trade(5))
    routed.router.overlap(begins=True)
    routed(trade(8))
    routed(trade(7))
    assert "prints_missed" not in caplog.text
