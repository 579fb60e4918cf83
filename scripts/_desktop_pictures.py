"""Draw docs/images/desktop*.png from a real run of `foxtrot desktop --simulated`.

The window is the user's own, worked by keys and mouse; faults are injected on the way. On a screen
(`xvfb-run -s "-screen 0 1600x1000x24"` is one) it is drawn as there, else on none.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from foxtrot.app.stages import STAGES, Stage
from foxtrot.app.venues import contract_of

if TYPE_CHECKING:
    from foxtrot.desktop.window import DesktopVenue

TARGET = Path(__file__).resolve().parent.parent / "docs" / "images"
SIZE = 1_600, 1_000
PANEL = 1_500, 700
MOST_BYTES = 150_000
WAIT_S = 60.0
STREAM_S = 12.0
SETTINGS = {
    "websocket.max_reconnect_attempts": 3,
    "websocket.reconnect_max_delay": 2.0,
    "liveness.stream_idle_s": 2.0,
}
BTC = "BTCUSDT_SPOT_BINANCE"


def main() -> int:
    """Open the desktop, play, and write the pictures; returns the exit code."""
    os.environ["LANGUAGE"] = "en"
    if not os.environ.get("DISPLAY"):
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    import foxtrot.adapter.binance.wire  # noqa: F401 - on a full machine it outlasts a connect

    with ExitStack() as stack:
        home = stack.enter_context(TemporaryDirectory(prefix="foxtrot-pictures-"))
        os.environ["HOME"] = home  # nothing that anybody saved is shown
        stages = {each.name: each for each in (kind() for kind in STAGES if not kind.lack())}
        venues = [_open(stack, each, Path(home)) for each in stages.values()]
        with _window(venues, {**SETTINGS, "journal.directory": home}) as artist:
            _play(artist, stages)
    return 0


def _open(stack: ExitStack, stage: Stage, folder: Path) -> DesktopVenue:
    from foxtrot.desktop.window import DesktopVenue

    def keep(name: str, value: str) -> str:
        file = folder / name
        file.touch(mode=0o600)
        file.write_text(value, encoding="utf-8")
        return f"file:{file}"

    stage.open(stack, stage.symbols, seed=0, rate_hz=10.0)
    adapter = stage.adapter()
    symbols = tuple(contract_of(adapter, each) for each in stage.symbols)
    return DesktopVenue(stage.name, adapter, stage.to_trade(keep), symbols)


@contextmanager
def _window(venues: list[DesktopVenue], settings: dict[str, object]) -> Iterator[Artist]:
    from vnpy.trader.ui import create_qapp

    from foxtrot.desktop.window import DesktopWindow, begin, make_engine

    app = create_qapp("foxtrot")
    engine = make_engine(venues, settings)
    try:
        window = DesktopWindow(engine, engine.event_engine)
        window.resize(*SIZE)
        window.show()
        begin(engine, venues)
        yield Artist(app, engine, window)
    finally:
        engine.close()


class Artist:
    """Works the window by hand, and draws it."""

    def __init__(self, app: Any, engine: Any, window: Any) -> None:
        self.app, self.engine, self.window = app, engine, window
        self.panel, self.form = window.connections, window.trading_widget

    def until(self, happened: Callable[[], object], what: str) -> None:
        """Let the window live until something is so."""
        deadline = time.monotonic() + WAIT_S
        while not happened():
            if time.monotonic() > deadline:
                raise SystemExit(f"not within {WAIT_S:g} s: {what}")
            self.live(0.05)

    def live(self, seconds: float) -> None:
        """Let the window live for a while."""
        from PySide6.QtTest import QTest

        QTest.qWait(round(seconds * 1e3))

    def state(self, key: str) -> str:
        """What the panel says of a row."""
        try:
            return str(self.panel.item(key).text(1))
        except KeyError:
            return ""

    def type(self, line: Any, text: str, *, enter: bool = False) -> None:
        """Replace the text of a field by keys."""
        from PySide6.QtTest import QTest
        from vnpy.trader.ui import QtCore

        QTest.keySequence(line, "Ctrl+A")
        QTest.keyClicks(line, text)
        if enter:
            QTest.keyClick(line, QtCore.Qt.Key.Key_Return)

    def click(self, widget: Any) -> None:
        """Press a widget with the mouse."""
        from PySide6.QtTest import QTest
        from vnpy.trader.ui import QtCore

        QTest.mouseClick(widget, QtCore.Qt.MouseButton.LeftButton)

    def press(self, text: str) -> None:
        """Press a button of the order form."""
        from vnpy.trader.ui import QtWidgets

        buttons = self.form.findChildren(QtWidgets.QPushButton)
        self.click(next(each for each in buttons if each.text() == text))

    def order(self, share: float) -> None:
        """Buy at so much of the best ask, by hand."""
        self.type(self.form.symbol_line, BTC, enter=True)
        self.until(lambda: self.form.ap1_label.text(), "a price in the form")
        self.type(self.form.volume_line, "0.01")
        self.type(self.form.price_line, f"{float(self.form.ap1_label.text()) * share:.2f}")
        self.press("Order")

    def statuses(self) -> list[str]:
        """Those of all orders."""
        return [order.status.name for order in self.engine.get_all_orders()]

    def draw(self, name: str, widget: Any = None, *, screen: bool = False) -> None:
        """Write a picture of a widget, or of all that is on the screen."""
        shown = widget or self.window
        self.panel.look()
        self.app.processEvents()
        image = self.app.primaryScreen().grabWindow(0) if screen else shown.grab()
        _write(image.toImage(), TARGET / f"{name}.png")


def _write(image: Any, file: Path) -> None:
    """In 256 colours, which is a third of the bytes."""
    from PIL import Image
    from vnpy.trader.ui import QtGui

    pixels = image.convertToFormat(QtGui.QImage.Format.Format_RGB888)
    size = pixels.width(), pixels.height()
    flat = Image.frombytes(
        "RGB", size, bytes(pixels.constBits()), "raw", "RGB", pixels.bytesPerLine()
    )
    flat.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
        file, optimize=True
    )
    print(f"wrote {file}, {file.stat().st_size:,} bytes")
    if file.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{file} is larger than {MOST_BYTES:,} bytes")


def _play(artist: Artist, stages: dict[str, Stage]) -> None:
    for name in stages:
        artist.until(
            lambda name=name: artist.state(f"{name}/trading") == "ready", f"{name} is ready"
        )
    artist.live(STREAM_S)
    _trade(artist)
    _connect(artist)
    dock = artist.panel.parentWidget()
    dock.setFloating(True)
    dock.resize(*PANEL)
    artist.live(1.0)
    artist.draw("desktop-connections", artist.panel)
    _break(artist, stages)
    dock.setFloating(False)
    artist.live(1.0)
    _halt(artist)


def _trade(artist: Artist) -> None:
    artist.order(0.98)
    artist.until(lambda: "NOTTRADED" in artist.statuses(), "an order rests")
    artist.order(1.005)
    artist.until(lambda: "ALLTRADED" in artist.statuses(), "an order is filled")
    artist.live(1.0)
    artist.draw("desktop")
    artist.press("Cancel All")
    artist.until(lambda: "CANCELLED" in artist.statuses(), "an order is cancelled")
    artist.live(0.5)
    artist.draw("desktop-cancelled", artist.window.monitors["Order"])


def _connect(artist: Artist) -> None:
    from vnpy.trader.ui import QtCore

    def draw() -> None:
        dialog = artist.app.activeModalWidget()
        artist.draw("desktop-connect", dialog)
        dialog.close()

    QtCore.QTimer.singleShot(1_000, draw)
    artist.window.connect_gateway("BINANCE")


def _break(artist: Artist, stages: dict[str, Stage]) -> None:
    from foxtrot.model.constants import Mode

    binance, ib, futu = (stages[name].faults for name in ("BINANCE", "IB", "FUTU"))
    for faults in (futu, ib):
        faults.inject("refuse", rest=True)
    futu.inject("rst")
    artist.until(lambda: artist.state("FUTU/websocket") == "failed", "Futu is given up")
    foxtrot = artist.engine.get_engine("Connections").foxtrot
    foxtrot.override_mode("BINANCE", Mode.POLLING, "BTCUSDT.BINANCE")
    binance.inject("drop_stream", symbol="ETHUSDT")
    ib.inject("rst")
    artist.until(lambda: artist.state("BINANCE/ETHUSDT.BINANCE") == "stale", "a stream is stale")
    artist.until(lambda: artist.state("IB") == "reconnecting", "IB is missed")
    artist.draw("desktop-states", artist.panel)
    foxtrot.override_mode("BINANCE", None, "BTCUSDT.BINANCE")
    for faults in (binance, ib, futu):
        faults.clear()
    for name in stages:
        artist.until(lambda name=name: artist.state(name) == "ready", f"{name} is back")


def _halt(artist: Artist) -> None:
    artist.order(0.98)
    artist.until(lambda: "NOTTRADED" in artist.statuses(), "an order rests")
    artist.click(artist.panel.halt_button)
    artist.live(0.5)
    question = artist.panel.question()
    artist.draw("desktop-halt-question", question)
    artist.click(question.button(question.StandardButton.Yes))
    artist.until(lambda: "NOTTRADED" not in artist.statuses(), "it is cancelled")
    artist.order(0.98)
    artist.until(lambda: "REJECTED" in artist.statuses(), "nothing is sent")
    artist.live(1.0)
    artist.draw("desktop-halt")
