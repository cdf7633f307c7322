"""What is open at present: the chosen mail, how it is to be rewritten, and what came of it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

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
    #: The chosen mail is being read, while the one before it is still shown.
    started = Signal()
    #: Why the chosen mail cannot be shown, in words.
    problem = Signal(str)

    def __init__(self, tasks: Tasks, rewriter: Rewriter, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tasks = tasks
        self._rewriter = rewriter
        self._key: str | None = None
        self._fetch: Callable[[], Mail] | None = None
        self._wishes: dict[str, Wishes] = {}
        self._parsed: OrderedDict[str, Parsed] = OrderedDict()
        #: What tracking makes of the chosen mail; None until that is known.
        self.inspection: Inspection | None = None

    @property
    def rewriter(self) -> Rewriter:
        """What mails are rewritten by."""
        return self._rewriter

    @property
    def key(self) -> str | None:
        """Which mail is chosen."""
        return self._key

    def get_wishes(self, key: str) -> Wishes:
        """Return how a mail is to be rewritten; as its route says where nobody wished anything."""
        return self._wishes.get(key, Wishes())

    def use(self, rewriter: Rewriter) -> None:
        """Rewrite by other settings from now on."""
        self._rewriter = rewriter
        self.refresh()

    def choose(self, key: str, fetch: Callable[[], Mail]) -> None:
        """Show another mail.

        :param fetch: called in another thread, because a mail may lie in a file of any size.
        """
        if key != self._key:
            # What is still shown is about another mail: nothing may be saved or changed by it.
            self.inspection = None
        self._key, self._fetch = key, fetch
        self.started.emit()
        self.refresh()

    def clear(self) -> None:
        """Show no mail."""
        self._tasks.cancel("inspect")
        self._key = self._fetch = self.inspection = None
        self.inspected.emit(None)

    def set_wishes(self, key: str, wishes: Wishes) -> None:
        """Rewrite a mail in another way, at once where it is the chosen one."""
        self._wishes[key] = wishes
        if self._key == key:
            self.refresh()

    def forget(self, key: str) -> None:
        """Drop what is kept of a mail that was removed."""
        self._wishes.pop(key, None)
        self._parsed.pop(key, None)
        if self._key == key:
            self.clear()

    def refresh(self) -> None:
        """Rewrite the chosen mail once more."""
        if self._key is None or self._fetch is None:
            return
        work = _make_work(self._fetch, self._parsed.get(self._key), self.get_wishes(self._key), self._rewriter)
        self._tasks.start("inspect", work, self._take, self._fail)

    def _take(self, inspection: Inspection) -> None:
        self._keep(inspection.parsed)
        self.inspection = inspection
        self.inspected.emit(inspection)

    def _fail(self, error: Exception) -> None:
        self.inspection = None
        self.inspected.emit(None)
        self.problem.emit(self.tr("This mail cannot be shown: {}").format(error))

    def _keep(self, parsed: Parsed) -> None:
        self._parsed[parsed.mail.key] = parsed
        self._parsed.move_to_end(parsed.mail.key)
        while len(self._parsed) > _KEPT:
            self._parsed.popitem(last=False)


def _make_work(
    fetch: Callable[[], Mail], parsed: Parsed | None, wishes: Wishes, rewriter: Rewriter
) -> Callable[[threading.Event], Inspection]:
    def work(_: threading.Event) -> Inspection:
        mail = fetch()
        # Its file may have been opened once more, with something else in it.
        known = parsed if parsed is not None and parsed.mail == mail else None
        return rewriter.inspect(known or parse(mail), wishes)

    return work
