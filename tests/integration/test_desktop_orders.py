"""Trading by hand in vnpy's window: keys and mouse, as a user has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.desktop_window import Shown, open_window, qt, vt_symbol

from vnpy.trader.ui import QtWidgets  # isort: skip

from tests.support.binance_venue import BinanceUnderTest
from tests.support.rig import nothing_left

SYMBOL = "BTCUSDT_SPOT_BINANCE"

pytestmark = pytest.mark.timeout(120)  # the first one imports an SDK and Qt

app = pytest.fixture(scope="module")(qt)


@pytest.fixture(scope="module")
def sdk() -> None:
    """The SDK is imported once, before anything is counted."""
    from foxtrot.adapter.binance import wire  # noqa: F401


@pytest.fixture
def shown(app: Any, sdk: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shown]:
    """The window with a venue that takes orders, and whose prices are in the tables."""
    with nothing_left(), open_window(app, monkeypatch, [BinanceUnderTest(rate_hz=5.0)]) as shown:
        shown.until(lambda: shown.state("BINANCE/trading") == "ready", "orders are taken")
        shown.until(lambda: shown.table("TickMonitor").rowCount() > 0, "prices")
        shown.until(lambda: shown.engine.get_contract(vt_symbol(shown.venue)) is not None, "listed")
        yield shown


def order(shown: Shown, price: float, volume: str = "0.001") -> None:
    """Type a symbol, Enter, the volume and the price, and press the button for orders."""
    form = shown.form
    shown.type(form.symbol_line, SYMBOL, enter=True)
    shown.type(form.volume_line, volume)
    shown.type(form.price_line, f"{price:.2f}")
    shown.click(button(form, "Order", "委托"))


def button(form: Any, *texts: str) -> Any:
    """The button of a form with one of these words."""
    return next(b for b in form.findChildren(QtWidgets.QPushButton) if b.text() in texts)


def resting(shown: Shown) -> float:
    """A price at which an order to buy rests."""
    return float(shown.venue.resting_price("BTCUSDT"))


def statuses(shown: Shown) -> list[str]:
    """What vnpy knows of all orders, in no order."""
    return sorted(each.status.name for each in shown.engine.get_all_orders())


def say_yes(shown: Shown) -> None:
    """To what the panel asks before it acts."""
    question = shown.panel.question()
    assert question is not None
    shown.click(question.button(QtWidgets.QMessageBox.StandardButton.Yes))


def test_an_order_by_keys_is_filled(shown: Shown) -> None:
    """Who types a symbol, Enter, volume and price, and presses the button, has one fill."""
    order(shown, shown.venue.crossing_price("BTCUSDT") * 1.01)
    assert shown.form.name_line.text() == "BTC/USDT"
    shown.until(lambda: statuses(shown) == ["ALLTRADED"], "it is filled")
    shown.until(lambda: shown.table("TradeMonitor").rowCount() == 1, "one row")
    assert shown.column("OrderMonitor", "symbol") == [SYMBOL]
    assert shown.column("OrderMonitor", "traded") == ["0.001"]
    assert shown.column("TradeMonitor", "symbol") == [SYMBOL]
    assert len(shown.venue.held()) == len(shown.venue.traded()) == 1
    active = shown.table("ActiveOrderMonitor")
    assert all(active.isRowHidden(row) for row in range(active.rowCount()))


def test_a_double_click_cancels(shown: Shown) -> None:
    """Two presses on an order that rests cancel it; the other one goes on resting."""
    order(shown, resting(shown))
    order(shown, resting(shown) - 100.0)
    active = shown.table("ActiveOrderMonitor")
    shown.until(lambda: statuses(shown) == ["NOTTRADED"] * 2, "both rest")
    shown.until(lambda: active.rowCount() == 2, "both are shown")
    dock = active.parentWidget()
    dock.raise_()
    shown.until(active.isVisible, "the tab is in front")
    gone = shown.column("ActiveOrderMonitor", "orderid")[0]
    shown.double_click(active, 0)
    shown.until(lambda: statuses(shown) == ["CANCELLED", "NOTTRADED"], "one is cancelled")
    assert shown.engine.get_order(f"BINANCE.{gone}").status.name == "CANCELLED"
    assert [each.open for each in shown.venue.held()].count(True) == 1


def test_one_button_cancels_all(shown: Shown) -> None:
    """vnpy's button cancels every order of the window, and so does the panel's."""
    for press in (button(shown.form, "Cancel All", "全撤"), shown.panel.cancel_button):
        before = len(shown.engine.get_all_orders())
        order(shown, resting(shown))
        order(shown, resting(shown) - 100.0)
        shown.until(lambda: statuses(shown).count("NOTTRADED") == 2, "both rest")
        shown.click(press)
        shown.until(lambda: not shown.engine.get_all_active_orders(), "none rests")
        assert len(shown.engine.get_all_orders()) == before + 2
    assert not [each for each in shown.venue.held() if each.open]


def test_the_halt_cancels_and_blocks_until_it_is_lifted(shown: Shown) -> None:
    """After Halt what was open is cancelled and what is sent is rejected, until Resume."""
    order(shown, resting(shown))
    shown.until(lambda: statuses(shown) == ["NOTTRADED"], "it rests")
    shown.click(shown.panel.halt_button)
    before = shown.column("TickMonitor", "datetime")
    shown.until(lambda: shown.column("TickMonitor", "datetime") != before, "prices go on")
    assert statuses(shown) == ["NOTTRADED"]
    say_yes(shown)
    shown.until(lambda: "HALTED" in shown.panel.halted_label.text(), "it is shown")
    shown.until(lambda: statuses(shown) == ["CANCELLED"], "what was open is cancelled")
    order(shown, resting(shown))
    shown.until(lambda: statuses(shown) == ["CANCELLED", "REJECTED"], "nothing is sent")
    assert len(shown.venue.held()) == 1
    shown.until(lambda: any("halted" in text for text in log(shown)), "the log says why")
    shown.click(shown.panel.resume_button)
    say_yes(shown)
    shown.until(lambda: not shown.panel.halted_label.text(), "it is lifted")
    order(shown, resting(shown))
    shown.until(lambda: "NOTTRADED" in statuses(shown), "orders are taken again")


def log(shown: Shown) -> list[str]:
    """The lines of vnpy's log."""
    return shown.column("LogMonitor", "msg")
