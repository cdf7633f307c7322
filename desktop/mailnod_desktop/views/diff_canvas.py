"""Two texts side by side with their edits marked, drawn line by line as far as they are seen."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QRect, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QWidget

from mailnod_desktop.models.diff_lines import DiffLines, Match, Side, wrap
from mailnod_desktop.services.diff import DiffRow
from mailnod_desktop.theme import get_theme
from mailnod_desktop.views.diff_paint import MARK, PADDING, DiffPainter, Pane, Row

__all__ = ["DiffCanvas"]


class DiffCanvas(QAbstractScrollArea):
    """Draws rows, and lets a person go through edits, open gaps and take lines along.

    It takes the same time for a mail of a megabyte as for a short one, because only lines that are seen are drawn.
    """

    #: Position of the edit that a person clicked on, among those of the plan.
    edit_clicked = Signal(int)
    #: As above, by a double click or Return.
    edit_chosen = Signal(int)
    menu_requested = Signal(QPoint)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("diff_canvas")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setMouseTracking(True)
        self._lines: DiffLines | None = None
        self._hint = ""
        self._current: int | None = None
        self._matches: dict[int, list[Match]] = {}
        self._match: Match | None = None
        self._selected: tuple[int, int, Side] | None = None
        self._painter = DiffPainter()

    @property
    def lines(self) -> DiffLines | None:
        """What is drawn."""
        return self._lines

    @property
    def current(self) -> int | None:
        """Position of the edit that is marked, among those of the plan."""
        return self._current

    def set_lines(self, lines: DiffLines | None, hint: str = "") -> None:
        """Draw other rows from their beginning, or say why there are none."""
        self._lines, self._hint = lines, hint
        self._current = self._selected = None
        self.set_matches([])
        self.verticalScrollBar().setValue(0)
        self.refresh()

    def refresh(self) -> None:
        """Measure the rows afresh, after gaps were opened."""
        self._painter = DiffPainter()
        if self._lines is not None:
            self._lines.lay_out(self._count_columns())
        height = self._lines.height if self._lines is not None else 0
        seen = self._count_seen()
        bar = self.verticalScrollBar()
        bar.setPageStep(max(seen - 1, 1))
        bar.setRange(0, max(height - seen, 0))
        self.viewport().update()

    def go_to_edit(self, number: int | None) -> None:
        """Mark an edit, and bring it to where it is seen; None marks none."""
        self._current = number
        if self._lines is not None:
            for place in self._lines.edits:
                if place.number == number:
                    self._bring(place.row)
        self.viewport().update()

    def set_matches(self, matches: list[Match]) -> None:
        """Mark what a search found."""
        self._matches, self._match = {}, None
        for match in matches:
            self._matches.setdefault(match.row, []).append(match)
        self.viewport().update()

    def go_to_match(self, match: Match) -> None:
        """Bring one of the matches to where it is seen."""
        self._match = match
        line = match.start // self._lines.columns if self._lines is not None else 0
        self._bring(match.row, line)
        self.viewport().update()

    def get_first_number(self) -> int:
        """Return the number of the first line of the old text that is seen."""
        if self._lines is None or not self._lines.height:
            return 1
        row, _ = self._lines.find_row(self.verticalScrollBar().value())
        return next((one.old_number for one in self._lines.rows[row:] if one.old_number is not None), 1)

    def scroll_to_number(self, number: int) -> None:
        """Let a line of the old text be the first that is seen."""
        if self._lines is not None and self._lines.height:
            self.verticalScrollBar().setValue(self._lines.find_line(self._lines.find_number(number)))

    def get_selected_text(self) -> str:
        """Return the lines that are selected, as they stand in the source."""
        if self._lines is None or self._selected is None:
            return ""
        first, last, side = self._selected
        return self._lines.get_text(min(first, last), max(first, last), side)

    def copy(self) -> None:
        """Copy the lines that are selected."""
        text = self.get_selected_text()
        if text:
            QGuiApplication.clipboard().setText(text)

    def find_edit_at(self, at: QPoint) -> int | None:
        """Return the edit at a point; in a line with one edit, every point is its own."""
        found = self._find_at(at)
        if found is None:
            return None
        row, _, pane, place = found
        spans = row.old_spans if pane.side == "old" else row.new_spans
        for span in spans:
            if span.start <= place < span.end:
                return span.edit
        edits = {span.edit for span in (*row.old_spans, *row.new_spans)}
        return edits.pop() if len(edits) == 1 else None

    # -- drawing ------------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the lines that are seen."""
        painter, theme = QPainter(self.viewport()), get_theme()
        painter.fillRect(event.rect(), QColor(theme.base))
        if self._lines is None or not self._lines.height:
            painter.setPen(QColor(theme.muted))
            area = self.viewport().rect().adjusted(24, 12, -24, -12)
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._hint)
            painter.end()
            return
        painter.setFont(self._painter.font)
        panes = self._make_panes()
        painter.fillRect(QRect(panes[1].left - 1, 0, 1, self.viewport().height()), QColor(theme.border))
        number, skipped = self._lines.find_row(self.verticalScrollBar().value())
        top = -skipped * self._painter.line_height
        while number < len(self._lines.rows) and top < self.viewport().height():
            height = (self._lines.find_line(number + 1) - self._lines.find_line(number)) * self._painter.line_height
            self._draw_row(painter, self._lines.rows[number], number, top, height, panes)
            top += height
            number += 1
        painter.end()

    def _draw_row(
        self, painter: QPainter, row: DiffRow, number: int, top: int, height: int, panes: tuple[Pane, Pane]
    ) -> None:
        if row.kind == "gap":
            self._painter.draw_gap(painter, row, QRect(0, top, self.viewport().width(), height))
            return
        drawn = Row(
            row=row,
            top=top,
            height=height,
            columns=self._columns,
            seen=self.viewport().height(),
            current=self._current,
            selected=[pane.side for pane in panes if self._is_selected(number, pane.side)],
            matches=self._matches.get(number, ()),
            match=self._match,
        )
        for pane in panes:
            self._painter.draw_side(painter, drawn, pane)

    # -- sizes --------------------------------------------------------------------------------------------------------

    @property
    def _columns(self) -> int:
        return self._lines.columns if self._lines is not None else 80

    def _count_columns(self) -> int:
        pane = self._make_panes()[0]
        return max(int((pane.left + pane.width - pane.text_left - PADDING) / self._painter.advance), 8)

    def _count_seen(self) -> int:
        return max(self.viewport().height() // self._painter.line_height, 1)

    def _make_panes(self) -> tuple[Pane, Pane]:
        half = self.viewport().width() // 2
        digits = self._lines.digits if self._lines is not None else 1
        sign = round(MARK + PADDING + digits * self._painter.advance + PADDING)
        text = round(sign + self._painter.advance + 5)
        old = Pane("old", 0, half, sign, text)
        return old, Pane("new", half, self.viewport().width() - half, half + sign, half + text)

    def _bring(self, row: int, line: int = 0) -> None:
        """Scroll until a row stands in the upper third, where it is not seen already."""
        if self._lines is None:
            return
        self._lines.lay_out(self._count_columns())
        wanted, bar, seen = self._lines.find_line(row) + line, self.verticalScrollBar(), self._count_seen()
        if not bar.value() + 1 <= wanted <= bar.value() + seen - 4:
            bar.setValue(wanted - seen // 3)

    def _is_selected(self, row: int, side: Side) -> bool:
        if self._selected is None or self._selected[2] != side:
            return False
        return min(self._selected[:2]) <= row <= max(self._selected[:2])

    def _find_at(self, at: QPoint) -> tuple[DiffRow, int, Pane, int] | None:
        """Return the row at a point with its number, the side, and the character that stands there."""
        if self._lines is None or not self._lines.height:
            return None
        line = self.verticalScrollBar().value() + max(at.y(), 0) // self._painter.line_height
        if line >= self._lines.height:
            return None
        number, below = self._lines.find_row(line)
        row = self._lines.rows[number]
        pane = self._make_panes()[at.x() >= self.viewport().width() // 2]
        text = row.old if pane.side == "old" else row.new
        starts = wrap(text, self._columns)
        if below >= len(starts):
            return row, number, pane, len(text)
        place = (
            starts[below] + int((at.x() - pane.text_left) / self._painter.advance) if at.x() >= pane.text_left else -1
        )
        return row, number, pane, place

    # -- hands --------------------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Wrap rows at the new width, and stay where one was."""
        super().resizeEvent(event)
        number = self.get_first_number()
        at_top = self.verticalScrollBar().value() == 0
        self.refresh()
        if not at_top:
            self.scroll_to_number(number)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Open a gap, go to an edit, or begin to select lines."""
        if event.button() is not Qt.MouseButton.LeftButton:
            return
        found = self._find_at(event.position().toPoint())
        self._selected = None
        if found is not None:
            row, number, pane, _ = found
            if row.kind == "gap":
                self.expand(number)
                return
            edit = self.find_edit_at(event.position().toPoint())
            if edit is not None:
                self.edit_clicked.emit(edit)
            self._selected = (number, number, pane.side)
        self.viewport().update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Select more lines, or show by the cursor what can be opened."""
        found = self._find_at(event.position().toPoint())
        over_gap = found is not None and found[0].kind == "gap"
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor if over_gap else Qt.CursorShape.ArrowCursor)
        if event.buttons() & Qt.MouseButton.LeftButton and self._selected is not None and found is not None:
            self._selected = (self._selected[0], found[1], self._selected[2])
            self.viewport().update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Choose the edit under the pointer."""
        edit = self.find_edit_at(event.position().toPoint())
        if edit is not None:
            self.edit_chosen.emit(edit)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Ask for the menu at a point."""
        self.menu_requested.emit(event.pos())

    def expand(self, row: int) -> None:
        """Open a gap, and stay where one was."""
        if self._lines is not None:
            self._lines.expand(row)
            self._selected = None
            self.refresh()

    def event(self, event: QEvent) -> bool:
        """Keep the keys that mean something here from the window's actions while this has the focus."""
        if event.type() is QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and _is_own_key(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy, choose the current edit, or move."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._current is not None:
            self.edit_chosen.emit(self._current)
        elif event.key() in (Qt.Key.Key_Home, Qt.Key.Key_End):
            bar = self.verticalScrollBar()
            bar.setValue(bar.minimum() if event.key() == Qt.Key.Key_Home else bar.maximum())
        else:
            super().keyPressEvent(event)


def _is_own_key(event: QKeyEvent) -> bool:
    if event.matches(QKeySequence.StandardKey.Find) or event.matches(QKeySequence.StandardKey.Copy):
        return True
    letters = (Qt.Key.Key_N, Qt.Key.Key_P, Qt.Key.Key_W)
    return event.key() == Qt.Key.Key_F7 or (event.key() in letters and not event.modifiers())
