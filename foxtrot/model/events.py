"""The event and its types. Values are vnpy's; the last group is foxtrot's addition."""

from __future__ import annotations

import msgspec

from foxtrot.model.constants import Lane

EVENT_TIMER = "eTimer"
EVENT_TICK = "eTick."
EVENT_TRADE = "eTrade."
EVENT_ORDER = "eOrder."
EVENT_POSITION = "ePosition."
EVENT_ACCOUNT = "eAccount."
EVENT_QUOTE = "eQuote."
EVENT_CONTRACT = "eContract."
EVENT_LOG = "eLog"

EVENT_DEPTH = "eDepth."
EVENT_MARKET_TRADE = "eMarketTrade."
EVENT_BAR = "eBar."
EVENT_CONNECTION = "eConnection."
EVENT_STREAM = "eStream."


class Event(msgspec.Struct, frozen=True, gc=False):
    """One entry of the EventEngine's queue.

    With a `topic` it reaches the handlers of `type`, of `type + topic` and the general ones from
    this one entry; without, as vnpy's own code puts it, the handlers of exactly `type`.
    """

    type: str
    data: object = None
    topic: str = ""
    lane: Lane = Lane.RELIABLE
