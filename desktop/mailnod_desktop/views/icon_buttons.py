"""Buttons whose icons follow the theme."""

from __future__ import annotations

from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QPushButton, QToolButton

from mailnod_desktop.theme import icon

__all__ = ["IconPushButton", "IconToolButton"]


class IconToolButton(QToolButton):
    """An icon alone.

    :param text: what it does; it is said in the tooltip.
    :param icon_name: as :func:`mailnod_desktop.theme.icon` takes it.
    """

    def __init__(self, name: str, text: str, icon_name: str) -> None:
        super().__init__()
        self._icon_name = icon_name
        self.setObjectName(name)
        self.setAccessibleName(text)
        self.setToolTip(text)
        self.setIcon(icon(icon_name))

    def changeEvent(self, event: QEvent) -> None:
        """Draw the icon in the colours of another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and not self.icon().isNull():
            self.setIcon(icon(self._icon_name))


class IconPushButton(QPushButton):
    """A text with an icon before it.

    :param accessible_name: what it does, where the text does not say it by itself.
    :param icon_name: as :func:`mailnod_desktop.theme.icon` takes it.
    """

    def __init__(self, name: str, text: str, icon_name: str, *, accessible_name: str = "") -> None:
        super().__init__()
        self._icon_name = icon_name
        self.setObjectName(name)
        self.setText(text)
        self.setAccessibleName(accessible_name or text)
        self.setAutoDefault(False)
        self.setIcon(icon(icon_name))

    def changeEvent(self, event: QEvent) -> None:
        """Draw the icon in the colours of another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and not self.icon().isNull():
            self.setIcon(icon(self._icon_name))
