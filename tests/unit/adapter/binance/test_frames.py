"""From the bytes of a frame to an event, and what becomes of the frames that bring none."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from foxtrot.adapter.binance import frames as module
from foxtrot.adapter.binance import mapping
from foxtrot.adapter.binance.frames import QUOTE_PREFIX, FrameRouter, StreamSlot, TickSlot
from foxtrot.adapter.binance.marks import Mark
from foxtrot.errors import MalformedMessage
from foxtrot.gateway.counters import FeedCounters
from foxtrot.model.constants import Channel, Direction, Exchange, Interval, Lane
from foxtrot.model.events import EVENT_BAR, EVENT_DEPTH, EVENT_MARKET_TRADE, EVENT_TICK, Event
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import BarData, DepthData, MarketTradeData, Source, TickData

SOURCE = Source.of("BTCUSDT", Exchange.BINANCE, "BINANCE", "BTC/USDT")
AT_MS = 1_785_000_000_000
NOW_NS = AT_MS * 1_000_000 + 5_000_000
COUNTED = ("rejected", "stale", "ignored", "malformed", "held", "control")


class Routed:
    """A router with every kind of BTCUSDT subscribed, and all that it says."""

    def __init__(self) -> None:
        self.counters = FeedCounters()
        self.events: list[Event] = []
        self.gaps: list[str] = []
        self.rotten: list[MalformedMessage] = []
        self.shutdowns = 0
        self.router = FrameRouter(
            "BINANCE",
            self.counters,
            self.events.append,
            levels=20,
            on_gap=self.gaps.append,
            on_rotten=self.rotten.append,
            on_shutdown=self._shutdown,
        )
        self.tick = TickSlot(SOURCE, Lane.LATEST, Mark(), Mark())
        self.router.ticks["BTCUSDT"] = self.tick
        self.depth = StreamSlot(SOURCE, Lane.LATEST, Mark())
        self.router.depths["BTCUSDT"] = self.depth
        self.router.trades["BTCUSDT"] = StreamSlot(SOURCE, Lane.BOUNDED, Mark())
        bars = StreamSlot(SOURCE, Lane.BOUNDED, Mark(), Interval.MINUTE)
        self.router.bars["BTCUSDT", "1m"] = bars

    def _shutdown(self) -> None:
        self.shutdowns += 1

    def __call__(self, frame: bytes) -> None:
        """Give a frame to the router, as a connection does."""
        if frame[:5] == QUOTE_PREFIX:
            self.router.on_quote(frame)
        else:
            self.router.on_other(frame)

    @property
    def last(self) -> object:
        """What the newest event carries."""
        return self.events[-1].data

    @property
    def counts(self) -> dict[str, int]:
        """The counters that are not zero."""
        counts = {name: getattr(self.counters, name) for name in COUNTED}
        return {name: count for name, count in counts.items() if count}


@pytest.fixture
def routed() -> Routed:
    """A router that has seen nothing."""
    return Routed()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Stops the clock of the frames; call it with seconds to let them pass."""
    now = [NOW_NS]
    monkeypatch.setattr(module.time, "time_ns", lambda: now[0])

    def advance(seconds: float) -> None:
        now[0] += round(seconds * 1e9)

    return advance


def text(value: object) -> bytes:
    """A frame as the venue writes it: no white space."""
    return json.dumps(value, separators=(",", ":")).encode()


def quote(number: int, bid: str = "100.0", ask: str = "101.0", **more: str) -> bytes:
    """A best bid and ask."""
    return text({"u": number, "s": "BTCUSDT", "b": bid, "B": "2", "a": ask, "A": "3", **more})


def day(ms: int = AT_MS, **more: object) -> bytes:
    """A 24 h ticker."""
    frame = {
        "e": "24hrTicker", "E": ms, "s": "BTCUSDT", "x": "99", "c": "100.5", "Q": "0.25",
        "b": "100.4", "B": "1", "a": "100.6", "A": "1", "o": "98", "h": "110", "l": "90",
        "v": "1234", "q": "123400",
    }  # fmt: skip
    return text({**frame, **more})


def depth(first: int, last: int, bid: str = "100.0", volume: str = "1") -> bytes:
    """A difference of the book."""
    changes = {"b": [[bid, volume]], "a": [["101.0", "2"]]}
    return text({"e": "depthUpdate", "E": AT_MS, "s": "BTCUSDT", "U": first, "u": last, **changes})


def trade(number: int, **more: object) -> bytes:
    """A print."""
    frame = {
        "e": "trade", "E": AT_MS + 1, "s": "BTCUSDT", "t": number, "p": "100.5", "q": "0.25",
        "T": AT_MS, "m": True, "M": True,
    }  # fmt: skip
    return text({**frame, **more})


def candle(event_ms: int = AT_MS, close: str = "100.5", **more: object) -> bytes:
    """A bar of a minute, still moving."""
    bar = {
        "t": AT_MS, "T": AT_MS + 59_999, "s": "BTCUSDT", "i": "1m", "o": "98", "c": close,
        "h": "110", "l": "90", "v": "12.5", "q": "1250", "x": False, **more,
    }  # fmt: skip
    return text({"e": "kline", "E": event_ms, "s": "BTCUSDT", "k": bar})


def snapshot(number: int) -> mapping.DepthSnapshot:
    """A book fetched by request."""
    return mapping.DepthSnapshot(number, [(99.0, 5.0)], [(101.0, 5.0)])


def seed(ms: int = AT_MS, last: float = 70.0, **more: float) -> mapping.RestTicker:
    """A 24 h ticker fetched by request."""
    numbers = {"bidPrice": 69.0, "askPrice": 71.0, "prevClosePrice": 68.0, **more}
    return mapping.RestTicker(
        symbol="BTCUSDT", lastPrice=last, lastQty=0.5, openPrice=60.0, highPrice=80.0,
        lowPrice=50.0, volume=7.0, quoteVolume=490.0, bidQty=1.0, askQty=1.0, closeTime=ms,
        **numbers,
    )  # fmt: skip


# -- each kind --------------------------------------------------------------------------------


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
    """Five of them, once depth is subscribed too."""
    routed.router.snapshot("BTCUSDT", mapping.DepthSnapshot(1, [(n, 1.0) for n in range(1, 9)], []))
    routed(quote(1))
    assert isinstance(routed.last, TickData)
    assert [price for price, _ in routed.last.bids] == [8, 7, 6, 5, 4]
    assert (routed.last.bid_price_2, routed.last.ask_price_2) == (7, 0.0)


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


# -- never older ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("new", "same", "old"),
    [
        (quote(5), quote(5), quote(4)),
        (day(AT_MS + 5), None, day(AT_MS + 4)),
        (trade(5), trade(5), trade(4)),
        (candle(AT_MS + 5), candle(AT_MS + 5), candle(AT_MS + 4)),
    ],
    ids=["quote", "day", "trade", "bar"],
)
def test_nothing_is_told_twice_or_out_of_order(
    routed: Routed, new: bytes, same: bytes | None, old: bytes, clock: object
) -> None:
    """What is older, or a duplicate, is counted as stale."""
    routed(new)
    if same is not None:
        routed(same)
    routed(old)
    assert len(routed.events) == 1
    assert routed.counts == {"stale": 1 + (same is not None)}


@pytest.mark.parametrize("make", [quote, trade], ids=["quote", "trade"])
def test_a_venue_that_counts_anew_is_believed_after_two_seconds(
    routed: Routed, make: Callable[[int], bytes], clock: Callable[[float], None]
) -> None:
    """A restart may reset its numbers; without this the stream would be dead for good."""
    routed(make(1_000))
    for number in range(1, 6):
        routed(make(number))
    assert len(routed.events) == 1
    clock(1.9)
    routed(make(6))
    assert len(routed.events) == 1
    clock(0.2)
    routed(make(7))
    routed(make(8))
    assert len(routed.events) == 3
    routed(make(8))
    assert routed.counts == {"stale": 7}


def test_something_newer_ends_the_doubt(routed: Routed, clock: Callable[[float], None]) -> None:
    """A single old frame long ago does not let another old one in."""
    routed(quote(1_000))
    routed(quote(5))
    routed(quote(1_001))
    clock(10.0)
    routed(quote(6))
    routed(quote(7))
    assert routed.counts == {"stale": 3}


# -- the gate ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "bad", "good"),
    [
        ("crossed", quote(2, "102.0", "101.0"), quote(3)),
        ("zero", quote(2, "0"), quote(3)),
        ("negative", quote(2, "-1"), quote(3)),
        ("huge", quote(2, ask="1e13"), quote(3)),
        ("volume", quote(2, B="-1"), quote(3)),
        ("day", day(c="0"), day(AT_MS + 1)),
        ("day time", day(10**18), day(AT_MS + 1)),
        ("trade", trade(2, p="0"), trade(3)),
        ("trade time", trade(2, T=0), trade(3)),
        ("bar", candle(h="0"), candle(AT_MS + 1)),
        ("bar time", candle(t=0), candle(AT_MS + 1)),
    ],
)
def test_numbers_that_cannot_be_are_rejected_and_the_next_are_told(
    routed: Routed, kind: str, bad: bytes, good: bytes
) -> None:
    """A bad number never reaches a strategy, and moves no mark."""
    routed(bad)
    assert routed.events == []
    assert routed.counts == {"rejected": 1}
    routed(good)
    assert len(routed.events) == 1


@pytest.mark.parametrize("spelt", ["NaN", "Infinity", "1e400", "\uff11", "", " 5 ", "1_0"])
@pytest.mark.parametrize("make", ["b", "c", "p"])
def test_what_is_no_number_never_becomes_a_price(routed: Routed, make: str, spelt: str) -> None:
    """Rejected by the gate or malformed to the decoder: told it is not."""
    frames = {"b": quote(1, spelt), "c": day(c=spelt), "p": trade(1, p=spelt)}
    routed(frames[make])
    assert routed.events == []
    assert sum(routed.counts.values()) == 1
    assert set(routed.counts) <= {"rejected", "malformed"}


def test_a_rejected_quote_is_logged_once_per_episode(
    routed: Routed, caplog: pytest.LogCaptureFixture
) -> None:
    """A thousand bad quotes are two lines: the first bad one, and the first good one after."""
    with caplog.at_level("INFO", logger="foxtrot"):
        for episode in (1_000, 2_000):
            for number in range(episode, episode + 50):
                routed(quote(number, "102.0"))
            routed(quote(episode + 99))
    lines = [record.getMessage() for record in caplog.records]
    assert lines == 2 * [
        "numbers_rejected venue=BINANCE symbol=BTCUSDT reason=crossed: bid above ask",
        "numbers_believed_again venue=BINANCE symbol=BTCUSDT rejected=50",
    ]
    assert routed.counts == {"rejected": 100}


# -- books ------------------------------------------------------------------------------------


def test_a_gap_asks_for_a_snapshot_and_hides_the_levels(routed: Routed) -> None:
    """A book that misses a difference is not shown, neither by itself nor on a tick."""
    routed.router.snapshot("BTCUSDT", snapshot(10))
    routed(depth(12, 12))
    assert routed.gaps == ["BTCUSDT"]
    routed(quote(1))
    assert isinstance(routed.last, TickData)
    assert (routed.last.bids, routed.last.asks) == ((), ())
    assert routed.router.levels("BTCUSDT", 5) is None
    assert routed.router.snapshot("BTCUSDT", snapshot(12))
    routed(depth(13, 13))
    assert routed.router.levels("BTCUSDT", 1) == (((100.0, 1.0),), ((101.0, 2.0),))


def test_a_crossed_book_is_thrown_away(routed: Routed) -> None:
    """It cannot be right: rejected, and fetched anew."""
    routed.router.snapshot("BTCUSDT", snapshot(10))
    told = len(routed.events)
    routed(depth(11, 11, "101.5"))
    assert len(routed.events) == told
    assert (routed.gaps, routed.counts) == (["BTCUSDT"], {"rejected": 1})


def test_a_difference_that_is_in_the_snapshot_is_stale(routed: Routed) -> None:
    """It is told already."""
    routed.router.snapshot("BTCUSDT", snapshot(10))
    routed(depth(9, 10))
    assert routed.counts == {"stale": 1}


def test_a_snapshot_with_bad_numbers_is_refused(routed: Routed) -> None:
    """Another one is asked for."""
    bad = mapping.DepthSnapshot(10, [(-1.0, 5.0)], [])
    assert not routed.router.snapshot("BTCUSDT", bad)
    assert routed.events == []


def test_a_snapshot_nobody_wants_any_more_is_no_trouble(routed: Routed) -> None:
    """It was on its way while the stream was given back."""
    routed.router.depths.clear()
    assert routed.router.snapshot("BTCUSDT", snapshot(10))
    assert routed.events == []


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


# -- malformed --------------------------------------------------------------------------------

GARBAGE = [
    b"", b"nonsense", b"\x00", b"\xff\xfe", b"[]", b"null", b"5", b'"text"', b"{", b'{"u":', b"}",
    quote(1)[:-1], day()[:-1], trade(1)[:-1], candle()[:-1], depth(1, 1)[:-1],
    b'{"u":1}', b'{"u":1,"s":"BTCUSDT"}', b'{"e":"trade"}', b'{"e":"kline","E":1,"s":"A"}',
    b'{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":1,"b":null,"a":[]}',
    b'{"e":5}', b'{"e":null}', b'{"e":"\xff"}', b'{"u":1,"s":"\xff"}',
    b'{"stream":"\xc3","data":1}', b'{"e":"\\ud800"}', b'{"stream":"x","data":null}',
    b'{"stream":"x","data":[]}',
    b"[" * 100_000, b'{"e":' * 100_000, b'{"u":' * 100_000, b'{"u":' + b"9" * 5_000 + b"}",
    b"\xef\xbb\xbf{}", "{}".encode("utf-16"),
]  # fmt: skip


@pytest.mark.parametrize("frame", GARBAGE, ids=range(len(GARBAGE)))
def test_a_frame_that_cannot_be_read_costs_itself_only(routed: Routed, frame: bytes) -> None:
    """It is counted, and the next good frame is told."""
    routed(frame)
    assert (routed.events, routed.counts) == ([], {"malformed": 1})
    routed(quote(1))
    assert len(routed.events) == 1


def test_malformed_frames_are_one_line_a_minute(
    routed: Routed, clock: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    """The line says how large it was and what is wrong, and shows nothing of its content."""
    with caplog.at_level("INFO", logger="foxtrot"):
        for _ in range(5):
            routed(b"signature=canary")
        clock(61.0)
        routed(b'{"e":"trade","x":"canary"}')
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert "(16 bytes, sha256 " in lines[0]
    assert lines[0].endswith("not JSON")
    assert lines[1].endswith("wrong fields")
    assert "canary" not in caplog.text


def test_more_than_ten_malformed_frames_in_a_minute_end_the_session(
    routed: Routed, clock: Callable[[float], None]
) -> None:
    """Ten are borne; the eleventh says that the connection is rotten."""
    for _ in range(10):
        routed(b"nonsense")
        clock(5.9)
    assert routed.rotten == []
    routed(b"nonsense")
    (error,) = routed.rotten
    assert (error.venue, error.size, error.problem) == ("BINANCE", 8, "not JSON")


def test_malformed_frames_now_and_then_are_borne(
    routed: Routed, clock: Callable[[float], None]
) -> None:
    """Ten in every minute, for an hour."""
    for _ in range(600):
        routed(b"nonsense")
        clock(6.0)
    assert routed.rotten == []
    assert routed.counts == {"malformed": 600}


# -- other events -----------------------------------------------------------------------------


def test_an_announced_shutdown_is_passed_on(routed: Routed) -> None:
    """The session can move before the connection is cut."""
    routed(b'{"e":"serverShutdown","E":1}')
    assert routed.shutdowns == 1
    assert routed.counts == {"control": 1}


def test_an_unknown_event_is_logged_once_per_kind(
    routed: Routed, caplog: pytest.LogCaptureFixture
) -> None:
    """New kinds appear at venues; they are counted and do no harm."""
    with caplog.at_level("INFO", logger="foxtrot"):
        for kind in ("newKind", "newKind", "other"):
            routed(text({"e": kind, "s": "BTCUSDT", "u": 5}))
    assert [record.getMessage() for record in caplog.records] == [
        "unknown_event venue=BINANCE kind=newKind",
        "unknown_event venue=BINANCE kind=other",
    ]
    assert routed.counts == {"ignored": 3}


def test_a_venue_that_invents_kinds_does_not_flood_the_log(
    routed: Routed, caplog: pytest.LogCaptureFixture
) -> None:
    """A hundred kinds are enough to know."""
    with caplog.at_level("INFO", logger="foxtrot"):
        for number in range(300):
            routed(text({"e": f"kind{number}"}))
    assert len(caplog.records) == 100
    assert routed.counts == {"ignored": 300}


@pytest.mark.parametrize("hostile", ["\x1b[2J\x1b]0;x\x07", "a\nb", "\u202egnp", "x" * 100_000])
def test_hostile_text_reaches_no_terminal(
    routed: Routed, hostile: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A log line is one short printable line, whatever the venue calls its events."""
    with caplog.at_level("INFO", logger="foxtrot"):
        routed(text({"e": hostile}))
        routed(text({"u": 1, "s": hostile, "b": "1", "B": "1", "a": "2", "A": "1"}))
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.isprintable()
    assert len(line) < 400


# -- what the streams have said ---------------------------------------------------------------


def test_activity_shows_which_stream_brings_something(routed: Routed) -> None:
    """Each stream has a number of its own that changes with its frames only."""
    keys = [
        StreamKey(Channel.TICK, "BTCUSDT"),
        StreamKey(Channel.DEPTH, "BTCUSDT"),
        StreamKey(Channel.TRADE, "BTCUSDT"),
        StreamKey(Channel.BAR, "BTCUSDT", "1m"),
    ]
    for key, frame in zip(keys, [quote(5), depth(1, 1), trade(1), candle()], strict=True):
        before = {each: routed.router.activity(each) for each in keys}
        assert not routed.router.flows(key)
        routed(frame)
        assert routed.router.flows(key)
        changed = [each for each in keys if routed.router.activity(each) != before[each]]
        assert changed == [key]
    assert routed.router.quoted("BTCUSDT") == (100.0, 101.0)
    assert routed.router.quoted("ETHUSDT") is None
