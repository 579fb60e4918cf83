"""The real window of vnpy with a simulated venue of foxtrot in it; drawn, but on no screen."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.desktop_window import LEFT, QTest, Shown, open_window, qt

from vnpy.trader.constant import Exchange  # isort: skip
from vnpy.trader.locale import _  # isort: skip
from vnpy.trader.object import CancelRequest, QuoteRequest  # isort: skip
from vnpy.trader.ui import MainWindow, QtCore, QtWidgets  # isort: skip
from vnpy.trader.ui.widget import ConnectDialog  # isort: skip
from vnpy.trader.utility import get_file_path  # isort: skip

from foxtrot.app import desktop
from foxtrot.desktop import window as window_module
from foxtrot.desktop.connections.curve import CURVE
from foxtrot.desktop.connections.rows import COLUMNS
from foxtrot.desktop.window import DesktopWindow, make_engine
from tests.support.binance_venue import BinanceUnderTest

STREAM = "BINANCE/BTCUSDT.BINANCE/tick"

app = pytest.fixture(scope="module")(qt)


@pytest.fixture
def shown(app: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shown]:
    """The window with a venue that streams and trades."""
    with open_window(app, monkeypatch, [BinanceUnderTest(rate_hz=20.0)]) as shown:
        yield shown


def test_the_market_is_in_the_window(shown: Shown) -> None:
    """Quotes stream into vnpy's own table, and the panel says how fresh they are."""
    assert isinstance(shown.window, MainWindow)
    ticks = shown.table("TickMonitor")
    shown.until(lambda: ticks.rowCount() == len(shown.venue.symbols), "a row for each symbol")
    shown.until(lambda: shown.state("BINANCE") == "ready", "the venue is ready")
    shown.until(lambda: shown.state(STREAM) == "active", "the stream is fresh")
    assert "BTCUSDT_SPOT_BINANCE" in {ticks.item(n, 0).text() for n in range(ticks.rowCount())}


def test_the_log_keeps_its_newest_lines(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A desktop runs for weeks, and each reconnect is a line: the table does not grow for ever."""
    monkeypatch.setattr(window_module, "APPS", ())
    monkeypatch.setattr(window_module, "LOG_ROWS", 3)
    engine = make_engine([])
    try:
        shown = Shown(app, [None], engine)  # type: ignore[list-item]  # it has no venue
        for number in range(5):
            engine.write_log(f"line {number}")
        shown.until(lambda: "line 4" in shown.column("LogMonitor", "msg"), "the newest")
        assert shown.column("LogMonitor", "msg") == ["line 4", "line 3", "line 2"]
        shown.close()
    finally:
        engine.close()


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


def answer(shown: Shown, button: str) -> None:
    """Press a button of the question that the panel asks."""
    question = shown.panel.question()
    assert question is not None
    shown.click(question.button(getattr(QtWidgets.QMessageBox.StandardButton, button)))


def test_the_halt_button_halts(shown: Shown) -> None:
    """Once it is confirmed a halt blocks new orders at once; a resume lets them pass."""
    shown.until(lambda: shown.state("BINANCE/trading") == "ready", "orders are taken")
    panel = shown.panel
    shown.click(panel.halt_button)
    answer(shown, "Cancel")
    assert not shown.engine.get_engine("Connections").foxtrot.health().halted
    shown.click(panel.halt_button)
    answer(shown, "Yes")
    shown.until(lambda: "HALTED: asked for" in panel.halted_label.text(), "it is shown")
    assert shown.cell("BINANCE", "Why").startswith("HALTED")
    assert not panel.halt_button.isEnabled()
    shown.click(panel.resume_button)
    answer(shown, "Yes")
    shown.until(lambda: not panel.halted_label.text(), "it is shown")
    assert panel.question() is None


def choose(shown: Shown, key: str, mode: str) -> None:
    """Choose a mode in the list of a row."""
    menu = shown.panel.modes(key)
    next(each for each in menu.actions() if each.text() == mode).trigger()
    (chosen,) = [each.text() for each in shown.panel.modes(key).actions() if each.isChecked()]
    assert chosen == mode


def test_the_mode_is_switched_by_the_panel(shown: Shown) -> None:
    """A venue is polled instead of streamed when somebody says so, and streamed again."""
    shown.until(lambda: shown.state(STREAM) == "active", "it streams")
    choose(shown, "BINANCE", "polling")
    shown.until(lambda: shown.state(STREAM) == "polling", "it is polled")
    assert "by hand" in shown.cell("BINANCE", "Mode")
    choose(shown, "BINANCE", "by settings")
    shown.until(lambda: shown.state(STREAM) == "active", "it streams again")


def test_the_mode_of_one_symbol_is_switched(shown: Shown) -> None:
    """One symbol is polled while the others stream; a click on its mode opens the list."""
    one, other = "BINANCE/BTCUSDT.BINANCE", "BINANCE/ETHUSDT.BINANCE"
    shown.until(lambda: shown.state(one) == shown.state(other) == "active", "both stream")
    choose(shown, one, "polling")
    shown.until(lambda: shown.state(one) == "polling", "it is polled")
    assert shown.state(other) == "active"
    assert "by hand" in shown.cell(one, "Mode")
    tree, column = shown.panel.tree, COLUMNS.index("Mode")
    spot = tree.visualRect(tree.indexFromItem(shown.panel.item(one), column)).center()
    QTest.mouseClick(tree.viewport(), LEFT, pos=spot)
    menu = QtWidgets.QApplication.activePopupWidget()
    assert [each.text() for each in menu.actions()] == ["by settings", "websocket", "polling"]
    menu.close()
    tree.customContextMenuRequested.emit(spot)
    menu = QtWidgets.QApplication.activePopupWidget()
    menu.actions()[0].trigger()
    menu.close()
    shown.until(lambda: shown.state(one) == "active", "it streams again")
    tree.customContextMenuRequested.emit(tree.rect().bottomRight())  # where nothing is
    assert QtWidgets.QApplication.activePopupWidget() is None


def test_latency_is_a_figure_and_a_curve(shown: Shown) -> None:
    """What a venue's data takes is told, and drawn from what it took before."""
    figures = lambda: shown.panel.item("BINANCE").data(COLUMNS.index("Latency"), CURVE)  # noqa: E731
    shown.until(lambda: len(figures() or ()) > 1, "two looks with data")
    assert shown.cell("BINANCE", "Latency").endswith(" ms")
    assert not shown.panel.grab().isNull()


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


def pressed_connect(shown: Shown, **typed: str) -> None:
    """Fill vnpy's own form, and press its button."""
    dialog = ConnectDialog(shown.engine, "BINANCE")
    for field, text in typed.items():
        widget, kind = dialog.widgets[field]
        if kind is list:
            widget.setCurrentText(text)
        else:
            shown.type(widget, text)
    shown.click(dialog.findChild(QtWidgets.QPushButton))
    dialog.deleteLater()


def said(shown: Shown) -> list[str]:
    """The lines of the log, the newest first."""
    return shown.column("LogMonitor", "msg")


def test_who_connects_wrongly_is_told_and_tries_again(shown: Shown) -> None:
    """A wrong field is a line of the log; the form, mended, connects, and twice does no harm."""
    shown.until(lambda: shown.state("BINANCE") == "ready", "ready")
    pressed_connect(shown, rest_url="no url")
    shown.until(lambda: any("not connected: " in each for each in said(shown)), "the line")
    assert any("rest_url" in each for each in said(shown) if "not connected: " in each)
    pressed_connect(shown, secret="in-clear")
    shown.until(lambda: any("secret must be a reference" in each for each in said(shown)), "it")
    assert not any("in-clear" in each for each in said(shown))
    asked = {"rest_url": shown.venue.setting()["rest_url"], "secret": "env:DESK_BINANCE_SECRET"}
    pressed_connect(shown, **asked)
    pressed_connect(shown, **asked)
    shown.until(lambda: shown.state("BINANCE") == "ready", "ready again")
    shown.until(lambda: shown.state(STREAM) == "active", "and streaming")
    assert shown.panel.tree.topLevelItemCount() == 1


def test_a_form_of_last_time_that_is_broken_is_told(shown: Shown) -> None:
    """A file of vnpy's that cannot be read is named, and costs no window."""
    file = Path(get_file_path("connect_binance.json"))
    for broken in ("{", '{"environment": 1}'):
        file.write_text(broken)
        shown.window.connect_gateway("BINANCE")
        file.unlink()
    words = "the form of BINANCE cannot be shown"
    shown.until(lambda: sum(words in each for each in said(shown)) == 2, "both are told")
    assert all("connect_binance.json" in each for each in said(shown) if words in each)


def test_quotes_are_refused_in_words(shown: Shown) -> None:
    """An app that makes markets by quotes is told that no venue of foxtrot takes them."""
    request = QuoteRequest("BTCUSDT_SPOT_BINANCE", Exchange.GLOBAL, 1.0, 1, 2.0, 1)
    assert shown.engine.send_quote(request, "BINANCE") == ""
    shown.until(lambda: any("takes no two-sided quotes" in each for each in said(shown)), "it")
    shown.engine.cancel_quote(CancelRequest("q", request.symbol, request.exchange), "BINANCE")
    shown.until(lambda: any("quote q not cancelled" in each for each in said(shown)), "it")


def entries(menu: Any) -> Iterator[Any]:
    """What can be pressed in a menu, and in what is under it."""
    for action in menu.actions():
        if action.menu() is not None:
            yield from entries(action.menu())
        elif not action.isSeparator():
            yield action


def test_every_entry_of_the_menus_opens(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that the window offers ends in an exception."""
    raised: list[object] = []
    monkeypatch.setattr(sys, "excepthook", lambda *what: raised.append(what))
    monkeypatch.setattr("webbrowser.open", lambda url: True)
    monkeypatch.setattr(shown.engine.get_engine("email"), "send_email", lambda *mail: None)
    opened = []
    for action in entries(shown.window.menuBar()):
        if action.text() != _("退出"):
            QtCore.QTimer.singleShot(50, close_what_is_open)
            action.trigger()
            opened.append(action.text())
    shown.until(lambda: True, "a moment")
    assert raised == []
    spoken = {_("连接{}").format("BINANCE"), "Connections", _("查询合约"), _("关于")}
    assert spoken <= set(opened)
    assert "Connections" not in shown.window.widgets  # the dock is enough
    for each in shown.window.widgets.values():
        each.close()


def close_what_is_open() -> None:
    """Close the dialog that waits for an answer."""
    dialog = QtWidgets.QApplication.activeModalWidget()
    if dialog is not None:
        dialog.close()


def test_the_layout_is_remembered(shown: Shown) -> None:
    """Who moves a dock finds it there the next time, however the desktop was closed."""
    docks = {each.objectName(): each for each in shown.window.findChildren(QtWidgets.QDockWidget)}
    shown.window.addDockWidget(QtCore.Qt.DockWidgetArea.TopDockWidgetArea, docks["Connections"])
    shown.panel.tree.setColumnWidth(0, 333)
    shown.window.keep_layout()
    again = DesktopWindow(shown.engine, shown.engine.event_engine)
    dock = again.findChild(QtWidgets.QDockWidget, "Connections")
    assert again.dockWidgetArea(dock) is QtCore.Qt.DockWidgetArea.TopDockWidgetArea
    assert again.connections.tree.columnWidth(0) == 333
    again.restore_window_setting()
    assert again.dockWidgetArea(dock) is QtCore.Qt.DockWidgetArea.BottomDockWidgetArea
    again.deleteLater()


def test_a_settings_file_names_the_venues(tmp_path: Path) -> None:
    """Its venues are connected, with every symbol they subscribe; one without any offers all."""
    file = tmp_path / "settings.json"
    subscribe = ["BTCUSDT", {"symbol": "ETHUSDT", "channel": "depth"}]
    connect = {"environment": "testnet"}
    entry = {"adapter": "binance", "connect": connect, "subscribe": subscribe}
    file.write_text(json.dumps({"venues": {"MINE": entry}}))
    (venue,), given = desktop._of_settings(file)
    assert (venue.name, venue.setting, given) == ("MINE", connect, file)
    assert [symbol for symbol, _exchange in venue.symbols] == ["BTCUSDT", "ETHUSDT"]
    file.write_text("{}")
    venues, _given = desktop._of_settings(file)
    assert "BINANCE" in [each.name for each in venues]
    assert all(each.setting is None for each in venues)
