"""The table of links: what becomes of each and why, with a box that overrides it at once."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPoint, QSettings, Qt, Signal
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QAbstractItemView, QMenu, QWidget

from mailnod_desktop.models.links import LinkColumn, LinksModel
from mailnod_desktop.models.words import WordsFilter
from mailnod_desktop.services.model import Inspection, LinkRow
from mailnod_desktop.theme import icon
from mailnod_desktop.views.bodiless import explain_no_html, knows_text
from mailnod_desktop.views.checks import CheckDelegate
from mailnod_desktop.views.controls import FilterBox, lay_out_below_bar, make_label
from mailnod_desktop.views.tables import HintTable, MonoDelegate, StateDelegate, remember_columns, set_widths

__all__ = ["LinksView"]


class LinksView(QWidget):
    """Shows the links of a mail, and lets a person leave some of them alone.

    :param settings: where the widths of the columns are remembered.
    """

    #: The links that are left alone now, as :attr:`Wishes.refused` has them.
    refused_changed = Signal(object)
    #: The :class:`LinkRow` that a person went to.
    link_selected = Signal(object)
    #: The :class:`LinkRow` that a person wants to see elsewhere, or to try.
    show_in_preview = Signal(object)
    show_in_diff = Signal(object)
    simulate = Signal(object)

    def __init__(self, settings: QSettings | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("links")
        self._quiet = False
        self._inspection: Inspection | None = None
        self._model = LinksModel(self)
        self._shown = WordsFilter(self._model, self)
        self._filter = FilterBox(self.tr("Filter links"), self.tr("Filter by URL, text or reason"))
        self._filter.setObjectName("links_filter")
        self._counts = make_label(muted=True)
        self._table = HintTable("links_table", self.tr("Links of the mail"))
        self._set_up_table()
        remember_columns(settings, self._table)
        lay_out_below_bar(self, self._table, wide=(self._counts, self._filter))
        self._filter.textChanged.connect(self._apply_filter)
        self._model.refused_changed.connect(self.refused_changed)
        self._model.refused_changed.connect(self._describe)
        self._describe()

    @property
    def table(self) -> HintTable:
        """The table itself."""
        return self._table

    @property
    def model(self) -> LinksModel:
        """The links, before the filter."""
        return self._model

    @property
    def counts_text(self) -> str:
        """How many links there are and what becomes of them."""
        return self._counts.text()

    def set_inspection(self, inspection: Inspection | None) -> None:
        """Show another inspection; of the same mail, selection and place stay."""
        self._inspection = inspection
        self._quiet = True
        self._model.set_inspection(inspection)
        self._quiet = False
        self._describe()

    def select_link(self, body: int, index: int | None) -> None:
        """Go to a link without saying so to others; None goes to the pixel."""
        row = self._model.find(body, index)
        if row is None:
            return
        cell = self._shown.mapFromSource(self._model.index(row, LinkColumn.URL))
        if not cell.isValid():
            self._filter.clear()
            cell = self._shown.mapFromSource(self._model.index(row, LinkColumn.URL))
        self._quiet = True
        self._table.setCurrentIndex(cell)
        self._table.scrollTo(cell.siblingAtColumn(LinkColumn.NUMBER))
        self._quiet = False

    def get_selected(self) -> list[LinkRow]:
        """Return the links that are selected, in the order in which they are shown."""
        return [self._model.get_row(row) for row in self._get_source_rows()]

    def toggle_selected(self) -> None:
        """Leave the selected links alone, or track them again: all as the current one would be."""
        current = self._table.currentIndex()
        if not current.isValid():
            return
        box = current.siblingAtColumn(LinkColumn.NUMBER)
        checked = Qt.CheckState(box.data(Qt.ItemDataRole.CheckStateRole)) is Qt.CheckState.Checked
        self._model.set_refused(self._get_source_rows(), checked)

    def copy_selected(self, *, tracked: bool = False) -> None:
        """Copy the URLs of the selected links, one a line."""
        urls = [row.tracked_url if tracked else row.url for row in self.get_selected()]
        if any(urls):
            QGuiApplication.clipboard().setText("\n".join(url for url in urls if url))

    def make_menu(self) -> QMenu:
        """Return the menu for the links that are selected."""
        menu, rows = QMenu(self), self.get_selected()
        one = rows[0] if len(rows) == 1 else None

        def add(text: str, name: str, enabled: bool) -> QAction:
            action = menu.addAction(icon(name), text)
            action.setEnabled(enabled)
            return action

        copy = add(self.tr("Copy original URL"), "content-copy", any(row.url for row in rows))
        copy.setShortcut("Ctrl+C")
        copy.triggered.connect(lambda _=False: self.copy_selected())
        copy = add(self.tr("Copy tracked URL"), "link-variant", any(row.tracked_url for row in rows))
        copy.triggered.connect(lambda: self.copy_selected(tracked=True))
        menu.addSeparator()
        for text, name, signal in (
            (self.tr("Show in preview"), "eye-outline", self.show_in_preview),
            (self.tr("Show in source diff"), "vector-difference", self.show_in_diff),
        ):
            add(text, name, one is not None).triggered.connect(lambda _=False, s=signal: s.emit(one))
        text = self.tr("Simulate an open") if one and one.kind == "pixel" else self.tr("Simulate a click")
        may_simulate = one is not None and bool(one.tracked_url or one.kind == "pixel")
        add(text, "play-circle-outline", may_simulate).triggered.connect(lambda: self.simulate.emit(one))
        menu.addSeparator()
        toggle = add(self.tr("Track or leave alone"), "checkbox-outline", any(row.switchable for row in rows))
        toggle.setShortcut("Space")
        toggle.triggered.connect(self.toggle_selected)
        every = range(self._model.rowCount())
        track = add(self.tr("Track every link that may be"), "checkbox-multiple-outline", bool(self._model.refused))
        track.triggered.connect(lambda: self._model.set_refused(every, False))
        leave = add(self.tr("Leave every link alone"), "checkbox-multiple-blank-outline", self._may_refuse_more())
        leave.triggered.connect(lambda: self._model.set_refused(every, True))
        return menu

    def _set_up_table(self) -> None:
        table = self._table
        table.setModel(self._shown)
        table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        table.make_sortable()
        table.setItemDelegateForColumn(LinkColumn.NUMBER, CheckDelegate(table))
        table.setItemDelegateForColumn(LinkColumn.STATE, StateDelegate(table))
        mono = MonoDelegate(table)
        for column in (LinkColumn.URL, LinkColumn.OFFSET):
            table.setItemDelegateForColumn(column, mono)
        table.setItemDelegateForColumn(LinkColumn.TRACKED_URL, MonoDelegate(table, muted=True))
        set_widths(table, (6, 6, 10, 38, 17, 22, 8, 12))
        table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        table.customContextMenuRequested.connect(self._open_menu)
        table.copy_requested.connect(self.copy_selected)
        table.toggle_requested.connect(self.toggle_selected)
        table.chosen.connect(lambda index: self.show_in_preview.emit(self._get_row(index)))
        table.selectionModel().currentRowChanged.connect(self._tell_selected)

    def _open_menu(self, at: QPoint) -> None:
        menu = self.make_menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self._table.viewport().mapToGlobal(at))

    def _get_row(self, index: QModelIndex) -> LinkRow:
        return self._model.get_row(self._shown.mapToSource(index).row())

    def _get_source_rows(self) -> list[int]:
        selected = sorted(self._table.selectionModel().selectedRows(), key=QModelIndex.row)
        return [self._shown.mapToSource(index).row() for index in selected]

    def _may_refuse_more(self) -> bool:
        rows = self._model.rows
        return any(
            row.switchable and row.link and (row.body, row.link.index) not in self._model.refused for row in rows
        )

    def _tell_selected(self, current: QModelIndex) -> None:
        if current.isValid() and not self._quiet:
            self.link_selected.emit(self._get_row(current))

    def _apply_filter(self, text: str) -> None:
        self._shown.set_text(text)
        self._describe()

    def _describe(self) -> None:
        links = [row for row in self._model.rows if row.kind == "click"]
        tracked = sum(row.tracked for row in links)
        if self._inspection is None:
            counts, hint = "", self.tr("Open a mail to see its links.")
        elif not links:
            counts, hint = self.tr("No links"), self.tr("This mail has no links that a reader could follow.")
            if not knows_text(self._inspection):
                counts, hint = "", explain_no_html(self._inspection)
        else:
            counts = self.tr("{total}: {tracked} tracked, {rest} left alone").format(
                total=self.tr("1 link") if len(links) == 1 else self.tr("{n} links").format(n=f"{len(links):,}"),
                tracked=f"{tracked:,}",
                rest=f"{len(links) - tracked:,}",
            )
            hint = self.tr("No link holds these words.")
        texts = sum(row.kind == "text" for row in self._model.rows)
        extra = [self._model.describe_state(row) for row in self._model.rows if row.kind in ("pixel", "honeypot")]
        if texts:
            extra.append(self.tr("1 in plain text") if texts == 1 else self.tr("{n} in plain text").format(n=texts))
        if extra and counts:
            counts += f" · {', '.join(dict.fromkeys(extra))}"
        shown = self._shown.rowCount()
        if self._shown.words and shown < self._model.rowCount():
            counts += self.tr(" · {shown} shown").format(shown=f"{shown:,}")
        self._counts.setText(counts)
        self._table.set_hint(hint)
        self._table.setAccessibleDescription(counts)
