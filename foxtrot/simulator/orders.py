"""An order as any venue keeps it that calls it by numbers of its own, around the matching's."""

from __future__ import annotations

from abc import abstractmethod

import msgspec

from foxtrot.simulator.accounts import Order, Side
from foxtrot.simulator.listings import E8
from foxtrot.simulator.market import Quote


class VenueOrder(msgspec.Struct, kw_only=True, eq=False):
    """One order from its acceptance on; owned by the order room.

    `booked` is how the matching has it; None if it never came so far.
    """

    side: Side
    booked: Order | None = None

    @property
    @abstractmethod
    def name(self) -> str:
        """What it trades, as the market calls it."""

    @property
    @abstractmethod
    def names(self) -> tuple[str | int, ...]:
        """What a person may call it by."""

    @property
    def open(self) -> bool:
        """Whether it may still trade."""
        return self.booked is not None and self.booked.open

    @property
    def filled_e8(self) -> int:
        """What was traded of it."""
        return self.booked.filled_e8 if self.booked is not None else 0

    @property
    def average_e8(self) -> int:
        """The mean price of what was traded; 0 before."""
        if self.booked is None or not self.filled_e8:
            return 0
        return self.booked.turnover_e8 * E8 // self.filled_e8

    def waiting_for(self, stop_e8: int | None, quote: Quote) -> int | None:
        """A stop price, if it still stops something; one that is reached, or was once, does not."""
        if stop_e8 is None or (self.booked is not None and self.booked.working_ms is not None):
            return None
        buys = self.side is Side.BUY
        reached = quote.bid_e8 >= stop_e8 if buys else quote.ask_e8 <= stop_e8
        return None if reached else stop_e8
