"""What `connect` takes for Interactive Brokers: nothing is guessed, and live is never a default."""

from __future__ import annotations

import pytest

from foxtrot.adapter.ib.settings import IbSettings
from foxtrot.errors import ConfigurationError
from foxtrot.gateway.connect_fields import Setting
from foxtrot.model.constants import Environment


def wrong(setting: Setting) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        IbSettings.parse(setting)
    return caught.value


def test_what_is_not_given_has_the_usual_value() -> None:
    """Environment and port are enough: this machine, client id 1, live market data."""
    settings = IbSettings.parse({"environment": "paper", "port": 7497})
    assert settings == IbSettings(Environment.PAPER, "127.0.0.1", 7497)
    assert settings.endpoint == "127.0.0.1:7497"
    assert settings.market_data_type == 1
    assert (settings.client_id, settings.account, settings.read_only) == (1, "", False)


def test_a_form_gives_text_and_lists() -> None:
    """Numbers as text and choices as lists are understood, as a desktop's form has them."""
    setting: Setting = {
        "environment": ["live", "paper"],
        "host": "::1",
        "port": "4001",
        "client_id": "7",
        "account": "u1234567",
        "market_data": ["delayed"],
        "read_only": "true",
    }
    settings = IbSettings.parse(setting)
    assert settings.environment is Environment.LIVE
    assert settings.endpoint == "[::1]:4001"
    assert (settings.client_id, settings.account) == (7, "U1234567")
    assert settings.market_data_type == 3
    assert settings.read_only


@pytest.mark.parametrize(
    ("setting", "field", "words"),
    [
        ({}, "environment", "simulated, paper, live"),
        ({"environment": "demo"}, "environment", "simulated, paper, live"),
        ({"environment": "paper"}, "port", "7497 (paper)"),
        ({"environment": "simulated"}, "port", "foxtrot sim ib"),
        ({"environment": "paper", "port": 7496}, "port", "7496 is the usual port of live"),
        ({"environment": "live", "port": 4002}, "port", "4002 is the usual port of paper"),
        ({"environment": "simulated", "port": 4001}, "port", "usual port of live"),
        ({"environment": "paper", "port": 0}, "port", "from 1 to 65535"),
        ({"environment": "paper", "port": True}, "port", "from 1 to 65535"),
        ({"environment": "paper", "port": "9" * 5_000}, "port", "from 1 to 65535"),
        ({"environment": "paper", "port": 9000, "client_id": -1}, "client_id", "from 0"),
        ({"environment": "paper", "port": 9000, "client_id": 1.5}, "client_id", "from 0"),
        ({"environment": "paper", "port": 9000, "host": "http://x"}, "host", "host name"),
        ({"environment": "simulated", "port": 9000, "host": "10.0.0.1"}, "host", "this machine"),
        ({"environment": "paper", "port": 9000, "host": "10.0.0.1"}, "host", "allow_remote"),
        ({"environment": "paper", "port": 9000, "allow_remote": 2}, "allow_remote", "true or"),
        ({"environment": "paper", "port": 9000, "market_data": "best"}, "market_data", "delayed"),
        ({"environment": "paper", "port": 9000, "account": "DU/1"}, "account", "DU1234567"),
        ({"environment": "paper", "port": 9000, "read_only": "maybe"}, "read_only", "true or"),
        ({"environment": "paper", "port": 9000, "clientId": 3}, "clientId", "client_id"),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(setting: Setting, field: str, words: str) -> None:
    """Each wrong field is named, and the text says what it may be."""
    error = wrong(setting)
    assert error.field == field
    assert words in str(error)


def test_each_account_has_a_journal_of_its_own() -> None:
    """The name of a journal follows the account, not the machine TWS runs on, and hides it."""
    base = {"environment": "paper", "port": 9000, "account": "DU1"}
    elsewhere: Setting = {"port": 9001, "host": "tws", "allow_remote": True}
    key = IbSettings.parse(base).account_key
    assert key == IbSettings.parse({**base, **elsewhere}).account_key
    assert key != IbSettings.parse({**base, "account": "DU2"}).account_key
    assert key != IbSettings.parse({**base, "environment": "live"}).account_key
    assert "DU1" not in key


@pytest.mark.parametrize("change", [{"port": 9001}, {"client_id": 2}, {"host": "localhost"}])
def test_an_unnamed_or_simulated_account_is_known_by_its_place(
    change: dict[str, str | int],
) -> None:
    """Without an account's name, and for simulated gateways, another place is another account."""
    for base in (
        {"environment": "paper", "port": 9000},
        {"environment": "simulated", "port": 9000, "account": "DU1"},
    ):
        assert (
            IbSettings.parse(base).account_key != IbSettings.parse({**base, **change}).account_key
        )


def test_who_only_reads_has_no_journal() -> None:
    """With read_only there is no account to trade."""
    setting: Setting = {"environment": "paper", "port": 9000, "read_only": True}
    assert IbSettings.parse(setting).account_key == ""
