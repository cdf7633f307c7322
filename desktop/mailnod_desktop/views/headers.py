"""The head of a mail: each field with what Mailnod makes of it, or the bytes as they came."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QSettings
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QPlainTextEdit,
    QStackedWidget,
    QWidget,
)

from mailnod_desktop.models.headers import HeaderColumn, HeadersModel, read_raw_head
from mailnod_desktop.models.words import WordsFilter
from mailnod_desktop.services.model import Inspection
from mailnod_desktop.views.controls import FilterBox, IconButton, lay_out_below_bar, make_label
from mailnod_desktop.views.tables import HintTable, StateDelegate, make_source_font, remember_columns, set_widths

__all__ = ["HeadersView"]


class HeadersView(QWidget):
    """Shows the fields of a mail's head.

    :param settings: where the widths of the columns are remembered.
    """

    def __init__(self, settings: QSettings | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("headers")
        self._inspection: Inspection | None = None
        self._model = HeadersModel(self)
        self._shown = WordsFilter(self._model, self)
        self._counts = make_label(muted=True)
        self._filter = FilterBox(self.tr("Filter headers"), self.tr("Filter by name or value"))
        self._source = IconButton("code-tags", self.tr("Source"))
        self._source.setCheckable(True)
        self._source.setToolTip(self.tr("Show the head as it came, byte for byte"))
        self._table = HintTable("headers_table", self.tr("Headers of the mail"))
        self._raw = QPlainTextEdit()
        self._raw.setReadOnly(True)
        self._raw.setFrameShape(QFrame.Shape.NoFrame)
        self._raw.setFont(make_source_font())
        self._raw.setAccessibleName(self.tr("Source of the headers"))
        self._pages = QStackedWidget()
        self._pages.addWidget(self._table)
        self._pages.addWidget(self._raw)
        self._set_up_table()
        remember_columns(settings, self._table)
        lay_out_below_bar(self, self._pages, wide=(self._counts, self._filter), narrow=(self._source,))
        self._filter.textChanged.connect(self._shown.set_text)
        self._source.toggled.connect(self._switch_source)
        self.set_inspection(None)

    @property
    def table(self) -> HintTable:
        """The table itself."""
        return self._table

    @property
    def source_text(self) -> str:
        """The head as it came, as far as it is shown."""
        return self._raw.toPlainText()

    def set_inspection(self, inspection: Inspection | None) -> None:
        """Show the head of another mail, or nothing."""
        before, self._inspection = self._inspection, inspection
        self._model.set_parsed(None if inspection is None else inspection.parsed)
        if inspection is None:
            hint = self.tr("Open a mail to see its headers.")
        elif inspection.parsed.mail.form == "html":
            hint = self.tr("A bare HTML file has no headers.")
        else:
            hint = self.tr("No header holds these words.") if self._model.rowCount() else self.tr("No headers.")
        self._table.set_hint(hint)
        self._source.setEnabled(self._model.rowCount() > 0)
        self._describe()
        if before is None or inspection is None or before.parsed.mail is not inspection.parsed.mail:
            self._show_source()

    def show_source(self, shown: bool) -> None:
        """Show the head as it came, or its fields."""
        self._source.setChecked(shown)

    def copy_selected(self) -> None:
        """Copy the selected fields, one a line, as they are read."""
        rows = sorted(self._table.selectionModel().selectedRows(), key=QModelIndex.row)
        fields = [self._model.get_row(self._shown.mapToSource(index).row()) for index in rows]
        if fields:
            QGuiApplication.clipboard().setText("\n".join(f"{name}: {value}" for name, value in fields))

    def _set_up_table(self) -> None:
        table = self._table
        table.setModel(self._shown)
        table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        table.setItemDelegateForColumn(HeaderColumn.NOTE, StateDelegate(table))
        table.make_sortable()
        set_widths(table, (26, 24, 60))
        table.copy_requested.connect(self.copy_selected)

    def _switch_source(self, shown: bool) -> None:
        self._pages.setCurrentWidget(self._raw if shown else self._table)
        self._filter.setEnabled(not shown)
        self._show_source()

    def _show_source(self) -> None:
        """Read the head only where it is looked at."""
        if self._pages.currentWidget() is self._raw:
            mail = None if self._inspection is None else self._inspection.parsed.mail
            self._raw.setPlainText("" if mail is None or mail.form == "html" else read_raw_head(mail.data))

    def _describe(self) -> None:
        total, own = self._model.rowCount(), self._model.count_own()
        counts = self.tr("1 header") if total == 1 else self.tr("{n} headers").format(n=f"{total:,}")
        if own:
            counts += self.tr(", {n} of them removed before it leaves").format(n=own)
        self._counts.setText(counts if total else "")
        self._table.setAccessibleDescription(self._counts.text())
