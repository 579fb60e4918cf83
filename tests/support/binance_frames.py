"""A router of Binance's frames with all that it says, and frames as the venue writes them."""

from __future__ import annotations

import json

import msgspec

from foxtrot.adapter.binance import mapping
from foxtrot.adapter.binance.frame_types import QUOTE_PREFIX
from foxtrot.adapter.binance.frames import FrameRouter, StreamSlot, TickSlot
from foxtrot.adapter.binance.marks import Mark
from foxtrot.errors import MalformedMessage
from foxtrot.gateway.counters import FeedCounters
from foxtrot.model.constants import Exchange, Interval, Lane
from foxtrot.model.events import Event
from foxtrot.model.objects import Source

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
    ticker = mapping.RestTicker(
        symbol="BTCUSDT", lastPrice=last, lastQty=0.5, openPrice=60.0, highPrice=80.0,
        lowPrice=50.0, volume=7.0, quoteVolume=490.0, prevClosePrice=68.0, bidPrice=69.0,
        bidQty=1.0, askPrice=71.0, askQty=1.0, closeTime=ms,
    )  # fmt: skip
    return msgspec.structs.replace(ticker, **more)
