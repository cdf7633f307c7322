"""What stands in place of events where there are none: why, and what to do about it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from mailnod_desktop.services.event_query import Looking
from mailnod_desktop.services.event_reader import Progress

__all__ = ["EventsNotice"]


class EventsNotice(QWidget):
    """A heading, a sentence, and at most one thing to do."""

    #: "open", "again" or "clear".
    acted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("events-notice")
        self._action = ""
        self.heading = QLabel(self)
        self.heading.setProperty("heading", True)
        self.text = QLabel(self)
        self.text.setProperty("muted", True)
        self.text.setWordWrap(True)
        self.text.setMaximumWidth(640)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.bar = QProgressBar(self)
        self.bar.setAccessibleName(self.tr("How far the search has come"))
        self.bar.setMaximumWidth(320)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.button = QPushButton(self)
        self.button.setObjectName("events-notice-action")
        self.button.clicked.connect(lambda: self.acted.emit(self._action))
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        layout.addStretch(2)
        for label in (self.heading, self.text):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        layout.addWidget(self.heading)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.text, 8)
        row.addStretch(1)
        layout.addLayout(row)
        layout.addWidget(self.bar, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addWidget(self.button, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(3)

    def show_closed(self) -> None:
        """Say that no store is open."""
        self._show(
            self.tr("No store is open"),
            self.tr(
                "Open the database that the app writes to, or a copy that 'mailnod snapshot' made. "
                "Or simulate an open or a click of a mail: its event is shown here."
            ),
            "open",
            self.tr("Open a database…"),
        )

    def show_problem(self, problem: str) -> None:
        """Say why a store cannot be read."""
        self._show(self.tr("The store cannot be read"), problem, "again", self.tr("Try again"))

    def show_searching(self, progress: Progress) -> None:
        """Say how far a search has come that has found nothing yet."""
        self._show(self.tr("Searching…"), self.describe(progress), "", "")
        self.bar.setValue(round(progress.share * 100))
        self.bar.show()

    def show_empty(self, path: Path, *, live: bool) -> None:
        """Say that a store has no events yet."""
        text = self.tr(
            "{path} is a store, and nothing was opened or clicked yet, or the worker has not judged it: "
            "'mailnod work' does."
        ).format(path=path)
        if live:
            text += " " + self.tr("What comes in is shown at once.")
        self._show(self.tr("No events yet"), text, "", "")

    def show_nothing(self, looking: Looking) -> None:
        """Say that a filter lets nothing through, and what narrows it."""
        narrow = [
            looking.text.strip() and self.tr("the query"),
            looking.humans_only and self.tr("“People only”"),
            looking.hidden and self.tr("the classes that are switched off"),
            looking.since and self.tr("the marked time"),
        ]
        named = ", ".join(one for one in narrow if one)
        text = self.tr("What narrows them: {what}.").format(what=named) if named else ""
        self._show(self.tr("No matching events"), text, "clear", self.tr("Show all events"))

    def describe(self, progress: Progress) -> str:
        """Return how far a list has come, in words."""
        count = self.tr("1 event") if progress.found == 1 else self.tr("{n} events").format(n=f"{progress.found:,}")
        if progress.full:
            return self.tr("The newest {count}; narrow the time to see older ones").format(count=count)
        if progress.done:
            return self.tr("{count}, newest first").format(count=count)
        if progress.searched_to is None:
            return self.tr("Searching…")
        return self.tr("{count} so far, searched back to {time} UTC ({share} %)").format(
            count=count, time=f"{progress.searched_to:%Y-%m-%d %H:%M}", share=int(progress.share * 100)
        )

    def _show(self, heading: str, text: str, action: str, button: str) -> None:
        self.heading.setText(heading)
        self.text.setText(text)
        self.setAccessibleName(f"{heading}. {text}")
        self._action = action
        self.button.setText(button)
        self.button.setAccessibleName(button)
        self.button.setVisible(bool(button))
        self.bar.hide()
