"""Adapters and strategies are found by name, and what cannot be loaded says why."""

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from foxtrot.adapter.binance import BinanceAdapter
from foxtrot.engine.strategy import Strategy
from foxtrot.errors import ConfigurationError
from foxtrot.gateway import registry

HERE = "tests.support.fake_adapter"


def installed(
    monkeypatch: pytest.MonkeyPatch, group: str = registry.ADAPTERS, **points: str
) -> None:
    made = [EntryPoint(name, value, group) for name, value in points.items()]
    asked_for = group

    def entry_points(*, group: str) -> list[EntryPoint]:
        assert group == asked_for
        return made

    monkeypatch.setattr(registry, "entry_points", entry_points)


def test_the_adapters_of_the_house_are_installed() -> None:
    """`binance` needs no configuration to be found."""
    assert registry.adapter_class("binance") is BinanceAdapter


@pytest.mark.parametrize("name", ["fake", "FAKE", "Fake"])
@pytest.mark.parametrize("installed_as", ["fake", "Fake"])
def test_names_are_matched_without_case(
    monkeypatch: pytest.MonkeyPatch, name: str, installed_as: str
) -> None:
    """However it is spelt on either side."""
    installed(monkeypatch, **{installed_as: f"{HERE}:FakeAdapter"})
    assert registry.adapter_class(name).__name__ == "FakeAdapter"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (f"{HERE}:FakeVenue", "'other' is not a foxtrot adapter"),
        (f"{HERE}:PATIENT", "'other' is not a foxtrot adapter"),
        (
            "no_such_sdk.adapter:Adapter",
            "'other' cannot be loaded: no_such_sdk is missing",
        ),
    ],
)
def test_what_is_no_adapter_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch, value: str, problem: str
) -> None:
    """A broken installation names the adapter and what is wrong with it."""
    installed(monkeypatch, other=value)
    with pytest.raises(ConfigurationError) as caught:
        registry.adapter_class("other", where="settings.json")
    assert str(caught.value) == f"settings.json: adapter: {problem}"


def test_an_unknown_name_lists_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typo is answered with what there is."""
    installed(monkeypatch, fake=f"{HERE}:FakeAdapter", binance="x:Y")
    with pytest.raises(
        ConfigurationError, match="'binnance' is not installed; known: binance, fake"
    ):
        registry.adapter_class("binnance")


def test_nothing_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty list reads as none."""
    installed(monkeypatch)
    with pytest.raises(ConfigurationError, match="known: none"):
        registry.adapter_class("binance")


# ------------------------------------------------------------------ strategies

WATCHER = "foxtrot.app.examples.trend_watcher:TrendWatcher"


def test_a_strategy_is_found_by_the_name_it_is_installed_under(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A package brings it as an entry point of foxtrot.strategies."""
    installed(monkeypatch, registry.STRATEGIES, Watcher=WATCHER)
    assert registry.strategy_class("watcher", Strategy).__name__ == "TrendWatcher"


def test_a_strategy_is_found_by_module_and_class() -> None:
    """Nothing has to be installed for a strategy of one's own."""
    assert registry.strategy_class(WATCHER, Strategy).__name__ == "TrendWatcher"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("no_such_package.cross:Cross", "cannot be loaded: no_such_package is missing"),
        (
            "foxtrot.app.examples.trend_watcher:Wacher",
            "cannot be loaded: there is no Wacher in foxtrot.app.examples.trend_watcher",
        ),
        (f"{HERE}:FakeAdapter", "is not a foxtrot strategy"),
        ("cross", "is not installed; known: none"),
    ],
)
def test_what_is_no_strategy_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, problem: str
) -> None:
    """The text names the setting, the class and what is wrong with it; no traceback is logged."""
    installed(monkeypatch, registry.STRATEGIES)
    with pytest.raises(ConfigurationError) as caught:
        registry.strategy_class(name, Strategy, where="s.json: strategies[0]")
    assert str(caught.value) == f"s.json: strategies[0]: class: {name!r} {problem}"
    assert not caplog.records


@pytest.mark.parametrize("mistake", ["1 / 0", "from foxtrot import Nope", "None.x", "def broken("])
def test_a_module_that_fails_is_no_crash(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mistake: str
) -> None:
    """The program says which strategy; the log has the traceback."""
    module = f"failing_{abs(hash(mistake))}"
    (tmp_path / f"{module}.py").write_text(f"{mistake}\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigurationError, match=r"Error; the log shows where"):
        registry.strategy_class(f"{module}:Cross", Strategy)
