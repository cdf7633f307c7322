"""The status bar: how long rewriting took, and where the catcher, the collector and the database are."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QStatusBar, QToolButton, QWidget

from mailnod_desktop.models.plain import make_tooltip
from mailnod_desktop.theme import get_theme, icon

__all__ = ["StatusBar", "StatusItem"]


class StatusItem(QWidget):
    """A small picture with a few words; a click on it does what is next to be done."""

    def __init__(self, picture: str, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._picture, self._name = picture, name
        self._on = False
        self._button = QToolButton()
        self._button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._button.setAutoRaise(True)
        self._button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.clicked = self._button.clicked
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._button)

    def show_state(self, text: str, *, on: bool, tip: str = "") -> None:
        """Say how something stands.

        :param on: whether it is up, which the picture's colour says besides the words.
        """
        self._on = on
        self._button.setText(text)
        self._button.setAccessibleName(f"{self._name}: {text}")
        self._button.setToolTip(make_tooltip(tip or text))
        self.redraw()

    def redraw(self) -> None:
        """Draw the picture in the theme of now."""
        theme = get_theme()
        self._button.setIcon(icon(self._picture, theme.good if self._on else theme.muted))


class StatusBar(QStatusBar):
    """What goes on at present."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("status")
        self.setSizeGripEnabled(False)
        self._rewriting = QLabel()
        self._rewriting.setAccessibleName(self.tr("Rewriting"))
        self._rewriting.setTextFormat(Qt.TextFormat.PlainText)
        # A long message of an error must not push the window wider.
        self._rewriting.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._rewriting.setMinimumWidth(120)
        self._rewriting.setContentsMargins(8, 0, 0, 0)
        self.addWidget(self._rewriting, 1)
        self.catcher = StatusItem("email-arrow-left-outline", self.tr("SMTP catcher"))
        self.collector = StatusItem("target", self.tr("Collector for simulations"))
        self.database = StatusItem("database-outline", self.tr("Database"))
        for item in (self.catcher, self.collector, self.database):
            self.addPermanentWidget(item)

    def say(self, text: str) -> None:
        """Show what happened last; it stays."""
        self._rewriting.setText(text)
        self._rewriting.setToolTip(make_tooltip(text))

    def redraw(self) -> None:
        """Draw the pictures in the theme of now."""
        for item in (self.catcher, self.collector, self.database):
            item.redraw()
