"""Damage is found by looking for it, now and then, and noted where every process can read it."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from contracts.store_contract import T0, after, make_observation
from mailnod.store.integrity import Health, Inspector, read_health
from mailnod.store.sqlite import SQLiteStore

HOUR = timedelta(hours=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder of journals."""
    folder = tmp_path / "journals"
    folder.mkdir()
    return folder


@pytest.fixture
def inspector(store: SQLiteStore, database: Path, folder: Path) -> Inspector:
    """Give the inspector of a store with hits in it."""
    store.add_observations([make_observation(b"8 bytes.", at=after(i)) for i in range(50)], settle_s=0)
    return Inspector(store, path=database, journal_folder=folder)


def damage(path: Path, table: str) -> None:
    """Overwrite the first page of a table of a file that nobody has open."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


def test_sound_store_is_looked_at_each_hour(inspector: Inspector, folder: Path) -> None:
    """A look holds for an hour, in every process; then the next one is due, as it is where the clock was set back."""
    assert read_health(folder) is None
    found = inspector.inspect(now=T0)
    assert found is not None
    assert found.problems == ()
    assert read_health(folder) == found
    assert inspector.inspect(now=T0 + HOUR - timedelta(seconds=1)) is None
    for now in (T0 + HOUR, T0 - HOUR):
        again = inspector.inspect(now=now)
        assert again is not None
        assert again.checked_at == now


def test_damaged_page_is_found_and_said_once(
    inspector: Inspector, store: SQLiteStore, database: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A page that nobody reads is found to be damaged while hits still come in, and logged once."""
    store.close()
    damage(database, "lease")
    store.add_observations([make_observation(b"8 bytes.", at=after(99))], settle_s=0)
    with caplog.at_level(logging.ERROR):
        for number in range(3):
            found = inspector.inspect(now=T0 + number * HOUR)
            assert found is not None
            assert found.problems
    assert len(caplog.records) == 1
    assert read_health(folder) == found


def test_replaced_file_is_found(inspector: Inspector, store: SQLiteStore, database: Path) -> None:
    """A store that was put in the place of another is looked at at once, and the change is said."""
    inspector.inspect(now=T0)
    store.close()
    shutil.copy(database, database.with_suffix(".copy"))
    database.unlink()
    database.with_suffix(".copy").rename(database)
    found = inspector.inspect(now=T0 + timedelta(minutes=1))
    assert found is not None
    assert "another one" in found.problems[0]
    assert inspector.inspect(now=T0 + timedelta(minutes=2)) is None


def test_folder_that_cannot_be_written_keeps_the_look_in_memory(store: SQLiteStore, database: Path) -> None:
    """Where nothing can be noted the store is not looked at again and again."""
    nowhere = database.with_name("nowhere")
    inspector = Inspector(store, path=database, journal_folder=nowhere)
    assert inspector.inspect(now=T0) is not None
    assert inspector.inspect(now=T0 + timedelta(minutes=1)) is None
    assert not nowhere.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"checked_at": "soon", "problems": [], "file": null}'])
def test_damaged_note_counts_as_none(folder: Path, text: str) -> None:
    """What is not as it was written says nothing."""
    (folder / "health.json").write_text(text)
    assert read_health(folder) is None


def test_store_on_a_server_has_no_file(store: SQLiteStore, folder: Path) -> None:
    """Without a file there is no number to compare, and a look holds for a day."""
    inspector = Inspector(store, path=None, journal_folder=folder)
    assert inspector.inspect(now=T0) == Health(checked_at=T0, problems=(), file=None)
    assert inspector.inspect(now=T0 + 23 * HOUR) is None
    assert inspector.inspect(now=T0 + 24 * HOUR) is not None
