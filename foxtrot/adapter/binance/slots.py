"""Which slot of the router a stream of ours fills."""

from __future__ import annotations

from foxtrot.adapter.binance import mapping
from foxtrot.adapter.binance.frames import FrameRouter, StreamSlot, TickSlot
from foxtrot.adapter.binance.marks import day_of
from foxtrot.adapter.binance.session import Venue
from foxtrot.model.constants import Channel, Interval, Lane
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import Source


def add_slot(frames: FrameRouter, venue: Venue, key: StreamKey, source: Source) -> None:
    """Let the router take what the stream brings."""
    request = venue.port.request_of(key)
    lane = Lane.LATEST if request is None or request.conflate else Lane.BOUNDED
    mark = venue.marks.of(key)
    if key.channel is Channel.TICK:
        day_mark = venue.marks.of(day_of(key))
        frames.ticks.setdefault(key.symbol, TickSlot(source, lane, mark, day_mark))
    elif key.channel is Channel.DEPTH:
        frames.depths.setdefault(key.symbol, StreamSlot(source, lane, mark))
    elif key.channel is Channel.TRADE:
        frames.trades.setdefault(key.symbol, StreamSlot(source, lane, mark))
    else:
        interval = Interval(key.detail)
        name = key.symbol, mapping.INTERVALS[interval]
        frames.bars.setdefault(name, StreamSlot(source, lane, mark, interval))


def drop_slot(frames: FrameRouter, key: StreamKey) -> None:
    """Ignore what the stream still brings."""
    if key.channel is Channel.TICK:
        frames.ticks.pop(key.symbol, None)
    elif key.channel is Channel.DEPTH:
        frames.depths.pop(key.symbol, None)
        frames.forget_levels(key.symbol)
    elif key.channel is Channel.TRADE:
        frames.trades.pop(key.symbol, None)
    else:
        frames.bars.pop((key.symbol, mapping.INTERVALS[Interval(key.detail)]), None)
