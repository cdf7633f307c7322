"""Cells that say a state in a rounded label of its colour, readable on every ground, selected or not."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from mailnod_desktop.theme import get_theme

__all__ = ["COLOUR_ROLE", "PillDelegate", "draw_pill"]

#: A model answers it with the ``#rrggbb`` of a cell's pill; None draws plain text.
COLOUR_ROLE = Qt.ItemDataRole.UserRole + 40

_PADDING = 8


def draw_pill(painter: QPainter, rect: QRect, text: str, colour: str) -> int:
    """Draw a pill at the left of a rectangle, vertically in its middle.

    :returns: the width that it took, in pixels.
    """
    metrics = painter.fontMetrics()
    height = min(metrics.height() + 4, rect.height())
    width = min(metrics.horizontalAdvance(text) + 2 * _PADDING, rect.width())
    area = QRectF(rect.left() + 0.5, rect.center().y() - height / 2 + 0.5, width - 1, height - 1)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(colour), 1))
    # Opaque, so that it stays readable on a selected row.
    painter.setBrush(get_theme().tint(colour))
    painter.drawRoundedRect(area, height / 2, height / 2)
    shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, width - 2 * _PADDING + 2)
    painter.drawText(area, Qt.AlignmentFlag.AlignCenter, shown)
    painter.restore()
    return width


class PillDelegate(QStyledItemDelegate):
    """Draws a cell's text as a pill in the colour that :data:`COLOUR_ROLE` answers."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw the ground as every cell has it, and the pill on top."""
        colour = index.data(COLOUR_ROLE)
        if colour is None:
            super().paint(painter, option, index)
            return
        self.initStyleOption(option, index)
        text, option.text = option.text, ""
        style = option.widget.style() if option.widget else QApplication.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        area = option.rect.adjusted(6, 1, -4, -1)
        painter.setFont(option.font)
        draw_pill(painter, area, text, str(colour))

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Leave room for the rounded ends."""
        return super().sizeHint(option, index) + QSize(2 * _PADDING, 2)
