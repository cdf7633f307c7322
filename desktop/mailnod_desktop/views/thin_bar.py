"""A thin line that says how far something is."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QProgressBar

from mailnod_desktop.theme import get_theme

__all__ = ["ThinBar"]

_HEIGHT = 6


class ThinBar(QProgressBar):
    """A bar without text; the sentence beside it says the numbers."""

    def __init__(self, name: str, accessible_name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setAccessibleName(accessible_name)
        self.setTextVisible(False)
        self.setFixedHeight(_HEIGHT)
        self.show_part(0, 1)

    def show_part(self, done: int, total: int) -> None:
        """Show how much of something is done; a total of 0 means that nobody knows how much there is."""
        self.setRange(0, total)
        self.setValue(min(done, total))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it in the theme's colours."""
        painter, theme = QPainter(self), get_theme()
        painter.setClipRegion(event.region())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.border))
        painter.drawRoundedRect(QRectF(self.rect()), _HEIGHT / 2, _HEIGHT / 2)
        painter.setBrush(QColor(theme.accent))
        if self.maximum():
            done = QRectF(0, 0, self.width() * self.value() / self.maximum(), _HEIGHT)
        else:
            done = QRectF(self.width() * 0.4, 0, self.width() * 0.2, _HEIGHT)
        painter.drawRoundedRect(done, _HEIGHT / 2, _HEIGHT / 2)
        painter.end()
