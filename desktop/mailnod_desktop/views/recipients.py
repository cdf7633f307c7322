"""Who gets a mail, those in the envelope alone too, and what tracking makes of the copy of each."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QSettings, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from mailnod_desktop.models.recipients import RecipientColumn, RecipientsModel
from mailnod_desktop.models.words import WordsFilter
from mailnod_desktop.services.model import Inspection
from mailnod_desktop.views.controls import FilterBox, IconButton, lay_out_below_bar, make_label
from mailnod_desktop.views.tables import HintTable, MonoDelegate, StateDelegate, remember_columns, set_widths

__all__ = ["RecipientsView"]


class RecipientsView(QWidget):
    """Shows the recipients of a mail, and lets a person look at the copy of one.

    :param settings: where the widths of the columns are remembered.
    """

    #: The address whose copy a person wants to see; None for the copy that all share.
    recipient_chosen = Signal(object)

    def __init__(self, settings: QSettings | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("recipients")
        self._inspection: Inspection | None = None
        self._model = RecipientsModel(self)
        self._shown = WordsFilter(self._model, self)
        self._counts = make_label(muted=True)
        self._filter = FilterBox(self.tr("Filter recipients"), self.tr("Filter by address or state"), width=260)
        self._own = IconButton("account-eye-outline", self.tr("Show this copy"))
        self._own.setToolTip(self.tr("Show the mail as the selected recipient gets it (Return)"))
        self._shared = IconButton("account-group-outline", self.tr("Show the shared copy"))
        self._shared.setToolTip(self.tr("Show the one copy that all recipients share"))
        self._table = HintTable("recipients_table", self.tr("Recipients of the mail"))
        self._table.setModel(self._shown)
        self._table.setItemDelegateForColumn(RecipientColumn.STATE, StateDelegate(self._table))
        self._table.setItemDelegateForColumn(RecipientColumn.WAY, StateDelegate(self._table))
        self._table.setItemDelegateForColumn(RecipientColumn.TOKEN, MonoDelegate(self._table))
        self._table.make_sortable()
        set_widths(self._table, (32, 22, 13, 16, 36, 40))
        remember_columns(settings, self._table)
        lay_out_below_bar(self, self._table, wide=(self._counts, self._filter), narrow=(self._own, self._shared))
        self._filter.textChanged.connect(self._shown.set_text)
        self._own.clicked.connect(lambda: self._choose(self._table.currentIndex()))
        self._shared.clicked.connect(lambda: self.recipient_chosen.emit(None))
        self._table.chosen.connect(self._choose)
        self._table.copy_requested.connect(self._copy)
        self._table.selectionModel().currentRowChanged.connect(self._enable)
        self.set_inspection(None)

    @property
    def table(self) -> HintTable:
        """The table itself."""
        return self._table

    @property
    def counts_text(self) -> str:
        """How many recipients there are, and how many of them no header names."""
        return self._counts.text()

    def set_inspection(self, inspection: Inspection | None) -> None:
        """Show the recipients of another inspection, or none."""
        self._inspection = inspection
        self._model.set_inspection(inspection)
        total = self._model.rowCount()
        hidden = sum(row.way == "envelope" for row in self._model.rows)
        counts = self.tr("1 recipient") if total == 1 else self.tr("{n} recipients").format(n=f"{total:,}")
        if hidden:
            counts += self.tr(", {n} in the envelope only").format(n=f"{hidden:,}")
        self._counts.setText(counts if total else "")
        if inspection is None:
            hint = self.tr("Open a mail to see its recipients.")
        elif total:
            hint = self.tr("No recipient fits these words.")
        else:
            hint = self.tr("This mail names no recipients.")
        self._table.set_hint(hint)
        self._enable()

    def _enable(self) -> None:
        self._own.setEnabled(self._table.currentIndex().isValid())
        self._shared.setEnabled(self._inspection is not None and self._inspection.wishes.recipient is not None)

    def _choose(self, index: QModelIndex) -> None:
        if index.isValid():
            row = self._model.get_row(self._shown.mapToSource(index).row())
            self.recipient_chosen.emit(row.address)

    def _copy(self) -> None:
        index = self._table.currentIndex()
        if index.isValid():
            row = self._model.get_row(self._shown.mapToSource(index).row())
            QGuiApplication.clipboard().setText(
                row.token if index.column() == RecipientColumn.TOKEN and row.token else row.address
            )
