"""Write the events that a filter lets through into a file."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QDialog,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from mailnod.model import EventFilter
from mailnod_desktop.models.plain import capitalise, make_visible
from mailnod_desktop.services.exporting import Form, Target, Written, count_events, export_events, look_at
from mailnod_desktop.services.wording import count, format_time
from mailnod_desktop.tasks import Cancelled, Tasks
from mailnod_desktop.views.controls import IconButton, make_label
from mailnod_desktop.views.thin_bar import ThinBar

__all__ = ["ExportDialog"]


class _StoppedError(Exception):
    """Somebody wanted no more."""


class ExportDialog(QDialog):
    """Asks for a form and a file, and writes there off the GUI thread; broken off, it leaves nothing behind.

    :param filter: which events; its limit, and the page that it is at, do not count.
    :param folder: where the file is proposed; None proposes the home folder.
    """

    #: A file is whole; its path.
    written = Signal(str)
    #: News from the thread that writes.
    _news = Signal(object)

    def __init__(
        self,
        path: Path,
        filter: EventFilter,
        tasks: Tasks,
        parent: QWidget | None = None,
        *,
        folder: Path | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("export")
        self.setWindowTitle(self.tr("Export events"))
        self.setModal(False)
        self._path, self._wanted, self._tasks = path, replace(filter, before_id=None), tasks
        self._key = f"export-{id(self)}"
        self._total: int | None = None
        self._stop = threading.Event()
        self._begun = False
        self._make_form(folder or Path.home())
        self._make_progress()
        self._lay_out()
        self.resize(560, self.sizeHint().height())
        # The receiver lives in this thread, so the signal waits for it.
        self._news.connect(self._take_news, Qt.ConnectionType.QueuedConnection)
        self._count()

    @property
    def form(self) -> Form:
        """The form that is chosen."""
        return "csv" if self._csv.isChecked() else "jsonl"

    @property
    def target(self) -> Path:
        """The file that is named."""
        return look_at(self._file.text())[0]

    def set_target(self, target: Path) -> None:
        """Name another file."""
        self._file.setText(str(target))

    def start(self) -> None:
        """Write."""
        path, wanted, target, form, news = self._path, self._wanted, self.target, self.form, self._news
        stop = self._stop = threading.Event()
        self._begun = True

        def work(dropped: threading.Event) -> int:
            def hand_over(written: Written) -> None:
                if dropped.is_set():
                    raise Cancelled
                if stop.is_set():
                    raise _StoppedError
                news.emit((dropped, written))

            return export_events(path, wanted, target, form, on_progress=hand_over)

        self._set_running(True)
        self._bar.show_part(0, self._total or 0)
        self._sentence.setText(self.tr("Reading ..."))
        self._tasks.start(self._key, work, self._finish, self._fail)

    def cancel(self) -> None:
        """Write no further; what was written is removed, and then it is said so."""
        if self._tasks.is_running(self._key):
            self._stop.set()
            self._cancel.setEnabled(False)

    def closeEvent(self, event: QCloseEvent) -> None:
        """End with the window."""
        self._end()
        super().closeEvent(event)

    def reject(self) -> None:
        """End with the window."""
        self._end()
        super().reject()

    # -- what it is made of -------------------------------------------------------------------------------------------

    def _make_form(self, folder: Path) -> None:
        self._csv = QRadioButton(self.tr("CSV, for spreadsheets"))
        self._csv.setObjectName("export-csv")
        self._csv.setToolTip(self.tr("What a spreadsheet would take for a formula gets an apostrophe before it"))
        self._jsonl = QRadioButton(self.tr("JSON lines, for programs"))
        self._jsonl.setObjectName("export-jsonl")
        self._csv.setChecked(True)
        self._forms = QButtonGroup(self)
        self._forms.addButton(self._csv)
        self._forms.addButton(self._jsonl)
        self._csv.toggled.connect(self._rename)
        self._file = QLineEdit(str(folder / "events.csv"))
        self._file.setObjectName("export-file")
        self._file.setAccessibleName(self.tr("File"))
        self._file.textChanged.connect(self._check)
        self._browse = IconButton("folder-outline", self.tr("Choose ..."))
        self._browse.setObjectName("export-browse")
        self._browse.setAccessibleName(self.tr("Choose the file"))
        self._browse.setAutoDefault(False)
        self._browse.clicked.connect(self._choose)
        self._warning = make_label(muted=True, wrap=True)

    def _make_progress(self) -> None:
        self._bar = ThinBar("export-progress", self.tr("How far it is"))
        self._sentence = make_label(wrap=True)
        self._sentence.setObjectName("export-sentence")
        self._start = QPushButton(self.tr("Export"))
        self._start.setObjectName("export-start")
        self._start.setDefault(True)
        self._start.clicked.connect(self.start)
        self._cancel = QPushButton(self.tr("Stop"))
        self._cancel.setObjectName("export-cancel")
        self._cancel.setAutoDefault(False)
        self._cancel.clicked.connect(self.cancel)
        self._close = QPushButton(self.tr("Close"))
        self._close.setObjectName("export-close")
        self._close.setAutoDefault(False)
        self._close.clicked.connect(self.close)
        self._set_running(False)

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(10)
        grid.addWidget(make_label(self.tr("Form"), muted=True), 0, 0)
        forms = QHBoxLayout()
        forms.setSpacing(16)
        forms.addWidget(self._csv)
        forms.addWidget(self._jsonl)
        forms.addStretch(1)
        grid.addLayout(forms, 0, 1)
        grid.addWidget(make_label(self.tr("File"), muted=True), 1, 0)
        files = QHBoxLayout()
        files.setSpacing(6)
        files.addWidget(self._file, 1)
        files.addWidget(self._browse)
        grid.addLayout(files, 1, 1)
        grid.addWidget(self._warning, 2, 1)
        grid.setColumnStretch(1, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        buttons.addStretch(1)
        for button in (self._cancel, self._close, self._start):
            buttons.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 12)
        column.setSpacing(10)
        column.addLayout(grid)
        column.addSpacing(4)
        column.addWidget(self._bar)
        column.addWidget(self._sentence)
        column.addStretch(1)
        column.addLayout(buttons)
        self._check()

    # -- what comes back ----------------------------------------------------------------------------------------------

    def _count(self) -> None:
        path, wanted = self._path, self._wanted
        self._sentence.setText(self.tr("Counting events ..."))
        self._tasks.start(
            f"{self._key}-count", lambda _: count_events(path, wanted), self._take_count, self._fail_count
        )

    def _take_count(self, total: int) -> None:
        self._total = total
        if self._tasks.is_running(self._key):
            self._bar.show_part(self._bar.value(), total)
        elif not self._begun:
            self._sentence.setText(self.tr("{0} will be written, newest first.").format(count(total, "event")))

    def _fail_count(self, error: Exception) -> None:
        # Whoever writes says by themselves what is wrong.
        if not self._begun:
            self._fail(error)

    def _take_news(self, news: tuple[threading.Event, Written]) -> None:
        dropped, written = news
        if dropped.is_set() or not self._tasks.is_running(self._key):
            return
        self._bar.show_part(written.rows, self._total or 0)
        of = "" if self._total is None else self.tr(" of {0:,}").format(self._total)
        text = self.tr("{0:,}{1} written").format(written.rows, of)
        if written.searched_to is not None:
            text += self.tr(", searched back to {0}").format(format_time(written.searched_to))
        self._sentence.setText(text)

    def _finish(self, rows: int) -> None:
        self._set_running(False)
        self._bar.show_part(1, 1)
        self._sentence.setText(
            self.tr("{0} written. The file is readable by you alone, because it names people.").format(
                count(rows, "event")
            )
        )
        self._check()
        self.written.emit(str(self.target))

    def _fail(self, error: Exception) -> None:
        self._set_running(False)
        self._bar.show_part(0, 1)
        self._check()
        if isinstance(error, _StoppedError):
            self._sentence.setText(self.tr("Stopped; nothing was left behind."))
            return
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        self._sentence.setText(self.tr("Nothing was written. {0}").format(capitalise(make_visible(reason))))

    def _set_running(self, running: bool) -> None:
        self._cancel.setEnabled(running)
        self._start.setEnabled(not running)
        for widget in (self._csv, self._jsonl, self._file, self._browse):
            widget.setEnabled(not running)

    def _end(self) -> None:
        self._tasks.cancel(self._key)
        self._tasks.cancel(f"{self._key}-count")

    # -- what is chosen -----------------------------------------------------------------------------------------------

    def _rename(self) -> None:
        """Let the ending of the file follow the form."""
        target = self.target
        if target.suffix in (".csv", ".jsonl"):
            self._file.setText(str(target.with_suffix(f".{self.form}")))

    def _choose(self) -> None:
        kinds = self.tr("CSV (*.csv)") if self.form == "csv" else self.tr("JSON lines (*.jsonl)")
        name, _ = QFileDialog.getSaveFileName(self, self.tr("Export events"), str(self.target), kinds)
        if name:
            self._file.setText(name)

    def _check(self) -> None:
        """Say before what would become of the file."""
        _, found = look_at(self._file.text())
        texts: dict[Target, str] = {
            "none": self.tr("Name a file."),
            "folder": self.tr("This is a folder; name a file in it."),
            "file": self.tr("This file exists, and will be replaced."),
            "new": self.tr("The columns are those of 'mailnod events --{0}'.").format(self.form),
            "unusable": self.tr("No file can bear this name."),
        }
        self._warning.setText(texts[found])
        self._start.setEnabled(found in ("file", "new") and not self._tasks.is_running(self._key))
