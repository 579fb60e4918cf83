"""What ccxt's watch calls return, as the frames that it was made of: one router for both paths.

ccxt keeps the venue's message in `info`, but for books and bars: those are put together again. So
the gate, the marks and the counts are those of the fast path. What is lost is what ccxt does not
keep: of several messages between two calls the older ones (but for trades), the turnover of a bar,
and its end, which is known when the next one begins.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import msgspec

from foxtrot.adapter.binance import mapping
from foxtrot.adapter.binance.frames import FrameRouter
from foxtrot.gateway.counters import FeedCounters

Info = Mapping[str, object]


class SdkFrames:
    """Tells the router what is new in what ccxt knows.

    Args:
        frames: The router.
        counters: Where what comes is counted.
        levels: How many levels of a book are handed over.
    """

    def __init__(self, frames: FrameRouter, counters: FeedCounters, levels: int) -> None:
        self._frames, self._counters, self._levels = frames, counters, levels
        self._told: dict[tuple[str, str], object] = {}
        self._moving: dict[tuple[str, str], object] = {}
        self._moment_ms = 0

    def quotes(self, tickers: Mapping[str, Info]) -> None:
        """Best bids and asks: ccxt returns all of a list, changed or not."""
        for info in self._news("quote", tickers):
            self._frames.on_quote(self._frame(info))

    def days(self, tickers: Mapping[str, Info]) -> None:
        """24 h tickers, likewise."""
        for info in self._news("day", tickers):
            self._frames.on_other(self._frame(info))

    def trades(self, symbol: str, tape: Sequence[Info]) -> None:
        """The prints after the last one that was told."""
        last, news = self._told.get(("trade", symbol)), list[Info]()
        for trade in reversed(tape):
            if trade is last:
                break
            news.append(trade)
        for trade in reversed(news):
            self._told["trade", symbol] = trade
            self._frames.on_other(self._frame(trade["info"]))

    def book(self, symbol: str, book: Mapping[str, object]) -> None:
        """The book as ccxt keeps it."""
        best = {"lastUpdateId": book["nonce"]}
        for side in ("bids", "asks"):
            levels = book[side]
            best[side] = levels[: self._levels] if isinstance(levels, list) else levels
        frame = self._frame(best)
        try:
            whole = msgspec.json.decode(frame, type=mapping.DepthSnapshot)
        except msgspec.ValidationError as error:
            self._frames.malformed(frame, error)
            return
        slot = self._frames.depths.get(symbol)
        if slot is None:
            self._counters.ignored += 1
            return
        if slot.mark.is_old(whole.lastUpdateId, slot.heard()):
            self._counters.stale += 1
            return
        at = book["timestamp"]
        event_ms = at if isinstance(at, int) and not mapping.bad_times(at) else 0
        if self._frames.snapshot(symbol, whole, event_ms):
            slot.mark.at = whole.lastUpdateId

    def bars(self, symbol: str, interval: str, rows: Sequence[Sequence[object]]) -> None:
        """The newest bar; before it the one that was the newest, which is final now."""
        name = symbol, interval
        newest = rows[-1]
        before = rows[-2] if len(rows) > 1 else newest
        if before[0] != newest[0] and before[0] == self._moving.get(name):
            self._bar(symbol, interval, before, closed=True)
        self._moving[name] = newest[0]
        self._bar(symbol, interval, newest, closed=False)

    def _bar(self, symbol: str, interval: str, row: Sequence[object], *, closed: bool) -> None:
        start, first, high, low, last, volume = row
        # ccxt drops the moment of the message; ours orders them as well.
        self._moment_ms = max(self._moment_ms + 1, time.time_ns() // mapping.NS_PER_MS)
        candle = {
            "t": start, "s": symbol, "i": interval, "o": first, "h": high, "l": low, "c": last,
            "v": volume, "q": 0.0, "x": closed,
        }  # fmt: skip
        frame = {"e": "kline", "E": self._moment_ms, "s": symbol, "k": candle}
        self._frames.on_other(self._frame(frame))

    def _news(self, part: str, tickers: Mapping[str, Info]) -> list[object]:
        news = []
        for symbol, ticker in tickers.items():
            info = ticker["info"]
            if self._told.get((part, symbol)) is not info:
                self._told[part, symbol] = info
                news.append(info)
        return news

    def _frame(self, message: object) -> bytes:
        self._counters.received += 1
        return msgspec.json.encode(message)
