"""The bar by which a person searches in the source of a mail."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QWidget

from mailnod_desktop.models.diff_lines import Match
from mailnod_desktop.views.controls import FilterBox, IconTool, make_label
from mailnod_desktop.views.diff_canvas import DiffCanvas

__all__ = ["DiffSearch"]


class DiffSearch(QWidget):
    """Goes through the places where a text stands; Return goes on, Shift+Return back, Esc closes."""

    def __init__(self, canvas: DiffCanvas, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._canvas = canvas
        self._matches: list[Match] = []
        self._at = -1
        words = self.tr("Search in the source")
        self._field = FilterBox(words, words, picture="magnify", width=340)
        self._field.setObjectName("diff_search")
        self._count = make_label(muted=True)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 0, 8, 5)
        layout.setSpacing(4)
        layout.addWidget(self._field, 1)
        for name, text, by in (
            ("chevron-up", self.tr("Previous match (Shift+Return)"), -1),
            ("chevron-down", self.tr("Next match (Return)"), 1),
        ):
            button = IconTool(name, text)
            button.clicked.connect(lambda _=False, by=by: self.step(by))
            layout.addWidget(button)
        layout.addWidget(self._count)
        layout.addStretch(1)
        close = IconTool("close", self.tr("Close the search (Esc)"))
        close.clicked.connect(self.close_bar)
        layout.addWidget(close)
        self._field.textChanged.connect(self._search)
        self._field.returnPressed.connect(lambda: self.step(1))
        for key, act in (("Shift+Return", lambda: self.step(-1)), ("Esc", self.close_bar)):
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(act)

    @property
    def field(self) -> QLineEdit:
        """Where a person writes what is searched for."""
        return self._field

    @property
    def count_text(self) -> str:
        """Which match is shown, and how many there are."""
        return self._count.text()

    def open(self) -> None:
        """Show the bar, and let a person write."""
        self.show()
        self._field.setFocus()
        self._field.selectAll()
        self.refresh()

    def close_bar(self) -> None:
        """Hide the bar, and what it marked."""
        self.hide()
        self._canvas.set_matches([])
        self._canvas.setFocus()

    def refresh(self) -> None:
        """Search again, where other lines are shown now."""
        if not self.isHidden():
            self._search(self._field.text(), move=False)

    def step(self, by: int) -> None:
        """Go to the next match, or to the one before."""
        if self._matches:
            self._at = (self._at + by) % len(self._matches)
            self._canvas.go_to_match(self._matches[self._at])
        self._describe()

    def _search(self, text: str, *, move: bool = True) -> None:
        lines = self._canvas.lines
        self._matches = [] if lines is None else lines.search(text)
        self._at = -1
        self._canvas.refresh()
        self._canvas.set_matches(self._matches)
        if move:
            self.step(1)
        self._describe()

    def _describe(self) -> None:
        total = f"{len(self._matches):,}"
        if not self._field.text():
            text = ""
        elif not self._matches:
            text = self.tr("not found")
        elif self._at < 0:
            text = self.tr("{total} found").format(total=total)
        else:
            text = self.tr("{at} of {total}").format(at=f"{self._at + 1:,}", total=total)
        self._count.setText(text)
