"""The line for queries completes, remembers, and shows a mistake where it stands."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QInputDialog, QListView
from pytestqt.qtbot import QtBot

from mailnod.errors import QueryError
from mailnod.query import parse_query
from mailnod_desktop.models.query_memory import QueryMemory
from mailnod_desktop.preferences import Preferences
from mailnod_desktop.views.query_box import QueryBox


@pytest.fixture
def settings(preferences: Preferences) -> QSettings:
    """Return settings of the test's own."""
    return preferences.settings


@pytest.fixture
def box(settings: QSettings, qtbot: QtBot) -> QueryBox:
    """Give a box in a window."""
    box = QueryBox(settings)
    qtbot.addWidget(box)
    box.resize(700, 60)
    box.show()
    box.line.setFocus()
    return box


def find_popup() -> QListView | None:
    """Return the list of ways to go on, where it is open."""
    popup = QApplication.activePopupWidget()
    return popup if isinstance(popup, QListView) else None


def test_typing_offers_fields_and_then_their_values(box: QueryBox, qtbot: QtBot) -> None:
    """What is chosen is put in place of what was begun, and a field goes on with its values."""
    QTest.keyClicks(box.line, "is:first cl")
    qtbot.waitUntil(lambda: find_popup() is not None)
    popup = find_popup()
    assert popup is not None
    assert popup.model().rowCount() == 2
    QTest.keyClick(popup, Qt.Key.Key_Down)
    QTest.keyClick(popup, Qt.Key.Key_Return)
    assert box.text() == "is:first class:"
    qtbot.waitUntil(lambda: find_popup() is not None and find_popup().model().rowCount() == 8)  # type: ignore[union-attr]
    popup = find_popup()
    assert popup is not None
    QTest.keyClick(popup, Qt.Key.Key_Down)
    QTest.keyClick(popup, Qt.Key.Key_Return)
    assert box.text() == "is:first class:genuine "


def test_the_arrow_down_offers_what_can_stand_there(box: QueryBox, qtbot: QtBot) -> None:
    """Without a word every field is offered, and what was used before."""
    box.memory.remember("kind:click")
    QTest.keyClick(box.line, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: find_popup() is not None)
    popup = find_popup()
    assert popup is not None
    offered = [popup.model().index(row, 0).data() for row in range(popup.model().rowCount())]
    assert any(one.startswith("rcpt:") for one in offered)
    assert any(one.startswith("kind:click") for one in offered)
    popup.hide()


def test_a_query_is_looked_for_once_somebody_stops_typing(box: QueryBox, qtbot: QtBot) -> None:
    """A pause or Return submits what stands there, once."""
    found: list[str] = []
    box.submitted.connect(found.append)
    with qtbot.waitSignal(box.submitted):
        QTest.keyClicks(box.line, "word")
    QTest.keyClick(box.line, Qt.Key.Key_Return)
    assert found == ["word"]
    box.set_text("other")
    assert found == ["word", "other"]


def test_a_mistake_is_shown_where_it_stands(box: QueryBox) -> None:
    """The place is marked, the reason and the hint stand below, and both go when it is mended."""
    text = "is:first clas:<b>genuine"
    box.line.setText(text)
    with pytest.raises(QueryError) as raised:
        parse_query(text, now=datetime(2026, 3, 1, tzinfo=UTC))
    box.show_error(raised.value)
    assert box.error.isVisible()
    assert "did you mean class?" in box.error.text()
    assert ">clas</u>" in box.error.text()
    assert "<b>" not in box.error.text()
    assert box.line.text() == text
    box.show_error(None)
    assert not box.error.isVisible()


def test_filters_are_saved_renamed_and_deleted(box: QueryBox, settings: QSettings, qtbot: QtBot) -> None:
    """A saved filter comes back by its name, in another window too."""
    box.set_text("class:genuine")
    box.fill_menu()
    save = next(action for action in box.saved.menu().actions() if action.text().startswith("Save"))
    save.trigger()
    dialog = box.findChild(QInputDialog)
    assert dialog is not None
    dialog.setTextValue("People & more")
    dialog.accept()
    assert QueryMemory(settings).list_saved() == [("People & more", "class:genuine")]
    box.set_text("")
    box.fill_menu()
    box.saved.menu().actions()[0].trigger()
    assert box.text() == "class:genuine"
    box.memory.rename("People & more", "People")
    assert box.memory.list_saved() == [("People", "class:genuine")]
    box.memory.delete("People")
    assert box.memory.list_saved() == []


@pytest.mark.parametrize("kept", ["", "{", "[1, 2]", '{"a": 1}', '"x"', "null"])
def test_broken_settings_are_no_filters(settings: QSettings, kept: str) -> None:
    """Whatever stands in the file, the menu opens, and what is saved next is kept."""
    settings.setValue("events/saved", kept)
    settings.setValue("events/history", kept)
    memory = QueryMemory(settings)
    assert memory.list_saved() == []
    assert memory.list_history() == []
    memory.save("a", "b")
    memory.remember("c")
    assert (memory.list_saved(), memory.list_history()) == ([("a", "b")], ["c"])


def test_history_keeps_each_filter_once(settings: QSettings) -> None:
    """The latest comes first, and blank ones are not kept."""
    memory = QueryMemory(settings)
    for text in ("a", "b", " ", "a"):
        memory.remember(text)
    assert memory.list_history() == ["a", "b"]
