"""The links of a mail as rows of a table: what becomes of each, why, and a box to leave it alone."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from mailnod_desktop.models.plain import capitalise, make_tooltip, make_visible, shorten
from mailnod_desktop.models.words import SEARCH_ROLE, SORT_ROLE
from mailnod_desktop.services.model import Body, Inspection, LinkRow
from mailnod_desktop.theme import get_theme
from mailnod_desktop.views.pills import COLOUR_ROLE

__all__ = ["LinkColumn", "LinksModel", "identify"]

Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()
_Identity = tuple[int, int, str, int]


class LinkColumn(IntEnum):
    """What the columns show."""

    NUMBER = 0
    KIND = 1
    STATE = 2
    URL = 3
    LABEL = 4
    WHY = 5
    OFFSET = 6
    TRACKED_URL = 7


def identify(row: LinkRow) -> _Identity:
    """Return what a row is known by while its mail is rewritten again, in the order in which rows stand."""
    return row.body, row.offset, row.kind, -1 if row.link is None else row.link.index


class LinksModel(QAbstractTableModel):
    """Shows the links of one inspection in the order of the source.

    A new inspection of the same mail changes the rows where they are, so that nobody loses their place.
    """

    #: The links that are left alone now, as :attr:`Wishes.refused` has them, after a person changed a box.
    refused_changed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[LinkRow] = []
        self._key: str | None = None
        self._bodies: tuple[Body, ...] = ()
        self._text = ""
        self._refused: frozenset[tuple[int, int]] = frozenset()
        self._line_starts: dict[int, list[int]] = {}

    @property
    def rows(self) -> Sequence[LinkRow]:
        """The links, in the order of the source."""
        return self._rows

    @property
    def refused(self) -> frozenset[tuple[int, int]]:
        """The links that are left alone, by number of the body and index of the link."""
        return self._refused

    def set_inspection(self, inspection: Inspection | None) -> None:
        """Show another inspection, or nothing."""
        key = None if inspection is None else inspection.parsed.mail.key
        rows = [] if inspection is None else sorted(inspection.links, key=identify)
        if key is None or key != self._key:
            self.beginResetModel()
            self._take(inspection)
            self._rows, self._key = rows, key
            self.endResetModel()
            return
        refused = self._refused
        self._take(inspection)
        self._merge(rows, self._refused ^ refused)

    def get_row(self, row: int) -> LinkRow:
        """Return the link that stands in a row."""
        return self._rows[row]

    def find(self, body: int, index: int | None) -> int | None:
        """Return in which row a link stands; None where it does not.

        :param index: of the link; None finds the pixel.
        """
        for number, row in enumerate(self._rows):
            if row.body == body and (row.kind == "pixel" if index is None else row.link and row.link.index == index):
                return number
        return None

    def set_refused(self, rows: Sequence[int], refused: bool) -> None:
        """Leave links alone, or track them again; rows that a person may not switch are passed over."""
        keys = {key for row in rows if (key := self._get_switch(self._rows[row])) is not None}
        changed = self._refused | keys if refused else self._refused - keys
        if changed == self._refused:
            return
        self._refused = changed
        for row in rows:
            cell = self.index(row, LinkColumn.NUMBER)
            self.dataChanged.emit(cell, cell, [Qt.ItemDataRole.CheckStateRole])
        self.refused_changed.emit(changed)

    def get_place(self, row: LinkRow) -> tuple[int, int]:
        """Return line and column of a link in its body, both from 1."""
        starts = self._line_starts.get(row.body)
        if starts is None:
            bodies = [*(body.original for body in self._bodies), self._text]
            text = bodies[row.body] if row.body < len(bodies) else ""
            starts = [0]
            position = text.find("\n")
            while position >= 0:
                starts.append(position + 1)
                position = text.find("\n", position + 1)
            self._line_starts[row.body] = starts
        line = bisect_right(starts, row.offset)
        return line, row.offset - starts[line - 1] + 1

    def describe_state(self, row: LinkRow) -> str:
        """Return what becomes of a link, in one or two words."""
        if row.kind == "pixel":
            return self.tr("pixel") if row.tracked else self.tr("no pixel")
        if row.kind == "honeypot":
            return self.tr("hidden link")
        return self.tr("tracked") if row.tracked else self.tr("left alone")

    def describe_reason(self, row: LinkRow) -> str:
        """Return why that becomes of a link, in words."""
        if row.kind in ("click", "text") and row.reason == "tracked":
            return self.tr("every rule lets it through")
        return make_visible(row.reason)

    def rowCount(self, parent: Index = _NOWHERE) -> int:
        """Return how many links there are."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = _NOWHERE) -> int:
        """Return how many columns there are."""
        return 0 if parent.isValid() else len(LinkColumn)

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Let a person check what they may switch."""
        flags = super().flags(index)
        if index.isValid() and index.column() == LinkColumn.NUMBER and self._rows[index.row()].switchable:
            flags |= Qt.ItemFlag.ItemIsUserCheckable
        return flags

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the name of a column."""
        if role == Qt.ItemDataRole.TextAlignmentRole and section == LinkColumn.OFFSET:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if orientation is not Qt.Orientation.Horizontal or role != Qt.ItemDataRole.DisplayRole:
            return None
        return (
            self.tr("#"),
            self.tr("Kind"),
            self.tr("State"),
            self.tr("Original URL"),
            self.tr("Reads"),
            self.tr("Why"),
            self.tr("Offset"),
            self.tr("Tracked URL"),
        )[section]

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows, says, or is sorted by."""
        if not index.isValid():
            return None
        row, column = self._rows[index.row()], LinkColumn(index.column())
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return self._show(row, column)
            case Qt.ItemDataRole.ToolTipRole:
                return self._explain(row, column)
            case Qt.ItemDataRole.AccessibleTextRole if column is LinkColumn.NUMBER:
                return self.tr("Link {number}, {state}").format(
                    number=self._show(row, column), state=self.describe_state(row)
                )
            case Qt.ItemDataRole.CheckStateRole if column is LinkColumn.NUMBER:
                return self._get_check(row)
            case Qt.ItemDataRole.TextAlignmentRole if column is LinkColumn.OFFSET:
                return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            case _ if role == COLOUR_ROLE and column is LinkColumn.STATE:
                return self._choose_colour(row)
            case _ if role == SEARCH_ROLE:
                return "\n".join((row.url, row.label, row.reason, row.tracked_url, self.describe_state(row)))
            case _ if role == SORT_ROLE:
                in_order = column in (LinkColumn.NUMBER, LinkColumn.OFFSET)
                return index.row() if in_order else self._show(row, column)
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Leave a link alone where its box is cleared, and track it again where it is checked."""
        if role != Qt.ItemDataRole.CheckStateRole or not self.flags(index) & Qt.ItemFlag.ItemIsUserCheckable:
            return False
        self.set_refused([index.row()], Qt.CheckState(value) is not Qt.CheckState.Checked)
        return True

    def _take(self, inspection: Inspection | None) -> None:
        self._bodies = () if inspection is None else inspection.bodies
        self._text = "" if inspection is None else inspection.parsed.text
        self._refused = frozenset() if inspection is None else inspection.wishes.refused
        self._line_starts = {}

    def _merge(self, rows: list[LinkRow], switched: frozenset[tuple[int, int]]) -> None:
        """Go from the rows that are shown to others in the same order, by as little as possible.

        :param switched: links whose boxes show something else now.
        """
        before = {identify(row): row for row in self._rows}
        wanted = {identify(row) for row in rows}
        for number in range(len(self._rows) - 1, -1, -1):
            if identify(self._rows[number]) not in wanted:
                self.beginRemoveRows(_NOWHERE, number, number)
                del self._rows[number]
                self.endRemoveRows()
        for number, row in enumerate(rows):
            if number < len(self._rows) and identify(self._rows[number]) == identify(row):
                continue
            self.beginInsertRows(_NOWHERE, number, number)
            self._rows.insert(number, row)
            self.endInsertRows()
        self._rows = rows
        changed = [
            number
            for number, row in enumerate(rows)
            if before.get(identify(row), row) != row or self._get_switch(row) in switched
        ]
        if changed:
            # Once: each signal costs more than the rows between that are the same.
            self.dataChanged.emit(self.index(changed[0], 0), self.index(changed[-1], len(LinkColumn) - 1))

    def _get_switch(self, row: LinkRow) -> tuple[int, int] | None:
        return (row.body, row.link.index) if row.switchable and row.link is not None else None

    def _get_check(self, row: LinkRow) -> Qt.CheckState:
        switch = self._get_switch(row)
        checked = row.tracked if switch is None else switch not in self._refused
        return Qt.CheckState.Checked if checked else Qt.CheckState.Unchecked

    def _show(self, row: LinkRow, column: LinkColumn) -> str:
        match column:
            case LinkColumn.NUMBER:
                if row.link is None:
                    return "—"
                number = str(row.link.index + 1)
                # Links of plain texts are counted on from those of the HTML.
                return f"{row.body + 1}.{number}" if len(self._bodies) > 1 and row.kind == "click" else number
            case LinkColumn.KIND:
                names = {
                    "click": self.tr("link"),
                    "pixel": self.tr("pixel"),
                    "honeypot": self.tr("hidden"),
                    "text": self.tr("text link"),
                }
                return names[row.kind]
            case LinkColumn.STATE:
                return self.describe_state(row)
            case LinkColumn.URL:
                return shorten(make_visible(row.url)) or "—"
            case LinkColumn.LABEL:
                return shorten(make_visible(" ".join(row.label.split())))
            case LinkColumn.WHY:
                return self.describe_reason(row)
            case LinkColumn.TRACKED_URL:
                return shorten(make_visible(row.tracked_url)) or "—"
            case LinkColumn.OFFSET:
                return f"0x{row.offset:04X}" if _is_placed(row) else "—"

    def _explain(self, row: LinkRow, column: LinkColumn) -> str:
        match column:
            case LinkColumn.NUMBER:
                return make_tooltip(self._explain_box(row))
            case LinkColumn.STATE | LinkColumn.WHY:
                return make_tooltip(capitalise(self.describe_reason(row)))
            case LinkColumn.URL:
                raw = row.link.raw if row.link is not None and row.link.raw != row.url else ""
                return make_tooltip(row.url, self.tr("In the source: {raw}").format(raw=raw) if raw else "")
            case LinkColumn.LABEL:
                return make_tooltip(row.label)
            case LinkColumn.TRACKED_URL:
                return make_tooltip(row.tracked_url)
            case LinkColumn.OFFSET if _is_placed(row):
                line, place = self.get_place(row)
                return make_tooltip(
                    self.tr("Line {line}, column {column}").format(line=f"{line:,}", column=f"{place:,}"),
                    self.tr("Character {offset} of the body").format(offset=f"{row.offset:,}"),
                )
        return ""

    def _explain_box(self, row: LinkRow) -> str:
        if row.kind == "pixel":
            return self.tr("The pixel follows “Opens” in the overrides.")
        if row.kind == "honeypot":
            return self.tr("The hidden link follows the route.")
        if row.switchable:
            return self.tr("Track this link (Space)")
        if row.tracked:
            return self.tr("This link cannot be switched here.")
        return self.tr("Cannot be tracked here: {reason}").format(reason=row.reason)

    def _choose_colour(self, row: LinkRow) -> str:
        theme = get_theme()
        if row.kind in ("pixel", "honeypot"):
            return theme.info if row.tracked else theme.muted
        return theme.good if row.tracked else theme.warn


def _is_placed(row: LinkRow) -> bool:
    """Tell whether a row stands somewhere; a pixel that is not added does not."""
    return row.kind != "pixel" or row.tracked
