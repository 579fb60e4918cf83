"""OpenD's frames come out as they went in, however the network cuts them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot.adapter.futu.wire import LONGEST, Aes, Frame, Reader, encode
from foxtrot.errors import StreamingError

FRAMES = st.lists(
    st.tuples(
        st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.binary(min_size=1, max_size=200)
    ),
    max_size=8,
)


def fed(reader: Reader, data: bytes, cuts: list[int]) -> list[Frame]:
    """What a reader makes of bytes that come in pieces."""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    pieces = [data[first:last] for first, last in itertools.pairwise(edges)]
    return [frame for piece in pieces for frame in reader.feed(piece)]


@given(FRAMES, st.lists(st.integers(0, 2000), max_size=20), st.booleans())
def test_frames_survive_any_cut(frames: list[Frame], cuts: list[int], encrypted: bool) -> None:
    """Whole, in order, none twice; encrypted or not."""
    cipher = Aes("0123456789abcdef", "fedcba9876543210") if encrypted else None
    data = b"".join(encode(*frame, cipher) for frame in frames)
    assert fed(Reader(cipher), data, cuts) == frames


@given(FRAMES.filter(len), st.data())
def test_a_wrong_byte_in_a_body_costs_that_frame_alone(
    frames: list[Frame], data: st.DataObject
) -> None:
    """What does not fit its checksum comes as unreadable, and the next one is read."""
    spoilt = data.draw(st.integers(0, len(frames) - 1))
    parts = [bytearray(encode(*frame)) for frame in frames]
    parts[spoilt][-1] ^= 0xFF
    got = fed(Reader(), b"".join(parts), [])
    expected = [(*f[:2], b"") if at == spoilt else f for at, f in enumerate(frames)]
    assert got == expected


@given(st.binary(min_size=44, max_size=100).filter(lambda data: data[:2] != b"FT"))
def test_what_is_no_frame_ends_the_line(data: bytes) -> None:
    """Nothing after bytes of another protocol is believed."""
    with pytest.raises(StreamingError):
        list(Reader().feed(data))


def test_a_length_that_cannot_be_ends_the_line() -> None:
    """A frame longer than any is not waited for."""
    frame = bytearray(encode(3005, 1, b"x"))
    frame[12:16] = (LONGEST + 1).to_bytes(4, "little")
    with pytest.raises(StreamingError):
        list(Reader().feed(bytes(frame)))
