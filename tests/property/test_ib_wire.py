"""Whatever bytes a client sends, the simulated gateway reads them rightly or says why not."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from foxtrot.simulator.ib_parsing import parse
from foxtrot.simulator.ib_requests import Request
from foxtrot.simulator.ib_wire import LEAST_VERSION, MOST_VERSION, Reader, WireError, encode

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
VALUES = st.one_of(TEXTS, st.integers(), st.floats(allow_nan=False), st.booleans(), st.none())
MESSAGES = st.lists(st.lists(VALUES, min_size=1, max_size=6), max_size=8)
LIKELY = st.sampled_from(["", "0", "1", "2", "3", "5", "8", "11", "-1", "x", "1.5", "BAG", "nan"])


@given(messages=MESSAGES, cuts=st.lists(st.integers(0, 400), max_size=6))
def test_messages_may_be_cut_anywhere(messages: list[list[str]], cuts: list[int]) -> None:
    """In whatever pieces the bytes arrive, the messages are the same."""
    data = b"API\0" + b"".join(encode(*message) for message in messages)
    reader, found, at = Reader(), [], 0
    for end in [*sorted(cut for cut in cuts if cut < len(data)), len(data)]:
        found.extend(reader.feed(data[at:end]))
        at = end
    whole = Reader().feed(data)
    assert found == whole
    assert len(whole) == len(messages)


@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """What is no message is a WireError, and never anything else."""
    with contextlib.suppress(WireError):
        Reader().feed(b"API\0" + data)


@given(
    number=st.integers(0, 105),
    rest=st.lists(st.one_of(LIKELY, TEXTS), max_size=130),
    version=st.integers(LEAST_VERSION, MOST_VERSION),
)
def test_any_fields_are_a_request_or_refused(number: int, rest: list[str], version: int) -> None:
    """What cannot be read as a request is a WireError, and never anything else."""
    with contextlib.suppress(WireError):
        assert isinstance(parse([str(number), *rest], version), Request)
