"""Buttons, fields and labels that follow the theme while the window is open, and how views are laid out of them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QLineEdit, QPushButton, QToolButton, QVBoxLayout, QWidget

from mailnod_desktop.theme import get_theme, icon

__all__ = ["ChoiceBox", "FilterBox", "IconButton", "IconTool", "WarningLabel", "lay_out_below_bar", "make_label"]


class ChoiceBox(QComboBox):
    """A list to choose from, which the wheel does not change in passing, and which no long entry makes wider."""

    def __init__(self, name: str, *, chars: int) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(chars)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to what this stands in."""
        event.ignore()


class IconButton(QPushButton):
    """A button with a picture.

    :param picture: as :func:`~mailnod_desktop.theme.icon` takes it.
    """

    def __init__(self, picture: str, text: str) -> None:
        super().__init__(icon(picture), text)
        self._picture = picture

    def changeEvent(self, event: QEvent) -> None:
        """Draw the picture in the colours of another theme."""
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange and hasattr(self, "_picture"):
            self.setIcon(icon(self._picture))


class IconTool(QToolButton):
    """A flat button that is a picture alone, with its name for who hears it.

    :param keys: what does the same, for the tooltip.
    """

    def __init__(self, picture: str, name: str, *keys: str) -> None:
        super().__init__()
        self._picture = picture
        self.setIcon(icon(picture))
        self.setAutoRaise(True)
        self.setAccessibleName(name)
        self.setToolTip(f"{name} ({', '.join(keys)})" if keys else name)

    def changeEvent(self, event: QEvent) -> None:
        """Draw the picture in the colours of another theme."""
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange and hasattr(self, "_picture"):
            self.setIcon(icon(self._picture))


class FilterBox(QLineEdit):
    """A field for words to look for."""

    def __init__(self, name: str, placeholder: str, *, picture: str = "filter-variant", width: int = 320) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setPlaceholderText(placeholder)
        self.setClearButtonEnabled(True)
        self.setMaximumWidth(width)
        self._picture = picture
        self._sign = self.addAction(icon(picture, get_theme().muted), QLineEdit.ActionPosition.LeadingPosition)

    def changeEvent(self, event: QEvent) -> None:
        """Draw the picture in the colours of another theme."""
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange and hasattr(self, "_sign"):
            self._sign.setIcon(icon(self._picture, get_theme().muted))


class WarningLabel(QLabel):
    """Says what is wrong, in the colour for that; it is there only where something is."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self._paint()
        self.hide()

    def show_text(self, text: str) -> None:
        """Say what is wrong; "" hides the label."""
        self.setText(text)
        self.setVisible(bool(text))

    def changeEvent(self, event: QEvent) -> None:
        """Take the colour of another theme."""
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange:
            self._paint()

    def _paint(self) -> None:
        sheet = f"color: {get_theme().bad}; font-weight: 600"
        # To set it is a change of the palette too.
        if sheet != self.styleSheet():
            self.setStyleSheet(sheet)


def make_label(text: str = "", *, muted: bool = False, heading: bool = False, wrap: bool = False) -> QLabel:
    """Return a label that shows text as it is, whatever stands in it."""
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setText(text)
    label.setWordWrap(wrap)
    label.setProperty("muted", muted)
    label.setProperty("heading", heading)
    return label


def lay_out_below_bar(
    view: QWidget, content: QWidget, *, wide: Sequence[QWidget], narrow: Sequence[QWidget] = ()
) -> None:
    """Lay a view out as what it shows, below a bar.

    :param wide: what stands first in the bar, and shares its room.
    :param narrow: what stands behind that, as wide as it needs.
    """
    bar = QHBoxLayout()
    bar.setContentsMargins(8, 5, 8, 5)
    bar.setSpacing(8)
    for widget in wide:
        bar.addWidget(widget, 1)
    for widget in narrow:
        bar.addWidget(widget)
    layout = QVBoxLayout(view)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(0)
    layout.addLayout(bar)
    layout.addWidget(content)
