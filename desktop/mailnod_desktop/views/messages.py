"""The list of mails, with a search, a choice of sources, and what can be done with a mail that stands in it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QStackedWidget, QToolButton, QVBoxLayout, QWidget

from mailnod_desktop.models.message_loading import MessageLoader
from mailnod_desktop.models.messages import Entry, MessagesModel, Source
from mailnod_desktop.services.mailbox import Mailbox
from mailnod_desktop.services.model import Mail
from mailnod_desktop.services.saving import save_mail
from mailnod_desktop.services.searching import holds_words
from mailnod_desktop.tasks import Tasks
from mailnod_desktop.theme import get_theme, icon
from mailnod_desktop.views.message_list import MessageList
from mailnod_desktop.views.message_menu import MessageMenu
from mailnod_desktop.views.message_search import MessageSearch
from mailnod_desktop.views.messages_empty import HOST, NoMatch, NoMessages

__all__ = ["MessagesView"]

#: How long nobody scrolls before bodies are read.
_PAUSE_MS = 140


class MessagesView(QWidget):
    """Shows the mails that are open, newest first, and says which one is chosen."""

    #: The key of the mail that is chosen now; "" where none is.
    mail_selected = Signal(str)
    #: Paths of files that were dropped.
    files_dropped = Signal(list)
    #: Whether catching is to begin or to end.
    catch_requested = Signal(bool)
    #: Keys of mails that a person took off the list.
    mails_removed = Signal(list)
    #: What went wrong, in words.
    problem = Signal(str)

    def __init__(self, tasks: Tasks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("messages")
        self.setAcceptDrops(True)
        self._tasks = tasks
        self._port: int | None = None
        self._current = ""
        self._removing = False
        self.model = MessagesModel(self)
        self.loader = MessageLoader(tasks, self)
        self.loader.heads_read.connect(partial(self.model.set_summaries, complete=False))
        self.loader.bodies_read.connect(partial(self.model.set_summaries, complete=True))
        self.loader.finished.connect(self._sort_again)
        self.loader.finished.connect(self._look_soon)
        self.search = MessageSearch()
        self.search.changed.connect(self._filter)
        self.list = MessageList(self.model)
        self.list.customContextMenuRequested.connect(self._show_menu)
        self.list.delete_pressed.connect(self.remove_selected)
        self.list.selectionModel().currentChanged.connect(self._take_current)
        self.list.selectionModel().selectionChanged.connect(self._take_current)
        self.list.verticalScrollBar().valueChanged.connect(self._look_soon)
        self._nothing = NoMessages()
        self._nothing.catch_requested.connect(self.catch_requested)
        self._unmatched = NoMatch()
        self._unmatched.all_requested.connect(self.clear_filter)
        self._count = QLabel()
        self._count.setProperty("muted", True)
        self._catch = QToolButton()
        self._catch.setObjectName("catch")
        self._catch.setAutoRaise(True)
        self._catch.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._catch.clicked.connect(lambda: self.catch_requested.emit(self._port is None))
        self._looking = QTimer(self)
        self._looking.setSingleShot(True)
        self._looking.setInterval(_PAUSE_MS)
        self._looking.timeout.connect(self._look)
        self.model.modelReset.connect(self._restore_current)
        for signal in (self.model.modelReset, self.model.rowsInserted, self.model.rowsRemoved):
            signal.connect(self._show_state)
        self._lay_out()
        self.set_catching(None)
        self._show_state()

    # -- what others call ---------------------------------------------------------------------------------------------

    def add_mails(self, mails: Sequence[Mail]) -> None:
        """Put mails on the list; one whose key is there already takes its place."""
        entries = [
            Entry(
                key=mail.key,
                source=Source(mail.origin),
                name=mail.name,
                fetch=partial(_return, mail),
                received_at=mail.received_at,
                # What an app has sent long ago waits for nobody here.
                unread=mail.origin != "store",
            )
            for mail in mails
        ]
        self._add(entries)
        self.loader.read_heads(entries)

    def add_mailbox(self, mailbox: Mailbox) -> None:
        """Put the mails of a mailbox file on the list, which reads each when somebody looks at it."""
        source = Source("mailbox", mailbox.path.name)
        entries = [
            Entry(
                key=mailbox.get_key(number),
                source=source,
                name=f"{mailbox.path.name} #{number + 1}",
                fetch=partial(mailbox.get, number),
            )
            for number in range(len(mailbox))
        ]
        self._add(entries)
        self.loader.read_mailbox(mailbox, [entry.key for entry in entries])

    def select(self, key: str) -> None:
        """Choose a mail; a filter that hides it is taken off."""
        if self.model.find_row(key) is None and self.model.get(key) is not None:
            self.clear_filter()
        row = self.model.find_row(key)
        if row is not None:
            self.list.setCurrentIndex(self.model.index(row))

    def current_key(self) -> str | None:
        """Return the key of the chosen mail; None where none is."""
        return self._current or None

    def select_next(self) -> None:
        """Choose the mail below."""
        self._step(1)

    def select_previous(self) -> None:
        """Choose the mail above."""
        self._step(-1)

    def get_mail(self, key: str) -> Mail:
        """Return a mail; one whose file cannot be read any more has no data.

        :raises KeyError: it is not on the list.
        """
        return self.make_fetch(key)()

    def make_fetch(self, key: str) -> Callable[[], Mail]:
        """Return what gets a mail as :meth:`get_mail` does, in any thread.

        :raises KeyError: it is not on the list.
        """
        entry = self.model.get(key)
        if entry is None:
            raise KeyError(key)
        return partial(_fetch, entry)

    def set_catching(self, port: int | None) -> None:
        """Show where mail is caught; None where it is not."""
        self._port = port
        self._nothing.set_catching(port)
        if port is None:
            self._catch.setText(self.tr("Catch mail"))
            tip = self.tr("Listen for mail of an app at {host}").format(host=HOST)
        else:
            self._catch.setText(self.tr("Catching at :{port}").format(port=port))
            tip = self.tr("Mail sent to {host}, port {port} comes here and goes nowhere else; click to stop").format(
                host=HOST, port=port
            )
        self._catch.setToolTip(tip)
        self._catch.setAccessibleName(self._catch.text())
        self._redraw()

    def focus_search(self) -> None:
        """Let the person type what to look for."""
        self.search.focus_words()

    def clear_filter(self) -> None:
        """Show every mail."""
        self.search.clear()

    def remove_selected(self) -> None:
        """Take the selected mails off the list; their files stay."""
        rows = sorted(index.row() for index in self.list.selectionModel().selectedRows())
        if not rows:
            return
        keys = [self.model.get_entry(row).key for row in rows]
        self._removing = True
        gone = self.model.remove(keys)
        self._removing = False
        self.mails_removed.emit(gone)
        if self._current not in gone:
            return
        left = self.model.rowCount()
        if left:
            row = min(rows[0], left - 1)
            self.list.setCurrentIndex(self.model.index(row))
            self._choose(self.model.get_entry(row).key)
        else:
            self._choose("")

    # -- events of Qt -------------------------------------------------------------------------------------------------

    def changeEvent(self, event: QEvent) -> None:
        """Draw pictures anew after the theme has changed."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_catch"):
            self._redraw()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files."""
        if _list_files(event):
            event.acceptProposedAction()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        """Take files anywhere."""
        event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Hand over the files that were dropped."""
        files = _list_files(event)
        if files:
            event.acceptProposedAction()
            self.files_dropped.emit(files)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Look at the mails that came into view."""
        super().resizeEvent(event)
        self._look_soon()

    # -- how it works -------------------------------------------------------------------------------------------------

    def _add(self, entries: Sequence[Entry]) -> None:
        self.model.add(entries)
        self._show_sources()
        self._look_soon()

    def _sort_again(self) -> None:
        """Put the rows in order, and let the chosen one not run out of sight."""
        in_sight = self.list.viewport().rect().intersects(self.list.visualRect(self.list.currentIndex()))
        self.model.sort_again()
        if in_sight:
            self.list.scrollTo(self.list.currentIndex())

    def _take_current(self) -> None:
        current = self.list.currentIndex()
        # What merely has the focus is not chosen, and a removal ends elsewhere than Qt thinks.
        if current.isValid() and self.list.selectionModel().isSelected(current) and not self._removing:
            self._choose(self.model.get_entry(current.row()).key)

    def _choose(self, key: str) -> None:
        if key != self._current:
            self._current = key
            self.model.set_unread(key, unread=False)
            self.mail_selected.emit(key)

    def _restore_current(self) -> None:
        """Select again what was selected before the rows came anew, where it is shown."""
        row = self.model.find_row(self._current)
        if row is not None:
            self.list.setCurrentIndex(self.model.index(row))

    def _step(self, by: int) -> None:
        current = self.list.currentIndex()
        row = current.row() + by if current.isValid() else 0
        if 0 <= row < self.model.rowCount():
            self.list.setCurrentIndex(self.model.index(row))

    def _filter(self) -> None:
        self._tasks.cancel("messages.search")
        words, source = self.search.words, self.search.source
        self.model.set_filter(words, source=source)
        self._look_soon()
        if words and self.search.in_bodies:
            self._search_bodies(words, source)
        else:
            self._show_state()

    def _search_bodies(self, words: Sequence[str], source: Source | None) -> None:
        entries = [entry for entry in self.model.entries if source is None or entry.source == source]
        self._count.setText(self.tr("Searching bodies…"))

        def work(stop: threading.Event) -> frozenset[str]:
            return frozenset(entry.key for entry in entries if not stop.is_set() and _holds(entry, words))

        def take(found: frozenset[str]) -> None:
            self.model.set_filter(words, source=source, found=found)
            self._show_state()

        self._tasks.start("messages.search", work, take)

    def _look_soon(self) -> None:
        self._looking.start()

    def _look(self) -> None:
        """Read the bodies of the mails in view, for their links and their pixels."""
        first = self.list.indexAt(QPoint(4, 4)).row()
        last = self.list.indexAt(QPoint(4, self.list.viewport().height() - 4)).row()
        rows = range(max(first, 0), (last if last >= 0 else self.model.rowCount() - 1) + 1)
        self.loader.read_bodies(self.model.get_entry(row) for row in rows[:60])

    def _show_sources(self) -> None:
        describe = self.model.describe_source
        self.search.set_sources((f"{describe(one)} ({number:,})", one) for one, number in self.model.list_sources())

    def _show_state(self) -> None:
        """Show the list, or what stands in its place, and how many mails there are."""
        every, shown = len(self.model.entries), self.model.rowCount()
        page = self._nothing if not every else self.list if shown else self._unmatched
        self._pages.setCurrentWidget(page)
        self.search.setVisible(bool(every))
        self._foot.setVisible(bool(every))
        words = self.tr("1 mail") if every == 1 else self.tr("{number} mails").format(number=f"{every:,}")
        self._count.setText(
            words if shown == every else self.tr("{shown} of {all}").format(shown=f"{shown:,}", all=words)
        )

    def _show_menu(self, place: QPoint) -> None:
        index = self.list.indexAt(place)
        if index.isValid():
            menu = self.make_menu(self.model.get_entry(index.row()).key)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(self.list.viewport().mapToGlobal(place))

    def make_menu(self, key: str) -> MessageMenu:
        """Return the menu of what can be done with a mail."""
        mail = self.get_mail(key)
        menu = MessageMenu(mail, self)
        menu.save_requested.connect(partial(self.save_mail, mail))
        menu.unread_requested.connect(partial(self.model.set_unread, key, unread=True))
        menu.remove_requested.connect(self.remove_selected)
        return menu

    def save_mail(self, mail: Mail, path: Path) -> None:
        """Write the bytes of a mail into a file, off the GUI thread."""
        self._tasks.start(
            f"messages.save.{path}",
            lambda _: save_mail(mail, path),
            lambda _: None,
            lambda error: self.problem.emit(str(error)),
        )

    # -- how it is put together ---------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self._pages = QStackedWidget()
        for page in (self._nothing, self.list, self._unmatched):
            self._pages.addWidget(page)
        self._foot = QWidget()
        foot = QHBoxLayout(self._foot)
        foot.setContentsMargins(10, 3, 4, 3)
        foot.addWidget(self._count, 1)
        foot.addWidget(self._catch)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.search)
        column.addWidget(self._pages, 1)
        column.addWidget(self._foot)

    def _redraw(self) -> None:
        theme = get_theme()
        self.search.redraw()
        on = self._port is not None
        self._catch.setIcon(icon("email-arrow-left-outline", theme.good if on else theme.muted))
        self.list.viewport().update()


def _fetch(entry: Entry) -> Mail:
    try:
        return entry.fetch()
    except (OSError, IndexError):
        return Mail(key=entry.key, name=entry.name, origin=entry.source.origin, data=b"")


def _return(mail: Mail) -> Mail:
    return mail


def _holds(entry: Entry, words: Sequence[str]) -> bool:
    try:
        return holds_words(entry.fetch(), words)
    except (OSError, IndexError):
        return False


def _list_files(event: QDropEvent) -> list[Path]:
    return [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
