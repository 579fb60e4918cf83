"""What the simulated Futu tells of orders unasked, to whom, and the faults of its post."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from foxtrot.simulator import futu_order_payloads as payloads
from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.futu_connection import Connection
from foxtrot.simulator.futu_orders import Deal, FutuOrder
from foxtrot.simulator.futu_schema import Message, Proto
from foxtrot.simulator.post import Letter, Post

ORDERS, DEALS = "order", "deal"
"""What faults call the channels."""

_PROTOS = {ORDERS: Proto.Trd_UpdateOrder, DEALS: Proto.Trd_UpdateOrderFill}


class Venue(Protocol):
    """What the post needs of OpenD."""

    faults: FaultBoard


class Reports:
    """Sends pushes to who has subscribed to the account; who is away never gets them.

    A client whose request is the cause gets them after the answer, or before it if `early`.

    Args:
        venue: Whose clients are told.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._subscribed: dict[Connection, frozenset[int]] = {}
        self._asking: Connection | None = None
        self._post = Post(venue.faults)
        self.early = False

    def subscribe(self, connection: Connection, accounts: frozenset[int]) -> None:
        """Tell a client of these accounts from now on, and of no others."""
        self._subscribed[connection] = accounts

    def left(self, connection: Connection) -> None:
        """A client is gone."""
        self._subscribed.pop(connection, None)
        self._post.left(connection)

    def asking(self, connection: Connection | None) -> None:
        """Whose request is being carried out; nobody's, if None."""
        self._asking = connection

    def order(self, order: FutuOrder, status: int | None = None) -> None:
        """An order, with a status other than its own if one is given."""
        self._tell(order, ORDERS, payloads.order_push(order, status))

    def deal(self, deal: Deal) -> None:
        """A deal; the accounts for practice have none."""
        if deal.order.account.spec.real:
            self._tell(deal.order, DEALS, payloads.deal_push(deal))

    def _tell(self, order: FutuOrder, channel: str, message: Message) -> None:
        if self._venue.faults.active("silent", symbol=order.name, channel=channel):
            return
        acc_id = order.account.spec.acc_id
        for connection, accounts in tuple(self._subscribed.items()):
            if acc_id not in accounts:
                continue
            push = partial(connection.push, _PROTOS[channel], message)
            send = partial(self._post.send, Letter(connection, order.name, channel, push))
            if connection is self._asking and not self.early:
                connection.afterwards(send)
            else:
                send()
