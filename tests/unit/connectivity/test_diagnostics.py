"""Errors are classified by what to do, and the last ones remembered."""

import pytest

from foxtrot.connectivity.diagnostics import ErrorHistory, Uptime, labels
from foxtrot.errors import (
    AuthenticationError,
    ConnectionClosed,
    FoxtrotError,
    MalformedMessage,
    PermissionDenied,
    RateLimited,
    UnexpectedError,
    UnknownSymbol,
    VenueBanned,
    VenueUnavailable,
)

ONE_OF_EACH: list[tuple[FoxtrotError, str, str]] = [
    (ConnectionClosed(1006), "network", "reconnect"),
    (VenueUnavailable("V", "503", "maintenance"), "venue", "wait"),
    (RateLimited("V", "429", "slow", 1.0), "rate_limit", "wait"),
    (VenueBanned("V", "418", "out", 1.0), "ban", "wait"),
    (AuthenticationError("V", "", "no"), "authentication", "stop"),
    (PermissionDenied("V", "", "no"), "permission", "stop"),
    (UnknownSymbol("V", "", "no such"), "symbol", "stop"),
    (MalformedMessage("V", 3, "abc", "bad"), "malformed", "drop"),
    (UnexpectedError("KeyError"), "unknown", "reconnect"),
]


@pytest.mark.parametrize(
    ("error", "error_class", "action"), ONE_OF_EACH, ids=lambda value: type(value).__name__
)
def test_an_entry_says_whose_trouble_it_is_and_what_is_done(
    error: FoxtrotError, error_class: str, action: str
) -> None:
    """The history and the log line agree on both."""
    history = ErrorHistory(1)
    history.add(error, 5)
    (record,) = history.snapshot()
    assert (record.error_class, record.action, record.ts_ns) == (error_class, action, 5)
    assert labels(error) == {"error_class": error_class, "action": action, "reason": record.text}


def test_the_history_is_bounded_and_oldest_first() -> None:
    """Only the last errors are kept, in the order in which they came."""
    history = ErrorHistory(3)
    for code in range(1000, 1005):
        history.add(ConnectionClosed(code), code)
    records = history.snapshot()
    assert [record.ts_ns for record in records] == [1002, 1003, 1004]
    assert records[-1].kind == "ConnectionClosed"
    assert records[-1].action == "reconnect"
    assert records[-1].text == "connection closed, code 1004"


def test_errors_are_counted_by_class_beyond_the_history() -> None:
    """What the history has forgotten still counts; classes without errors are left out."""
    history = ErrorHistory(1)
    for error, _, _ in (*ONE_OF_EACH[:2], *ONE_OF_EACH[:1]):
        history.add(error, 0)
    assert history.counts() == {"network": 2, "venue": 1}
    assert len(history.snapshot()) == 1


def test_uptime_is_told_apart_from_downtime_and_from_rest() -> None:
    """Down is only what should have served; what was stopped on purpose is neither."""
    uptime = Uptime()
    assert uptime.read(50.0) == (0.0, 0.0)
    uptime.begin(False, 50.0)
    uptime.begin(True, 53.0)
    assert uptime.read(60.0) == (7.0, 3.0)
    uptime.pause(60.0)
    assert uptime.read(100.0) == (7.0, 3.0)
    uptime.begin(True, 100.0)
    uptime.begin(False, 101.0)
    assert uptime.read(103.0) == (8.0, 5.0)
    assert uptime.read(90.0) == (8.0, 3.0), "a clock that steps back takes nothing away"
