"""Errors are classified by what to do, and the last ones remembered."""

import pytest

from foxtrot.connectivity.diagnostics import ErrorHistory, action_of
from foxtrot.errors import (
    Action,
    AuthenticationError,
    ConnectionClosed,
    MalformedMessage,
    OrderOutcomeUnknown,
    RateLimited,
)


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (AuthenticationError("V", "", "no"), Action.STOP),
        (ConnectionClosed(1006), Action.RECONNECT),
        (RateLimited("V", "429", "slow", 1.0), Action.WAIT),
        (MalformedMessage("V", 3, "abc", "bad"), Action.DROP),
        (OrderOutcomeUnknown("V", "1", "lost"), Action.RECONCILE),
        (ValueError("whatever an SDK raises"), Action.RECONNECT),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_error_says_what_to_do(error: BaseException, action: Action) -> None:
    """Our errors know; of a foreign one nothing is known, so the connection is made anew."""
    assert action_of(error) is action


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
