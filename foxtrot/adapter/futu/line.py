"""What the SDK's network thread calls for one connection, and how it comes to the loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from foxtrot.adapter.futu.schema import Message, Proto, push_class, read
from foxtrot.adapter.futu.wire import Reader
from foxtrot.core.logs import get_logger
from foxtrot.errors import FoxtrotError, StreamingError

log = get_logger("foxtrot.futu.client")

Sink = Callable[[Message], None]

RUSH_BYTES = 32 << 10
"""So much at once has waited: some hundred messages."""


class Line:
    """The handler of one connection: pushes go to their sinks at once, all else to the loop.

    Args:
        venue: Name of the adapter, for logs.
        reader: Cuts the bytes.
        answered: Told of each answer on the loop: message id, serial number, body.
        opened: Told on the loop that the attempt has ended: "" if it did well, else why not.
        lost: Told on the loop that the connection is gone, or not to be trusted any more.

    Attributes:
        sinks: Who takes which push, on the network thread.
        unreadable: Told on the network thread of the type of a push that could not be read.
        rush: Told on the network thread that a rush begins, much that came at once, and that it is
            over.
        received: Frames so far.
    """

    def __init__(
        self,
        venue: str,
        reader: Reader,
        answered: Callable[[int, int, bytes], None],
        opened: Callable[[str], None],
        lost: Callable[[FoxtrotError | None], None],
    ) -> None:
        self._venue, self._reader = venue, reader
        self._answered, self._opened, self._lost = answered, opened, lost
        self._loop = asyncio.get_running_loop()
        self.sinks: dict[int, tuple[type[Message], Sink]] = {}
        self.unreadable: Callable[[str], None] = _nobody_counts
        self.rush: Callable[[bool], None] | None = None
        self.received = 0
        self._broken = False
        self._told: set[str] = set()

    def listen(self, proto: Proto, sink: Sink) -> None:
        """Give pushes of this kind to `sink`."""
        self.sinks[int(proto)] = (push_class(proto), sink)

    def on_connect(self, *args: object, **named: object) -> None:
        """See `RawHandler`. The SDK gives one argument or two, or one of them by its name."""
        attempt = named.get("conn_info", args[-1] if args else None)
        well = getattr(getattr(attempt, "err", None), "name", "") == "Ok"
        why = "" if well else str(getattr(attempt, "msg", "")) or "failed"
        self._hop(lambda: self._opened(why))

    def on_disconnect(self, conn_id: int, reason: object, msg: str) -> None:
        """See `RawHandler`."""
        self._hop(lambda: self._lost(None))

    def on_tick(self, conn_id: int, now: float) -> None:
        """See `RawHandler`. Signs of life are the loop's business."""

    def on_recv(self, conn_id: int, data: bytes) -> None:
        """See `RawHandler`."""
        if self._broken:
            return
        rush = self.rush if len(data) >= RUSH_BYTES else None
        if rush is not None:
            rush(True)
        try:
            for proto, serial, body in self._reader.feed(data):
                self.received += 1
                listener = self.sinks.get(proto)
                if listener is not None:
                    self._push(proto, body, *listener)
                else:
                    self._hop(lambda reply=(proto, serial, body): self._answered(*reply))  # type: ignore[misc]
        except StreamingError as error:
            self._broken = True
            cause = error
            self._hop(lambda: self._lost(cause))
        if rush is not None:
            rush(False)

    def _push(self, proto: int, body: bytes, kind: type[Message], sink: Sink) -> None:
        try:
            sink(read(kind, body).s2c)
        except Exception as error:  # noqa: BLE001 - boundary: one message costs no other
            name = Proto(proto).name
            self.unreadable(name)
            if name not in self._told:  # each is counted; to say it once will do
                self._told.add(name)
                log.warning("unreadable", venue=self._venue, kind=name, error=type(error).__name__)

    def _hop(self, call: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop may be closed by now
            self._loop.call_soon_threadsafe(call)


def _nobody_counts(message_type: str) -> None:
    """Nobody counts yet."""
