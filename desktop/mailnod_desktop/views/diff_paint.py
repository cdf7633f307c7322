"""How one row of a source diff is drawn: numbers, signs, grounds, edits and matches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter

from mailnod_desktop.models.diff_lines import Match, Side, show_source, wrap
from mailnod_desktop.services.diff import DiffRow, Span
from mailnod_desktop.theme import Theme, get_theme
from mailnod_desktop.views.tables import make_source_font

__all__ = ["MARK", "PADDING", "DiffPainter", "Pane", "Row"]

PADDING = 8
#: Width of the bar at the edge of the edit that one is at.
MARK = 3


@dataclass(frozen=True, slots=True)
class Pane:
    """Where one side is drawn, in pixels."""

    side: Side
    left: int
    width: int
    sign_left: int
    #: Where the text begins, behind the numbers and the sign.
    text_left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row with what is marked in it."""

    row: DiffRow
    top: int
    height: int
    #: At how many columns it wraps.
    columns: int
    #: Height of what is seen; lines outside are not drawn.
    seen: int
    #: Position of the edit that one is at.
    current: int | None
    #: Sides on which it is selected.
    selected: Sequence[Side]
    matches: Sequence[Match]
    #: The match that one is at.
    match: Match | None

    def differs(self, side: Side) -> bool:
        """Whether an edit took something from one side, or put something there."""
        spans = self.row.old_spans if side == "old" else self.row.new_spans
        return any(span.start < span.end for span in spans)

    @property
    def is_current(self) -> bool:
        """Whether the edit that one is at stands in it."""
        spans = (*self.row.old_spans, *self.row.new_spans)
        return self.current is not None and any(span.edit == self.current for span in spans)


class DiffPainter:
    """Draws rows in one font, which it measures once."""

    def __init__(self) -> None:
        self.font = make_source_font()
        self._metrics = QFontMetricsF(self.font)
        #: Width of a character.
        self.advance = self._metrics.horizontalAdvance("0123456789") / 10
        self.line_height = round(self._metrics.height()) + 3
        self._ascent = round(self._metrics.ascent()) + 2

    def draw_gap(self, painter: QPainter, row: DiffRow, area: QRect) -> None:
        """Draw how many lines are left out."""
        theme = get_theme()
        painter.fillRect(area, QColor(theme.panel))
        painter.setPen(QColor(theme.border))
        painter.drawLine(area.topLeft(), area.topRight())
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        painter.setPen(QColor(theme.muted))
        lines = _tr("1 line") if row.hidden == 1 else _tr("{n} lines").format(n=f"{row.hidden:,}")
        painter.drawText(area, Qt.AlignmentFlag.AlignCenter, f"…  {lines}  …")

    def draw_side(self, painter: QPainter, row: Row, pane: Pane) -> None:
        """Draw one side of a row."""
        theme, old = get_theme(), pane.side == "old"
        number = row.row.old_number if old else row.row.new_number
        self._draw_ground(painter, row, pane, theme, missing=number is None)
        if number is None:
            return
        painter.setPen(QColor(theme.muted))
        numbers = QRect(pane.left, row.top, pane.sign_left - pane.left - PADDING, self.line_height)
        painter.drawText(numbers, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, str(number))
        if row.differs(pane.side):
            painter.setPen(QColor(theme.bad if old else theme.good))
            painter.drawText(pane.sign_left, row.top + self._ascent, "\N{MINUS SIGN}" if old else "+")
        self._draw_text(painter, row, pane, theme)

    def _draw_ground(self, painter: QPainter, row: Row, pane: Pane, theme: Theme, *, missing: bool) -> None:
        area = QRect(pane.left, row.top, pane.width, row.height)
        if row.row.kind == "changed":
            ground = theme.removed if pane.side == "old" else theme.added
            # Paler than the edit in it.
            touched = row.differs(pane.side) and not missing
            painter.fillRect(area, theme.tint(ground, alpha=0.55) if touched else QColor(theme.alternate))
        if pane.side in row.selected:
            painter.fillRect(area, QColor(theme.selected))
        if row.is_current:
            painter.fillRect(QRect(pane.left, row.top, MARK, row.height), QColor(theme.accent))

    def _draw_text(self, painter: QPainter, row: Row, pane: Pane, theme: Theme) -> None:
        old = pane.side == "old"
        text, spans = (row.row.old, row.row.old_spans) if old else (row.row.new, row.row.new_spans)
        shown, starts = show_source(text), wrap(text, row.columns)
        # A row may have thousands of lines, of which a few are seen.
        first = max(-row.top // self.line_height, 0)
        last = min((row.seen - row.top) // self.line_height + 1, len(starts))
        for index in range(first, last):
            start = starts[index]
            end = starts[index + 1] if index + 1 < len(starts) else len(text)
            chunk, y = shown[start:end], row.top + index * self.line_height
            for span in spans:
                self._mark_span(painter, row, span, self._find_area(span, chunk, start, pane, y), theme, old=old)
            for match in row.matches:
                if match.side == pane.side or row.row.kind == "same":
                    self._mark_match(painter, self._find_area(match, chunk, start, pane, y), theme, match is row.match)
            painter.setPen(QColor(theme.text))
            painter.drawText(pane.text_left, y + self._ascent, chunk)

    def _mark_span(
        self, painter: QPainter, row: Row, span: Span, area: QRectF | None, theme: Theme, *, old: bool
    ) -> None:
        if area is None:
            return
        painter.fillRect(area, theme.tint(theme.bad if old else theme.good, alpha=0.38))
        if span.edit == row.current:
            painter.fillRect(QRectF(area.left(), area.bottom() - 2, area.width(), 2), QColor(theme.accent))

    def _mark_match(self, painter: QPainter, area: QRectF | None, theme: Theme, is_current: bool) -> None:
        if area is None:
            return
        painter.fillRect(area, theme.tint(theme.warn, alpha=0.6 if is_current else 0.3))
        if is_current:
            painter.fillRect(QRectF(area.left(), area.bottom() - 2, area.width(), 2), QColor(theme.warn))

    def _find_area(self, part: Span | Match, chunk: str, start: int, pane: Pane, y: int) -> QRectF | None:
        """Return where a part of a row stands in one of its lines; None where it does not."""
        begin, end = max(part.start - start, 0), min(part.end - start, len(chunk))
        if begin >= end:
            return None
        left, right = self._measure(chunk, begin), self._measure(chunk, end)
        return QRectF(pane.text_left + left, y, right - left, self.line_height)

    def _measure(self, chunk: str, characters: int) -> float:
        if chunk.isascii():
            return characters * self.advance
        return self._metrics.horizontalAdvance(chunk[:characters])


def _tr(text: str) -> str:
    return QCoreApplication.translate("DiffPainter", text)
