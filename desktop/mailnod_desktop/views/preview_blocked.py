"""A button that counts what a mail was kept from loading, with the list behind it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QToolButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from mailnod_desktop.models.plain import make_tooltip
from mailnod_desktop.theme import icon, make_mono_font
from mailnod_desktop.web.rules import Blocked

__all__ = ["BlockedButton", "merge_blocked"]

_PANEL_WIDTH, _PANEL_HEIGHT = 780, 320
_ROW_HEIGHT = 26


def merge_blocked(blocked: Sequence[Blocked]) -> list[Blocked]:
    """List each URL and kind once, with the pane that asked for it, or "both"."""
    merged: dict[tuple[str, str], Blocked] = {}
    for each in blocked:
        known = merged.get((each.kind, each.url))
        pages = each.page if known is None or known.page == each.page else "both"
        merged[each.kind, each.url] = Blocked(kind=each.kind, url=each.url, reason=each.reason, page=pages)
    return list(merged.values())


class BlockedButton(QToolButton):
    """Says how many things were blocked; a click lists them, and lets remote images in for this mail."""

    #: Whether remote images are to be loaded for the mail that is shown.
    allow_toggled = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("blockedButton")
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._blocked: list[Blocked] = []
        self._allowed = False
        self._panel: _Panel | None = None
        self.clicked.connect(self.open_panel)
        self.set_state([], allowed=False)

    def set_state(self, blocked: Sequence[Blocked], *, allowed: bool) -> None:
        """Show what was blocked, and whether remote images are allowed.

        :param blocked: each once.
        """
        self._blocked, self._allowed = list(blocked), allowed
        count = len(self._blocked)
        self.draw_icon()
        text = self.tr("{count} blocked").format(count=count) if count else self.tr("Nothing blocked")
        if allowed:
            text += self.tr(", images allowed")
        self.setText(text)
        self.setToolTip(self.tr("What this mail tried to load and did not get"))
        self.setAccessibleName(text)
        if self._panel is not None:
            self._panel.fill(self._blocked, allowed=allowed)

    def draw_icon(self) -> None:
        """Draw the icon in the theme's colours."""
        self.setIcon(icon("shield-alert-outline" if self._allowed else "shield-check-outline"))

    def open_panel(self) -> None:
        """List what was blocked, below the button."""
        if self._panel is None:
            self._panel = _Panel(self)
            self._panel.allow_toggled.connect(self.allow_toggled)
        self._panel.fill(self._blocked, allowed=self._allowed)
        corner = self.mapToGlobal(QPoint(self.width(), self.height() + 2))
        left = corner.x() - self._panel.width()
        screen = self.screen().availableGeometry()
        self._panel.move(max(screen.left(), min(left, screen.right() - self._panel.width())), corner.y())
        self._panel.show()


class _Panel(QFrame):
    allow_toggled = Signal(bool)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("blockedPanel")
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.resize(_PANEL_WIDTH, _PANEL_HEIGHT)
        self._allowed = False
        self._title = QLabel(self)
        self._title.setProperty("heading", True)
        self._words = QLabel(self)
        self._words.setProperty("muted", True)
        self._words.setWordWrap(True)
        self._list = QTreeWidget(self)
        self._list.setAccessibleName(self.tr("What was blocked"))
        self._list.setHeaderLabels([self.tr("Kind"), self.tr("Address"), self.tr("Why"), self.tr("Pane")])
        self._list.setRootIsDecorated(False)
        self._list.setUniformRowHeights(True)
        self._list.setAlternatingRowColors(True)
        self._list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        header = self._list.header()
        header.setStretchLastSection(False)
        header.resizeSection(0, 92)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        header.resizeSection(2, 300)
        header.resizeSection(3, 88)
        self._copy = QPushButton(icon("content-copy"), self.tr("Copy addresses"), self)
        self._copy.clicked.connect(self._copy_addresses)
        QShortcut(QKeySequence.StandardKey.Copy, self._list, self._copy_addresses)
        self._allow = QPushButton(self)
        self._allow.setObjectName("allowImages")
        self._allow.clicked.connect(self._toggle)
        buttons = QHBoxLayout()
        buttons.addWidget(self._copy)
        buttons.addStretch(1)
        buttons.addWidget(self._allow)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 12, 10)
        layout.setSpacing(7)
        for widget in (self._title, self._words, self._list):
            layout.addWidget(widget)
        layout.setStretch(2, 1)
        layout.addLayout(buttons)

    def fill(self, blocked: Sequence[Blocked], *, allowed: bool) -> None:
        """Show a list."""
        self._allowed = allowed
        self._title.setText(
            self.tr("{count} not loaded").format(count=len(blocked)) if blocked else self.tr("Nothing was blocked")
        )
        self._words.setText(
            self.tr("Remote images, style sheets and fonts are loaded for this mail. Tracking pixels never are.")
            if allowed
            else self.tr("A preview makes no connection. You may load the images of this mail; pixels never are.")
        )
        self._allow.setText(self.tr("Block again") if allowed else self.tr("Allow for this mail"))
        self._copy.setEnabled(bool(blocked))
        self._list.clear()
        for each in blocked:
            item = QTreeWidgetItem([each.kind, each.url, each.reason, each.page])
            item.setFont(1, make_mono_font(8.5))
            item.setSizeHint(0, QSize(0, _ROW_HEIGHT))
            for column, text in ((1, each.url), (2, each.reason), (3, each.page)):
                item.setToolTip(column, make_tooltip(text))
            self._list.addTopLevelItem(item)

    def _toggle(self) -> None:
        self.hide()
        self.allow_toggled.emit(not self._allowed)

    def _copy_addresses(self) -> None:
        items = self._list.selectedItems() or [
            item for row in range(self._list.topLevelItemCount()) if (item := self._list.topLevelItem(row)) is not None
        ]
        QGuiApplication.clipboard().setText("\n".join(item.text(1) for item in items))
