"""The preview where Qt WebEngine is missing: it says so, says how to get it, and shows the plain text."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QFrame, QLabel, QPlainTextEdit, QVBoxLayout, QWidget

from mailnod.html.urls import TrackingBase
from mailnod_desktop.theme import icon, make_mono_font
from mailnod_desktop.views.preview_surface import PreviewBackend, PreviewDocument, Side, Surface
from mailnod_desktop.web.flags import engine_problem
from mailnod_desktop.web.rules import Blocked

__all__ = ["TextBackend", "TextSurface", "make_backend"]


_TEXT_MARGIN = 16


class TextSurface(Surface):
    """Explains what is missing, above the mail's plain text."""

    def __init__(self, problem: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        card = QFrame(self)
        card.setObjectName("previewProblem")
        self._sign = QLabel(card)
        title = QLabel(self.tr("HTML cannot be shown here"), card)
        title.setProperty("heading", True)
        words = QLabel(problem, card)
        words.setWordWrap(True)
        words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        words.setProperty("muted", True)
        words.setAccessibleName(problem)
        inner = QVBoxLayout(card)
        inner.setContentsMargins(20, 18, 20, 18)
        for widget in (self._sign, title, words):
            inner.addWidget(widget)
        self._text = QPlainTextEdit(self)
        self._text.setReadOnly(True)
        self._text.setFont(make_mono_font())
        self._text.document().setDocumentMargin(_TEXT_MARGIN)
        self._text.setAccessibleName(self.tr("Plain text of the mail"))
        self._text.setPlaceholderText(self.tr("This mail has no plain text."))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(card)
        layout.addWidget(self._text, 1)

        self._draw_sign()

    def changeEvent(self, event: QEvent) -> None:
        """Draw the picture in the colours of another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_sign"):
            self._draw_sign()

    def _draw_sign(self) -> None:
        self._sign.setPixmap(icon("image-off-outline").pixmap(28, 28))

    def show_document(self, document: PreviewDocument | None) -> bool:
        """Show the plain text of a document."""
        self._text.setPlainText(document.text if document else "")
        return False


class TextBackend:
    """Makes surfaces that show plain text; nothing is ever loaded, and so nothing blocked."""

    def __init__(self, problem: str) -> None:
        self.problem = problem

    def make_surface(self, _side: Side, parent: QWidget) -> Surface:
        """Make the surface of one pane."""
        return TextSurface(self.problem, parent)

    def begin(self, *, inline: Mapping[str, tuple[str, bytes]], base: TrackingBase | None, allowed: bool) -> None:
        """Do nothing: plain text has no parts."""

    def find_blocked(self) -> list[Blocked]:
        """Return nothing."""
        return []

    def watch(self, changed: Callable[[], None]) -> None:
        """Do nothing: nothing changes."""

    def close(self) -> None:
        """Do nothing: nothing is held."""


def make_backend() -> PreviewBackend:
    """Take Qt WebEngine where it can be loaded and was prepared in time, and plain text elsewhere."""
    problem = engine_problem()
    if problem is not None:
        return TextBackend(problem)
    from mailnod_desktop.web.surface import WebBackend

    return WebBackend()
