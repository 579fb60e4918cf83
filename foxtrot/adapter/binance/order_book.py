"""One symbol's book, kept from a snapshot and the differences after it. Pure.

Rules: Binance spot API documents, "How to manage a local order book correctly".
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from enum import Enum
from math import inf

from foxtrot.model.objects import Levels

Change = Sequence[tuple[float, float]]

_BUFFERED = 1000
"""Differences kept while a snapshot is on its way: 100 s of them."""

_DOUBTS = 50
"""Old differences in a row, 5 s of them, until the venue is believed to count anew."""


class Outcome(Enum):
    """What a difference did to the book."""

    APPLIED = "applied"
    OLD = "old"
    BUFFERED = "buffered"
    GAP = "gap"


class Side:
    """Bids or asks, by rising price; two lists beat any tree at the length of a book."""

    __slots__ = ("levels", "prices")

    def __init__(self, levels: Change = ()) -> None:
        held = {price: (price, volume) for price, volume in levels if volume}
        self.prices = sorted(held)
        self.levels = [held[price] for price in self.prices]

    def apply(self, changes: Change) -> None:
        """Set the volumes of some prices; 0 takes the level away."""
        prices, levels = self.prices, self.levels
        for level in changes:
            price, volume = level
            at = bisect_left(prices, price)
            if at < len(prices) and prices[at] == price:
                if volume:
                    levels[at] = level
                else:
                    del prices[at], levels[at]
            elif volume:
                prices.insert(at, price)
                levels.insert(at, level)


class OrderBook:
    """Invalid until a snapshot came, and again after a gap; then a new snapshot is needed."""

    def __init__(self) -> None:
        self._bids, self._asks = Side(), Side()
        self._waiting: list[tuple[int, int, Change, Change]] = []
        self._last_id = self._olds = 0
        self._told_id = -1
        self._lowest, self._highest = 0.0, inf
        self.valid = False

    def difference(self, first_id: int, last_id: int, bids: Change, asks: Change) -> Outcome:
        """Take the changes from update `first_id` to `last_id`."""
        if not self.valid:
            del self._waiting[: -_BUFFERED + 1]
            self._waiting.append((first_id, last_id, bids, asks))
            return Outcome.BUFFERED
        old = last_id <= self._last_id
        self._olds = self._olds + 1 if old else 0
        if old and self._olds < _DOUBTS:
            return Outcome.OLD
        if old or first_id > self._last_id + 1:
            self.invalidate()
            self._waiting.append((first_id, last_id, bids, asks))
            return Outcome.GAP
        self._apply(last_id, bids, asks)
        return Outcome.APPLIED

    def snapshot(self, last_id: int, bids: Change, asks: Change, asked: int = 0) -> bool:
        """Start from a snapshot; False if it is older than what waits: another is needed.

        Args:
            last_id: The update that it was made after.
            bids: Best first.
            asks: Best first.
            asked: How many levels a side were asked for: one that has as many may go on. 0 of a
                book that somebody else keeps, whole and in step with the stream.
        """
        newer = [change for change in self._waiting if change[1] > last_id]
        if newer and newer[0][0] > last_id + 1:
            return False
        self._bids, self._asks = Side(bids), Side(asks)
        self._lowest = bids[-1][0] if 0 < asked <= len(bids) else 0.0
        self._highest = asks[-1][0] if 0 < asked <= len(asks) else inf
        self._last_id, self._olds, self.valid, self._waiting = last_id, 0, True, []
        self._told_id = self._told_id if asked else last_id
        # All of them, also past a gap: those wait for the next snapshot.
        return Outcome.GAP not in [self.difference(*change) for change in newer]

    def invalidate(self) -> None:
        """Forget everything; the next snapshot starts afresh."""
        self.valid = False
        self._waiting = []

    @property
    def number(self) -> int:
        """The last update that the stream brought; -1 while the book is not valid.

        A snapshot that was asked for leaves it as it is: it is no sign of life of the stream.
        """
        return self._told_id if self.valid else -1

    def best(self, levels: int) -> tuple[Levels, Levels]:
        """The best `levels` bids and asks, best first."""
        return tuple(self._bids.levels[: -levels - 1 : -1]), tuple(self._asks.levels[:levels])

    def reaches(self, levels: int) -> bool:
        """Whether the best `levels` are known: beyond its snapshot only what changed since is."""
        bids, asks = self._bids.prices, self._asks.prices
        low = bids[-levels] if len(bids) >= levels else 0.0
        high = asks[levels - 1] if len(asks) >= levels else inf
        return self._lowest <= low and high <= self._highest

    def crossed(self) -> bool:
        """Whether the best bid is at or above the best ask: the book cannot be right."""
        bids, asks = self._bids.prices, self._asks.prices
        return bool(bids and asks and bids[-1] >= asks[0])

    def _apply(self, last_id: int, bids: Change, asks: Change) -> None:
        self._bids.apply(bids)
        self._asks.apply(asks)
        self._last_id = self._told_id = last_id
