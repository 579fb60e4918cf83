"""What ccxt, aiohttp and the socket raise, and what a user reads and the supervisor does."""

from __future__ import annotations

import errno
import socket
import ssl

import aiohttp
import ccxt
import pytest
from aiohttp.client_reqrep import ConnectionKey
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from foxtrot import errors
from foxtrot.adapter.binance.errors import LONGEST_BAN_S, RETRY_AFTER_S, translate
from foxtrot.errors import Action, FoxtrotError

HOST = "venue.example:443"
CANARY = "c0ffee" * 11
URL_TEXT = f"https://{HOST}/api/v3/account?timestamp=1&signature={CANARY}"
KEY = ConnectionKey("venue.example", 443, True, True, None, None, None)


def translated(error: BaseException, **headers: str) -> FoxtrotError:
    """The error for a request for the account."""
    return translate(error, "BINANCE", HOST, timeout_s=10.0, what="account", headers=headers)


def answered(status: int, body: str, reason: str = "Bad Request") -> Exception:
    """What ccxt itself raises for an answer of the venue."""
    exchange = ccxt.binance()
    asked = URL_TEXT, "GET", {}, body, exchange.parse_json(body), {}, None
    try:
        exchange.handle_errors(status, reason, *asked)
        exchange.handle_http_status_code(status, reason, URL_TEXT, "GET", body)
    except ccxt.BaseError as error:
        return error
    raise AssertionError("ccxt takes this for a good answer")


def caused(error: Exception, cause: BaseException) -> Exception:
    """`raise error from cause`, as ccxt does around aiohttp."""
    error.__cause__ = cause
    return error


def said(code: int, text: str) -> str:
    """A body as the venue writes it."""
    return f'{{"code":{code},"msg":"{text}"}}'


def handshake(status: int, **headers: str) -> aiohttp.WSServerHandshakeError:
    """A handshake that the venue refused."""
    info = aiohttp.RequestInfo(URL(URL_TEXT), "GET", CIMultiDictProxy(CIMultiDict()))
    found = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return aiohttp.WSServerHandshakeError(info, (), status=status, headers=found)


ANSWERS = [
    (400, said(-1121, "Invalid symbol."), errors.UnknownSymbol, "Invalid symbol. (code -1121)"),
    (
        400,
        said(-2014, "API-key format invalid."),
        errors.AuthenticationError,
        "API-key format invalid. (code -2014)",
    ),
    (
        401,
        said(-2015, "Invalid API-key, IP, or permissions for action."),
        errors.AuthenticationError,
        "Invalid API-key, IP, or permissions for action. (code -2015)",
    ),
    (
        400,
        said(-1021, "Timestamp for this request is outside of the recvWindow."),
        errors.VenueError,
        "Timestamp for this request is outside of the recvWindow. (code -1021)",
    ),
    (
        400,
        said(-1003, "Too much request weight used."),
        errors.RateLimited,
        "Too much request weight used.; retry after 60 s (code -1003)",
    ),
    (
        429,
        said(-1003, "Too many requests."),
        errors.RateLimited,
        "Too many requests.; retry after 60 s (code -1003)",
    ),
    (
        418,
        said(-1003, "Way too much; banned."),
        errors.VenueBanned,
        "Way too much; banned.; retry after 60 s (code -1003)",
    ),
    (429, "slow down", errors.RateLimited, "account was refused; retry after 60 s (code 429)"),
    (418, "", errors.VenueBanned, "account was refused; retry after 60 s (code 418)"),
    (
        403,
        "<html><body>Forbidden</body></html>",
        errors.VenueUnavailable,
        "account was refused (code 403)",
    ),
    (503, "", errors.VenueUnavailable, "account was refused (code 503)"),
    (502, "<html>", errors.VenueUnavailable, "account was refused (code 502)"),
    (500, '{"code":-1', errors.VenueUnavailable, "account got an unreadable answer (code 500)"),
    (503, said(-1008, "Server busy."), errors.VenueError, "Server busy. (code -1008)"),
    (400, said(-1111, "Precision."), errors.VenueError, "Precision. (code -1111)"),
    (
        400,
        said(-1002, "Not you."),
        errors.AuthenticationError,
        "Not you. (code -1002)",
    ),
]


@pytest.mark.parametrize(("status", "body", "kind", "text"), ANSWERS)
def test_answers_of_the_venue(status: int, body: str, kind: type[FoxtrotError], text: str) -> None:
    """The class says what to do, the text gives the venue's own words and code, or its status."""
    error = translated(answered(status, body))
    assert type(error) is kind
    assert str(error) == f"BINANCE: {text}"


TRANSPORT = [
    (socket.gaierror(-2, "Name or service not known"), errors.NameResolutionError),
    (
        aiohttp.ClientConnectorDNSError(KEY, OSError(errno.ENOENT, "no such host")),
        errors.NameResolutionError,
    ),
    (ssl.SSLError(1, "wrong version number"), errors.TlsError),
    (ssl.SSLCertVerificationError(1, "certificate has expired"), errors.TlsError),
    (aiohttp.ClientConnectorSSLError(KEY, OSError(1, "tls")), errors.TlsError),
    (
        aiohttp.ClientConnectorCertificateError(KEY, ssl.CertificateError("expired")),
        errors.TlsError,
    ),
    (
        aiohttp.ClientConnectorError(KEY, OSError(errno.ECONNREFUSED, "refused")),
        errors.ConnectError,
    ),
    (
        aiohttp.ClientConnectorError(KEY, OSError(errno.EHOSTUNREACH, "no route")),
        errors.ConnectError,
    ),
    (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), errors.ConnectError),
    (TimeoutError(), errors.ConnectTimeout),
    (aiohttp.ServerTimeoutError("read"), errors.ConnectTimeout),
    (aiohttp.ConnectionTimeoutError("dial"), errors.ConnectTimeout),
    (aiohttp.ServerDisconnectedError(), errors.ConnectionClosed),
    (aiohttp.ClientOSError(errno.EPIPE, "broken pipe"), errors.ConnectionClosed),
    (aiohttp.ClientPayloadError("the body was cut"), errors.ConnectionClosed),
    (ConnectionResetError(errno.ECONNRESET, "reset"), errors.ConnectionClosed),
    (BrokenPipeError(errno.EPIPE, "broken pipe"), errors.ConnectionClosed),
]


@pytest.mark.parametrize(("cause", "kind"), TRANSPORT, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("wrap", ["request", "dial", "bare"])
def test_troubles_of_the_transport(cause: Exception, kind: type[FoxtrotError], wrap: str) -> None:
    """One and the same, whether a request or a dial met it: reconnect, and why."""
    wrapped = {
        "request": caused(ccxt.ExchangeNotAvailable(f"binance GET {URL_TEXT}"), cause),
        "dial": ccxt.NetworkError(cause),
        "bare": cause,
    }
    error = translated(wrapped[wrap])
    assert type(error) is kind
    assert error.action is Action.RECONNECT


def test_a_timed_out_request_says_how_long_was_waited() -> None:
    """The host and the deadline, so that the user can judge both."""
    error = translated(caused(ccxt.RequestTimeout(f"binance GET {URL_TEXT}"), TimeoutError()))
    assert str(error) == f"cannot connect to {HOST}: no answer within 10 s"
    assert type(translated(ccxt.RequestTimeout("Connection timeout"))) is errors.ConnectTimeout


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1008, 1012])
def test_a_close_code_is_passed_on(code: int) -> None:
    """1008 means too fast, 1001 going away: the number matters."""
    words = f"Connection closed by remote server, closing code {code}"
    error = translated(ccxt.NetworkError(words))
    assert isinstance(error, errors.ConnectionClosed)
    assert error.code == code


def test_any_other_trouble_of_the_network_is_a_streaming_error() -> None:
    """Reconnect; ccxt's own words are not shown."""
    error = translated(ccxt.NetworkError(f"pong missing on {URL_TEXT}"))
    assert type(error) is errors.StreamingError
    assert str(error) == "BINANCE: NetworkError"


@pytest.mark.parametrize("error", [KeyError("s"), ValueError(URL_TEXT), RuntimeError()])
def test_what_is_not_of_ccxt_is_unexpected(error: Exception) -> None:
    """No word of the venue; a fresh connection is the best guess, and the kind is named."""
    found = translated(error)
    assert type(found) is errors.UnexpectedError
    assert str(found) == f"BINANCE: {type(error).__name__}"


@pytest.mark.parametrize("name", ["Retry-After", "retry-after", "RETRY-AFTER"])
@pytest.mark.parametrize("status", [418, 429])
def test_the_venue_says_how_long_to_wait(status: int, name: str) -> None:
    """Whatever the case of the header's name; a ban is told from a limit."""
    error = translated(answered(status, said(-1003, "no")), **{name: " 17 "})
    assert isinstance(error, errors.RateLimited)
    assert isinstance(error, errors.VenueBanned) == (status == 418)
    assert error.retry_after_s == 17.0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", RETRY_AFTER_S),
        ("soon", RETRY_AFTER_S),
        ("-5", RETRY_AFTER_S),
        ("nan", RETRY_AFTER_S),
        ("1e9", RETRY_AFTER_S),
        ("Wed, 21 Oct 2026 07:28:00 GMT", RETRY_AFTER_S),
        ("0", 0.0),
        ("9" * 5_000, LONGEST_BAN_S),
        ("99999999", LONGEST_BAN_S),
    ],
)
def test_a_waiting_time_that_makes_no_sense_waits_for_no_eternity(
    value: str, expected: float
) -> None:
    """A minute where there is no number, and never longer than the venue's longest ban."""
    error = translated(answered(429, "{}"), **{"Retry-After": value})
    assert isinstance(error, errors.RateLimited)
    assert error.retry_after_s == expected


@pytest.mark.parametrize(("status", "kind"), [(429, "RateLimited"), (418, "VenueBanned")])
def test_too_many_handshakes_wait_as_told(status: int, kind: str) -> None:
    """The headers of the handshake count, not those of an earlier request."""
    refused = handshake(status, Retry_After="21")
    error = translated(ccxt.NetworkError(refused), **{"Retry-After": "3"})
    assert type(error).__name__ == kind
    assert isinstance(error, errors.RateLimited)
    assert error.retry_after_s == 21.0
    assert "too many connections" in str(error)


def test_a_refused_handshake_is_the_venues_trouble() -> None:
    """It answered, but not with a websocket: wait and try again."""
    error = translated(ccxt.NetworkError(handshake(403)))
    assert str(error) == "BINANCE: the websocket handshake was refused (code 403)"
    assert error.action is Action.WAIT


def test_foxtrots_own_errors_pass_through() -> None:
    """What was translated once keeps its facts."""
    own = errors.ConnectionClosed(1001, "going away")
    assert translated(own) is own


@pytest.mark.parametrize(
    "error",
    [
        ccxt.ExchangeError(f"binance GET {URL_TEXT} 400 Bad Request nothing"),
        ccxt.ExchangeError(f'binance {{"code":-1,"msg":"see {URL_TEXT}"}}'),
        ccxt.ExchangeError(f'binance {{"code":"signature={CANARY}","msg":""}}'),
        ccxt.ExchangeError(f'binance {{"code":{{"signature":"{CANARY}"}},"msg":null}}'),
        ccxt.NetworkError(f"lost {URL_TEXT}"),
        ccxt.DDoSProtection(f"binance 429 Too {URL_TEXT} many"),
        ccxt.RequestTimeout(f"binance GET {URL_TEXT}"),
        ccxt.ExchangeNotAvailable(f"binance GET {URL_TEXT} 503 busy"),
        caused(ccxt.ExchangeNotAvailable(f"binance GET {URL_TEXT}"), ConnectionError(URL_TEXT)),
        ccxt.NetworkError(aiohttp.InvalidURL(URL_TEXT)),
        ccxt.NetworkError(handshake(403)),
        ValueError(URL_TEXT),
    ],
)
def test_no_signature_ever_shows(error: Exception) -> None:
    """Neither the signature nor the query it stands in is in the text or in an attribute."""
    found = translated(error)
    shown = f"{found} {found!r} {found.args} {vars(found)}"
    assert CANARY not in shown
    assert "timestamp=1" not in shown or "msg" in str(error)
    assert found.__cause__ is None
    assert found.__context__ is None


@pytest.mark.parametrize(
    "body",
    [
        '{"a":' * 100_000,
        "{" * 100_000,
        '{"code":' + "9" * 5_000 + "}",
        '{"code":NaN,"msg":[]}',
        '{"msg":' + '"' + "x" * 1_000_000 + '"}',
        '{"code":"' + "7" * 1_000_000 + '","msg":"\\u001b[31m\\n"}',
        "[{}]",
        "{}",
        "\x00\x1b[2J",
    ],
    ids=range(9),
)
def test_a_hostile_answer_makes_a_short_plain_line(body: str) -> None:
    """However deep, long or full of terminal codes: one line fit for a screen."""
    text = str(translated(ccxt.ExchangeError("binance " + body)))
    assert text.startswith("BINANCE: ")
    assert len(text) < 400
    assert text.isprintable()
