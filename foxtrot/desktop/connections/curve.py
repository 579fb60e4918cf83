"""Draws a row's latencies behind its figure."""

from __future__ import annotations

from vnpy.trader.ui import QtCore, QtGui, QtWidgets

CURVE = QtCore.Qt.ItemDataRole.UserRole
"""Where an item keeps its figures: a tuple, the newest last."""

FIGURE_PX = 76
"""Room for the text, left of the curve."""

_COLOUR = "#4fc3f7"
_MARGIN_PX = 4


class CurveDelegate(QtWidgets.QStyledItemDelegate):  # type: ignore[misc]
    """Paints an item as usual, and its curve to the right of the text."""

    def paint(
        self,
        painter: QtGui.QPainter,
        option: QtWidgets.QStyleOptionViewItem,
        index: QtCore.QModelIndex,
    ) -> None:
        """Draw one item; the highest figure of the curve touches its upper edge."""
        super().paint(painter, option, index)
        figures = index.data(CURVE)
        if not figures or len(figures) < 2:
            return
        area = option.rect.adjusted(FIGURE_PX, _MARGIN_PX, -_MARGIN_PX, -_MARGIN_PX)
        painter.save()
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        painter.setPen(QtGui.QPen(QtGui.QColor(_COLOUR), 1.5))
        painter.drawPolyline([QtCore.QPointF(x, y) for x, y in points(figures, area)])
        painter.restore()


def points(figures: tuple[float, ...], area: QtCore.QRect) -> list[tuple[float, float]]:
    """Where each figure is drawn in `area`; nothing is at its lower edge."""
    top, step = max(figures) or 1.0, area.width() / (len(figures) - 1)
    return [
        (area.left() + place * step, area.bottom() - figure / top * area.height())
        for place, figure in enumerate(figures)
    ]
