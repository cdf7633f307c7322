"""Raw observations, the queue of those that wait for a verdict, and what lies near each of them."""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mailnod.model import Observation, Window
from mailnod.store.postgres import deliveries, inbox, locks
from mailnod.store.postgres.inbox import INTERNED
from mailnod.store.postgres.server import Connection
from mailnod.store.rows import OBSERVATION_COLUMNS, list_columns, read_observation, to_micros
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
    "get_due",
    "get_mark",
    "get_windows",
    "take_in",
]

#: What :func:`~mailnod.store.rows.read_observation` reads, of rows of observations ``o`` with their joins.
OBSERVATION_FIELDS = ", ".join(
    f"{name}_text.value" if name in INTERNED else f"o.{name}" for name in OBSERVATION_COLUMNS
)
OBSERVATION_JOINS = " ".join(
    f"LEFT JOIN mailnod.texts AS {name}_text ON {name}_text.id = o.{name}" for name in INTERNED
)

_SELECT = f"SELECT o.seq, {OBSERVATION_FIELDS} FROM mailnod.observations AS o {OBSERVATION_JOINS}"
_DUE = f"""
    {_SELECT} JOIN mailnod.queue AS q ON q.observation_id = o.id AND q.delivery_id = o.delivery_id
    WHERE q.due_at BETWEEN %s AND %s ORDER BY q.due_at, o.id LIMIT %s
"""
_BY_SEQ = f"{_SELECT} WHERE o.seq = ANY(%s) ORDER BY o.received_at, o.id"

#: Sorted, so that two transactions that bring the same texts never wait for each other. What is there and recent enough
#: is not even locked, and whoever erases old texts looks again at those that are.
_ADD_TEXTS = """
    INSERT INTO mailnod.texts AS t (id, value, last_used)
    SELECT s.id, min(s.value), CASE WHEN bool_and(s.last_used IS NOT NULL) THEN max(s.last_used) END
    FROM mailnod.inbox AS b, unnest(b.text_ids, b.texts, b.texts_last_used) AS s (id, value, last_used)
    WHERE b.number = ANY(%s) AND NOT EXISTS (
        SELECT 1 FROM mailnod.texts AS t WHERE t.id = s.id AND (t.last_used IS NULL OR t.last_used >= s.last_used)
    ) GROUP BY s.id ORDER BY s.id
    ON CONFLICT (id) DO UPDATE SET last_used =
        CASE WHEN t.last_used IS NULL OR excluded.last_used IS NULL THEN NULL
        ELSE greatest(t.last_used, excluded.last_used) END
"""
#: Rows are looked for one by one, whatever the server believes of the size of its tables. Whoever adds some holds the
#: lock, so none of those that are not found can come meanwhile; and what comes in order finds its place at the end of
#: most indexes.
_TAKE_IN = f"""
    WITH batch AS (
        DELETE FROM mailnod.inbox WHERE number = ANY(%(numbers)s) RETURNING *
    ), taken AS (
        INSERT INTO mailnod.observations ({list_columns(OBSERVATION_COLUMNS)})
        SELECT DISTINCT ON (h.id, h.delivery_id) h.*
        FROM (SELECT {", ".join(f"unnest({name}) AS {name}" for name in OBSERVATION_COLUMNS)} FROM batch) AS h
        WHERE (SELECT true FROM mailnod.suppressed AS gone WHERE gone.delivery_id = h.delivery_id) IS NULL
            AND (SELECT true FROM mailnod.observations AS o WHERE o.id = h.id AND o.delivery_id = h.delivery_id) IS NULL
        ORDER BY h.id, h.delivery_id
        RETURNING id, delivery_id, received_at
    ), queued AS (
        INSERT INTO mailnod.queue (observation_id, delivery_id, due_at)
        SELECT id, delivery_id, received_at + %(settle)s FROM taken ON CONFLICT DO NOTHING
    )
    SELECT min(received_at), max(received_at) FROM taken
"""
_HAS_JUDGED = "SELECT EXISTS (SELECT 1 FROM mailnod.events WHERE occurred_at BETWEEN %s AND %s)"
#: What was published and lies near new observations: looked for once in each stretch of time in which some came that
#: have a delivery or an address in common.
_QUEUE_JUDGED = {
    column: f"""
        WITH stretches AS (
            SELECT {column} AS value, min(received_at) AS start, max(received_at) AS stop
            FROM mailnod.observations WHERE seq > %(mark)s AND {column} IS NOT NULL
            GROUP BY {column}, received_at / {2 * reach}
        )
        INSERT INTO mailnod.queue (observation_id, delivery_id, due_at)
        SELECT near.id, near.delivery_id, min(stretches.start) + %(settle)s
        FROM stretches, LATERAL (
            SELECT o.id, o.delivery_id, o.seq FROM mailnod.observations AS o
            WHERE o.{column} = stretches.value
                AND o.received_at BETWEEN stretches.start - {reach} AND stretches.stop + {reach}
            ORDER BY o.received_at LIMIT {WINDOW_LIMIT}
        ) AS near
        WHERE near.seq <= %(mark)s AND EXISTS (
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
    mark = _take_in(connection, [inbox.add_batch(connection, observations, key=key)], settle_s=settle_s)
    ids = {id_ for (id_,) in connection.execute("SELECT id FROM mailnod.observations WHERE seq > %s", (mark,))}
    new = []
    for observation in observations:
        if observation.id in ids:
            ids.remove(observation.id)
            new.append(observation)
    return new


def take_in(connection: Connection, *, settle_s: float, limit: int, read: bool) -> tuple[int, list[Observation]]:
    """Take in what was brought first, as :func:`add_observations` does, unless another process is at it.

    :param limit: how many hits are taken in together; a batch that is larger goes alone.
    :param read: whether those that were new are returned.
    :returns: how many batches are gone from the inbox, and what was new in them, in the order of their ids.
    """
    numbers = inbox.find_oldest(connection, limit=limit) if locks.try_take(connection, "inbox") else []
    if not numbers:
        return 0, []
    mark = _take_in(connection, numbers, settle_s=settle_s)
    rows = connection.execute(f"{_SELECT} WHERE o.seq > %s ORDER BY o.seq".encode(), (mark,)) if read else ()
    return len(numbers), [read_observation(row[1:]) for row in rows]


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
    """Return how many observations are in the queue, or will be when they are taken in."""
    ((count,),) = connection.execute("SELECT count(*) FROM mailnod.queue").fetchall()
    return int(count) + inbox.count_hits(connection)


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


def _take_in(connection: Connection, numbers: Sequence[int], *, settle_s: float) -> int:
    """Take batches of the inbox in, and return the mark behind which those lie that were new."""
    connection.execute(_ADD_TEXTS, (numbers,))
    locks.take(connection, "hits")
    mark = get_mark(connection)
    settle_micros = round(settle_s * 1_000_000)
    taken = connection.execute(_TAKE_IN.encode(), {"numbers": numbers, "settle": settle_micros})
    ((first, last),) = taken.fetchall()
    if first is not None and _has_judged_near(connection, first, last):
        for query in _QUEUE_JUDGED.values():
            connection.execute(query.encode(), {"mark": mark, "settle": settle_micros})
    return mark


def _has_judged_near(connection: Connection, first: int, last: int) -> bool:
    """Return whether anything at all was published in the time that the windows of new observations span."""
    bounds = first - SAME_DELIVERY_MICROS, last + SAME_DELIVERY_MICROS
    ((has,),) = connection.execute(_HAS_JUDGED, bounds).fetchall()
    return bool(has)
