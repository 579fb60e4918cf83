"""What `connect` takes for Futu: everything wrong is named, and nothing defaults to real money."""

from __future__ import annotations

import pytest

from foxtrot.adapter.futu.settings import FutuSettings, TradeEnv
from foxtrot.errors import ConfigurationError, CredentialError
from foxtrot.gateway.connect_fields import Setting
from foxtrot.model.constants import Environment

PAPER: Setting = {"environment": "paper"}


def test_little_has_to_be_said() -> None:
    """With an environment alone, it is OpenD on this machine and the account of Hong Kong."""
    settings = FutuSettings.parse(PAPER)
    assert settings.endpoint == "127.0.0.1:11111"
    assert (settings.market, settings.account, settings.password) == ("HK", "", None)
    assert settings.trade_env is TradeEnv.SIMULATE


@pytest.mark.parametrize(
    ("environment", "traded"),
    [("paper", TradeEnv.SIMULATE), ("live", TradeEnv.REAL), ("simulated", TradeEnv.REAL)],
)
def test_the_environment_decides_what_is_traded(environment: str, traded: TradeEnv) -> None:
    """Paper is Futu's paper trading, live the real account; so it is at a simulated OpenD."""
    assert FutuSettings.parse({"environment": environment}).trade_env is traded


def test_a_simulated_opend_has_paper_trading_too() -> None:
    """Only a simulated OpenD leaves the choice."""
    settings = FutuSettings.parse({"environment": "simulated", "trade_env": "simulate"})
    assert settings.trade_env is TradeEnv.SIMULATE


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"environment": ""}, "environment"),
        ({"environment": "testnet"}, "environment"),
        ({"host": "10.0.0.1", "environment": "simulated"}, "host"),
        ({"host": "::1"}, "host"),
        ({"host": "10.0.0.1"}, "host"),
        ({"host": "10.0.0.1", "allow_remote": True}, "rsa_key_file"),
        ({"host": "tcp://opend"}, "host"),
        ({"port": 0}, "port"),
        ({"port": 65_536}, "port"),
        ({"port": True}, "port"),
        ({"port": "११"}, "port"),
        ({"market": "JP"}, "market"),
        ({"account": "DU123"}, "account"),
        ({"account": 2.8e17}, "account"),
        ({"trade_env": "both"}, "trade_env"),
        ({"trade_env": "real"}, "trade_env"),
        ({"rsa_key_file": "key.pem"}, "rsa_key_file"),
        ({"read_only": "perhaps"}, "read_only"),
        ({"client_id": 1}, "client_id"),
    ],
)
def test_what_is_wrong_is_named(changes: Setting, field: str) -> None:
    """Each wrong value is refused under its own name, before anything is connected."""
    with pytest.raises(ConfigurationError) as caught:
        FutuSettings.parse({**PAPER, **changes})
    assert caught.value.field == field


def test_an_opend_elsewhere_is_allowed_and_encrypted() -> None:
    """What goes over a network is asked for in words, and cannot be read on the way."""
    far: Setting = {"host": "10.0.0.1", "allow_remote": "true", "rsa_key_file": "/keys/opend.pem"}
    assert FutuSettings.parse({**PAPER, **far}).endpoint == "10.0.0.1:11111"


def test_who_only_reads_has_no_account() -> None:
    """No journal is opened, and no trading session; a form says it as text."""
    assert FutuSettings.parse(PAPER).account_key != ""
    for yes in (True, "true"):
        assert FutuSettings.parse({**PAPER, "read_only": yes}).account_key == ""


def test_the_password_is_a_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is fetched from where the setting says, and shown to nobody."""
    monkeypatch.setenv("FUTU_PASSWORD", "swordfish-of-the-test")
    settings = FutuSettings.parse({**PAPER, "password": "env:FUTU_PASSWORD"})
    assert settings.password is not None
    assert settings.password.reveal() == "swordfish-of-the-test"
    assert "swordfish" not in repr(settings)
    with pytest.raises(CredentialError, match="FUTU_OTHER"):
        FutuSettings.parse({**PAPER, "password": "env:FUTU_OTHER"})


def test_a_form_of_a_desktop_is_understood() -> None:
    """Lists are choices, their first is taken; numbers may be text."""
    settings = FutuSettings.parse(
        {"environment": ["paper", "live"], "port": "11112", "market": ["HK", "US"]}
    )
    assert (settings.environment, settings.port, settings.market) == (
        Environment.PAPER, 11112, "HK",
    )  # fmt: skip


def test_the_journal_is_named_after_the_account() -> None:
    """An account keeps its journal wherever OpenD runs; others have another, and none shows it."""
    here = FutuSettings.parse({**PAPER, "account": "9053218"})
    there = FutuSettings.parse({**PAPER, "account": "9053218", "port": 11112})
    other = FutuSettings.parse({**PAPER, "account": "9053219"})
    unnamed = [FutuSettings.parse({**PAPER, "market": market}) for market in ("HK", "US")]
    assert here.account_key == there.account_key
    assert len({each.account_key for each in (here, other, *unnamed)}) == 4
    assert "9053218" not in here.account_key
