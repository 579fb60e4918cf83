"""One contract's book, kept row by row as TWS tells it. Pure.

TWS names rows by their place: insert, change or remove row n of a side. Rows of several exchanges
or market makers may share a price; what is shown are prices, best first.
Source: TWS API, "Market Depth (Level II)".
"""

from __future__ import annotations

from foxtrot.model.objects import Levels

INSERT, CHANGE, REMOVE = range(3)
ASKS, BIDS = range(2)


class DepthBook:
    """Bids and asks by row.

    Args:
        rows: How many rows of a side were asked for; those beyond fall off.
    """

    __slots__ = ("_rows", "_sides")

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._sides: tuple[list[tuple[float, float]], list[tuple[float, float]]] = ([], [])

    def apply(self, row: int, operation: int, side: int, price: float, size: float) -> bool:
        """Take one change; False if it fits no book of ours: the book has to be asked for again."""
        if side not in (ASKS, BIDS) or not 0 <= row < self._rows:
            return False
        levels = self._sides[side]
        if operation == REMOVE:
            del levels[row : row + 1]  # a row that fell off before may be removed again
            return True
        if operation not in (INSERT, CHANGE) or row > len(levels):
            return False
        if operation == INSERT:
            levels.insert(row, (price, size))
            del levels[self._rows :]
        else:
            levels[row : row + 1] = [(price, size)]
        return True

    def clear(self) -> None:
        """Forget everything."""
        for levels in self._sides:
            levels.clear()

    def best(self, count: int) -> tuple[Levels, Levels]:
        """The best `count` prices of bids and asks with what all rows offer there."""
        return _merged(self._sides[BIDS], count), _merged(self._sides[ASKS], count)

    def crossed(self) -> bool:
        """Whether the best bid is above the best ask, as it is in the midst of several changes."""
        asks, bids = self._sides
        return bool(bids and asks and bids[0][0] > asks[0][0])


def _merged(levels: list[tuple[float, float]], count: int) -> Levels:
    merged: dict[float, float] = {}
    for price, size in levels:
        merged[price] = merged.get(price, 0.0) + size
    return tuple(merged.items())[:count]
