"""Raw observations, the queue of those that wait for a verdict, and what lies near each of them."""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from mailnod.model import Observation, Window
from mailnod.store import deliveries
from mailnod.store.rows import OBSERVATION_COLUMNS, list_columns, read_observation, to_micros, write_observation
from mailnod.store.windows import (
    MAX_INTEGER,
    MIN_INTEGER,
    SAME_DELIVERY_MICROS,
    SAME_IP_MICROS,
    WINDOW_LIMIT,
    find_near_newer,
    get_latest_micros,
    list_runs,
    pick_nearest,
)

__all__ = [
    "OBSERVATION_FIELDS",
    "add_observations",
    "count_waiting",
    "find_stale",
    "get_due",
    "get_mark",
    "get_windows",
]

#: What :func:`~mailnod.store.rows.read_observation` reads, of rows of observations ``o`` and user_agents ``ua``.
OBSERVATION_FIELDS = list_columns(OBSERVATION_COLUMNS, of="o").replace("o.user_agent", "ua.value")

_SELECT = f"SELECT {OBSERVATION_FIELDS} FROM observations AS o LEFT JOIN user_agents AS ua ON ua.id = o.user_agent_id"
_SELECT_SEQ = _SELECT.replace("SELECT ", "SELECT o.seq, ", 1)
_INSERT = """
    INSERT INTO observations
        (id, delivery_id, kind, method, ip, user_agent_id, headers, received_at, link_index, url, checked)
    VALUES (?, ?, ?, ?, ?, (SELECT id FROM user_agents WHERE value = ?), ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO NOTHING
"""
_DUE = f"""
    {_SELECT} JOIN queue ON queue.observation_id = o.id
    WHERE queue.due_at BETWEEN ? AND ? ORDER BY queue.due_at, o.id LIMIT ?
"""
_BY_SEQ = f"{_SELECT_SEQ} WHERE o.seq IN (SELECT value FROM json_each(?)) ORDER BY o.received_at, o.id"
_QUEUE_JUDGED = {
    column: f"""
        INSERT INTO queue (observation_id, due_at)
        SELECT near.id, ? FROM (
            SELECT id FROM observations WHERE {column} = ? AND received_at BETWEEN ? AND ? ORDER BY received_at LIMIT ?
        ) AS near WHERE EXISTS (SELECT 1 FROM events WHERE events.observation_id = near.id)
        ON CONFLICT (observation_id) DO NOTHING
    """
    for column in ("delivery_id", "ip")
}


def add_observations(
    connection: sqlite3.Connection, observations: Sequence[Observation], *, settle_s: float
) -> list[Observation]:
    """Take observations in, each once, and queue them and those already judged that they may shed light on.

    :param settle_s: how long after its hit an observation is judged.
    :returns: those that were new, in the order given.
    """
    settle_micros = round(settle_s * 1_000_000)
    new = [observation for observation in observations if _add(connection, observation, settle_micros)]
    by_delivery = [(observation.delivery_id, observation) for observation in new]
    by_ip = [(observation.hit.ip, observation) for observation in new if observation.hit.ip is not None]
    _queue_judged(connection, "delivery_id", by_delivery, reach=SAME_DELIVERY_MICROS, settle_micros=settle_micros)
    _queue_judged(connection, "ip", by_ip, reach=SAME_IP_MICROS, settle_micros=settle_micros)
    return new


def get_due(connection: sqlite3.Connection, *, now: datetime, limit: int, settle_s: float | None) -> list[Observation]:
    """Return the observations that are due, those due longest first.

    :param settle_s: the settle time, by which hits from the future are told where nothing else is due; None
        leaves them.
    """
    rows = connection.execute(_DUE, (MIN_INTEGER, to_micros(now), limit)).fetchall()
    if not rows and settle_s is not None:
        latest = get_latest_micros(now, settle_s=settle_s)
        rows = connection.execute(_DUE, (latest + 1, MAX_INTEGER, limit)).fetchall()
    return [read_observation(row) for row in rows]


def get_mark(connection: sqlite3.Connection) -> int:
    """Return the number of the newest observation; 0 where there is none."""
    ((newest,),) = connection.execute("SELECT coalesce(max(seq), 0) FROM observations").fetchall()
    return int(newest)


def find_stale(connection: sqlite3.Connection, observations: Sequence[Observation], *, mark: int) -> set[bytes]:
    """Return the ids of those into whose window an observation has come since a mark."""
    newer = connection.execute("SELECT delivery_id, ip, received_at FROM observations WHERE seq > ?", (mark,))
    return find_near_newer(observations, newer)


def count_waiting(connection: sqlite3.Connection) -> int:
    """Return how many observations are in the queue."""
    ((count,),) = connection.execute("SELECT count(*) FROM queue").fetchall()
    return int(count)


def get_windows(connection: sqlite3.Connection, observations: Sequence[Observation]) -> list[Window]:
    """Return what each observation is judged by; where more lies near than fits, the nearest in time.

    Windows of one batch overlap, so what lies in several of them is read once.
    """
    nearest = [_find_nearest(connection, observation) for observation in observations]
    rows = connection.execute(_BY_SEQ, (json.dumps(sorted(set().union(*nearest))),))
    # Rows come ordered by time, and a dictionary keeps that order.
    read = {seq: read_observation(row) for seq, *row in rows}
    order = {seq: position for position, seq in enumerate(read)}
    known = {o.delivery_id: deliveries.get_delivery(connection, o.delivery_id) for o in observations}
    return [
        Window(
            delivery=known[observation.delivery_id],
            observations=tuple(read[seq] for seq in sorted(seqs, key=order.__getitem__)),
        )
        for observation, seqs in zip(observations, nearest, strict=True)
    ]


def _find_nearest(connection: sqlite3.Connection, observation: Observation) -> list[int]:
    at = to_micros(observation.hit.received_at)
    own = connection.execute("SELECT seq, received_at FROM observations WHERE id = ?", (observation.id,)).fetchall()
    near: dict[int, int] = dict([*own, *_find_near(connection, observation)])
    return pick_nearest(near, at=at, own=own[0][0] if own else None)


def _add(connection: sqlite3.Connection, observation: Observation, settle_micros: int) -> bool:
    delivery_id = observation.delivery_id
    if connection.execute("SELECT 1 FROM suppressed WHERE delivery_id = ?", (delivery_id,)).fetchone():
        return False
    row = write_observation(observation)
    user_agent = row[OBSERVATION_COLUMNS.index("user_agent")]
    if user_agent is not None:
        connection.execute("INSERT INTO user_agents (value) VALUES (?) ON CONFLICT (value) DO NOTHING", (user_agent,))
    if connection.execute(_INSERT, row).rowcount == 0:
        return False
    due_at = to_micros(observation.hit.received_at) + settle_micros
    connection.execute("INSERT INTO queue (observation_id, due_at) VALUES (?, ?)", (observation.id, due_at))
    return True


def _queue_judged(
    connection: sqlite3.Connection,
    column: str,
    observations: Iterable[tuple[object, Observation]],
    *,
    reach: int,
    settle_micros: int,
) -> None:
    """Queue what was already published and lies within reach of new observations, once for each run of them.

    Those that wait for their first verdict need nothing: they will be judged with the new ones in sight.

    :param observations: the new ones, each with its value of the column.
    """
    for value, start, end in list_runs(observations, reach=reach):
        row = (start + settle_micros, value, start - reach, end + reach, WINDOW_LIMIT)
        connection.execute(_QUEUE_JUDGED[column], row)


def _find_near(connection: sqlite3.Connection, observation: Observation) -> Iterator[tuple[int, int]]:
    """Yield number and time of the nearest rows of the same delivery and of the same IP address, some of them twice.

    Both directions of time are walked along an index and end at the limit, so that a flood costs no more than that.
    """
    at = to_micros(observation.hit.received_at)
    for column, value, reach in (
        ("delivery_id", observation.delivery_id, SAME_DELIVERY_MICROS),
        ("ip", observation.hit.ip, SAME_IP_MICROS),
    ):
        if value is None:
            continue
        select = f"SELECT seq, received_at FROM observations WHERE {column} = ? AND received_at"
        before = f"{select} BETWEEN ? AND ? ORDER BY received_at DESC LIMIT ?"
        yield from connection.execute(before, (value, at - reach, at, WINDOW_LIMIT))
        later = f"{select} > ? AND received_at <= ? ORDER BY received_at LIMIT ?"
        yield from connection.execute(later, (value, at, at + reach, WINDOW_LIMIT))
