"""Every error's text is pinned, and the tree in the docstring tells the truth."""

import inspect
import re

import pytest

from foxtrot import errors
from foxtrot.errors import Action, ErrorClass, FoxtrotError

CLASSES = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, FoxtrotError) and cls.__module__ == errors.__name__
]

TEXTS: list[tuple[FoxtrotError, str]] = [
    (FoxtrotError("plain"), "plain"),
    (
        errors.ConfigurationError("settings.json", "polling.interval", "must be above 0"),
        "settings.json: polling.interval: must be above 0",
    ),
    (errors.ConfigurationError("settings.json", "", "is empty"), "settings.json: is empty"),
    (
        errors.CredentialError("connect", "secret", "env:KEY is not set"),
        "connect: secret: env:KEY is not set",
    ),
    (errors.StreamingError("the stream broke"), "the stream broke"),
    (errors.ConnectError("host:1", "refused"), "cannot connect to host:1: refused"),
    (errors.ConnectTimeout("host:1", 2.5), "cannot connect to host:1: no answer within 2.5 s"),
    (
        errors.TlsError("host:1", "certificate has expired"),
        "cannot connect to host:1: certificate has expired",
    ),
    (errors.NameResolutionError("host:1", "no address"), "cannot connect to host:1: no address"),
    (errors.ConnectionClosed(1006), "connection closed, code 1006"),
    (errors.ConnectionClosed(1008, "too fast"), "connection closed, code 1008: too fast"),
    (errors.HeartbeatTimeout(19.04), "no data for 19.0 s and no answer to a probe"),
    (
        errors.StaleStream("tick:A"),
        "stream tick:A stands still while its market moves",
    ),
    (errors.UnexpectedError("KeyError inside"), "KeyError inside"),
    (
        errors.MalformedMessage("BINANCE", 12, "deadbeef", "not JSON"),
        "BINANCE: unreadable message (12 bytes, sha256 deadbeef): not JSON",
    ),
    (errors.VenueError("BINANCE", "-1000", "unknown"), "BINANCE: unknown (code -1000)"),
    (errors.VenueError("BINANCE", "", "unknown"), "BINANCE: unknown"),
    (
        errors.AuthenticationError("BINANCE", "-2015", "invalid key"),
        "BINANCE: invalid key (code -2015)",
    ),
    (errors.PermissionDenied("BINANCE", "", "no trading"), "BINANCE: no trading"),
    (
        errors.RateLimited("BINANCE", "429", "too many requests", 7.0),
        "BINANCE: too many requests; retry after 7 s (code 429)",
    ),
    (
        errors.VenueBanned("BINANCE", "418", "banned", 120.0),
        "BINANCE: banned; retry after 120 s (code 418)",
    ),
    (errors.VenueUnavailable("BINANCE", "503", "maintenance"), "BINANCE: maintenance (code 503)"),
    (errors.UnknownSymbol("BINANCE", "", "no symbol XX"), "BINANCE: no symbol XX"),
    (
        errors.AmbiguousSymbol("IB", "XX", ["1.CME (a)", "2.CME (b)"]),
        "IB: 'XX' fits 2 contracts, name one: 1.CME (a); 2.CME (b)",
    ),
    (
        errors.AmbiguousSymbol("IB", "XX", "abcdefgh"),
        "IB: 'XX' fits 8 contracts, name one: a; b; c; d; e; f; and 2 more",
    ),
    (errors.SubscriptionRefused("BINANCE", "2", "bad stream"), "BINANCE: bad stream (code 2)"),
    (errors.ClientIdInUse("IB", 7), "IB: client id 7 is in use by another session"),
    (
        errors.OrderRejected("BINANCE", "-2010", "insufficient balance"),
        "BINANCE: insufficient balance (code -2010)",
    ),
    (
        errors.OrderOutcomeUnknown("BINANCE", "f-1", "no answer"),
        "BINANCE: outcome of order f-1 is unknown: no answer",
    ),
    (errors.JournalError("a.db", "is too new"), "order journal a.db: is too new"),
    (
        errors.JournalInUse("a.db"),
        "order journal a.db: is in use; stop the other foxtrot, or trade another account",
    ),
    (
        errors.JournalUnavailable("a.db", "the disk is full"),
        "order journal a.db: the disk is full",
    ),
    (errors.NotSupported("BINANCE", "history"), "BINANCE does not support history"),
    (errors.CircuitOpen(12.34), "circuit open for another 12.3 s"),
    (errors.InvalidState("not now"), "not now"),
    (errors.BridgeNotRunning("bridge is not running"), "bridge is not running"),
    (errors.WrongThread("would wait for itself"), "would wait for itself"),
    (
        errors.BridgeTimeout("connect", 3.0),
        "connect did not finish within 3 s and was cancelled",
    ),
    (
        errors.ShutdownTimeout("engine", 10.0, ["thread a", "task b"]),
        "engine did not end within 10 s; left behind: thread a, task b",
    ),
]


@pytest.mark.parametrize(("error", "text"), TEXTS, ids=lambda value: type(value).__name__)
def test_the_text_is_as_pinned(error: FoxtrotError, text: str) -> None:
    """Users grep for these texts; a change is made on purpose."""
    assert str(error) == text


def test_every_class_has_a_pinned_text() -> None:
    """A new error comes with its text in this file."""
    assert {type(error) for error, _ in TEXTS} == set(CLASSES)


def drawn() -> dict[str, tuple[str, str]]:
    """The tree of the docstring: name -> (parent, action)."""
    assert errors.__doc__
    found: dict[str, tuple[str, str]] = {}
    path: list[tuple[int, str]] = []
    for line in errors.__doc__.splitlines():
        match = re.match(r"^ {4}([│ ]*[├└]─ )(\w+)(?: \(\w+\))?\s+([A-Z]+) +\S", line)
        if line.strip() == "FoxtrotError":
            path = [(0, "FoxtrotError")]
        if match is None:
            continue
        depth = len(match[1])
        while path[-1][0] >= depth:
            path.pop()
        found[match[2]] = (path[-1][1], match[3])
        path.append((depth, match[2]))
    return found


def test_the_drawn_tree_is_the_real_one() -> None:
    """The docstring shows every class under its parent, with what to do about it."""
    real = {
        cls.__name__: (
            next(base.__name__ for base in cls.__bases__ if issubclass(base, FoxtrotError)),
            cls.action.name,
        )
        for cls in CLASSES
        if cls is not FoxtrotError
    }
    assert drawn() == real


@pytest.mark.parametrize(
    ("cls", "builtin"),
    [
        (errors.InvalidState, RuntimeError),
        (errors.WrongThread, RuntimeError),
        (errors.BridgeNotRunning, RuntimeError),
        (errors.BridgeTimeout, TimeoutError),
    ],
)
def test_some_are_builtin_errors_too(cls: type[FoxtrotError], builtin: type[Exception]) -> None:
    """Callers who do not know foxtrot may catch what they know; the tree shows it."""
    assert issubclass(cls, builtin)


def test_the_tree_shows_the_builtin_parents() -> None:
    """`(RuntimeError)` and `(TimeoutError)` stand beside the classes that are both."""
    assert errors.__doc__
    shown = dict(re.findall(r"─ (\w+) \((\w+)\)", errors.__doc__))
    assert shown == {"InvalidState": "RuntimeError", "BridgeTimeout": "TimeoutError"}


def test_every_class_says_what_to_do() -> None:
    """No error leaves the supervisor or a person without an action, or without a docstring."""
    for cls in CLASSES:
        assert isinstance(cls.action, Action)
        assert cls.__doc__


IN_CLASS = {
    ErrorClass.NETWORK: [
        errors.StreamingError, errors.ConnectError, errors.ConnectTimeout, errors.TlsError,
        errors.NameResolutionError, errors.ConnectionClosed, errors.HeartbeatTimeout,
        errors.StaleStream,
    ],
    ErrorClass.VENUE: [
        errors.VenueError, errors.VenueUnavailable, errors.ClientIdInUse, errors.OrderRejected,
        errors.OrderOutcomeUnknown,
    ],
    ErrorClass.RATE_LIMIT: [errors.RateLimited],
    ErrorClass.BAN: [errors.VenueBanned],
    ErrorClass.AUTHENTICATION: [errors.AuthenticationError, errors.CredentialError],
    ErrorClass.PERMISSION: [errors.PermissionDenied],
    ErrorClass.SYMBOL: [errors.UnknownSymbol, errors.AmbiguousSymbol, errors.SubscriptionRefused],
    ErrorClass.MALFORMED: [errors.MalformedMessage],
}  # fmt: skip
"""What is named here; all others are UNKNOWN."""


def test_every_error_belongs_to_one_class() -> None:
    """People sort by it; what is new is UNKNOWN until somebody says better."""
    named = {cls: group for group, members in IN_CLASS.items() for cls in members}
    assert {cls: cls.error_class for cls in CLASSES} == {
        cls: named.get(cls, ErrorClass.UNKNOWN) for cls in CLASSES
    }


@pytest.mark.parametrize(
    ("group", "action"),
    [
        (ErrorClass.NETWORK, Action.RECONNECT),
        (ErrorClass.RATE_LIMIT, Action.WAIT),
        (ErrorClass.BAN, Action.WAIT),
        (ErrorClass.AUTHENTICATION, Action.STOP),
        (ErrorClass.PERMISSION, Action.STOP),
        (ErrorClass.SYMBOL, Action.STOP),
        (ErrorClass.MALFORMED, Action.DROP),
    ],
)
def test_a_class_has_one_action(group: ErrorClass, action: Action) -> None:
    """A key is not tried again, a limit is waited for, a line is dialled again."""
    assert {cls.action for cls in IN_CLASS[group]} == {action}


def test_what_is_unknown_is_tried_afresh_and_a_venue_in_trouble_is_waited_for() -> None:
    """Orders aside, which have words of their own."""
    assert errors.UnexpectedError.action is Action.RECONNECT
    assert errors.VenueError.action is errors.VenueUnavailable.action is Action.WAIT


def test_attributes_hold_what_the_text_was_built_from() -> None:
    """Programs read attributes, people read texts."""
    limited = errors.RateLimited("BINANCE", "429", "slow", 7.0)
    assert (limited.venue, limited.code, limited.retry_after_s) == ("BINANCE", "429", 7.0)
    left = errors.ShutdownTimeout("engine", 1.0, ["a"])
    assert left.left_behind == ("a",)
    wrong = errors.ConfigurationError("file", "key", "bad")
    assert (wrong.where, wrong.field, wrong.problem) == ("file", "key", "bad")
