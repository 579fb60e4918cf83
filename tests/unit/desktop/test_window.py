"""The real window of vnpy with a simulated venue of foxtrot in it; drawn, but on no screen."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.desktop import main_engine_class, require

require("vnpy", "talib", "loguru", "PySide6", "qdarkstyle")


def _load(library: str) -> None:
    try:
        ctypes.CDLL(library)
    except OSError as error:
        packages = "libegl1 libgl1 libxkbcommon0 libdbus-1-3 libfontconfig1 fonts-dejavu-core"
        reason = f"Qt lacks {error}: apt install {packages}"
        pytest.skip(reason, allow_module_level=True)


for each in ("libEGL.so.1", "libGL.so.1", "libxkbcommon.so.0", "libfontconfig.so.1"):
    _load(each)

main_engine_class()
os.environ["QT_QPA_PLATFORM"] = "offscreen"

import warnings  # noqa: E402

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what Qt's helpers import
    from vnpy.trader.ui import MainWindow, QtWidgets, create_qapp
    from vnpy.trader.ui.widget import ConnectDialog

from foxtrot.desktop import window as window_module  # noqa: E402
from foxtrot.desktop.connections.rows import COLUMNS  # noqa: E402
from foxtrot.desktop.window import DesktopVenue, DesktopWindow, begin, make_engine  # noqa: E402
from foxtrot.model.constants import Mode  # noqa: E402
from tests.support.binance_venue import BinanceUnderTest  # noqa: E402
from tests.support.rig import QUICK, WAIT_S  # noqa: E402

STATE = COLUMNS.index("State")
STREAM = "BINANCE/BTCUSDT.BINANCE/tick"


class Shown:
    """A window, its engine and its venue."""

    def __init__(self, app: Any, venue: BinanceUnderTest) -> None:
        self.app, self.venue = app, venue
        setting = {**venue.setting(), "api_key": "env:DESK_API_KEY", "secret": "env:DESK_SECRET"}
        symbols = tuple((symbol, venue.exchange) for symbol in venue.symbols)
        venues = [DesktopVenue("BINANCE", venue.adapter_class, setting, symbols)]
        self.engine = make_engine(venues, {**QUICK, "orders.timeout_s": 1.0})
        self.window = DesktopWindow(self.engine, self.engine.event_engine)
        self.window.show()
        begin(self.engine, venues)

    def until(self, happened: Callable[[], bool], what: str) -> None:
        """Let the window live until something is so."""
        for _ in range(int(WAIT_S / 0.01)):
            self.app.processEvents()
            self.window.connections.look()
            if happened():
                return
            threading.Event().wait(0.01)
        raise AssertionError(f"not within {WAIT_S:g} s: {what}")

    def state(self, key: str) -> str:
        """What the panel says of a row."""
        try:
            return str(self.window.connections.item(key).text(STATE))
        except KeyError:
            return ""

    def table(self, name: str) -> Any:
        """One of vnpy's monitors."""
        return next(m for m in self.window.monitors.values() if type(m).__name__ == name)


@pytest.fixture(scope="module")
def app() -> Iterator[Any]:
    """Qt's application, of which there is one; what it takes over is given back."""
    hooks = sys.excepthook, threading.excepthook
    place = os.getcwd()
    app = QtWidgets.QApplication.instance() or create_qapp("foxtrot")
    sys.excepthook, threading.excepthook = hooks
    yield app
    os.chdir(place)


@pytest.fixture
def shown(app: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shown]:
    """The window with a venue that streams and trades."""
    venue = BinanceUnderTest(rate_hz=20.0)
    for name, value in venue.keys().items():
        monkeypatch.setenv(f"DESK_{name.upper()}", value)
    monkeypatch.setattr(window_module, "APPS", ())
    venue.start()
    place = os.getcwd()
    shown = Shown(app, venue)
    yield shown
    shown.engine.close()
    shown.window.connections._timer.stop()
    shown.window.deleteLater()
    app.processEvents()
    os.chdir(place)
    venue.stop()


def test_the_market_is_in_the_window(shown: Shown) -> None:
    """Quotes stream into vnpy's own table, and the panel says how fresh they are."""
    assert isinstance(shown.window, MainWindow)
    ticks = shown.table("TickMonitor")
    shown.until(lambda: ticks.rowCount() == len(shown.venue.symbols), "a row for each symbol")
    shown.until(lambda: shown.state("BINANCE") == "ready", "the venue is ready")
    shown.until(lambda: shown.state(STREAM) == "active", "the stream is fresh")
    assert "BTCUSDT_SPOT_BINANCE" in {ticks.item(n, 0).text() for n in range(ticks.rowCount())}


def test_an_order_by_mouse_is_filled(shown: Shown) -> None:
    """Who types a symbol and presses send has an order, a fill and a row of each."""
    shown.until(lambda: shown.state("BINANCE/trading") == "ready", "orders are taken")
    form = shown.window.trading_widget
    form.exchange_combo.setCurrentText("GLOBAL")
    form.symbol_line.setText("BTCUSDT_SPOT_BINANCE")
    form.symbol_line.returnPressed.emit()
    form.volume_line.setText("0.001")
    form.price_line.setText(str(round(shown.venue.crossing_price("BTCUSDT") * 1.01, 2)))
    buttons = form.findChildren(QtWidgets.QPushButton)
    shown.until(lambda: shown.table("TickMonitor").rowCount() > 0, "a price")
    buttons[0].click()
    shown.until(lambda: shown.table("TradeMonitor").rowCount() == 1, "one fill")
    assert shown.table("OrderMonitor").rowCount() == 1


def test_the_halt_button_halts(shown: Shown) -> None:
    """One press blocks new orders at once; another lets them pass."""
    shown.until(lambda: shown.state("BINANCE/trading") == "ready", "orders are taken")
    panel = shown.window.connections
    panel.halt_button.click()
    shown.until(lambda: "HALTED: asked for" in panel.halted_label.text(), "it is shown")
    assert panel.item("BINANCE").text(COLUMNS.index("Why")).startswith("HALTED")
    panel.resume_button.click()
    shown.until(lambda: not panel.halted_label.text(), "it is shown")


def test_the_mode_is_switched_by_the_panel(shown: Shown) -> None:
    """A venue is polled instead of streamed when somebody says so, and streamed again."""
    shown.until(lambda: shown.state(STREAM) == "active", "it streams")
    switch = shown.window.connections.switch("BINANCE")
    switch.setCurrentText(Mode.POLLING.value)
    shown.until(lambda: shown.state(STREAM) == "polling", "it is polled")
    switch.setCurrentText("by settings")
    shown.until(lambda: shown.state(STREAM) == "active", "it streams again")


def test_a_venue_that_goes_is_seen(shown: Shown) -> None:
    """While a venue is away the panel says so, the window lives, and it is told when it is back."""
    shown.until(lambda: shown.state("BINANCE") == "ready", "ready")
    shown.venue.stop()
    shown.until(lambda: shown.state("BINANCE") == "reconnecting", "it is seen")
    shown.venue.start()
    shown.until(lambda: shown.state("BINANCE") == "ready", "and that it is back")


def test_the_connect_dialog_loses_no_flag(shown: Shown) -> None:
    """What is chosen in vnpy's dialog is what the gateway gets."""
    dialog = ConnectDialog(shown.engine, "BINANCE")
    field, kind = dialog.widgets["five_levels"]
    field.setCurrentText("false")
    assert kind is list
    texts = {str(type(widget).__name__) for widget, _ in dialog.widgets.values()}
    assert texts == {"QComboBox", "QLineEdit"}
    dialog.deleteLater()


def test_what_is_closed_is_gone_from_the_panel(shown: Shown) -> None:
    """A desktop that closes ends its venues, and its panel offers nothing any more."""
    shown.until(lambda: shown.state(STREAM) == "active", "it streams")
    shown.engine.close()
    shown.engine.close()
    panel = shown.window.connections
    panel.look()
    assert panel.tree.topLevelItemCount() == 0
    assert not panel.halt_button.isEnabled()
    assert not shown.engine.event_engine.health().running
