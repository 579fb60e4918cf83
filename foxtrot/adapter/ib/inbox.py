"""What the SDK's decoder calls in place of its own wrapper: callbacks go to who wants them."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable

from foxtrot.adapter.ib.errors import ends_request, error_of
from foxtrot.adapter.ib.requests import ABOUT_ORDERS, Requests
from foxtrot.core.logs import get_logger
from foxtrot.errors import PermissionDenied

log = get_logger("foxtrot.ib.inbox")

Callback = Callable[..., None]
_NOT_CALLBACKS = ("_", "tcp")  # the SDK asks for tcpDataArrived and its kin, and does without


class _NoIb:
    """What a decoder asks the SDK's own IB object."""

    TimezoneTWS = ""


UNDECODED, UNDECODED_ROW = "decode", "decodeRow"
"""What is called the callback of a message that never became one; the latter was of a book."""

_ROWS = (12, 13)


class _DecoderLog:
    """Takes the decoder's complaints, which would show the content of an account."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def exception(self, text: str, *_: object) -> None:
        """A message could not be decoded; of its fields in `text`, only the first is read."""
        row = any(f"['{kind}'," in text for kind in _ROWS)
        self._inbox.unreadable(UNDECODED_ROW if row else UNDECODED, None)


class Inbox:
    """Has every callback of the API's EWrapper, by name.

    A callback goes to the question that it answers, or else to the sinks: a sink has methods of the
    callbacks' names, with the SDK's arguments, for those that it wants. What a sink raises is
    logged and counted, and harms nobody else.

    Args:
        venue: Name of the adapter.
        requests: The questions of the connection.
        on_error: Told each `error` first: request id, code, text.
    """

    def __init__(
        self, venue: str, requests: Requests, on_error: Callable[[int, int, str], None]
    ) -> None:
        self.ib, self.defaultTimezone = _NoIb(), dt.UTC  # the decoders read them
        self.decoder_log = _DecoderLog(self)
        self.malformed: Counter[str] = Counter()
        """Messages that could not be read or taken, by callback."""
        self.on_unreadable: Callable[[str], None] = _ignore
        """Told the callback of each of them."""
        self._venue, self._requests, self._on_error = venue, requests, on_error
        self._sinks: dict[str, object] = {}
        self._made: set[str] = set()

    @property
    def market(self) -> object | None:
        """Who takes market data."""
        return self._sinks.get("market")

    @market.setter
    def market(self, sink: object | None) -> None:
        self._turn("market", sink)

    @property
    def trading(self) -> object | None:
        """Who takes news of orders and of the account."""
        return self._sinks.get("trading")

    @trading.setter
    def trading(self, sink: object | None) -> None:
        self._turn("trading", sink)

    def error(self, req_id: int, code: int, text: str, advanced: str = "") -> None:
        """An error or a notice: of the connection, a request, a stream or an order."""
        self._on_error(req_id, code, text)
        if ends_request(code):
            problem = error_of(self._venue, code, text)
            if self._requests.fail(req_id, problem):
                return
            if req_id < 0 and isinstance(problem, PermissionDenied):
                self._requests.fail_kinds(ABOUT_ORDERS, problem)
        for sink in tuple(self._sinks.values()):
            listener = getattr(sink, "error", None)
            if listener is not None:
                self._call("error", listener, (req_id, code, text, advanced))

    def unreadable(self, callback: str, error: Exception | None) -> None:
        """A message could not be read, or its reader failed; the first of a kind is shown."""
        self.malformed[callback] += 1
        if self.malformed[callback] == 1:
            log.error("callback_failed", venue=self._venue, callback=callback, exc_info=error)
        self.on_unreadable(callback)

    def __getattr__(self, name: str) -> Callback:
        """The callback of this name, made when it is first asked for."""
        if name.startswith(_NOT_CALLBACKS):
            raise AttributeError(name)
        callback = self._make(name)
        self._made.add(name)
        self.__dict__[name] = callback  # from now on it is found without asking
        return callback

    def _make(self, name: str) -> Callback:
        answer = self._requests.route(name)
        listeners = [
            listener
            for sink in self._sinks.values()
            if (listener := getattr(sink, name, None)) is not None
        ]

        def callback(*args: object) -> None:
            if answer is not None and answer(args):
                return
            for listener in listeners:
                self._call(name, listener, args)

        return callback

    def _call(self, name: str, listener: Callback, args: tuple[object, ...]) -> None:
        try:
            listener(*args)
        except Exception as error:  # noqa: BLE001 - boundary: one bad message ends no connection
            self.unreadable(name, error)

    def _turn(self, role: str, sink: object | None) -> None:
        if sink is None:
            self._sinks.pop(role, None)
        else:
            self._sinks[role] = sink
        for name in self._made:
            self.__dict__.pop(name, None)
        self._made.clear()


def _ignore(callback: str) -> None:
    """Nobody listens yet."""
