"""What `connect` takes for Binance, and what somebody reads who got it wrong."""

from __future__ import annotations

import pytest

from foxtrot.adapter.binance import BinanceAdapter
from foxtrot.adapter.binance.settings import ENDPOINTS, FIELDS, BinanceSettings
from foxtrot.errors import ConfigurationError, CredentialError
from foxtrot.gateway.connect_fields import Setting
from foxtrot.model.constants import Environment

CANARY = "canary-51b0c7e9-secret"
SIM: dict[str, str] = {"environment": "simulated", "rest_url": "http://127.0.0.1:9001"}
OWN: dict[str, str | bool] = {
    "environment": "testnet",
    "rest_url": "https://proxy.example",
    "websocket_url": "wss://proxy.example",
    "allow_custom_endpoints": True,
}


def refused(setting: Setting) -> ConfigurationError:
    """The error that a setting earns."""
    with pytest.raises(ConfigurationError) as caught:
        BinanceSettings.parse(setting)
    assert caught.value.where == "connect"
    return caught.value


@pytest.mark.parametrize("environment", list(ENDPOINTS))
def test_the_venues_own_endpoints_need_no_words(environment: Environment) -> None:
    """An environment is enough; its endpoints are encrypted ones."""
    parsed = BinanceSettings.parse({"environment": environment.value})
    urls = parsed.rest_url, parsed.websocket_url, parsed.trading_url
    assert urls == ENDPOINTS[environment]
    assert parsed.rest_url.startswith("https://")
    assert parsed.rest_url.endswith("/api/v3")
    assert parsed.websocket_url.startswith("wss://")
    assert (parsed.api_key, parsed.secret, parsed.depth_levels) == (None, None, 20)


def test_naming_the_venues_own_endpoints_is_not_custom() -> None:
    """Nor is naming one of them."""
    known = ENDPOINTS[Environment.TESTNET]
    for field, url in zip(("rest_url", "websocket_url", "trading_url"), known, strict=True):
        parsed = BinanceSettings.parse({"environment": "testnet", field: url})
        assert (parsed.rest_url, parsed.websocket_url, parsed.trading_url) == known


@pytest.mark.parametrize("field", ["rest_url", "websocket_url", "trading_url"])
def test_another_endpoint_is_named_when_it_is_refused(field: str) -> None:
    """The field whose address is not the venue's own is the one that is named."""
    scheme = "https" if field == "rest_url" else "wss"
    with pytest.raises(ConfigurationError) as caught:
        BinanceSettings.parse({"environment": "live", field: f"{scheme}://example.org/x"})
    assert caught.value.field == field


def test_orders_go_where_the_streams_are_unless_told() -> None:
    """On a simulated venue one address is enough; another can be named."""
    setting = {"environment": "simulated", "rest_url": "http://127.0.0.1:9"}
    assert BinanceSettings.parse(setting).trading_url == "ws://127.0.0.1:9/ws-api/v3"
    elsewhere = {**setting, "trading_url": "ws://127.0.0.1:8"}
    assert BinanceSettings.parse(elsewhere).trading_url == "ws://127.0.0.1:8/ws-api/v3"


@pytest.mark.parametrize(
    "setting", [{}, {"environment": ""}, {"environment": " "}, {"environment": []}]
)
def test_live_is_never_a_default(setting: Setting) -> None:
    """Without an environment there is no connection at all."""
    error = refused(setting)
    assert error.field == "environment"
    assert error.problem == "is missing; choose one of: simulated, testnet, live"


def test_the_first_choice_of_a_form_is_not_live() -> None:
    """A desktop offers choices as a list; who accepts the form as it is gets the testnet."""
    form = dict(BinanceAdapter.default_setting)
    form |= {"api_key": "", "secret": ""}
    parsed = BinanceSettings.parse(form)
    assert parsed.environment is Environment.TESTNET
    assert parsed.depth_levels == 20


def test_a_form_shows_known_fields_only() -> None:
    """What the desktop offers is what `connect` takes."""
    assert set(BinanceAdapter.default_setting) <= set(FIELDS)


@pytest.mark.parametrize("text", ["Simulated", " SIMULATED ", "simulated"])
def test_an_environment_is_read_as_people_write_it(text: str) -> None:
    """Case and white space do not matter."""
    assert BinanceSettings.parse({**SIM, "environment": text}).environment is Environment.SIMULATED


@pytest.mark.parametrize(
    ("rest", "rest_url", "websocket_url"),
    [
        (
            "http://127.0.0.1:9001",
            "http://127.0.0.1:9001/api/v3",
            "ws://127.0.0.1:9001/stream/ws",
        ),
        (
            "http://127.0.0.1:9001/",
            "http://127.0.0.1:9001/api/v3",
            "ws://127.0.0.1:9001/stream/ws",
        ),
        (
            "http://localhost:9001/api/v3",
            "http://localhost:9001/api/v3",
            "ws://localhost:9001/stream/ws",
        ),
        (
            "http://localhost:9001/api/v3/",
            "http://localhost:9001/api/v3",
            "ws://localhost:9001/stream/ws",
        ),
        ("https://[::1]:9001", "https://[::1]:9001/api/v3", "wss://[::1]:9001/stream/ws"),
        ("http://127.9.9.9", "http://127.9.9.9/api/v3", "ws://127.9.9.9/stream/ws"),
    ],
)
def test_one_address_is_enough_for_a_simulated_venue(
    rest: str, rest_url: str, websocket_url: str
) -> None:
    """The paths are appended and the websocket's address is derived."""
    parsed = BinanceSettings.parse({**SIM, "rest_url": rest})
    assert (parsed.rest_url, parsed.websocket_url) == (rest_url, websocket_url)


def test_the_endpoint_is_fit_to_be_shown() -> None:
    """Host and port, no path."""
    assert BinanceSettings.parse(SIM).endpoint == "127.0.0.1:9001"


def test_own_endpoints_need_a_word_of_consent() -> None:
    """A key must not go to a stranger by a slip of the pen."""
    own = {**OWN, "allow_custom_endpoints": False}
    assert refused(own).field == "rest_url"
    assert refused({**own, "rest_url": ""}).field == "websocket_url"
    assert "allow_custom_endpoints" in refused(own).problem
    parsed = BinanceSettings.parse(OWN)
    assert parsed.rest_url == "https://proxy.example/api/v3"
    assert parsed.websocket_url == "wss://proxy.example/stream/ws"


@pytest.mark.parametrize("value", [True, "true", " True ", ["true", "false"]])
def test_a_yes_may_be_text(value: bool | str | list[str]) -> None:
    """A desktop's form knows no booleans."""
    assert BinanceSettings.parse({**OWN, "allow_custom_endpoints": value}).rest_url


@pytest.mark.parametrize("value", [False, "false", "False", "", [], ["false", "true"]])
def test_a_no_may_be_text(value: bool | str | list[str]) -> None:
    """Nothing but a yes is a yes."""
    assert "differs from" in refused({**OWN, "allow_custom_endpoints": value}).problem


@pytest.mark.parametrize("value", [1, 0, None, "yes", "1", 0.5])
def test_what_is_neither_yes_nor_no_is_refused(value: str | float | None) -> None:
    """A number is no consent."""
    error = refused({**OWN, "allow_custom_endpoints": value})
    assert (error.field, error.problem) == ("allow_custom_endpoints", "must be true or false")


WRONG: list[tuple[Setting, str, str]] = [
    ({**SIM, "colour": "blue"}, "colour", "is not known; allowed: environment, api_key"),
    ({**SIM, "environment": "production"}, "environment", "one of: simulated, testnet, live"),
    ({**SIM, "environment": "paper"}, "environment", "one of: simulated, testnet, live"),
    ({**SIM, "environment": 1}, "environment", "must be text, was int"),
    ({**SIM, "environment": None}, "environment", "must be text, was NoneType"),
    ({"environment": "simulated"}, "rest_url", "foxtrot sim binance --port 9001"),
    ({**SIM, "rest_url": True}, "rest_url", "must be text, was bool"),
    ({**SIM, "rest_url": "127.0.0.1:9001"}, "rest_url", "must start with https://"),
    ({**SIM, "rest_url": "ftp://127.0.0.1"}, "rest_url", "must start with https://"),
    ({**SIM, "rest_url": "http://"}, "rest_url", "must start with https://"),
    ({**SIM, "rest_url": "http://127.0.0.1:99999"}, "rest_url", "is not a URL"),
    ({**SIM, "rest_url": "http://127.0.0.1:9001/\n" * 2}, "rest_url", "is not a URL"),
    ({**SIM, "rest_url": "http://127.0.0.1\t:9001"}, "rest_url", "is not a URL"),
    ({**SIM, "rest_url": "http://[::1"}, "rest_url", "is not a URL"),
    ({**SIM, "rest_url": "https://api.binance.com"}, "rest_url", "address of this machine"),
    ({**SIM, "rest_url": "http://10.0.0.1"}, "rest_url", "must use https:// beyond this machine"),
    ({**SIM, "rest_url": "http://127.0.0.1.evil.example"}, "rest_url", "must use https://"),
    ({**SIM, "rest_url": "https://localhost.evil.example"}, "rest_url", "of this machine"),
    ({**SIM, "rest_url": "http://127.0.0.1:9001?a=1"}, "rest_url", "scheme, host, port and path"),
    ({**SIM, "rest_url": "http://127.0.0.1:9001#x"}, "rest_url", "scheme, host, port and path"),
    ({**SIM, "websocket_url": "ws://192.0.2.1"}, "websocket_url", "must use wss://"),
    ({**SIM, "websocket_url": "wss://192.0.2.1"}, "websocket_url", "of this machine"),
    ({**SIM, "websocket_url": "http://127.0.0.1"}, "websocket_url", "must start with wss://"),
    ({**OWN, "rest_url": "http://proxy.example"}, "rest_url", "must use https://"),
    ({**OWN, "websocket_url": "ws://proxy.example"}, "websocket_url", "must use wss://"),
    ({**SIM, "depth_levels": 7}, "depth_levels", "must be one of: 5, 10, 20"),
    ({**SIM, "depth_levels": True}, "depth_levels", "must be one of: 5, 10, 20"),
    ({**SIM, "depth_levels": None}, "depth_levels", "must be one of: 5, 10, 20"),
    ({**SIM, "depth_levels": "ten"}, "depth_levels", "must be one of: 5, 10, 20"),
    ({**SIM, "api_key": 12345678}, "api_key", "must be text, was int"),
]


@pytest.mark.parametrize(("setting", "field", "problem"), WRONG)
def test_every_error_names_its_field_and_what_is_allowed(
    setting: Setting, field: str, problem: str
) -> None:
    """The user need not guess, and nothing of the value is repeated."""
    error = refused(setting)
    assert error.field == field
    assert problem in error.problem


@pytest.mark.parametrize("value", [5, "5", ["5", "10"], 10, 20])
def test_depth_levels_may_be_a_number_text_or_a_choice(value: int | str | list[str]) -> None:
    """Whatever a file or a form gives."""
    first = value[0] if isinstance(value, list) else value
    assert BinanceSettings.parse({**SIM, "depth_levels": value}).depth_levels == int(first)


def test_a_key_and_its_secret_come_from_where_they_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """References are resolved; the boxes show where they came from and nothing else."""
    monkeypatch.setenv("FOXTROT_TEST_KEY", "the-key-itself")
    monkeypatch.setenv("FOXTROT_TEST_SECRET", CANARY)
    setting = {**SIM, "api_key": "env:FOXTROT_TEST_KEY", "secret": "env:FOXTROT_TEST_SECRET"}
    parsed = BinanceSettings.parse(setting)
    assert parsed.api_key is not None
    assert parsed.secret is not None
    assert (parsed.api_key.reveal(), parsed.secret.reveal()) == ("the-key-itself", CANARY)
    assert CANARY not in repr(parsed)
    assert "the-key-itself" not in str(parsed)


@pytest.mark.parametrize(("given", "missing"), [("api_key", "secret"), ("secret", "api_key")])
def test_half_a_pair_of_keys_is_refused(given: str, missing: str) -> None:
    """Both or neither, and the one that is missing is named."""
    error = refused({**SIM, given: CANARY})
    assert isinstance(error, CredentialError)
    assert (error.field, error.problem) == (missing, "is missing; give both or neither")


@pytest.mark.parametrize("field", [field for field in FIELDS if field != "environment"])
def test_a_secret_in_the_wrong_place_is_never_shown(
    field: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the error nor the log repeats what was pasted into the wrong line."""
    with caplog.at_level("DEBUG"):
        error = refused({**SIM, "environment": "testnet", field: CANARY})
    assert CANARY not in f"{error} {error!r} {error.args} {vars(error)}"
    assert CANARY not in caplog.text


@pytest.mark.parametrize(
    "url", [f"http://me:{CANARY}@127.0.0.1:1", f"http://127.0.0.1:1/?signature={CANARY}"]
)
def test_a_url_with_a_secret_is_refused_without_repeating_it(url: str) -> None:
    """The error says what a URL may hold."""
    error = refused({**SIM, "rest_url": url})
    assert error.problem == "must hold scheme, host, port and path only"
    assert CANARY not in f"{error!r} {vars(error)}"


def test_an_unset_variable_is_named_but_not_guessed() -> None:
    """The reference is shown, which is no secret."""
    error = refused({**SIM, "api_key": "env:FOXTROT_NO_SUCH", "secret": CANARY})
    assert error.field == "api_key"
    assert "FOXTROT_NO_SUCH" in error.problem
    assert CANARY not in str(error)
