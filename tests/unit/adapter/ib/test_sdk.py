"""The SDK is found, and what keeps it from being imported is said with its remedy."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from foxtrot.adapter.ib import sdk as module
from foxtrot.errors import ConfigurationError


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Nothing is remembered of a former import."""
    module.sdk.cache_clear()
    yield
    module.sdk.cache_clear()


def clash(monkeypatch: pytest.MonkeyPatch, error: Exception, *installed: str) -> str:
    """What is said when the import fails while these distributions are installed."""

    def failing() -> module.Sdk:
        raise error

    monkeypatch.setattr(module, "_imported", failing)
    monkeypatch.setattr(module, "eventkits", lambda: installed)
    with pytest.raises(ConfigurationError) as caught:
        module.sdk()
    return str(caught.value)


async def test_the_installed_one_is_imported_beside_the_loop() -> None:
    """Whichever SDK is installed makes contracts and connections."""
    package = await module.load()
    assert package.__name__ in {"ib_async", "ib_insync"}
    assert package.Contract(conId=7).conId == 7
    assert package is module.sdk()


def test_an_sdk_that_asks_for_a_loop_finds_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """eventkit 1.0.3 wants a loop of its thread at import; it is given one for that moment."""
    seen: list[asyncio.AbstractEventLoop] = []
    real = module._imported

    def asking() -> module.Sdk:
        seen.append(asyncio.get_event_loop_policy().get_event_loop())
        return real()

    monkeypatch.setattr(module, "_imported", asking)
    thread = threading.Thread(target=module.sdk)
    thread.start()
    thread.join(10)
    assert [loop.is_closed() for loop in seen] == [True]


def test_none_installed_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an SDK the text says what to install."""
    text = clash(monkeypatch, ModuleNotFoundError("No module", name="ib_insync"))
    assert "pip install ib_async" in text


def test_two_eventkits_are_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two distributions that overwrote each other's files are recognised."""
    text = clash(monkeypatch, ImportError("cannot import Event"), "eventkit", "aeventkit")
    assert "eventkit and aeventkit are both installed" in text
    assert "pip uninstall -y eventkit aeventkit && pip install aeventkit" in text


@pytest.mark.parametrize(
    "error",
    [ModuleNotFoundError("No module", name="eventkit"), RuntimeError("There is no current loop")],
)
def test_a_missing_or_unfit_eventkit_is_named(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """What an uninstalled twin leaves behind, or a too old eventkit, is recognised, too."""
    text = clash(monkeypatch, error)
    assert "eventkit cannot be imported" in text
    assert "pip install aeventkit" in text


def test_another_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the SDK lacks something else, that is named."""
    text = clash(monkeypatch, ModuleNotFoundError("No module", name="nest_asyncio"))
    assert "nest_asyncio" in text
