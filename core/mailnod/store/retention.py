"""Erase raw facts of hits, and give events to an archive."""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from mailnod.model import Traces
from mailnod.store import slots
from mailnod.store.consents import get_key
from mailnod.store.names import intern_features
from mailnod.store.observations import OBSERVATION_FIELDS, OBSERVATION_JOINS, OBSERVATION_WIDTH, compose, find_slot
from mailnod.store.rows import to_micros
from mailnod.store.traces import make_traces
from mailnod.store.windows import MIN_INTEGER

__all__ = ["get_traces", "get_unfinished_parts", "minimise", "note_part", "remove_events", "rewrite_raw"]

_OLDEST = f"""
    SELECT {OBSERVATION_FIELDS}, s.user_agent_id, s.headers_id, n.name, e.slot IS NOT NULL AND q.slot IS NULL
    FROM (SELECT slot FROM signals WHERE slot >= ? AND slot < ? ORDER BY slot LIMIT ?) AS old
    CROSS JOIN observations AS o ON o.slot = old.slot {OBSERVATION_JOINS}
    LEFT JOIN events AS e ON e.slot = o.slot LEFT JOIN queue AS q ON q.slot = o.slot
    LEFT JOIN mailings AS m ON m.id = e.mailing_id LEFT JOIN names AS n ON n.id = m.route_id
    ORDER BY o.slot
"""
#: So many rows are written anew in some hundredths of a second, which no sender notices; bodies are large.
_FEW = 5_000
_FEW_BODIES = 200
_FEW_BODIES_BYTES = 8_000_000
#: What several hits share, and the column that refers to it.
_SHARED = {"user_agent_id": "user_agents", "headers_id": "header_sets"}


def minimise(
    connection: sqlite3.Connection,
    cutoff: datetime,
    *,
    cutoffs: Mapping[str, datetime],
    name_network: Callable[[str], str | None],
    after: int,
    limit: int,
) -> tuple[int, int | None]:
    """Erase raw facts of the oldest hits, and return how many were minimised and where to go on."""
    newest = slots.to_slot(to_micros(max(cutoff, *cutoffs.values(), cutoff)))
    key = get_key(connection)
    rows = connection.execute(_OLDEST, (after + MIN_INTEGER, newest, limit)).fetchall()
    erased, shared = 0, dict[str, set[int]]((column, set()) for column in _SHARED)
    for row in rows:
        observation = compose(row)
        *references, route, judged = row[OBSERVATION_WIDTH:]
        if not judged or observation.hit.received_at >= cutoffs.get(route, cutoff):
            continue
        traces = make_traces(observation.hit, key=key, name_network=name_network)
        features = intern_features(connection, traces)
        connection.execute("UPDATE observations SET features_id = ? WHERE slot = ?", (features, row[0]))
        connection.execute("DELETE FROM signals WHERE slot = ?", (row[0],))
        for column, reference in zip(_SHARED, references, strict=True):
            shared[column] |= set() if reference is None else {reference}
        erased += 1
    _erase_unused(connection, shared)
    # Slots before 2020 are negative, and a clock that has lost its time says 1970: cursors count from the least of all.
    return erased, rows[-1][0] + 1 - MIN_INTEGER if len(rows) == limit else None


def get_traces(connection: sqlite3.Connection, observation_id: bytes) -> Traces | None:
    """Return what stayed of a minimised hit."""
    row = connection.execute(
        "SELECT ip_hash, value FROM observations AS o JOIN features ON features.id = features_id "
        "WHERE slot = ? AND NOT EXISTS (SELECT 1 FROM signals WHERE signals.slot = o.slot)",
        (find_slot(connection, observation_id),),
    ).fetchone()
    if row is None:
        return None
    user_agent_hash, network, header_names = json.loads(row[1])
    return Traces(
        ip_hash=row[0],
        user_agent_hash=None if user_agent_hash is None else bytes.fromhex(user_agent_hash),
        network=network,
        header_names=tuple(header_names),
    )


def rewrite_raw(connection: sqlite3.Connection) -> None:
    """Write what is raw into clean pages, where there is little of it.

    A page that gives rows to its neighbour keeps their bytes, and no deletion overwrites these. Where hits are many,
    their pages go soon, one after the other, and are overwritten whole; where they are few, one would stay for weeks.
    """
    connection.execute("PRAGMA defer_foreign_keys = ON")
    few = {**dict.fromkeys(("signals", *_SHARED.values()), _FEW), "bodies": _FEW_BODIES}
    small = [
        table
        for table, most in few.items()
        if not connection.execute(f"SELECT 1 FROM {table} LIMIT 1 OFFSET {most}").fetchall()
    ]
    (size,) = connection.execute("SELECT sum(length(value)) FROM bodies").fetchone() if "bodies" in small else (0,)
    if size and size > _FEW_BODIES_BYTES:
        # Mail that is sent meanwhile would wait for too long, and leave untracked.
        small.remove("bodies")
    for table in small:
        # Temporary tables lie in memory alone.
        connection.execute(f"CREATE TEMPORARY TABLE kept AS SELECT * FROM main.{table}")
        connection.execute(f"DELETE FROM {table}")
        connection.execute(f"INSERT INTO {table} SELECT * FROM kept ORDER BY 1")
        connection.execute("DROP TABLE kept")


def remove_events(connection: sqlite3.Connection, observation_ids: Sequence[bytes]) -> int:
    """Remove events with all that belongs to them, and leave the counts as they are."""
    found = [find_slot(connection, id_) for id_ in observation_ids]
    removed, shared = 0, dict[str, set[int]]((column, set()) for column in _SHARED)
    for slot in found:
        if slot is None or not connection.execute("SELECT 1 FROM events WHERE slot = ?", (slot,)).fetchone():
            continue
        signals = connection.execute(f"SELECT {', '.join(_SHARED)} FROM signals WHERE slot = ?", (slot,)).fetchone()
        for column, reference in zip(_SHARED, signals or (), strict=False):
            shared[column] |= set() if reference is None else {reference}
        removed += connection.execute("DELETE FROM observations WHERE slot = ?", (slot,)).rowcount
    _erase_unused(connection, shared)
    return removed


def note_part(connection: sqlite3.Connection, name: str, *, done: bool) -> None:
    """Note how far the file of an archive is."""
    connection.execute(
        "INSERT INTO archive_parts (name, done) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET done = excluded.done",
        (name, done),
    )


def get_unfinished_parts(connection: sqlite3.Connection) -> list[str]:
    """Return the files whose events are not all removed yet."""
    return [name for (name,) in connection.execute("SELECT name FROM archive_parts WHERE NOT done ORDER BY id")]


def _erase_unused(connection: sqlite3.Connection, shared: Mapping[str, set[int]]) -> None:
    """Erase what clients said that no hit refers to any more."""
    for column, ids in shared.items():
        connection.executemany(
            f"DELETE FROM {_SHARED[column]} AS t WHERE id = ? "
            f"AND NOT EXISTS (SELECT 1 FROM signals WHERE {column} = t.id)",
            [(id_,) for id_ in ids],
        )
