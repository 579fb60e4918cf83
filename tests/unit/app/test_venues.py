"""The venues of a settings file, without a network."""

from __future__ import annotations

import json
from contextlib import ExitStack
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


def with_strategy(tmp_path: Path, **fields: object) -> Path:
    """A settings file with one venue and one strategy."""
    file = written(tmp_path)
    settings = json.loads(file.read_text())
    watcher = "foxtrot.app.examples.trend_watcher:TrendWatcher"
    entry = {"class": watcher, "name": "w", "symbols": ["BTCUSDT.BINANCE"], **fields}
    file.write_text(json.dumps({**settings, "strategies": [entry]}))
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


def test_a_changed_connect_setting_counts_from_the_next_restart(tmp_path: Path) -> None:
    """A mended password or address waits for `restart`, not for a new program."""
    file = written(tmp_path)
    venues = Venues(file)
    with MainEngine(settings=Settings.load(file)) as engine:
        adapter = engine.add_adapter(adapter_class("binance"))
        adapter.connect(CONNECT)
        mended = {**CONNECT, "rest_url": "http://127.0.0.1:10"}
        venues.follow(engine, Settings.load(written(tmp_path, connect=mended)))
        assert adapter.endpoint == "127.0.0.1:9"
        adapter.restart()
        assert adapter.endpoint == "127.0.0.1:10"


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


# ------------------------------------------------------------------ strategies


def test_strategies_of_the_file_are_started(tmp_path: Path) -> None:
    """After the venues are connected; what they watch is subscribed."""
    venues = Venues(with_strategy(tmp_path))
    with ExitStack() as stack:
        engine = venues.open(stack)
        assert engine.get_all_strategies() == []
        venues.start(engine)
        assert [strategy.name for strategy in engine.get_all_strategies()] == ["w"]
        assert wanted(engine) == ["BTCUSDT"]


def test_strategies_are_checked_before_anything_connects(tmp_path: Path) -> None:
    """A program that would end for a mistake in the file has not opened a session before."""
    venues = Venues(with_strategy(tmp_path, params={"x": 1}))
    with ExitStack() as stack, pytest.raises(ConfigurationError, match="unknown parameter"):
        venues.open(stack)


def test_strategies_are_checked_without_connecting(tmp_path: Path) -> None:
    """Class, parameters and venue; what is good is listed."""
    watcher = "foxtrot.app.examples.trend_watcher:TrendWatcher"
    assert f"  strategy w: {watcher} on BTCUSDT.BINANCE" in list(check(with_strategy(tmp_path)))
    for fields, problem in (
        ({"class": "nobody"}, r"strategies\.w\.class: 'nobody' is not installed"),
        ({"params": {"x": 1}}, r"strategies\.w\.x: unknown parameter; there is none"),
        ({"symbols": ["AAPL.NYSE"]}, r"strategies\.w\.adapter: no adapter for NYSE"),
    ):
        with pytest.raises(ConfigurationError, match=problem):
            list(check(with_strategy(tmp_path, **fields)))
