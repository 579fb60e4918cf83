"""The panel: it looks once a second, on the window's thread, and touches what has changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from vnpy.event import EventEngine
from vnpy.trader.engine import MainEngine
from vnpy.trader.ui import QtCore, QtGui, QtWidgets

from foxtrot.desktop.connections import APP_NAME, ConnectionsEngine
from foxtrot.desktop.connections.curve import CURVE, CurveDelegate
from foxtrot.desktop.connections.latency import Trails
from foxtrot.desktop.connections.rows import COLUMNS, Row, Switch, Tone, rows_of
from foxtrot.engine.main_engine import MainEngine as FoxtrotEngine
from foxtrot.errors import FoxtrotError
from foxtrot.model.constants import ConnectionState, Mode

Action = Callable[[FoxtrotEngine], object]

LOOK_MS = 1_000
BY_THE_PANEL = "asked for in the desktop"

_COLOURS = {
    Tone.GOOD: "#4caf50",
    Tone.WARNING: "#ffb300",
    Tone.BAD: "#ff5252",
}
_MODES: dict[str, Mode | None] = {
    "by settings": None,
    "websocket": Mode.WEBSOCKET,
    "polling": Mode.POLLING,
}
_WIDTHS = {
    "Venue, symbol": 270,
    "State": 120,
    "Mode": 190,
    "Since": 70,
    "Last data": 80,
    "Latency": 160,
    "Reconnects": 95,
    "Errors": 60,
    "Breaker": 75,
    "Orders": 150,
    "Why": 400,
}
_STATE, _MODE, _DATA, _LATENCY, _WHY = (
    COLUMNS.index(each) for each in ("State", "Mode", "Last data", "Latency", "Why")
)
_COLUMN_STATE = f"column_state_{len(COLUMNS)}"
_WORD_PX = 80
"""Room for HALTED, however narrow the window is."""

_HALT = (
    "Halt trading at every venue of foxtrot?\n\n"
    "New orders are blocked at once, and open orders of foxtrot are cancelled, until you press "
    "Resume. Positions stay as they are. Gateways that are not foxtrot's are not reached."
)
_RESUME = "Let new orders pass again at every venue of foxtrot?"


class ConnectionsWidget(QtWidgets.QWidget):  # type: ignore[misc]
    """States, modes and freshness of every venue, with the halt; vnpy makes it with its engines."""

    def __init__(self, main_engine: MainEngine, event_engine: EventEngine) -> None:
        super().__init__()
        engine = main_engine.get_engine(APP_NAME)
        assert isinstance(engine, ConnectionsEngine)
        self._engine = engine
        self._items: dict[str, QtWidgets.QTreeWidgetItem] = {}
        self._rows: dict[str, Row] = {}
        self._trails = Trails()
        self._question: QtWidgets.QMessageBox | None = None
        self.setWindowTitle(APP_NAME)
        self._build()
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self._look_if_seen)
        self._timer.start(LOOK_MS)
        self.look()

    def _build(self) -> None:
        self.tree = QtWidgets.QTreeWidget()
        self.tree.setHeaderLabels(COLUMNS)
        self.tree.setUniformRowHeights(True)
        self.tree.setItemDelegateForColumn(_LATENCY, CurveDelegate(self.tree))
        self.tree.itemClicked.connect(self._clicked)
        self.tree.setContextMenuPolicy(QtCore.Qt.ContextMenuPolicy.CustomContextMenu)
        self.tree.customContextMenuRequested.connect(
            lambda spot: self._offer(self.tree.itemAt(spot))
        )
        for column, width in _WIDTHS.items():
            self.tree.setColumnWidth(COLUMNS.index(column), width)
        kept = _kept().value(_COLUMN_STATE)
        if isinstance(kept, QtCore.QByteArray):
            self.tree.header().restoreState(kept)
        self.halt_button = QtWidgets.QPushButton("Halt trading")
        self.halt_button.setToolTip("blocks new orders, and cancels the open ones")
        self.resume_button = QtWidgets.QPushButton("Resume")
        self.cancel_button = QtWidgets.QPushButton("Cancel all")
        self.halted_label = QtWidgets.QLabel()
        self.halted_label.setStyleSheet(f"color: {_COLOURS[Tone.BAD]}; font-weight: bold")
        policy = QtWidgets.QSizePolicy.Policy
        self.halted_label.setSizePolicy(policy.Ignored, policy.Preferred)  # a reason may be long
        self.halted_label.setMinimumWidth(_WORD_PX)
        self.halt_button.clicked.connect(
            lambda: self._ask("Halt", _HALT, lambda engine: engine.halt(BY_THE_PANEL))
        )
        self.resume_button.clicked.connect(
            lambda: self._ask("Resume", _RESUME, lambda engine: engine.resume())
        )
        self.cancel_button.clicked.connect(lambda: self._act(lambda engine: engine.cancel_all()))
        line = QtWidgets.QHBoxLayout()
        for button in (self.halt_button, self.resume_button, self.cancel_button):
            line.addWidget(button)
        line.addWidget(self.halted_label, stretch=1)
        whole = QtWidgets.QVBoxLayout()
        whole.addLayout(line)
        whole.addWidget(self.tree)
        self.setLayout(whole)

    def look(self) -> None:
        """Show how all is now."""
        engine = self._engine.foxtrot
        self.cancel_button.setEnabled(engine is not None)
        if engine is None:
            self._allow(halt=False, resume=False)
            self._show(())
            return
        health = engine.health()
        self._allow(halt=not health.halted, resume=bool(health.halted))
        self.halted_label.setText(f"HALTED: {health.halted}" if health.halted else "")
        self.halted_label.setToolTip(health.halted)
        curves = self._trails.look(health.engine.latency)
        self._show(rows_of(health, time.time_ns(), curves))

    def is_ready(self) -> bool:
        """Whether a venue is."""
        engine = self._engine.foxtrot
        if engine is None:
            return False
        return any(each.state is ConnectionState.READY for each in engine.health().adapters)

    def item(self, key: str) -> QtWidgets.QTreeWidgetItem:
        """The item of a row, by the row's key."""
        return self._items[key]

    def modes(self, key: str) -> QtWidgets.QMenu:
        """The menu that switches the mode of a venue or a symbol, by its row's key."""
        switch = self._rows[key].switch
        menu = QtWidgets.QMenu(self)
        menu.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        if switch is None:
            return menu
        for text, mode in _MODES.items():
            action = menu.addAction(text)
            action.setCheckable(True)
            action.setChecked(switch.pinned is mode)
            action.triggered.connect(lambda checked, mode=mode: self._switch(switch, mode))
        return menu

    def save_setting(self) -> None:
        """Remember the columns; vnpy calls it when it remembers those of its own tables."""
        _kept().setValue(_COLUMN_STATE, self.tree.header().saveState())

    def question(self) -> QtWidgets.QMessageBox | None:
        """What is asked before a halt or its end, while it is."""
        return self._question

    def _look_if_seen(self) -> None:
        if self.isVisible():
            self.look()

    def _allow(self, *, halt: bool, resume: bool) -> None:
        self.halt_button.setEnabled(halt)
        self.resume_button.setEnabled(resume)

    # -- rows -------------------------------------------------------------------------------

    def _show(self, rows: Sequence[Row]) -> None:
        flat = {row.key: row for row in _flat(rows)}
        for key in [each for each in reversed(self._items) if each not in flat]:
            self._remove(key)  # the newest first: a venue takes what is under it along
        root = self.tree.invisibleRootItem()
        for place, row in enumerate(rows):
            self._place(row, place, root)
        # Each word of a change costs the view a search for its line; one for all is drawn anew.
        self.tree.model().blockSignals(True)
        for key, row in flat.items():
            self._refresh(self._items[key], row)
        self.tree.model().blockSignals(False)
        self.tree.viewport().update()

    def _place(self, row: Row, place: int, parent: QtWidgets.QTreeWidgetItem) -> None:
        item = self._items.get(row.key)
        if item is not None:
            for number, child in enumerate(row.children):
                self._place(child, number, item)
            return
        parent.insertChild(min(place, parent.childCount()), self._grown(row))
        self._items[row.key].setExpanded(parent is self.tree.invisibleRootItem())
        for each in _flat([row]):
            if each.spanned:  # which an item can be told only in its tree
                self._items[each.key].setFirstColumnSpanned(True)

    def _grown(self, row: Row) -> QtWidgets.QTreeWidgetItem:
        """A new item with all that is under it."""
        item = self._items[row.key] = QtWidgets.QTreeWidgetItem()
        self._refresh(item, row)
        item.addChildren([self._grown(child) for child in row.children])
        return item

    def _refresh(self, item: QtWidgets.QTreeWidgetItem, row: Row) -> None:
        known = self._rows.get(row.key)
        self._rows[row.key] = row
        for column, text in enumerate(row.cells):
            if known is None or known.cells[column] != text:
                item.setText(column, text)
        if known is None or _looks(known) != _looks(row):
            _dress(item, row)
        if row.curve and (known is None or known.curve != row.curve):
            item.setData(_LATENCY, CURVE, row.curve)
        if known is None or known.cells[_WHY] != row.cells[_WHY]:
            item.setToolTip(_WHY, row.cells[_WHY])

    def _remove(self, key: str) -> None:
        item = self._items.pop(key)
        self._rows.pop(key, None)
        (item.parent() or self.tree.invisibleRootItem()).removeChild(item)

    # -- what a person does -----------------------------------------------------------------

    def _clicked(self, item: QtWidgets.QTreeWidgetItem, column: int) -> None:
        if column == _MODE:
            self._offer(item)

    def _offer(self, item: QtWidgets.QTreeWidgetItem | None) -> None:
        """Show the modes below the cell that shows which it is."""
        key = next((each for each, known in self._items.items() if known is item), "")
        if not key or self._rows[key].switch is None:
            return
        below = self.tree.visualItemRect(item).bottomLeft()
        below.setX(self.tree.columnViewportPosition(_MODE))
        self.modes(key).popup(self.tree.viewport().mapToGlobal(below))

    def _switch(self, switch: Switch, mode: Mode | None) -> None:
        self._act(lambda engine: engine.override_mode(switch.adapter_name, mode, switch.vt_symbol))

    def _ask(self, title: str, text: str, act: Action) -> None:
        """Ask without standing still: the market goes on behind the question."""
        buttons = QtWidgets.QMessageBox.StandardButton
        question = QtWidgets.QMessageBox(self)
        question.setWindowTitle(title)
        question.setText(text)
        question.setStandardButtons(buttons.Yes | buttons.Cancel)
        question.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        self._question = question

        def answered(button: int) -> None:
            self._question = None
            if button == buttons.Yes.value:
                self._act(act)

        question.finished.connect(answered)
        question.open()

    def _act(self, act: Action) -> None:
        engine = self._engine.foxtrot
        if engine is None:
            return
        try:
            act(engine)
        except FoxtrotError as error:
            engine.write_log(f"not done: {error}")
        self.look()


def _kept() -> QtCore.QSettings:
    return QtCore.QSettings(ConnectionsWidget.__name__, "custom")


def _flat(rows: Sequence[Row]) -> Iterator[Row]:
    for row in rows:
        yield row
        yield from _flat(row.children)


def _dress(item: QtWidgets.QTreeWidgetItem, row: Row) -> None:
    item.setForeground(0 if row.spanned else _STATE, _brush(row.tone))
    item.setForeground(_DATA, _brush(row.fresh))
    item.setToolTip(0, row.hint)
    if row.switch is not None:
        item.setToolTip(_MODE, "click to switch the mode")


def _brush(tone: Tone) -> QtGui.QBrush:
    colour = _COLOURS.get(tone)
    return QtGui.QBrush(QtGui.QColor(colour)) if colour else QtGui.QBrush()


def _looks(row: Row) -> tuple[Tone, Tone, str]:
    return row.tone, row.fresh, row.hint
