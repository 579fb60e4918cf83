"""An order as the simulated TWS keeps it, and what was executed of it."""

from __future__ import annotations

import msgspec

from foxtrot.simulator.accounts import State
from foxtrot.simulator.ib_contracts import Row
from foxtrot.simulator.orders import VenueOrder

INACTIVE = "Inactive"


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a client may say anew of an order. Prices are None where the type has none."""

    kind: str
    quantity_e8: int
    limit_e8: int | None = None
    stop_e8: int | None = None
    tif: str = "DAY"
    outside_rth: bool = False


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an order that was traded.

    `exec_id` ends in a revision after its last dot; a higher one corrects what a lower one said.
    `realized_e8` is None where nothing of a position was closed.
    """

    exec_id: str
    order: IbOrder
    exchange: str
    price_e8: int
    quantity_e8: int
    total_e8: int
    average_e8: int
    time_ms: int
    maker: bool
    commission_e8: int
    realized_e8: int | None

    @property
    def stem(self) -> str:
        """What all revisions have in common."""
        return self.exec_id.rpartition(".")[0]


class IbOrder(VenueOrder, kw_only=True, eq=False):
    """One order from its acceptance on; owned by the order room.

    `client_id` and `order_id` are who placed it and how he calls it; 0 and 0 for an order of TWS's
    own window that no client has bound. `booked` is how the matching has it; None if it was
    refused, and stays `Inactive`.
    """

    perm_id: int
    client_id: int
    order_id: int
    account: str
    row: Row
    ref: str
    terms: Terms
    ended_ms: int = 0
    executions: list[Execution] = msgspec.field(default_factory=list)

    @property
    def name(self) -> str:
        """What it trades, as the market calls it."""
        return self.row.contract.name

    @property
    def names(self) -> tuple[str | int, ...]:
        """Its permId, as a number and as a text, and its orderRef."""
        return self.perm_id, str(self.perm_id), self.ref

    @property
    def remaining_e8(self) -> int:
        """What was not."""
        return self.terms.quantity_e8 - self.filled_e8

    @property
    def status(self) -> str:
        """TWS's word for its state."""
        if self.booked is None:
            return INACTIVE
        if self.booked.state is State.FILLED:
            return "Filled"
        if not self.booked.open:
            return "Cancelled"
        return "PreSubmitted" if self.booked.working_ms is None else "Submitted"
