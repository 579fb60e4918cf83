"""The panel: it looks once a second, on the window's thread, and touches what has changed."""

from __future__ import annotations

import time
from collections.abc import Callable

from vnpy.event import EventEngine
from vnpy.trader.engine import MainEngine
from vnpy.trader.ui import QtCore, QtGui, QtWidgets

from foxtrot.desktop.connections import APP_NAME, ConnectionsEngine
from foxtrot.desktop.connections.rows import COLUMNS, Row, Tone, rows_of
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
_WIDTHS = {"Venue, stream": 230, "State": 110, "Mode": 130, "Orders": 150, "Why": 400}
_STATE, _MODE, _WHY = (COLUMNS.index(each) for each in ("State", "Mode", "Why"))


class ConnectionsWidget(QtWidgets.QWidget):  # type: ignore[misc]
    """States, modes and freshness of every venue, with the halt; vnpy makes it with its engines."""

    def __init__(self, main_engine: MainEngine, event_engine: EventEngine) -> None:
        super().__init__()
        engine = main_engine.get_engine(APP_NAME)
        assert isinstance(engine, ConnectionsEngine)
        self._engine = engine
        self._items: dict[str, QtWidgets.QTreeWidgetItem] = {}
        self._rows: dict[str, Row] = {}
        self.setWindowTitle(APP_NAME)
        self._build()
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self.look)
        self._timer.start(LOOK_MS)
        self.look()

    def _build(self) -> None:
        self.tree = QtWidgets.QTreeWidget()
        self.tree.setHeaderLabels(COLUMNS)
        self.tree.setUniformRowHeights(True)
        for column, width in _WIDTHS.items():
            self.tree.setColumnWidth(COLUMNS.index(column), width)
        self.halt_button = QtWidgets.QPushButton("Halt: block new orders, cancel the open ones")
        self.resume_button = QtWidgets.QPushButton("Resume")
        self.cancel_button = QtWidgets.QPushButton("Cancel all")
        self.halted_label = QtWidgets.QLabel()
        self.halted_label.setStyleSheet(f"color: {_COLOURS[Tone.BAD]}; font-weight: bold")
        acts: list[tuple[QtWidgets.QPushButton, Action]] = [
            (self.halt_button, lambda engine: engine.halt(BY_THE_PANEL)),
            (self.resume_button, lambda engine: engine.resume()),
            (self.cancel_button, lambda engine: engine.cancel_all()),
        ]
        for button, act in acts:
            button.clicked.connect(lambda checked, act=act: self._act(act))
        line = QtWidgets.QHBoxLayout()
        for button in (self.halt_button, self.resume_button, self.cancel_button):
            line.addWidget(button)
        line.addWidget(self.halted_label)
        line.addStretch()
        whole = QtWidgets.QVBoxLayout()
        whole.addLayout(line)
        whole.addWidget(self.tree)
        self.setLayout(whole)

    def look(self) -> None:
        """Show how all is now."""
        engine = self._engine.foxtrot
        for button in (self.halt_button, self.resume_button, self.cancel_button):
            button.setEnabled(engine is not None)
        if engine is None:
            self._show(())
            return
        health = engine.health()
        self.halted_label.setText(f"HALTED: {health.halted}" if health.halted else "")
        self._show(rows_of(health, time.time_ns()))

    def is_ready(self) -> bool:
        """Whether a venue is."""
        engine = self._engine.foxtrot
        if engine is None:
            return False
        return any(each.state is ConnectionState.READY for each in engine.health().adapters)

    def item(self, key: str) -> QtWidgets.QTreeWidgetItem:
        """The item of a row, by the row's key."""
        return self._items[key]

    def _show(self, rows: tuple[Row, ...]) -> None:
        there: set[str] = set()
        for row in rows:
            top = self._place(row, None)
            there.add(row.key)
            for child in row.children:
                self._place(child, top)
                there.add(child.key)
        for key in [each for each in reversed(self._items) if each not in there]:
            self._remove(key)  # the newest first: a venue takes what is under it along

    def _place(
        self, row: Row, parent: QtWidgets.QTreeWidgetItem | None
    ) -> QtWidgets.QTreeWidgetItem:
        item = self._items.get(row.key)
        if item is None:
            item = self._items[row.key] = QtWidgets.QTreeWidgetItem(parent or self.tree)
            if parent is None:
                item.setExpanded(True)
                self._add_switch(row.key, item)
        known = self._rows.get(row.key)
        if known is not None and (known.cells, known.tone, known.hint) == _looks(row):
            return item
        self._rows[row.key] = row
        for column, text in enumerate(row.cells):
            if known is None or known.cells[column] != text:
                item.setText(column, text)
        item.setToolTip(0, row.hint)
        item.setToolTip(_WHY, row.cells[_WHY])
        colour = _COLOURS.get(row.tone)
        brush = QtGui.QBrush(QtGui.QColor(colour)) if colour else QtGui.QBrush()
        item.setForeground(_STATE, brush)
        return item

    def _add_switch(self, name: str, item: QtWidgets.QTreeWidgetItem) -> None:
        switch = QtWidgets.QComboBox()
        switch.addItems(list(_MODES))
        switch.currentTextChanged.connect(
            lambda text: self._act(lambda engine: engine.override_mode(name, _MODES[text]))
        )
        self.tree.setItemWidget(item, _MODE, switch)

    def switch(self, name: str) -> QtWidgets.QComboBox:
        """The switch of a venue's mode."""
        return self.tree.itemWidget(self._items[name], _MODE)

    def _remove(self, key: str) -> None:
        item = self._items.pop(key)
        self._rows.pop(key, None)
        parent = item.parent()
        if parent is not None:
            parent.removeChild(item)
        else:
            self.tree.takeTopLevelItem(self.tree.indexOfTopLevelItem(item))

    def _act(self, act: Action) -> None:
        engine = self._engine.foxtrot
        if engine is None:
            return
        try:
            act(engine)
        except FoxtrotError as error:
            engine.write_log(f"not done: {error}")
        self.look()


def _looks(row: Row) -> tuple[tuple[str, ...], Tone, str]:
    return row.cells, row.tone, row.hint
