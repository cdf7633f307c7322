"""The title bar of a dock whose tab says its name already."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QWidget

__all__ = ["NoTitle"]


class NoTitle(QWidget):
    """The title bar of a dock that has none."""

    def sizeHint(self) -> QSize:
        """Take no room; an invalid size, as an empty widget has, would count as a negative one."""
        return QSize(0, 0)

    def minimumSizeHint(self) -> QSize:
        """Take no room."""
        return QSize(0, 0)
