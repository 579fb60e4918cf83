"""The lists of orders and fills that a client can ask the simulated TWS for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from foxtrot.simulator import ib_order_payloads as wire
from foxtrot.simulator import ib_requests as asked
from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.ib_connection import Connection
from foxtrot.simulator.ib_dispatch import Handlers, Room
from foxtrot.simulator.ib_order_room import TWS, OrderRoom
from foxtrot.simulator.ib_orders import IbOrder
from foxtrot.simulator.ib_tickets import passes

_DEFAULT_CLIENT_ONLY = 327


class Venue(Protocol):
    """What the lists need of the gateway."""

    faults: FaultBoard


class OrderLists(Room):
    """Answers with open orders, with those that ended today, and with the fills of today.

    Args:
        venue: Where.
        orders: Of which.
    """

    def __init__(self, venue: Venue, orders: OrderRoom) -> None:
        self._venue, self._orders = venue, orders

    def handlers(self) -> Handlers:
        """The requests for lists."""
        return {
            asked.ReqOpenOrders: self._own,
            asked.ReqAllOpenOrders: self._all,
            asked.ReqAutoOpenOrders: self._auto,
            asked.ReqCompletedOrders: self._completed,
            asked.ReqExecutions: self._executions,
        }

    def _own(self, connection: Connection, request: asked.ReqOpenOrders) -> None:
        """Those that this client placed; client 0 has TWS's own as well."""
        if connection.client_id == TWS:
            self._orders.bind()
        orders = self._orders.open_orders()
        own = [each for each in orders if each.client_id == connection.client_id]
        self._send(connection, request, own)

    def _all(self, connection: Connection, request: asked.ReqAllOpenOrders) -> None:
        self._send(connection, request, self._orders.open_orders())

    def _auto(self, connection: Connection, request: asked.ReqAutoOpenOrders) -> None:
        if connection.client_id == TWS:
            self._orders.bind()
            return
        text = "Only the default client (i.e 0) can auto bind orders."
        connection.error(-1, _DEFAULT_CLIENT_ONLY, text)

    def _completed(self, connection: Connection, request: asked.ReqCompletedOrders) -> None:
        if not self._lies(connection, request):
            for order in self._orders.ended:
                if order.order_id > 0 or not request.api_only:
                    connection.deliver(wire.completed_order(order, connection.version))
        connection.deliver(wire.completed_orders_end())

    def _executions(self, connection: Connection, request: asked.ReqExecutions) -> None:
        number, version = request.req_id, connection.version
        if not self._lies(connection, request):
            for each in self._orders.traded:
                if passes(each, request):
                    connection.deliver(wire.exec_details(each, version, req_id=number))
                    connection.deliver(wire.commission_report(each))
        connection.deliver(wire.executions_end(number))

    def _send(
        self, connection: Connection, request: asked.Request, orders: Sequence[IbOrder]
    ) -> None:
        if not self._lies(connection, request):
            for order in orders:
                connection.deliver(wire.open_order(order, connection.version))
                connection.deliver(wire.order_status(order))
        connection.deliver(wire.open_orders_end())

    def _lies(self, connection: Connection, request: asked.Request) -> bool:
        """Whether a fault makes this list empty."""
        path = connection.path
        return bool(self._venue.faults.take("empty_list", request=request.kind, path=path))
