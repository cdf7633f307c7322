"""A small bar that says how much of Gmail's 102 KB a body takes, and what is cut off."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from mailnod_desktop.services.model import CLIP_BYTES
from mailnod_desktop.theme import get_theme

__all__ = ["ClipMeter"]

_BAR_WIDTH, _BAR_HEIGHT, _GAP = 46, 6, 7
# From here on, a person should know that little is left.
_NEAR = 0.85


class ClipMeter(QWidget):
    """Draws a share of 102 KB as a bar, and says it in words beside it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        self._share: float | None = None
        self._text = ""

    @property
    def text(self) -> str:
        """What stands beside the bar."""
        return self._text

    def clear(self) -> None:
        """Show nothing."""
        self._share, self._text = None, ""
        self.updateGeometry()
        self.update()

    def set_size(self, size_bytes: int, pixel_end_bytes: int | None) -> None:
        """Show a body's size.

        :param size_bytes: of the body in UTF-8.
        :param pixel_end_bytes: where its pixel ends; None where it has none.
        """
        self._share = size_bytes / CLIP_BYTES
        percent = round(100 * self._share) if self._share >= 0.01 else 1
        self._text = self.tr("{percent} % of 102 KB").format(percent=percent)
        advice = self.tr("Gmail shows the first 102 KB of a body and hides the rest behind a link.")
        if self._share > 1:
            self._text += self.tr(", clipped")
            if pixel_end_bytes is not None and pixel_end_bytes > CLIP_BYTES:
                self._text += self.tr("; the pixel is cut off")
                advice += " " + self.tr("The pixel stands behind that, so no open is seen until somebody follows it.")
        self.setToolTip(advice)
        self.setAccessibleName(self._text)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Take what bar and words need."""
        if self._share is None:
            return QSize(0, 0)
        metrics = self.fontMetrics()
        return QSize(_BAR_WIDTH + _GAP + metrics.horizontalAdvance(self._text) + 2, metrics.height() + 4)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the bar, in red where the body is clipped."""
        if self._share is None:
            return
        theme, painter = get_theme(), QPainter(self)
        colour = theme.bad if self._share > 1 else theme.warn if self._share > _NEAR else theme.good
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        ground = QRectF(0, (self.height() - _BAR_HEIGHT) / 2, _BAR_WIDTH, _BAR_HEIGHT)
        painter.setBrush(QColor(theme.border))
        painter.drawRoundedRect(ground, _BAR_HEIGHT / 2, _BAR_HEIGHT / 2)
        ground.setWidth(max(_BAR_HEIGHT, _BAR_WIDTH * min(1.0, self._share)))
        painter.setBrush(QColor(colour))
        painter.drawRoundedRect(ground, _BAR_HEIGHT / 2, _BAR_HEIGHT / 2)
        painter.setPen(QColor(theme.bad if self._share > 1 else theme.muted))
        words = self.rect().adjusted(_BAR_WIDTH + _GAP, 0, 0, 0)
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, self._text)
