"""Whatever comes to a parser at the boundary: only documented errors come out.

Here the corpora are read, and changed at random; `python -m tests.fuzz` looks for new ways with
atheris, for as long as it is told.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).with_name("corpus")
PIECES = {name: [p.read_bytes() for p in sorted((CORPUS / name).iterdir())] for name in TARGETS}
ODD = st.sampled_from([b"\0", b"\xff\xff\xff\xff", b'"', b"}", b"NaN", b"-1", b"1e400", b"\xc3("])
EDITS = st.lists(
    st.tuples(st.integers(0, 4_000), st.integers(0, 8), st.one_of(ODD, st.binary(max_size=6))),
    max_size=4,
)


def changed(piece: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """The piece with some of its bytes replaced by others, more or less."""
    for at, length, bytes_ in edits:
        at %= len(piece) + 1
        piece = piece[:at] + bytes_ + piece[at + length :]
    return piece


@pytest.mark.parametrize("name", TARGETS)
def test_every_piece_of_the_corpus_is_survived(name: str) -> None:
    """What was good, and what once was too much, is read or refused in words."""
    assert PIECES[name]
    for piece in PIECES[name]:
        TARGETS[name](piece)


@pytest.mark.parametrize("name", TARGETS)
def test_every_change_of_a_good_piece_is_survived(name: str) -> None:
    """No cut, no other byte and no odd number brings an error that nobody documented."""

    @tried(max_examples=max(tried.default.max_examples // 2, 50))
    @given(st.sampled_from(PIECES[name]), EDITS)
    def survives(piece: bytes, edits: list[tuple[int, int, bytes]]) -> None:
        TARGETS[name](changed(piece, edits))

    survives()


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_are_survived(name: str) -> None:
    """Nor does anything else."""

    @tried(max_examples=50)
    @given(st.binary(max_size=300))
    def survives(data: bytes) -> None:
        TARGETS[name](data)

    survives()
