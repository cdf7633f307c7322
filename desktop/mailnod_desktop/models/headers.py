"""The fields of a mail's head as rows of a table, with what Mailnod makes of each."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from mailnod.send.override import is_own_header
from mailnod_desktop.models.plain import make_tooltip, make_visible, shorten
from mailnod_desktop.models.words import SORT_ROLE
from mailnod_desktop.services.model import Parsed
from mailnod_desktop.theme import get_theme
from mailnod_desktop.views.pills import COLOUR_ROLE

__all__ = ["HeaderColumn", "HeadersModel", "read_raw_head"]

Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()
#: No head that a person reads is longer.
_HEAD_BYTES = 256 * 1024
_HEAD_END = re.compile(rb"\r?\n\r?\n")
#: Fields of other senders by which tracking is turned off; ours begin with X-Mailnod.
_OPT_OUTS = re.compile(r"x-no-track|x-lm-override-track-\w+|x-pm-track\w+|x-mailgun-track[\w-]*", re.IGNORECASE)


class HeaderColumn(IntEnum):
    """What the columns show."""

    NAME = 0
    NOTE = 1
    VALUE = 2


def read_raw_head(data: bytes) -> str:
    """Return the head of a message as it came, with what is not seen written out.

    Bytes beyond ASCII are read as UTF-8 (RFC 6532), and those that are none as Latin-1.
    """
    end = _HEAD_END.search(data, 0, _HEAD_BYTES)
    raw = data[: end.start() if end else _HEAD_BYTES]
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    text = make_visible(text.replace("\r\n", "\n"), keep_lines=True)
    return text if end or len(data) <= _HEAD_BYTES else f"{text}\n…"


class HeadersModel(QAbstractTableModel):
    """Shows name and value of each field, in order."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[tuple[str, str], ...] = ()

    def set_parsed(self, parsed: Parsed | None) -> None:
        """Show the head of another mail, or nothing."""
        rows = () if parsed is None else parsed.headers
        if rows == self._rows:
            return
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def get_row(self, row: int) -> tuple[str, str]:
        """Return name and value of the field in a row."""
        return self._rows[row]

    def count_own(self) -> int:
        """Return how many fields are Mailnod's own."""
        return sum(is_own_header(name) for name, _ in self._rows)

    def describe(self, name: str) -> str:
        """Return what Mailnod makes of a field, in words; "" where nothing."""
        if is_own_header(name):
            return self.tr("removed before it leaves")
        if _OPT_OUTS.fullmatch(name.strip()):
            return self.tr("may turn tracking off")
        if name.strip().lower() == "list-unsubscribe":
            return self.tr("its links are left alone")
        return ""

    def rowCount(self, parent: Index = _NOWHERE) -> int:
        """Return how many fields there are."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = _NOWHERE) -> int:
        """Return how many columns there are."""
        return 0 if parent.isValid() else len(HeaderColumn)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> str | None:
        """Return the name of a column."""
        if orientation is not Qt.Orientation.Horizontal or role != Qt.ItemDataRole.DisplayRole:
            return None
        return (self.tr("Name"), self.tr("Mailnod"), self.tr("Value"))[section]

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows, says, or is sorted by."""
        if not index.isValid():
            return None
        name, value = self._rows[index.row()]
        column = HeaderColumn(index.column())
        match role:
            case Qt.ItemDataRole.DisplayRole:
                texts = {
                    HeaderColumn.NAME: shorten(make_visible(name), 120),
                    HeaderColumn.NOTE: self.describe(name),
                    HeaderColumn.VALUE: shorten(make_visible(" ".join(value.split()))),
                }
                return texts[column]
            case Qt.ItemDataRole.ToolTipRole:
                return make_tooltip(value) if column is HeaderColumn.VALUE else make_tooltip(name)
            case _ if role == COLOUR_ROLE and column is HeaderColumn.NOTE and self.describe(name):
                theme = get_theme()
                return theme.warn if is_own_header(name) else theme.info
            case _ if role == SORT_ROLE:
                return self.data(index).lower()
        return None
