"""Raw observations, the queue of those that wait for a verdict, and what lies near each of them."""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from mailnod.model import Observation, Window
from mailnod.store.postgres import deliveries, locks
from mailnod.store.postgres.server import Connection
from mailnod.store.rows import OBSERVATION_COLUMNS, list_columns, read_observation, to_micros, write_observation
from mailnod.store.windows import (
    MAX_INTEGER,
    MIN_INTEGER,
    SAME_DELIVERY_MICROS,
    SAME_IP_MICROS,
    WINDOW_LIMIT,
    find_near_newer,
    get_latest_micros,
    pick_nearest,
)

__all__ = [
    "OBSERVATION_FIELDS",
    "OBSERVATION_JOINS",
    "add_observations",
    "count_waiting",
    "find_stale",
    "floor_use",
    "get_due",
    "get_mark",
    "get_windows",
]

#: How exactly the last use of a text is remembered.
_USE_MICROS = 10 * 60 * 1_000_000
#: Columns whose values repeat, and are kept once.
_INTERNED = ("user_agent", "headers", "url")
_INTERNED_AT = tuple(OBSERVATION_COLUMNS.index(name) for name in _INTERNED)
#: What :func:`~mailnod.store.rows.read_observation` reads, of rows of observations ``o`` with their joins.
OBSERVATION_FIELDS = ", ".join(
    f"{name}_text.value" if name in _INTERNED else f"o.{name}" for name in OBSERVATION_COLUMNS
)
OBSERVATION_JOINS = " ".join(
    f"LEFT JOIN mailnod.texts AS {name}_text ON {name}_text.id = o.{name}" for name in _INTERNED
)

_SELECT = f"SELECT o.seq, {OBSERVATION_FIELDS} FROM mailnod.observations AS o {OBSERVATION_JOINS}"
_DUE = f"""
    {_SELECT} JOIN mailnod.queue AS q ON q.observation_id = o.id AND q.delivery_id = o.delivery_id
    WHERE q.due_at BETWEEN %s AND %s ORDER BY q.due_at, o.id LIMIT %s
"""
_BY_SEQ = f"{_SELECT} WHERE o.seq = ANY(%s) ORDER BY o.received_at, o.id"

# A connection keeps its empty tables for the next batch: to make them anew costs more than to copy into them.
_STAGE = """
    CREATE TEMPORARY TABLE IF NOT EXISTS mailnod_staged
        (LIKE mailnod.observations, position integer NOT NULL) ON COMMIT DELETE ROWS;
    CREATE TEMPORARY TABLE IF NOT EXISTS mailnod_staged_texts (LIKE mailnod.texts) ON COMMIT DELETE ROWS
"""
_COPY = f"COPY mailnod_staged (seq, position, {list_columns(OBSERVATION_COLUMNS)}) FROM STDIN"
_COPY_TEXTS = "COPY mailnod_staged_texts (id, value, last_used) FROM STDIN"
#: Sorted, so that two transactions that bring the same texts never wait for each other. What is there and recent enough
#: is not even locked, and whoever erases old texts looks again at those that are.
_ADD_TEXTS = """
    INSERT INTO mailnod.texts AS t (id, value, last_used)
    SELECT s.id, s.value, s.last_used FROM mailnod_staged_texts AS s
    WHERE NOT EXISTS (
        SELECT 1 FROM mailnod.texts AS t WHERE t.id = s.id AND (t.last_used IS NULL OR t.last_used >= s.last_used)
    ) ORDER BY s.id
    ON CONFLICT (id) DO UPDATE SET last_used =
        CASE WHEN t.last_used IS NULL OR excluded.last_used IS NULL THEN NULL
        ELSE greatest(t.last_used, excluded.last_used) END
"""
_TAKE_IN = f"""
    WITH taken AS (
        INSERT INTO mailnod.observations ({list_columns(OBSERVATION_COLUMNS)})
        SELECT {list_columns(OBSERVATION_COLUMNS, of="s")} FROM mailnod_staged AS s
        WHERE NOT EXISTS (SELECT 1 FROM mailnod.suppressed AS gone WHERE gone.delivery_id = s.delivery_id)
        ORDER BY s.position
        ON CONFLICT DO NOTHING RETURNING id, delivery_id, received_at
    ), queued AS (
        INSERT INTO mailnod.queue (observation_id, delivery_id, due_at)
        SELECT id, delivery_id, received_at + %s FROM taken ON CONFLICT DO NOTHING
    )
    SELECT id FROM taken
"""
_HAS_JUDGED = "SELECT EXISTS (SELECT 1 FROM mailnod.events WHERE occurred_at BETWEEN %s AND %s)"
#: What was published and lies near new observations, once for each run of those whose windows overlap.
_QUEUE_JUDGED = {
    column: f"""
        WITH new AS (
            SELECT {column} AS value, received_at,
                received_at - lag(received_at) OVER (PARTITION BY {column} ORDER BY received_at) AS step
            FROM mailnod.observations WHERE seq > %(mark)s AND {column} IS NOT NULL
        ), numbered AS (
            SELECT value, received_at,
                count(*) FILTER (WHERE step > {2 * reach}) OVER (PARTITION BY value ORDER BY received_at) AS run
            FROM new
        ), runs AS (
            SELECT value, min(received_at) AS start, max(received_at) AS stop FROM numbered GROUP BY value, run
        )
        INSERT INTO mailnod.queue (observation_id, delivery_id, due_at)
        SELECT near.id, near.delivery_id, min(runs.start) + %(settle)s
        FROM runs, LATERAL (
            SELECT o.id, o.delivery_id FROM mailnod.observations AS o
            WHERE o.{column} = runs.value AND o.received_at BETWEEN runs.start - {reach} AND runs.stop + {reach}
            ORDER BY o.received_at LIMIT {WINDOW_LIMIT}
        ) AS near
        WHERE EXISTS (
            SELECT 1 FROM mailnod.events AS e WHERE e.observation_id = near.id AND e.delivery_id = near.delivery_id)
        GROUP BY near.id, near.delivery_id
        ON CONFLICT DO NOTHING
    """
    for column, reach in (("delivery_id", SAME_DELIVERY_MICROS), ("ip", SAME_IP_MICROS))
}
_NEAR = """
    SELECT asked.position, near.seq, near.received_at, near.id = asked.id
    FROM unnest(%s::bytea[], %s::bytea[], %s::text[], %s::bigint[]) WITH ORDINALITY
        AS asked (id, delivery_id, ip, at, position),
    LATERAL (
        (SELECT seq, received_at, id FROM mailnod.observations AS o
            WHERE o.id = asked.id AND o.delivery_id = asked.delivery_id)
        {near}
    ) AS near
""".format(
    near="".join(
        f"""
        UNION ALL (SELECT seq, received_at, id FROM mailnod.observations AS o
            WHERE o.{column} = asked.{column} AND o.received_at BETWEEN {start} AND {stop}
            ORDER BY o.received_at {order} LIMIT {WINDOW_LIMIT})"""
        for column, reach in (("delivery_id", SAME_DELIVERY_MICROS), ("ip", SAME_IP_MICROS))
        for start, stop, order in (
            (f"asked.at - {reach}", "asked.at", "DESC"),
            ("asked.at + 1", f"asked.at + {reach}", "ASC"),
        )
    )
)


def add_observations(
    connection: Connection, observations: Sequence[Observation], *, settle_s: float, key: bytes
) -> list[Observation]:
    """Take observations in, each once, and queue them and those already judged that they may shed light on.

    They are brought to the server before anybody has to wait for them.

    :param settle_s: how long after its hit an observation is judged.
    :param key: the key under which the store hashes texts.
    :returns: those that were new, in the order given.
    """
    if not observations:
        return []
    _stage(connection, observations, key)
    locks.take(connection, "hits")
    mark = get_mark(connection)
    settle_micros = round(settle_s * 1_000_000)
    taken = connection.execute(_TAKE_IN.encode(), (settle_micros,), binary=True)
    ids = {id_ for (id_,) in taken}
    new = []
    for observation in observations:
        if observation.id in ids:
            ids.remove(observation.id)
            new.append(observation)
    if new and _has_judged_near(connection, new):
        for query in _QUEUE_JUDGED.values():
            connection.execute(query.encode(), {"mark": mark, "settle": settle_micros})
    return new


def get_due(connection: Connection, *, now: datetime, limit: int, settle_s: float | None) -> list[Observation]:
    """Return the observations that are due, those due longest first.

    :param settle_s: the settle time, by which hits from the future are told where nothing else is due; None
        leaves them.
    """
    rows = connection.execute(_DUE.encode(), (MIN_INTEGER, to_micros(now), limit)).fetchall()
    if not rows and settle_s is not None:
        latest = get_latest_micros(now, settle_s=settle_s)
        rows = connection.execute(_DUE.encode(), (latest + 1, MAX_INTEGER, limit)).fetchall()
    return [read_observation(row[1:]) for row in rows]


def get_mark(connection: Connection) -> int:
    """Return the number of the newest observation; 0 where there is none."""
    ((newest,),) = connection.execute("SELECT coalesce(max(seq), 0) FROM mailnod.observations").fetchall()
    return int(newest)


def find_stale(connection: Connection, observations: Sequence[Observation], *, mark: int) -> set[bytes]:
    """Return the ids of those into whose window an observation has come since a mark."""
    newer = connection.execute("SELECT delivery_id, ip, received_at FROM mailnod.observations WHERE seq > %s", (mark,))
    return find_near_newer(observations, newer)


def count_waiting(connection: Connection) -> int:
    """Return how many observations are in the queue."""
    ((count,),) = connection.execute("SELECT count(*) FROM mailnod.queue").fetchall()
    return int(count)


def get_windows(connection: Connection, observations: Sequence[Observation]) -> list[Window]:
    """Return what each observation is judged by; where more lies near than fits, the nearest in time.

    Windows of one batch overlap, so what lies in several of them is read once.
    """
    if not observations:
        return []
    asked = [(o.id, o.delivery_id, o.hit.ip, to_micros(o.hit.received_at)) for o in observations]
    near: list[dict[int, int]] = [{} for _ in observations]
    own: list[int | None] = [None] * len(observations)
    columns = [list(column) for column in zip(*asked, strict=True)]
    for position, seq, received_at, is_own in connection.execute(_NEAR.encode(), columns):
        near[position - 1][seq] = received_at
        if is_own:
            own[position - 1] = seq
    nearest = [pick_nearest(times, at=at, own=number) for times, number, (*_, at) in zip(near, own, asked, strict=True)]
    rows = connection.execute(_BY_SEQ.encode(), (sorted(set().union(*nearest)),))
    # Rows come ordered by time, and a dictionary keeps that order.
    read = {seq: read_observation(row) for seq, *row in rows}
    order = {seq: position for position, seq in enumerate(read)}
    known = deliveries.get_known(connection, list({o.delivery_id for o in observations}))
    return [
        Window(
            delivery=known.get(observation.delivery_id),
            observations=tuple(read[seq] for seq in sorted(seqs, key=order.__getitem__)),
        )
        for observation, seqs in zip(observations, nearest, strict=True)
    ]


def _stage(connection: Connection, observations: Sequence[Observation], key: bytes) -> None:
    """Bring observations, and the texts that they refer to, into the transaction."""
    texts: dict[str, tuple[int, int | None]] = {}
    connection.execute(_STAGE)
    cursor = connection.cursor()
    with cursor.copy(_COPY) as copy:
        for position, observation in enumerate(observations):
            row: list[Any] = list(write_observation(observation))
            used_at = floor_use(to_micros(observation.hit.received_at))
            for name, at in zip(_INTERNED, _INTERNED_AT, strict=True):
                text = row[at]
                if text is not None:
                    number, before = texts.get(text) or (_hash_text(text, key), 0)
                    stays = name == "url" or before is None
                    texts[text] = number, None if stays else max(used_at, before or 0)
                    row[at] = number
            copy.write_row((0, position, *row))
    with cursor.copy(_COPY_TEXTS) as copy:
        for text, (number, last_used) in texts.items():
            copy.write_row((number, text, last_used))
    connection.execute(_ADD_TEXTS)


def floor_use(micros: int) -> int:
    """Return the time of a use as texts remember it: exact enough to erase them, coarse enough to be written rarely."""
    return micros - micros % _USE_MICROS


def _has_judged_near(connection: Connection, new: Sequence[Observation]) -> bool:
    """Return whether anything at all was published in the time that the windows of new observations span."""
    times = [to_micros(observation.hit.received_at) for observation in new]
    bounds = min(times) - SAME_DELIVERY_MICROS, max(times) + SAME_DELIVERY_MICROS
    ((has,),) = connection.execute(_HAS_JUDGED, bounds).fetchall()
    return bool(has)


def _hash_text(text: str, key: bytes) -> int:
    """Return the number of a text: 64 bits of its keyed BLAKE2b hash, which nobody can aim at without the key."""
    digest = hashlib.blake2b(text.encode(), digest_size=8, key=key, person=b"mailnod-text").digest()
    return int.from_bytes(digest, "big", signed=True)
