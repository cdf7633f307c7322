"""Cards with one number each, and what it is of."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QAbstractButton, QGridLayout, QSizePolicy, QStyle, QStyleOptionButton, QWidget

from mailnod_desktop.theme import get_theme

__all__ = ["Card", "CardRow"]

_PADDING = 12
_WIDTH = 178


class Card(QAbstractButton):
    """One number with a title above and what it is of below; a click asks for the events behind it.

    :param colour: a field of the theme, for the line at its left.
    """

    def __init__(self, name: str, title: str, colour: str, tooltip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setText(title)
        self.setToolTip(tooltip)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._colour = colour
        self._value = "-"
        self._lines: tuple[str, ...] = ()

    @property
    def value(self) -> str:
        """The number that is shown."""
        return self._value

    @property
    def lines(self) -> tuple[str, ...]:
        """What it is of."""
        return self._lines

    def set_value(self, value: str, *lines: str) -> None:
        """Show another number.

        :param lines: what it is of.
        """
        self._value, self._lines = value, lines
        self.setAccessibleName(f"{self.text()}: {value}")
        self.setAccessibleDescription(". ".join(lines))
        self.update()

    def sizeHint(self) -> QSize:
        """Leave room for a title, a number and two lines."""
        return QSize(_WIDTH, 2 * _PADDING + 3 * self.fontMetrics().height() + self._get_large().height() + 6)

    def minimumSizeHint(self) -> QSize:
        """Do not stand in the way of a narrow window."""
        return QSize(120, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the card."""
        painter, theme = QPainter(self), get_theme()
        painter.setClipRegion(event.region())
        option = QStyleOptionButton()
        option.initFrom(self)
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver) or self.hasFocus()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(theme.accent if hovered else theme.border), 1))
        painter.setBrush(QColor(theme.panel if not self.isDown() else theme.selected))
        painter.drawRoundedRect(self.rect().adjusted(0, 0, -1, -1), 7, 7)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(getattr(theme, self._colour)))
        painter.drawRoundedRect(QRect(1, 9, 3, self.height() - 18), 1.5, 1.5)
        line = self.fontMetrics().height()
        area = self.rect().adjusted(_PADDING + 2, _PADDING - 2, -_PADDING, -_PADDING)
        self._draw(painter, QRect(area.left(), area.top(), area.width(), line), self.text(), theme.muted)
        font = painter.font()
        painter.setFont(self._make_font())
        height = self._get_large().height()
        self._draw(painter, QRect(area.left(), area.top() + line + 2, area.width(), height), self._value, theme.text)
        painter.setFont(font)
        for place, text in enumerate(self._lines):
            top = area.top() + line + 4 + height + place * line
            self._draw(painter, QRect(area.left(), top, area.width(), line), text, theme.muted)
        painter.end()

    def _draw(self, painter: QPainter, area: QRect, text: str, colour: str) -> None:
        painter.setPen(QColor(colour))
        shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, area.width())
        painter.drawText(area, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, shown)

    def _make_font(self) -> QFont:
        font = self.font()
        font.setPointSizeF(font.pointSizeF() * 1.75)
        font.setWeight(QFont.Weight.DemiBold)
        return font

    def _get_large(self) -> QFontMetrics:
        return QFontMetrics(self._make_font())


class CardRow(QWidget):
    """Cards side by side, in as many lines as the width asks for."""

    def __init__(self, cards: Sequence[Card], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cards = tuple(cards)
        self._columns = 0
        self._layout = QGridLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(8)
        self._arrange(len(self._cards))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the cards in lines."""
        super().resizeEvent(event)
        fitting = max(1, min(len(self._cards), self.width() // _WIDTH))
        lines = -(-len(self._cards) // fitting)
        self._arrange(-(-len(self._cards) // lines))

    def minimumSizeHint(self) -> QSize:
        """Be as narrow as one card."""
        return QSize(_WIDTH, super().minimumSizeHint().height())

    def _arrange(self, columns: int) -> None:
        if columns == self._columns:
            return
        self._columns = columns
        for place, card in enumerate(self._cards):
            self._layout.addWidget(card, place // columns, place % columns)
        for column in range(len(self._cards)):
            self._layout.setColumnStretch(column, int(column < columns))
