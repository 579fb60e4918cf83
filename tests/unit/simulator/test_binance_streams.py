"""Which streams there are, and when they speak."""

from __future__ import annotations

import json

import pytest

from foxtrot.simulator.binance_streams import Publisher, parse_stream
from foxtrot.simulator.market import Market

START = 1_790_000_000_000


@pytest.mark.parametrize(
    ("name", "parsed"),
    [
        ("btcusdt@bookTicker", ("BTCUSDT", "bookTicker")),
        ("btcusdt@depth@100ms", ("BTCUSDT", "depth@100ms")),
        ("btcusdt@depth5", ("BTCUSDT", "depth5")),
        ("btcusdt@kline_1m", ("BTCUSDT", "kline_1m")),
        ("BTCUSDT@bookTicker", None),
        ("btcusdt@depth7", None),
        ("btcusdt@kline_7m", None),
        ("btcusdt", None),
        ("", None),
    ],
)
def test_a_stream_name_is_symbol_and_channel(name: str, parsed: tuple | None) -> None:
    """Names are lower-case and of the documented channels; others are no streams."""
    assert parse_stream(name) == parsed


class Desk:
    """A publisher with its market, and what it sent."""

    def __init__(self, *symbols: str) -> None:
        self.market = Market.of(symbols or ("BTCUSDT",), seed=5, now_ms=START)
        self.sent: list[dict] = []
        self.publisher = Publisher(self.market, self.take)

    def take(self, stream: str, symbol: str, channel: str, frame: bytes) -> None:
        self.sent.append(json.loads(frame))

    def run(self, steps: int, *, every_ms: int = 100) -> list[dict]:
        """Advance, publish, and return what was sent meanwhile."""
        self.sent = []
        for _ in range(steps):
            step = self.market.tick("BTCUSDT", self.market.now_ms("BTCUSDT") + every_ms)
            self.publisher.publish(step, step.time_ms)
        return self.sent


@pytest.mark.parametrize(
    ("channel", "frames"),
    [
        ("bookTicker", 100),
        ("ticker", 10),
        ("miniTicker", 10),
        ("avgPrice", 10),
        ("depth", 10),
        ("depth@100ms", 100),
        ("depth10", 10),
        ("depth10@100ms", 100),
        ("kline_1m", 5),
    ],
)
def test_each_channel_has_its_pace(channel: str, frames: int) -> None:
    """After its first word every channel speaks as often as documented: here in ten seconds."""
    desk = Desk()
    assert desk.publisher.open(f"btcusdt@{channel}")
    assert len(desk.run(1)) == 1
    assert len(desk.run(100)) == frames


def test_an_unknown_stream_is_accepted_and_silent() -> None:
    """As at the real venue, a wrong name is not an error, but nothing comes."""
    desk = Desk()
    assert not desk.publisher.open("xyzusdt@bookTicker")
    assert not desk.publisher.open("nonsense")
    desk.publisher.close("xyzusdt@bookTicker")
    desk.publisher.close("nonsense")
    assert desk.run(10) == []


def test_the_stream_of_all_symbols_speaks_once_a_second_of_those_that_moved() -> None:
    """What `watch_tickers` of an SDK listens to, if it is given no symbols."""
    desk = Desk("BTCUSDT", "ETHUSDT")
    assert desk.publisher.open("!miniTicker@arr") == ("BTCUSDT", "ETHUSDT")
    desk.run(1)
    frames = desk.run(100)
    assert len(frames) == 10
    assert {(row["e"], row["s"]) for frame in frames for row in frame} == {
        ("24hrMiniTicker", "BTCUSDT")
    }
    desk.publisher.close("!miniTicker@arr")
    assert desk.run(20) == []


def test_a_closed_stream_is_silent() -> None:
    """After `close` nothing more is sent."""
    desk = Desk()
    desk.publisher.open("btcusdt@bookTicker")
    desk.publisher.close("btcusdt@bookTicker")
    assert desk.run(10) == []


@pytest.mark.parametrize("channel", ["depth", "depth@100ms"])
def test_depth_updates_follow_one_another(channel: str) -> None:
    """Each update's U is the last one's u plus 1, and a book kept from them is the venue's."""
    desk = Desk()
    desk.publisher.open(f"btcusdt@{channel}")
    book = desk.market.book("BTCUSDT")
    bids, asks = dict(book.bids), dict(book.asks)
    last = book.update_id
    for event in desk.run(101, every_ms=100):
        assert event["U"] == last + 1
        last = event["u"]
        for side, rows in ((bids, event["b"]), (asks, event["a"])):
            for price, quantity in rows:
                side[e8(price)] = e8(quantity)
    assert last <= desk.market.book("BTCUSDT").update_id
    if channel == "depth@100ms":
        now = desk.market.book("BTCUSDT")
        assert {p: q for p, q in bids.items() if q} == dict(now.bids)
        assert {p: q for p, q in asks.items() if q} == dict(now.asks)


def e8(text: str) -> int:
    whole, _, part = text.partition(".")
    return int(whole) * 10**8 + int(part)


def test_the_book_ticker_carries_the_books_update_id() -> None:
    """`u` is the id of the book that a depth update ends with."""
    desk = Desk()
    desk.publisher.open("btcusdt@bookTicker")
    desk.publisher.open("btcusdt@depth@100ms")
    ticker, depth = desk.run(1)
    assert ticker["u"] == depth["u"]


def test_a_bar_ends_with_its_last_word() -> None:
    """Before a new bar's first frame comes the old one's last, closed, at its final price."""
    desk = Desk()
    desk.publisher.open("btcusdt@kline_1m")
    bars = [event["k"] for event in desk.run(1_300)]
    closed = [bar for bar in bars if bar["x"]]
    assert [bar["t"] % 60_000 for bar in closed] == [0] * len(closed)
    assert len(closed) == 2
    assert closed[0]["t"] + 60_000 == closed[1]["t"]
    assert all(not bar["x"] for bar in bars[-3:])
    final = desk.market.bar("BTCUSDT", "1m", closed[1]["t"])
    assert closed[1]["L"] == final.last_id


def test_events_look_like_binances() -> None:
    """A book ticker starts with u, an event with e; spot's book ticker has no time."""
    desk = Desk()
    frames: list[bytes] = []
    desk.publisher = Publisher(desk.market, lambda *args: frames.append(args[3]))
    for channel in ("bookTicker", "trade", "aggTrade", "ticker", "miniTicker", "depth", "kline_1s"):
        desk.publisher.open(f"btcusdt@{channel}")
    desk.run(20)
    starts = {bytes(frame[:5]) for frame in frames}
    assert starts == {b'{"u":', b'{"e":'}
    ticker = next(json.loads(frame) for frame in frames if frame[:5] == b'{"u":')
    assert list(ticker) == ["u", "s", "b", "B", "a", "A"]
    kinds = {json.loads(frame).get("e") for frame in frames} - {None}
    assert kinds == {"trade", "aggTrade", "24hrTicker", "24hrMiniTicker", "depthUpdate", "kline"}
