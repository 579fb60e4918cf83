"""Ticks that come faster than a window can draw them."""

from __future__ import annotations

import datetime as dt
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.desktop_window import qt

import vnpy.event  # isort: skip  # after the support, which skips where it cannot be had
from vnpy.trader import constant, object as nouns  # isort: skip
from vnpy.trader.ui import QtCore  # isort: skip

from foxtrot.desktop.engine import DesktopEngine
from foxtrot.desktop.ticks import Pace, TickMonitor, TradingWidget
from tests.support.rig import WAIT_S

BID = list(TickMonitor.headers).index("bid_price_1")
SYMBOL = list(TickMonitor.headers).index("symbol")


app = pytest.fixture(scope="module")(qt)


@pytest.fixture
def engine() -> Iterator[DesktopEngine]:
    """vnpy's engines."""
    engine = DesktopEngine()
    yield engine
    engine.close()


def event(symbol: str, bid: float) -> vnpy.event.Event:
    """A tick with a bid."""
    moment = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    tick = nouns.TickData(
        gateway_name="G", symbol=symbol, exchange=constant.Exchange.GLOBAL, datetime=moment,
        bid_price_1=bid,
    )  # fmt: skip
    return vnpy.event.Event("eTick.", tick)


def until(app: Any, happened: Callable[[], bool]) -> None:
    """Let the window live until something is so."""
    for _ in range(int(WAIT_S / 0.005)):
        app.processEvents()
        if happened():
            return
        threading.Event().wait(0.005)
    raise AssertionError(f"not within {WAIT_S:g} s")


def test_of_a_flood_the_newest_is_drawn(app: Any) -> None:
    """What came while the window was busy is drawn once for each symbol, and is the newest."""
    drawn: list[tuple[str, float]] = []
    owner = QtCore.QObject()
    pace = Pace(owner, lambda each: drawn.append((each.data.symbol, each.data.bid_price_1)))

    def flood() -> None:
        for number in range(1, 1_001):
            pace.take(event(f"S{number % 5}", float(number)))

    thread = threading.Thread(target=flood)
    thread.start()
    thread.join(WAIT_S)
    assert not drawn, "nothing is drawn on the thread that tells"
    until(app, lambda: len(drawn) >= 5)
    assert drawn == [(f"S{number % 5}", float(number)) for number in range(996, 1_001)]


def test_what_comes_after_a_pause_is_drawn(app: Any) -> None:
    """Each tick that comes when all is drawn is drawn, too, and so is what comes meanwhile."""
    drawn: list[float] = []
    owner = QtCore.QObject()

    def draw(each: Any) -> None:
        drawn.append(each.data.bid_price_1)
        if each.data.bid_price_1 == 2.0:
            pace.take(event("A", 3.0))

    pace = Pace(owner, draw)
    for bid in (1.0, 2.0):
        pace.take(event("A", bid))
        until(app, lambda bid=bid: bid in drawn)  # type: ignore[misc]
    until(app, lambda: drawn == [1.0, 2.0, 3.0])


def test_a_tick_that_cannot_be_drawn_stops_nothing(
    app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure while drawing is told, and the ticks after it are drawn."""
    raised: list[object] = []
    monkeypatch.setattr(sys, "excepthook", lambda *what: raised.append(what[0]))
    drawn: list[str] = []
    owner = QtCore.QObject()

    def draw(each: Any) -> None:
        if each.data.symbol == "BAD":
            raise ValueError("this cannot be shown")
        drawn.append(each.data.symbol)

    pace = Pace(owner, draw)
    for symbol in ("BAD", "A", "B"):
        pace.take(event(symbol, 1.0))
    until(app, lambda: drawn == ["A", "B"])
    assert raised == [ValueError]


def test_a_sorted_table_stays_sorted_and_right(app: Any, engine: DesktopEngine) -> None:
    """Each price stands in the row of its symbol, also when prices change the order of the rows."""
    table = TickMonitor(engine, engine.event_engine)
    for number in range(10):
        table.process_event(event(f"S{number}", 100.0 + number))
    table.sortItems(BID, QtCore.Qt.SortOrder.AscendingOrder)
    for number in range(10):
        table.process_event(event(f"S{number}", 900.0 - number))
    rows = [(table.item(row, SYMBOL).text(), table.item(row, BID).text()) for row in range(10)]
    assert rows == [(f"S{number}", str(900.0 - number)) for number in reversed(range(10))]
    table.deleteLater()


def test_the_form_shows_the_newest_price_of_its_symbol(app: Any, engine: DesktopEngine) -> None:
    """The form for orders follows the symbol that is typed, and no other."""
    form = TradingWidget(engine, engine.event_engine)
    form.vt_symbol = "A.GLOBAL"
    for bid in range(1, 501):
        engine.event_engine.put(event("A", float(bid)))
        engine.event_engine.put(event("B", 7.0))
    until(app, lambda: float(form.bp1_label.text() or 0) == 500.0)
    form.deleteLater()
