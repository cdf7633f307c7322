"""How fast the inspector shows events out of a large store, and whether it stays at hand meanwhile."""

from __future__ import annotations

import multiprocessing
import random
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, thread_time

from benchmarks.desktop_measuring import Beat, Figure, get_application, get_resident_mb, run_until, sum_up
from benchmarks.store_world import World, fill_in_bulk
from PySide6.QtCore import QEvent, QObject, QSettings
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QTableView

from mailnod.model import EventFilter
from mailnod.store.browse import from_time
from mailnod.store.sqlite import SQLiteStore
from mailnod_desktop.models.events import PAGE
from mailnod_desktop.services.event_reader import EventReader, to_time
from mailnod_desktop.tasks import Tasks
from mailnod_desktop.views.events import EventsView

PAGES, FRAMES = 3_000, 400
RATE, LIVE_S, BATCHES_PER_S = 1_500, 12, 20


def measure(events: int) -> Iterator[Figure]:
    """Measure the events browser."""
    with tempfile.TemporaryDirectory(prefix="mailnod-bench-") as folder:
        path = Path(folder) / "mailnod.db"
        _fill(path, events)
        yield from _measure_pages(path)
        yield from _measure_window(path, events)


def _fill(path: Path, events: int) -> None:
    store = SQLiteStore(path)
    store.get_deliveries(limit=1)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for _ in fill_in_bulk(World(events), connection):
            pass
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()


def _measure_pages(path: Path) -> Iterator[Figure]:
    reader = EventReader(path)
    started = perf_counter()
    slots: list[int] = []
    floor: int | None = None
    while True:
        part = reader.find_part(EventFilter(), below=floor, effort=50_000)
        slots += part.slots
        floor = part.floor
        if floor is None:
            break
    yield Figure(f"all {len(slots):,} events found", perf_counter() - started, None, "s")
    taken = []
    pick = random.Random(1)
    for _ in range(PAGES):
        first = pick.randrange(max(len(slots) - PAGE, 1))
        # The time of the processor, because what else the machine does says nothing of the page; so with frames.
        started = thread_time()
        reader.get_rows(slots[first : first + PAGE])
        taken.append((thread_time() - started) * 1000)
    yield from sum_up(f"page of {PAGE} rows", taken, budget=1)
    reader.close()


def _measure_window(path: Path, events: int) -> Iterator[Figure]:
    get_application()
    tasks = Tasks()
    settings = QSettings(str(path.with_suffix(".ini")), QSettings.Format.IniFormat)
    view = EventsView(tasks, settings)
    view.resize(1_400, 800)
    view.show()
    run_until(lambda: False, most_s=0.3)
    before = get_resident_mb()
    beat = Beat()
    started = perf_counter()
    view.open_database(path)
    run_until(lambda: view.model.rowCount() > 0)
    yield Figure("first rows shown", (perf_counter() - started) * 1000, None, "ms")
    run_until(lambda: view.model.rowCount() == events and not tasks.is_running("events counts"))
    yield Figure("all rows listed and drawn in time", perf_counter() - started, None, "s")
    yield from sum_up("beat of the window while it lists them", beat.stop(), budget=50)
    yield from sum_up("frame while scrolling", _scroll(view), budget=25)
    yield Figure("memory of the table", get_resident_mb() - before, 100, "MB")
    view.table.scrollToTop()
    beat = Beat()
    yield from sum_up("from a hit to its picture, live", _follow(view, path), budget=200)
    yield from sum_up(f"beat of the window at {RATE:,} events/s", beat.stop(), budget=50)
    yield Figure("events that were followed", view.model.rowCount() - events, None, "")
    view.close()
    tasks.close()


def _scroll(view: EventsView) -> list[float]:
    """Return the milliseconds of each paint event: of leaps, as on the bar, and of turns of the wheel."""
    table, taken = view.table, list[float]()

    class Frames(QObject):
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
            if not isinstance(event, QPaintEvent):
                return super().eventFilter(watched, event)
            started = thread_time()
            QTableView.paintEvent(table, event)
            taken.append((thread_time() - started) * 1000)
            return True

    frames, bar, pick = Frames(), table.verticalScrollBar(), random.Random(2)
    table.viewport().installEventFilter(frames)
    for number in range(FRAMES):
        bar.setValue(bar.value() + 90 if number % 8 else pick.randrange(bar.maximum()))
        run_until(lambda: False, most_s=0.016)
    table.viewport().removeEventFilter(frames)
    return taken


def _follow(view: EventsView, path: Path) -> list[float]:
    """Return the milliseconds between each hit and the first frame after it was listed."""
    taken: list[float] = []
    listed: list[float] = []

    class Frames(QObject):
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
            if event.type() == QEvent.Type.Paint:
                now = time.time()
                taken.extend((now - at) * 1000 for at in listed)
                listed.clear()
            return super().eventFilter(watched, event)

    frames = Frames()
    view.table.viewport().installEventFilter(frames)
    model = view.model
    # The world's year may lie ahead: the writer's hits are moved behind it.
    ahead = (to_time(model.get_slot(0)) - datetime.now(UTC)).total_seconds() + 10

    def take(_: object, first: int, last: int) -> None:
        listed.extend(to_time(model.get_slot(row)).timestamp() - ahead for row in range(first, last + 1))

    model.rowsInserted.connect(take)
    writer = multiprocessing.get_context("spawn").Process(target=_write, args=(path, ahead))
    writer.start()
    run_until(lambda: not writer.is_alive(), most_s=LIVE_S * 3 + 20)
    if writer.is_alive():
        writer.terminate()
    writer.join()
    run_until(lambda: False, most_s=1)
    view.table.viewport().removeEventFilter(frames)
    # The first ones are from before the writer ran at its pace.
    return taken[RATE:]


def _write(path: Path, ahead_s: float) -> None:
    """Write events at a steady pace, each batch in a transaction: rows alone, because the pace of judging is no matter.

    :param ahead_s: how far the clock of the store is ahead.
    """
    pick = random.Random(3)
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as connection:
        connection.execute("PRAGMA synchronous = NORMAL")
        mails = connection.execute("SELECT seq, mailing_id FROM deliveries LIMIT 1000").fetchall()
        verdicts = [one for (one,) in connection.execute("SELECT id FROM verdicts LIMIT 50")]
        begin, size = time.monotonic(), RATE // BATCHES_PER_S
        for number in range(LIVE_S * BATCHES_PER_S):
            time.sleep(max(begin + number / BATCHES_PER_S - time.monotonic(), 0))
            connection.execute("BEGIN IMMEDIATE")
            first = from_time(datetime.now(UTC) + timedelta(seconds=ahead_s))
            for slot in range(first, first + size):
                seq, mailing = pick.choice(mails)
                connection.execute(
                    "INSERT INTO observations (slot, id, delivery, kind, method, checked) VALUES (?, ?, ?, 0, NULL, 1)",
                    (slot, pick.getrandbits(62), seq),
                )
                connection.execute(
                    "INSERT INTO events (slot, verdict_id, mailing_id, revision, first, delay) "
                    "VALUES (?, ?, ?, 0, 0, 0)",
                    (slot, pick.choice(verdicts), mailing),
                )
            connection.execute("COMMIT")
