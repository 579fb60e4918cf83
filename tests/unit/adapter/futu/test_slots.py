"""What is known of each stream, over sessions."""

from __future__ import annotations

import pytest

from foxtrot.adapter.futu.slots import Mark, make_slot, sub_types
from foxtrot.model.constants import Channel, Interval, Lane
from foxtrot.model.health import StreamKey
from tests.support.futu_feed import SECURITY, SOURCE


def key(channel: Channel, detail: str = "") -> StreamKey:
    """A stream of the one contract."""
    return StreamKey(channel, SOURCE.symbol, SOURCE.exchange, detail)


@pytest.mark.parametrize(
    ("channel", "detail", "asked"),
    [
        (Channel.TICK, "", (2, 1)),
        (Channel.DEPTH, "", (2,)),
        (Channel.TRADE, "", (4,)),
        (Channel.BAR, Interval.MINUTE.value, (11,)),
        (Channel.BAR, Interval.HOUR_4.value, (21,)),
        (Channel.BAR, Interval.WEEKLY.value, (12,)),
    ],
)
def test_each_stream_has_its_subscriptions(
    channel: Channel, detail: str, asked: tuple[int, ...]
) -> None:
    """A tick is made of a quote and a book."""
    stream = key(channel, detail)
    assert sub_types(stream) == asked
    slot = make_slot(stream, SOURCE, SECURITY, Mark(), conflate=True)
    assert slot.subs == tuple((SECURITY, kind) for kind in asked)


def test_who_wants_every_tick_gets_every_tick() -> None:
    """Conflation is the user's choice for ticks and books, and never for prints."""
    lanes = {
        (channel, conflate): make_slot(
            key(channel), SOURCE, SECURITY, Mark(), conflate=conflate
        ).lane
        for channel in (Channel.TICK, Channel.TRADE)
        for conflate in (False, True)
    }
    assert lanes[Channel.TICK, True] is Lane.LATEST
    assert {lane for each, lane in lanes.items() if each != (Channel.TICK, True)} == {Lane.BOUNDED}
