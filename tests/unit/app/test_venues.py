"""The venues of a settings file, without a network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from foxtrot.app.checking import check
from foxtrot.app.venues import Venues, requests
from foxtrot.core.settings import Settings
from foxtrot.engine.main_engine import MainEngine
from foxtrot.errors import ConfigurationError
from foxtrot.gateway.registry import adapter_class

CONNECT = {"environment": "simulated", "rest_url": "http://127.0.0.1:9"}


def written(tmp_path: Path, *symbols: object, **fields: object) -> Path:
    """A settings file with one venue."""
    entry = {"adapter": "binance", "connect": CONNECT, "subscribe": symbols, **fields}
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"venues": {"BINANCE": entry}}))
    return file


def wanted(engine: MainEngine) -> list[str]:
    """What is subscribed."""
    return sorted(each.symbol for each in engine.adapter("BINANCE").subscriptions())


def test_changed_subscriptions_are_followed(tmp_path: Path) -> None:
    """What the file adds is subscribed, what it no longer lists is given back."""
    file = written(tmp_path, "BTCUSDT", "ETHUSDT")
    venues = Venues(file)
    with MainEngine(settings=Settings.load(file)) as engine:
        adapter = engine.add_adapter(adapter_class("binance"))
        for request in requests(adapter, engine.settings.venues["BINANCE"]):
            adapter.subscribe(request)
        venues.follow(engine, Settings.load(written(tmp_path, "ETHUSDT", "XRPUSDT")))
        assert wanted(engine) == ["ETHUSDT", "XRPUSDT"]
        venues.follow(engine, Settings.load(written(tmp_path, "SOLUSDT")))
        assert wanted(engine) == ["SOLUSDT"]


def test_a_venue_that_is_not_running_is_left_alone(tmp_path: Path) -> None:
    """A venue added to the file counts from the next start."""
    venues = Venues(written(tmp_path, "BTCUSDT"))
    with MainEngine() as engine:
        venues.follow(engine, Settings.load(written(tmp_path, "ETHUSDT")))
        assert engine.get_all_adapter_names() == []


def test_a_file_without_venues_is_refused_in_words(tmp_path: Path) -> None:
    """Running nothing is a mistake, and the line says where examples are."""
    file = tmp_path / "settings.json"
    file.write_text("{}")
    with pytest.raises(ConfigurationError, match="config/ has examples"):
        Venues(file)
    assert list(check(file))[1] == "  no venues: nothing would be connected"


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"connect": {}}, r"venues\.BINANCE\.connect\.environment"),
        ({"adapter": "nosuch"}, r"venues\.BINANCE: adapter"),
        ({"connect": {**CONNECT, "depth_levels": 7}}, r"venues\.BINANCE\.connect\.depth_levels"),
    ],
)
def test_check_names_the_place(tmp_path: Path, fields: dict[str, object], place: str) -> None:
    """A mistake in a venue's section is named with its whole key."""
    with pytest.raises(ConfigurationError, match=place):
        list(check(written(tmp_path, **fields)))


def test_check_sums_up_channels_and_overrides(tmp_path: Path) -> None:
    """The summary counts the channels and shows what differs from the defaults."""
    file = written(tmp_path, "BTCUSDT", {"symbol": "ETHUSDT", "channel": "bar", "interval": "1h"})
    content = json.loads(file.read_text())
    content["adapters.BINANCE.websocket.enabled"] = False
    file.write_text(json.dumps(content))
    text = "\n".join(check(file))
    assert "by polling" in text
    assert "1 tick, 1 bar" in text
    assert "adapters.BINANCE.websocket.enabled = False" in text
