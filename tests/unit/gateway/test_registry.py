"""Adapters are found by the name they are installed under."""

from importlib.metadata import EntryPoint

import pytest

from foxtrot.adapter.binance import BinanceAdapter
from foxtrot.errors import ConfigurationError
from foxtrot.gateway import registry

HERE = "tests.support.fake_adapter"


def installed(monkeypatch: pytest.MonkeyPatch, **points: str) -> None:
    made = [EntryPoint(name, value, registry.GROUP) for name, value in points.items()]

    def entry_points(*, group: str) -> list[EntryPoint]:
        assert group == "foxtrot.adapters"
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
