"""What a connection makes of what comes: it is sorted, and rows of unreadable frames are told."""

from __future__ import annotations

import itertools

import pytest

from foxtrot.adapter.binance.connection import Connection, Unreadable
from foxtrot.adapter.binance.frames import FrameRouter
from tests.support.binance_frames import Routed, candle, day, depth, quote, trade

GOOD = {
    "bookTicker": quote, "24hrTicker": lambda number: day(), "trade": trade,
    "kline": lambda number: candle(), "depthUpdate": lambda number: depth(number, number),
}  # fmt: skip


class Line:
    """A connection on a router, and what it says of unreadable frames."""

    def __init__(self, routed: Routed, number: int = 1) -> None:
        router: FrameRouter = routed.router
        self.subject = Connection(number, router, routed.counters, itertools.count(1), 3)
        self.told: list[Unreadable] = []
        self.subject.unreadable = self.told.append

    def __call__(self, *frames: bytes) -> None:
        for frame in frames:
            self.subject.on_frame(frame)


@pytest.mark.parametrize("name", GOOD)
def test_three_of_a_type_in_a_row_are_told(routed: Routed, name: str) -> None:
    """By type, with the symbol and the last problem, and counted by type as well."""
    line, broken = Line(routed), GOOD[name](1)[:-1]
    line(broken, broken)
    assert line.told == []
    line(broken)
    (found,) = line.told
    assert (found.frame_type, found.symbols) == (name, {"BTCUSDT"})
    assert found.last.problem == "not JSON"
    assert routed.counters.malformed_by_type[name] == routed.counters.malformed == 3


@pytest.mark.parametrize("name", GOOD)
def test_a_good_one_between_them_forgives(routed: Routed, name: str) -> None:
    """Bad frames now and then restart nothing."""
    line, make = Line(routed), GOOD[name]
    for number in range(1, 9):
        line(make(number)[:-1], make(number)[:-1], make(number))
    assert line.told == []


def test_a_row_belongs_to_one_connection(routed: Routed) -> None:
    """Two here and two there are no row, nor does a good one there forgive here."""
    one, other = Line(routed), Line(routed, 2)
    one(trade(1)[:-1], trade(2)[:-1])
    other(trade(1)[:-1], trade(2)[:-1])
    assert one.told == other.told == []
    other(trade(3))
    one(trade(4)[:-1])
    assert len(one.told) == 1
    assert other.told == []


def test_types_do_not_mix(routed: Routed) -> None:
    """One of each is three bad frames, and no row."""
    line = Line(routed)
    line(quote(1)[:-1], trade(1)[:-1], candle()[:-1], b"nonsense", b"nonsense")
    assert line.told == []
