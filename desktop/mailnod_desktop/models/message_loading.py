"""Finds out what the list shows of mails, a few at a time and off the GUI thread."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from PySide6.QtCore import QObject, Signal
from shiboken6 import isValid

from mailnod_desktop.models.messages import Entry
from mailnod_desktop.services.mailbox import Mailbox
from mailnod_desktop.services.model import Mail, MailSummary
from mailnod_desktop.services.parsing import parse, summarise
from mailnod_desktop.tasks import Tasks

__all__ = ["MessageLoader"]

_log = logging.getLogger(__name__)

Found = list[tuple[str, MailSummary]]

_HEADS_KEY, _BODIES_KEY = "messages.heads", "messages.bodies"

#: For so long heads are read before they are shown: each time the whole list is laid out anew.
_HEADS_S = 0.3
#: Bodies that are taken apart in one go.
_BODIES = 6


class MessageLoader(QObject):
    """Reads heads of all mails in the order in which they were added, and bodies of those that are looked at."""

    #: Heads were read: key and :class:`MailSummary` of each.
    heads_read = Signal(object)
    #: Bodies were taken apart: key and :class:`MailSummary` of each.
    bodies_read = Signal(object)
    #: No head waits any more.
    finished = Signal()

    def __init__(self, tasks: Tasks, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tasks = tasks
        self._heads: deque[Iterator[tuple[str, MailSummary]]] = deque()
        self._bodies: dict[str, Entry] = {}
        self._reading = False
        # What comes back later would come to a list that is gone.
        self.destroyed.connect(partial(_forget, tasks))

    @property
    def busy(self) -> bool:
        """Whether heads wait to be read."""
        return self._reading

    def read_heads(self, entries: Sequence[Entry]) -> None:
        """Read the heads of mails."""
        self._queue((entry.key, _try_to(summarise, entry)) for entry in entries)

    def read_mailbox(self, mailbox: Mailbox, keys: Sequence[str]) -> None:
        """Read the heads of a mailbox file.

        :param keys: of its mails, in its order.
        """
        self._queue(_read_mailbox(mailbox, keys))

    def read_bodies(self, entries: Iterable[Entry]) -> None:
        """Take apart the mails that somebody looks at, and forget those that were looked at before."""
        self._bodies = {entry.key: entry for entry in entries if not entry.complete}
        if self._bodies and not self._tasks.is_running(_BODIES_KEY):
            self._read_more_bodies()

    def _queue(self, found: Iterator[tuple[str, MailSummary]]) -> None:
        self._heads.append(found)
        if not self._reading:
            self._reading = True
            self._read_more_heads()

    def _read_more_heads(self) -> None:
        waiting = self._heads[0]
        self._tasks.start(_HEADS_KEY, lambda _: _take_some(waiting), self._take_heads, self._give_up_heads)

    def _take_heads(self, found: tuple[Found, bool]) -> None:
        heads, ended = found
        if ended:
            self._heads.popleft()
        if heads:
            self.heads_read.emit(heads)
        if self._heads:
            self._read_more_heads()
        else:
            self._reading = False
            self.finished.emit()

    def _give_up_heads(self, error: Exception) -> None:
        _log.error("heads could not be read: %s", error)
        self._take_heads(([], True))

    def _read_more_bodies(self) -> None:
        batch = list(self._bodies.values())[:_BODIES]

        def work(stop: threading.Event) -> Found:
            return [(entry.key, _try_to(_read_whole, entry)) for entry in batch if not stop.is_set()]

        def give_up(error: Exception) -> None:
            _log.error("bodies could not be read: %s", error)
            self._take_bodies([(entry.key, _say_problem(entry.name, str(error))) for entry in batch])

        self._tasks.start(_BODIES_KEY, work, self._take_bodies, give_up)

    def _take_bodies(self, found: Found) -> None:
        for key, _ in found:
            self._bodies.pop(key, None)
        self.bodies_read.emit(found)
        if self._bodies:
            self._read_more_bodies()


def _forget(tasks: Tasks, _: object = None) -> None:
    if isValid(tasks):
        tasks.cancel(_HEADS_KEY)
        tasks.cancel(_BODIES_KEY)


def _take_some(waiting: Iterator[tuple[str, MailSummary]]) -> tuple[Found, bool]:
    """Return what can be read in a short time, and whether that was all."""
    until = time.monotonic() + _HEADS_S
    found: Found = []
    for one in waiting:
        found.append(one)
        if time.monotonic() > until:
            return found, False
    return found, True


def _read_whole(mail: Mail) -> MailSummary:
    return parse(mail).summary


def _try_to(read: Callable[[Mail], MailSummary], entry: Entry) -> MailSummary:
    try:
        return read(entry.fetch())
    except (OSError, IndexError) as error:
        return _say_problem(entry.name, str(error))


def _read_mailbox(mailbox: Mailbox, keys: Sequence[str]) -> Iterator[tuple[str, MailSummary]]:
    done = 0
    try:
        for key, summary in zip(keys, mailbox.summaries(), strict=False):
            done += 1
            yield key, summary
    except OSError as error:
        for key in keys[done:]:
            yield key, _say_problem(mailbox.path.name, str(error))


def _say_problem(name: str, problem: str) -> MailSummary:
    return MailSummary(
        subject=name, sender="", recipients=(), sent_at=None, size_bytes=0, html_bytes=0, problem=problem
    )
