"""`foxtrot desktop` as a process: however it is ended, and whatever hangs, it ends."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.desktop_window import LEFT, qt

from PySide6.QtTest import QTest  # isort: skip
from vnpy.trader.ui import QtCore, QtWidgets  # isort: skip

from foxtrot.desktop import window as window_module
from foxtrot.desktop.window import DesktopVenue, show
from tests.support.binance_venue import BinanceUnderTest
from tests.support.rig import QUICK

WAIT_S = 60.0
START = [sys.executable, "-m", "foxtrot", "desktop"]

app = pytest.fixture(scope="module")(qt)


@pytest.fixture
def venue() -> Iterator[BinanceUnderTest]:
    """A market that moves."""
    venue = BinanceUnderTest(rate_hz=20.0)
    venue.start()
    yield venue
    venue.faults.clear()
    venue.stop()


@contextmanager
def opened(venue: BinanceUnderTest, folder: Path) -> Iterator[tuple[Any, Any]]:
    """A desktop with the venue of a settings file, and a queue of the lines that it writes."""
    entry = {
        "adapter": "binance",
        "connect": {k: v for k, v in venue.setting().items() if v is not None},
        "subscribe": [f"{symbol}.BINANCE" for symbol in venue.symbols],
    }
    settings = folder / "settings.json"
    settings.write_text(json.dumps({**QUICK, "venues": {"BINANCE": entry}}))
    process = subprocess.Popen(
        [*START, "--config", str(settings)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "HOME": str(folder), "QT_QPA_PLATFORM": "offscreen"},
    )
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in process.stdout or ():
            lines.put(line)
        lines.put("")

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield process, lines
    finally:
        process.kill()
        process.wait(WAIT_S)
        reader.join(WAIT_S)
        if process.stdout is not None:
            process.stdout.close()


def wait_said(lines: queue.Queue[str], words: str) -> None:
    """Wait for a line with these words."""
    said = [" "]
    while words not in said[-1]:
        assert said[-1], f"it ended: {''.join(said)}"
        said.append(lines.get(timeout=WAIT_S))


@pytest.mark.timeout(150)
@pytest.mark.parametrize(
    ("number", "hangs"), [(signal.SIGINT, False), (signal.SIGTERM, True)], ids=["INT", "TERM"]
)
def test_a_signal_ends_it(
    venue: BinanceUnderTest, tmp_path: Path, number: signal.Signals, hangs: bool
) -> None:
    """Ctrl-C and SIGTERM close the desktop without asking, a venue that hangs notwithstanding."""
    with opened(venue, tmp_path) as (process, lines):
        wait_said(lines, "websocket: ready")
        if hangs:
            venue.faults.inject("mute", rest=True)
        process.send_signal(number)
        assert process.wait(WAIT_S) == 0
    left = [lines.get_nowait() for _ in range(lines.qsize())]
    assert not any("Traceback" in each for each in left)


@pytest.mark.timeout(150)
def test_closing_the_window_asks_and_ends_it(
    app: Any, venue: BinanceUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who closes the window is asked by vnpy; a yes closes all, though the venue hangs."""
    monkeypatch.setattr(window_module, "create_qapp", lambda name: app)
    monkeypatch.setattr(window_module, "APPS", ())
    monkeypatch.setattr(window_module.gc, "freeze", lambda: None)
    monkeypatch.chdir(tmp_path)
    venues = [DesktopVenue("BINANCE", venue.adapter_class, venue.setting())]
    asked: list[str] = []

    def look() -> None:
        box, window = app.activeModalWidget(), top_window(app)
        if isinstance(box, QtWidgets.QMessageBox):
            asked.append(box.text())
            QTest.mouseClick(box.button(QtWidgets.QMessageBox.StandardButton.Yes), LEFT)
        elif window is not None and window.connections.is_ready() and not asked:
            venue.faults.inject("mute", rest=True)
            QtCore.QTimer.singleShot(0, window.close)  # a timer does not fire within itself

    timer = QtCore.QTimer()
    timer.timeout.connect(look)
    timer.start(50)
    try:
        assert show(venues, QUICK, seconds=WAIT_S) == 0
    finally:
        timer.stop()
    assert len(asked) == 1


def top_window(app: Any) -> Any:
    """The window of the desktop; None while there is none."""
    kinds = window_module.DesktopWindow
    return next((each for each in app.topLevelWidgets() if isinstance(each, kinds)), None)
