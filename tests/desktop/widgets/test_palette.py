"""The palette finds any action by a few letters."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from mailnod_desktop.views.palette import Choice, Palette, rank


@pytest.mark.parametrize(
    ("typed", "near", "far"),
    [
        ("exp", "Export events", "Judge by experience"),
        ("oe", "Open events", "Some letters"),
        ("catch", "Catch mail", "Do not catch"),
        ("phone", "Phone width", "Telephone"),
    ],
)
def test_nearer_texts_rank_first(typed: str, near: str, far: str) -> None:
    """A text that begins so is nearer than one that has the letters somewhere."""
    ranks = rank(typed, near), rank(typed, far)
    assert ranks[0] is not None
    assert ranks[1] is None or ranks[0] < ranks[1]


def test_letters_that_do_not_occur_match_nothing() -> None:
    """What does not match is not offered."""
    assert rank("xyz", "Open mail") is None


def test_return_runs_what_is_chosen(qtbot: QtBot) -> None:
    """Letters narrow the list, arrows move through it, and Return runs the choice and closes the palette."""
    ran: list[str] = []
    choices = [
        Choice(text="Open mail", kind="File", run=lambda: ran.append("open"), keys="Ctrl+O"),
        Choice(text="Open database", kind="File", run=lambda: ran.append("database")),
        Choice(text="Quit", kind="File", run=lambda: ran.append("quit")),
    ]
    palette = Palette(choices)
    qtbot.addWidget(palette)
    palette.show()
    line, found = palette.line, palette.list
    assert found.count() == 3
    QTest.keyClicks(line, "open")
    assert found.count() == 2
    QTest.keyClick(line, Qt.Key.Key_Down)
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert ran == ["database"]
    assert not palette.isVisible()


def test_what_cannot_be_done_now_is_not_run(qtbot: QtBot) -> None:
    """An action that is disabled is shown and not run."""
    ran: list[str] = []
    palette = Palette([Choice(text="Redo", kind="Edit", run=lambda: ran.append("redo"), enabled=False)])
    qtbot.addWidget(palette)
    palette.show()
    QTest.keyClick(palette.line, Qt.Key.Key_Return)
    assert ran == []
