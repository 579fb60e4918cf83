"""What ccxt's watch calls return, told once and through the same gate as a frame."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from foxtrot.adapter.binance.frames import FrameRouter, StreamSlot, TickSlot
from foxtrot.adapter.binance.marks import Mark
from foxtrot.adapter.binance.sdk_frames import SdkFrames
from foxtrot.gateway.counters import FeedCounters
from foxtrot.model.constants import Channel, Exchange, Interval, Lane
from foxtrot.model.events import Event
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import BarData, DepthData, MarketTradeData, Source, TickData

BTC = Source.of("BTCUSDT", Exchange.BINANCE, "BINANCE")
NOON = 1_785_000_000_000
MINUTE = 60_000


def ignore(*_: object) -> None:
    """Nobody listens."""


class Told:
    """A router with every slot of one symbol, and what it put."""

    def __init__(self) -> None:
        self.counters, self.events = FeedCounters(), list[Event]()
        frames = FrameRouter(
            "BINANCE", self.counters, self.events.append,
            levels=2, on_gap=ignore, on_rotten=ignore, on_shutdown=lambda: None,
        )  # fmt: skip
        lane = Lane.BOUNDED
        frames.ticks["BTCUSDT"] = TickSlot(BTC, lane, Mark(), Mark())
        frames.depths["BTCUSDT"] = StreamSlot(BTC, lane, Mark())
        frames.trades["BTCUSDT"] = StreamSlot(BTC, lane, Mark())
        frames.bars["BTCUSDT", "1m"] = StreamSlot(BTC, lane, Mark(), Interval.MINUTE)
        self.frames, self.sdk = frames, SdkFrames(frames, self.counters, 2)

    def data(self) -> list[object]:
        """What was put since the last look; the books balance."""
        c = self.counters
        rest = c.rejected + c.malformed + c.stale + c.ignored + c.held + c.control
        taken = [event.data for event in self.events]
        assert c.received == rest + len(taken)
        c.received -= len(taken)
        self.events.clear()
        return taken


@pytest.fixture
def told() -> Told:
    """Nothing told yet."""
    return Told()


def quote(number: int, bid: object = "100.0") -> dict[str, dict[str, object]]:
    """ccxt's answer for one symbol."""
    info = {"u": number, "s": "BTCUSDT", "b": bid, "B": "1", "a": "101.0", "A": "2"}
    return {"BTC/USDT": {"symbol": "BTC/USDT", "bid": 100.0, "info": info}}


def day(at: int) -> dict[str, dict[str, object]]:
    """ccxt's answer for one symbol, with the venue's numbers."""
    numbers = dict.fromkeys(("c", "o", "h", "l", "x", "b"), "100.0")
    info = {"e": "24hrTicker", "E": at, "s": "BTCUSDT", **numbers,
            "a": "101.0", "Q": "1", "v": "12", "q": "1200", "B": "1", "A": "1"}  # fmt: skip
    return {"BTC/USDT": {"info": info}}


def trade(number: int) -> dict[str, object]:
    """A print as ccxt keeps it."""
    info = {"e": "trade", "E": NOON, "s": "BTCUSDT", "t": number, "p": "100", "q": "1",
            "T": NOON, "m": True}  # fmt: skip
    return {"id": str(number), "info": info}


def book(nonce: object, bid: object = 100.0) -> dict[str, object]:
    """A book as ccxt keeps it: more levels than are wanted."""
    bids = [[bid, 1.0], [99.0, 1.0], [98.0, 1.0]]
    asks = [[101.0, 1.0], [102.0, 1.0], [103.0, 1.0]]
    return {"bids": bids, "asks": asks, "nonce": nonce, "timestamp": NOON}


def row(start: int, last: float = 101.0) -> Sequence[object]:
    """A bar as ccxt keeps it."""
    return [start, 100.0, 102.0, 99.0, last, 5.0]


def test_of_a_list_only_what_changed_is_told(told: Told) -> None:
    """ccxt returns the whole list whenever one of it changes."""
    one = quote(1)
    told.sdk.quotes(one)
    told.sdk.quotes(one)
    told.sdk.quotes(quote(2))
    ticks = told.data()
    assert len(ticks) == 2
    assert isinstance(ticks[0], TickData)
    assert (ticks[0].bid_price_1, ticks[0].ask_volume_1) == (100.0, 2.0)


def test_the_day_is_merged_into_the_tick(told: Told) -> None:
    """As on the fast path: the best prices of the one, the statistics of the other."""
    told.sdk.quotes(quote(1))
    told.sdk.days(day(NOON))
    tick = told.data()[-1]
    assert isinstance(tick, TickData)
    assert (tick.volume, tick.bid_price_1, tick.ts_event_ns) == (12.0, 100.0, NOON * 1_000_000)


@pytest.mark.parametrize("bid", ["102.0", "-1", "1e13"])
def test_the_gate_is_the_same(told: Told, bid: str) -> None:
    """Crossed, negative, absurd."""
    told.sdk.quotes(quote(1, bid))
    assert told.data() == []
    assert told.counters.rejected == 1


def test_what_is_older_than_what_was_told_is_dropped(told: Told) -> None:
    """Quotes, prints and books have numbers."""
    told.sdk.quotes(quote(5))
    told.sdk.trades("BTCUSDT", [trade(5)])
    told.sdk.book("BTCUSDT", book(5))
    assert len(told.data()) == 3
    told.sdk.quotes(quote(4))
    told.sdk.trades("BTCUSDT", [trade(4)])
    told.sdk.book("BTCUSDT", book(4))
    assert told.data() == []
    assert told.counters.stale == 3


def test_all_new_prints_are_told_in_order(told: Told) -> None:
    """ccxt returns all that it keeps; what was told is not told again, what fell out is no loss."""
    tape = [trade(n) for n in range(1, 4)]
    told.sdk.trades("BTCUSDT", tape)
    tape = [*tape[2:], trade(4), trade(5)]
    told.sdk.trades("BTCUSDT", tape)
    told.sdk.trades("BTCUSDT", tape)
    prints = told.data()
    assert [t.tradeid for t in prints if isinstance(t, MarketTradeData)] == list("12345")


def test_each_book_is_a_sign_of_life(told: Told) -> None:
    """It moves with the stream, unlike one that is asked for."""
    key = StreamKey(Channel.DEPTH, "BTCUSDT", Exchange.BINANCE)
    seen = [told.frames.activity(key)]
    for nonce in (7, 8):
        told.sdk.book("BTCUSDT", book(nonce))
        seen.append(told.frames.activity(key))
    assert len(set(seen)) == 3


def test_the_best_of_a_book_is_told(told: Told) -> None:
    """As many levels as are wanted, with the venue's time; the tick knows them too."""
    told.sdk.book("BTCUSDT", book(7))
    told.sdk.quotes(quote(1))
    depth, tick = told.data()
    assert isinstance(depth, DepthData)
    assert depth.bids == ((100.0, 1.0), (99.0, 1.0))
    assert depth.asks == ((101.0, 1.0), (102.0, 1.0))
    assert depth.ts_event_ns == NOON * 1_000_000
    assert isinstance(tick, TickData)
    assert tick.bids == depth.bids


@pytest.mark.parametrize("at", [None, 10**18, "x"])
def test_a_book_without_a_time_has_none(told: Told, at: object) -> None:
    """Right after the snapshot ccxt knows none."""
    told.sdk.book("BTCUSDT", {**book(7), "timestamp": at})
    (depth,) = told.data()
    assert isinstance(depth, DepthData)
    assert depth.ts_event_ns == 0


@pytest.mark.parametrize(
    ("wrong", "counted"),
    [
        (book(7, bid=105.0), "rejected"),
        (book(7, bid=-1.0), "rejected"),
        (book(7, bid=None), "malformed"),
        (book(None), "malformed"),
        ({**book(7), "asks": None}, "malformed"),
    ],
)
def test_a_book_that_cannot_be_is_not_told(
    told: Told, wrong: dict[str, object], counted: str
) -> None:
    """Refused by the gate, or not even readable; the next good one is told."""
    told.sdk.book("BTCUSDT", wrong)
    assert told.data() == []
    assert getattr(told.counters, counted) == 1
    told.sdk.book("BTCUSDT", book(7))
    assert len(told.data()) == 1


def test_a_bar_closes_when_the_next_begins(told: Told) -> None:
    """With its last numbers; ccxt does not say more of its end."""
    told.sdk.bars("BTCUSDT", "1m", [row(NOON)])
    told.sdk.bars("BTCUSDT", "1m", [row(NOON, 99.5)])
    told.sdk.bars("BTCUSDT", "1m", [row(NOON, 100.5), row(NOON + MINUTE)])
    told.sdk.bars("BTCUSDT", "1m", [row(NOON, 100.5), row(NOON + MINUTE, 101.5)])
    bars = [bar for bar in told.data() if isinstance(bar, BarData)]
    assert [(bar.datetime.minute, bar.close_price, bar.closed) for bar in bars] == [
        (20, 101.0, False), (20, 99.5, False), (20, 100.5, True),
        (21, 101.0, False), (21, 101.5, False),
    ]  # fmt: skip


def test_a_bar_that_was_never_seen_moving_is_not_closed(told: Told) -> None:
    """What ended before the stream began is history."""
    told.sdk.bars("BTCUSDT", "1m", [row(NOON), row(NOON + MINUTE)])
    (bar,) = told.data()
    assert isinstance(bar, BarData)
    assert not bar.closed


def test_what_nobody_wants_any_more_is_counted(told: Told) -> None:
    """The last answer may come after the stream was given back."""
    told.frames.ticks.clear()
    told.frames.depths.clear()
    told.frames.bars.clear()
    told.sdk.quotes(quote(1))
    told.sdk.book("BTCUSDT", book(1))
    told.sdk.bars("BTCUSDT", "1m", [row(NOON)])
    assert told.data() == []
    assert told.counters.ignored == 3
