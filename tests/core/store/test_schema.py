"""Migrations: numbered, one transaction each, and never on a file that is not ours."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contracts.breakdown_contract import fill
from contracts.store_contract import after, make_delivery, make_observation, make_verdict
from mailnod.errors import StoreUnavailableError
from mailnod.store.messages import unpack
from mailnod.store.rollups import MEASURES
from mailnod.store.schema import MIGRATIONS, Migration, migrate
from mailnod.store.sqlite import SQLiteStore

if TYPE_CHECKING:
    from sqlite_utils import Database

DIES_MIDWAY = """
import os, signal, sqlite3, sys
from mailnod.store.schema import MIGRATIONS, Migration, migrate

def die(database):
    database.execute("CREATE TABLE half (a)")
    database.execute("INSERT INTO half VALUES (1)")
    os.kill(os.getpid(), signal.SIGKILL)

connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
migrate(connection, migrations=(*MIGRATIONS, Migration(die, works_with=1)))
"""

#: Migrates copies of a file in children, each of which is killed before another statement, and says how many were.
DIES_ANYWHERE = """
import os, shutil, signal, sqlite3, sys
from mailnod.store.schema import MIGRATIONS, Migration, migrate

def later(database):
    database.execute("CREATE TABLE later (a)")
    database.execute("INSERT INTO later VALUES (1)")
    database.execute("ALTER TABLE deliveries ADD COLUMN later INTEGER")

STEPS = (*MIGRATIONS, Migration(later, works_with=1))

def run(path, fatal=None):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    done = 0
    def count(_):
        nonlocal done
        done += 1
        if done == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
    connection.set_trace_callback(count)
    migrate(connection, migrations=STEPS)
    connection.set_trace_callback(None)
    assert connection.execute("PRAGMA user_version").fetchone()[0] == len(STEPS)
    assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    schema = sorted(row for row in connection.execute("SELECT type, name, sql FROM sqlite_schema"))
    tables = "meta", "later", "migrations"
    rows = [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]
    connection.close()
    return done, schema, rows

count, *undisturbed = run(sys.argv[1] + "-whole")
for fatal in range(1, count + 1):
    path = f"{sys.argv[1]}-{fatal}"
    child = os.fork()
    if not child:
        run(path, fatal)
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert list(run(path)[1:]) == undisturbed, fatal
    for end in ("", "-wal", "-shm"):
        if os.path.exists(path + end):
            os.unlink(path + end)
print(count)
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


#: A step after all that there are, beside which the Mailnod of today may go on.
LATER = Migration(add_table, works_with=len(MIGRATIONS))


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
    migrate(connection, migrations=(*MIGRATIONS, LATER))
    assert get_version(connection) == len(MIGRATIONS) + 1
    assert "later" in get_tables(connection)
    assert connection.execute("SELECT value FROM meta").fetchall() == key


def test_failed_migration_leaves_the_schema_before_it(connection: sqlite3.Connection) -> None:
    """A migration that raises midway is undone, the ones before it stay, and it can be repeated."""

    def fail(database: Database) -> None:
        add_table(database)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        migrate(connection, migrations=(*MIGRATIONS, Migration(fail, works_with=1)))
    assert get_version(connection) == len(MIGRATIONS)
    assert "later" not in get_tables(connection)
    migrate(connection, migrations=(*MIGRATIONS, LATER))
    assert "later" in get_tables(connection)


def test_killed_migration_is_repeated(connection: sqlite3.Connection, tmp_path: Path) -> None:
    """A process that is killed in the middle of a migration leaves a store that migrates again."""
    process = subprocess.run([sys.executable, "-c", DIES_MIDWAY, str(tmp_path / "mailnod.db")], timeout=60)
    assert process.returncode == -9
    assert get_version(connection) == len(MIGRATIONS)
    assert "half" not in get_tables(connection)
    migrate(connection, migrations=(*MIGRATIONS, LATER))
    assert "later" in get_tables(connection)


def test_migration_survives_a_kill_at_any_statement(tmp_path: Path) -> None:
    """Wherever a process is killed, the next one brings the file to the same schema, with nothing twice."""
    command = [sys.executable, "-c", DIES_ANYWHERE, str(tmp_path / "mailnod.db")]
    assert int(subprocess.run(command, check=True, capture_output=True, timeout=300).stdout) > 40


@pytest.mark.parametrize("read_only", [False, True])
def test_older_mailnod_goes_on_beside_a_newer_schema_that_lets_it(
    database: Path, store: SQLiteStore, read_only: bool
) -> None:
    """While servers are upgraded one by one, those of before read and write what the first of the new ones migrated."""
    first, second = make_delivery(), make_delivery()
    store.add_deliveries([first])
    with sqlite3.connect(database, isolation_level=None) as connection:
        migrate(connection, migrations=(*MIGRATIONS, LATER))
    connection.close()
    store.add_deliveries([second])
    store.close()
    other = SQLiteStore(database, read_only=read_only)
    assert other.get_deliveries() == [second, first]
    other.close()
    with sqlite3.connect(database, isolation_level=None) as connection:
        migrate(connection)
        assert get_version(connection) == len(MIGRATIONS) + 1
    connection.close()


@pytest.mark.parametrize("read_only", [False, True])
def test_older_mailnod_stops_where_a_newer_schema_does_not_let_it_go_on(
    database: Path, store: SQLiteStore, read_only: bool
) -> None:
    """A process that has the store open neither reads nor writes it by rules that hold no more."""
    first = make_delivery()
    store.add_deliveries([first])
    running = SQLiteStore(database, read_only=True) if read_only else store
    assert running.get_deliveries() == [first]
    with sqlite3.connect(database, isolation_level=None) as connection:
        migrate(connection, migrations=(*MIGRATIONS, Migration(add_table, works_with=len(MIGRATIONS) + 1)))
        for _ in range(2):
            with pytest.raises(StoreUnavailableError, match="upgrade Mailnod"):
                running.get_deliveries()
        with pytest.raises(StoreUnavailableError):
            running.add_deliveries([make_delivery()])
        assert connection.execute("SELECT count(*) FROM deliveries").fetchall() == [(1,)]
    connection.close()
    running.close()


@pytest.mark.parametrize("read_only", [False, True])
def test_newer_schema_is_refused(database: Path, store: SQLiteStore, read_only: bool) -> None:
    """A store of a newer Mailnod is left alone, and the message says what to do."""
    store.add_deliveries([make_delivery()])
    store.close()
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("INSERT INTO migrations VALUES (99, 99)")
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


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("table", ["events", "migrations"])
def test_a_view_in_the_place_of_a_table_is_not_read(database: Path, table: str, read_only: bool) -> None:
    """A file that somebody prepared runs nothing of theirs, such as a view without an end; other views may be there."""
    with contextlib.closing(SQLiteStore(database)) as store:
        store.get_deliveries()
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE VIEW report AS SELECT * FROM deliveries")
    with contextlib.closing(SQLiteStore(database, read_only=read_only)) as store:
        assert store.get_deliveries() == []
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA legacy_alter_table = ON")
        connection.execute(f"ALTER TABLE {table} RENAME TO kept")
        connection.execute(
            f"CREATE VIEW {table.upper()} AS WITH RECURSIVE n (slot) AS (SELECT 1 UNION ALL SELECT slot FROM n) "
            "SELECT slot, 1 AS works_with FROM n"
        )
    connection.close()
    with (
        pytest.raises(StoreUnavailableError, match="is a view"),
        contextlib.closing(SQLiteStore(database, read_only=read_only)) as store,
    ):
        store.get_deliveries()


def rewind(connection: sqlite3.Connection) -> None:
    """Make a store what it was before the counts of messages were packed and breakdowns were there."""
    columns = f"scope, key, {', '.join(MEASURES)}"
    for message, counts in connection.execute("SELECT * FROM message_counts").fetchall():
        row = (1, message, *unpack(counts))
        connection.execute(f"INSERT INTO rollups ({columns}) VALUES ({', '.join('?' * len(row))})", row)
    connection.executescript(
        "UPDATE events SET delay = delay * 1000; UPDATE revised SET delay = delay * 1000;"
        "DROP TABLE message_counts; DROP TABLE breakdowns; DELETE FROM migrations WHERE number > 2;"
        "PRAGMA user_version = 2"
    )


def test_counts_of_older_stores_come_along(tmp_path: Path) -> None:
    """A store from before there were breakdowns and packed counts has them, as if it had counted so all along."""
    path = tmp_path / "mailnod.db"
    store = SQLiteStore(path)
    _, hits = fill(store)
    store.publish([(hits[0], make_verdict(machine=True))], now=after(2e6))
    early = make_observation(store.get_deliveries()[1].id, at=datetime(1969, 12, 31, 23, 30, tzinfo=UTC))
    store.add_observations([early], settle_s=0)
    store.publish([(early, make_verdict())], now=after(2e6))
    messages, verdicts = store.get_metrics(by="message"), store.get_verdicts(hits[0].id)
    assert (len(messages), len(verdicts)) == (6, 2)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        query = "SELECT * FROM breakdowns WHERE human_opens + human_clicks + machine_opens + machine_clicks > 0"
        before = connection.execute(query).fetchall()
        rewind(connection)
        store.close()
        store = SQLiteStore(path)
        assert store.get_metrics(by="message") == messages
        assert store.get_verdicts(hits[0].id) == verdicts
        assert connection.execute(query).fetchall() == before != []
        store.close()
