"""The tables of the SQLite store, as numbered migrations.

``PRAGMA user_version`` holds the number of the last migration that was applied, ``PRAGMA application_id`` marks the
file as ours. A migration and its number are one transaction: what dies midway leaves the schema before it, and the next
process to open the file begins that migration again.
"""

from __future__ import annotations

import math
import re
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailnod.errors import StoreUnavailableError
from mailnod.store.messages import pack_messages
from mailnod.store.tables import BODIES, BREAKDOWNS, FILL_BREAKDOWNS, FIRST, SMALLER

if TYPE_CHECKING:
    from sqlite_utils import Database

__all__ = ["APPLICATION_ID", "MIGRATIONS", "Migration", "check_schema", "get_version", "migrate"]

#: "Mnod" in ASCII.
APPLICATION_ID = 0x4D6E6F64

_TABLES = frozenset(re.findall(r"CREATE TABLE (\w+)", f"{FIRST}{BODIES}{BREAKDOWNS}{SMALLER}"))


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema."""

    #: Runs inside a transaction and must not end it.
    step: Callable[[Database], None]
    #: The oldest Mailnod, by the number of its newest migration, that reads and writes a file with this step applied.
    works_with: int


def _create_tables(database: Database) -> None:
    _run(database, FIRST)
    database.execute("INSERT INTO meta (name, value) VALUES ('recipient_key', ?)", [secrets.token_bytes(32)])


def _make_smaller(database: Database) -> None:
    _run(database, SMALLER)
    pack_messages(database.conn)


def _run(database: Database, script: str) -> None:
    for statement in _split(script):
        database.execute(statement)


def _split(script: str) -> Iterator[str]:
    """Yield the statements of a script; a trigger is one, whatever it holds."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


#: Every migration in order; the schema's version is their number. What is released here is never edited.
MIGRATIONS: tuple[Migration, ...] = (
    Migration(_create_tables, works_with=1),
    Migration(lambda database: _run(database, BODIES), works_with=1),
    Migration(lambda database: _run(database, BREAKDOWNS + FILL_BREAKDOWNS), works_with=3),
    Migration(_make_smaller, works_with=4),
)


def migrate(connection: sqlite3.Connection, *, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring a database to the newest schema, one transaction for each migration.

    :param connection: a connection in autocommit mode that may write.
    :param migrations: every migration since the empty file, in order.
    :raises StoreUnavailableError: where the file belongs to another program or to a newer Mailnod.
    """
    check_schema(connection, newest=len(migrations))
    if get_version(connection) >= len(migrations):
        return
    # It costs about 100 ms to import, and most processes never migrate.
    from sqlite_utils import Database

    database = Database(connection, execute_plugins=False)
    for number, migration in enumerate(migrations, start=1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have come first while this one waited for the lock.
            if get_version(connection) < number:
                migration.step(database)
                row = (number, migration.works_with)
                connection.execute("INSERT INTO migrations (number, works_with) VALUES (?, ?)", row)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def check_schema(connection: sqlite3.Connection, *, newest: int = len(MIGRATIONS), exact: bool = False) -> None:
    """Refuse a file that this version of Mailnod cannot use.

    :param newest: the newest schema that is known here.
    :param exact: whether an older schema is refused too, as it is where nothing can be migrated.
    :raises StoreUnavailableError: where the file is another program's, or its schema is too new or too old. A newer one
        may say that we can use it.
    """
    # Tables first: another process may commit the first migration in between, and tables of ours come with our mark.
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    version = get_version(connection)
    if objects and application != APPLICATION_ID:
        raise StoreUnavailableError("the database belongs to another program; give Mailnod a file of its own")
    for (name,) in connection.execute("SELECT lower(name) FROM sqlite_schema WHERE type = 'view'").fetchall():
        # To read it would be to run what somebody wrote there, which need not end.
        if name in _TABLES:
            raise StoreUnavailableError(f"the database was tampered with: {name!r} is a view in it, and no table")
    if version > newest and _get_works_with(connection) > newest:
        raise StoreUnavailableError(
            f"the database has schema {version}, and this Mailnod knows schemas up to {newest}; upgrade Mailnod"
        )
    if exact and version < newest:
        raise StoreUnavailableError(
            f"the database has schema {version}, and this Mailnod reads schema {newest}; "
            "open it once for writing, as 'mailnod work --once' does, which brings it up to date"
        )


def _get_works_with(connection: sqlite3.Connection) -> float:
    """Return the oldest Mailnod that works on the file; none does where that is not said."""
    row = connection.execute("SELECT max(works_with) FROM migrations").fetchone()
    return math.inf if row[0] is None else int(row[0])


def get_version(connection: sqlite3.Connection) -> int:
    """Return the number of the last migration that was applied to a database; 0 where none was."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version
