"""What `scrub` takes out, and what it leaves alone."""

import pytest

from foxtrot.core.redaction import is_secret_field, register_secret, scrub

KEY = "Ab3" * 22


@pytest.mark.parametrize(
    "text",
    [
        "GET https://api.test/order?symbol=BTCUSDT&signature=CANARY&timestamp=1",
        "https://api.test/userDataStream?listenKey=CANARY",
        "headers {'X-MBX-APIKEY': 'CANARY'}",
        'body {"apiKey": "CANARY", "secret":"CANARY"}',
        r'body "{\"signature\": \"CANARY\"}"',
        "X-MBX-APIKEY: CANARY",
        "Authorization: Bearer CANARY",
        "call(api_key='CANARY', password=\"CANARY\", token=CANARY)",
        "https://me:CANARY@host/path",
        "wss://stream.test/ws/" + "CANARY" * 10,
        "wss://stream.test/stream/CANARYCANARYCANARYCANARY",
        '{"secret": "CANARY',
    ],
)
def test_known_shapes_of_secrets_are_removed(text: str) -> None:
    """Signatures, keys, tokens and stream keys do not survive, whatever they stand in."""
    assert "CANARY" not in scrub(text)
    assert "<redacted>" in scrub(text)


def test_a_long_key_is_removed_wherever_it_stands() -> None:
    """A run of 60 letters and digits is taken for a key."""
    assert scrub(f"what is {KEY}?") == "what is <redacted>?"


def test_a_registered_value_is_removed_in_every_spelling() -> None:
    """A secret is found as it is, in a URL and in a repr."""
    register_secret("p/w ö\\x")
    for text in ("p/w ö\\x", "p%2Fw%20%C3%B6%5Cx", repr("p/w ö\\x")):
        assert scrub(f"<{text}>") in ("<<redacted>>", "<'<redacted>'>")


def test_every_line_of_a_registered_key_file_is_removed() -> None:
    """A line of a PEM key alone is a secret too."""
    register_secret("-----BEGIN KEY-----\nMC4CAQAwBQYDK2Vw\n-----END KEY-----")
    assert scrub("got MC4CAQAwBQYDK2Vw") == "got <redacted>"


def test_a_password_of_digits_leaves_longer_numbers_whole() -> None:
    """A price or an order's number that happens to hold them stays readable."""
    register_secret("271828")
    assert scrub("order 12718281 at 271828.5") == "order 12718281 at <redacted>.5"
    assert scrub("unlock with x271828y") == "unlock with x<redacted>y"


def test_a_very_short_value_does_not_tear_lines_apart() -> None:
    """Values below 4 characters are not searched for."""
    register_secret("qz")
    register_secret("\x8f")
    assert scrub("qzar \\x8f") == "qzar \\x8f"


@pytest.mark.parametrize(
    "text",
    [
        "settings.json: venues.B.connect.secret: env:KEY: the environment variable is not set",
        "wss://stream.test/ws/btcusdt@bookTicker",
        "order x-foxtrot-0123456789abcdef-42 accepted, tokens 5",
        "中文 ünïcode 🙂",
    ],
)
def test_ordinary_texts_are_left_alone(text: str) -> None:
    """Clear errors stay clear."""
    assert scrub(text) == text


def test_control_characters_and_direction_marks_are_escaped() -> None:
    """A venue's text can neither forge a line nor drive a terminal."""
    assert scrub("a\r\nb\x1b[2J\x00\u202e\u2028\ud800") == (
        "a\\r\\nb\\x1b[2J\\x00\\u202e\\u2028\\ud800"
    )


def test_a_limit_cuts_after_redaction() -> None:
    """The cut cannot leave half of a secret behind."""
    register_secret("CANARY-VALUE-1")
    assert scrub("12345 CANARY-VALUE-1", limit=12) == "12345 <reda…"


@pytest.mark.parametrize("name", ["api_key", "apiKey", "listenKey", "secret", "X-MBX-APIKEY",
                                  "password", "access_token", "connect.secret"])  # fmt: skip
def test_secret_fields_are_known_by_name(name: str) -> None:
    """A field of such a name is never shown."""
    assert is_secret_field(name)


@pytest.mark.parametrize("name", ["key", "symbol", "tokens_left", "keyboard", "field"])
def test_other_fields_are_shown(name: str) -> None:
    """Stream keys and counters are not secrets."""
    assert not is_secret_field(name)
