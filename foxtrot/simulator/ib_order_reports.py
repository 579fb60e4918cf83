"""What the simulated TWS tells the client that placed an order, and the faults of its post."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from foxtrot.simulator import ib_order_payloads as wire
from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.ib_connection import Connection
from foxtrot.simulator.ib_orders import Execution, IbOrder
from foxtrot.simulator.post import Letter, Post

Encode = Callable[[int], bytes]
"""A message for a server version."""


class Venue(Protocol):
    """What the post needs of the gateway."""

    faults: FaultBoard

    @property
    def connections(self) -> tuple[Connection, ...]:
        """The connections that stand."""


class Reports:
    """Sends reports in the order in which TWS does. Who is not connected never gets them.

    Args:
        venue: Whose clients are told.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._post = Post(venue.faults)

    def left(self, connection: Connection) -> None:
        """A client is gone."""
        self._post.left(connection)

    def accepted(self, order: IbOrder) -> None:
        """An order was taken; if it waits for no stop price, it is at the exchange at once."""
        self._state(order, "PreSubmitted")
        if order.status != "PreSubmitted":
            self._state(order, "Submitted")

    def state(self, order: IbOrder) -> None:
        """An order with its terms, and its status."""
        self._state(order, order.status)

    def executed(self, execution: Execution) -> None:
        """A fill."""
        order = execution.order
        self._tell(order, "execDetails", partial(wire.exec_details, execution))

    def cost(self, execution: Execution) -> None:
        """What a fill cost."""
        message = wire.commission_report(execution)
        self._tell(execution.order, "commissionReport", lambda _: message)

    def canceled(self, order: IbOrder, code: int, text: str) -> None:
        """An order has ended unfilled: its status, and then the notice that says so."""
        early = self._venue.faults.take("notice_first", symbol=order.name)
        if early:
            self.error(order, code, text)
        self._status(order, order.status)
        if not early:
            self.error(order, code, text)

    def error(self, order: IbOrder, code: int, text: str) -> None:
        """An error or a notice about an order."""
        self._tell(order, "error", partial(wire.order_error, order.order_id, code, text))

    def _state(self, order: IbOrder, status: str) -> None:
        self._tell(order, "openOrder", partial(wire.open_order, order, status=status))
        self._status(order, status)

    def _status(self, order: IbOrder, status: str) -> None:
        message = wire.order_status(order, status=status)
        self._tell(order, "orderStatus", lambda _: message)

    def _tell(self, order: IbOrder, channel: str, encode: Encode) -> None:
        """To who placed it; TWS's own orders have nobody until they are bound, but for fills."""
        if not order.order_id and channel not in ("execDetails", "commissionReport"):
            return
        for connection in self._venue.connections:
            if connection.joined and connection.client_id == order.client_id:
                send = partial(connection.deliver, encode(connection.version))
                self._post.send(Letter(connection, order.name, channel, send))
