"""The events of a store: a query, a timeline that marks a time, and the table of what they let through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from PySide6.QtCore import QEvent, QSettings, Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from mailnod.errors import QueryError
from mailnod.model import Classification, EventFilter
from mailnod_desktop.models.events import EventTable
from mailnod_desktop.models.timeline import EventCounts
from mailnod_desktop.services.event_buckets import name_span
from mailnod_desktop.services.event_query import Looking, add_term
from mailnod_desktop.services.event_reader import EventReader, Overview, Progress, Row, State
from mailnod_desktop.tasks import Tasks
from mailnod_desktop.theme import icon
from mailnod_desktop.views.events_legend import EventsLegend
from mailnod_desktop.views.events_notice import EventsNotice
from mailnod_desktop.views.events_table import EventsTable
from mailnod_desktop.views.query_box import QueryBox
from mailnod_desktop.views.timeline import Timeline

__all__ = ["EventsView"]

_LIVE, _HUMANS = "events/live", "events/humans-only"


class EventsView(QWidget):
    """Shows the events of one store, and follows it.

    :param tasks: reads in the background.
    :param settings: where filters, switches and columns are kept.
    """

    #: Path of the store and id of the event that is current; None where none is.
    event_selected = Signal(object)
    #: Path and id of an event whose verdict somebody wants explained.
    explain_requested = Signal(object)
    #: Which store is open and how many events it holds, in words; "" where none is.
    status_changed = Signal(str)
    #: What went wrong and what to do, in words.
    problem = Signal(str)
    #: The :class:`EventFilter` of the events that are shown, which somebody wants written to a file.
    export_requested = Signal(object)
    #: The :class:`EventFilter` of the events that are shown, which somebody wants judged anew.
    rejudge_requested = Signal(object)
    #: Somebody wants to open a store.
    open_requested = Signal()

    def __init__(self, tasks: Tasks, settings: QSettings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("events")
        self._tasks, self._settings = tasks, settings
        self._reader: EventReader | None = None
        self._looking = Looking()
        self._filter = EventFilter()
        self._problem = ""
        self._share = Progress(0, None, 1.0, done=True)
        self.model = EventTable(tasks, self)
        self.counts = EventCounts(tasks, self)
        self.query_box = QueryBox(settings, self)
        self.live = self._make_switch("live", self.tr("Live"), self.tr("Show new events as they come in"), _LIVE)
        self.humans = self._make_switch(
            "humans-only", self.tr("People only"), self.tr("Leave out what machines did"), _HUMANS
        )
        self.export = self._make_button("export", self.tr("Export"), self.tr("Write these events to a file"))
        self.rejudge = self._make_button(
            "rejudge", self.tr("Judge anew"), self.tr("See which verdicts the rules of today would change")
        )
        self.timeline = Timeline(self.counts, self)
        self.legend = EventsLegend(self)
        self.mark = self._make_button("mark", "", self.tr("Show events of all times again"))
        self.zoom = self._make_button("zoom", self.tr("Whole time"), self.tr("Show all of the time in the timeline"))
        self.table = EventsTable(self.model, tasks, settings, self)
        self.notice = EventsNotice(self)
        self.line = QLabel(self)
        self.line.setTextFormat(Qt.TextFormat.PlainText)
        self.line.setObjectName("events-line")
        self.line.setProperty("muted", True)
        self.again = QPushButton(self.tr("Try again"), self)
        self.again.setObjectName("events-again")
        self._lay_out()
        self._connect()
        self._apply_theme()
        self.mark.hide()
        self.zoom.hide()
        self.again.hide()
        self.model.set_live(self.live.isChecked())
        self._show_notice()

    def open_database(self, path: Path) -> None:
        """Show the events of a store."""
        self._forget()
        self._reader = EventReader(path)
        self.table.set_reader(self._reader)
        self._apply()

    def close_database(self) -> None:
        """Show none any more."""
        self._forget()
        self._apply()
        self.event_selected.emit(None)
        self.status_changed.emit("")

    def set_query(self, text: str) -> None:
        """Write a query and look for it."""
        self.query_box.set_text(text)

    def query(self) -> str:
        """Return the query as it stands there."""
        return self.query_box.text()

    def get_filter(self) -> EventFilter:
        """Return what is shown: the query, the switches, and the marked time."""
        return self._filter

    def set_live(self, live: bool) -> None:
        """Show new events as they come in, or do not."""
        self.live.setChecked(live)

    def set_humans_only(self, humans_only: bool) -> None:
        """Leave out what machines did, or do not."""
        self.humans.setChecked(humans_only)

    def focus_query(self) -> None:
        """Let somebody type a query."""
        self.query_box.line.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.query_box.line.selectAll()

    def refresh(self) -> None:
        """Read everything again."""
        self._apply()

    def close(self) -> bool:
        """Stop all work, close the store, and close the widget."""
        self.table.save_widths()
        self._forget()
        self.counts.close()
        self.model.close()
        return super().close()

    def changeEvent(self, event: QEvent) -> None:
        """Take the colours of another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._apply_theme()

    # How it is put together.

    def _make_switch(self, name: str, text: str, tip: str, key: str) -> QToolButton:
        button = self._make_button(name, text, tip)
        button.setCheckable(True)
        button.setChecked(self._settings.value(key, key == _LIVE, type=bool) is True)
        button.toggled.connect(lambda on: self._settings.setValue(key, on))
        return button

    def _make_button(self, name: str, text: str, tip: str) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName(f"events-{name}")
        button.setText(text)
        button.setToolTip(tip)
        button.setAccessibleName(text or tip)
        button.setAccessibleDescription(tip)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        return button

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(4)
        top.addWidget(self.query_box, 1)
        for button in (self.export, self.rejudge):
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        for button in (self.live, self.humans, self.export, self.rejudge):
            top.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        below = QHBoxLayout()
        below.setSpacing(6)
        below.addWidget(self.legend, 1)
        for button in (self.mark, self.zoom):
            below.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        self.stack = QStackedWidget(self)
        self.stack.addWidget(self.table)
        self.stack.addWidget(self.notice)
        # What stands in the table's place must not keep the window from being low.
        self.stack.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self.stack.setMinimumHeight(64)
        bottom = QHBoxLayout()
        bottom.addWidget(self.line, 1)
        bottom.addWidget(self.again)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 4)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addWidget(self.timeline)
        layout.addLayout(below)
        layout.addWidget(self.stack, 1)
        layout.addLayout(bottom)

    def _connect(self) -> None:
        self.query_box.submitted.connect(self._take_query)
        self.live.toggled.connect(self.model.set_live)
        self.humans.toggled.connect(lambda on: self._look(replace(self._looking, humans_only=on), whole=True))
        self.export.clicked.connect(lambda: self.export_requested.emit(self._filter))
        self.rejudge.clicked.connect(lambda: self.rejudge_requested.emit(self._filter))
        self.legend.hidden_changed.connect(self._take_hidden)
        self.timeline.marked.connect(self._take_mark)
        self.mark.clicked.connect(lambda _checked: self._clear_mark())
        self.zoom.clicked.connect(lambda: self.counts.zoom(None))
        self.again.clicked.connect(self.refresh)
        self.notice.acted.connect(self._act)
        self.table.row_selected.connect(self._take_row)
        self.table.term_wanted.connect(lambda field, value: self.set_query(add_term(self.query(), field, value)))
        self.table.explain_wanted.connect(lambda row: self._name(row, self.explain_requested.emit))
        self.table.copied.connect(
            lambda count: self.line.setText(self.tr("{count} rows copied").format(count=f"{count:,}"))
        )
        self.counts.changed.connect(lambda: self.zoom.setVisible(self.counts.is_zoomed()))
        self.counts.overview_changed.connect(self._take_overview)
        self.counts.failed.connect(self._take_failure)
        self.model.progress.connect(self._take_progress)
        self.model.store_changed.connect(self._take_state)
        self.model.failed.connect(self._take_failure)

    def _apply_theme(self) -> None:
        names = {self.live: "access-point", self.humans: "account-outline", self.export: "export-variant"}
        for button, name in {**names, self.rejudge: "gavel", self.mark: "close", self.zoom: "magnify-minus"}.items():
            button.setIcon(icon(name))
        self.legend.apply_theme()
        self.query_box.apply_theme()
        self.timeline.update()
        self.model.apply_theme()

    # What is looked at.

    def _forget(self) -> None:
        reader, self._reader = self._reader, None
        self.model.show(None, EventFilter())
        self.counts.show(None, EventFilter())
        self.table.set_reader(None)
        self._problem = ""
        self._clear_mark(apply=False)
        if reader is not None:
            # It waits for what is still read.
            self._tasks.let_go(reader.close)

    def _take_query(self, text: str) -> None:
        self._look(replace(self._looking, text=text), whole=True)

    def _take_hidden(self, hidden: frozenset[Classification]) -> None:
        self.timeline.set_hidden(hidden)
        self._look(replace(self._looking, hidden=hidden), whole=False)

    def _take_mark(self, mark: tuple[datetime, datetime] | None) -> None:
        since, until = mark or (None, None)
        self.mark.setVisible(mark is not None)
        self.mark.setText("" if mark is None else name_span(*mark))
        self._look(replace(self._looking, since=since, until=until), whole=False)

    def _clear_mark(self, *, apply: bool = True) -> None:
        self.timeline.set_mark(None)
        self.mark.hide()
        self._looking = replace(self._looking, since=None, until=None)
        if apply:
            self._apply(whole=False)

    def _look(self, looking: Looking, *, whole: bool) -> None:
        if looking != self._looking:
            self._looking = looking
            self._apply(whole=whole)

    def _apply(self, *, whole: bool = True) -> None:
        """Begin the list anew, and what is drawn of it too where that shows others.

        :param whole: whether the timeline shows others.
        """
        now = datetime.now(UTC)
        try:
            self._filter = self._looking.make_filter(now)
            beside = self._looking.make_filter(now, whole=True)
        except QueryError as error:
            self.query_box.show_error(error)
            return
        self.query_box.show_error(None)
        self._share = Progress(0, None, 0.0, done=self._reader is None)
        self.again.hide()
        self._problem = ""
        self.model.show(self._reader, self._filter)
        if whole:
            self.counts.show(self._reader, beside)
        for button in (self.export, self.rejudge):
            button.setEnabled(self._reader is not None)
        self._show_notice()

    # What comes back.

    def _take_progress(self, progress: Progress) -> None:
        self._share = progress
        if progress.done and progress.found:
            self.query_box.memory.remember(self._looking.text.strip())
        self._show_notice()

    def _take_overview(self, overview: Overview) -> None:
        self._show_status(overview.events)
        self._show_notice()

    def _take_state(self, state: State) -> None:
        self.counts.follow(state)
        if self._filter == EventFilter():
            self._show_status(self.model.rowCount())

    def _take_row(self, row: Row | None) -> None:
        if row is None:
            self.event_selected.emit(None)
        else:
            self._name(row, self.event_selected.emit)

    def _name(self, row: Row, tell: Callable[[tuple[Path, bytes]], None]) -> None:
        if self._reader is not None:
            tell((self._reader.path, row.id))

    def _take_failure(self, problem: str) -> None:
        if self._reader is None or problem == self._problem:
            return
        self._problem = problem
        if problem:
            self.problem.emit(problem)
        self._show_notice()

    def _show_status(self, events: int) -> None:
        if self._reader is not None:
            text = self.tr("{name}  {count} events").format(name=self._reader.path.name, count=f"{events:,}")
            self.status_changed.emit(text)

    def _show_notice(self) -> None:
        """Show the table, or in its place why there is nothing in it."""
        share, found = self._share, self.model.rowCount()
        overview = self.counts.overview
        empty = overview is not None and overview.since is None
        self.stack.setCurrentWidget(self.table if found else self.notice)
        self.again.setVisible(bool(self._problem) and found > 0)
        if self._reader is None:
            self.notice.show_closed()
        elif self._problem and not found:
            self.notice.show_problem(self._problem)
        elif not found and not share.done:
            self.notice.show_searching(share)
        elif not found and empty:
            self.notice.show_empty(self._reader.path, live=self.live.isChecked())
        elif not found:
            self.notice.show_nothing(self._looking)
        self.line.setText(self._problem or self.notice.describe(share) if self._reader else "")

    def _act(self, action: str) -> None:
        if action == "open":
            self.open_requested.emit()
        elif action == "again":
            self.refresh()
        else:
            self._clear_mark(apply=False)
            self._looking = replace(self._looking, humans_only=False)
            self.legend.show_all()
            self.humans.setChecked(False)
            self.query_box.set_text("")
            self._apply()
