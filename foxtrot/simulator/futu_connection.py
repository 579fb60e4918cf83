"""One client's connection to the simulated OpenD: handshake, ciphers, and what goes out."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Protocol

import msgspec

from foxtrot.simulator import futu_wire as wire
from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.futu_cipher import Aes, Rsa
from foxtrot.simulator.futu_limits import FutuLimits
from foxtrot.simulator.futu_naming import kind_of, symbols_of
from foxtrot.simulator.futu_schema import Message, Proto, request
from foxtrot.simulator.log import log

_NO_LINGER = struct.pack("ii", 1, 0)
_GARBAGE_LENGTH = 1 << 31
_UNKNOWN_FORMAT = 7
_HANDSHAKE_S = 10.0
_FIRST_TRADING_ID, _FIRST_QUOTE_ID = 2000, 3000


class Request(msgspec.Struct, frozen=True):
    """What a client asks; `kind` is what faults call it, `symbols` what it is about."""

    proto: Proto
    serial: int
    c2s: Message
    kind: str
    symbols: tuple[str | None, ...]


class Venue(Protocol):
    """What a connection needs of the OpenD it belongs to."""

    faults: FaultBoard
    limits: FutuLimits
    rsa: Rsa | None

    def opened(self, connection: Connection) -> bool:
        """A client has connected; whether it may stay."""

    def closed(self, connection: Connection) -> None:
        """A connection is gone."""

    def joined(self, connection: Connection) -> None:
        """A client has shaken hands."""

    def handle(self, connection: Connection, request: Request) -> None:
        """Answer a request."""

    def violated(self, connection: Connection, problem: str) -> None:
        """A client broke a rule that no client should ever break."""


class Connection(asyncio.Protocol):
    """A client, from its first byte to its last.

    Args:
        venue: Where it is connected.

    Attributes:
        conn_id: What `PacketID.connID` has to be; 0 before the handshake.
        notified: Whether it wants to hear of events.

    Thread safety: lives on the venue's loop.
    """

    def __init__(self, venue: Venue) -> None:
        self.number = 0
        self.conn_id = 0
        self.joined = False
        self.trading = False
        self.notified = False
        self.aes: Aes | None = None
        self._venue = venue
        self._loop = asyncio.get_running_loop()
        self._reader = wire.Reader()
        self._transport: asyncio.Transport | None = None
        self._late: deque[bytes] = deque()
        self._rest: list[Callable[[], None]] = []
        self._pushed = 0

    def __repr__(self) -> str:
        return f"<Connection {self.number} trading={self.trading} open={self.open}>"

    @property
    def path(self) -> str:
        """What a fault's `path` is compared with: such as `3/quotes` or `4/trading`."""
        return f"{self.number}/{'trading' if self.trading else 'quotes'}"

    @property
    def open(self) -> bool:
        """Whether the connection still stands."""
        return self._transport is not None and not self._transport.is_closing()

    # -- what asyncio calls -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if not self._venue.opened(self):
            self.reset()

    def data_received(self, data: bytes) -> None:
        """Bytes came in."""
        try:
            for frame in self._reader.feed(data):
                if self.open and not self._mute():
                    self._take(frame)
        except wire.WireError as error:
            self._venue.violated(self, str(error))
            self.hang_up()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._transport = None
        self._venue.closed(self)

    # -- what the venue calls ---------------------------------------------------------------

    def answer(self, asked: Request, answer: Message, *, late_s: float | None = None) -> None:
        """Send the answer to a request; with `late_s`, after a while, whatever comes until then."""
        frame = self._sealed(asked.proto, asked.serial, answer.SerializeToString())
        if asked.proto is Proto.InitConnect:
            self._shaken(frame)
        elif late_s:
            self._loop.call_later(late_s, self.deliver, frame)
        else:
            self.deliver(frame)

    def push(self, proto: Proto, message: Message) -> None:
        """Send what was not asked for: a whole `Response`, as `futu_schema.response` makes it."""
        self.push_body(proto, message.SerializeToString())

    def push_body(self, proto: int, body: bytes) -> None:
        """Send what was not asked for, from the bytes of its message."""
        self._pushed += 1
        self.deliver(self._sealed(proto, self._pushed, body))

    def afterwards(self, call: Callable[[], None]) -> None:
        """Do something once the answer to the present request is sent; before it, if it is late."""
        self._rest.append(call)

    def settle(self) -> None:
        """Do what was put off until the answer was sent."""
        rest, self._rest = self._rest, []
        for call in rest:
            call()

    def forget_rest(self) -> None:
        """The request was refused: nothing follows its answer."""
        self._rest.clear()

    def deliver(self, frame: bytes) -> None:
        """Send a ready-made frame, unless a fault has it."""
        faults = self._venue.faults
        if faults.quiet and not self._late:
            self.write(frame)
            return
        if self._mute():
            return
        if faults.take("half_frame", path=self.path):
            self.write(frame[: len(frame) // 2])
            self.hang_up()
            return
        frame = self._corrupted(frame)
        slow = faults.active("latency", path=self.path)
        if slow is None and not self._late:
            self.write(frame)
            return
        self._late.append(frame)
        self._loop.call_later((slow.seconds or 0.0) if slow else 0.0, self._write_late)

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
        if self._transport is None:
            return
        raw = self._transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._transport.abort()

    # -- inside -----------------------------------------------------------------------------

    def _mute(self) -> bool:
        faults = self._venue.faults
        return not faults.quiet and faults.active("mute", path=self.path) is not None

    def _write_late(self) -> None:
        if self._late:
            self.write(self._late.popleft())

    def _corrupted(self, frame: bytes) -> bytes:
        faults, path = self._venue.faults, self.path
        if faults.take("corrupt_length", path=path):
            frame = wire.with_length(frame, _GARBAGE_LENGTH)
        if faults.take("unknown_format", path=path):
            frame = wire.with_kind(frame, _UNKNOWN_FORMAT)
        if faults.take("bad_checksum", path=path):
            frame = wire.with_wrong_sha(frame)
        return frame

    def _sealed(self, proto: int, serial: int, body: bytes) -> bytes:
        """A frame; its checksum is of the plain body."""
        sealed = body
        if proto == Proto.InitConnect:
            sealed = body if self._venue.rsa is None else self._venue.rsa.encrypt(body)
        elif self.aes is not None:
            sealed = self.aes.encrypt(body)
        return wire.encode(proto, serial, sealed, sha=wire.sha_of(body))

    def _plain(self, frame: wire.Frame) -> bytes:
        body = frame.body
        if frame.proto_id == Proto.InitConnect:
            body = body if self._venue.rsa is None else self._venue.rsa.decrypt(body)
        elif self.aes is not None:
            body = self.aes.decrypt(body)
        if wire.sha_of(body) != frame.sha:
            raise wire.WireError(f"the checksum of a {frame.proto_id} does not fit")
        return body

    def _take(self, frame: wire.Frame) -> None:
        if not self.joined and frame.proto_id != Proto.InitConnect:
            raise wire.WireError(f"{frame.proto_id} comes before the handshake")
        if self.joined and frame.proto_id == Proto.InitConnect:
            raise wire.WireError("a second handshake")
        try:
            proto = Proto(frame.proto_id)
            asked = request(proto)
            asked.ParseFromString(self._plain(frame))
        except (ValueError, AttributeError):
            raise wire.WireError(f"a {frame.proto_id} that cannot be read") from None
        if not asked.IsInitialized():
            raise wire.WireError(f"a {proto.name} without all that it requires")
        if _FIRST_TRADING_ID <= proto < _FIRST_QUOTE_ID:
            self.trading = True
        c2s = asked.c2s
        self._venue.handle(
            self, Request(proto, frame.serial, c2s, kind_of(proto, c2s), symbols_of(c2s))
        )

    def _shaken(self, frame: bytes) -> None:
        """The answer to the handshake; a client that is refused stays, as OpenD lets it."""
        slow = self._venue.faults.take("slow_handshake", path=self.path)
        if slow is None:
            self.deliver(frame)
            return
        seconds = _HANDSHAKE_S if slow.seconds is None else slow.seconds
        self._loop.call_later(seconds, self.deliver, frame)
