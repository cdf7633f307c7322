"""The table of events: what can be done with its rows, and where it stands while new ones come in."""

from __future__ import annotations

from PySide6.QtCore import (
    QByteArray,
    QItemSelection,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSettings,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QAction, QFontMetrics, QGuiApplication, QKeyEvent, QKeySequence, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QMenu, QPushButton, QTableView, QWidget

from mailnod_desktop.models.event_cells import CLASS, COLUMNS
from mailnod_desktop.models.events import EventTable
from mailnod_desktop.services.event_reader import EventReader, Row
from mailnod_desktop.tasks import Tasks
from mailnod_desktop.theme import make_mono_font
from mailnod_desktop.views.pills import PillDelegate

__all__ = ["EventsTable"]

_WIDTHS = "events/columns"
#: So many rows can be copied at once.
_MOST_COPIED = 10_000


class EventsTable(QTableView):
    """Shows a model of events.

    :param tasks: reads rows that are copied and not in sight.
    :param settings: where the widths of columns are kept.
    """

    #: The :class:`Row` that is current, or None.
    row_selected = Signal(object)
    #: A field and a value that somebody wants to see alone.
    term_wanted = Signal(str, str)
    #: The :class:`Row` that somebody wants explained.
    explain_wanted = Signal(object)
    #: How many rows were copied.
    copied = Signal(int)

    def __init__(self, model: EventTable, tasks: Tasks, settings: QSettings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._events, self._tasks, self._settings = model, tasks, settings
        self._reader: EventReader | None = None
        #: The slot of the current event, which outlives a new list.
        self._slot: int | None = None
        self._told: Row | None = None
        self.setObjectName("events-table")
        # As far from the edge as the headings are.
        self.setStyleSheet("QTableView#events-table::item { padding: 0 5px; border: 0; }")
        self.setAccessibleName(self.tr("Events, newest first"))
        self.setModel(model)
        self.setItemDelegateForColumn(CLASS, PillDelegate(self))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setAlternatingRowColors(True)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setCornerButtonEnabled(False)
        # Where two scroll bars meet, some styles leave a box of another colour.
        self.setCornerWidget(QWidget(self))
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._open_menu)
        self.doubleClicked.connect(self._explain)
        self._set_sizes()
        self.new_button = QPushButton(self)
        self.new_button.setObjectName("events-new")
        self.new_button.setCursor(Qt.CursorShape.PointingHandCursor)
        self.new_button.setDefault(True)
        self.new_button.setToolTip(self.tr("Go to the newest events"))
        self.new_button.clicked.connect(self.scrollToTop)
        self.new_button.hide()
        copy = QAction(self.tr("Copy"), self)
        copy.setShortcut(QKeySequence.StandardKey.Copy)
        copy.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        copy.triggered.connect(self.copy_rows)
        self.addAction(copy)
        model.waiting_changed.connect(self._show_waiting)
        model.dataChanged.connect(self._take_change)
        model.modelReset.connect(self._look_again)
        model.rowsInserted.connect(self._take_rows)
        self.verticalScrollBar().valueChanged.connect(self._look)
        self._look_timer = QTimer(self, singleShot=True, interval=0)
        self._look_timer.timeout.connect(self._look)

    def set_reader(self, reader: EventReader | None) -> None:
        """Say where the rows come from; another store has other events."""
        if reader is not self._reader:
            self._slot = None
        self._reader = reader

    def get_current(self) -> Row | None:
        """Return the current event; None where there is none, or it is not read yet."""
        index = self.currentIndex()
        return self._events.get_row(index.row()) if index.isValid() else None

    def copy_rows(self) -> None:
        """Copy the selected rows, with the names of the columns, as spreadsheets read them."""
        reader, slots = self._reader, [self._events.get_slot(row) for row in self._list_selected()]
        if reader is not None and slots:
            self._tasks.start("events copy", lambda _: reader.get_rows(slots), self._copy)

    def save_widths(self) -> None:
        """Keep the widths and the order of the columns."""
        self._settings.setValue(_WIDTHS, self.horizontalHeader().saveState())

    def selectionChanged(self, selected: QItemSelection, deselected: QItemSelection) -> None:
        """Tell of the current event."""
        super().selectionChanged(selected, deselected)
        self._tell()

    def currentChanged(
        self, current: QModelIndex | QPersistentModelIndex, previous: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Remember which event is current, wherever it moves."""
        super().currentChanged(current, previous)
        if current.isValid():
            self._slot = self._events.get_slot(current.row())
        self._tell()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the button in the middle."""
        super().resizeEvent(event)
        self._place_button()
        self._look_timer.start()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Explain the current event on Return."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self._explain(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def sizeHintForColumn(self, column: int) -> int:
        """Return the width that a column needs for what is in sight, and no more than it is worth."""
        return min(super().sizeHintForColumn(column), 3 * self._guess_width(column))

    def _set_sizes(self) -> None:
        rows = self.verticalHeader()
        rows.hide()
        rows.setMinimumSectionSize(18)
        # Of a million rows none is measured.
        rows.setSectionResizeMode(rows.ResizeMode.Fixed)
        rows.setDefaultSectionSize(self.fontMetrics().height() + 11)
        columns = self.horizontalHeader()
        columns.setHighlightSections(False)
        columns.setSectionsMovable(True)
        columns.setStretchLastSection(True)
        columns.setAccessibleName(self.tr("Columns of events"))
        kept = self._settings.value(_WIDTHS)
        if not isinstance(kept, QByteArray) or not columns.restoreState(kept) or columns.count() != len(COLUMNS):
            for number in range(len(COLUMNS)):
                self.setColumnWidth(number, self._guess_width(number))

    def _guess_width(self, number: int) -> int:
        column = COLUMNS[number]
        metrics = QFontMetrics(make_mono_font()) if column.mono else self.fontMetrics()
        header = self.horizontalHeader().fontMetrics().horizontalAdvance(column.name) + 24
        # Letters are narrower than what a font calls its average, but for fonts of one width.
        return max(round(metrics.averageCharWidth() * column.width * (1 if column.mono else 0.85)) + 16, header)

    def _list_selected(self) -> list[int]:
        rows: list[int] = []
        for part in self.selectionModel().selection().toList():
            rows += range(part.top(), min(part.bottom() + 1, part.top() + _MOST_COPIED))
        return sorted(set(rows))[:_MOST_COPIED]

    def _copy(self, rows: list[Row]) -> None:
        lines = ["\t".join([column.name for column in COLUMNS])]
        lines += ["\t".join(_flatten(column.read(row)) for column in COLUMNS) for row in rows]
        QGuiApplication.clipboard().setText("\n".join(lines) + "\n")
        self.copied.emit(len(rows))

    def _open_menu(self, at: QPoint) -> None:
        menu = self.make_menu(self.indexAt(at))
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.viewport().mapToGlobal(at))

    def make_menu(self, index: QModelIndex) -> QMenu:
        """Return what can be done with an event and those that are selected."""
        menu = QMenu(self)
        row = self._events.get_row(index.row()) if index.isValid() else None
        if row is not None:
            explain = menu.addAction(self.tr("Explain the verdict"))
            explain.triggered.connect(lambda: self.explain_wanted.emit(row))
            menu.addSeparator()
            for title, field, value in self._list_terms(row):
                shown = value if len(value) <= 48 else f"{value[:47]}…"
                action = menu.addAction(f"{title}: {shown}".replace("&", "&&"))
                action.triggered.connect(lambda _=False, f=field, v=value: self.term_wanted.emit(f, v))
            menu.addSeparator()
            copy_id = menu.addAction(self.tr("Copy id"))
            copy_id.triggered.connect(lambda: QGuiApplication.clipboard().setText(row.id.hex()))
        copy = menu.addAction(self.tr("Copy rows"))
        copy.setEnabled(self.selectionModel().hasSelection())
        copy.triggered.connect(self.copy_rows)
        return menu

    def _list_terms(self, row: Row) -> list[tuple[str, str, str]]:
        wanted = [
            (self.tr("Only this recipient"), "rcpt", row.recipient),
            (self.tr("Only this class"), "class", row.classification.value),
            (self.tr("Without this class"), "-class", row.classification.value),
            (self.tr("Only this campaign"), "campaign", row.campaign),
            (self.tr("Only this message"), "message", row.message_id),
            (self.tr("Only this client"), "client", row.client),
            (self.tr("Only this destination"), "link", row.url and row.url.partition("#")[0].partition("?")[0]),
        ]
        return [(title, field, value) for title, field, value in wanted if value]

    def _explain(self, index: QModelIndex) -> None:
        row = self._events.get_row(index.row())
        if row is not None:
            self.explain_wanted.emit(row)

    def _look(self) -> None:
        """Tell the model what is in sight, and let new events in while the newest are."""
        self._events.set_holding(self.verticalScrollBar().value() > 0)
        first, last = self.rowAt(0), self.rowAt(self.viewport().height() - 1)
        self._events.set_visible(max(first, 0), self._events.rowCount() - 1 if last < 0 else last)

    def _look_again(self) -> None:
        self._look_timer.start()
        self._tell()

    def _take_rows(self) -> None:
        self._look_timer.start()
        if self._slot is not None and not self.currentIndex().isValid():
            row = self._events.find_row(self._slot)
            if row < self._events.rowCount() and self._events.get_slot(row) == self._slot:
                self.selectRow(row)

    def _take_change(self, first: QModelIndex, last: QModelIndex) -> None:
        if first.row() <= self.currentIndex().row() <= last.row():
            self._tell()

    def _tell(self) -> None:
        row = self.get_current() if self.selectionModel().hasSelection() else None
        if row != self._told:
            self._told = row
            self.row_selected.emit(row)

    def _show_waiting(self, count: int) -> None:
        self.new_button.setVisible(count > 0)
        self.new_button.setText(self.tr("↑ {count} new").format(count=f"{count:,}"))
        self.new_button.setAccessibleName(self.tr("Show {count} new events").format(count=count))
        self._place_button()

    def _place_button(self) -> None:
        size = self.new_button.sizeHint()
        left = (self.viewport().width() - size.width()) // 2
        self.new_button.setGeometry(QRect(QPoint(left, self.horizontalHeader().height() + 8), size))


def _flatten(text: str) -> str:
    """Return a text that stays in its cell: a hostile subject may hold tabs and line breaks, or begin a formula."""
    flat = " ".join(text.split())
    return f"'{flat}" if flat[:1] in ("=", "+", "-", "@") else flat
