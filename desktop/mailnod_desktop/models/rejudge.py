"""Verdicts that would flip, as they are found, all of them or those of one kind."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QCoreApplication, QModelIndex, QObject, QPersistentModelIndex, Qt

from mailnod_desktop.models.plain import make_tooltip, make_visible
from mailnod_desktop.services.explaining_text import name_class
from mailnod_desktop.services.rejudging import Flip, Side
from mailnod_desktop.theme import get_theme
from mailnod_desktop.views.pills import COLOUR_ROLE

__all__ = ["FlipsModel", "GroupsModel", "say_side"]

Index = QModelIndex | QPersistentModelIndex

#: A kind of flip: what it is before, and after. None is all of them.
Group = tuple[Side, Side] | None


def say_side(side: Side) -> str:
    """Return a class of verdicts, and that it counts nowhere where it does not."""
    classification, counted_as = side
    name = name_class(classification)
    return name if counted_as else QCoreApplication.translate("FlipsModel", "{0}, not counted").format(name)


class FlipsModel(QAbstractTableModel):
    """One row for each flip, oldest first."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: list[Flip] = []
        self._by_group: defaultdict[Group, list[Flip]] = defaultdict(list)
        self._group: Group = None
        self._shown = self._all
        self._headings = (
            self.tr("Time (UTC)"),
            self.tr("What"),
            self.tr("Recipient"),
            self.tr("Before"),
            self.tr("After"),
            self.tr("Why"),
        )

    def append(self, flips: Sequence[Flip]) -> None:
        """Add what was found meanwhile."""
        fresh = [flip for flip in flips if self._group in (None, (flip.before, flip.after))]
        if fresh:
            first = len(self._shown)
            self.beginInsertRows(QModelIndex(), first, first + len(fresh) - 1)
        self._all.extend(flips)
        for flip in flips:
            self._by_group[flip.before, flip.after].append(flip)
        if fresh:
            self.endInsertRows()

    def clear(self) -> None:
        """Forget everything."""
        self.beginResetModel()
        self._all.clear()
        self._by_group.clear()
        self._group, self._shown = None, self._all
        self.endResetModel()

    def show_group(self, group: Group) -> None:
        """Show flips of one kind alone.

        :param group: None shows all.
        """
        if group == self._group:
            return
        self.beginResetModel()
        self._group = group
        self._shown = self._all if group is None else self._by_group[group]
        self.endResetModel()

    def get_flip(self, row: int) -> Flip:
        """Return the flip of a row."""
        return self._shown[row]

    def rowCount(self, parent: Index | None = None) -> int:
        """Return how many flips are shown."""
        return 0 if parent is not None and parent.isValid() else len(self._shown)

    def columnCount(self, parent: Index | None = None) -> int:
        """Return how many columns there are."""
        return 0 if parent is not None and parent.isValid() else len(self._headings)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the name of a column."""
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self._headings[section] if 0 <= section < len(self._headings) else None
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a cell."""
        if not index.isValid() or not 0 <= index.row() < len(self._shown):
            return None
        flip, column = self._shown[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._say(flip, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return make_tooltip(*self._list_reasons(flip)) if column == 5 else make_tooltip(self._say(flip, column))
        if role == COLOUR_ROLE and column in (3, 4):
            classification, _ = flip.before if column == 3 else flip.after
            return get_theme().classes[classification]
        return None

    def _say(self, flip: Flip, column: int) -> str:
        if column == 0:
            return f"{flip.occurred_at:%Y-%m-%d %H:%M:%S}"
        if column == 1:
            return self.tr("open") if flip.type == "message.opened" else self.tr("click")
        if column == 2:
            return make_visible(flip.recipient) or self.tr("(shared)")
        if column == 3:
            return say_side(flip.before)
        if column == 4:
            return say_side(flip.after)
        return ", ".join(self._list_reasons(flip))

    def _list_reasons(self, flip: Flip) -> list[str]:
        gained = [f"+ {make_visible(code)} ({weight:+d})" for code, weight in flip.gained]
        lost = [f"- {make_visible(code)}" for code in flip.lost]
        return [*gained, *lost] or [self.tr("the same evidence, weighed otherwise")]


class GroupsModel(QAbstractTableModel):
    """The kinds of flips with how many there are, the most frequent first; the first row is all of them."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[tuple[Group, int]] = [(None, 0)]

    def set_counts(self, counts: Counter[tuple[Side, Side]]) -> None:
        """Show other counts."""
        rows: list[tuple[Group, int]] = [(None, counts.total()), *counts.most_common()]
        if [group for group, _ in rows] == [group for group, _ in self._rows]:
            self._rows = rows
            self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, 2))
            return
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def get_group(self, row: int) -> Group:
        """Return the kind of flips of a row; None for all."""
        return self._rows[row][0]

    def find_row(self, group: Group) -> int:
        """Return the row of a kind of flips; that of all where there is none."""
        return next((row for row, (one, _) in enumerate(self._rows) if one == group), 0)

    def rowCount(self, parent: Index | None = None) -> int:
        """Return how many kinds there are, and one."""
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index | None = None) -> int:
        """Return how many columns there are."""
        return 0 if parent is not None and parent.isValid() else 3

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the name of a column."""
        if orientation is not Qt.Orientation.Horizontal or not 0 <= section < 3:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return (self.tr("Before"), self.tr("After"), self.tr("Flips"))[section]
        return _align(section) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a cell."""
        if not index.isValid() or not 0 <= index.row() < len(self._rows):
            return None
        group, number = self._rows[index.row()]
        column = index.column()
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _align(column)
        if role == Qt.ItemDataRole.DisplayRole:
            if column == 2:
                return f"{number:,}"
            return (self.tr("all flips") if column == 0 else "") if group is None else say_side(group[column])
        if role == COLOUR_ROLE and group is not None and column < 2:
            return get_theme().classes[group[column][0]]
        return None


def _align(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column == 2 else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
