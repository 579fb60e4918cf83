"""The user data stream of the simulated Binance, on connections of its WebSocket API."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

import msgspec

from foxtrot.simulator import binance_order_payloads as wire
from foxtrot.simulator.accounts import Account
from foxtrot.simulator.binance_connection import Connection
from foxtrot.simulator.binance_distortion import Distortion
from foxtrot.simulator.binance_params import refusal
from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.market import Market
from foxtrot.simulator.matching import Report

_WAITING = 100_000


class Venue(Protocol):
    """What the user stream needs of the venue."""

    market: Market
    faults: FaultBoard

    def now_ms(self) -> int:
        """The venue's clock."""


class _Event(msgspec.Struct, frozen=True):
    """One event for whoever listens to an account."""

    account: Account
    channel: str
    symbol: str
    frame: bytes


class UserStreams:
    """Who listens to which account, and what they are told.

    An event waits for the loop to come round, so that the answer to the request that caused it
    goes first; `flush` sends at once what waits.

    Args:
        venue: Whose accounts these are.
        distortion: What becomes of frames on their way.
    """

    def __init__(self, venue: Venue, distortion: Distortion) -> None:
        self._venue, self._distortion = venue, distortion
        self._listeners: dict[int, dict[str, tuple[int, Connection]]] = {}
        self._numbers: dict[int, int] = {}
        self._waiting: deque[_Event] = deque(maxlen=_WAITING)
        self._held: dict[str, _Event] = {}

    def __repr__(self) -> str:
        return f"<UserStreams connections={len(self._listeners)}>"

    def listeners(self, account: str) -> int:
        """How many connections listen to an account."""
        return sum(account in streams for streams in self._listeners.values())

    def subscribe(self, connection: Connection, account: Account) -> int:
        """Begin the stream of an account on a connection; returns the number it has there.

        Raises:
            web.HTTPException: -2035, there is one already.
        """
        streams = self._listeners.setdefault(connection.number, {})
        if account.name in streams:
            raise refusal(-2035, "User Data Stream subscription already active.")
        number = self._numbers.get(connection.number, 0)
        self._numbers[connection.number] = number + 1
        streams[account.name] = (number, connection)
        return number

    def unsubscribe(self, connection: Connection, number: int | None) -> None:
        """End one stream of a connection, or all."""
        streams = self._listeners.get(connection.number, {})
        for account, (each, _) in tuple(streams.items()):
            if number in (None, each):
                del streams[account]

    def dismiss(self, connection: Connection) -> None:
        """A connection has ended, and with it its streams."""
        self._listeners.pop(connection.number, None)
        self._numbers.pop(connection.number, None)

    def report(self, report: Report) -> None:
        """Tell of a change of an order, and of the balances it has moved."""
        order, now_ms = report.order, self._venue.now_ms()
        item = self._venue.market.listings[order.symbol]
        self._tell(
            order.account, "executionReport", order.symbol, wire.execution_report(report, now_ms)
        )
        position = wire.account_position(order.account, (item.base, item.quote), now_ms)
        self._tell(order.account, "outboundAccountPosition", order.symbol, position)

    def deposited(self, account: Account, asset: str, change_e8: int) -> None:
        """Tell of a deposit or, below zero, of a withdrawal."""
        now_ms = self._venue.now_ms()
        self._tell(account, "balanceUpdate", "", wire.balance_update(asset, change_e8, now_ms))
        position = wire.account_position(account, (asset,), now_ms)
        self._tell(account, "outboundAccountPosition", "", position)

    def terminate(self) -> None:
        """End every stream as Binance does; the connections stand."""
        self.flush()
        frame = wire.stream_terminated(self._venue.now_ms())
        for streams in tuple(self._listeners.values()):
            for number, connection in streams.values():
                connection.send(_wrapped(number, frame))
            streams.clear()

    def flush(self) -> None:
        """Send what waits, unless user events are to be late."""
        late = self._venue.faults.active("late_reports")
        if late is None:
            while self._waiting:
                self._send(self._waiting.popleft())
            return
        if self._waiting:
            events = tuple(self._waiting)
            self._waiting.clear()
            asyncio.get_running_loop().call_later(late.seconds or 0.0, self._send_all, events)

    def _tell(self, account: Account, channel: str, symbol: str, frame: bytes) -> None:
        if not self.listeners(account.name):
            return
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self.flush)
        self._waiting.append(_Event(account, channel, symbol, frame))

    def _send_all(self, events: tuple[_Event, ...]) -> None:
        for event in events:
            self._send(event)

    def _send(self, event: _Event) -> None:
        """Send an event, after the one that comes next if they are to change places."""
        account, faults = event.account.name, self._venue.faults
        if account not in self._held and faults.take(
            "reordered", symbol=event.symbol, channel=event.channel
        ):
            self._held[account] = event
            return
        self._deliver(event)
        held = self._held.pop(account, None)
        if held is not None:
            self._deliver(held)

    def _deliver(self, event: _Event) -> None:
        account = event.account.name
        frames = self._distortion.frames(
            f"user:{account}", event.symbol, event.channel, event.frame
        )
        for streams in tuple(self._listeners.values()):
            if account not in streams:
                continue
            number, connection = streams[account]
            for frame in frames:
                connection.send(_wrapped(number, frame))


def _wrapped(number: int, frame: bytes) -> bytes:
    return b'{"subscriptionId":%d,"event":%b}' % (number, frame)
