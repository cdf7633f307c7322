"""Tables as every view of the inspector has them: rows to pick, a sentence where there are none, widths that last."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QByteArray, QModelIndex, QPersistentModelIndex, QRect, QSettings, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QIcon, QKeyEvent, QKeySequence, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QTreeView,
    QWidget,
)

from mailnod_desktop.theme import get_theme, make_mono_font
from mailnod_desktop.views.pills import PillDelegate

__all__ = [
    "CellDelegate",
    "HintList",
    "HintTable",
    "HintTree",
    "MonoDelegate",
    "StateDelegate",
    "make_source_font",
    "remember_columns",
    "set_widths",
]

_ROW_PADDING = 9
_SIDE_PADDING = 5


class HintTable(QTableView):
    """A table of rows that says in its middle why it is empty.

    Return or a double click chooses a row, Ctrl+C asks for a copy and Space for a toggle of what is selected.
    """

    chosen = Signal(QModelIndex)
    copy_requested = Signal()
    toggle_requested = Signal()

    def __init__(self, name: str, accessible_name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._hint = ""
        self.setObjectName(name)
        self.setAccessibleName(accessible_name)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setAlternatingRowColors(True)
        self.setItemDelegate(CellDelegate(self))
        self.setTabKeyNavigation(False)
        self.setCornerButtonEnabled(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        rows = self.verticalHeader()
        rows.hide()
        rows.setMinimumSectionSize(18)
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setDefaultSectionSize(self.fontMetrics().height() + _ROW_PADDING)
        columns = self.horizontalHeader()
        columns.setHighlightSections(False)
        columns.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        columns.setStretchLastSection(True)
        columns.setMinimumSectionSize(36)
        self.doubleClicked.connect(self.chosen)

    @property
    def hint(self) -> str:
        """What is said where there are no rows."""
        return self._hint

    def set_hint(self, text: str) -> None:
        """Say why there are no rows, where there are none."""
        self._hint = text
        self.viewport().update()

    def make_sortable(self) -> None:
        """Let a click on a heading sort; a third one returns to the order of the model, which is that at first."""
        header = self.horizontalHeader()
        header.setSortIndicatorClearable(True)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the rows, or why there are none."""
        super().paintEvent(event)
        _draw_hint(self, self._hint)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Choose, copy or toggle by keys."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy_requested.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self.chosen.emit(self.currentIndex())
        elif event.key() == Qt.Key.Key_Space and not event.modifiers():
            self.toggle_requested.emit()
        else:
            super().keyPressEvent(event)


class HintTree(QTreeView):
    """A tree of rows that says in its middle why it is empty."""

    copy_requested = Signal()

    def __init__(self, name: str, accessible_name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._hint = ""
        self.setObjectName(name)
        self.setAccessibleName(accessible_name)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setItemDelegate(CellDelegate(self))
        self.setUniformRowHeights(True)
        self.setAlternatingRowColors(True)
        self.setAllColumnsShowFocus(True)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.header().setStretchLastSection(True)

    def set_hint(self, text: str) -> None:
        """Say why there are no rows, where there are none."""
        self._hint = text
        self.viewport().update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the rows, or why there are none."""
        super().paintEvent(event)
        _draw_hint(self, self._hint)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy by keys."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy_requested.emit()
        else:
            super().keyPressEvent(event)


class HintList(QListView):
    """A list of tall rows that says in its middle why it is empty."""

    chosen = Signal(QModelIndex)
    copy_requested = Signal()

    def __init__(self, name: str, accessible_name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._hint = ""
        self.setObjectName(name)
        self.setAccessibleName(accessible_name)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.doubleClicked.connect(self.chosen)

    @property
    def hint(self) -> str:
        """What is said where there are no rows."""
        return self._hint

    def set_hint(self, text: str) -> None:
        """Say why there are no rows, where there are none."""
        self._hint = text
        self.viewport().update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the rows, or why there are none."""
        super().paintEvent(event)
        _draw_hint(self, self._hint)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Choose or copy by keys."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy_requested.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self.chosen.emit(self.currentIndex())
        else:
            super().keyPressEvent(event)


class CellDelegate(QStyledItemDelegate):
    """Draws a cell with room at its sides, as the headings have it."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw the ground over the whole cell, and what it says in the middle of it."""
        self.initStyleOption(option, index)
        lit = QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_Active
        if not option.icon.isNull() and option.state & lit == lit:
            option.icon = _recolour(option.icon, option)
        widget = option.widget
        widget.style().drawPrimitive(QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter, widget)
        option.rect = option.rect.adjusted(_SIDE_PADDING, 0, -_SIDE_PADDING, 0)
        widget.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, widget)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Leave room on all sides."""
        size = super().sizeHint(option, index)
        return QSize(size.width() + 2 * _SIDE_PADDING, max(size.height(), option.fontMetrics.height() + _ROW_PADDING))


class MonoDelegate(CellDelegate):
    """Draws URLs, tokens and offsets in a fixed pitch, shortened in their middle."""

    def __init__(self, parent: QWidget | None = None, *, muted: bool = False) -> None:
        super().__init__(parent)
        self._font: QFont = make_source_font()
        self._muted = muted

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        """Take the font, and keep both ends of what is too long."""
        super().initStyleOption(option, index)
        option.font = self._font
        option.textElideMode = Qt.TextElideMode.ElideMiddle
        if self._muted:
            option.palette.setColor(option.palette.ColorRole.Text, QColor(get_theme().muted))


class StateDelegate(PillDelegate, CellDelegate):
    """Draws states as pills, and cells without one as every other cell."""


def make_source_font(size: float = 9.0) -> QFont:
    """Return the font for source and URLs: that of fixed pitch, with every character drawn by itself."""
    font = make_mono_font(size)
    # Ligatures draw "-->" as an arrow, which is not what stands there.
    for feature in ("calt", "liga"):
        font.setFeature(QFont.Tag(feature), 0)
    return font


def set_widths(view: HintTable | HintTree, widths: Sequence[int]) -> None:
    """Give columns their first widths, in average characters."""
    header = view.horizontalHeader() if isinstance(view, QTableView) else view.header()
    character = view.fontMetrics().averageCharWidth()
    for column, width in enumerate(widths):
        header.resizeSection(column, width * character + 16)


def remember_columns(settings: QSettings | None, view: QTableView | QTreeView) -> None:
    """Make the columns of a view as wide as they were last, and write down each change, under the view's name.

    :param settings: None remembers nothing. What was written for other columns is ignored.
    """
    if settings is None:
        return
    header = view.horizontalHeader() if isinstance(view, QTableView) else view.header()
    key = f"columns/{view.objectName()}"
    state, count, before = settings.value(key), header.count(), header.saveState()
    if isinstance(state, QByteArray) and (not header.restoreState(state) or header.count() != count):
        header.restoreState(before)

    def write() -> None:
        settings.setValue(key, header.saveState())

    header.sectionResized.connect(write)
    header.sortIndicatorChanged.connect(write)


def _recolour(picture: QIcon, option: QStyleOptionViewItem) -> QIcon:
    """Return an icon in the colour that text has on a selected row."""
    pixmap = picture.pixmap(option.decorationSize)
    painter = QPainter(pixmap)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceIn)
    painter.fillRect(pixmap.rect(), option.palette.color(option.palette.ColorRole.HighlightedText))
    painter.end()
    return QIcon(pixmap)


def _draw_hint(view: QAbstractItemView, hint: str) -> None:
    model = view.model()
    if not hint or (model is not None and model.rowCount() > 0):
        return
    painter = QPainter(view.viewport())
    painter.setPen(QColor(get_theme().muted))
    area: QRect = view.viewport().rect().adjusted(24, 12, -24, -12)
    painter.drawText(area, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, hint)
    painter.end()
