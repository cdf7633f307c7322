"""The list of mails itself: J and K go down and up, and Delete takes mails off it."""

from __future__ import annotations

from PySide6.QtCore import QItemSelection, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QListView, QWidget

from mailnod_desktop.models.messages import MessagesModel
from mailnod_desktop.views.message_delegate import MessageDelegate

__all__ = ["MessageList"]


class MessageList(QListView):
    """Shows a model of mails, one chosen among them."""

    #: The selected mails are to be taken off.
    delete_pressed = Signal()

    def __init__(self, model: MessagesModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("message-list")
        self.setAccessibleName(self.tr("Mails"))
        self.setModel(model)
        self.setItemDelegate(MessageDelegate(self))
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Take the keys of mail programs besides those of Qt."""
        steps = {Qt.Key.Key_J: Qt.Key.Key_Down, Qt.Key.Key_K: Qt.Key.Key_Up}
        plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
        if plain and event.key() in steps:
            super().keyPressEvent(QKeyEvent(event.type(), steps[Qt.Key(event.key())], event.modifiers()))
        elif plain and event.key() == Qt.Key.Key_Delete:
            self.delete_pressed.emit()
        else:
            super().keyPressEvent(event)

    def selectionChanged(self, selected: QItemSelection, deselected: QItemSelection) -> None:
        """Draw the whole rows that changed, with the bar at their edge."""
        super().selectionChanged(selected, deselected)
        self.viewport().update()
