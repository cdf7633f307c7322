"""The classes by name, colour and hatching; a click switches one off in the timeline and in the table."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QIcon, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QLayout, QLayoutItem, QToolButton, QWidget

from mailnod.model import Classification
from mailnod_desktop.models.event_cells import describe_class
from mailnod_desktop.services.event_reader import CLASSES
from mailnod_desktop.theme import get_theme

__all__ = ["EventsLegend"]

_SWATCH = 11
#: All of them are on nearly always, so that being on is no news.
_STYLE = """
QToolButton { padding: 1px 0; font-size: 8pt; }
QToolButton:checked:!focus { background: transparent; border: 1px solid transparent; }
"""


class EventsLegend(QWidget):
    """A switch for each class."""

    #: The classes that are switched off.
    hidden_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("events-legend")
        self.setAccessibleName(self.tr("Classes"))
        layout = _Flow(self)
        self._buttons: dict[Classification, QToolButton] = {}
        for one in CLASSES:
            button = QToolButton(self)
            button.setObjectName(f"events-class-{one.value}")
            button.setText(f" {one.value}")
            button.setCheckable(True)
            button.setChecked(True)
            button.setAutoRaise(True)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.setIconSize(QSize(_SWATCH, _SWATCH))
            button.setAccessibleName(self.tr("Show {name}").format(name=one.value))
            who = self.tr("By machines: hatched.") if one.machine else self.tr("By people: plain.")
            button.setToolTip(f"{describe_class(one)}\n{who}")
            button.setStyleSheet(_STYLE)
            button.toggled.connect(partial(self._toggle, one))
            layout.addWidget(button)
            self._buttons[one] = button
        self.apply_theme()

    def get_hidden(self) -> frozenset[Classification]:
        """Return the classes that are switched off."""
        return frozenset(one for one, button in self._buttons.items() if not button.isChecked())

    def show_all(self) -> None:
        """Switch every class on."""
        for button in self._buttons.values():
            button.setChecked(True)

    def apply_theme(self) -> None:
        """Take the colours of the present theme."""
        for one, button in self._buttons.items():
            self._draw(one, button)

    def _toggle(self, one: Classification, _: bool) -> None:
        self._draw(one, self._buttons[one])
        self.hidden_changed.emit(self.get_hidden())

    def _draw(self, one: Classification, button: QToolButton) -> None:
        theme = get_theme()
        shown = button.isChecked()
        font = button.font()
        font.setStrikeOut(not shown)
        button.setFont(font)
        ratio = self.devicePixelRatioF()
        pixmap = QPixmap(round(_SWATCH * ratio), round(_SWATCH * ratio))
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        colour = QColor(theme.classes[one])
        area = QRect(0, 0, _SWATCH - 1, _SWATCH - 1)
        painter.setPen(QPen(colour, 1))
        painter.setBrush(QBrush(colour) if shown else Qt.BrushStyle.NoBrush)
        painter.drawRect(area)
        if one.machine and shown:
            hatch = QColor(theme.base)
            hatch.setAlpha(150)
            painter.fillRect(area, QBrush(hatch, Qt.BrushStyle.BDiagPattern))
        painter.end()
        button.setIcon(QIcon(pixmap))


class _Flow(QLayout):
    """Lays widgets out in lines, as many in each as fit."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._items: list[QLayoutItem] = []
        self.setContentsMargins(0, 0, 0, 0)
        self.setSpacing(1)

    def addItem(self, item: QLayoutItem) -> None:
        """Add one more."""
        self._items.append(item)

    def count(self) -> int:
        """Return how many there are."""
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        """Return one of them; None where there is none."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        """Take one of them out; None where there is none."""
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def hasHeightForWidth(self) -> bool:
        """Say that narrow is high."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height of all lines."""
        return self._place(QRect(0, 0, width, 0), apply=False)

    def setGeometry(self, rect: QRect) -> None:
        """Lay all of it out."""
        super().setGeometry(rect)
        self._place(rect, apply=True)

    def sizeHint(self) -> QSize:
        """Return the size of one line."""
        sizes = [item.sizeHint() for item in self._items]
        return QSize(sum(size.width() for size in sizes), max((size.height() for size in sizes), default=0))

    def minimumSize(self) -> QSize:
        """Return the size of the largest."""
        sizes = [item.minimumSize() for item in self._items]
        width = max((size.width() for size in sizes), default=0)
        return QSize(width, max((size.height() for size in sizes), default=0))

    def _place(self, rect: QRect, *, apply: bool) -> int:
        x, y, line = rect.left(), rect.top(), 0
        for item in self._items:
            size = item.sizeHint()
            if x + size.width() > rect.right() + 1 and line:
                x, y, line = rect.left(), y + line + self.spacing(), 0
            if apply:
                item.setGeometry(QRect(QPoint(x, y), size))
            x += size.width() + self.spacing()
            line = max(line, size.height())
        return y + line - rect.top()
