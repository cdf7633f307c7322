"""Save what the window shows: the rewritten mail, a part of it, a report, a picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog

from mailnod_desktop.services.model import Inspection, MimeNode
from mailnod_desktop.services.report import Report

if TYPE_CHECKING:
    from mailnod_desktop.views.main_window import MainWindow

__all__ = ["Saver"]


class Saver(QObject):
    """Asks where to save something, and writes it there off the GUI thread; nothing is opened."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window

    def save_mail(self) -> None:
        """Save the rewritten mail."""
        inspection = self._window.session.inspection
        if inspection is not None:
            data = inspection.data
            self._write(self.tr("Save rewritten mail"), "rewritten.eml", lambda: data)

    def save_report(self) -> None:
        """Save a page that says what tracking does to the mail."""
        inspection = self._window.session.inspection
        if inspection is not None:
            self._write(self.tr("Save report"), "report.html", lambda: _make_report(inspection))

    def save_picture(self) -> None:
        """Save a picture of the preview as it is seen."""
        name, _ = QFileDialog.getSaveFileName(self._window, self.tr("Save picture"), "mail.png", "PNG (*.png)")
        if name:
            try:
                self._window.mail.preview.grab_png(Path(name))
            except OSError as error:
                self._window.warn(str(error))

    def save_part(self, part: MimeNode, name: str) -> None:
        """Save a part of the mail.

        :param name: without anything that leads to another folder.
        """
        content = part.content
        self._write(self.tr("Save part"), name, lambda: content)

    def _write(self, title: str, name: str, make: Callable[[], bytes]) -> None:
        chosen, _ = QFileDialog.getSaveFileName(self._window, title, name)
        if chosen:
            self._window.tasks.start(
                f"write {chosen}",
                lambda _: Path(chosen).write_bytes(make()),
                lambda size: self._window.status.say(self.tr("{:,} bytes written to {}").format(size, chosen)),
                lambda error: self._window.warn(self.tr("{} cannot be written: {}").format(chosen, error)),
            )


def _make_report(inspection: Inspection) -> bytes:
    report = Report()
    report.add(inspection)
    return report.finish().encode()
