"""OpenD's frames, as bytes."""

from __future__ import annotations

import pytest

from foxtrot.simulator import futu_wire as wire


def test_a_frame_that_comes_in_pieces_is_read_once_it_is_whole() -> None:
    """TCP cuts where it likes; frames are told whole, in their order."""
    data = wire.encode(3005, 7, b"abc") + wire.encode(1004, 8, b"")
    reader = wire.Reader()
    frames = [frame for at in range(len(data)) for frame in reader.feed(data[at : at + 1])]
    assert [(frame.proto_id, frame.serial, frame.body) for frame in frames] == [
        (3005, 7, b"abc"),
        (1004, 8, b""),
    ]
    assert frames[0].sha == wire.sha_of(b"abc")


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n".ljust(44),
        wire.with_kind(wire.encode(1001, 1, b"x"), wire.JSON),
        wire.with_length(wire.encode(1001, 1, b"x"), 1 << 31),
    ],
    ids=["another protocol", "another format", "a length beyond reason"],
)
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    """A client that speaks another language is not waited for."""
    with pytest.raises(wire.WireError):
        wire.Reader().feed(data)


def test_damage_touches_nothing_but_its_own_field() -> None:
    """A wrong checksum, format or length is the only thing wrong with a frame."""
    good = wire.encode(3005, 7, b"abc")
    for bad in (wire.with_wrong_sha(good), wire.with_kind(good, 7), wire.with_length(good, 9)):
        assert len(bad) == len(good)
        assert bad != good
        assert bad[:6] == good[:6]
        assert bad[-3:] == b"abc"
