"""What can be done with a mail of the list."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QAction, QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from mailnod_desktop.services.model import Mail
from mailnod_desktop.services.saving import find_message_id, suggest_name
from mailnod_desktop.theme import icon

__all__ = ["MessageMenu"]


class MessageMenu(QMenu):
    """The menu of one mail."""

    #: The mail is to be written into a file, whose path this is.
    save_requested = Signal(object)
    #: The mail is to be shown as one that nobody has looked at.
    unread_requested = Signal()
    #: The selected mails are to be taken off the list.
    remove_requested = Signal()

    def __init__(self, mail: Mail, parent: QWidget) -> None:
        super().__init__(parent)
        self._mail = mail
        self._message_id = find_message_id(mail)
        # Keys of files name them.
        self._path = Path(mail.key.removeprefix("file:")) if mail.key.startswith("file:") else None
        self._add("content-copy", self.tr("Copy Message-ID"), self._copy).setEnabled(bool(self._message_id))
        self._add("content-save-outline", self.tr("Save as a file…"), self._save).setEnabled(bool(mail.data))
        self._add("folder-outline", self.tr("Show in folder"), self._reveal).setEnabled(self._path is not None)
        self._add("email-outline", self.tr("Mark as unread"), self.unread_requested.emit)
        self.addSeparator()
        remove = self._add("close", self.tr("Remove from the list"), self.remove_requested.emit)
        remove.setShortcut(Qt.Key.Key_Delete)

    def _add(self, picture: str, text: str, run: Callable[[], None]) -> QAction:
        action = self.addAction(icon(picture), text)
        action.triggered.connect(lambda _=False: run())
        return action

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._message_id)

    def _reveal(self) -> None:
        if self._path is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._path.parent)))

    def _save(self) -> None:
        kind = self.tr("HTML (*.html)") if self._mail.form == "html" else self.tr("Mails (*.eml)")
        dialog = QFileDialog(self.parentWidget(), self.tr("Save mail"), suggest_name(self._mail), kind)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("html" if self._mail.form == "html" else "eml")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda path: self.save_requested.emit(Path(path)))
        dialog.open()
