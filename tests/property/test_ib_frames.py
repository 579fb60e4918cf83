"""Whatever TWS sends, wherever the socket cuts it: both readers tell the same, and none dies."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.ib_door import frame
from tests.support.ib_feed import (
    AT_S,
    BOOK,
    PRINTS,
    TICKS,
    Feed,
    price,
    printed,
    row,
    size,
    stamp,
)

_NUMBERS = st.sampled_from(
    ["10", "10.25", "10.5", "11", "0", "-1", "-37.6", "1e13", "nan", "inf", "-inf", "1e400", "-0.0"]
)
_SIZES = st.sampled_from(["0", "1", "100", "2.5", "-1", "nan", "1e19"])
_KINDS = st.sampled_from([1, 2, 4, 6, 9, 14, 66, 67, 68, 37, 999])
_SIZE_KINDS = st.sampled_from([0, 3, 5, 8, 69, 74, 86, 21])
_IDS = st.sampled_from([TICKS, TICKS, TICKS, 77])


def cut(message: bytes) -> bytes:
    """The same message without its last two fields."""
    fields = message[4:-1].split(b"\0")
    return frame(*(field.decode() for field in fields[:-2]))


_TICKS = st.one_of(
    st.builds(price, _KINDS, st.just("10"), st.just("5")),
    st.builds(size, _SIZE_KINDS, st.just("5")),
    st.just(printed(AT_S, 10, 5)),
    st.just(stamp(AT_S)),
    st.just(row(0, 0, 1, 10, 5)),
)

messages = st.one_of(
    _TICKS.map(cut),
    st.builds(price, _KINDS, _NUMBERS, _SIZES, _IDS),
    st.builds(size, _SIZE_KINDS, _SIZES, _IDS),
    st.builds(stamp, st.sampled_from([AT_S, 0, 10**13]), _IDS),
    st.builds(
        row, st.integers(0, 11), st.integers(0, 3), st.integers(0, 1), _NUMBERS, st.just("5")
    ),
    st.builds(printed, st.sampled_from([AT_S, AT_S + 1, 0]), _NUMBERS, _SIZES),
    st.just(frame(58, 1, TICKS, 1)),
    st.just(frame(81, TICKS, "0.01", "9c0001", 3)),
    st.just(frame(4, 2, -1, 2104, "Market data farm connection is OK:usfarm", "")),
    st.just(frame(45, 6, TICKS, 49, "0.0")),
    st.just(frame(12, 1, BOOK, 0, 0, 1, "9.5", "3")),
    st.just(frame(99, PRINTS, 4, AT_S, "10.1")),
)


def told(feed: Feed) -> list[object]:
    """The events, but for when they came."""
    return [[_timeless(event.data), event.type, event.topic, event.lane] for event in feed.events]


def _timeless(item: Any) -> object:
    return msgspec.structs.replace(item, ts_recv_ns=0)


@settings(max_examples=60)
@given(st.lists(st.lists(messages, max_size=12), max_size=6))
def test_both_readers_tell_the_same(readings: list[list[bytes]]) -> None:
    """Reading by reading, the fast path and the SDK's own agree, counts included."""
    fast, slow = Feed(), Feed(fast=False)
    for reading in readings:
        fast(*reading)
        slow(*reading)
    assert told(fast) == told(slow)
    assert fast.errors == slow.errors
    for name in ("rejected", "malformed", "stale", "held"):
        assert getattr(fast.counters, name) == getattr(slow.counters, name), name


@settings(max_examples=60)
@given(st.lists(messages, max_size=20), st.data())
def test_any_cut_reads_every_message(sent: list[bytes], data: st.DataObject) -> None:
    """Bytes that come one by one, or all at once, are the same messages."""
    line = b"".join(sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(line)), max_size=8)))
    feed = Feed()
    for start, end in zip([0, *cuts], [*cuts, len(line)], strict=True):
        if start < end:
            feed(line[start:end])
    assert feed.raw._numMsgRecv == len(sent)
    assert feed.raw._data == b""
    for tick in (event.data for event in feed.events):
        assert "nan" not in repr(tick)
        assert "inf" not in repr(tick)


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=60), max_size=10))
def test_garbage_between_frames_kills_nothing(bodies: list[bytes]) -> None:
    """A frame of anything is survived; the good one after it is told."""
    feed = Feed()
    for body in bodies:
        feed(len(body).to_bytes(4, "big") + body)
    feed(price(1, 10.0, 1))
    assert feed.tick_slot.bid == 10.0
