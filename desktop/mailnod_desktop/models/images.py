"""The images of a body as rows of a table: what a reader sees in place of each who sees none."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from mailnod_desktop.models.plain import make_tooltip, make_visible, shorten
from mailnod_desktop.models.words import SORT_ROLE
from mailnod_desktop.services.images import ImageRow
from mailnod_desktop.theme import get_theme
from mailnod_desktop.views.pills import COLOUR_ROLE

__all__ = ["ImageColumn", "ImagesModel"]

Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()


class ImageColumn(IntEnum):
    """What the columns show."""

    NUMBER = 0
    STATE = 1
    SEEN = 2
    SIZE = 3
    SOURCE = 4
    OFFSET = 5


class ImagesModel(QAbstractTableModel):
    """Shows the images of one body, in order."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[ImageRow, ...] = ()

    def set_images(self, rows: tuple[ImageRow, ...]) -> None:
        """Show other images; where there are as many as before, they change where they are."""
        same = len(rows) == len(self._rows)
        if not same:
            self.beginResetModel()
        self._rows = rows
        if not same:
            self.endResetModel()
        elif rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(ImageColumn) - 1))

    def get_row(self, row: int) -> ImageRow:
        """Return the image in a row."""
        return self._rows[row]

    def rowCount(self, parent: Index = _NOWHERE) -> int:
        """Return how many images there are."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = _NOWHERE) -> int:
        """Return how many columns there are."""
        return 0 if parent.isValid() else len(ImageColumn)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the name of a column."""
        if role == Qt.ItemDataRole.TextAlignmentRole and section == ImageColumn.OFFSET:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if orientation is not Qt.Orientation.Horizontal or role != Qt.ItemDataRole.DisplayRole:
            return None
        return (
            self.tr("#"),
            self.tr("Alt text"),
            self.tr("Seen instead"),
            self.tr("Size"),
            self.tr("Source"),
            self.tr("Offset"),
        )[section]

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows, says, or is sorted by."""
        if not index.isValid():
            return None
        row, column = self._rows[index.row()], ImageColumn(index.column())
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return str(index.row() + 1) if column is ImageColumn.NUMBER else self._show(row, column)
            case Qt.ItemDataRole.ToolTipRole:
                full = {ImageColumn.SOURCE: row.src, ImageColumn.STATE: self._judge(row)[2]}
                return make_tooltip(full.get(column, self._show(row, column)))
            case Qt.ItemDataRole.TextAlignmentRole if column is ImageColumn.OFFSET:
                return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            case _ if role == COLOUR_ROLE and column is ImageColumn.STATE:
                return self._judge(row)[1]
            case _ if role == SORT_ROLE:
                return row.start if column in (ImageColumn.NUMBER, ImageColumn.OFFSET) else self._show(row, column)
        return None

    def _show(self, row: ImageRow, column: ImageColumn) -> str:
        match column:
            case ImageColumn.STATE:
                return self._judge(row)[0]
            case ImageColumn.SEEN:
                return self._describe_seen(row)
            case ImageColumn.SIZE:
                if row.width is None and row.height is None:
                    return self.tr("not given")
                sides = ("?" if side is None else str(side) for side in (row.width, row.height))
                return self.tr("{} by {}").format(*sides)
            case ImageColumn.SOURCE:
                return shorten(make_visible(row.src))
            case ImageColumn.OFFSET:
                return f"0x{row.start:04X}"
        return ""

    def _judge(self, row: ImageRow) -> tuple[str, str, str]:
        """Return in few words how well the text of an image stands in for it, a colour, and a sentence."""
        theme = get_theme()
        if row.is_ours:
            return self.tr("open pixel"), theme.info, self.tr("The pixel by which opens are seen; nobody misses it.")
        if row.is_tiny:
            return self.tr("not seen"), theme.muted, self.tr("Too small or hidden: nobody misses it.")
        if row.alt is None:
            return self.tr("missing"), theme.bad, self.tr("Without an alt text some readers say the URL instead.")
        if row.says_something:
            return self.tr("says it"), theme.good, self.tr("The text tells what the image shows.")
        if not row.alt.strip():
            return self.tr("decoration"), theme.muted, self.tr("An empty alt text says that the image is decoration.")
        return self.tr("says little"), theme.warn, self.tr("The name of a file, or a word that says no more.")

    def _describe_seen(self, row: ImageRow) -> str:
        if row.is_ours or row.is_tiny:
            return self.tr("nothing")
        text = shorten(make_visible(" ".join((row.alt or "").split())))
        if text:
            return f"“{text}”"
        if row.alt is None:
            return self.tr("an empty box, or a mark that something is missing")
        return self.tr("an empty space")
