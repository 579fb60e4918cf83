"""What comes at once is told as a rush, from its first push to its last."""

from __future__ import annotations

from typing import Any

import pytest

from foxtrot.adapter.futu.line import RUSH_BYTES, Line
from foxtrot.adapter.futu.schema import Proto, response_class
from foxtrot.adapter.futu.wire import Reader, encode
from foxtrot.core.aside import aside


def frames(count: int) -> bytes:
    """So many announcements."""
    push: Any = response_class(Proto.Notify)()
    push.retType, push.s2c.type = 0, 1
    return encode(Proto.Notify, 1, push.SerializeToString()) * count


@pytest.mark.parametrize("tail", [b"", b"no frame" * 10], ids=["whole", "broken"])
async def test_a_rush_begins_before_the_first_push_and_is_over_after_the_last(
    tail: bytes,
) -> None:
    """What is put off meanwhile is served, even if the line ends in what is no frame."""
    told: list[object] = []
    line = Line("FUTU", Reader(), lambda *_: None, lambda _: None, lambda _: None)
    await aside(lambda: line.listen(Proto.Notify, lambda _: told.append("push")), "listen")
    line.rush = told.append
    count = RUSH_BYTES // len(frames(1)) + 1
    line.on_recv(1, frames(count) + tail)
    assert told == [True, *["push"] * count, False]


async def test_a_few_messages_are_no_rush() -> None:
    """Each is served when it comes."""
    told: list[object] = []
    line = Line("FUTU", Reader(), lambda *_: None, lambda _: None, lambda _: None)
    await aside(lambda: line.listen(Proto.Notify, lambda _: told.append("push")), "listen")
    line.rush = told.append
    line.on_recv(1, frames(3))
    assert told == ["push"] * 3
