"""The preview of judging again, as it is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton, QTableView, QWidget
from pytestqt.qtbot import QtBot

from contracts.judged_store import JudgedStore
from mailnod.model import Classification, EventFilter, Term
from mailnod_desktop.models.rejudge import FlipsModel, GroupsModel
from mailnod_desktop.services.rejudging import Flip, Side
from mailnod_desktop.tasks import Tasks
from mailnod_desktop.theme import get_theme
from mailnod_desktop.views.pills import COLOUR_ROLE
from mailnod_desktop.views.rejudge import RejudgeDialog

#: A kind of widget.
Part = TypeVar("Part", bound=QWidget)


BOT: Side = (Classification.GENERIC_BOT, "machine")
PERSON: Side = (Classification.GENUINE, "human")
NOBODY: Side = (Classification.GENUINE, None)


@pytest.fixture
def judged(tmp_path: Path) -> Iterator[JudgedStore]:
    """Give a store in which rules of long ago took Ada's click for something suspicious."""
    judged = JudgedStore(tmp_path)
    judged.mistake(judged.find("ada")[0])
    yield judged
    judged.close()


def make_flip(number: int, *, before: Side = BOT, after: Side = PERSON) -> Flip:
    """Return a flip of some event."""
    return Flip(
        event_id=number.to_bytes(16, "big"),
        type="message.opened",
        occurred_at=datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=number),
        recipient="<b>ada</b>@example.com",
        before=before,
        after=after,
        before_probability=90,
        after_probability=10,
        gained=(("header.complete", -20),),
        lost=("ua.library",),
    )


def find(dialog: RejudgeDialog, kind: type[Part], name: str) -> Part:
    """Return a part of the dialog."""
    found = dialog.findChild(kind, name)
    assert isinstance(found, kind)
    return found


def test_flips_are_listed_and_grouped(qtbot: QtBot) -> None:
    """The model takes flips in chunks, shows those of one kind or all, and is a sound model throughout."""
    model = FlipsModel()
    QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    model.append([make_flip(0), make_flip(1, after=NOBODY)])
    model.show_group((BOT, NOBODY))
    assert model.rowCount() == 1
    model.append([make_flip(2), make_flip(3, after=NOBODY)])
    assert [model.get_flip(row).event_id[-1] for row in range(model.rowCount())] == [1, 3]
    cells = [model.index(0, column).data() for column in range(model.columnCount())]
    assert cells[2:] == [
        "<b>ada</b>@example.com",
        "generic bot",
        "genuine, not counted",
        "+ header.complete (-20), - ua.library",
    ]
    assert model.index(0, 3).data(COLOUR_ROLE) == get_theme().classes[Classification.GENERIC_BOT]
    assert "&lt;b&gt;" in model.index(0, 2).data(Qt.ItemDataRole.ToolTipRole)
    model.show_group(None)
    assert model.rowCount() == 4
    model.clear()
    assert model.rowCount() == 0


def test_many_flips_are_taken_in_chunks(qtbot: QtBot) -> None:
    """A hundred thousand flips are there at once, in a table that shows them."""
    model, table = FlipsModel(), QTableView()
    qtbot.addWidget(table)
    table.setModel(model)
    table.show()
    flips = [make_flip(number) for number in range(1_000)]
    for _ in range(100):
        model.append(flips)
    assert model.rowCount() == 100_000
    table.scrollToBottom()
    assert table.rowAt(table.viewport().height() - 5) == 99_999


def test_kinds_of_flips_are_counted(qtbot: QtBot) -> None:
    """The first row is all of them, then the most frequent kind comes first; the model is sound."""
    model = GroupsModel()
    QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    model.set_counts(Counter({(BOT, PERSON): 2, (PERSON, BOT): 1_500}))
    model.set_counts(Counter({(BOT, PERSON): 3, (PERSON, BOT): 1_500}))
    rows = [[model.index(row, column).data() for column in range(3)] for row in range(3)]
    assert rows == [["all flips", "", "1,503"], ["genuine", "generic bot", "1,500"], ["generic bot", "genuine", "3"]]
    assert model.find_row((BOT, PERSON)) == 2
    assert model.find_row((PERSON, NOBODY)) == 0


def test_dialog_lists_what_would_flip(qtbot: QtBot, tasks: Tasks, judged: JudgedStore) -> None:
    """It begins by itself, sums up in a sentence, and hands on the event that is chosen."""
    dialog = RejudgeDialog(judged.path, EventFilter(), tasks)
    qtbot.addWidget(dialog)
    dialog.show()
    sentence = find(dialog, QLabel, "rejudge-sentence")
    qtbot.waitUntil(lambda: sentence.text().startswith("3 of 3 events judged again: 1 would flip"))
    assert dialog.flips.rowCount() == 1
    assert dialog.groups.rowCount() == 2
    qtbot.waitUntil(lambda: not find(dialog, QPushButton, "rejudge-cancel").isEnabled())
    table = find(dialog, QTableView, "rejudge-flips")
    with qtbot.waitSignal(dialog.event_chosen) as chosen:
        table.doubleClicked.emit(dialog.flips.index(0, 0))
    assert chosen.args == [judged.find("ada")[0].event.id]
    assert "Nothing is written" in " ".join(label.text() for label in dialog.findChildren(QLabel))


def test_group_narrows_the_list(qtbot: QtBot, tasks: Tasks, judged: JudgedStore) -> None:
    """A row of the groups leaves its flips; the first row brings all of them back."""
    judged.mistake(judged.find("bob")[0])
    dialog = RejudgeDialog(judged.path, EventFilter(), tasks)
    qtbot.addWidget(dialog)
    qtbot.waitUntil(lambda: dialog.flips.rowCount() == 2)
    groups = find(dialog, QTableView, "rejudge-groups")
    groups.setCurrentIndex(dialog.groups.index(1, 0))
    assert dialog.flips.rowCount() == 1
    groups.setCurrentIndex(dialog.groups.index(0, 0))
    assert dialog.flips.rowCount() == 2


def test_command_is_named_and_copied(qtbot: QtBot, tasks: Tasks, judged: JudgedStore) -> None:
    """What would write it is a command to copy, and it is said where that judges more than is shown."""
    wanted = EventFilter(campaign="spring", terms=(Term(field="kind", values=("click",)),))
    dialog = RejudgeDialog(judged.path, wanted, tasks)
    qtbot.addWidget(dialog)
    find(dialog, QPushButton, "rejudge-copy").click()
    assert QGuiApplication.clipboard().text() == f"mailnod rejudge --database {judged.path} --campaign spring"
    assert find(dialog, QLineEdit, "rejudge-command").isReadOnly()
    assert "it judges more than what is shown" in " ".join(label.text() for label in dialog.findChildren(QLabel))


def test_it_can_be_stopped_and_begun_anew(qtbot: QtBot, tasks: Tasks, judged: JudgedStore) -> None:
    """Stopped, it says so and changes no more; begun anew, it finds the same once."""
    dialog = RejudgeDialog(judged.path, EventFilter(), tasks)
    qtbot.addWidget(dialog)
    dialog.cancel()
    assert find(dialog, QLabel, "rejudge-sentence").text().startswith("Broken off.")
    find(dialog, QPushButton, "rejudge-again").click()
    qtbot.waitUntil(lambda: not find(dialog, QPushButton, "rejudge-cancel").isEnabled())
    assert dialog.flips.rowCount() == 1
    dialog.close()


def test_it_may_be_closed_while_it_runs(qtbot: QtBot, tasks: Tasks, judged: JudgedStore) -> None:
    """A dialog that goes away when it is closed ends what it began."""
    for _ in range(5):
        dialog = RejudgeDialog(judged.path, EventFilter(), tasks)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.show()
        with qtbot.waitSignal(dialog.destroyed):
            dialog.close()
    # Work that went on would be waited for here.
    tasks.close()


def test_store_that_cannot_be_read_is_a_sentence(qtbot: QtBot, tasks: Tasks, tmp_path: Path) -> None:
    """The error stands in place of the result."""
    dialog = RejudgeDialog(tmp_path / "missing.db", EventFilter(), tasks)
    qtbot.addWidget(dialog)
    sentence = find(dialog, QLabel, "rejudge-sentence")
    qtbot.waitUntil(lambda: sentence.text().startswith("It cannot be judged again. There is no database at"))
    assert dialog.flips.index(0, 0) == QModelIndex()
