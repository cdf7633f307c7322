"""Charts that draw themselves: events over time, and groups as bars with their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from mailnod_desktop.theme import Theme, get_theme
from mailnod_desktop.views.chart_base import Chart, Series, draw_swatch

__all__ = ["BarRow", "BarsChart", "Column", "TimeChart"]

_GAP = 8
_ROW_PADDING = 12
#: Name and bar of a group have so much room at least; cells that leave less are not drawn.
_LEAST = 260


@dataclass(frozen=True, slots=True)
class Column:
    """One slot of time: a number for each series."""

    #: What stands below it where there is room.
    label: str
    #: What is said of it where the pointer is.
    title: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BarRow:
    """One group: a number for each series, and what stands behind its bar."""

    label: str
    values: tuple[int, ...]
    cells: tuple[str, ...]


class TimeChart(Chart):
    """Events over time, stacked; the oldest stand on the left."""

    def __init__(self, name: str, accessible_name: str, parent: QWidget | None = None) -> None:
        super().__init__(name, accessible_name, parent)
        self._columns: tuple[Column, ...] = ()
        self._top = 1
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_columns(self, series: Sequence[Series], columns: Sequence[Column], description: str) -> None:
        """Draw other numbers.

        :param description: what the chart shows, for who cannot see it.
        """
        self._columns = tuple(columns)
        self._top = _round_up(max((sum(column.values) for column in columns), default=0))
        self._set(series, description)

    def sizeHint(self) -> QSize:
        """Be about as high as twelve lines."""
        return QSize(480, self.fontMetrics().height() * 12)

    def count(self) -> int:
        """Return how many slots there are."""
        return len(self._columns)

    def find_place(self, point: QPoint) -> int | None:
        """Return the slot below a point."""
        plot = self._get_plot()
        if not self._columns or not plot.contains(point):
            return None
        return min((point.x() - plot.left()) * len(self._columns) // plot.width(), len(self._columns) - 1)

    def get_area(self, place: int) -> QRect:
        """Return where a slot is drawn, from top to bottom."""
        plot = self._get_plot()
        left = plot.left() + plot.width() * place // len(self._columns)
        right = plot.left() + plot.width() * (place + 1) // len(self._columns)
        return QRect(left, plot.top(), max(right - left, 1), plot.height())

    def describe(self, place: int) -> tuple[str, ...]:
        """Return the time and the numbers of a slot."""
        column = self._columns[place]
        pairs = zip(self._series, column.values, strict=True)
        return column.title, *(f"{series.name}: {value:,}" for series, value in pairs)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw legend, axes and slots."""
        super().paintEvent(event)
        painter, theme, plot = QPainter(self), get_theme(), self._get_plot()
        for series, at in zip(self._series, self._place_legend(), strict=True):
            self._draw_name(painter, theme, series, at)
        self._draw_scale(painter, theme, plot)
        step = max(1, -(-len(self._columns) * self._get_label_width() // max(plot.width(), 1)))
        for place, column in enumerate(self._columns):
            area = self.get_area(place)
            if place == self._hot:
                painter.fillRect(area, theme.tint(theme.accent, alpha=0.14))
            self._draw_column(painter, theme, area, column)
            # Counted from the right: the newest is always named.
            if (len(self._columns) - 1 - place) % step == 0:
                self._draw_label(painter, theme, area, column.label)
        if self.hasFocus() and self._hot is not None:
            painter.setPen(QPen(QColor(theme.accent), 1))
            painter.drawRect(self.get_area(self._hot).adjusted(0, 0, -1, -1))
        painter.end()

    def _get_plot(self) -> QRect:
        left, line = self._get_left(), self.fontMetrics().height()
        top = max((place.y() for place in self._place_legend()), default=0) + line + 2 * _GAP
        return QRect(left, top, max(self.width() - left - _GAP, 1), max(self.height() - top - line - _GAP, 1))

    def _get_left(self) -> int:
        return self.fontMetrics().horizontalAdvance(f"{self._top:,}") + 2 * _GAP

    def _get_label_width(self) -> int:
        metrics = self.fontMetrics()
        return max((metrics.horizontalAdvance(column.label) for column in self._columns), default=0) + 2 * _GAP

    def _place_legend(self) -> list[QPoint]:
        """Return where the name of each series begins, in as many lines as the width asks for."""
        metrics, left = self.fontMetrics(), self._get_left()
        x, y, places = left, _GAP // 2, []
        for series in self._series:
            width = metrics.height() + metrics.horizontalAdvance(series.name)
            if x > left and x + width > self.width():
                x, y = left, y + metrics.height()
            places.append(QPoint(x, y))
            x += width + 2 * _GAP
        return places

    def _draw_name(self, painter: QPainter, theme: Theme, series: Series, place: QPoint) -> None:
        metrics = self.fontMetrics()
        side = metrics.height() * 0.7
        draw_swatch(painter, QRectF(place.x(), place.y() + metrics.height() * 0.15, side, side), series, theme)
        painter.setPen(QColor(theme.muted))
        painter.drawText(place + QPoint(metrics.height(), metrics.ascent()), series.name)

    def _draw_scale(self, painter: QPainter, theme: Theme, plot: QRect) -> None:
        metrics = self.fontMetrics()
        parts = 4 if self._top % 4 == 0 else 2 if self._top % 2 == 0 else 1
        for part in range(parts + 1):
            y = plot.bottom() - plot.height() * part // parts
            painter.setPen(QPen(QColor(theme.border), 1))
            painter.drawLine(plot.left(), y, plot.right(), y)
            painter.setPen(QColor(theme.muted))
            text = QRect(0, y - metrics.height() // 2, plot.left() - _GAP, metrics.height())
            flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(text, flags, f"{self._top * part // parts:,}")

    def _draw_column(self, painter: QPainter, theme: Theme, area: QRect, column: Column) -> None:
        gap = 1.0 if area.width() > 3 else 0.0
        width = min(area.width() - gap, 40.0)
        left, bottom = area.center().x() + 0.5 - width / 2, float(area.bottom())
        for series, value in zip(self._series, column.values, strict=True):
            height = area.height() * value / self._top
            # What is there is seen, however little it is.
            height = max(height, 1.0) if value else 0.0
            draw_swatch(painter, QRectF(left, bottom - height, width, height), series, theme)
            bottom -= height

    def _draw_label(self, painter: QPainter, theme: Theme, area: QRect, label: str) -> None:
        metrics = self.fontMetrics()
        width = metrics.horizontalAdvance(label)
        left = max(0, min(area.center().x() - width // 2, self.width() - width))
        painter.setPen(QColor(theme.muted))
        painter.drawText(QPoint(left, self.height() - _GAP // 2 - metrics.descent()), label)


class BarsChart(Chart):
    """Groups, one below the other: a name, a bar of the stacked series, and cells with numbers in words."""

    def __init__(self, name: str, accessible_name: str, parent: QWidget | None = None) -> None:
        super().__init__(name, accessible_name, parent)
        self._rows: tuple[BarRow, ...] = ()
        self._headings: tuple[str, ...] = ()
        self._top = 1
        self._label_width = 0
        self._cells: list[tuple[int, int]] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_rows(
        self, series: Sequence[Series], headings: Sequence[str], rows: Sequence[BarRow], description: str
    ) -> None:
        """Draw other groups.

        :param headings: what stands above each cell.
        :param description: what the chart shows, for who cannot see it.
        """
        self._rows, self._headings = tuple(rows), tuple(headings)
        self._top = max((sum(row.values) for row in rows), default=0) or 1
        metrics = self.fontMetrics()
        self._label_width = max((metrics.horizontalAdvance(row.label) for row in rows), default=0) + 4 * _GAP
        self._set(series, description)

    def sizeHint(self) -> QSize:
        """Be as high as all rows together."""
        return QSize(480, self._get_row_height() * (len(self._rows) + 1) + 2)

    def count(self) -> int:
        """Return how many groups there are."""
        return len(self._rows)

    def find_place(self, point: QPoint) -> int | None:
        """Return the group below a point."""
        place = point.y() // self._get_row_height() - 1
        return place if 0 <= place < len(self._rows) else None

    def get_area(self, place: int) -> QRect:
        """Return the row of a group."""
        height = self._get_row_height()
        return QRect(0, (place + 1) * height, self.width(), height)

    def describe(self, place: int) -> tuple[str, ...]:
        """Return the whole name and the numbers of a group."""
        row = self._rows[place]
        return row.label, *(f"{name}: {cell}" for name, cell in zip(self._headings, row.cells, strict=True))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw headings and rows."""
        painter, theme = QPainter(self), get_theme()
        self._cells = self._list_cells()
        self._draw_cells(painter, QRect(0, 0, self.width(), self._get_row_height()), self._headings, theme.muted)
        for place, row in enumerate(self._rows):
            area = self.get_area(place)
            if not area.intersects(event.rect()):
                continue
            if place == self._hot:
                painter.fillRect(area, theme.tint(theme.accent, alpha=0.14))
            self._draw_row(painter, theme, area, row)
        if self.hasFocus() and self._hot is not None:
            painter.setPen(QPen(QColor(theme.accent), 1))
            painter.drawRect(self.get_area(self._hot).adjusted(0, 0, -1, -1))
        painter.end()

    def _get_row_height(self) -> int:
        return self.fontMetrics().height() + _ROW_PADDING

    def _list_cells(self) -> list[tuple[int, int]]:
        """Return the number and the width of each cell that there is room for; the first ones matter most."""
        metrics, room, shown = self.fontMetrics(), self.width() - _LEAST, []
        for number, heading in enumerate(self._headings):
            texts = [heading, *(row.cells[number] for row in self._rows)]
            width = max(map(metrics.horizontalAdvance, texts)) + 3 * _GAP
            if width > room:
                break
            room -= width
            shown.append((number, width))
        return shown

    def _draw_row(self, painter: QPainter, theme: Theme, area: QRect, row: BarRow) -> None:
        metrics: QFontMetrics = self.fontMetrics()
        room = max(area.width() - sum(width for _, width in self._cells), 80)
        begin = min(self._label_width, room * 45 // 100)
        label = QRect(_GAP, area.top(), begin - 2 * _GAP, area.height())
        shown = row.label or QCoreApplication.translate("BarsChart", "(none)")
        painter.setPen(QColor(theme.text))
        painter.drawText(
            label, Qt.AlignmentFlag.AlignVCenter, metrics.elidedText(shown, Qt.TextElideMode.ElideMiddle, label.width())
        )
        left, most = float(begin), room - begin - _GAP
        for series, value in zip(self._series, row.values, strict=True):
            width = max(most * value / self._top, 1.0) if value else 0.0
            draw_swatch(painter, QRectF(left, area.top() + 6, width, area.height() - 12), series, theme)
            left += width
        self._draw_cells(painter, area, row.cells, theme.text)

    def _draw_cells(self, painter: QPainter, area: QRect, cells: Sequence[str], colour: str) -> None:
        painter.setPen(QColor(colour))
        right = area.right()
        for number, width in reversed(self._cells):
            box = QRect(right - width, area.top(), width - _GAP, area.height())
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, cells[number])
            right -= width


def _round_up(number: int) -> int:
    """Return the next number that is nice at the top of a scale."""
    size = 1
    while True:
        for factor in (1, 2, 4, 6, 8):
            if factor * size >= number:
                return factor * size
        size *= 10
