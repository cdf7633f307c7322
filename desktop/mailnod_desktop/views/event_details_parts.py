"""The pieces that the details of an event are drawn with."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen, QPolygonF, QResizeEvent, QTextOption
from PySide6.QtWidgets import QFrame, QSizePolicy, QTextEdit, QWidget

from mailnod.explanation import Neighbour
from mailnod_desktop.models.plain import make_visible
from mailnod_desktop.theme import get_theme
from mailnod_desktop.views.pills import draw_pill

__all__ = ["FreeText", "NeighbourLine", "Pill", "ProbabilityBar", "WeightBar"]

#: More than that is not drawn: it would take longer than anybody reads.
_MOST_CHARS = 20_000
_WEIGHT_WIDTH = 132


class Pill(QWidget):
    """A state in a rounded label of its colour."""

    def __init__(self, text: str, colour: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text, self._colour = text, colour
        self.setAccessibleName(text)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    @property
    def text(self) -> str:
        """What it says."""
        return self._text

    def sizeHint(self) -> QSize:
        """Be as wide as the text and the rounded ends."""
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance(self._text) + 20, metrics.height() + 6)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        super().paintEvent(event)
        painter = QPainter(self)
        draw_pill(painter, self.rect(), self._text, self._colour)
        painter.end()


class ProbabilityBar(QWidget):
    """How likely a machine acted: a bar, and the number."""

    def __init__(self, probability: int, colour: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._probability, self._colour = probability, colour
        self._text = self.tr("{0} % likely a machine").format(probability)
        self.setAccessibleName(self._text)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Leave room for the number below."""
        return QSize(160, self.fontMetrics().height() + 14)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        super().paintEvent(event)
        painter, theme = QPainter(self), get_theme()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.border))
        painter.drawRoundedRect(QRectF(0, 1, self.width(), 7), 3.5, 3.5)
        painter.setBrush(QColor(self._colour))
        width = max(self.width() * self._probability / 100, 7.0 if self._probability else 0.0)
        painter.drawRoundedRect(QRectF(0, 1, width, 7), 3.5, 3.5)
        painter.setPen(QColor(theme.text))
        painter.drawText(QPoint(0, self.height() - self.fontMetrics().descent() - 1), self._text)
        painter.end()


class WeightBar(QWidget):
    """What a sign weighs: to the left for a person, to the right for a machine, with the number.

    :param weight: -100 to 100; None where nobody knows any more.
    """

    def __init__(self, weight: int | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._weight = weight
        self.setAccessibleName(
            self.tr("what it weighed is not kept") if weight is None else self.tr("weighs {0}").format(f"{weight:+d}")
        )
        self.setToolTip(self.accessibleName())
        self.setFixedSize(_WEIGHT_WIDTH, self.fontMetrics().height() + 4)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it around its middle."""
        super().paintEvent(event)
        painter, theme = QPainter(self), get_theme()
        number = self.fontMetrics().horizontalAdvance("+100") + 4
        lane = QRectF(0, 3, self.width() - number - 4, self.height() - 6)
        middle = lane.center().x()
        painter.fillRect(lane, theme.tint(theme.muted, alpha=0.12))
        weight = self._weight or 0
        reach = (lane.width() / 2) * min(abs(weight), 100) / 100
        colour = QColor(theme.bad if weight > 0 else theme.good)
        painter.fillRect(QRectF(middle if weight > 0 else middle - reach, lane.top(), reach, lane.height()), colour)
        painter.setPen(QPen(QColor(theme.muted), 1))
        painter.drawLine(QPointF(middle, lane.top() - 2), QPointF(middle, lane.bottom() + 2))
        painter.setPen(QColor(theme.text))
        text = "?" if self._weight is None else f"{self._weight:+d}"
        box = QRect(self.width() - number, 0, number, self.height())
        painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
        painter.end()


class NeighbourLine(QWidget):
    """The hits of a window on a line of time: opens are dots, clicks are diamonds, those of other mails are hollow."""

    def __init__(self, neighbours: Sequence[Neighbour], click: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._marks = [(one.offset_s, one.observation.hit.kind == "click", one.same_mail) for one in neighbours]
        self._click = click
        self.setAccessibleName(self.tr("{0} hits on a line of time").format(len(neighbours) + 1))
        self.setToolTip(self.tr("Dots are opens and diamonds clicks; hollow ones are of other mails."))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Leave room for the ends of the line below."""
        return QSize(200, self.fontMetrics().height() + 30)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the line, the others, and the judged one above all."""
        super().paintEvent(event)
        painter, theme = QPainter(self), get_theme()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        first = min(0.0, *(offset for offset, _, _ in self._marks), 0.0)
        last = max(0.0, *(offset for offset, _, _ in self._marks), 0.0)
        length = max(last - first, 1.0)
        left, right, y = 10.0, self.width() - 10.0, 14.0
        painter.setPen(QPen(QColor(theme.border), 2))
        painter.drawLine(QPointF(left, y), QPointF(right, y))

        def place(offset: float) -> float:
            return left + (right - left) * (offset - first) / length

        for offset, click, same_mail in self._marks:
            self._draw_mark(painter, QPointF(place(offset), y), click, 4.0, theme.muted, filled=same_mail)
        self._draw_mark(painter, QPointF(place(0.0), y), self._click, 7.0, theme.accent, filled=True)
        painter.setPen(QColor(theme.muted))
        line = QRect(0, int(y) + 10, self.width(), self.fontMetrics().height() + 2)
        if first < 0:
            painter.drawText(line, Qt.AlignmentFlag.AlignLeft, f"{first:+.1f} s")
        if last > 0:
            painter.drawText(line, Qt.AlignmentFlag.AlignRight, f"{last:+.1f} s")
        painter.end()

    def _draw_mark(
        self, painter: QPainter, at: QPointF, click: bool, size: float, colour: str, *, filled: bool
    ) -> None:
        painter.setPen(QPen(QColor(colour), 1.5))
        painter.setBrush(QColor(colour) if filled else QColor(get_theme().window))
        if click:
            x, y = at.x(), at.y()
            corners = [QPointF(x, y - size), QPointF(x + size, y), QPointF(x, y + size), QPointF(x - size, y)]
            painter.drawPolygon(QPolygonF(corners))
        else:
            painter.drawEllipse(at, size * 0.8, size * 0.8)


class FreeText(QTextEdit):
    """Text that strangers wrote: as it is, as high as it needs, wrapped anywhere, and free to be selected."""

    def __init__(
        self, text: str, name: str, *, font: QFont | None = None, muted: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._muted = muted
        self.setAcceptRichText(False)
        self.setAccessibleName(name)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        # Who goes from control to control by Tab does not want to stop at each line.
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.viewport().setAutoFillBackground(False)
        self.document().setDocumentMargin(0)
        if font is not None:
            self.setFont(font)
        self.setTextColor(QColor(get_theme().muted if muted else get_theme().text))
        self.setPlainText(make_visible(text[:_MOST_CHARS]))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Be as high as the text is at this width."""
        super().resizeEvent(event)
        self._fit()

    def minimumSizeHint(self) -> QSize:
        """Be as narrow as somebody likes."""
        return QSize(60, self.height())

    def _fit(self) -> None:
        height = max(int(self.document().size().height() + 0.999), self.fontMetrics().height())
        if height != self.height():
            self.setFixedHeight(height)
