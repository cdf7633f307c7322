"""Open files, databases and the demo off the GUI thread, and say in words what cannot be opened."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from mailnod.errors import TrackError
from mailnod.model import Consent
from mailnod.plugins import Plugins
from mailnod.settings import Settings
from mailnod.store.base import Store
from mailnod.store.sqlite import SQLiteStore
from mailnod.tokens import Keyring
from mailnod_desktop.models.plain import capitalise
from mailnod_desktop.preferences import Preferences
from mailnod_desktop.services.deliveries import list_deliveries
from mailnod_desktop.services.demo import Demo, make_demo
from mailnod_desktop.services.mailbox import Mailbox
from mailnod_desktop.services.model import Mail
from mailnod_desktop.services.reading import Reading, read_files
from mailnod_desktop.services.rewriting import Rewriter
from mailnod_desktop.tasks import Cancelled, Tasks

__all__ = ["Opener"]

#: So many of a store's newest deliveries stand among the messages.
_DELIVERIES = 500


class Opener(QObject):
    """Opens what a person names.

    :param scratch: a folder in which the demo may write.
    """

    #: Mails that were read, as a list of :class:`Mail`.
    mails_opened = Signal(object)
    #: A mailbox file, as :class:`Mailbox`.
    mailbox_opened = Signal(object)
    #: The key of the first mail of files that a person opened, and wants to see.
    first_opened = Signal(str)
    #: The path of a store that can be read.
    database_opened = Signal(object)
    #: Mails are rewritten by other consents from now on.
    rewriter_changed = Signal(object)
    #: What went wrong and what to do, in words.
    problem = Signal(str)

    def __init__(
        self,
        tasks: Tasks,
        settings: Settings,
        keyring: Keyring | None,
        preferences: Preferences,
        scratch: Path,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._tasks = tasks
        self._settings = settings
        self._keyring = keyring
        self._preferences = preferences
        self._scratch = scratch
        self._plugins = Plugins()
        self._store: Store | None = None
        self._number = 0
        #: Whether the keys were made for this run.
        self.ephemeral_keys = False

    def make_rewriter(self) -> Rewriter:
        """Return what mails are rewritten by: the settings, and the consents of the store that is open."""
        store = self._store

        def ask(address: str, purpose: str) -> Consent:
            return Consent() if store is None else store.get_consent(address, purpose=purpose)

        rewriter = Rewriter(self._settings, self._keyring, plugins=self._plugins, consents=ask)
        # Keys that were made for this run stay the same when another store is opened.
        self._keyring = rewriter.keyring
        self.ephemeral_keys = self.ephemeral_keys or rewriter.ephemeral_keys
        return rewriter

    def open_files(self, paths: Sequence[Path]) -> None:
        """Open files of mails and databases, whatever is among them."""
        databases = [path for path in paths if _is_database(path)]
        mails = [path for path in paths if path not in databases]
        for path in databases[-1:]:
            self.open_database(path)
        if mails:
            # Opening more files must not drop those that are being read.
            self._number += 1
            self._tasks.start(
                f"open-{self._number}",
                lambda _: read_files(mails),
                lambda found: self._take_files(mails, found),
                lambda error: self.problem.emit(str(error)),
            )

    def open_database(self, path: Path) -> None:
        """Open a store to read; nothing is ever written to it."""
        path = path.absolute()
        store = SQLiteStore(path, read_only=True)

        def look(stop: threading.Event) -> list[Mail]:
            try:
                store.get_metrics(by="all")
                mails = list_deliveries(store, limit=_DELIVERIES)
            except BaseException:
                store.close()
                raise
            if stop.is_set():
                # Another store was opened meanwhile.
                store.close()
                raise Cancelled
            return mails

        self._tasks.start(
            "database", look, lambda mails: self._take_database(path, store, mails), partial(self._refuse, path)
        )

    def open_demo(self) -> None:
        """Open example mails, and a store that is filled for them."""
        scratch, refuse = self._scratch, partial(self._refuse, None)
        self._tasks.start("demo", lambda stop: make_demo(scratch, stop=stop), self._take_demo, refuse)

    def close(self) -> None:
        """Close the store, once nobody reads it any more."""
        if self._store is not None:
            self._tasks.let_go(self._store.close)
            self._store = None

    def _take_files(self, paths: Sequence[Path], reading: Reading) -> None:
        for path in paths:
            if path.is_file():
                self._preferences.add_recent(path)
        mails = [mail for source in reading.sources if not isinstance(source, Mailbox) for mail in source]
        if mails:
            self.mails_opened.emit(mails)
        for source in reading.sources:
            if isinstance(source, Mailbox):
                self.mailbox_opened.emit(source)
        if reading.sources:
            first = reading.sources[0]
            self.first_opened.emit(first.get_key(0) if isinstance(first, Mailbox) else first[0].key)
        if reading.errors:
            self.problem.emit("\n".join(map(str, reading.errors)))

    def _take_database(self, path: Path, store: Store, mails: list[Mail]) -> None:
        self.close()
        self._store = store
        self._preferences.add_recent(path)
        self.rewriter_changed.emit(self.make_rewriter())
        self.database_opened.emit(path)
        if mails:
            self.mails_opened.emit(mails)

    def _take_demo(self, demo: Demo) -> None:
        self.mails_opened.emit(list(demo.mails))
        self.open_database(demo.database)

    def _refuse(self, path: Path | None, error: Exception) -> None:
        text = str(error)
        if not isinstance(error, TrackError | OSError):
            text = self.tr("That cannot be opened: {}").format(error)
        # A message of the store does not always say which file it is about.
        self.problem.emit(capitalise(text) if path is None or str(path) in text else f"{path.name}: {text}")


def _is_database(path: Path) -> bool:
    """Tell whether a file is an SQLite database (https://www.sqlite.org/fileformat.html, section 1.3)."""
    try:
        with path.open("rb") as file:
            return file.read(16) == b"SQLite format 3\0"
    except OSError:
        return False
