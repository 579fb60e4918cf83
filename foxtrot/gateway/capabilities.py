"""What an adapter can do, so that nobody has to find out by failing."""

from __future__ import annotations

import msgspec

from foxtrot.model.constants import Channel, Interval, OrderType


class Capabilities(msgspec.Struct, frozen=True):
    """Channels by websocket and by polling, bar intervals, order types.

    `lists_contracts` is False where contracts are looked up on demand, `polls_orders` where orders
    are pushed with the websocket switched off, too, `refuses_late` where an order is carried out
    however long it was under way.
    """

    streamed: frozenset[Channel] = frozenset()
    polled: frozenset[Channel] = frozenset()
    intervals: frozenset[Interval] = frozenset()
    history: bool = False
    orders: frozenset[OrderType] = frozenset()
    lists_contracts: bool = True
    polls_orders: bool = True
    refuses_late: bool = True

    @property
    def channels(self) -> frozenset[Channel]:
        """Channels that can be subscribed, by whatever way."""
        return self.streamed | self.polled
