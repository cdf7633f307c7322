"""The counts as they are drawn, clicked and read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QAbstractItemModelTester, QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QTableView, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from contracts.judged_store import PHONE, JudgedStore
from mailnod.store.sqlite import SQLiteStore
from mailnod_desktop.models.metrics import CountsModel
from mailnod_desktop.tasks import Tasks
from mailnod_desktop.theme import DARK, apply_theme
from mailnod_desktop.views.chart_base import Series
from mailnod_desktop.views.charts import BarRow, BarsChart, Column, TimeChart
from mailnod_desktop.views.metrics import MetricsView
from mailnod_desktop.views.metrics_cards import Card

PEOPLE, MACHINES = Series("people", "good"), Series("machines", "muted", hatched=True)

#: A kind of widget.
Part = TypeVar("Part", bound=QWidget)


@pytest.fixture
def judged(tmp_path: Path) -> Iterator[JudgedStore]:
    """Give a store with three events."""
    judged = JudgedStore(tmp_path)
    yield judged
    judged.close()


@pytest.fixture
def view(qtbot: QtBot, tasks: Tasks) -> Iterator[MetricsView]:
    """Give the view, shown and without a store."""
    view = MetricsView(tasks)
    qtbot.addWidget(view)
    view.resize(900, 800)
    view.show()
    yield view
    view.close_database()


def open_(qtbot: QtBot, view: MetricsView, path: Path) -> None:
    """Open a store, and wait for its counts."""
    view.open_database(path)
    qtbot.waitUntil(lambda: view.overview is not None)


def find(view: MetricsView, kind: type[Part], name: str) -> Part:
    """Return a part of the view."""
    found = view.findChild(kind, f"metrics-{name}")
    assert isinstance(found, kind)
    return found


def test_cards_have_honest_rates(qtbot: QtBot, view: MetricsView, judged: JudgedStore) -> None:
    """Rates are of mails with the pixel and with links; machines stand apart."""
    open_(qtbot, view, judged.path)
    cards = {name: find(view, Card, f"card-{name}") for name in ("opened", "clicked", "machines", "privacy", "mails")}
    assert {name: card.value for name, card in cards.items()} == {
        "opened": "50.0 %",
        "clicked": "50.0 %",
        "machines": "1",
        "privacy": "0",
        "mails": "2",
    }
    assert cards["opened"].lines == ("1 of 2 mails", "1 open")
    assert cards["opened"].accessibleName() == "Opened by people: 50.0 %"
    with qtbot.waitSignal(view.query_requested) as asked:
        cards["opened"].click()
    assert asked.args == ["is:person kind:open -is:test"]


def test_group_that_is_clicked_becomes_a_query(qtbot: QtBot, view: MetricsView, judged: JudgedStore) -> None:
    """A row asks for its events, of whom and of what the choosers say, by pointer and by keys."""
    open_(qtbot, view, judged.path)
    bars = find(view, BarsChart, "bars")
    with qtbot.waitSignal(view.query_requested) as asked:
        QTest.mouseClick(bars, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, bars.get_area(0).center())
    assert asked.args == ["campaign:spring -is:test"]
    find(view, QComboBox, "who").setCurrentIndex(1)
    find(view, QComboBox, "what").setCurrentIndex(2)
    with qtbot.waitSignal(view.query_requested) as asked:
        QTest.keyClick(bars, Qt.Key.Key_Down)
        QTest.keyClick(bars, Qt.Key.Key_Return)
    assert asked.args == ["campaign:spring kind:click is:person -is:test"]


def test_grouping_is_chosen(qtbot: QtBot, view: MetricsView, judged: JudgedStore) -> None:
    """Links have groups of their own, and of clicks alone, because nobody opens a link."""
    open_(qtbot, view, judged.path)
    find(view, QComboBox, "by").setCurrentIndex(2)
    qtbot.waitUntil(lambda: view.overview is not None and view.overview.by == "link")
    assert view.overview is not None
    assert [group.key for group in view.overview.groups] == ["https://example.com/spring"]
    bars = find(view, BarsChart, "bars")
    assert bars.describe(0) == ("https://example.com/spring", "people: 1", "machines: 0")
    with qtbot.waitSignal(view.query_requested) as asked:
        bars.chosen.emit(0)
    assert asked.args == ["link:https://example.com/spring kind:click -is:test"]


def test_slot_of_time_becomes_a_query(qtbot: QtBot, view: MetricsView, judged: JudgedStore) -> None:
    """The newest slot is the last one, and asks for its hour."""
    open_(qtbot, view, judged.path)
    chart = find(view, TimeChart, "time")
    assert chart.count() == 48
    with qtbot.waitSignal(view.query_requested) as asked:
        QTest.keyClick(chart, Qt.Key.Key_End)
        QTest.keyClick(chart, Qt.Key.Key_Return)
    assert asked.args == ["since:2026-01-01T12:00Z until:2026-01-01T13:00Z -is:test"]
    assert "3, came in Thu 01 Jan 2026, 12:00 - 13:00" in chart.accessibleDescription()


def test_each_chart_has_a_table(qtbot: QtBot, view: MetricsView, judged: JudgedStore) -> None:
    """The same numbers are to be read as rows, and a row asks for the same events."""
    open_(qtbot, view, judged.path)
    for name in ("time", "bars"):
        find(view, QToolButton, f"{name}-panel-table").click()
        assert find(view, QTableView, f"{name}-panel-rows").isVisible()
    model = find(view, QTableView, "bars-panel-rows").model()
    row = [model.index(0, column).data() for column in range(model.columnCount())]
    assert row == ["spring", "1", "1", "1", "0", "50.0 %", "50.0 %", "2"]
    with qtbot.waitSignal(view.query_requested) as asked:
        find(view, QTableView, "bars-panel-rows").doubleClicked.emit(model.index(0, 0))
    assert asked.args == ["campaign:spring -is:test"]


def test_counts_follow_the_store(qtbot: QtBot, view: MetricsView, judged: JudgedStore) -> None:
    """What is judged meanwhile is seen at the next reading."""
    open_(qtbot, view, judged.path)
    judged.hit(judged.send("eve"), "o", PHONE)
    judged.clock.advance(60)
    judged.tracker.work_once()
    view.refresh()
    qtbot.waitUntil(lambda: find(view, Card, "card-mails").value == "3")


def test_what_cannot_be_shown_is_said(qtbot: QtBot, view: MetricsView, tmp_path: Path) -> None:
    """No store, an empty one, and one that cannot be read each have a sentence that says what to do."""
    message = find(view, QLabel, "message")
    assert "No store is open. Open one" in message.text()
    empty = tmp_path / "empty.db"
    store = SQLiteStore(empty)
    store.get_metrics()
    store.close()
    view.open_database(empty)
    qtbot.waitUntil(lambda: "counts nothing yet" in message.text())
    view.open_database(tmp_path / "missing.db")
    qtbot.waitUntil(lambda: "The counts cannot be read. There is no database at" in message.text())
    view.close_database()
    assert "No store is open" in message.text()


def test_theme_may_change_while_it_is_shown(
    qtbot: QtBot, qapp: QApplication, view: MetricsView, judged: JudgedStore
) -> None:
    """Everything is drawn in the other colours, icons too."""
    open_(qtbot, view, judged.path)
    button = find(view, QToolButton, "refresh")
    before, key = view.grab().toImage(), button.icon().cacheKey()
    apply_theme(qapp, DARK)
    assert view.grab().toImage() != before
    assert button.icon().cacheKey() != key


def test_counts_are_a_sound_model(qtbot: QtBot) -> None:
    """Numbers may change, rows may come and go, and what is selected stays where only numbers change."""
    model, table = CountsModel(), QTableView()
    qtbot.addWidget(table)
    QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    table.setModel(model)
    model.set_rows(("Campaign", "people"), [("a", 1), ("\u202eb", 2_000)])
    assert [model.index(1, column).data() for column in range(2)] == ["[U+202E]b", "2,000"]
    table.selectRow(1)
    model.set_rows(("Campaign", "people"), [("a", 1), ("\u202eb", 2_001)])
    assert [index.row() for index in table.selectionModel().selectedRows()] == [1]
    assert model.index(1, 1).data() == "2,001"
    model.set_rows(("Campaign", "people"), [])
    assert model.rowCount() == 0


def test_charts_find_what_is_below_the_pointer(qtbot: QtBot) -> None:
    """Every place of a chart is found where it is drawn, and nothing is found beside."""
    time, bars = TimeChart("time", "Time"), BarsChart("bars", "Bars")
    series = (PEOPLE, MACHINES)
    time.set_columns(series, [Column(str(n), f"slot {n}", (n, 1)) for n in range(30)], "thirty slots")
    rows = [BarRow(f"group {n}", (n, 1), (str(n),)) for n in range(9)]
    bars.set_rows(series, ("people",), rows, "nine groups")
    for chart in (time, bars):
        qtbot.addWidget(chart)
        chart.resize(500, chart.sizeHint().height())
        chart.show()
        for place in range(chart.count()):
            assert chart.find_place(chart.get_area(place).center()) == place
        assert chart.find_place(QPoint(-5, 2)) is None
        assert not chart.grab().isNull()
    assert time.describe(3) == ("slot 3", "people: 3", "machines: 1")
    assert bars.describe(3) == ("group 3", "people: 3")


@pytest.mark.parametrize("top", [0, 1, 7, 10_000_000])
def test_charts_draw_any_numbers_in_any_size(qtbot: QtBot, top: int) -> None:
    """Nothing at all, one slot, great numbers and no room are drawn without a warning."""
    for count in (0, 1, 500):
        time, bars = TimeChart("time", "Time"), BarsChart("bars", "Bars")
        time.set_columns((PEOPLE,), [Column("label", "title", (top,))] * count, "")
        bars.set_rows((PEOPLE,), ("people",), [BarRow("", (top,), (f"{top:,}",))] * min(count, 50), "")
        for chart in (time, bars):
            qtbot.addWidget(chart)
            for width, height in ((1, 1), (60, 40), (1_500, 300)):
                chart.resize(width, height)
                assert not chart.grab().isNull()
