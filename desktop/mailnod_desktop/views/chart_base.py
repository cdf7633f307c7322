"""What charts share: their colours, and one place that has the focus and can be chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import QToolTip, QWidget

from mailnod_desktop.models.plain import make_tooltip
from mailnod_desktop.theme import Theme

__all__ = ["Chart", "Series", "draw_swatch"]


@dataclass(frozen=True, slots=True)
class Series:
    """One layer of a stack."""

    name: str
    #: A field of the theme: "good".
    colour: str
    #: Whether it is hatched, so that people and machines are told apart without colours.
    hatched: bool = False


def draw_swatch(painter: QPainter, area: QRectF, series: Series, theme: Theme) -> None:
    """Fill an area as a series is filled."""
    colour = QColor(getattr(theme, series.colour))
    if not series.hatched:
        painter.fillRect(area, colour)
        return
    painter.fillRect(area, theme.tint(colour.name(), alpha=0.35))
    painter.fillRect(area, QBrush(colour, Qt.BrushStyle.BDiagPattern))


class Chart(QWidget):
    """One place of it has the focus, by pointer or by keys, and is chosen by a click or Return."""

    #: The number of a place.
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
