"""One pane of the preview: a line that says what it is and how large, and the mail below it."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from mailnod_desktop.theme import get_theme
from mailnod_desktop.views.preview_meter import ClipMeter
from mailnod_desktop.views.preview_surface import Surface

__all__ = ["PreviewPane"]


class _Facts(QWidget):
    """Muted words that are shortened where there is little room."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._parts: list[str] = []

    @property
    def text(self) -> str:
        """All of the words."""
        return "  \N{MIDDLE DOT}  ".join(self._parts)

    def set_parts(self, parts: list[str]) -> None:
        """Show facts, the most important first."""
        self._parts = parts
        self.setAccessibleName(self.text)
        self.setToolTip(self.text)
        self.update()

    def sizeHint(self) -> QSize:
        """Ask for what all words need."""
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance(self.text) + 2, metrics.height() + 4)

    def minimumSizeHint(self) -> QSize:
        """Need no room at all."""
        return QSize(0, self.fontMetrics().height() + 4)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw as many words as fit."""
        painter = QPainter(self)
        painter.setPen(QColor(get_theme().muted))
        shown = self.fontMetrics().elidedText(self.text, Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)


class PreviewPane(QFrame):
    """A surface below its header."""

    def __init__(self, name: str, title: str, surface: Surface, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName(title)
        self.surface = surface
        surface.setParent(self)
        header = QWidget(self)
        header.setObjectName("paneHeader")
        self._title = QLabel(title, header)
        self._title.setProperty("heading", True)
        self.facts = _Facts(header)
        self.meter = ClipMeter(header)
        first = QHBoxLayout()
        first.setSpacing(10)
        first.addWidget(self._title)
        first.addWidget(self.facts, 1)
        first.addWidget(self.meter)
        self.notes = _Facts(header)
        inner = QVBoxLayout(header)
        inner.setContentsMargins(12, 6, 12, 6)
        inner.setSpacing(1)
        inner.addLayout(first)
        inner.addWidget(self.notes)
        self.notes.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(header)
        layout.addWidget(surface, 1)
        line = QFrame(header)
        line.setFixedHeight(1)
        self._line = line
        layout.insertWidget(1, line)

    def set_notes(self, notes: list[str], *, keep_line: bool) -> None:
        """Show the second line.

        :param keep_line: leave room for it even where there are no notes, so that both panes stay level.
        """
        self.notes.set_parts(notes)
        self.notes.setVisible(bool(notes) or keep_line)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the ground of the header and the line below it."""
        theme = get_theme()
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.panel))
        painter.fillRect(self._line.geometry(), QColor(theme.border))
        super().paintEvent(event)
