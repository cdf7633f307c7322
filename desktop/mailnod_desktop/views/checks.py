"""Boxes to check that are seen on every ground, in light and in dark, selected or not."""

from __future__ import annotations

from PySide6.QtCore import QAbstractItemModel, QEvent, QModelIndex, QPersistentModelIndex, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from mailnod_desktop.theme import get_theme

__all__ = ["CheckDelegate"]

_SIDE = 14
_MARGIN = 8
_GAP = 7


class CheckDelegate(QStyledItemDelegate):
    """Draws the box of a cell, and toggles it where a person clicks on it.

    A box that nobody may switch is flat and pale; it shows what is so.
    """

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw the ground as every cell has it, the box, and the text beside it."""
        state = index.data(Qt.ItemDataRole.CheckStateRole)
        if state is None:
            super().paint(painter, option, index)
            return
        self.initStyleOption(option, index)
        text, option.text = option.text, ""
        option.features &= ~QStyleOptionViewItem.ViewItemFeature.HasCheckIndicator
        style = option.widget.style() if option.widget else QApplication.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        may_switch = bool(index.flags() & Qt.ItemFlag.ItemIsUserCheckable)
        area = _get_box(option.rect)
        painter.save()
        _draw_box(painter, area, Qt.CheckState(state) is Qt.CheckState.Checked, may_switch)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        active = bool(option.state & QStyle.StateFlag.State_Active)
        role = option.palette.ColorRole.HighlightedText if selected else option.palette.ColorRole.Text
        group = option.palette.ColorGroup.Active if active else option.palette.ColorGroup.Inactive
        painter.setPen(option.palette.color(group, role))
        painter.setFont(option.font)
        rest = option.rect.adjusted(area.right() - option.rect.left() + _GAP, 0, -4, 0)
        painter.drawText(rest, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)
        painter.restore()

    def editorEvent(
        self,
        event: QEvent,
        model: QAbstractItemModel,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> bool:
        """Toggle where a person clicks on the box; keys belong to the table."""
        if not isinstance(event, QMouseEvent) or event.button() is not Qt.MouseButton.LeftButton:
            return False
        if not _get_box(option.rect).adjusted(-5, -5, 5, 5).contains(event.position().toPoint()):
            return False
        may_switch = bool(model.flags(index) & Qt.ItemFlag.ItemIsUserCheckable)
        if event.type() is QEvent.Type.MouseButtonRelease and may_switch:
            checked = Qt.CheckState(index.data(Qt.ItemDataRole.CheckStateRole)) is Qt.CheckState.Checked
            toggled = Qt.CheckState.Unchecked if checked else Qt.CheckState.Checked
            return model.setData(index, toggled, Qt.ItemDataRole.CheckStateRole)
        # A double click on a box is two clicks, and chooses nothing.
        return event.type() is QEvent.Type.MouseButtonDblClick


def _get_box(cell: QRect) -> QRect:
    return QRect(cell.left() + _MARGIN, cell.center().y() - _SIDE // 2 + 1, _SIDE, _SIDE)


def _draw_box(painter: QPainter, area: QRect, checked: bool, may_switch: bool) -> None:
    theme = get_theme()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    box = QRectF(area).adjusted(0.5, 0.5, -0.5, -0.5)
    if not may_switch:
        painter.setPen(QPen(QColor(theme.muted), 1, Qt.PenStyle.DotLine))
        painter.setBrush(QColor(theme.panel))
    elif checked:
        painter.setPen(QPen(QColor(theme.on_accent), 1))
        painter.setBrush(QColor(theme.accent))
    else:
        painter.setPen(QPen(QColor(theme.muted), 1.4))
        painter.setBrush(QColor(theme.base))
    painter.drawRoundedRect(box, 3, 3)
    if checked:
        colour = QColor(theme.on_accent if may_switch else theme.muted)
        painter.setPen(QPen(colour, 2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
        left, top = box.left(), box.top()
        mark = [QPointF(left + 3.2, top + 6.8), QPointF(left + 5.7, top + 9.3), QPointF(left + 10, top + 4)]
        painter.drawPolyline(QPolygonF(mark))
