"""What is looked for in the list of mails: words, in bodies too, and one source of several."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QToolButton, QVBoxLayout, QWidget

from mailnod_desktop.models.messages import Source
from mailnod_desktop.theme import get_theme, icon

__all__ = ["MessageSearch"]

#: How long nobody types before the search begins.
_PAUSE_MS = 140


class MessageSearch(QWidget):
    """Takes words and a source."""

    #: Something else is looked for from now on.
    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(_PAUSE_MS)
        self._typing.timeout.connect(self.changed)
        self._words = QLineEdit()
        self._words.setObjectName("message-search")
        self._words.setPlaceholderText(self.tr("Search subject and people"))
        self._words.setAccessibleName(self.tr("Search mails"))
        self._words.setClearButtonEnabled(True)
        self._words.textChanged.connect(self._typing.start)
        self._words.returnPressed.connect(self._search_now)
        self._magnifier = self._words.addAction(icon("magnify"), QLineEdit.ActionPosition.LeadingPosition)
        self._bodies = QToolButton()
        self._bodies.setObjectName("search-bodies")
        self._bodies.setCheckable(True)
        self._bodies.setAutoRaise(True)
        self._bodies.setToolTip(self.tr("Search in the bodies too"))
        self._bodies.setAccessibleName(self.tr("Search in the bodies too"))
        self._bodies.toggled.connect(self._search_now)
        self._sources = QComboBox()
        self._sources.setObjectName("message-sources")
        self._sources.setAccessibleName(self.tr("Source"))
        self._sources.setToolTip(self.tr("Show mails of one source"))
        self._sources.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._sources.currentIndexChanged.connect(self._search_now)
        self._lay_out()
        self.redraw()

    @property
    def words(self) -> tuple[str, ...]:
        """What is looked for, casefolded."""
        return tuple(self._words.text().casefold().split())

    @property
    def source(self) -> Source | None:
        """Where mails are to come from; None means anywhere."""
        source: Source | None = self._sources.currentData()
        return source

    @property
    def in_bodies(self) -> bool:
        """Whether bodies are looked at too."""
        return self._bodies.isChecked()

    def set_sources(self, sources: Iterable[tuple[str, Source]]) -> None:
        """Offer sources by their names, and keep the chosen one."""
        chosen = self.source
        self._sources.blockSignals(True)
        self._sources.clear()
        self._sources.addItem(self.tr("All sources"), None)
        for name, source in sources:
            self._sources.addItem(name, source)
            if source == chosen:
                self._sources.setCurrentIndex(self._sources.count() - 1)
        self._sources.blockSignals(False)
        # There is nothing to choose between one source and all.
        self._sources.setVisible(self._sources.count() > 2)
        if self.source != chosen:
            self._search_now()

    def clear(self) -> None:
        """Look for nothing."""
        self._words.clear()
        self._sources.setCurrentIndex(0)
        self._search_now()

    def focus_words(self) -> None:
        """Let the person type."""
        self._words.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self._words.selectAll()

    def redraw(self) -> None:
        """Draw the pictures in the theme of now."""
        theme = get_theme()
        self._magnifier.setIcon(icon("magnify", theme.muted))
        self._bodies.setIcon(icon("text-search", theme.text))

    def _search_now(self) -> None:
        self._typing.stop()
        self.changed.emit()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self._words, 1)
        row.addWidget(self._bodies)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(6)
        column.addLayout(row)
        column.addWidget(self._sources)
