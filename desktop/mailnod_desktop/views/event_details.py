"""One event laid open: how it was judged, from what came in to what today's rules would say."""

from __future__ import annotations

import json
from pathlib import Path

from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from mailnod_desktop.models.plain import capitalise, make_visible
from mailnod_desktop.services.explaining import Details, EventMissingError, Explainer, to_plain_details
from mailnod_desktop.services.explaining_text import to_text
from mailnod_desktop.tasks import Tasks
from mailnod_desktop.views.controls import IconButton, make_label
from mailnod_desktop.views.event_details_sections import make_content
from mailnod_desktop.views.metrics_panel import centre

__all__ = ["EventDetails"]


class EventDetails(QWidget):
    """Shows everything that is known of one event; it is read off the GUI thread."""

    def __init__(self, tasks: Tasks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("event-details")
        self._tasks = tasks
        self._key = f"event-details-{id(self)}"
        self._explainer = Explainer()
        self._details: Details | None = None
        self._id: bytes | None = None
        self._redraw = QTimer(self)
        self._redraw.setSingleShot(True)
        self._redraw.timeout.connect(self._show_again)
        self._id_label = make_label(muted=True)
        self._id_label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._copy_text = IconButton("content-copy", self.tr("Copy text"))
        self._copy_text.setObjectName("event-details-copy-text")
        self._copy_text.clicked.connect(self.copy_text)
        self._copy_json = IconButton("code-json", self.tr("Copy JSON"))
        self._copy_json.setObjectName("event-details-copy-json")
        self._copy_json.clicked.connect(self.copy_json)
        self._message = make_label(muted=True, wrap=True)
        self._message.setObjectName("event-details-message")
        self._scroll = QScrollArea()
        self._scroll.setObjectName("event-details-scroll")
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._stack = QStackedWidget()
        self._stack.addWidget(centre(self._message))
        self._stack.addWidget(self._scroll)
        bar = QHBoxLayout()
        bar.setContentsMargins(14, 6, 10, 6)
        bar.setSpacing(6)
        bar.addWidget(self._id_label)
        bar.addStretch(1)
        bar.addWidget(self._copy_text)
        bar.addWidget(self._copy_json)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(bar)
        column.addWidget(self._stack, 1)
        self.clear()

    @property
    def details(self) -> Details | None:
        """What is shown; None where nothing is."""
        return self._details

    def show_event(self, path: Path, event_id: bytes) -> None:
        """Read an event of a store, and show it; what is shown stays until it is there."""
        if event_id != self._id:
            self._id_label.setText("")
        self._id = event_id
        if self._details is None:
            self._say(self.tr("Reading ..."))
        explainer = self._explainer
        self._tasks.start(self._key, lambda _: explainer.explain(path, event_id), self._take, self._fail)

    def clear(self) -> None:
        """Show nothing, and let go of the store."""
        self._tasks.cancel(self._key)
        explainer = self._explainer
        self._tasks.start(f"{self._key}-close", lambda _: explainer.close(), lambda _: None)
        self._id = None
        self._say(self.tr("Choose an event to see what came in, what speaks for a person or a machine, and why."))

    def copy_text(self) -> None:
        """Put what is shown on the clipboard, as plain text."""
        if self._details is not None:
            QGuiApplication.clipboard().setText(to_text(self._details))

    def copy_json(self) -> None:
        """Put what is known on the clipboard, as JSON."""
        if self._details is not None:
            QGuiApplication.clipboard().setText(json.dumps(to_plain_details(self._details), indent=2))

    def changeEvent(self, event: QEvent) -> None:
        """Draw in the colours of another theme."""
        super().changeEvent(event)
        if event.type() is QEvent.Type.StyleChange and self._details is not None:
            # Qt is walking through the widgets at this moment, which must not go away.
            self._redraw.start()

    def _take(self, details: Details) -> None:
        fresh = self._details is None or self._details.explanation.record.event.id != self._id
        self._details = details
        self._show(details)
        if fresh:
            self._scroll.verticalScrollBar().setValue(0)

    def _show_again(self) -> None:
        if self._details is not None:
            self._show(self._details)

    def _show(self, details: Details) -> None:
        at = self._scroll.verticalScrollBar().value()
        self._scroll.setWidget(make_content(details))
        self._scroll.verticalScrollBar().setValue(at)
        self._id_label.setText(details.explanation.record.event.id.hex()[:18])
        self._id_label.setToolTip(details.explanation.record.event.id.hex())
        self._stack.setCurrentIndex(1)
        for button in (self._copy_text, self._copy_json):
            button.setEnabled(True)

    def _fail(self, error: Exception) -> None:
        text = str(error) if isinstance(error, EventMissingError) else self._explain(error)
        self._say(text)

    def _explain(self, error: Exception) -> str:
        return self.tr("The event cannot be read. {0}").format(capitalise(make_visible(str(error))))

    def _say(self, text: str) -> None:
        """Show a sentence in the place of the details."""
        self._details = None
        self._id_label.setText("")
        self._message.setText(text)
        self._stack.setCurrentIndex(0)
        for button in (self._copy_text, self._copy_json):
            button.setEnabled(False)
