"""What a stream has missed while it was not pushed: asked for before OpenD pushes it again."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import cast

from foxtrot.adapter.futu.client import FutuClient
from foxtrot.adapter.futu.mapping import FORWARD, LENGTHS, WireBar, WirePrint
from foxtrot.adapter.futu.schema import Message, Proto, c2s_of
from foxtrot.adapter.futu.slots import BarSlot, Slot, TradeSlot

MOST = 1_000
"""Prints or bars that OpenD gives at once of what is subscribed."""

_DAY = dt.timedelta(days=1)


def resumes(slot: Slot) -> bool:
    """Whether a stream goes on from where an earlier session has left it, without a gap.

    Ticks and books need not: they are what they are now.
    """
    return isinstance(slot, BarSlot | TradeSlot) and slot.resumes


async def fetch_past(client: FutuClient, slot: Slot, now_ns: int) -> None:
    """Ask for what was missed, and give it to the slot, which tells it with the first push.

    The stream must be subscribed, and not pushed.

    Raises:
        VenueError: OpenD refuses, or does not answer.
        ConnectionClosed: The connection was lost.
    """
    if isinstance(slot, BarSlot):
        c2s = _about(slot, Proto.Qot_GetKL)
        c2s.rehabType, c2s.klType, c2s.reqNum = FORWARD, slot.kind, _missed(slot, now_ns)
        answer = await client.ask(Proto.Qot_GetKL, c2s)
        slot.past = cast("Sequence[WireBar]", answer.klList)
    elif isinstance(slot, TradeSlot):
        c2s = _about(slot, Proto.Qot_GetTicker)
        c2s.maxRetNum = MOST
        answer = await client.ask(Proto.Qot_GetTicker, c2s)
        slot.past = cast("Sequence[WirePrint]", answer.tickerList)


def _about(slot: Slot, proto: Proto) -> Message:
    c2s = c2s_of(proto)
    c2s.security.market, c2s.security.code = slot.security.market, slot.security.code
    return c2s


def _missed(slot: BarSlot, now_ns: int) -> int:
    """How many bars there may have been since the one that was told last, that one included."""
    moving = slot.mark.moving
    if moving is None:
        return 1
    length = LENGTHS.get(slot.interval, _DAY)
    gap_s = now_ns / 1e9 - moving.datetime.timestamp()
    return min(max(math.ceil(gap_s / length.total_seconds()) + 1, 1), MOST)
