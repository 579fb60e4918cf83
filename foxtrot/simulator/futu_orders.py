"""An order as the simulated Futu keeps it, and the deals that were made of it."""

from __future__ import annotations

import msgspec

from foxtrot.simulator.accounts import State
from foxtrot.simulator.futu_accounts import FutuAccount
from foxtrot.simulator.futu_contracts import FutuContract
from foxtrot.simulator.orders import VenueOrder

SUBMITTING, SUBMITTED = 2, 5
FILLED_PART, FILLED_ALL = 10, 11
CANCELLING_PART, CANCELLING_ALL = 12, 13
CANCELLED_PART, CANCELLED_ALL = 14, 15
FAILED = 21
"""OrderStatus."""

_PREFIX = "FH"


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What was said of an order. Numbers of `kind`, `tif` and `session` are Futu's."""

    kind: int
    quantity_e8: int
    price_e8: int | None = None
    stop_e8: int | None = None
    tif: int = 0
    outside_rth: bool = False
    session: int = 0


class Deal(msgspec.Struct, frozen=True):
    """A part of an order that was traded."""

    deal_id: int
    order: FutuOrder
    price_e8: int
    quantity_e8: int
    time_ms: int

    @property
    def deal_id_ex(self) -> str:
        """Its other name, which is no number."""
        return f"FD{self.deal_id:014X}"


def number_of(order_id_ex: str) -> int:
    """The number of the order that clients call so; 0 if no order can be called so."""
    try:
        return int(order_id_ex.removeprefix(_PREFIX), 16)
    except ValueError:
        return 0


class FutuOrder(VenueOrder, kw_only=True, eq=False):
    """One order from its acceptance on; owned by the order room.

    `booked` is how the matching has it; None if it failed on its way to the exchange. `told` is a
    status that a test wants to be told instead of the true one.
    """

    order_id: int
    account: FutuAccount
    contract: FutuContract
    terms: Terms
    remark: str
    created_ms: int
    updated_ms: int
    deals: list[Deal] = msgspec.field(default_factory=list)
    error: str = ""
    told: int | None = None

    @property
    def order_id_ex(self) -> str:
        """The name that clients use, which is no number."""
        return f"{_PREFIX}{self.order_id:014X}"

    @property
    def name(self) -> str:
        """What it trades, as the market calls it."""
        return self.contract.name

    @property
    def trd_market(self) -> int:
        """The TrdMarket that it was sent to."""
        return self.account.spec.market_of(self.contract)

    @property
    def names(self) -> tuple[str | int, ...]:
        """Its two ids and its remark."""
        return self.order_id, self.order_id_ex, self.remark

    @property
    def status(self) -> int:
        """Its OrderStatus."""
        if self.told is not None:
            return self.told
        if self.booked is None:
            return FAILED
        if self.booked.state is State.FILLED:
            return FILLED_ALL
        if self.booked.open:
            return FILLED_PART if self.filled_e8 else SUBMITTED
        return CANCELLED_PART if self.filled_e8 else CANCELLED_ALL
