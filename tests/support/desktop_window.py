"""vnpy's real window for tests, drawn on no screen, with simulated venues of foxtrot in it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from tests.support.desktop import main_engine_class, require

require("vnpy", "talib", "loguru", "PySide6", "qdarkstyle")

_LIBRARIES = ("libEGL.so.1", "libGL.so.1", "libxkbcommon.so.0", "libfontconfig.so.1")
_PACKAGES = "libegl1 libgl1 libxkbcommon0 libdbus-1-3 libfontconfig1 fonts-dejavu-core"

for _library in _LIBRARIES:
    try:
        ctypes.CDLL(_library)
    except OSError as error:
        pytest.skip(f"Qt lacks {error}: apt install {_PACKAGES}", allow_module_level=True)

main_engine_class()
os.environ["QT_QPA_PLATFORM"] = "offscreen"

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what Qt's helpers import
    from PySide6.QtTest import QTest
    from vnpy.trader.ui import QtCore, QtWidgets, create_qapp

from foxtrot.desktop import window as window_module  # noqa: E402
from foxtrot.desktop.connections.rows import COLUMNS  # noqa: E402
from foxtrot.desktop.names import vnpy_symbol  # noqa: E402
from foxtrot.desktop.window import DesktopVenue, DesktopWindow, begin, make_engine  # noqa: E402
from tests.support.rig import QUICK, WAIT_S  # noqa: E402
from tests.support.venues import VenueUnderTest  # noqa: E402

LEFT = QtCore.Qt.MouseButton.LeftButton
_SECRETS = frozenset({"api_key", "secret", "password"})


def qt() -> Iterator[Any]:
    """Qt's application, of which there is one; what it takes over is given back."""
    hooks = sys.excepthook, threading.excepthook
    place = os.getcwd()
    with tempfile.TemporaryDirectory(prefix="layout") as folder:
        for each in (QtCore.QSettings.Format.NativeFormat, QtCore.QSettings.Format.IniFormat):
            QtCore.QSettings.setPath(each, QtCore.QSettings.Scope.UserScope, folder)
        app = QtWidgets.QApplication.instance() or create_qapp("foxtrot")
        sys.excepthook, threading.excepthook = hooks
        yield app
    os.chdir(place)


class Shown:
    """A window with its engine and its venues.

    Args:
        app: Qt's.
        venues: Those of the window, which are started already.
        engine: vnpy's.
    """

    def __init__(self, app: Any, venues: Sequence[VenueUnderTest], engine: Any) -> None:
        self.app, self.venues, self.venue, self.engine = app, venues, venues[0], engine
        self.window = DesktopWindow(engine, engine.event_engine)
        self.panel = self.window.connections
        self.form = self.window.trading_widget
        self.window.show()

    def until(self, happened: Callable[[], bool], what: str) -> None:
        """Let the window live until something is so."""
        for _ in range(int(WAIT_S / 0.01)):
            self.app.processEvents()
            self.panel.look()
            if happened():
                return
            threading.Event().wait(0.01)
        raise AssertionError(f"not within {WAIT_S:g} s: {what}")

    def cell(self, key: str, column: str) -> str:
        """What the panel says of a row in a column; empty if there is no such row."""
        try:
            return str(self.panel.item(key).text(COLUMNS.index(column)))
        except KeyError:
            return ""

    def state(self, key: str) -> str:
        """What the panel says of a row."""
        return self.cell(key, "State")

    def table(self, name: str) -> Any:
        """One of vnpy's monitors."""
        return next(m for m in self.window.monitors.values() if type(m).__name__ == name)

    def column(self, table: str, header: str) -> list[str]:
        """The texts of a column of one of vnpy's monitors, from the top."""
        monitor = self.table(table)
        number = list(monitor.headers).index(header)
        return [monitor.item(row, number).text() for row in range(monitor.rowCount())]

    # -- what a hand does -------------------------------------------------------------------

    def click(self, widget: Any) -> None:
        """Press a widget with the left button of the mouse."""
        QTest.mouseClick(widget, LEFT)

    def type(self, line: Any, text: str, *, enter: bool = False) -> None:
        """Replace the text of a field by keys."""
        line.setFocus()
        QTest.keySequence(line, "Ctrl+A")
        QTest.keyClicks(line, text)
        if enter:
            QTest.keyClick(line, QtCore.Qt.Key.Key_Return)

    def double_click(self, table: Any, row: int, column: int = 0) -> None:
        """Press a cell twice."""
        item = table.item(row, column)
        table.scrollToItem(item)
        spot = table.visualItemRect(item).center()
        QTest.mouseClick(table.viewport(), LEFT, pos=spot)
        QTest.mouseDClick(table.viewport(), LEFT, pos=spot)

    def close(self) -> None:
        """Close the engine, and let go of the window."""
        self.engine.close()
        self.window.deleteLater()
        self.app.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)
        self.app.processEvents()


def _desktop_venue(venue: VenueUnderTest) -> DesktopVenue:
    asked = {**venue.setting(), **venue.keys()}
    setting = {k: f"env:{_variable(venue, k)}" if k in _SECRETS else v for k, v in asked.items()}
    symbols = tuple((symbol, venue.exchange) for symbol in venue.symbols)
    return DesktopVenue(venue.adapter_class.default_name, venue.adapter_class, setting, symbols)


def _variable(venue: VenueUnderTest, field: str) -> str:
    return f"DESK_{venue.adapter_class.default_name}_{field.upper()}"


def vt_symbol(venue: VenueUnderTest, number: int = 0) -> str:
    """How vnpy spells one of a venue's symbols."""
    symbol, exchange = vnpy_symbol(venue.symbols[number], venue.exchange)
    return f"{symbol}.{exchange.value}"


@contextlib.contextmanager
def open_window(
    app: Any,
    monkeypatch: pytest.MonkeyPatch,
    venues: Sequence[VenueUnderTest],
    *,
    settings: Mapping[str, object] | None = None,
) -> Iterator[Shown]:
    """Start the venues and show a window with them, and no apps; all is gone at the end."""
    place = os.getcwd()
    monkeypatch.setattr(window_module, "APPS", ())
    with contextlib.ExitStack() as stack:
        for venue in venues:
            for field in _SECRETS & venue.keys().keys():
                monkeypatch.setenv(_variable(venue, field), venue.keys()[field])
            for name, wait in venue.waits.items():
                monkeypatch.setattr(name, wait)
            venue.start()
            stack.callback(venue.stop)
        stack.callback(os.chdir, place)
        opened = [_desktop_venue(each) for each in venues]
        engine = make_engine(opened, {**QUICK, "orders.timeout_s": 1.0, **(settings or {})})
        stack.callback(engine.close)
        shown = Shown(app, venues, engine)
        stack.callback(shown.close)
        begin(engine, opened)
        yield shown
