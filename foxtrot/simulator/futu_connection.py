"""One client's connection to the simulated OpenD: handshake, ciphers, and what goes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from foxtrot.simulator import futu_wire as wire
from foxtrot.simulator.futu_cipher import Aes, Rsa
from foxtrot.simulator.futu_limits import NO_SUCH_REQUEST
from foxtrot.simulator.futu_naming import kind_of, symbols_of
from foxtrot.simulator.futu_schema import Message, Proto, refusal, request
from foxtrot.simulator.socket_connection import Owner, SocketConnection

_GARBAGE_LENGTH = 1 << 31
_UNKNOWN_FORMAT = 7
_FIRST_TRADING_ID, _FIRST_QUOTE_ID = 2000, 3000


class Request(msgspec.Struct, frozen=True):
    """What a client asks; `kind` is what faults call it, `symbols` what it is about."""

    proto: Proto
    serial: int
    c2s: Message
    kind: str
    symbols: tuple[str | None, ...]


class Venue(Owner["Connection"], Protocol):
    """What a connection needs of the OpenD it belongs to."""

    rsa: Rsa | None

    def handle(self, connection: Connection, request: Request) -> None:
        """Answer a request."""


class Connection(SocketConnection):
    """A client, from its first byte to its last.

    Args:
        venue: Where it is connected.

    Attributes:
        conn_id: What `PacketID.connID` has to be; 0 before the handshake.
        notified: Whether it wants to hear of events.

    Thread safety: lives on the venue's loop.
    """

    _venue: Venue

    def __init__(self, venue: Venue) -> None:
        super().__init__(venue)
        self.conn_id = 0
        self.trading = False
        self.notified = False
        self.aes: Aes | None = None
        self._reader = wire.Reader()
        self._rest: list[Callable[[], None]] = []
        self._pushed = 0

    def __repr__(self) -> str:
        return f"<Connection {self.number} trading={self.trading} open={self.open}>"

    @property
    def path(self) -> str:
        """What a fault's `path` is compared with: such as `3/quotes` or `4/trading`."""
        return f"{self.number}/{'trading' if self.trading else 'quotes'}"

    # -- what asyncio calls -----------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Bytes came in."""
        try:
            for frame in self._reader.feed(data):
                if self.open and not self._mute():
                    self._take(frame)
        except wire.WireError as error:
            self._venue.violated(self, str(error))
            self.hang_up()

    # -- what the venue calls ---------------------------------------------------------------

    def answer(self, asked: Request, answer: Message, *, late_s: float | None = None) -> None:
        """Send the answer to a request; with `late_s`, after a while, whatever comes until then."""
        frame = self._sealed(asked.proto, asked.serial, answer.SerializeToString())
        if asked.proto is Proto.InitConnect:
            self.deliver_handshake(frame)  # a client that is refused stays, as OpenD lets it
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

    def deliver(self, data: bytes) -> None:
        """Send a ready-made frame, unless a fault has it."""
        if not self._mute() and self._venue.faults.take("half_frame", path=self.path):
            self.write(data[: len(data) // 2])
            self.hang_up()
            return
        super().deliver(data)

    # -- inside -----------------------------------------------------------------------------

    def _spoilt(self, data: bytes) -> bytes:
        faults, path = self._venue.faults, self.path
        if faults.take("corrupt_length", path=path):
            data = wire.with_length(data, _GARBAGE_LENGTH)
        if faults.take("unknown_format", path=path):
            data = wire.with_kind(data, _UNKNOWN_FORMAT)
        if faults.take("bad_checksum", path=path):
            data = wire.with_wrong_sha(data)
        return data

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
        body = self._plain(frame)
        try:
            proto = Proto(frame.proto_id)
            asked = request(proto)
        except (ValueError, AttributeError):
            self._decline(frame)
            return
        try:
            asked.ParseFromString(body)
        except ValueError:
            raise wire.WireError(f"a {frame.proto_id} that cannot be read") from None
        if not asked.IsInitialized():
            raise wire.WireError(f"a {proto.name} without all that it requires")
        if _FIRST_TRADING_ID <= proto < _FIRST_QUOTE_ID:
            self.trading = True
        c2s = asked.c2s
        self._venue.handle(
            self, Request(proto, frame.serial, c2s, kind_of(proto, c2s), symbols_of(c2s))
        )

    def _decline(self, frame: wire.Frame) -> None:
        """Say that there is no such request, or that it is not offered here."""
        self._venue.violated(self, f"{frame.proto_id} is not offered")
        body = refusal(Proto.KeepAlive, NO_SUCH_REQUEST).SerializeToString()
        self.deliver(self._sealed(frame.proto_id, frame.serial, body))
