"""Bring what an SQLite file holds into an empty PostgreSQL store."""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mailnod.errors import ConfigurationError
from mailnod.model import EventFilter
from mailnod.store.bodies import get_kept_body, pack
from mailnod.store.consents import get_key
from mailnod.store.deliveries import get_delivery
from mailnod.store.pages import list_pages
from mailnod.store.postgres import deliveries as sent
from mailnod.store.postgres.bodies import keep_bodies
from mailnod.store.postgres.server import Connection, Server
from mailnod.store.postgres.store import PostgresStore
from mailnod.store.rows import CONSENT_COLUMNS, OVERFLOW_COLUMNS, list_columns
from mailnod.store.sqlite import SQLiteStore

__all__ = ["copy_store"]

_BATCH = 500
#: What is copied as it stands: the columns in both stores, and the statement that reads them.
_TABLES = {
    "consents": (
        ("id", "recipient_hash", *CONSENT_COLUMNS),
        f"SELECT id, recipient_hash, {list_columns(CONSENT_COLUMNS)} FROM consents",
    ),
    "suppressed": (("seq", "delivery_id"), "SELECT seq, delivery_id FROM suppressed"),
    "link_sets": (("hash", "destinations"), "SELECT hash, destinations FROM link_sets"),
    "short_links": (
        ("delivery_id", "link_set"),
        "SELECT delivery_id, hash FROM short_links JOIN link_sets ON link_sets.id = link_set_id",
    ),
    "overflow": (OVERFLOW_COLUMNS, f"SELECT {list_columns(OVERFLOW_COLUMNS)} FROM overflow"),
}


def copy_store(path: Path, url: str, *, report: Callable[[int], None] = lambda _: None) -> tuple[int, int]:
    """Copy a file's consents, withdrawals, links, deliveries, bodies and judged hits; the file stays as it is.

    Called again, it goes on where it was interrupted. Of each hit the latest verdict is copied, with the counts that
    follow from it; what people did before they withdrew is left out.

    :param report: called with how many deliveries or hits have come across since it was called last.
    :returns: how many deliveries and how many judged hits were gone through.
    :raises ConfigurationError: hits of the file wait to be judged, or the server's store holds something else.
    :raises StoreError: either store cannot be used.
    """
    source, target = SQLiteStore(path, read_only=True), PostgresStore(url)
    server = Server(url, timeout_s=600)
    try:
        if source.count_waiting():
            raise ConfigurationError(
                f"hits wait to be judged in {str(path)!r}: run 'mailnod work --once' on it when they have settled"
            )
        target.get_consent_mark()
        with source._database.read() as old:
            with server.write() as new:
                _copy_whole(old, new)
            moved = _copy_deliveries(old, server, report)
        return moved, _copy_events(source, target, report)
    finally:
        server.close()
        target.close()
        source.close()


def _copy_whole(old: sqlite3.Connection, new: Connection) -> None:
    """Take over the key and all that hangs on it, in one transaction, unless that was done before."""
    key = get_key(old)
    ((own,),) = new.execute("SELECT value FROM mailnod.meta WHERE name = 'recipient_key'").fetchall()
    if bytes(own) == key:
        return
    for table in ("consents", "deliveries", "inbox", "observations", "recipients"):
        if new.execute(f"SELECT 1 FROM mailnod.{table} LIMIT 1".encode()).fetchone() is not None:
            raise ConfigurationError("the server's store is in use already: copy into an empty database")
    new.execute("UPDATE mailnod.meta SET value = %s WHERE name = 'recipient_key'", (key,))
    for table, (columns, query) in _TABLES.items():
        with new.cursor().copy(f"COPY mailnod.{table} ({', '.join(columns)}) FROM STDIN".encode()) as copy:
            for row in old.execute(query):
                copy.write_row(row)
    for table, column in (("consents", "id"), ("suppressed", "seq")):
        sequence = f"pg_get_serial_sequence('mailnod.{table}', '{column}')"
        new.execute(f"SELECT setval({sequence}, max({column})) FROM mailnod.{table} HAVING count(*) > 0".encode())


def _copy_deliveries(old: sqlite3.Connection, server: Server, report: Callable[[int], None]) -> int:
    key, moved = get_key(old), 0
    for ids in _list_ids(old):
        found = [delivery for id_ in ids if (delivery := get_delivery(old, id_)) is not None]
        kept = [body for id_ in ids if (body := get_kept_body(old, id_)) is not None]
        with server.write() as new:
            sent.add_deliveries(new, found, consent_mark=None, key=key)
            keep_bodies(new, kept, pack(kept), key=key)
        moved += len(found)
        report(len(found))
    return moved


def _list_ids(old: sqlite3.Connection) -> Iterator[Sequence[bytes]]:
    """Yield the ids of all deliveries, those added first at the head, in batches."""
    after = 0
    query = "SELECT seq, id FROM deliveries WHERE seq > ? ORDER BY seq LIMIT ?"
    while rows := old.execute(query, (after, _BATCH)).fetchall():
        yield [id_ for _, id_ in rows]
        after = rows[-1][0]


def _copy_events(source: SQLiteStore, target: PostgresStore, report: Callable[[int], None]) -> int:
    moved = 0
    for page in list_pages(source, EventFilter(limit=_BATCH)):
        judgements = [(record.observation, record.event.verdict) for record in page]
        target.add_observations([observation for observation, _ in judgements], settle_s=0)
        target.publish(judgements, now=page[-1].event.occurred_at)
        moved += len(page)
        report(len(page))
    return moved
