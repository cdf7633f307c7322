"""What is open at present: the chosen mail, how it is to be rewritten, and what came of it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from mailnod_desktop.services.model import Inspection, Mail, Parsed, Wishes
from mailnod_desktop.services.parsing import parse
from mailnod_desktop.services.rewriting import Rewriter
from mailnod_desktop.tasks import Tasks

__all__ = ["Session"]

#: So many mails stay taken apart, which is what takes long of a large one.
_KEPT = 8


class Session(QObject):
    """Rewrites the chosen mail off the GUI thread, anew after each change of a wish.

    :param rewriter: what mails are rewritten by.
    """

    #: What tracking makes of the chosen mail; None where none is chosen.
    inspected = Signal(object)
    #: A mail is being read; its key.
    started = Signal(str)

    def __init__(self, tasks: Tasks, rewriter: Rewriter, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tasks = tasks
        self._rewriter = rewriter
        self._mail: Mail | None = None
        self._wishes: dict[str, Wishes] = {}
        self._parsed: OrderedDict[str, Parsed] = OrderedDict()
        self.inspection: Inspection | None = None

    @property
    def rewriter(self) -> Rewriter:
        """What mails are rewritten by."""
        return self._rewriter

    @property
    def mail(self) -> Mail | None:
        """The chosen mail."""
        return self._mail

    def get_wishes(self, key: str) -> Wishes:
        """Return how a mail is to be rewritten; as its route says where nobody wished anything."""
        return self._wishes.get(key, Wishes())

    def use(self, rewriter: Rewriter) -> None:
        """Rewrite by other settings from now on."""
        self._rewriter = rewriter
        self.refresh()

    def choose(self, mail: Mail | None) -> None:
        """Show another mail, or none."""
        self._mail = mail
        if mail is None:
            self._tasks.cancel("inspect")
            self.inspection = None
            self.inspected.emit(None)
            return
        self.refresh()

    def set_wishes(self, key: str, wishes: Wishes) -> None:
        """Rewrite a mail in another way, at once where it is the chosen one."""
        self._wishes[key] = wishes
        if self._mail is not None and self._mail.key == key:
            self.refresh()

    def refuse(self, key: str, refused: frozenset[tuple[int, int]]) -> Wishes:
        """Return the wishes of a mail with other links left alone."""
        return replace(self.get_wishes(key), refused=refused)

    def forget(self, key: str) -> None:
        """Drop what is kept of a mail that was removed."""
        self._wishes.pop(key, None)
        self._parsed.pop(key, None)
        if self._mail is not None and self._mail.key == key:
            self.choose(None)

    def refresh(self) -> None:
        """Rewrite the chosen mail once more."""
        if self._mail is None:
            return
        self.started.emit(self._mail.key)
        work = _make_work(self._mail, self._parsed.get(self._mail.key), self.get_wishes(self._mail.key), self._rewriter)
        self._tasks.start("inspect", work, self._take)

    def _take(self, inspection: Inspection) -> None:
        self._keep(inspection.parsed)
        self.inspection = inspection
        self.inspected.emit(inspection)

    def _keep(self, parsed: Parsed) -> None:
        self._parsed[parsed.mail.key] = parsed
        self._parsed.move_to_end(parsed.mail.key)
        while len(self._parsed) > _KEPT:
            self._parsed.popitem(last=False)


def _make_work(
    mail: Mail, parsed: Parsed | None, wishes: Wishes, rewriter: Rewriter
) -> Callable[[threading.Event], Inspection]:
    def work(_: threading.Event) -> Inspection:
        return rewriter.inspect(parse(mail) if parsed is None else parsed, wishes)

    return work
