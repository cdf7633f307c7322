"""The tables of the SQLite store, as numbered migrations.

``PRAGMA user_version`` holds the number of the last migration that was applied, ``PRAGMA application_id`` marks the
file as ours. A migration and its number are one transaction: what dies midway leaves the schema before it, and the next
process to open the file begins that migration again.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mailnod.errors import StoreUnavailableError

if TYPE_CHECKING:
    from sqlite_utils import Database

__all__ = ["APPLICATION_ID", "MIGRATIONS", "check_schema", "migrate"]

#: "Mnod" in ASCII.
APPLICATION_ID = 0x4D6E6F64

#: One step of the schema; it runs inside a transaction and must not end it.
Migration = Callable[["Database"], None]

_FIRST = """
-- Keys that belong to this store alone: recipient_key, made once, keys the hashes of addresses.
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The one table that holds addresses. Erasing a row here takes the address out of everything else. What senders write
-- themselves is kept as they wrote it and may name people too: subjects and metadata of deliveries, and destinations of
-- clicks (observations.url), which are raw facts.
CREATE TABLE recipients (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    domain TEXT NOT NULL,
    address TEXT
) STRICT;

CREATE TABLE deliveries (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    message_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    sent_at INTEGER NOT NULL,
    campaign TEXT,
    tags TEXT NOT NULL,
    metadata TEXT NOT NULL,
    route TEXT NOT NULL,
    opens INTEGER NOT NULL,
    clicks INTEGER NOT NULL,
    reasons TEXT NOT NULL,
    link_count INTEGER NOT NULL,
    state TEXT NOT NULL,
    accepted_at INTEGER,
    test INTEGER NOT NULL,
    expires_at INTEGER
) STRICT;
CREATE INDEX deliveries_by_message ON deliveries (message_id);
CREATE INDEX deliveries_by_campaign ON deliveries (campaign) WHERE campaign IS NOT NULL;

-- An erased recipient leaves NULL, so that a body shared by two people is never laid at the door of the one who stays.
CREATE TABLE delivery_recipients (
    delivery_id BLOB NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    recipient_id INTEGER REFERENCES recipients (id) ON DELETE SET NULL,
    PRIMARY KEY (delivery_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_recipients_by_recipient ON delivery_recipients (recipient_id);

-- Append-only. It knows people by hash alone, so a denial outlives the erasure of the address.
CREATE TABLE consents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    recipient_hash BLOB NOT NULL,
    recorded_at INTEGER NOT NULL,
    purpose TEXT NOT NULL,
    opens TEXT NOT NULL,
    clicks TEXT NOT NULL,
    source TEXT NOT NULL,
    actor TEXT NOT NULL,
    text_version TEXT NOT NULL
) STRICT;
CREATE INDEX consents_by_recipient ON consents (recipient_hash);

-- seq never repeats: collectors ask for what came after the last one that they saw.
CREATE TABLE suppressed (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    delivery_id BLOB NOT NULL UNIQUE
) STRICT;

-- Where short links lead, by their numbers, once for each template. Kept for ever, as mail is: what is purged or erased
-- elsewhere leaves both tables alone, which hold no address and refer to nothing that goes.
CREATE TABLE link_sets (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    destinations TEXT NOT NULL
) STRICT;

CREATE TABLE short_links (
    delivery_id BLOB PRIMARY KEY,
    link_set_id INTEGER NOT NULL REFERENCES link_sets (id)
) STRICT, WITHOUT ROWID;

CREATE TABLE user_agents (
    id INTEGER PRIMARY KEY,
    value TEXT NOT NULL UNIQUE
) STRICT;

-- Raw facts, never edited by judgement. delivery_id is no foreign key: a hit may outlive what is known of its mail.
-- seq never repeats: what came after a number that was read is newer than it.
CREATE TABLE observations (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    delivery_id BLOB NOT NULL,
    kind TEXT NOT NULL,
    method TEXT NOT NULL,
    ip TEXT,
    user_agent_id INTEGER REFERENCES user_agents (id),
    headers TEXT,
    received_at INTEGER NOT NULL,
    link_index INTEGER,
    url TEXT,
    checked INTEGER NOT NULL
) STRICT;
CREATE INDEX observations_by_delivery ON observations (delivery_id, received_at, id);
CREATE INDEX observations_by_ip ON observations (ip, received_at, id) WHERE ip IS NOT NULL;

CREATE TABLE queue (
    observation_id BLOB PRIMARY KEY REFERENCES observations (id) ON DELETE CASCADE,
    due_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX queue_by_due ON queue (due_at);

CREATE TABLE verdicts (
    observation_id BLOB NOT NULL REFERENCES observations (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    published_at INTEGER NOT NULL,
    detected INTEGER NOT NULL,
    probability INTEGER NOT NULL,
    classification TEXT NOT NULL,
    proxy_type TEXT,
    reason_codes TEXT NOT NULL,
    machine INTEGER NOT NULL,
    counts_for_metrics INTEGER NOT NULL,
    device_type TEXT,
    client_type TEXT,
    client_name TEXT,
    ruleset TEXT NOT NULL,
    PRIMARY KEY (observation_id, seq)
) STRICT, WITHOUT ROWID;

-- The latest verdict of each observation, with what is filtered and sorted by beside it.
CREATE TABLE events (
    observation_id BLOB PRIMARY KEY REFERENCES observations (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    delivery_id BLOB NOT NULL,
    occurred_at INTEGER NOT NULL,
    machine INTEGER NOT NULL,
    classification TEXT NOT NULL,
    first INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX events_by_time ON events (occurred_at, observation_id);
CREATE INDEX events_by_delivery ON events (delivery_id, type, machine, occurred_at, observation_id);

CREATE TABLE rollups (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    deliveries INTEGER NOT NULL DEFAULT 0,
    deliveries_with_pixel INTEGER NOT NULL DEFAULT 0,
    deliveries_with_links INTEGER NOT NULL DEFAULT 0,
    human_opens INTEGER NOT NULL DEFAULT 0,
    human_opens_unique INTEGER NOT NULL DEFAULT 0,
    human_clicks INTEGER NOT NULL DEFAULT 0,
    human_clicks_unique INTEGER NOT NULL DEFAULT 0,
    machine_opens INTEGER NOT NULL DEFAULT 0,
    machine_opens_unique INTEGER NOT NULL DEFAULT 0,
    machine_clicks INTEGER NOT NULL DEFAULT 0,
    machine_clicks_unique INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

-- How many events each delivery has in each group: a unique moves when a count leaves or reaches zero.
CREATE TABLE delivery_counts (
    delivery_id BLOB NOT NULL,
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    measure TEXT NOT NULL,
    events INTEGER NOT NULL,
    PRIMARY KEY (delivery_id, scope, key, measure)
) STRICT, WITHOUT ROWID;

-- Hits that were answered and counted, and not recorded one by one. A row's count only rises, so whatever comes twice
-- or late changes nothing.
CREATE TABLE overflow (
    id BLOB PRIMARY KEY,
    reason TEXT NOT NULL,
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE lease (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""


def _create_tables(database: Database) -> None:
    for statement in _FIRST.split(";\n"):
        if statement.strip():
            database.execute(statement)
    database.execute("INSERT INTO meta (name, value) VALUES ('recipient_key', ?)", [secrets.token_bytes(32)])


#: Every migration in order; the schema's version is their number. What is released here is never edited.
MIGRATIONS: tuple[Migration, ...] = (_create_tables,)


def migrate(connection: sqlite3.Connection, *, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring a database to the newest schema, one transaction for each migration.

    :param connection: a connection in autocommit mode that may write.
    :param migrations: every migration since the empty file, in order.
    :raises StoreUnavailableError: where the file belongs to another program or to a newer Mailnod.
    """
    check_schema(connection, newest=len(migrations))
    if _get_version(connection) == len(migrations):
        return
    # It costs about 100 ms to import, and most processes never migrate.
    from sqlite_utils import Database

    database = Database(connection, execute_plugins=False)
    for number, step in enumerate(migrations, start=1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have come first while this one waited for the lock.
            if _get_version(connection) < number:
                step(database)
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
    :raises StoreUnavailableError: where the file is another program's, or its schema is too new or too old.
    """
    # Tables first: another process may commit the first migration in between, and tables of ours come with our mark.
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    version = _get_version(connection)
    if objects and application != APPLICATION_ID:
        raise StoreUnavailableError("the database belongs to another program; give Mailnod a file of its own")
    if version > newest:
        raise StoreUnavailableError(
            f"the database has schema {version}, and this Mailnod knows schemas up to {newest}; upgrade Mailnod"
        )
    if exact and version < newest:
        raise StoreUnavailableError(
            f"the database has schema {version}, and this Mailnod reads schema {newest}; "
            "open it once for writing, which brings it up to date"
        )


def _get_version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version
