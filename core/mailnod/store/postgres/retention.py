"""Erase raw facts of hits, and give events to an archive."""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from mailnod.model import Observation, Traces
from mailnod.store.postgres import locks
from mailnod.store.postgres.inbox import floor_use
from mailnod.store.postgres.observations import OBSERVATION_FIELDS, OBSERVATION_JOINS
from mailnod.store.postgres.server import Connection
from mailnod.store.rows import read_observation, to_micros
from mailnod.store.traces import make_traces
from mailnod.store.windows import MIN_INTEGER

__all__ = ["get_traces", "get_unfinished_parts", "minimise", "note_part", "remove_events", "vacuum"]

#: As the index observations_raw says it.
_RAW = "(o.ip IS NOT NULL OR o.user_agent IS NOT NULL OR o.headers IS NOT NULL)"
_OLDEST = f"""
    SELECT o.received_at, d.route,
        EXISTS (SELECT 1 FROM mailnod.events WHERE (observation_id, delivery_id) = (o.id, o.delivery_id))
        AND NOT EXISTS (SELECT 1 FROM mailnod.queue WHERE (observation_id, delivery_id) = (o.id, o.delivery_id)),
        {OBSERVATION_FIELDS}
    FROM mailnod.observations AS o {OBSERVATION_JOINS} LEFT JOIN mailnod.deliveries AS d ON d.id = o.delivery_id
    WHERE o.received_at >= %s AND o.received_at < %s AND {_RAW}
    ORDER BY o.received_at FETCH FIRST %s ROWS WITH TIES
"""
_OLDEST_RAW = f"SELECT least(min(o.received_at), %s) FROM mailnod.observations AS o WHERE {_RAW}"
_KEEP_TRACES = """
    INSERT INTO mailnod.traces (observation_id, delivery_id, ip_hash, user_agent_hash, features)
    VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
_ERASE = "UPDATE mailnod.observations SET ip = NULL, user_agent = NULL, headers = NULL WHERE id = ANY(%s)"
_ERASE_TEXTS = "DELETE FROM mailnod.texts WHERE last_used < %s"
_ERASE_UNUSED = "DELETE FROM mailnod.texts AS t WHERE last_used < %s" + "".join(
    f" AND NOT EXISTS (SELECT 1 FROM mailnod.observations AS o WHERE o.{column} = t.id AND {_RAW})"
    for column in ("user_agent", "headers")
)
#: How long older transactions are waited for before what they can still see is left to the next time.
_PATIENCE_S = 2.0


def minimise(
    connection: Connection,
    cutoff: datetime,
    *,
    cutoffs: Mapping[str, datetime],
    name_network: Callable[[str], str | None],
    key: bytes,
    after: int,
    limit: int,
) -> tuple[int, int | None]:
    """Erase raw facts of the oldest hits, and return how many were minimised and where to go on.

    What clients said goes when no hit is left that came since it was last used.
    """
    newest = to_micros(max(cutoff, *cutoffs.values(), cutoff))
    rows = connection.execute(_OLDEST.encode(), (after + MIN_INTEGER, newest, limit)).fetchall()
    over = [
        read_observation(columns)
        for received_at, route, is_judged, *columns in rows
        if is_judged and received_at < to_micros(cutoffs.get(route, cutoff))
    ]
    if over:
        traces = [(o, make_traces(o.hit, key=key, name_network=name_network)) for o in over]
        with connection.cursor() as cursor:
            cursor.executemany(_KEEP_TRACES, [_write(observation, kept) for observation, kept in traces])
        connection.execute(_ERASE, ([observation.id for observation in over],))
    if len(rows) >= limit:
        # A clock that has lost its time says 1970 or less: cursors count from the least of all times.
        return len(over), rows[-1][0] + 1 - MIN_INTEGER
    ((oldest,),) = connection.execute(_OLDEST_RAW.encode(), (newest,)).fetchall()
    connection.execute(_ERASE_TEXTS, (floor_use(oldest),))
    if cutoffs:
        # An older hit that another route keeps must not hold up what came with these, so all that is raw is read.
        connection.execute(_ERASE_UNUSED.encode(), (floor_use(newest),))
    return len(over), None


def get_traces(connection: Connection, observation_id: bytes) -> Traces | None:
    """Return what stayed of a minimised hit."""
    row = connection.execute(
        "SELECT ip_hash, user_agent_hash, features FROM mailnod.traces WHERE observation_id = %s", (observation_id,)
    ).fetchone()
    if row is None:
        return None
    network, header_names = json.loads(row[2])
    return Traces(ip_hash=row[0], user_agent_hash=row[1], network=network, header_names=tuple(header_names))


def vacuum(connection: Connection) -> bool:
    """Give the pages of erased rows back; False where an older transaction may still see them.

    :param connection: outside any transaction.
    """
    ((now,),) = connection.execute("SELECT clock_timestamp()").fetchall()
    deadline = time.monotonic() + _PATIENCE_S
    while is_seen := _is_seen(connection, now):
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    connection.execute("VACUUM mailnod.observations, mailnod.texts, mailnod.bodies, mailnod.inbox")
    return not is_seen


def remove_events(connection: Connection, observation_ids: Sequence[bytes]) -> int:
    """Remove events with all that belongs to them, and leave the counts as they are."""
    # Nobody publishes a verdict on what is gone when it is written.
    locks.take(connection, "hits")
    ids = [
        bytes(id_)
        for (id_,) in connection.execute(
            "SELECT observation_id FROM mailnod.events WHERE observation_id = ANY(%s)", (list(observation_ids),)
        )
    ]
    for table in ("events", "verdicts", "traces", "queue"):
        connection.execute(f"DELETE FROM mailnod.{table} WHERE observation_id = ANY(%s)".encode(), (ids,))
    connection.execute("DELETE FROM mailnod.observations WHERE id = ANY(%s)", (ids,))
    return len(ids)


def note_part(connection: Connection, name: str, *, done: bool) -> None:
    """Note how far the file of an archive is."""
    connection.execute(
        "INSERT INTO mailnod.archive_parts (name, done) VALUES (%s, %s) "
        "ON CONFLICT (name) DO UPDATE SET done = excluded.done",
        (name, done),
    )


def get_unfinished_parts(connection: Connection) -> list[str]:
    """Return the files whose events are not all removed yet."""
    rows = connection.execute("SELECT name FROM mailnod.archive_parts WHERE NOT done ORDER BY id")
    return [name for (name,) in rows]


def _write(observation: Observation, traces: Traces) -> tuple[bytes, bytes, bytes | None, bytes | None, str]:
    features = json.dumps([traces.network, traces.header_names], separators=(",", ":"))
    return observation.id, observation.delivery_id, traces.ip_hash, traces.user_agent_hash, features


def _is_seen(connection: Connection, since: datetime) -> bool:
    """Return whether a transaction that began before a time is still under way, and holds back what it may see."""
    ((is_seen,),) = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM pg_stat_activity "
        "WHERE backend_xmin IS NOT NULL AND pid <> pg_backend_pid() AND xact_start < %s)",
        (since,),
    ).fetchall()
    return bool(is_seen)
