"""Exporting events from the window."""

from __future__ import annotations

import csv
import os
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton, QRadioButton, QWidget
from pytestqt.qtbot import QtBot

from contracts.judged_store import JudgedStore
from mailnod.model import EventFilter, Term
from mailnod_desktop.tasks import Tasks
from mailnod_desktop.views.export import ExportDialog

#: A kind of widget.
Part = TypeVar("Part", bound=QWidget)


@pytest.fixture
def judged(tmp_path: Path) -> Iterator[JudgedStore]:
    """Give a store with three events."""
    judged = JudgedStore(tmp_path)
    yield judged
    judged.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder."""
    folder = tmp_path / "exports"
    folder.mkdir()
    return folder


def find(dialog: ExportDialog, kind: type[Part], name: str) -> Part:
    """Return a part of the dialog."""
    found = dialog.findChild(kind, name)
    assert isinstance(found, kind)
    return found


def test_events_are_counted_and_written(qtbot: QtBot, tasks: Tasks, judged: JudgedStore, folder: Path) -> None:
    """It says how many there are, writes as many, and tells whom the file is for."""
    wanted = EventFilter(terms=(Term(field="rcpt", values=("ada@example.com",)),), before_id=bytes(16), limit=1)
    dialog = ExportDialog(judged.path, wanted, tasks, folder=folder)
    qtbot.addWidget(dialog)
    sentence = find(dialog, QLabel, "export-sentence")
    qtbot.waitUntil(lambda: sentence.text() == "2 events will be written, newest first.")
    with qtbot.waitSignal(dialog.written) as written:
        find(dialog, QPushButton, "export-start").click()
    assert written.args == [str(folder / "events.csv")]
    assert sentence.text().startswith("2 events written. The file is readable by you alone")
    path = folder / "events.csv"
    assert len(list(csv.reader(path.read_text().splitlines()))) == 3
    assert path.stat().st_mode & 0o777 == 0o600


def test_form_goes_with_the_ending(qtbot: QtBot, tasks: Tasks, judged: JudgedStore, folder: Path) -> None:
    """JSON lines are proposed another name than CSV; a name of one's own stays."""
    dialog = ExportDialog(judged.path, EventFilter(), tasks, folder=folder)
    qtbot.addWidget(dialog)
    find(dialog, QRadioButton, "export-jsonl").setChecked(True)
    assert (dialog.form, dialog.target) == ("jsonl", folder / "events.jsonl")
    dialog.set_target(folder / "mine.txt")
    find(dialog, QRadioButton, "export-csv").setChecked(True)
    assert (dialog.form, dialog.target) == ("csv", folder / "mine.txt")


def test_name_is_checked_before(qtbot: QtBot, tasks: Tasks, judged: JudgedStore, folder: Path) -> None:
    """What can be no file cannot be written to, and what exists is said to be replaced."""
    dialog = ExportDialog(judged.path, EventFilter(), tasks, folder=folder)
    qtbot.addWidget(dialog)
    start, name = find(dialog, QPushButton, "export-start"), find(dialog, QLineEdit, "export-file")
    for text in ("", str(folder), "~nobody.of.that.name/events.csv", str(folder / ("x" * 300))):
        name.setText(text)
        assert not start.isEnabled(), text
    (folder / "there.csv").touch()
    name.setText(str(folder / "there.csv"))
    assert start.isEnabled()
    assert "will be replaced" in " ".join(label.text() for label in dialog.findChildren(QLabel))


def test_stopped_export_leaves_nothing_behind(qtbot: QtBot, tasks: Tasks, judged: JudgedStore, folder: Path) -> None:
    """What was written so far is gone when the dialog says so."""
    # Nobody reads the pipe, so that the export waits until it is told to stop.
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    dialog = ExportDialog(judged.path, EventFilter(), tasks, folder=folder)
    qtbot.addWidget(dialog)
    dialog.set_target(pipe)
    dialog.start()
    dialog.cancel()
    reader = threading.Thread(target=pipe.read_bytes)
    reader.start()
    sentence = find(dialog, QLabel, "export-sentence")
    qtbot.waitUntil(lambda: sentence.text() == "Stopped; nothing was left behind.")
    reader.join(10)
    assert list(folder.iterdir()) == [pipe]
    assert find(dialog, QPushButton, "export-start").isEnabled()


def test_it_may_be_closed_while_it_writes(qtbot: QtBot, tasks: Tasks, judged: JudgedStore, folder: Path) -> None:
    """A dialog that goes away when it is closed leaves the whole file or none."""
    for number in range(5):
        dialog = ExportDialog(judged.path, EventFilter(), tasks, folder=folder)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.set_target(folder / f"{number}.csv")
        dialog.show()
        dialog.start()
        with qtbot.waitSignal(dialog.destroyed):
            dialog.close()
    tasks.close()
    assert {path.suffix for path in folder.iterdir()} <= {".csv"}
    assert {len(path.read_text().splitlines()) for path in folder.iterdir()} <= {4}


def test_file_that_cannot_be_written_is_a_sentence(
    qtbot: QtBot, tasks: Tasks, judged: JudgedStore, folder: Path
) -> None:
    """A missing folder, and the store itself, are refused in place."""
    dialog = ExportDialog(judged.path, EventFilter(), tasks, folder=folder)
    qtbot.addWidget(dialog)
    sentence = find(dialog, QLabel, "export-sentence")
    for target, text in ((folder / "no" / "x.csv", "No such file"), (judged.path, "This is the store itself")):
        dialog.set_target(target)
        dialog.start()
        said = f"Nothing was written. {text}"
        qtbot.waitUntil(partial(lambda said: said in sentence.text(), said))
    assert judged.find("bob")
