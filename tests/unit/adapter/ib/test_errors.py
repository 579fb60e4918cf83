"""TWS's codes: whose trouble each one is, and whether what it is about goes on."""

from __future__ import annotations

import socket

import pytest

from foxtrot.adapter.ib.errors import (
    FARM_CODES,
    Effect,
    effect_of,
    ends_request,
    error_of,
    translate,
)
from foxtrot.errors import (
    Action,
    ClientIdInUse,
    ConnectError,
    ConnectionClosed,
    ConnectTimeout,
    NameResolutionError,
    PermissionDenied,
    RateLimited,
    SubscriptionRefused,
    UnexpectedError,
    UnknownSymbol,
    VenueError,
    VenueUnavailable,
)

PACING = "Historical Market Data Service error message:Historical data request pacing violation"
NO_DATA = "Historical Market Data Service error message:HMDS query returned no data: AAPL@SMART"
NO_RIGHT = "Historical Market Data Service error message:No market data permissions for NYSE STK"
READ_ONLY = (
    "Error validating request.-'bW' : cause - The API interface is currently in Read-Only mode."
)


@pytest.mark.parametrize(
    ("code", "effect"),
    [
        (1100, Effect.LINE_DOWN),
        (1101, Effect.LINE_BACK_EMPTY),
        (1102, Effect.LINE_BACK),
        (2103, Effect.FARM_DOWN),
        (2105, Effect.FARM_DOWN),
        (2104, Effect.FARM_BACK),
        (2106, Effect.FARM_BACK),
        (2108, Effect.FARM_IDLE),
        (326, Effect.CLOSED),
        (399, Effect.NOTICE),
        (2109, Effect.NOTICE),
        (2137, Effect.NOTICE),
        (10167, Effect.NOTICE),
        (354, Effect.REFUSED),
        (99999, Effect.REFUSED),
    ],
)
def test_a_code_has_one_effect(code: int, effect: Effect) -> None:
    """Notices end nothing; what nobody knows is taken for a refusal of what it names."""
    assert effect_of(code) is effect
    assert ends_request(code) is (effect is Effect.REFUSED)


def test_farms_are_told_from_the_line() -> None:
    """Codes of data centres are known as such; those of TWS's own line are none."""
    assert {2103, 2104, 2105, 2106, 2107, 2108, 2157, 2158} <= FARM_CODES
    assert not {1100, 1101, 1102, 2110} & FARM_CODES


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (200, "No security definition has been found for the request", UnknownSymbol),
        (354, "Requested market data is not subscribed.", SubscriptionRefused),
        (10197, "No market data during competing live session", SubscriptionRefused),
        (420, "Invalid Real-time Query", SubscriptionRefused),
        (101, "Max number of tickers has been reached.", SubscriptionRefused),
        (309, "Max number (3) of market depth requests has been reached", SubscriptionRefused),
        (10190, "Max number of tick-by-tick requests has been reached", SubscriptionRefused),
        (100, "Max rate of messages per second has been exceeded", RateLimited),
        (162, PACING, RateLimited),
        (162, NO_RIGHT, PermissionDenied),
        (162, NO_DATA, VenueError),
        (321, READ_ONLY, PermissionDenied),
        (321, "Error validating request.-'bI' : cause - Invalid", VenueError),
        (504, "Not connected", VenueUnavailable),
        (424242, "never heard of", VenueError),
    ],
)
def test_an_error_is_as_narrow_as_the_code_allows(
    code: int, text: str, kind: type[VenueError]
) -> None:
    """Each code becomes the error whose class says what to do; TWS's words are kept."""
    error = error_of("IB", code, text)
    assert type(error) is kind
    assert isinstance(error, VenueError)
    assert error.code == str(code)
    assert text in str(error)


def test_refusals_say_what_to_do() -> None:
    """A refusal that people meet often says in words what it means."""
    assert "another session" in str(error_of("IB", 10197, "No market data"))
    assert "set market_data to delayed" in str(error_of("IB", 354, "not subscribed"))
    assert "Read-Only API" in str(error_of("IB", 321, READ_ONLY))


def test_a_client_id_in_use_is_waited_for() -> None:
    """Error 326 names the id, and is not given up."""
    error = error_of("IB", 326, "Unable to connect as the client id is already in use", client_id=7)
    assert isinstance(error, ClientIdInUse)
    assert (error.client_id, error.action) == (7, Action.WAIT)


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (ConnectionRefusedError(111, "refused"), ConnectError),
        (socket.gaierror(-2, "unknown"), NameResolutionError),
        (TimeoutError(), ConnectTimeout),
        (ConnectionResetError(), ConnectionClosed),
        (OSError(113, "no route"), ConnectError),
        (ValueError("DU1234567"), UnexpectedError),
        (ConnectError("x", "y"), ConnectError),
    ],
)
def test_what_the_socket_raises_becomes_ours(raised: Exception, kind: type[Exception]) -> None:
    """A foreign exception is turned into one of foxtrot's, without its text."""
    error = translate(raised, "IB", "127.0.0.1:4002", timeout_s=1.0)
    assert type(error) is kind
    assert "DU1234567" not in str(error)
