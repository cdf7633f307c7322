"""The plain-text body of a mail, and beside it what leaves where its links are tracked."""

from __future__ import annotations

import re

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import (
    QFrame,
    QPlainTextEdit,
    QSplitter,
    QTextEdit,
    QVBoxLayout,
    QWidget,
)

from mailnod_desktop.models.plain import make_visible
from mailnod_desktop.services.model import Inspection
from mailnod_desktop.theme import get_theme
from mailnod_desktop.views.bodiless import explain_no_html, knows_text
from mailnod_desktop.views.controls import IconButton, lay_out_below_bar, make_label
from mailnod_desktop.views.tables import make_source_font

__all__ = ["PlainTextView"]

#: More of a text is not shown.
_SHOWN_CHARS = 2_000_000
_MARKED = 500


class PlainTextView(QWidget):
    """Shows the text that programs show that show no HTML."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("plain_text")
        self._counts = make_label(muted=True)
        self._copy = IconButton("content-copy", self.tr("Copy text"))
        self._copy.setToolTip(self.tr("Copy the text as it would leave"))
        self._original = _Pane(self.tr("Text as it came"))
        self._rewritten = _Pane(self.tr("Text as it would leave"))
        self._splitter = QSplitter(Qt.Orientation.Horizontal)
        self._splitter.setChildrenCollapsible(False)
        self._splitter.addWidget(self._original)
        self._splitter.addWidget(self._rewritten)
        lay_out_below_bar(self, self._splitter, wide=(self._counts,), narrow=(self._copy,))
        self._leaving = ""
        self._copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self._leaving))
        self.set_inspection(None)

    @property
    def original_text(self) -> str:
        """The text as it came, as it is shown."""
        return self._original.text.toPlainText()

    @property
    def rewritten_text(self) -> str | None:
        """The text as it would leave, as it is shown; None where it leaves as it came."""
        return None if self._rewritten.isHidden() else self._rewritten.text.toPlainText()

    def set_inspection(self, inspection: Inspection | None) -> None:
        """Show the text of another inspection, or why there is none."""
        came = "" if inspection is None else inspection.parsed.text
        self._leaving = came if inspection is None else inspection.text or came
        changed = self._leaving != came
        self._original.show_text(came, "")
        self._rewritten.show_text(self._leaving if changed else "", (inspection and inspection.token) or "")
        self._rewritten.setVisible(changed)
        self._original.title.setVisible(changed)
        self._copy.setEnabled(bool(came))
        if inspection is None:
            hint = self.tr("Open a mail to see its text.")
        elif not knows_text(inspection):
            hint = explain_no_html(inspection)
        else:
            hint = self.tr("This mail has no plain text. Some readers and most filters want one.")
        self._original.text.setPlaceholderText(hint)
        self._counts.setText(self._describe(came, changed))

    def _describe(self, text: str, changed: bool) -> str:
        if not text:
            return ""
        lines = text.count("\n") + 1
        said = self.tr("{lines} lines, {chars} characters").format(lines=f"{lines:,}", chars=f"{len(text):,}")
        return f"{said} · " + (self.tr("links are tracked") if changed else self.tr("leaves as it came"))


class _Pane(QWidget):
    """A text with its heading."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.title = make_label(title, heading=True)
        self.title.setContentsMargins(8, 4, 8, 4)
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setFrameShape(QFrame.Shape.NoFrame)
        self.text.setFont(make_source_font(9.5))
        self.text.setAccessibleName(title)
        self.text.document().setDocumentMargin(10)
        # Read-only text can be selected and copied by keys too.
        self.text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.title)
        layout.addWidget(self.text)

    def show_text(self, text: str, token: str) -> None:
        """Show a text, with the URLs marked that hold a token; the place stays where the text does."""
        shown = make_visible(text[:_SHOWN_CHARS].replace("\r\n", "\n"), keep_lines=True)
        if shown != self.text.toPlainText():
            place = self.text.verticalScrollBar().value()
            self.text.setPlainText(shown)
            self.text.verticalScrollBar().setValue(place)
        self.text.setExtraSelections(self._mark(shown, token) if token else [])

    def _mark(self, text: str, token: str) -> list[QTextEdit.ExtraSelection]:
        ground = QTextCharFormat()
        ground.setBackground(QColor(get_theme().added))
        ground.setFontUnderline(True)
        marks: list[QTextEdit.ExtraSelection] = []
        for match in re.finditer(rf"https?://\S*{re.escape(token)}[^\s<>\"')]*", text):
            mark, cursor = QTextEdit.ExtraSelection(), QTextCursor(self.text.document())
            cursor.setPosition(_count_units(text, match.start()))
            cursor.setPosition(_count_units(text, match.end()), QTextCursor.MoveMode.KeepAnchor)
            mark.cursor, mark.format = cursor, ground
            marks.append(mark)
            if len(marks) == _MARKED:
                break
        return marks


def _count_units(text: str, position: int) -> int:
    """Return a position as Qt counts it, in units of UTF-16."""
    before = text[:position]
    return position if before.isascii() else len(before.encode("utf-16-le", "surrogatepass")) // 2
