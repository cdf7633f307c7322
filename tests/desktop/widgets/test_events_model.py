"""The table of events agrees with the store, whatever is written to it, and never holds more than what is in sight."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester
from pytestqt.qtbot import QtBot

from contracts.store_contract import after, make_delivery, make_observation, make_verdict
from mailnod.model import Classification, Delivery, EventFilter, Observation
from mailnod.store.sqlite import SQLiteStore
from mailnod_desktop.models.events import ID_ROLE, EventTable
from mailnod_desktop.services.event_reader import EventReader, Progress, Row
from mailnod_desktop.tasks import Tasks
from mailnod_desktop.views.pills import COLOUR_ROLE

TESTER = QAbstractItemModelTester.FailureReportingMode.Fatal


class World:
    """A store, and what is written to it."""

    def __init__(self, path: Path) -> None:
        self.store = SQLiteStore(path)
        self.delivery: Delivery = make_delivery("ann@example.com")
        self.shared: Delivery = make_delivery("ann@example.com", "bob@example.com", subject="For both")
        self.store.add_deliveries([self.delivery, self.shared])

    def add(self, *seconds: float, delivery: Delivery | None = None, **changes: Any) -> list[Observation]:
        """Record hits at some times, and publish a verdict on each."""
        id_ = (delivery or self.delivery).id
        hits = [make_observation(id_, at=after(one)) for one in seconds]
        self.store.add_observations(hits, settle_s=0)
        self.store.publish([(hit, make_verdict(**changes)) for hit in hits], now=after(9999))
        return hits

    def judge(self, hit: Observation, **changes: Any) -> None:
        """Publish another verdict on a hit."""
        self.store.publish([(hit, make_verdict(**changes))], now=after(9999))

    def list_ids(self, filter: EventFilter | None = None) -> list[bytes]:
        """Return the ids of what a filter lets through, newest first."""
        return [row.event.id for row in self.store.get_events(filter or EventFilter(limit=10_000))]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name the store's file."""
    return tmp_path / "mailnod.db"


@pytest.fixture
def world(path: Path) -> Iterator[World]:
    """Give a store with 200 events."""
    world = World(path)
    world.add(*range(200))
    yield world
    world.store.close()


@pytest.fixture
def model(tasks: Tasks, qtbot: QtBot) -> Iterator[EventTable]:
    """Give a table that is watched for what a model must never do."""
    model = EventTable(tasks)
    tester = QAbstractItemModelTester(model, TESTER)
    assert tester.failureReportingMode() is TESTER
    yield model
    model.close()


def read(model: EventTable, qtbot: QtBot) -> list[Row]:
    """Return all events of a model, by asking for each row until it is there."""
    rows: list[Row] = []
    for number in range(model.rowCount()):
        qtbot.waitUntil(lambda number=number: ask(model, number) is not None)  # type: ignore[misc]
        row = model.get_row(number)
        assert row is not None
        rows.append(row)
    return rows


def ask(model: EventTable, row: int) -> Row | None:
    """Look at a row, as a view does."""
    model.data(model.index(row, 2), Qt.ItemDataRole.DisplayRole)
    return model.get_row(row)


def show(model: EventTable, qtbot: QtBot, path: Path, filter: EventFilter | None = None) -> EventReader:
    """Show a store, and wait until all of it is listed."""
    reader = EventReader(path)
    with qtbot.waitSignal(model.progress, check_params_cb=lambda one: one.done):
        model.show(reader, filter or EventFilter())
    return reader


def holds(model: EventTable, world: World, qtbot: QtBot) -> Callable[[], bool]:
    """Return whether the model lists what the store has."""
    return lambda: [row.id for row in read(model, qtbot)] == world.list_ids()


def test_all_events_are_listed_newest_first(world: World, model: EventTable, qtbot: QtBot, path: Path) -> None:
    """The rows are the store's events in its own order, with what each cell says of them."""
    world.add(500, delivery=world.shared, machine=True)
    show(model, qtbot, path)
    assert [row.id for row in read(model, qtbot)] == world.list_ids()
    cells = [model.index(0, column).data() for column in range(model.columnCount())]
    assert cells == [
        "2026-03-01 12:08:20.000", "open", "generic_bot", "one of 2", "Mail", "", "90", "192.0.2.1", "ua.bot",
        "For both",
    ]  # fmt: skip
    assert model.index(0, 0).data(ID_ROLE) == world.list_ids()[0]
    assert str(model.index(0, 2).data(COLOUR_ROLE)).startswith("#")
    assert "nobody can tell which" in model.index(0, 3).data(Qt.ItemDataRole.ToolTipRole)
    assert "ua.bot: " in model.index(0, 8).data(Qt.ItemDataRole.ToolTipRole)


def test_a_filter_is_the_stores_own(world: World, model: EventTable, qtbot: QtBot, path: Path) -> None:
    """Only what the filter lets through is listed; where nothing is, nothing is."""
    world.add(*(number + 0.5 for number in range(20)), machine=True)
    wanted = EventFilter(machine=True, limit=10_000)
    show(model, qtbot, path, wanted)
    assert [row.id for row in read(model, qtbot)] == world.list_ids(wanted)
    show(model, qtbot, path, EventFilter(classification=Classification.SUSPICIOUS))
    assert model.rowCount() == 0


def test_a_row_says_its_time_before_it_is_read(world: World, model: EventTable, qtbot: QtBot, path: Path) -> None:
    """While the rest is on its way, the time stands there and dots do, and the arrival is told."""
    show(model, qtbot, path)
    assert model.index(5, 0).data() == "2026-03-01 12:03:14.000"
    with qtbot.waitSignal(model.dataChanged):
        assert model.index(5, 3).data() == "…"
    assert model.index(5, 3).data() == "ann@example.com"


def test_new_events_come_in_on_top(world: World, model: EventTable, qtbot: QtBot, path: Path) -> None:
    """What is written while the table is live comes in by itself, and rows that somebody points at move along."""
    show(model, qtbot, path)
    pointed = QPersistentModelIndex(model.index(3, 0))
    slot = model.get_slot(3)
    model.set_live(True)
    world.add(1_000, 1_001, 1_002)
    qtbot.waitUntil(lambda: model.rowCount() == 203)
    assert model.get_slot(pointed.row()) == slot
    world.add(1_003)
    qtbot.waitUntil(lambda: model.rowCount() == 204)
    qtbot.waitUntil(holds(model, world, qtbot))


def test_late_events_come_in_at_their_place(world: World, model: EventTable, qtbot: QtBot, path: Path) -> None:
    """A hit that was judged late stands between those that were before and after it."""
    show(model, qtbot, path)
    model.set_live(True)
    world.add(198.5, 197.25, 197.75, 300)
    qtbot.waitUntil(lambda: model.rowCount() == 204)
    assert [row.id for row in read(model, qtbot)] == world.list_ids()


def test_events_are_held_back_while_somebody_reads(world: World, model: EventTable, qtbot: QtBot, path: Path) -> None:
    """New events are counted and stay out until they are wanted, and then all of them are there, once."""
    show(model, qtbot, path)
    model.set_live(True)
    model.set_holding(True)
    with qtbot.waitSignal(model.waiting_changed, check_params_cb=lambda count: count == 2):
        world.add(1_000, 1_001)
    with qtbot.waitSignal(model.waiting_changed, check_params_cb=lambda count: count == 3):
        world.add(1_002)
    assert model.rowCount() == 200
    model.set_holding(False)
    assert [row.id for row in read(model, qtbot)] == world.list_ids()


def test_a_revised_verdict_is_shown(world: World, model: EventTable, qtbot: QtBot, path: Path) -> None:
    """What is in sight is read again when the store changes."""
    (hit,) = world.add(1_000)
    show(model, qtbot, path)
    model.set_visible(0, 10)
    model.set_live(True)
    qtbot.waitUntil(lambda: ask(model, 0) is not None)
    world.judge(hit, machine=True)
    qtbot.waitUntil(lambda: model.index(0, 2).data() == "generic_bot")
    assert "Judged anew" in model.index(0, 2).data(Qt.ItemDataRole.ToolTipRole)


def test_a_comparison_finds_what_came_late_and_what_went(
    world: World, model: EventTable, qtbot: QtBot, path: Path
) -> None:
    """Far below the newest, events that came in or were removed are found by the comparison that follows."""
    show(model, qtbot, path)
    model.set_live(True)
    ids = world.list_ids()
    world.add(3.5, 3.75, 20.5, -100)
    world.store.remove_events([ids[0], ids[50], ids[51], ids[52], ids[199]])
    with qtbot.waitSignal(model.store_changed):
        pass
    model.compare()
    qtbot.waitUntil(lambda: model.rowCount() == 199)
    assert [row.id for row in read(model, qtbot)] == world.list_ids()


def test_a_removed_event_says_so(world: World, model: EventTable, qtbot: QtBot, path: Path) -> None:
    """A row whose event was removed before it was read says that, and nothing breaks."""
    show(model, qtbot, path)
    world.store.remove_events(world.list_ids()[:1])
    qtbot.waitUntil(lambda: model.index(0, 2).data() == "removed")
    assert ask(model, 0) is None


def test_any_sequence_of_writes_leaves_the_table_as_the_store_is(
    world: World, model: EventTable, qtbot: QtBot, path: Path
) -> None:
    """Whatever is written in whatever order, held back or not, in the end the table lists what the store has."""
    pick = random.Random(5)
    show(model, qtbot, path)
    model.set_live(True)
    newest = 1_000.0
    for _ in range(8):
        model.set_holding(pick.random() < 0.4)
        newest += pick.random()
        world.add(newest, *(newest - pick.random() * 3 for _ in range(pick.randrange(5))))
        if pick.random() < 0.3:
            world.store.remove_events(pick.sample(world.list_ids(), 2))
        with qtbot.waitSignal(model.store_changed):
            pass
        if pick.random() < 0.5:
            model.compare()
    model.set_holding(False)
    model.compare()
    count = len(world.list_ids())
    qtbot.waitUntil(lambda: model.rowCount() == count)
    assert [row.id for row in read(model, qtbot)] == world.list_ids()


def test_a_store_that_cannot_be_read_is_told(model: EventTable, qtbot: QtBot, path: Path) -> None:
    """The reason comes as words, and the table stays usable."""
    path.write_bytes(b"nothing of the kind" * 300)
    with qtbot.waitSignal(model.failed, check_params_cb=lambda text: "not an SQLite database" in text):
        model.show(EventReader(path), EventFilter())
    assert model.rowCount() == 0
    assert model.data(QModelIndex()) is None


def test_an_empty_store_fills_up(model: EventTable, qtbot: QtBot, path: Path) -> None:
    """The first event of all comes in by itself."""
    world = World(path)
    found: list[Progress] = []
    model.progress.connect(found.append)
    show(model, qtbot, path)
    assert found[-1] == Progress(0, None, 1.0, done=True)
    model.set_live(True)
    world.add(1)
    qtbot.waitUntil(lambda: model.rowCount() == 1)
    world.store.close()
