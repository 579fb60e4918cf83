"""What the simulated Futu tells of orders unasked, to whom, and the faults of its post."""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import Protocol

import msgspec

from foxtrot.simulator import futu_order_payloads as payloads
from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.futu_connection import Connection
from foxtrot.simulator.futu_orders import Deal, FutuOrder
from foxtrot.simulator.futu_schema import Message, Proto

ORDERS, DEALS = "order", "deal"
"""What faults call the channels."""

_PROTOS = {ORDERS: Proto.Trd_UpdateOrder, DEALS: Proto.Trd_UpdateOrderFill}


class Venue(Protocol):
    """What the post needs of OpenD."""

    faults: FaultBoard


class Letter(msgspec.Struct, frozen=True):
    """A push on its way to a client."""

    connection: Connection
    symbol: str
    channel: str
    message: Message


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
        self._held: dict[Connection, Letter] = {}
        self._late: deque[Letter] = deque()
        self.early = False

    def subscribe(self, connection: Connection, accounts: frozenset[int]) -> None:
        """Tell a client of these accounts from now on, and of no others."""
        self._subscribed[connection] = accounts

    def left(self, connection: Connection) -> None:
        """A client is gone."""
        self._subscribed.pop(connection, None)
        self._held.pop(connection, None)

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
        acc_id = order.account.spec.acc_id
        for connection, accounts in tuple(self._subscribed.items()):
            if acc_id not in accounts:
                continue
            letter = Letter(connection, order.name, channel, message)
            if connection is self._asking and not self.early:
                connection.afterwards(partial(self._send, letter))
            else:
                self._send(letter)

    def _send(self, letter: Letter) -> None:
        """Send a push, after the one that comes next if they are to change places."""
        connection = letter.connection
        if connection not in self._held and self._venue.faults.take(
            "reordered", symbol=letter.symbol, channel=letter.channel, path=connection.path
        ):
            self._held[connection] = letter
            return
        self._deliver(letter)
        held = self._held.pop(connection, None)
        if held is not None:
            self._deliver(held)

    def _deliver(self, letter: Letter) -> None:
        faults, symbol, path = self._venue.faults, letter.symbol, letter.connection.path
        late = faults.active("late_reports", symbol=symbol, path=path)
        for _ in range(2 if faults.take("duplicate_reports", symbol=symbol, path=path) else 1):
            if late is None:
                _push(letter)
                continue
            self._late.append(letter)
            asyncio.get_running_loop().call_later(late.seconds or 0.0, self._deliver_late)

    def _deliver_late(self) -> None:
        """Send the oldest that is late. Answers overtake it, but no other push does."""
        _push(self._late.popleft())


def _push(letter: Letter) -> None:
    letter.connection.push(_PROTOS[letter.channel], letter.message)
