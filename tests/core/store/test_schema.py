"""Migrations: numbered, one transaction each, and never on a file that is not ours."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contracts.store_contract import make_delivery
from mailnod.errors import StoreUnavailableError
from mailnod.store.schema import MIGRATIONS, migrate
from mailnod.store.sqlite import SQLiteStore

if TYPE_CHECKING:
    from sqlite_utils import Database

DIES_MIDWAY = """
import os, signal, sqlite3, sys
from mailnod.store.schema import MIGRATIONS, migrate

def die(database):
    database.execute("CREATE TABLE half (a)")
    database.execute("INSERT INTO half VALUES (1)")
    os.kill(os.getpid(), signal.SIGKILL)

connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
migrate(connection, migrations=(*MIGRATIONS, die))
"""


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection to an empty file."""
    connection = sqlite3.connect(tmp_path / "mailnod.db", isolation_level=None)
    yield connection
    connection.close()


def get_version(connection: sqlite3.Connection) -> int:
    """Return the number of the schema."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def get_tables(connection: sqlite3.Connection) -> set[str]:
    """Return the names of all tables."""
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def add_table(database: Database) -> None:
    """Add a table, as a later migration would."""
    database.table("later").create({"id": int}, pk="id")


def test_migrations_are_numbered(connection: sqlite3.Connection) -> None:
    """The version is the number of migrations, and migrating again changes nothing."""
    migrate(connection)
    tables = get_tables(connection)
    assert get_version(connection) == len(MIGRATIONS)
    migrate(connection)
    assert get_tables(connection) == tables


def test_only_missing_migrations_run(connection: sqlite3.Connection) -> None:
    """A store of an older schema gets what came later, through sqlite-utils, and keeps what it has."""
    migrate(connection)
    key = connection.execute("SELECT value FROM meta").fetchall()
    migrate(connection, migrations=(*MIGRATIONS, add_table))
    assert get_version(connection) == len(MIGRATIONS) + 1
    assert "later" in get_tables(connection)
    assert connection.execute("SELECT value FROM meta").fetchall() == key


def test_failed_migration_leaves_the_schema_before_it(connection: sqlite3.Connection) -> None:
    """A migration that raises midway is undone, the ones before it stay, and it can be repeated."""

    def fail(database: Database) -> None:
        add_table(database)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        migrate(connection, migrations=(*MIGRATIONS, fail))
    assert get_version(connection) == len(MIGRATIONS)
    assert "later" not in get_tables(connection)
    migrate(connection, migrations=(*MIGRATIONS, add_table))
    assert "later" in get_tables(connection)


def test_killed_migration_is_repeated(connection: sqlite3.Connection, tmp_path: Path) -> None:
    """A process that is killed in the middle of a migration leaves a store that migrates again."""
    process = subprocess.run([sys.executable, "-c", DIES_MIDWAY, str(tmp_path / "mailnod.db")], timeout=60)
    assert process.returncode == -9
    assert get_version(connection) == len(MIGRATIONS)
    assert "half" not in get_tables(connection)
    migrate(connection, migrations=(*MIGRATIONS, add_table))
    assert "later" in get_tables(connection)


@pytest.mark.parametrize("read_only", [False, True])
def test_newer_schema_is_refused(database: Path, store: SQLiteStore, read_only: bool) -> None:
    """A store of a newer Mailnod is left alone, and the message says what to do."""
    store.add_deliveries([make_delivery()])
    store.close()
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreUnavailableError, match=r"schema 99.*upgrade Mailnod"):
        SQLiteStore(database, read_only=read_only).get_deliveries()


def test_older_schema_is_not_read(database: Path, store: SQLiteStore) -> None:
    """A reader, which cannot migrate, says who can."""
    store.add_deliveries([make_delivery()])
    store.close()
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA user_version = 0")
    connection.close()
    with pytest.raises(StoreUnavailableError, match=r"schema 0.*open it once for writing"):
        SQLiteStore(database, read_only=True).get_deliveries()


def test_another_program_s_database_is_left_alone(tmp_path: Path) -> None:
    """A file with somebody else's tables is refused, unchanged to the byte."""
    path = tmp_path / "app.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE users (id INTEGER)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreUnavailableError, match="another program"):
        SQLiteStore(path).add_deliveries([make_delivery()])
    assert path.read_bytes() == before
