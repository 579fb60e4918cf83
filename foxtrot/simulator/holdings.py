"""Positions, as margin accounts keep them."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from foxtrot.simulator.accounts import Order, Side
from foxtrot.simulator.listings import E8

K = TypeVar("K")


class Holding(msgspec.Struct, Generic[K]):
    """A position; below zero it is short, and so is its cost."""

    contract: K
    quantity_e8: int = 0
    cost_e8: int = 0
    realized_e8: int = 0

    @property
    def average_e8(self) -> int:
        """What one piece of it cost; 0 without a position."""
        return self.cost_e8 * E8 // self.quantity_e8 if self.quantity_e8 else 0

    def book(self, signed_e8: int, value_e8: int, commission_e8: int = 0) -> int | None:
        """Add a fill, below zero for a sale; what it realized, None if it closed nothing."""
        before = self.quantity_e8
        self.quantity_e8 += signed_e8
        if before * signed_e8 >= 0:
            self.cost_e8 += value_e8 + commission_e8
            return None
        closed = min(abs(before), abs(signed_e8))
        cost = self.cost_e8 * closed // abs(before)
        brought = -value_e8 * closed // abs(signed_e8)
        turned = abs(signed_e8) > abs(before)
        self.cost_e8 = value_e8 + brought if turned else self.cost_e8 - cost
        realized = brought - cost - commission_e8
        self.realized_e8 += realized
        return realized


def opened_e8(order: Order, held_e8: int) -> int:
    """How much of what is left of an order would open a position, and not close one."""
    signed = order.remaining_e8 if order.ticket.side is Side.BUY else -order.remaining_e8
    return max(0, abs(held_e8 + signed) - abs(held_e8))
