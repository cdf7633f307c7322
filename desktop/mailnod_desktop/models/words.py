"""Leave the rows that hold all words of a filter."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, QSortFilterProxyModel, Qt

__all__ = ["SEARCH_ROLE", "SORT_ROLE", "WordsFilter"]

#: What a cell is sorted by, where that is not what it shows.
SORT_ROLE = Qt.ItemDataRole.UserRole + 41
#: All text of a row, answered for its first column, where a filter is to look at more or less than what is shown.
SEARCH_ROLE = Qt.ItemDataRole.UserRole + 42


class WordsFilter(QSortFilterProxyModel):
    """Shows the rows in which each word of the filter stands, in any column and in any case."""

    def __init__(self, source: QAbstractItemModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._words: tuple[str, ...] = ()
        self.setSortRole(SORT_ROLE)
        self.setSourceModel(source)

    @property
    def words(self) -> tuple[str, ...]:
        """The words of the filter, in lower case."""
        return self._words

    def set_text(self, text: str) -> None:
        """Filter by the words of a text; an empty one shows every row."""
        words = tuple(text.casefold().split())
        if words != self._words:
            self._words = words
            # The pattern is not looked at; to set one filters afresh, in every version of Qt.
            self.setFilterFixedString(" ".join(words))

    def filterAcceptsRow(self, row: int, parent: QModelIndex | QPersistentModelIndex) -> bool:
        """Tell whether all words stand in a row."""
        if not self._words:
            return True
        source = self.sourceModel()
        whole: Any = source.index(row, 0, parent).data(SEARCH_ROLE)
        if whole is None:
            cells = (source.index(row, column, parent).data() for column in range(source.columnCount(parent)))
            whole = "\n".join(str(cell) for cell in cells if cell is not None)
        whole = whole.casefold()
        return all(word in whole for word in self._words)
