"""StreamConfig: the numbers that are promised, and how settings and tests change them."""

from dataclasses import FrozenInstanceError

import pytest

from foxtrot.connectivity.config import StreamConfig
from foxtrot.core.settings import Settings


def test_the_defaults_are_the_promised_ones() -> None:
    """1 s, 60 s, 50 attempts; reset after 30 s; silence found in 15 + 4 s."""
    config = StreamConfig()
    assert config.reconnect_base_delay_s == 1.0
    assert config.reconnect_max_delay_s == 60.0
    assert config.max_reconnect_attempts == 50
    assert config.stable_after_s == 30.0
    assert config.idle_s + config.probe_s + 1.0 <= 20.0


def test_the_settings_lay_over_it() -> None:
    """Each flag of the user's file changes its own number."""
    flags = Settings.parse(
        {
            "websocket.reconnect_base_delay": 2.0,
            "websocket.reconnect_max_delay": 20.0,
            "websocket.max_reconnect_attempts": 7,
            "polling.interval": 3.0,
            "liveness.idle_s": 9.0,
            "liveness.probe_s": 2.5,
            "connect.timeout_s": 4.0,
            "subscribe.timeout_s": 6.0,
        }
    ).flags
    config = StreamConfig(close_timeout_s=0.5).with_flags(flags)
    assert config.reconnect_base_delay_s == 2.0
    assert config.reconnect_max_delay_s == 20.0
    assert config.max_reconnect_attempts == 7
    assert config.polling_interval_s == 3.0
    assert config.idle_s == 9.0
    assert config.probe_s == 2.5
    assert config.connect_timeout_s == 4.0
    assert config.subscribe_timeout_s == 6.0
    assert config.close_timeout_s == 0.5


def test_the_defaults_of_settings_and_of_the_configuration_agree() -> None:
    """An empty settings file changes nothing."""
    assert StreamConfig().with_flags(Settings().flags) == StreamConfig()


def test_it_is_frozen() -> None:
    """Nobody changes a deadline behind another's back."""
    with pytest.raises(FrozenInstanceError):
        StreamConfig().idle_s = 1.0  # type: ignore[misc]
