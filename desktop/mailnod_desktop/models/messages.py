"""The list of mails: newest first, filtered by words and by where mails came from."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from mailnod_desktop.models.plain import format_bytes, make_tooltip, make_visible, shorten
from mailnod_desktop.services.model import Mail, MailSummary, Origin

__all__ = ["ENTRY_ROLE", "Entry", "MessagesModel", "Source"]

#: Answers the :class:`Entry` of a row.
ENTRY_ROLE = Qt.ItemDataRole.UserRole + 42

#: More rows than this are put in by a reset, because each one alone moves all that follow.
_FEW = 64

Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()


@dataclass(frozen=True, slots=True)
class Source:
    """Where mails came from: one origin, or one mailbox file of several."""

    origin: Origin
    #: The name of a mailbox file; "" for all else.
    name: str = ""


@dataclass(slots=True, kw_only=True, eq=False)
class Entry:
    """One mail of the list, which is fetched when somebody looks at it."""

    key: str
    source: Source
    #: What is shown until the subject is known.
    name: str
    fetch: Callable[[], Mail]
    received_at: datetime | None = None
    #: None until somebody has read the head.
    summary: MailSummary | None = None
    #: Whether the body was looked at too, for its links and its pixel.
    complete: bool = False
    unread: bool = True
    #: The place in which it was added: of two of the same time the later one comes first.
    number: int = 0

    @property
    def time(self) -> datetime | None:
        """What it is sorted by: a caught mail by when it came, any other by its own date."""
        sent_at = None if self.summary is None else self.summary.sent_at
        return self.received_at if self.source.origin == "smtp" else sent_at or self.received_at

    @property
    def title(self) -> str:
        """The subject, or what stands for it."""
        return (self.summary.subject if self.summary is not None else "") or self.name

    def list_words(self) -> str:
        """Return what a search looks at, in lower case."""
        if self.summary is None:
            return self.name.casefold()
        texts = (self.summary.subject, self.summary.sender, *self.summary.recipients, self.name)
        return "\n".join(texts).casefold()


class MessagesModel(QAbstractListModel):
    """Holds every mail that is open, and shows those that the filter lets through."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._entries: dict[str, Entry] = {}
        self._shown: list[Entry] = []
        self._rows: dict[str, int] | None = {}
        self._words: tuple[str, ...] = ()
        self._source: Source | None = None
        self._found: Collection[str] | None = None
        self._number = 0

    @property
    def entries(self) -> Collection[Entry]:
        """Every mail, shown or not, in the order in which they were added."""
        return self._entries.values()

    def get(self, key: str) -> Entry | None:
        """Return a mail by its key, shown or not."""
        return self._entries.get(key)

    def get_entry(self, row: int) -> Entry:
        """Return what stands in a row."""
        return self._shown[row]

    def find_row(self, key: str) -> int | None:
        """Return in which row a mail stands; None where it is not shown."""
        if self._rows is None:
            self._rows = {entry.key: row for row, entry in enumerate(self._shown)}
        return self._rows.get(key)

    def list_sources(self) -> list[tuple[Source, int]]:
        """Return where the mails came from, and how many from each, in order of the origins."""
        counts: dict[Source, int] = {}
        for entry in self._entries.values():
            counts[entry.source] = counts.get(entry.source, 0) + 1
        order = ("smtp", "file", "mailbox", "store")
        return sorted(counts.items(), key=lambda one: (order.index(one[0].origin), one[0].name))

    def add(self, entries: Sequence[Entry]) -> None:
        """Add mails; one that is there already is replaced where it stands."""
        fresh = []
        for entry in entries:
            known = self._entries.get(entry.key)
            self._number += 1
            entry.number = self._number if known is None else known.number
            self._entries[entry.key] = entry
            if known is None:
                fresh.append(entry)
            elif (row := self.find_row(entry.key)) is not None:
                self._shown[row] = entry
                self.dataChanged.emit(self.index(row), self.index(row))
        fresh = [entry for entry in fresh if self._lets_through(entry)]
        if len(fresh) > _FEW:
            self._show_anew()
            return
        for entry in fresh:
            row = bisect_left(self._shown, _sort_key(entry), key=_sort_key)
            self.beginInsertRows(_NOWHERE, row, row)
            self._shown.insert(row, entry)
            self._rows = None
            self.endInsertRows()

    def set_summaries(self, summaries: Iterable[tuple[str, MailSummary]], *, complete: bool) -> None:
        """Take what was found out about mails; rows stay where they are until :meth:`sort_again`.

        :param complete: whether bodies were looked at too.
        """
        rows = []
        for key, summary in summaries:
            entry = self._entries.get(key)
            if entry is None or (entry.complete and not complete):
                continue
            entry.summary, entry.complete = summary, complete
            row = self.find_row(key)
            if row is not None:
                rows.append(row)
        if rows:
            self.dataChanged.emit(self.index(min(rows)), self.index(max(rows)))

    def sort_again(self) -> None:
        """Put the rows in order, and let the filter see what is known by now; who is selected stays so."""
        shown = sorted(filter(self._lets_through, self._entries.values()), key=_sort_key)
        if shown == self._shown:
            return
        if len(shown) != len(self._shown):
            self._show_anew()
            return
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        keys = [self._shown[index.row()].key for index in before]
        self._shown, self._rows = shown, None
        rows = [self.find_row(key) for key in keys]
        self.changePersistentIndexList(before, [_NOWHERE if row is None else self.index(row) for row in rows])
        self.layoutChanged.emit()

    def set_filter(
        self, words: Sequence[str] = (), *, source: Source | None = None, found: Collection[str] | None = None
    ) -> None:
        """Show what holds all words, and came from a source.

        :param words: casefolded; looked for in subject, sender, recipients and name.
        :param source: None lets every source through.
        :param found: keys of mails that are shown besides, because their bodies hold the words.
        """
        wanted = (tuple(words), source, found)
        if wanted != (self._words, self._source, self._found):
            self._words, self._source, self._found = wanted
            self._show_anew()

    def set_unread(self, key: str, *, unread: bool) -> None:
        """Note whether somebody has looked at a mail."""
        entry = self._entries.get(key)
        if entry is None or entry.unread is unread:
            return
        entry.unread = unread
        row = self.find_row(key)
        if row is not None:
            self.dataChanged.emit(self.index(row), self.index(row))

    def remove(self, keys: Iterable[str]) -> list[str]:
        """Drop mails from the list; return the keys of those that were there."""
        gone = [key for key in dict.fromkeys(keys) if self._entries.pop(key, None) is not None]
        rows = sorted(row for row in map(self.find_row, gone) if row is not None)
        if len(rows) > _FEW:
            self._show_anew()
            return gone
        for row in reversed(rows):
            self.beginRemoveRows(_NOWHERE, row, row)
            del self._shown[row]
            self._rows = None
            self.endRemoveRows()
        return gone

    def rowCount(self, parent: Index = _NOWHERE) -> int:
        """Return how many mails are shown."""
        return 0 if parent.isValid() else len(self._shown)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a row shows or says."""
        if not index.isValid():
            return None
        entry = self._shown[index.row()]
        if role == ENTRY_ROLE:
            return entry
        if role == Qt.ItemDataRole.DisplayRole:
            return make_visible(shorten(entry.title))
        if role == Qt.ItemDataRole.ToolTipRole:
            return make_tooltip(*self._list_facts(entry))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return ", ".join(fact for fact in self._list_facts(entry) if fact)
        return None

    def describe_source(self, source: Source) -> str:
        """Return what a person calls a source."""
        names = {
            "smtp": self.tr("Caught over SMTP"),
            "file": self.tr("Files"),
            "mailbox": source.name or self.tr("Mailbox"),
            "store": self.tr("Recorded in the database"),
        }
        return names[source.origin]

    def describe_links(self, summary: MailSummary) -> str:
        """Return how many links a mail has, and whether it is tracked already; "" where nobody has looked."""
        if summary.links is None:
            return ""
        links = self.tr("1 link") if summary.links == 1 else self.tr("{number} links").format(number=summary.links)
        return self.tr("{links}, tracked already").format(links=links) if summary.tracked else links

    def _list_facts(self, entry: Entry) -> list[str]:
        summary = entry.summary
        facts = [make_visible(entry.title), self.describe_source(entry.source)]
        if entry.unread:
            facts.append(self.tr("not read yet"))
        if summary is None:
            return facts
        people = ", ".join(summary.recipients[:12]) + ("…" if len(summary.recipients) > 12 else "")
        facts += [
            self.tr("From: {sender}").format(sender=make_visible(summary.sender)) if summary.sender else "",
            self.tr("To: {people}").format(people=make_visible(people)) if people else "",
            f"{entry.time.astimezone():%Y-%m-%d %H:%M:%S}" if entry.time is not None else "",
            self.describe_links(summary),
            self._describe_size(summary),
            self.tr("Problem: {problem}").format(problem=summary.problem) if summary.problem else "",
        ]
        return facts

    def _describe_size(self, summary: MailSummary) -> str:
        if not summary.html_bytes:
            return format_bytes(summary.size_bytes)
        return self.tr("HTML of {size}; Gmail shows the first 102 KB").format(size=format_bytes(summary.html_bytes))

    def _lets_through(self, entry: Entry) -> bool:
        if self._source is not None and entry.source != self._source:
            return False
        if not self._words or (self._found is not None and entry.key in self._found):
            return True
        text = entry.list_words()
        return all(word in text for word in self._words)

    def _show_anew(self) -> None:
        self.beginResetModel()
        self._shown = sorted(filter(self._lets_through, self._entries.values()), key=_sort_key)
        self._rows = None
        self.endResetModel()


def _sort_key(entry: Entry) -> tuple[bool, float, int]:
    time = entry.time
    # What has no date comes last, the later added first.
    return time is None, 0.0 if time is None else -time.timestamp(), -entry.number
