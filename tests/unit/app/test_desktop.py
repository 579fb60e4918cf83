"""`foxtrot desktop`, as far as it can be seen without a window."""

from __future__ import annotations

from pathlib import Path

import pytest

from foxtrot.app import desktop
from foxtrot.app.cli import main


def test_a_missing_library_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who has no desktop is told what to install, in one line."""
    monkeypatch.setattr(desktop, "NEEDED", ("no_such_library",))
    with pytest.raises(SystemExit) as ended:
        main(["desktop"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said == (
        "error: desktop: no_such_library is not installed; run: pip install 'foxtrot[desktop]'\n"
    )


def test_simulated_venues_are_not_mixed_with_real_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody takes a simulated market for one of his own."""
    with pytest.raises(SystemExit) as ended:
        main(["desktop", "--simulated", "--config", str(tmp_path / "settings.json")])
    assert ended.value.code == 2
    assert "--simulated: does not go with --config" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "then"),
    [
        ({}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, None),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "zh_CN"}, "zh_CN"),
    ],
)
def test_english_comes_first(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], then: str | None
) -> None:
    """The window speaks English, and Chinese to who does."""
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    environment = {**given}
    monkeypatch.setattr(desktop.os, "environ", environment)
    desktop._choose_language()
    assert environment.get("LANGUAGE") == then
