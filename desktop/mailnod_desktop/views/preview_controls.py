"""The switches above the preview."""

from __future__ import annotations

from typing import get_args

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup, QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QToolButton, QWidget

from mailnod_desktop.theme import get_theme, icon
from mailnod_desktop.views.preview_blocked import BlockedButton
from mailnod_desktop.views.preview_surface import DarkMode

__all__ = ["PHONE_WIDTH", "TABLET_WIDTH", "PreviewControls"]

TABLET_WIDTH = 768
PHONE_WIDTH = 375


class PreviewControls(QFrame):
    """Which client and which screen the panes stand for; the view does what the switches say."""

    #: Pixels, or None for a desktop.
    width_chosen = Signal(object)
    images_toggled = Signal(bool)
    #: "off", "invert" or "author".
    dark_chosen = Signal(str)
    linked_toggled = Signal(bool)
    marks_toggled = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("previewControls")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 4)
        layout.setSpacing(3)
        self._widths: dict[int | None, QToolButton] = {}
        self._icons: dict[QToolButton, str] = {}
        for pixels, name, text in (
            (None, "monitor", self.tr("Desktop")),
            (TABLET_WIDTH, "tablet", self.tr("Tablet, 768 pixels wide")),
            (PHONE_WIDTH, "cellphone", self.tr("Phone, 375 pixels wide")),
        ):
            button = self._make_button(name, text)
            button.setCheckable(True)
            button.clicked.connect(lambda _checked=False, pixels=pixels: self.width_chosen.emit(pixels))
            self._widths[pixels] = button
            layout.addWidget(button)
        self._widths[None].setChecked(True)
        layout.addSpacing(8)
        self._images = self._make_button("image-off-outline", self.tr("Images off, as before a reader lets them in"))
        self._images.setCheckable(True)
        self._images.clicked.connect(lambda off: self.images_toggled.emit(not off))
        self._dark = self._make_button("weather-night", self.tr("Dark mode"))
        self._dark.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._dark_actions = self._make_dark_menu(self._dark)
        self._marks = self._make_button("link-variant", self.tr("Outline links, and show the pixel"))
        self._marks.setCheckable(True)
        self._marks.clicked.connect(self.marks_toggled)
        self._linked = self._make_button("sync", self.tr("Scroll together"))
        self._linked.setCheckable(True)
        self._linked.setChecked(True)
        self._linked.clicked.connect(self.linked_toggled)
        for button in (self._images, self._dark, self._marks, self._linked):
            layout.addWidget(button)
        layout.addStretch(1)
        self.blocked = BlockedButton(self)
        layout.addWidget(self.blocked)

    def set_drawing(self, on: bool) -> None:
        """Enable the switches, or disable them where nothing is drawn."""
        for button in (*self._widths.values(), self._images, self._dark, self._marks, self._linked, self.blocked):
            button.setEnabled(on)

    def show_width(self, pixels: int | None) -> None:
        """Check the button of a width; none is checked for one that has no button."""
        button = self._widths.get(pixels)
        for each in self._widths.values():
            each.setChecked(each is button)

    def show_images(self, on: bool) -> None:
        """Say whether images are shown."""
        self._images.setChecked(not on)

    def show_dark(self, mode: DarkMode) -> None:
        """Say which dark mode is on."""
        self._dark_actions[mode].setChecked(True)
        # A button with a menu does not stay checked by itself.
        self._dark.setCheckable(mode != "off")
        self._dark.setChecked(mode != "off")
        self._dark.setAccessibleName(self.tr("Dark mode: {name}").format(name=self._dark_actions[mode].text()))

    def show_linked(self, on: bool) -> None:
        """Say whether the panes scroll together."""
        self._linked.setChecked(on)

    def show_marks(self, on: bool) -> None:
        """Say whether links are outlined."""
        self._marks.setChecked(on)

    def changeEvent(self, event: QEvent) -> None:
        """Draw the icons in the colours of another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            for button, name in self._icons.items():
                button.setIcon(icon(name))
            self.blocked.draw_icon()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the line below the switches."""
        super().paintEvent(event)
        painter = QPainter(self)
        painter.fillRect(0, self.height() - 1, self.width(), 1, QColor(get_theme().border))

    def _make_button(self, name: str, text: str) -> QToolButton:
        button = QToolButton(self)
        self._icons[button] = name
        button.setIcon(icon(name))
        button.setIconSize(QSize(17, 17))
        button.setToolTip(text)
        button.setAccessibleName(text)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def _make_dark_menu(self, button: QToolButton) -> dict[str, QAction]:
        menu, group = QMenu(button), QActionGroup(button)
        texts = {
            "off": self.tr("Light"),
            "invert": self.tr("Dark, clients that invert (Gmail app, Outlook)"),
            "author": self.tr("Dark, clients that ask the mail's styles (Apple Mail)"),
        }
        actions = {}
        for mode in get_args(DarkMode):
            action = menu.addAction(texts[mode])
            action.setCheckable(True)
            action.setActionGroup(group)
            action.triggered.connect(lambda _checked=False, mode=mode: self.dark_chosen.emit(mode))
            actions[mode] = action
        actions["off"].setChecked(True)
        button.setMenu(menu)
        return actions
