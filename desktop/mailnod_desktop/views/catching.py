"""The SMTP catcher as the window has it: mails come by a queued signal, and trouble as words."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from mailnod_desktop.services.catcher import Catcher, CatcherError
from mailnod_desktop.services.model import CATCHER_PORT

__all__ = ["CatcherBridge"]


class CatcherBridge(QObject):
    """Starts and stops the catcher."""

    #: A :class:`~mailnod_desktop.services.model.Mail`; emitted in the catcher's thread, delivered in the receiver's.
    caught = Signal(object)
    #: The port that it listens at; None where it does not.
    changed = Signal(object)
    #: Why it cannot listen, and what to do.
    problem = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._catcher = Catcher(self.caught.emit)
        self.port: int | None = None

    def start(self, port: int = CATCHER_PORT) -> None:
        """Listen at a port of the loopback interface; 0 takes a free one."""
        if self.port is not None:
            return
        try:
            self.port = self._catcher.start(port)
        except CatcherError as error:
            self.problem.emit(str(error))
        self.changed.emit(self.port)

    def stop(self) -> None:
        """Listen no more."""
        if self.port is None:
            return
        self._catcher.stop()
        self.port = None
        self.changed.emit(None)
