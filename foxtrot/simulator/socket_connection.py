"""One client's TCP connection to a simulated venue: what goes out, and what faults make of it."""

from __future__ import annotations

import asyncio
import socket
import struct
from abc import abstractmethod
from collections import deque
from typing import Protocol, Self, TypeVar

import msgspec

from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.log import log

C_contra = TypeVar("C_contra", contravariant=True)

_NO_LINGER = struct.pack("ii", 1, 0)
_HANDSHAKE_S = 10.0


class SocketLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of any venue on a bare socket.

    Args:
        clients: Connections at once.
        send_buffer_bytes: A client that reads so much too slowly is cut off; None: none is.
    """

    clients: int = 32
    send_buffer_bytes: int | None = 32 << 20


class Owner(Protocol[C_contra]):
    """What any connection needs of the venue it belongs to."""

    faults: FaultBoard

    @property
    def limits(self) -> SocketLimits:
        """The rules for clients."""

    def opened(self, connection: C_contra) -> bool:
        """A client has connected; whether it may stay."""

    def closed(self, connection: C_contra) -> None:
        """A connection is gone."""

    def joined(self, connection: C_contra) -> None:
        """A client has said who it is."""

    def violated(self, connection: C_contra, problem: str) -> None:
        """A client broke a rule that no client should ever break."""


class SocketConnection(asyncio.Protocol):
    """A client, from its first byte to its last.

    Args:
        venue: Where it is connected.

    Attributes:
        number: Counted from 1 over the life of the venue.
        joined: Whether the client has said who it is.

    Thread safety: lives on the venue's loop.
    """

    def __init__(self, venue: Owner[Self]) -> None:
        self.number = 0
        self.joined = False
        self._venue = venue
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._late: deque[bytes] = deque()

    @property
    @abstractmethod
    def path(self) -> str:
        """What a fault's `path` is compared with."""

    @property
    def open(self) -> bool:
        """Whether the connection still stands."""
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self: Self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if not self._venue.opened(self):
            self.reset()

    def connection_lost(self: Self, exc: Exception | None) -> None:
        """It is over."""
        self._transport = None
        self._venue.closed(self)

    def deliver(self, data: bytes) -> None:
        """Send a ready-made message, unless a fault has it."""
        faults = self._venue.faults
        if faults.quiet and not self._late:
            self.write(data)
            return
        if self._mute():
            return
        data = self._spoilt(data)
        slow = faults.active("latency", path=self.path)
        if slow is None and not self._late:
            self.write(data)
            return
        self._late.append(data)
        self._loop.call_later((slow.seconds or 0.0) if slow else 0.0, self._write_late)

    def deliver_handshake(self, data: bytes) -> None:
        """Send the answer to a handshake, which a fault may delay."""
        slow = self._venue.faults.take("slow_handshake", path=self.path)
        if slow is None:
            self.deliver(data)
            return
        seconds = _HANDSHAKE_S if slow.seconds is None else slow.seconds
        self._loop.call_later(seconds, self.deliver, data)

    def write(self, data: bytes) -> None:
        """Put bytes on the wire."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(data)
        bound = self._venue.limits.send_buffer_bytes
        if bound is not None and transport.get_write_buffer_size() > bound:
            log.warning("simulated_client_too_slow", connection=self.number)
            transport.abort()

    def backlog(self) -> int:
        """Bytes that wait for the client to read."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def hang_up(self) -> None:
        """Send what is left, then FIN."""
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """Drop the connection with a TCP reset."""
        if self._transport is not None:
            abort(self._transport)

    @abstractmethod
    def _spoilt(self, data: bytes) -> bytes:
        """What the faults of the wire make of a message."""

    def _mute(self) -> bool:
        faults = self._venue.faults
        return not faults.quiet and faults.active("mute", path=self.path) is not None

    def _write_late(self) -> None:
        if self._late:
            self.write(self._late.popleft())


def abort(transport: asyncio.BaseTransport) -> None:
    """End a connection with a TCP reset."""
    assert isinstance(transport, asyncio.WriteTransport)
    raw = transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
