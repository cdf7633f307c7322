"""A picture of when events were: stacked bars by class, with a brush that marks a stretch of time."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from mailnod.model import Classification
from mailnod_desktop.models.timeline import EventCounts
from mailnod_desktop.services.event_buckets import list_ticks, name_span
from mailnod_desktop.services.event_reader import CLASSES
from mailnod_desktop.theme import Theme, get_theme

__all__ = ["Timeline"]

_LEFT, _RIGHT, _TOP, _AXIS = 8, 8, 6, 17
_HEIGHT = 76
#: In a low window the rows of the table need the room more.
_LEAST_HEIGHT = 42
_TICK_PX = 110
#: A press that moves less than this is a click.
_SLACK_PX = 4


class Timeline(QWidget):
    """Draws the counts of a model; a drag marks a stretch of time, the wheel zooms, and the arrows move the mark.

    :param counts: what is drawn.
    """

    #: The marked stretch as two times, of which the second is exclusive; None where nothing is marked.
    marked = Signal(object)

    def __init__(self, counts: EventCounts, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._counts = counts
        self._hidden: frozenset[Classification] = frozenset()
        self._mark: tuple[datetime, datetime] | None = None
        #: The bucket in which a drag began, and where the pointer was.
        self._press: tuple[int, float] | None = None
        self._drag: tuple[int, int] | None = None
        self._cursor: int | None = None
        self.setObjectName("events-timeline")
        self.setAccessibleName(self.tr("Events in time"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        self.setMinimumHeight(_LEAST_HEIGHT)
        counts.changed.connect(self._take_counts)
        self._describe()

    def sizeHint(self) -> QSize:
        """Return a height at which bars can be told apart."""
        return QSize(600, _HEIGHT)

    def set_hidden(self, hidden: frozenset[Classification]) -> None:
        """Leave classes out."""
        self._hidden = hidden
        self.update()

    def set_mark(self, mark: tuple[datetime, datetime] | None) -> None:
        """Mark a stretch of time, without telling of it."""
        self._mark = mark
        self._describe()
        self.update()

    def get_mark(self) -> tuple[datetime, datetime] | None:
        """Return the marked stretch of time."""
        return self._mark

    def get_bucket_rect(self, number: int) -> QRectF:
        """Return where a bucket is drawn, from the top to the axis."""
        area = self._get_area()
        width = area.width() / max(len(self._counts.counts), 1)
        return QRectF(area.left() + number * width, area.top(), width, area.height())

    def describe_bucket(self, number: int) -> str:
        """Return the exact counts of a bucket in words."""
        edges, counts = self._counts.edges, self._counts.counts[number]
        lines = [name_span(edges[number], edges[number + 1]) + " UTC"]
        if counts is None:
            return "\n".join([*lines, self.tr("not counted yet")])
        shown = [(one, n) for one, n in zip(CLASSES, counts, strict=True) if n and one not in self._hidden]
        total = sum(n for _, n in shown)
        lines.append(self.tr("{count} in all").format(count=f"{total:,}"))
        return "\n".join([*lines, *(f"{one.value}: {n:,}" for one, n in shown)])

    # Events.

    def event(self, event: QEvent) -> bool:
        """Show exact counts where the pointer rests."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            number = self._find_bucket(event.pos().x())
            if number is None:
                QToolTip.hideText()
            else:
                QToolTip.showText(event.globalPos(), self.describe_bucket(number), self)
            return True
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to mark."""
        number = self._find_bucket(event.position().x())
        if event.button() is Qt.MouseButton.LeftButton and number is not None:
            self._press = (number, event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Mark as far as the pointer goes."""
        if self._press is None:
            number = self._find_bucket(event.position().x())
            if number != self._cursor:
                self._cursor = number
                self.update()
            return
        number = self._find_bucket(event.position().x(), nearest=True)
        if number is not None and (self._drag or abs(event.position().x() - self._press[1]) >= _SLACK_PX):
            self._drag = (min(self._press[0], number), max(self._press[0], number))
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: ARG002
        """Mark what was dragged over; a click takes a mark away, or marks one bucket."""
        press, drag = self._press, self._drag
        self._press, self._drag = None, None
        if press is None:
            return
        if drag is not None:
            self._choose(*drag)
        elif self._mark is not None:
            self._clear()
        else:
            self._choose(press[0], press[0])

    def leaveEvent(self, event: QEvent) -> None:  # noqa: ARG002
        """Forget where the pointer was."""
        self._cursor = None
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom to where the pointer is."""
        turns = event.angleDelta().y()
        number = self._find_bucket(event.position().x(), nearest=True)
        if turns and number is not None:
            self._zoom(0.5 if turns > 0 else 2.0, number)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the mark with the arrows, widen it with Shift, zoom with + and -, take it away with Escape."""
        key, wide = event.key(), bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        last = len(self._counts.counts) - 1
        if last < 0:
            super().keyPressEvent(event)
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self._move(-1 if key == Qt.Key.Key_Left else 1, wide=wide)
        elif key == Qt.Key.Key_Home:
            self._choose(0, 0)
        elif key == Qt.Key.Key_End:
            self._choose(last, last)
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            first, end = self._get_marked() or (0, last)
            self._zoom(2.0 if key == Qt.Key.Key_Minus else 0.5, (first + end) // 2)
        elif key == Qt.Key.Key_Escape and (self._mark or self._counts.is_zoomed()):
            if self._mark:
                self._clear()
            else:
                self._counts.zoom(None)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show that keys go here."""
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Show that keys go elsewhere."""
        super().focusOutEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        """Draw the bars, the axis and the mark."""
        theme = get_theme()
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.base))
        area = self._get_area()
        counts = self._counts.counts
        if counts:
            self._draw_bars(painter, theme, area)
            self._draw_mark(painter, theme, area)
        self._draw_axis(painter, theme, area)
        if self.hasFocus():
            painter.setPen(QPen(QColor(theme.accent), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))
        painter.end()

    # How it is drawn.

    def _draw_bars(self, painter: QPainter, theme: Theme, area: QRectF) -> None:
        shown = [number for number, one in enumerate(CLASSES) if one not in self._hidden]
        tops = [sum(one[n] for n in shown) for one in self._counts.counts if one is not None]
        most = max(max(tops, default=0), 1)
        colours = [QColor(theme.classes[one]) for one in CLASSES]
        hatch = QColor(theme.base)
        hatch.setAlpha(150)
        gap = 1.0 if area.width() / len(self._counts.counts) > 4 else 0.0
        for number, counts in enumerate(self._counts.counts):
            rect = self.get_bucket_rect(number)
            if number == self._cursor:
                painter.fillRect(rect, QColor(theme.selected))
            if counts is None:
                painter.fillRect(QRectF(rect.left(), area.bottom() - 2, rect.width() - gap, 2), QColor(theme.border))
                continue
            bottom = area.bottom()
            for place in shown:
                if not counts[place]:
                    continue
                height = counts[place] / most * area.height()
                bar = QRectF(rect.left(), bottom - height, rect.width() - gap, height)
                painter.fillRect(bar, colours[place])
                if CLASSES[place].machine:
                    # People are plain and machines hatched, so that no colour is needed to tell them apart.
                    painter.fillRect(bar, QBrush(hatch, Qt.BrushStyle.BDiagPattern))
                bottom -= height
        painter.setPen(QColor(theme.muted))
        if tops and most > 1:
            text = f"{most:,}"
            width = painter.fontMetrics().horizontalAdvance(text)
            box = QRectF(area.right() - width - 6, area.top() - 2, width + 6, painter.fontMetrics().height())
            ground = QColor(theme.base)
            ground.setAlpha(200)
            painter.fillRect(box, ground)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    def _draw_axis(self, painter: QPainter, theme: Theme, area: QRectF) -> None:
        painter.setPen(QColor(theme.border))
        painter.drawLine(QPointF(area.left(), area.bottom() + 0.5), QPointF(area.right(), area.bottom() + 0.5))
        edges = self._counts.edges
        if len(edges) < 2:
            return
        whole = (edges[-1] - edges[0]).total_seconds()
        metrics = painter.fontMetrics()
        right = -1e9
        for at, text in list_ticks(edges, most=max(int(area.width() // _TICK_PX), 1)):
            x = area.left() + (at - edges[0]).total_seconds() / whole * area.width()
            width = metrics.horizontalAdvance(text)
            left = min(max(x - width / 2, area.left()), area.right() - width)
            painter.setPen(QColor(theme.border))
            painter.drawLine(QPointF(x, area.bottom()), QPointF(x, area.bottom() + 3))
            if left > right + 12:
                painter.setPen(QColor(theme.muted))
                painter.drawText(QPointF(left, area.bottom() + 4 + metrics.ascent()), text)
                right = left + width

    def _draw_mark(self, painter: QPainter, theme: Theme, area: QRectF) -> None:
        marked = self._drag or self._get_marked()
        if marked is None:
            return
        left, right = self.get_bucket_rect(marked[0]).left(), self.get_bucket_rect(marked[1]).right()
        veil = QColor(theme.base)
        veil.setAlpha(170)
        painter.fillRect(QRectF(area.left(), 0, left - area.left(), area.bottom()), veil)
        painter.fillRect(QRectF(right, 0, area.right() - right, area.bottom()), veil)
        painter.setPen(QPen(QColor(theme.accent), 1.5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(QRectF(left, 1, right - left, area.bottom() - 1))

    def _get_area(self) -> QRectF:
        axis = max(_AXIS, self.fontMetrics().height() + 4)
        return QRectF(_LEFT, _TOP, max(self.width() - _LEFT - _RIGHT, 1), max(self.height() - _TOP - axis, 1))

    # How it is marked.

    def _find_bucket(self, x: float, *, nearest: bool = False) -> int | None:
        count, area = len(self._counts.counts), self._get_area()
        if not count:
            return None
        number = int((x - area.left()) // (area.width() / count))
        if nearest:
            return min(max(number, 0), count - 1)
        return number if 0 <= number < count else None

    def _get_marked(self) -> tuple[int, int] | None:
        """Return the first and the last marked bucket in sight; None where none is."""
        edges = self._counts.edges
        if self._mark is None or len(edges) < 2 or self._mark[1] <= edges[0] or self._mark[0] >= edges[-1]:
            return None
        within = [n for n in range(len(edges) - 1) if edges[n] < self._mark[1] and edges[n + 1] > self._mark[0]]
        return (within[0], within[-1]) if within else None

    def _choose(self, first: int, last: int) -> None:
        edges = self._counts.edges
        self.set_mark((edges[first], edges[last + 1]))
        self.marked.emit(self._mark)

    def _clear(self) -> None:
        self.set_mark(None)
        self.marked.emit(None)

    def _move(self, step: int, *, wide: bool) -> None:
        last = len(self._counts.counts) - 1
        marked = self._get_marked()
        if marked is None:
            self._choose(last, last)
            return
        first, end = marked
        if wide:
            self._choose(first, min(max(end + step, first), last))
        elif first + step >= 0 and end + step <= last:
            self._choose(first + step, end + step)

    def _zoom(self, factor: float, number: int) -> None:
        edges = self._counts.edges
        whole, overview = edges[-1] - edges[0], self._counts.overview
        share = (number + 0.5) / (len(edges) - 1)
        centre = edges[0] + whole * share
        length = whole * factor
        since, until = centre - length * share, centre + length * (1 - share)
        if overview is not None and overview.since is not None and overview.until is not None:
            if since <= overview.since and until >= overview.until:
                self._counts.zoom(None)
                return
            since, until = max(since, overview.since), min(until, overview.until)
        if length.total_seconds() >= 0.1 and since < until:
            self._counts.zoom((since, until))

    def _take_counts(self) -> None:
        self._describe()
        self.update()

    def _describe(self) -> None:
        edges, counts = self._counts.edges, self._counts.counts
        words = self.tr("Drag or use the arrow keys to mark a time, turn the wheel or press + and - to zoom.")
        if len(edges) > 1:
            total = sum(sum(one) for one in counts if one is not None)
            words = self.tr("{count} events, {span} UTC. {words}").format(
                count=f"{total:,}", span=name_span(edges[0], edges[-1]), words=words
            )
        if self._mark is not None:
            words = self.tr("Marked: {span} UTC. {words}").format(span=name_span(*self._mark), words=words)
        self.setAccessibleDescription(words)
