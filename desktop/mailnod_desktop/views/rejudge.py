"""What today's rules would make of what was judged before: a preview, which writes nothing."""

from __future__ import annotations

import threading
from pathlib import Path

from PySide6.QtCore import QItemSelectionModel, QModelIndex, Qt, Signal
from PySide6.QtGui import QCloseEvent, QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from mailnod.model import EventFilter
from mailnod_desktop.models.plain import capitalise, make_visible
from mailnod_desktop.models.rejudge import FlipsModel, GroupsModel
from mailnod_desktop.services.rejudging import MOST_FLIPS, RULESET, Judged, Totals, make_command, preview
from mailnod_desktop.services.wording import count
from mailnod_desktop.tasks import Cancelled, Tasks
from mailnod_desktop.theme import make_mono_font
from mailnod_desktop.views.controls import IconButton, make_label
from mailnod_desktop.views.pills import PillDelegate
from mailnod_desktop.views.tables import HintTable, set_widths
from mailnod_desktop.views.thin_bar import ThinBar

__all__ = ["RejudgeDialog"]


class RejudgeDialog(QDialog):
    """Goes through the events of a filter once it is shown, and lists the verdicts that would flip.

    :param filter: which events; its limit does not count.
    """

    #: An event was chosen from the list: its id.
    event_chosen = Signal(bytes)
    #: News from the thread that judges.
    _news = Signal(object)

    def __init__(self, path: Path, filter: EventFilter, tasks: Tasks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("rejudge")
        self.setWindowTitle(self.tr("Judge again: a preview"))
        self.setModal(False)
        self._path, self._wanted, self._tasks = path, filter, tasks
        self._key = f"rejudge-{id(self)}"
        self._totals: Totals | None = None
        self._make_tables()
        self._lay_out()
        self.resize(1240, 640)
        # The receiver lives in this thread, so the signal waits for it.
        self._news.connect(self._take_news, Qt.ConnectionType.QueuedConnection)
        self.start()

    @property
    def totals(self) -> Totals | None:
        """What is known so far."""
        return self._totals

    def start(self) -> None:
        """Begin anew."""
        self.flips.clear()
        self._totals = None
        self._bar.show_part(0, 0)
        self._sentence.setText(self.tr("Counting events ..."))
        self._flips_table.set_hint(self.tr("No verdict has flipped so far."))
        self._set_running(True)
        path, wanted, news = self._path, self._wanted, self._news

        def work(stop: threading.Event) -> Totals:
            def hand_over(judged: Judged) -> None:
                if stop.is_set():
                    raise Cancelled
                news.emit((stop, judged))

            return preview(path, wanted, on_news=hand_over)

        self._tasks.start(self._key, work, self._finish, self._fail)

    def cancel(self) -> None:
        """Leave it at what is known so far."""
        if self._tasks.is_running(self._key):
            self._tasks.cancel(self._key)
            self._set_running(False)
            self._say_totals(self.tr("Broken off. "))

    def closeEvent(self, event: QCloseEvent) -> None:
        """End with the window."""
        self.cancel()
        super().closeEvent(event)

    def reject(self) -> None:
        """End with the window."""
        self.cancel()
        super().reject()

    # -- what it is made of -------------------------------------------------------------------------------------------

    def _make_tables(self) -> None:
        self.flips, self.groups = FlipsModel(self), GroupsModel(self)
        pills = PillDelegate(self)
        self._groups_table = HintTable("rejudge-groups", self.tr("Kinds of flips"))
        self._groups_table.setModel(self.groups)
        self._flips_table = HintTable("rejudge-flips", self.tr("Verdicts that would flip"))
        self._flips_table.setModel(self.flips)
        for table, columns in ((self._groups_table, (0, 1)), (self._flips_table, (3, 4))):
            for column in columns:
                table.setItemDelegateForColumn(column, pills)
            table.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 14)
        set_widths(self._groups_table, (20, 20, 8))
        header = self._groups_table.horizontalHeader()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        set_widths(self._flips_table, (17, 5, 21, 16, 16, 12))
        self._groups_table.selectionModel().currentRowChanged.connect(self._choose_group)
        self._flips_table.chosen.connect(self._choose_flip)

    def _lay_out(self) -> None:
        note = make_label(
            self.tr(
                "What is stored is judged again by the rules of today (version {0}) and shown. Nothing is written."
            ).format(RULESET),
            wrap=True,
        )
        self._sentence = make_label(wrap=True)
        self._sentence.setObjectName("rejudge-sentence")
        self._bar = ThinBar("rejudge-progress", self.tr("How far it is"))
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(self._groups_table)
        split.addWidget(self._flips_table)
        split.setSizes([340, 860])
        split.setChildrenCollapsible(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 12)
        column.setSpacing(8)
        column.addWidget(note)
        column.addWidget(self._bar)
        column.addWidget(self._sentence)
        column.addWidget(split, 1)
        column.addLayout(self._make_command_row())
        column.addLayout(self._make_buttons())

    def _make_command_row(self) -> QVBoxLayout:
        command, exact = make_command(self._path, self._wanted)
        self._command = QLineEdit(command)
        self._command.setObjectName("rejudge-command")
        self._command.setAccessibleName(self.tr("The command that would write it"))
        self._command.setReadOnly(True)
        self._command.setFont(make_mono_font())
        self._command.setCursorPosition(0)
        copy = IconButton("content-copy", self.tr("Copy"))
        copy.setObjectName("rejudge-copy")
        copy.setAccessibleName(self.tr("Copy the command"))
        copy.setAutoDefault(False)
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(command))
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self._command, 1)
        row.addWidget(copy)
        column = QVBoxLayout()
        column.setSpacing(4)
        text = self.tr("This command writes it: it appends the new verdicts, and moves the counts.")
        if not exact:
            text += self.tr(" It takes a time and a campaign alone, so it judges more than what is shown here.")
        column.addWidget(make_label(text, muted=True, wrap=True))
        column.addLayout(row)
        return column

    def _make_buttons(self) -> QHBoxLayout:
        self._again = QPushButton(self.tr("Start anew"))
        self._again.setObjectName("rejudge-again")
        self._again.clicked.connect(self.start)
        self._cancel = QPushButton(self.tr("Stop"))
        self._cancel.setObjectName("rejudge-cancel")
        self._cancel.clicked.connect(self.cancel)
        close = QPushButton(self.tr("Close"))
        close.setObjectName("rejudge-close")
        close.clicked.connect(self.close)
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addStretch(1)
        for button in (self._again, self._cancel, close):
            # Return in the list chooses an event, and presses no button.
            button.setAutoDefault(False)
            row.addWidget(button)
        return row

    # -- what comes back ----------------------------------------------------------------------------------------------

    def _take_news(self, news: tuple[threading.Event, Judged]) -> None:
        stop, judged = news
        if stop.is_set():
            return
        totals = self._totals = judged.totals
        self._bar.show_part(totals.seen, max(totals.total, 1))
        self.flips.append(judged.flips)
        self._show_groups(totals)
        self._say_totals("")

    def _show_groups(self, totals: Totals) -> None:
        row = self._groups_table.currentIndex().row()
        group = self.groups.get_group(row) if row >= 0 else None
        self.groups.set_counts(totals.groups)
        place = self.groups.index(self.groups.find_row(group), 0)
        flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
        self._groups_table.selectionModel().setCurrentIndex(place, flags)

    def _finish(self, totals: Totals) -> None:
        self._totals = totals
        self._bar.show_part(1, 1)
        self._flips_table.set_hint(self.tr("No verdict would flip."))
        self._set_running(False)
        self._say_totals("")

    def _fail(self, error: Exception) -> None:
        self._bar.show_part(0, 1)
        self._set_running(False)
        self._flips_table.set_hint("")
        self._sentence.setText(self.tr("It cannot be judged again. {0}").format(capitalise(make_visible(str(error)))))

    def _say_totals(self, beginning: str) -> None:
        totals = self._totals
        if totals is None:
            self._sentence.setText(beginning)
            return
        parts = [
            self.tr("{0:,} of {1} judged again: {2:,} would flip").format(
                totals.seen, count(totals.total, "event"), totals.flipped
            )
        ]
        if totals.changed > totals.flipped:
            parts.append(
                self.tr("{0:,} would change in reasons, probability or client alone").format(
                    totals.changed - totals.flipped
                )
            )
        sentence = beginning + ", ".join(parts) + "."
        if totals.purged:
            keep = self.tr("keeps its verdict") if totals.purged == 1 else self.tr("keep their verdicts")
            sentence += self.tr(" {0} {1}, because evidence was erased.").format(count(totals.purged, "event"), keep)
        if totals.flipped > MOST_FLIPS:
            sentence += self.tr(" The first {0:,} flips are listed.").format(MOST_FLIPS)
        self._sentence.setText(sentence)

    def _set_running(self, running: bool) -> None:
        self._cancel.setEnabled(running)
        self._again.setEnabled(not running)

    # -- what is chosen -----------------------------------------------------------------------------------------------

    def _choose_group(self, index: QModelIndex) -> None:
        if index.isValid():
            self.flips.show_group(self.groups.get_group(index.row()))

    def _choose_flip(self, index: QModelIndex) -> None:
        self.event_chosen.emit(self.flips.get_flip(index.row()).event_id)
