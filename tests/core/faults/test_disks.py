"""Disks that are full or read-only, files that are locked, damaged or gone: readers get their reply all the same."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import quantiles
from typing import Any

import pytest

from contracts.store_contract import after, make_observation
from mailnod.errors import StoreLateError
from mailnod.store.drain import drain
from mailnod.store.files import RawFile
from mailnod.store.journal import Journal
from mailnod.store.sqlite import SQLiteStore
from mailnod.testing import FrozenClock

House = Any

#: Another process that holds the locks of files for as long as its input is open.
HOLD = """
import sqlite3, sys
connections = [sqlite3.connect(path, isolation_level=None) for path in sys.argv[1:]]
for connection in connections:
    connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def lock(*paths: Path) -> Iterator[None]:
    """Let another process lock databases."""
    command = [sys.executable, "-c", HOLD, *map(str, paths)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield


def list_journals(house: House) -> list[Path]:
    return sorted((house.folder / "mailnod.db.journals").glob("*.journal"))


@contextmanager
def full_disk(house: House) -> Iterator[None]:
    ballast = house.folder / "ballast"
    with pytest.raises(OSError, match="No space left"):
        ballast.write_bytes(bytes(4_000_000))
    yield
    ballast.unlink()


@contextmanager
def read_only_disk(house: House) -> Iterator[None]:
    house.tracker.close()
    subprocess.run(["mount", "-o", "remount,ro", str(house.folder)], check=True)
    yield
    # Readers of the store keep nothing open that could stand in the way.
    subprocess.run(["mount", "-o", "remount,rw", str(house.folder)], check=True)


@contextmanager
def removed_journal(house: House) -> Iterator[None]:
    house.count_events()
    shutil.rmtree(house.folder / "mailnod.db.journals")
    yield


@contextmanager
def impossible_journals(house: House) -> Iterator[None]:
    house.tracker.close()
    house.count_events()
    journals = house.folder / "mailnod.db.journals"
    shutil.rmtree(journals)
    journals.write_text("a file in the place of the folder")
    yield
    journals.unlink()


@contextmanager
def damaged_journal(house: House) -> Iterator[None]:
    house.count_events()
    for path in list_journals(house):
        path.write_bytes(b"damaged " * 2000)
    # Damage shows when the worker reads; what was answered before that is in the part that can be read, or is lost.
    house.count_events()
    yield


@contextmanager
def locked_store(house: House) -> Iterator[None]:
    house.tracker.store.close()
    with lock(house.folder / "mailnod.db"):
        yield


@contextmanager
def removed_store(house: House) -> Iterator[None]:
    away = house.folder / "away"
    away.mkdir()
    for path in house.folder.glob("mailnod.db*"):
        if path.is_file():
            path.rename(away / path.name)
    yield
    house.tracker.store.close()
    for path in away.iterdir():
        path.rename(house.folder / path.name)


@contextmanager
def damaged_store(house: House) -> Iterator[None]:
    house.tracker.store.close()
    store = house.folder / "mailnod.db"
    whole = store.read_bytes()
    store.write_bytes(b"damaged " * (len(whole) // 8))
    yield
    house.tracker.store.close()
    store.write_bytes(whole)


FAULTS = [
    full_disk,
    read_only_disk,
    removed_journal,
    impossible_journals,
    damaged_journal,
    locked_store,
    removed_store,
    damaged_store,
]
NEED_A_DISK = {full_disk, read_only_disk}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_every_hit_is_answered_and_kept(
    fault: Callable[[House], Any], make_house: Callable[..., House], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """On a broken disk or file each reader gets the reply, and each hit is in the store once when it is mended (R2)."""
    house = make_house(request.getfixturevalue("small_disk") if fault in NEED_A_DISK else tmp_path)
    targets = house.send()
    house.load(targets, hits=2)
    house.times_ms.clear()
    with fault(house):
        house.load(targets)
    slowest = quantiles(house.times_ms, n=100)
    counts = house.tracker.journal_counts
    said = f"{fault.__name__}: p50 {slowest[49]:.1f} ms, p99 {slowest[98]:.1f} ms, {counts}"
    print(f"\n{said}")  # noqa: T201
    published = house.count_events()
    assert [mark for mark in house.answered if published.get(mark) != 1] == []
    assert len(published) == len(house.answered)
    assert counts.lost == 0
    assert list(house.spool.glob("*/*")) == []


def test_loss_is_counted_and_the_count_outlives_it(make_house: Callable[..., House], small_disk: Path) -> None:
    """Where neither journal nor spool takes a hit the reader gets the reply, and the loss comes into the store."""
    house = make_house(small_disk, MAILNOD_SPOOL=str(small_disk / "spool"))
    targets = house.send()
    with full_disk(house):
        house.load(targets, hits=4)
        lost = house.tracker.journal_counts.lost
        assert lost == 32
    house.tracker.close()
    published = house.count_events()
    assert sum(published.values()) == 0
    found = {one.kind: one.hits for one in house.tracker.store.get_overflow() if one.reason == "lost"}
    assert found == {"open": 16, "click": 16}


def test_clock_that_jumps_a_day_costs_nothing(make_house: Callable[..., House], tmp_path: Path) -> None:
    """Hits of a clock that is a day ahead, or back, are answered, judged and counted once (R8)."""
    clock = FrozenClock()
    house = make_house(tmp_path, clock=clock)
    targets = house.send()
    for step_s in (0, 86_400, -2 * 86_400, 86_400):
        clock.advance(step_s)
        house.load(targets, threads=2, hits=4)
        published = house.count_events()
        assert published == dict.fromkeys(house.answered, 1)
    (metrics,) = house.tracker.store.get_metrics()
    assert metrics.human_opens + metrics.machine_opens == 16
    assert house.tracker.journal_counts.lost == 0


def test_hanging_disk_is_turned_away_from(tmp_path: Path) -> None:
    """While the commit of a journal hangs, hits go to the spool, and none waits for it for long (R2)."""
    gate = threading.Lock()

    class HangingFile(RawFile):
        def sync(self) -> None:
            with gate:
                super().sync()

    journal = Journal(tmp_path / "journals", spool_folders=[tmp_path / "spool"], opens=HangingFile)
    journal.append(make_observation(b"8 bytes.", at=after(0)))
    times_ms: list[float] = []

    def work(first: int) -> None:
        for number in range(first, first + 50):
            began_at = time.perf_counter()
            with suppress(StoreLateError):
                journal.append(make_observation(b"8 bytes.", at=after(number)))
            times_ms.append((time.perf_counter() - began_at) * 1000)

    threads = [threading.Thread(target=work, args=(1000 * number,)) for number in range(1, 9)]
    with gate:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    slowest = quantiles(times_ms, n=100)
    counts = journal.counts
    print(f"\nhanging_disk: p50 {slowest[49]:.1f} ms, p99 {slowest[98]:.1f} ms, {counts}")  # noqa: T201
    journal.close()
    store = SQLiteStore(tmp_path / "mailnod.db")
    moved = drain(tmp_path / "journals", store, settle_s=0, spool_folders=[tmp_path / "spool"])
    store.close()
    assert (moved, len(times_ms), counts.lost) == (401, 400, 0)
