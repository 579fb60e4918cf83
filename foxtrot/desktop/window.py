"""The whole desktop: vnpy's own main window with foxtrot's venues and the connection panel."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec

import msgspec
from vnpy.event import EventEngine
from vnpy.trader.engine import MainEngine
from vnpy.trader.object import LogData
from vnpy.trader.object import SubscribeRequest as VnpySubscribe
from vnpy.trader.ui import MainWindow, QtCore, QtWidgets, create_qapp
from vnpy.trader.ui.widget import (
    AccountMonitor,
    BaseMonitor,
    ConnectDialog,
    OrderMonitor,
    PositionMonitor,
    TradeMonitor,
)
from vnpy.trader.ui.widget import LogMonitor as VnpyLogMonitor
from vnpy.trader.utility import get_file_path

from foxtrot.core.logs import get_logger
from foxtrot.desktop.connections import APP_NAME, ConnectionsApp
from foxtrot.desktop.connections.ui import ConnectionsWidget
from foxtrot.desktop.engine import DesktopEngine
from foxtrot.desktop.events import SOURCE
from foxtrot.desktop.gateway import as_vnpy_gateway
from foxtrot.desktop.host import GivenSettings, Host, host_of
from foxtrot.desktop.names import vnpy_symbol
from foxtrot.desktop.ticks import PACED, TickMonitor
from foxtrot.gateway.base import BaseAdapter
from foxtrot.gateway.connect_fields import Setting
from foxtrot.model.constants import Exchange

log = get_logger("foxtrot.desktop")

TITLE = "foxtrot: vnpy desktop"

APPS = (
    ("vnpy_ctastrategy", "CtaStrategyApp"),
    ("vnpy_riskmanager", "RiskManagerApp"),
    ("vnpy_datarecorder", "DataRecorderApp"),
)
"""Apps of vnpy that are shown where they are installed."""

LOG_ROWS = 10_000
"""Lines of the log that are shown; vnpy's own table keeps all, and a desktop runs for weeks."""


class LogMonitor(VnpyLogMonitor):  # type: ignore[misc]
    """vnpy's table of the log, of its newest lines; the file of the log has the others."""

    def insert_new_row(self, data: LogData) -> None:
        """Add a line at the top; the oldest goes."""
        super().insert_new_row(data)
        self.setRowCount(min(self.rowCount(), LOG_ROWS))


_OURS = PACED | {VnpyLogMonitor: LogMonitor}
"""What stands in the window in the place of what vnpy has."""

_TABS = (LogMonitor, AccountMonitor, PositionMonitor)
_STACKED = (TickMonitor, OrderMonitor, TradeMonitor)
_SIZE = 1_600, 1_000
_WIDTHS = (350, 900)
_HEIGHTS = (250, 180, 130, 350)
_COLUMN_WIDTHS = {
    "symbol": 230,
    "exchange": 90,
    "type": 70,
    "direction": 80,
    "offset": 60,
    "orderid": 140,
    "reference": 120,
    "tradeid": 140,
    "traded": 80,
    "datetime": 120,
    "time": 120,
    "msg": 420,
}
_FORM_WIDTH = 520
_SETTLE_MS = 1_000
_PULSE_MS = 200


class DesktopVenue(msgspec.Struct, frozen=True):
    """A venue of the desktop; with a setting it is connected at once."""

    name: str
    adapter_class: type[BaseAdapter]
    setting: Setting | None = None
    symbols: tuple[tuple[str, Exchange], ...] = ()


class DesktopWindow(MainWindow):  # type: ignore[misc]
    """vnpy's main window with the connection panel as a dock."""

    def __init__(self, main_engine: MainEngine, event_engine: EventEngine) -> None:
        super().__init__(main_engine, event_engine)
        self.setWindowTitle(TITLE)

    def init_dock(self) -> None:
        """Add the panel to vnpy's docks, so that the layout that is kept knows it."""
        super().init_dock()
        areas = QtCore.Qt.DockWidgetArea
        self.connections, panel = self.create_dock(
            ConnectionsWidget, APP_NAME, areas.BottomDockWidgetArea
        )
        docks = {type(dock.widget()): dock for dock in self.findChildren(QtWidgets.QDockWidget)}
        log, account, position = (docks[kind] for kind in _TABS)
        self.tabifyDockWidget(log, account)
        self.tabifyDockWidget(account, position)
        log.raise_()
        symbol = self.trading_widget.symbol_line  # too long for its field: its begin is shown
        symbol.returnPressed.connect(lambda: symbol.setCursorPosition(0))
        self.setCorner(QtCore.Qt.Corner.BottomLeftCorner, areas.LeftDockWidgetArea)
        self.resize(*_SIZE)  # shares are of what there is: less, and the panel gets two lines
        self.resizeDocks([log, panel], list(_WIDTHS), QtCore.Qt.Orientation.Horizontal)
        stacked = [*(docks[kind] for kind in _STACKED), panel]
        self.resizeDocks(stacked, list(_HEIGHTS), QtCore.Qt.Orientation.Vertical)
        for monitor in self.monitors.values():
            _widen(monitor)
        self.monitors[APP_NAME] = self.connections  # so that its columns are kept with theirs
        self.save_window_setting("default")

    def create_dock(
        self,
        widget_class: type[QtWidgets.QWidget],
        name: str,
        area: QtCore.Qt.DockWidgetArea,
    ) -> tuple[QtWidgets.QWidget, QtWidgets.QDockWidget]:
        """Make a dock; what shows ticks is drawn at a pace, and the log forgets its oldest."""
        dock: tuple[QtWidgets.QWidget, QtWidgets.QDockWidget] = super().create_dock(
            _OURS.get(widget_class, widget_class), name, area
        )
        return dock

    def connect_gateway(self, gateway_name: str) -> None:
        """Open the form of a gateway; one whose file of last time is broken says so."""
        try:
            form = ConnectDialog(self.main_engine, gateway_name)
            form.setMinimumWidth(_FORM_WIDTH)  # addresses and references are long
            form.exec()
        except (ValueError, TypeError) as error:
            file = get_file_path(f"connect_{gateway_name.lower()}.json")
            words = (
                f"the form of {gateway_name} cannot be shown: {file}: {error}; mend or delete it"
            )
            self.main_engine.write_log(words, SOURCE)

    def open_widget(self, widget_class: type[QtWidgets.QWidget], name: str) -> None:
        """Open a window of an app; the panel is there already, and comes to the front."""
        if name == APP_NAME:
            self.connections.parentWidget().raise_()
        else:
            super().open_widget(widget_class, name)

    def keep_layout(self) -> None:
        """Remember it, as vnpy does when somebody closes the window by its button."""
        for monitor in self.monitors.values():
            monitor.save_setting()
        self.save_window_setting("custom")


def _widen(monitor: BaseMonitor) -> None:
    """Make room for names that name their venue, unless the user has chosen the widths."""
    if QtCore.QSettings(type(monitor).__name__, "custom").value("column_state") is not None:
        return
    for column, header in enumerate(monitor.headers):
        if header in _COLUMN_WIDTHS:
            monitor.setColumnWidth(column, _COLUMN_WIDTHS[header])


def make_engine(venues: Sequence[DesktopVenue], settings: GivenSettings = None) -> DesktopEngine:
    """vnpy's main engine on foxtrot's event engine, with these venues and the apps there are."""
    engine = DesktopEngine()
    for venue in venues:
        gateway_class = as_vnpy_gateway(venue.adapter_class, settings, venue.setting)
        engine.add_gateway(gateway_class, venue.name)
    engine.add_app(ConnectionsApp)
    for module, name in APPS:
        if find_spec(module) is not None:
            _add_app(engine, module, name)
    return engine


def _add_app(engine: MainEngine, module: str, name: str) -> None:
    try:
        importlib.import_module(f"{module}.ui")  # or the window would, and not open without it
        engine.add_app(getattr(importlib.import_module(module), name))
    except ImportError as error:
        engine.write_log(f"{name} is not shown: {error}; install what it lacks", SOURCE)
    except Exception as error:  # boundary: an app that is broken keeps no window from opening
        log.exception("app_failed", app=name)
        engine.write_log(f"{name} is not shown: {type(error).__name__}: {error}", SOURCE)


def begin(engine: MainEngine, venues: Sequence[DesktopVenue]) -> None:
    """Subscribe to what the venues list, and connect those that have a setting."""
    for venue in venues:
        for symbol, exchange in venue.symbols:
            engine.subscribe(VnpySubscribe(*vnpy_symbol(symbol, exchange)), venue.name)
        if venue.setting is not None:
            engine.connect(dict(venue.setting), venue.name)


def freeze_when_ready(window: DesktopWindow) -> None:
    """Take what is there once a venue is ready out of the collector's way.

    Most of it are modules of the venues' libraries, and each pass over them stops the window.
    """
    timer = QtCore.QTimer(window)

    def look() -> None:
        if window.connections.is_ready():
            timer.stop()
            gc.freeze()

    timer.timeout.connect(look)
    timer.start(_SETTLE_MS)


def show(
    venues: Sequence[DesktopVenue],
    settings: GivenSettings = None,
    seconds: float | None = None,
    begun: Callable[[Callable[[], None], Host], None] | None = None,
    title: str = TITLE,
) -> int:
    """Open the desktop and stay until it is closed; returns the exit code.

    Args:
        venues: Its gateways.
        settings: Of the foxtrot engine behind them.
        seconds: Close by itself after so long.
        begun: Told, once it is open, what closes it, and who has the engine behind its gateways.
        title: Of the window.
    """
    app: QtWidgets.QApplication = create_qapp("foxtrot")
    engine = make_engine(venues, settings)

    try:
        window = DesktopWindow(engine, engine.event_engine)
        window.setWindowTitle(title)

        def end() -> None:
            window.keep_layout()
            app.exit(0)  # `quit` would let the window ask whether that is meant

        window.showMaximized()
        begin(engine, venues)
        freeze_when_ready(window)
        pulse = QtCore.QTimer(window)
        pulse.timeout.connect(lambda: None)  # Python sees a signal when Qt calls Python
        pulse.start(_PULSE_MS)
        if begun is not None:
            later = partial(QtCore.QTimer.singleShot, 0, end)  # a signal may come amid anything
            begun(later, host_of(engine.event_engine))
        if seconds is not None:
            QtCore.QTimer.singleShot(round(seconds * 1_000), end)
        return int(app.exec())
    finally:
        engine.close()
        gc.freeze()  # or the end of the interpreter takes seconds of collecting on a busy machine
