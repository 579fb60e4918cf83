"""The real window of vnpy with a simulated venue of foxtrot in it; drawn, but on no screen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.desktop_window import Shown, open_window, qt

from vnpy.trader.ui import MainWindow, QtWidgets  # isort: skip
from vnpy.trader.ui.widget import ConnectDialog  # isort: skip

from foxtrot.desktop.connections.rows import COLUMNS
from foxtrot.model.constants import Mode
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
