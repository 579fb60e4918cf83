"""One client's connection to the simulated gateway: handshake, pace, and what goes out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from foxtrot.simulator.ib_limits import CANNOT_READ, IN_USE, PACE, IbLimits, text_of
from foxtrot.simulator.ib_parsing import id_in, parse
from foxtrot.simulator.ib_requests import Request, StartApi
from foxtrot.simulator.ib_wire import LEAST_VERSION, Reader, Value, WireError, encode
from foxtrot.simulator.socket_connection import Owner, SocketConnection
from foxtrot.simulator.window import Window

_VERSIONS = re.compile(r"v(\d{1,9})(?:\.\.(\d{1,9}))?(?: .*)?")
_GARBAGE_LENGTH = b"\x7f\xff\xff\xff"
_ADVANCED_REJECT = 166
"""Since which server version an error has a field more."""


class Venue(Owner["Connection"], Protocol):
    """What a connection needs of the gateway it belongs to."""

    limits: IbLimits
    server_version: int

    def id_in_use(self, client_id: int) -> bool:
        """Whether another connection has this client id."""

    def handle(self, connection: Connection, request: Request) -> None:
        """Answer a request."""

    def time_text(self) -> str:
        """The venue's clock, as it is told in the handshake."""


class Connection(SocketConnection):
    """A client, from its first byte to its last.

    Args:
        venue: Where it is connected.

    Thread safety: lives on the venue's loop.
    """

    _venue: Venue

    def __init__(self, venue: Venue) -> None:
        super().__init__(venue)
        self.client_id = -1
        self.version = 0
        self._reader = Reader()
        self._window = Window(venue.limits.messages_per_s, 1.0)
        self._strikes = 0
        self._withheld: list[bytes] | None = None

    def __repr__(self) -> str:
        return f"<Connection {self.number} client={self.client_id} open={self.open}>"

    @property
    def path(self) -> str:
        """What a fault's `path` is compared with: such as `client/1`."""
        return f"client/{self.client_id}"

    # -- what asyncio calls -----------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Bytes came in."""
        try:
            messages = self._reader.feed(data)
        except WireError as error:
            self._venue.violated(self, str(error))
            self.hang_up()
            return
        for fields in messages:
            if self.open and not self._mute():
                self._take(fields)

    # -- what the venue calls ---------------------------------------------------------------

    def send(self, *values: Value) -> None:
        """Send one message."""
        self.deliver(encode(*values))

    def error(self, error_id: int, code: int, text: str) -> None:
        """Send an error or a notice; -1 is the id of what concerns no request."""
        last = ("",) if self.version >= _ADVANCED_REJECT else ()
        self.send(4, 2, error_id, code, text, *last)

    def deliver(self, data: bytes) -> None:
        """Send ready-made messages, unless a fault has them."""
        if self._withheld is not None:
            self._withheld.append(data)
            return
        super().deliver(data)

    def deliver_later(self, data: bytes, seconds: float) -> None:
        """Send after a while, whatever else is sent until then."""
        self._loop.call_later(seconds, self.write, data)

    @contextmanager
    def withheld(self) -> Iterator[list[bytes]]:
        """Collect what would be sent, instead of sending it."""
        before, self._withheld = self._withheld, []
        try:
            yield self._withheld
        finally:
            self._withheld = before

    # -- inside -----------------------------------------------------------------------------

    def _spoilt(self, data: bytes) -> bytes:
        if self._venue.faults.take("corrupt_length", path=self.path):
            return _GARBAGE_LENGTH + data[len(_GARBAGE_LENGTH) :]
        return data

    def _take(self, fields: list[str]) -> None:
        if not self.version:
            self._shake_hands(fields)
            return
        if not self._in_pace():
            return
        try:
            request = parse(fields, self.version)
        except WireError as error:
            self._venue.violated(self, f"message {fields[:1]}: {error}")
            self.error(id_in(fields), CANNOT_READ, text_of(CANNOT_READ, error))
            return
        if self.joined:
            self._venue.handle(self, request)
        elif isinstance(request, StartApi):
            self._start(request)
        else:
            self._venue.violated(self, f"{type(request).__name__} comes before StartApi")
            self.hang_up()

    def _shake_hands(self, fields: list[str]) -> None:
        """Agree on the newest version that both sides speak; without one, TWS hangs up."""
        match = _VERSIONS.fullmatch(fields[0]) if len(fields) == 1 else None
        if match is None:
            self._venue.violated(self, "the client names no versions")
            self.hang_up()
            return
        least, most = int(match[1]), int(match[2] or match[1])
        version = min(most, self._venue.server_version)
        if version < max(least, LEAST_VERSION):
            self.hang_up()
            return
        self.version = version
        self.deliver_handshake(encode(version, self._venue.time_text()))

    def _start(self, request: StartApi) -> None:
        if self._venue.id_in_use(request.client_id):
            self.error(-1, IN_USE, text_of(IN_USE))
            self.hang_up()
            return
        self.client_id = request.client_id
        self.joined = True
        self._venue.handle(self, request)
        self._venue.joined(self)

    def _in_pace(self) -> bool:
        """A message too many is answered with an error, and after some of them the line is cut."""
        if self._window.admit(self._loop.time()):
            return True
        limit = self._venue.limits.messages_per_s
        self._strikes += 1
        assert limit is not None
        self.error(-1, PACE, text_of(PACE, limit, limit + 1, self._strikes))
        if self._strikes >= self._venue.limits.pace_strikes:
            self.hang_up()
        return False
