"""Charts that draw themselves: events over time, and groups as bars with their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, QEvent, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from mailnod_desktop.models.plain import make_tooltip
from mailnod_desktop.theme import Theme, get_theme

__all__ = ["BarRow", "BarsChart", "Column", "Series", "TimeChart", "draw_swatch"]

_GAP = 8
_ROW_PADDING = 12
_CELL_CHARS = 10


@dataclass(frozen=True, slots=True)
class Series:
    """One layer of a stack."""

    name: str
    #: A field of the theme: "good".
    colour: str
    #: Whether it is hatched, so that people and machines are told apart without colours.
    hatched: bool = False


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


def draw_swatch(painter: QPainter, area: QRectF, series: Series, theme: Theme) -> None:
    """Fill an area as a series is filled."""
    colour = QColor(getattr(theme, series.colour))
    if not series.hatched:
        painter.fillRect(area, colour)
        return
    painter.fillRect(area, theme.tint(colour.name(), alpha=0.35))
    painter.fillRect(area, QBrush(colour, Qt.BrushStyle.BDiagPattern))


class _Chart(QWidget):
    """What both charts share: one place has the focus, by pointer or by keys, and is chosen by a click or Return."""

    chosen = Signal(int)

    def __init__(self, name: str, accessible_name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName(accessible_name)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._series: tuple[Series, ...] = ()
        self._hot: int | None = None

    def count(self) -> int:
        """Return how many places there are."""
        raise NotImplementedError

    def find_place(self, point: QPoint) -> int | None:
        """Return the place below a point; None where there is none."""
        raise NotImplementedError

    def describe(self, place: int) -> tuple[str, ...]:
        """Return what is said of a place, line by line."""
        raise NotImplementedError

    def get_area(self, place: int) -> QRect:
        """Return where a place is drawn."""
        raise NotImplementedError

    @property
    def hot(self) -> int | None:
        """The place that has the focus; None where none has."""
        return self._hot

    def set_hot(self, place: int | None) -> None:
        """Give a place the focus."""
        if place != self._hot:
            self._hot = place
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Say what is below the pointer."""
        place = self.find_place(event.position().toPoint())
        self.setCursor(Qt.CursorShape.ArrowCursor if place is None else Qt.CursorShape.PointingHandCursor)
        self.set_hot(place)
        if place is None:
            QToolTip.hideText()
        else:
            text = make_tooltip(*self.describe(place))
            QToolTip.showText(event.globalPosition().toPoint(), text, self, self.get_area(place))

    def leaveEvent(self, event: QEvent) -> None:
        """Forget the pointer."""
        if not self.hasFocus():
            self.set_hot(None)
        super().leaveEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Choose what is below the pointer."""
        place = self.find_place(event.position().toPoint())
        if event.button() is Qt.MouseButton.LeftButton and place is not None:
            self.chosen.emit(place)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go from place to place, and choose."""
        last = self.count() - 1
        hot = -1 if self._hot is None else self._hot
        places = {
            Qt.Key.Key_Right: hot + 1,
            Qt.Key.Key_Down: hot + 1,
            Qt.Key.Key_Left: hot - 1,
            Qt.Key.Key_Up: hot - 1,
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: last,
        }
        key = Qt.Key(event.key())
        if last >= 0 and key in places:
            place = max(0, min(places[key], last))
            self.set_hot(place)
            area = self.get_area(place)
            QToolTip.showText(self.mapToGlobal(area.center()), make_tooltip(*self.describe(place)), self, area)
        elif self._hot is not None and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.chosen.emit(self._hot)
        else:
            super().keyPressEvent(event)

    def _set(self, series: Sequence[Series], description: str) -> None:
        self._series = tuple(series)
        if self._hot is not None and self._hot >= self.count():
            self._hot = None
        self.setAccessibleDescription(description)
        self.updateGeometry()
        self.update()


class TimeChart(_Chart):
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
        self._draw_legend(painter, theme)
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
        metrics = self.fontMetrics()
        left = metrics.horizontalAdvance(f"{self._top:,}") + 2 * _GAP
        line = metrics.height()
        return QRect(left, line + 2 * _GAP, max(self.width() - left - _GAP, 1), self.height() - 2 * line - 3 * _GAP)

    def _get_label_width(self) -> int:
        metrics = self.fontMetrics()
        return max((metrics.horizontalAdvance(column.label) for column in self._columns), default=0) + 2 * _GAP

    def _draw_legend(self, painter: QPainter, theme: Theme) -> None:
        metrics, x = self.fontMetrics(), self._get_plot().left()
        for series in self._series:
            side = metrics.height() * 0.7
            draw_swatch(painter, QRectF(x, _GAP / 2 + metrics.height() * 0.15, side, side), series, theme)
            painter.setPen(QColor(theme.muted))
            painter.drawText(QPoint(int(x + side + 5), int(_GAP / 2 + metrics.ascent())), series.name)
            x += int(side + 5 + metrics.horizontalAdvance(series.name) + 2 * _GAP)

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


class BarsChart(_Chart):
    """Groups, one below the other: a name, a bar of the stacked series, and cells with numbers in words."""

    def __init__(self, name: str, accessible_name: str, parent: QWidget | None = None) -> None:
        super().__init__(name, accessible_name, parent)
        self._rows: tuple[BarRow, ...] = ()
        self._headings: tuple[str, ...] = ()
        self._top = 1
        self._label_width = 0
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

    def _get_cell_width(self) -> int:
        metrics = self.fontMetrics()
        longest = max((metrics.horizontalAdvance(text) for text in self._headings), default=0)
        return max(metrics.averageCharWidth() * _CELL_CHARS, longest) + 2 * _GAP

    def _draw_row(self, painter: QPainter, theme: Theme, area: QRect, row: BarRow) -> None:
        metrics: QFontMetrics = self.fontMetrics()
        room = max(area.width() - self._get_cell_width() * len(row.cells), 80)
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
        width = self._get_cell_width()
        painter.setPen(QColor(colour))
        for place, cell in enumerate(reversed(cells)):
            box = QRect(area.right() - (place + 1) * width, area.top(), width - _GAP, area.height())
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, cell)


def _round_up(number: int) -> int:
    """Return the next number that is nice at the top of a scale."""
    size = 1
    while True:
        for factor in (1, 2, 4, 6, 8):
            if factor * size >= number:
                return factor * size
        size *= 10
