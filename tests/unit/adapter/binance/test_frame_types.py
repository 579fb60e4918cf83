"""What a frame claims to be, and what is known when several in a row cannot be read."""

from __future__ import annotations

import pytest

from foxtrot.adapter.binance.frame_types import (
    CHANNELS,
    FRAME_TYPES,
    OTHER,
    UnreadableRows,
    symbol_of,
    type_of,
)
from foxtrot.model.constants import Channel
from tests.support.binance_frames import candle, day, depth, quote, trade

OF_EACH = {
    "bookTicker": quote(1),
    "24hrTicker": day(),
    "depthUpdate": depth(1, 1),
    "trade": trade(1),
    "kline": candle(),
}


@pytest.mark.parametrize("name", OF_EACH)
@pytest.mark.parametrize("part", [1.0, 0.5])
def test_a_frame_is_known_by_its_beginning(name: str, part: float) -> None:
    """Whole, cut in half or wrapped: it is counted as what it claims to be."""
    frame = OF_EACH[name]
    cut = frame[: int(len(frame) * part)]
    assert (type_of(cut), symbol_of(cut)) == (name, "BTCUSDT")
    wrapped = b'{"stream":"btcusdt@x","data":' + cut
    assert (type_of(wrapped), symbol_of(wrapped)) == (name, "BTCUSDT")


@pytest.mark.parametrize(
    "frame",
    [b"", b"nonsense", b'{"e":"newKind","s":"BTCUSDT"}', b'{"e":5}', b"\xff" * 10, b"[" * 100_000],
)
def test_what_does_not_say_is_other(frame: bytes) -> None:
    """No count is invented for a type that nobody knows."""
    assert type_of(frame) == OTHER


@pytest.mark.parametrize("frame", [b"", b'{"s":"btc usdt"}', b'{"s":5}', b'{"s":"' + b"A" * 99])
def test_a_frame_may_name_no_symbol(frame: bytes) -> None:
    """Then it may be anybody's."""
    assert symbol_of(frame) == ""


def test_every_type_serves_a_channel_and_every_channel_has_one() -> None:
    """Whatever cannot be read has a stream that can be asked for afresh."""
    assert set(CHANNELS.values()) == set(Channel)
    assert (*CHANNELS, OTHER) == FRAME_TYPES == (*OF_EACH, OTHER)


def test_three_in_a_row_name_their_symbols_and_begin_anew() -> None:
    """The third completes the row; the next row takes three again."""
    rows = UnreadableRows()
    broken = [trade(number)[:-1] for number in range(6)]
    found = [rows.unreadable(frame, 3) for frame in broken]
    assert found == [None, None, {"BTCUSDT"}] * 2
    assert rows.open == {}


def test_one_that_is_read_ends_the_row_of_its_type() -> None:
    """Two, a good one, two: no row. Good ones of another type change nothing."""
    rows = UnreadableRows()
    for _ in range(2):
        assert rows.unreadable(trade(1)[:-1], 3) is None
        assert rows.unreadable(trade(1)[:-1], 3) is None
        rows.readable(trade(2))
    assert rows.unreadable(trade(1)[:-1], 3) is None
    assert rows.unreadable(trade(1)[:-1], 3) is None
    rows.readable(quote(1))
    assert rows.unreadable(trade(1)[:-1], 3) == {"BTCUSDT"}


def test_a_frame_without_a_symbol_puts_all_of_its_type_in_doubt() -> None:
    """It cannot be told whose it was."""
    rows = UnreadableRows()
    rows.unreadable(trade(1)[:-1], 2)
    assert rows.unreadable(b'{"e":"trade"', 2) == frozenset()
