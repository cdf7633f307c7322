"""The events of a store are shown, narrowed, marked in time, copied and handed on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolButton
from pytestqt.qtbot import QtBot

from contracts.store_contract import after, make_delivery, make_observation, make_verdict
from mailnod.model import Classification, EventFilter
from mailnod.store.sqlite import SQLiteStore
from mailnod_desktop.preferences import Preferences
from mailnod_desktop.tasks import Tasks
from mailnod_desktop.theme import DARK, LIGHT, apply_theme
from mailnod_desktop.views.events import EventsView

CLASSES = list(Classification)


@pytest.fixture
def settings(preferences: Preferences) -> QSettings:
    """Return settings of the test's own."""
    return preferences.settings


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    """Give a store with 80 events of all classes, one in each minute."""
    store = SQLiteStore(tmp_path / "mailnod.db")
    delivery = make_delivery("ann@example.com", subject="=1+1\tof\nthe week")
    store.add_deliveries([delivery])
    hits = [make_observation(delivery.id, at=after(60 * number)) for number in range(80)]
    store.add_observations(hits, settle_s=0)
    verdicts = [make_verdict(machine=one.machine, classification=one) for one in CLASSES]
    store.publish([(hit, verdicts[n % 8]) for n, hit in enumerate(hits)], now=after(9999))
    yield store
    store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name the store's file."""
    return tmp_path / "mailnod.db"


@pytest.fixture
def view(tasks: Tasks, settings: QSettings, qtbot: QtBot) -> Iterator[EventsView]:
    """Give the view in a window."""
    view = EventsView(tasks, settings)
    qtbot.addWidget(view)
    view.resize(1_100, 600)
    view.show()
    yield view
    view.close()


def open_store(view: EventsView, path: Path, qtbot: QtBot, count: int = 80) -> None:
    """Open a store, and wait until all of it is there."""
    view.open_database(path)
    wait_for(view, qtbot, count)
    qtbot.waitUntil(lambda: bool(view.counts.counts) and None not in view.counts.counts)


def wait_for(view: EventsView, qtbot: QtBot, count: int) -> None:
    """Wait until so many events are listed."""
    qtbot.waitUntil(lambda: view.model.rowCount() == count and view.line.text().startswith(f"{count} event"))


def test_without_a_store_the_view_says_what_to_do(view: EventsView, qtbot: QtBot) -> None:
    """The table makes room for a sentence and a button."""
    assert view.notice.isVisible()
    assert "mailnod snapshot" in view.notice.text.text()
    with qtbot.waitSignal(view.open_requested):
        view.notice.button.click()


def test_a_store_is_shown_and_told_of(store: SQLiteStore, view: EventsView, path: Path, qtbot: QtBot) -> None:
    """All events are listed and counted, and the status says how many there are."""
    with qtbot.waitSignal(view.status_changed, check_params_cb=lambda text: text == "mailnod.db  80 events"):
        view.open_database(path)
    wait_for(view, qtbot, 80)
    assert view.table.isVisible()
    qtbot.waitUntil(lambda: sum(sum(one) for one in view.counts.counts if one) == 80)
    with qtbot.waitSignal(view.status_changed, check_params_cb=lambda text: text == ""):
        view.close_database()
    assert view.notice.isVisible()
    assert view.counts.edges == ()


def test_query_switches_and_marks_narrow_the_table(
    store: SQLiteStore, view: EventsView, path: Path, qtbot: QtBot
) -> None:
    """Each of them narrows the table, and the timeline keeps what was marked in sight."""
    open_store(view, path, qtbot)
    view.set_query("class:genuine,suspicious")
    wait_for(view, qtbot, 20)
    view.set_humans_only(True)
    wait_for(view, qtbot, 10)
    view.set_humans_only(False)
    view.set_query("")
    wait_for(view, qtbot, 80)
    genuine = view.findChild(QToolButton, "events-class-genuine")
    assert genuine is not None
    genuine.click()
    wait_for(view, qtbot, 70)
    qtbot.waitUntil(lambda: sum(sum(one) for one in view.counts.counts if one) == 80)
    view.legend.show_all()
    wait_for(view, qtbot, 80)
    view.timeline.setFocus()
    QTest.keyClick(view.timeline, Qt.Key.Key_End)
    marked = view.timeline.get_mark()
    assert marked is not None
    assert (view.get_filter().since, view.get_filter().until) == marked
    qtbot.waitUntil(lambda: 0 < view.model.rowCount() < 80)
    assert view.mark.isVisible()
    view.mark.click()
    wait_for(view, qtbot, 80)


def test_a_drag_marks_a_time_and_a_click_takes_it_away(
    store: SQLiteStore, view: EventsView, path: Path, qtbot: QtBot
) -> None:
    """The marked buckets are those that were dragged over; the wheel and the keys zoom and move."""
    open_store(view, path, qtbot)
    line, last = view.timeline, len(view.counts.counts) - 1

    def place(number: int) -> QPoint:
        return line.get_bucket_rect(number).center().toPoint()

    QTest.mousePress(line, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place(10))
    QTest.mouseMove(line, place(20))
    QTest.mouseRelease(line, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place(20))
    edges = view.counts.edges
    assert line.get_mark() == (edges[10], edges[21])
    QTest.keyClick(line, Qt.Key.Key_Right)
    assert line.get_mark() == (edges[11], edges[22])
    QTest.keyClick(line, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert line.get_mark() == (edges[11], edges[23])
    assert "Marked" in line.accessibleDescription()
    QTest.keyClick(line, Qt.Key.Key_Plus)
    qtbot.waitUntil(lambda: bool(view.counts.edges) and view.counts.edges != edges)
    assert view.counts.is_zoomed()
    assert view.zoom.isVisible()
    view.zoom.click()
    qtbot.waitUntil(lambda: view.counts.edges == edges)
    QTest.mouseClick(line, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place(last))
    assert line.get_mark() is None


def test_the_tooltip_of_the_timeline_counts_exactly(
    store: SQLiteStore, view: EventsView, path: Path, qtbot: QtBot
) -> None:
    """Each bucket says its time, its whole count, and the count of each class by name."""
    open_store(view, path, qtbot)
    number = next(n for n, one in enumerate(view.counts.counts) if one and one[0])
    said = view.timeline.describe_bucket(number)
    assert "UTC" in said
    assert "genuine: 1" in said
    view.timeline.set_hidden(frozenset({Classification.GENUINE}))
    assert "genuine" not in view.timeline.describe_bucket(number)


def test_a_mistake_leaves_what_was_shown(store: SQLiteStore, view: EventsView, path: Path, qtbot: QtBot) -> None:
    """A query that cannot be read changes nothing but what stands below it."""
    open_store(view, path, qtbot)
    view.set_query("class:nothing")
    assert view.query_box.error.isVisible()
    assert view.model.rowCount() == 80
    view.set_query("class:suspicious")
    assert not view.query_box.error.isVisible()
    wait_for(view, qtbot, 10)


def test_where_nothing_matches_the_view_says_why(
    store: SQLiteStore, view: EventsView, path: Path, qtbot: QtBot
) -> None:
    """What narrows the list is named, and one button shows everything again."""
    open_store(view, path, qtbot)
    view.set_humans_only(True)
    view.set_query("nothing-of-that-name")
    qtbot.waitUntil(lambda: view.notice.heading.text() == "No matching events")
    assert "the query, “People only”" in view.notice.text.text()
    view.notice.button.click()
    wait_for(view, qtbot, 80)
    assert (view.query(), view.humans.isChecked()) == ("", False)


def test_a_chosen_event_is_told_and_stays_chosen(
    store: SQLiteStore, view: EventsView, path: Path, qtbot: QtBot
) -> None:
    """Path and id are told, and another filter that lets the event through keeps it current."""
    open_store(view, path, qtbot)
    id_ = store.get_events(EventFilter(limit=10))[9].event.id
    with qtbot.waitSignal(view.event_selected, check_params_cb=lambda chosen: chosen == (path, id_)):
        view.table.selectRow(9)
    with qtbot.waitSignal(view.event_selected, check_params_cb=lambda chosen: chosen == (path, id_)):
        view.set_query("subject:week class:link_preview_bot,generic_bot,security_scanner,privacy_proxy,suspicious")
    current = view.table.get_current()
    assert current is not None
    assert current.id == id_
    with qtbot.waitSignal(view.explain_requested, check_params_cb=lambda chosen: chosen == (path, id_)):
        QTest.keyClick(view.table, Qt.Key.Key_Return)


def test_rows_are_copied_for_spreadsheets(store: SQLiteStore, view: EventsView, path: Path, qtbot: QtBot) -> None:
    """Each row is one line of as many cells as there are columns, whatever a sender wrote, and never a formula."""
    open_store(view, path, qtbot)
    view.table.selectAll()
    with qtbot.waitSignal(view.table.copied, check_params_cb=lambda count: count == 80):
        view.table.copy_rows()
    lines = QApplication.clipboard().text().splitlines()
    assert len(lines) == 81
    assert {line.count("\t") for line in lines} == {9}
    assert lines[1].endswith("\t'=1+1 of the week")


def test_the_menu_narrows_by_what_an_event_has(store: SQLiteStore, view: EventsView, path: Path, qtbot: QtBot) -> None:
    """An entry of the menu adds its wish to the query."""
    open_store(view, path, qtbot)
    view.table.selectRow(0)
    qtbot.waitUntil(lambda: view.model.get_row(0) is not None)
    menu = view.table.make_menu(view.model.index(0, 0))
    titles = {action.text().partition(":")[0]: action for action in menu.actions() if action.text()}
    titles["Without this class"].trigger()
    wait_for(view, qtbot, 70)
    assert view.query() == "-class:unverified_click"
    assert {"Only this recipient", "Only this class", "Only this campaign", "Only this message"} <= set(titles)
    titles["Only this recipient"].trigger()
    assert view.query() == "-class:unverified_click rcpt:ann@example.com"
    titles["Copy id"].trigger()
    assert len(QApplication.clipboard().text()) == 32


def test_the_shown_filter_is_handed_on(store: SQLiteStore, view: EventsView, path: Path, qtbot: QtBot) -> None:
    """Whoever exports or judges anew is given what is shown."""
    open_store(view, path, qtbot)
    view.set_humans_only(True)
    with qtbot.waitSignal(view.export_requested, check_params_cb=lambda one: one == EventFilter(machine=False)):
        view.export.click()
    with qtbot.waitSignal(view.rejudge_requested, check_params_cb=lambda one: one == EventFilter(machine=False)):
        view.rejudge.click()


def test_new_events_wait_while_somebody_reads_below(
    store: SQLiteStore, view: EventsView, path: Path, qtbot: QtBot
) -> None:
    """Scrolled down, nothing moves and a button counts what is new; it leads to the top, where all of it is."""
    open_store(view, path, qtbot)
    bar = view.table.verticalScrollBar()
    bar.setValue(bar.maximum() // 2)
    top = view.table.rowAt(0)
    slot = view.model.get_slot(top)
    delivery = make_delivery()
    hits = [make_observation(delivery.id, at=after(9_000 + number)) for number in range(3)]
    store.add_observations(hits, settle_s=0)
    store.publish([(hit, make_verdict()) for hit in hits], now=after(9_999))
    qtbot.waitUntil(view.table.new_button.isVisible)
    assert view.table.new_button.text() == "↑ 3 new"
    assert view.model.get_slot(view.table.rowAt(0)) == slot
    view.table.new_button.click()
    wait_for(view, qtbot, 83)
    assert view.table.rowAt(0) == 0
    assert not view.table.new_button.isVisible()
    qtbot.waitUntil(lambda: sum(sum(one) for one in view.counts.counts if one) == 83)
    assert view.counts.edges[-1] > after(9_002)


def test_a_broken_store_is_told_in_place(view: EventsView, path: Path, qtbot: QtBot) -> None:
    """Why it cannot be read stands where the events would, is told once, and can be tried again."""
    path.write_bytes(b"no store of anybody" * 400)
    told: list[str] = []
    view.problem.connect(told.append)
    view.open_database(path)
    qtbot.waitUntil(lambda: view.notice.heading.text() == "The store cannot be read")
    assert "not an SQLite database" in view.notice.text.text()
    path.unlink()
    SQLiteStore(path).get_deliveries(limit=1)
    view.notice.button.click()
    qtbot.waitUntil(lambda: view.notice.heading.text() == "No events yet")
    assert len(set(told)) == len(told) == 1


def test_another_theme_is_taken(
    store: SQLiteStore, view: EventsView, path: Path, qtbot: QtBot, qapp: QApplication
) -> None:
    """Pills, bars and icons take the colours of the theme that is set."""
    open_store(view, path, qtbot)
    apply_theme(qapp, DARK)
    qtbot.waitUntil(lambda: view.model.index(0, 2).data(Qt.ItemDataRole.UserRole + 40) in DARK.classes.values())
    apply_theme(qapp, LIGHT)


def test_switches_and_columns_are_remembered(tasks: Tasks, settings: QSettings, qtbot: QtBot) -> None:
    """Another window begins as the last one was left."""
    first = EventsView(tasks, settings)
    qtbot.addWidget(first)
    first.set_live(False)
    first.set_humans_only(True)
    first.table.setColumnWidth(3, 321)
    first.close()
    second = EventsView(tasks, settings)
    qtbot.addWidget(second)
    assert (second.live.isChecked(), second.humans.isChecked()) == (False, True)
    assert second.table.columnWidth(3) == 321
    second.close()
