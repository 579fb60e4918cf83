"""`foxtrot desktop`, as far as it can be seen without a window."""

from __future__ import annotations

import os
import queue
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from foxtrot.app import desktop
from foxtrot.app.cli import main
from foxtrot.app.stop import interruptible
from foxtrot.app.switch import HALT, RESUME, tell
from foxtrot.errors import ConfigurationError


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
        "error: desktop: no_such_library is not installed; run: pip install 'vnpy>=4.5'\n"
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


@pytest.mark.parametrize(
    ("given", "there", "problem"),
    [
        ({}, True, "there is no screen"),
        ({"DISPLAY": ":0"}, True, ""),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True, ""),
        ({"QT_QPA_PLATFORM": "offscreen"}, True, ""),
        ({"QT_QPA_PLATFORM": "offscreen"}, False, "apt install libegl1 libgl1 "),
        ({"DISPLAY": ":0"}, False, "libxcb-cursor0 "),
    ],
)
def test_what_qt_lacks_is_named(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], there: bool, problem: str
) -> None:
    """Who has no screen, or not all libraries, reads what to do, and no dump of Qt's."""
    monkeypatch.setattr(desktop.sys, "platform", "linux")
    monkeypatch.setattr(desktop.os, "environ", given)
    monkeypatch.setattr(desktop, "_loads", lambda library: there)
    if not problem:
        desktop._check_screen()
        return
    with pytest.raises(ConfigurationError) as refused:
        desktop._check_screen()
    assert problem in str(refused.value)


def test_a_simulated_desktop_has_a_place_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It neither reads nor changes what vnpy keeps of the real one, and forgets dead ports."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOXTROT_DATA_DIR", str(tmp_path / "data"))
    desktop._keep_apart()
    kept = Path.cwd() / ".vntrader"
    assert kept.is_dir()
    assert kept.is_relative_to(tmp_path / "data")
    for name in ("connect_binance.json", "layout.json"):
        (kept / name).write_text("{}")
    desktop._keep_apart()
    assert [each.name for each in kept.iterdir()] == ["layout.json"]


def test_a_place_that_cannot_be_had_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A data directory that is a file is told in one line."""
    (tmp_path / "data").write_text("")
    monkeypatch.setenv("FOXTROT_DATA_DIR", str(tmp_path / "data"))
    with pytest.raises(ConfigurationError, match="desktop-simulated: "):
        desktop._keep_apart()


class Desk:
    """As much of a desktop's host as signals need: its engine, which is itself."""

    def __init__(self) -> None:
        self.told: queue.Queue[str] = queue.Queue()
        self.engine = self

    def halt(self, reason: str) -> None:
        """Take the reason."""
        self.told.put(f"halted: {reason}")

    def resume(self) -> None:
        """Take it."""
        self.told.put("resumed")


def test_foxtrot_halt_reaches_a_desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who pulls the brake need not find the window first, and its signal does not end it."""
    desk, told = Desk(), []

    def show(venues: object, settings: object, seconds: object, *, begun: Any, title: str) -> int:
        begun(lambda: None, desk)
        for number in (HALT, RESUME):
            assert tell(number) == [os.getpid()]
            told.append(desk.told.get(timeout=10))
        return 0

    window = SimpleNamespace(TITLE="", DesktopVenue=lambda *_: None, show=show)
    monkeypatch.setitem(sys.modules, "foxtrot.desktop.window", window)
    monkeypatch.setenv("FOXTROT_DATA_DIR", str(tmp_path / "data"))
    for step in ("_check_installed", "_check_screen", "_choose_language", "tune"):
        monkeypatch.setattr(desktop, step, lambda: None)
    monkeypatch.setattr(desktop.logs, "configure", lambda **_: None)
    with interruptible():
        assert desktop.run(simulated=False, config=None, seconds=None) == 0
    assert told == ["halted: asked to by SIGUSR1", "resumed"]


def test_a_halt_holds_though_the_desktop_was_still_opening() -> None:
    """`foxtrot halt` says that it was told: its venues must not trade when it is open."""
    brake, desk = desktop.Brake(), Desk()
    brake.halt("a drill")
    with interruptible():
        brake.begin(lambda: None, desk)
    assert desk.told.get_nowait() == "halted: a drill"


def test_a_halt_that_was_lifted_before_the_desktop_was_open_is_over() -> None:
    """Who let it trade again need not do so twice."""
    brake, desk = desktop.Brake(), Desk()
    brake.halt("a drill")
    brake.resume()
    with interruptible():
        brake.begin(lambda: None, desk)
    assert desk.told.empty()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_every_signal_that_ends_a_program_ends_the_desktop(number: signal.Signals) -> None:
    """A terminal that closes, too: it would trade on, and show an error of its own making."""
    asked: list[bool] = []
    before = signal.getsignal(number)
    with interruptible():
        desktop.Brake().begin(lambda: asked.append(True), Desk())
        signal.raise_signal(number)
    assert asked == [True]
    assert signal.getsignal(number) is before
