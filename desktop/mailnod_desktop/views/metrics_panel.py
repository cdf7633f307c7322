"""A chart with its heading, and a table of the same numbers for who would rather read them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QHeaderView, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from mailnod_desktop.models.metrics import CountsModel
from mailnod_desktop.views.controls import IconTool, make_label
from mailnod_desktop.views.tables import HintTable

__all__ = ["ChartPanel", "centre"]

_TABLE_ROWS = 12


class _Pages(QStackedWidget):
    """A stack that is as high as the page that is seen."""

    def sizeHint(self) -> QSize:
        """Return the size of the page that is seen."""
        page = self.currentWidget()
        return super().sizeHint() if page is None else page.sizeHint()

    def minimumSizeHint(self) -> QSize:
        """Return the least size of the page that is seen."""
        return QSize(0, self.sizeHint().height())


class _Table(HintTable):
    def sizeHint(self) -> QSize:
        """Be as high as some rows."""
        rows = min(self.model().rowCount(), _TABLE_ROWS) + 1
        height = self.verticalHeader().defaultSectionSize()
        return QSize(480, rows * height + self.horizontalHeader().sizeHint().height() + 4)


class ChartPanel(QWidget):
    """A chart, or the table of its numbers."""

    #: A row of the table was chosen.
    chosen = Signal(int)

    def __init__(self, name: str, chart: QWidget, *, aside: QWidget | None = None) -> None:
        super().__init__()
        self.setObjectName(name)
        self._title = make_label(heading=True)
        self._hint = make_label(muted=True, wrap=True)
        self._hint.hide()
        self.toggle = IconTool("table", self.tr("Show as a table"))
        self.toggle.setObjectName(f"{name}-table")
        self.toggle.setCheckable(True)
        self.toggle.toggled.connect(self._switch)
        self.model = CountsModel(self)
        self.table = _Table(f"{name}-rows", chart.accessibleName())
        self.table.setModel(self.model)
        self.table.horizontalHeader().setStretchLastSection(False)
        # Links differ at their ends.
        self.table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.table.chosen.connect(self._choose)
        self._pages = _Pages()
        self._pages.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._pages.addWidget(chart)
        self._pages.addWidget(self.table)
        heading = QHBoxLayout()
        heading.addWidget(self._title)
        heading.addStretch(1)
        for widget in (aside, self.toggle):
            if widget is not None:
                heading.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(heading)
        column.addWidget(self._hint)
        column.addWidget(self._pages)

    def set_title(self, text: str) -> None:
        """Say what is drawn."""
        self._title.setText(text)

    def set_hint(self, text: str) -> None:
        """Say why nothing is drawn; "" where something is."""
        self._hint.setText(text)
        self._hint.setVisible(bool(text))
        self._pages.setVisible(not text)

    def set_rows(self, headings: Sequence[str], rows: Sequence[tuple[str | int, ...]]) -> None:
        """Show these numbers in the table."""
        before = self.model.columnCount()
        self.model.set_rows(headings, rows)
        if self.model.columnCount() != before:
            header = self.table.horizontalHeader()
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self._pages.updateGeometry()

    def _switch(self, table: bool) -> None:
        self._pages.setCurrentIndex(int(table))
        self._pages.updateGeometry()

    def _choose(self, index: QModelIndex) -> None:
        self.chosen.emit(index.row())


def centre(widget: QWidget) -> QWidget:
    """Return a page with a widget in its middle."""
    page = QWidget()
    column = QVBoxLayout(page)
    column.setContentsMargins(32, 16, 32, 16)
    column.addStretch(1)
    # Stretches at its sides, because an aligned label that wraps is given the height that it has when it is wider.
    row = QHBoxLayout()
    row.addStretch(1)
    row.addWidget(widget, 100)
    row.addStretch(1)
    column.addLayout(row)
    column.addStretch(2)
    widget.setMaximumWidth(520)
    return page
