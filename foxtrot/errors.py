"""Every error foxtrot raises, in one tree; the class says what to do next.

    FoxtrotError
    ├─ ConfigurationError            STOP       a setting is wrong; never retried
    │  └─ CredentialError            STOP       a secret is missing, unreadable or malformed
    ├─ StreamingError                RECONNECT  any trouble of the transport
    │  ├─ ConnectError               RECONNECT  no connection could be made
    │  │  ├─ ConnectTimeout          RECONNECT  … within the deadline
    │  │  ├─ TlsError                RECONNECT  the peer's certificate or protocol is wrong
    │  │  └─ NameResolutionError     RECONNECT  the host name has no address
    │  ├─ ConnectionClosed           RECONNECT  the peer closed, or the line dropped
    │  ├─ HeartbeatTimeout           RECONNECT  no data, and no answer to a probe
    │  ├─ StaleStream                RECONNECT  one stream stands still while its market moves
    │  ├─ UnexpectedError            RECONNECT  an SDK raised what foxtrot does not know
    │  └─ MalformedMessage           DROP       one message could not be read
    ├─ VenueError                    WAIT       the venue answered with an error
    │  ├─ AuthenticationError        STOP       the key or its signature is refused
    │  ├─ PermissionDenied           STOP       the key may not do this
    │  ├─ RateLimited                WAIT       too many requests; `retry_after_s`
    │  │  └─ VenueBanned             WAIT       … and the venue closed the door for a while
    │  ├─ VenueUnavailable           WAIT       maintenance or overload
    │  ├─ UnknownSymbol              STOP       the venue does not know this symbol
    │  │  └─ AmbiguousSymbol         STOP       … or knows several; `candidates` lists them
    │  ├─ SubscriptionRefused        STOP       the venue refused a stream
    │  ├─ ClientIdInUse              WAIT       another session holds this client id
    │  ├─ OrderRejected              STOP       definitive: the venue refused the order
    │  └─ OrderOutcomeUnknown        RECONCILE  never to be shown as a rejection
    ├─ JournalError                  STOP       the order journal cannot be used as it is
    │  ├─ JournalInUse               STOP       … as somebody else has it open
    │  └─ JournalUnavailable         WAIT       … until its disk can be written again
    ├─ NotSupported                  STOP       this adapter does not offer it
    ├─ CircuitOpen                   WAIT       calls are held back until a time
    ├─ InvalidState (RuntimeError)   STOP       the call does not fit the current state
    │  ├─ BridgeNotRunning           STOP       the loop thread is not running
    │  └─ WrongThread                STOP       a blocking call from the thread it would block
    ├─ BridgeTimeout (TimeoutError)  RECONNECT  the loop did not finish a call in time
    └─ ShutdownTimeout               STOP       something did not end; `left_behind` names it

Each class also belongs to an `ErrorClass`, by which people sort and count them.

Texts are built from typed attributes, never from secrets, raw URLs or a foreign exception's text.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import ClassVar


class Action(Enum):
    """What the operator or the supervisor does about an error."""

    STOP = "stop"
    RECONNECT = "reconnect"
    WAIT = "wait"
    DROP = "drop"
    RECONCILE = "reconcile"


class ErrorClass(Enum):
    """Whose trouble an error is; in every log line and every entry of the error history."""

    NETWORK = "network"
    VENUE = "venue"
    RATE_LIMIT = "rate_limit"
    BAN = "ban"
    AUTHENTICATION = "authentication"
    PERMISSION = "permission"
    SYMBOL = "symbol"
    MALFORMED = "malformed"
    UNKNOWN = "unknown"


class FoxtrotError(Exception):
    """Root of every error raised by foxtrot."""

    action: ClassVar[Action] = Action.STOP
    error_class: ClassVar[ErrorClass] = ErrorClass.UNKNOWN


class ConfigurationError(FoxtrotError):
    """A setting is wrong.

    Args:
        where: File or object that holds the setting, as the user knows it.
        field: Key of the setting, in dotted form; empty if the whole source is meant.
        problem: What is wrong and what is allowed. Never the value of a secret.
    """

    def __init__(self, where: str, field: str, problem: str) -> None:
        self.where, self.field, self.problem = where, field, problem
        super().__init__(f"{where}: {field}: {problem}" if field else f"{where}: {problem}")


class CredentialError(ConfigurationError):
    """A secret is missing, unreadable or malformed; the text names the reference only."""

    error_class = ErrorClass.AUTHENTICATION


class StreamingError(FoxtrotError):
    """Trouble of a transport; the supervisor reconnects."""

    action = Action.RECONNECT
    error_class = ErrorClass.NETWORK


class ConnectError(StreamingError):
    """No connection could be made to `endpoint`."""

    def __init__(self, endpoint: str, reason: str) -> None:
        self.endpoint, self.reason = endpoint, reason
        super().__init__(f"cannot connect to {endpoint}: {reason}")


class ConnectTimeout(ConnectError):
    """No connection, or no first answer, within the deadline; `what` is missing."""

    def __init__(self, endpoint: str, timeout_s: float, what: str = "answer") -> None:
        self.timeout_s, self.what = timeout_s, what
        super().__init__(endpoint, f"no {what} within {timeout_s:g} s")


class TlsError(ConnectError):
    """The peer's certificate or protocol is wrong. Verification is never switched off."""


class NameResolutionError(ConnectError):
    """The host name has no address."""


class ConnectionClosed(StreamingError):
    """The peer closed the connection, or the line dropped (code 1006)."""

    def __init__(self, code: int, reason: str = "") -> None:
        self.code, self.reason = code, reason
        super().__init__(f"connection closed, code {code}" + (f": {reason}" if reason else ""))


class HeartbeatTimeout(StreamingError):
    """No application data for `silent_s` seconds, and the probe was not answered."""

    def __init__(self, silent_s: float) -> None:
        self.silent_s = silent_s
        super().__init__(f"no data for {silent_s:.1f} s and no answer to a probe")


class StaleStream(StreamingError):
    """A stream stands still while a snapshot of its market shows something newer."""

    def __init__(self, stream: str) -> None:
        self.stream = stream
        super().__init__(f"stream {stream} stands still while its market moves")


class UnexpectedError(StreamingError):
    """An SDK raised what foxtrot does not know; a fresh session is the best guess."""

    error_class = ErrorClass.UNKNOWN


class MalformedMessage(StreamingError):
    """A message that could not be read; it is dropped and counted, its content is not shown."""

    action = Action.DROP
    error_class = ErrorClass.MALFORMED

    def __init__(self, venue: str, size: int, sha256_8: str, problem: str) -> None:
        self.venue, self.size, self.sha256_8, self.problem = venue, size, sha256_8, problem
        super().__init__(
            f"{venue}: unreadable message ({size} bytes, sha256 {sha256_8}): {problem}"
        )


class VenueError(FoxtrotError):
    """The venue answered with an error.

    Args:
        venue: Name of the adapter.
        code: The venue's own code, as text; empty if it gave none.
        text: The venue's words, scrubbed of anything secret.
    """

    action = Action.WAIT
    error_class = ErrorClass.VENUE

    def __init__(self, venue: str, code: str, text: str) -> None:
        self.venue, self.code, self.text = venue, code, text
        super().__init__(f"{venue}: {text} (code {code})" if code else f"{venue}: {text}")


class AuthenticationError(VenueError):
    """The key or its signature is refused; the same key is not tried again."""

    action = Action.STOP
    error_class = ErrorClass.AUTHENTICATION


class PermissionDenied(VenueError):
    """The key is good but may not do this."""

    action = Action.STOP
    error_class = ErrorClass.PERMISSION


class RateLimited(VenueError):
    """Too many requests; nothing more of this class before `retry_after_s` has passed."""

    error_class = ErrorClass.RATE_LIMIT

    def __init__(self, venue: str, code: str, text: str, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(venue, code, f"{text}; retry after {retry_after_s:g} s")


class VenueBanned(RateLimited):
    """The venue has shut this address out for `retry_after_s` seconds."""

    error_class = ErrorClass.BAN


class VenueUnavailable(VenueError):
    """The venue is under maintenance or overloaded."""


class UnknownSymbol(VenueError):
    """The venue does not know this symbol."""

    action = Action.STOP
    error_class = ErrorClass.SYMBOL


class AmbiguousSymbol(UnknownSymbol):
    """The symbol fits several contracts.

    Args:
        venue: Name of the adapter.
        symbol: As it was written.
        candidates: The contracts, each with the name that means it alone.
    """

    SHOWN = 6

    def __init__(self, venue: str, symbol: str, candidates: Sequence[str]) -> None:
        self.symbol, self.candidates = symbol, tuple(candidates)
        shown = "; ".join(self.candidates[: self.SHOWN])
        more = len(self.candidates) - self.SHOWN
        tail = f"; and {more} more" if more > 0 else ""
        text = f"{symbol!r} fits {len(self.candidates)} contracts, name one: {shown}{tail}"
        super().__init__(venue, "", text)


class SubscriptionRefused(VenueError):
    """The venue refused a stream; the other streams are not touched."""

    action = Action.STOP
    error_class = ErrorClass.SYMBOL


class ClientIdInUse(VenueError):
    """Another session holds this client id; wait for it, never take another one to trade."""

    def __init__(self, venue: str, client_id: int) -> None:
        self.client_id = client_id
        super().__init__(venue, "", f"client id {client_id} is in use by another session")


class OrderRejected(VenueError):
    """The venue refused the order. Definitive."""

    action = Action.STOP


class OrderOutcomeUnknown(VenueError):
    """Nobody knows yet whether the order lives at the venue."""

    action = Action.RECONCILE

    def __init__(self, venue: str, client_order_id: str, text: str) -> None:
        self.client_order_id = client_order_id
        super().__init__(venue, "", f"outcome of order {client_order_id} is unknown: {text}")


class JournalError(FoxtrotError):
    """The order journal at `path` cannot be used as it is; nothing is sent without it."""

    def __init__(self, path: str, problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(f"order journal {path}: {problem}")


class JournalInUse(JournalError):
    """Another process, or another adapter of this one, has the journal open."""

    def __init__(self, path: str) -> None:
        super().__init__(path, "is in use; stop the other foxtrot, or trade another account")


class JournalUnavailable(JournalError):
    """Nothing can be written at present: new orders are refused, cancels still go."""

    action = Action.WAIT


class NotSupported(FoxtrotError):
    """This adapter does not offer what was asked."""

    def __init__(self, adapter: str, what: str) -> None:
        self.adapter, self.what = adapter, what
        super().__init__(f"{adapter} does not support {what}")


class CircuitOpen(FoxtrotError):
    """Calls are held back for `wait_s` seconds after repeated failures."""

    action = Action.WAIT

    def __init__(self, wait_s: float) -> None:
        self.wait_s = wait_s
        super().__init__(f"circuit open for another {wait_s:.1f} s")


class InvalidState(FoxtrotError, RuntimeError):
    """The call does not fit the current state of the object."""


class BridgeNotRunning(InvalidState):
    """The loop thread has not been started, or has been stopped."""


class WrongThread(InvalidState):
    """A blocking call from the very thread that it would block."""


class BridgeTimeout(FoxtrotError, TimeoutError):
    """The loop did not finish a call within its deadline; the call was cancelled."""

    action = Action.RECONNECT

    def __init__(self, what: str, timeout_s: float) -> None:
        self.what, self.timeout_s = what, timeout_s
        super().__init__(f"{what} did not finish within {timeout_s:g} s and was cancelled")


class ShutdownTimeout(FoxtrotError):
    """Something did not end in time; `left_behind` names each thread and task."""

    def __init__(self, what: str, timeout_s: float, left_behind: Sequence[str]) -> None:
        self.what, self.timeout_s, self.left_behind = what, timeout_s, tuple(left_behind)
        names = ", ".join(self.left_behind)
        super().__init__(f"{what} did not end within {timeout_s:g} s; left behind: {names}")
