"""Counts as a table: what a chart draws, for who would rather read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from mailnod_desktop.models.plain import make_tooltip, make_visible, shorten

__all__ = ["CountsModel"]

Index = QModelIndex | QPersistentModelIndex


class CountsModel(QAbstractTableModel):
    """Rows of a name and of numbers."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._headings: tuple[str, ...] = ()
        self._rows: tuple[tuple[str | int, ...], ...] = ()

    def set_rows(self, headings: Sequence[str], rows: Sequence[tuple[str | int, ...]]) -> None:
        """Show other rows; where only numbers differ, what is selected stays selected.

        :param rows: a name, and then as many cells as there are other headings.
        """
        same = tuple(headings) == self._headings and [row[0] for row in rows] == [row[0] for row in self._rows]
        if same and rows:
            self._rows = tuple(rows)
            self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(headings) - 1))
        elif not same:
            self.beginResetModel()
            self._headings, self._rows = tuple(headings), tuple(rows)
            self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        """Return how many groups there are."""
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index | None = None) -> int:
        """Return how many columns there are."""
        return 0 if parent is not None and parent.isValid() else len(self._headings)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the name of a column."""
        if orientation is not Qt.Orientation.Horizontal or not 0 <= section < len(self._headings):
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._headings[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _align(section)
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a cell."""
        if not index.isValid() or not 0 <= index.row() < len(self._rows):
            return None
        cell = self._rows[index.row()][index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{cell:,}" if isinstance(cell, int) else shorten(make_visible(cell))
        if role == Qt.ItemDataRole.ToolTipRole and isinstance(cell, str):
            return make_tooltip(cell)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _align(index.column())
        return None


def _align(column: int) -> Qt.AlignmentFlag:
    return (Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft) | Qt.AlignmentFlag.AlignVCenter
