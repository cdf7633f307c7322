"""Raw observations, the queue of those that wait for a verdict, and what lies near each of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from mailnod.model import Observation, Window
from mailnod.store import deliveries
from mailnod.store.rows import OBSERVATION_COLUMNS, list_columns, read_observation, to_micros, write_observation

__all__ = ["OBSERVATION_FIELDS", "add_observations", "get_due", "get_window"]

#: What :func:`~mailnod.store.rows.read_observation` reads, of rows of observations ``o`` and user_agents ``ua``.
OBSERVATION_FIELDS = list_columns(OBSERVATION_COLUMNS, of="o").replace("o.user_agent", "ua.value")

_SAME_DELIVERY_MICROS = 10 * 60 * 1_000_000
_SAME_IP_MICROS = 60 * 1_000_000
_WINDOW_LIMIT = 1_000

_FROM = "FROM observations AS o LEFT JOIN user_agents AS ua ON ua.id = o.user_agent_id"
_INSERT = """
    INSERT INTO observations
        (id, delivery_id, kind, method, ip, user_agent_id, headers, received_at, link_index, url, checked)
    VALUES (?, ?, ?, ?, ?, (SELECT id FROM user_agents WHERE value = ?), ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO NOTHING
"""
_DUE = f"""
    SELECT {OBSERVATION_FIELDS} {_FROM} JOIN queue ON queue.observation_id = o.id
    WHERE queue.due_at <= ? ORDER BY queue.due_at, o.id LIMIT ?
"""
_QUEUE = "INSERT INTO queue (observation_id, due_at) VALUES (?, ?) ON CONFLICT (observation_id) DO NOTHING"


def add_observations(
    connection: sqlite3.Connection, observations: Sequence[Observation], *, settle_s: float
) -> list[Observation]:
    """Take observations in, each once, and queue them and those already judged that they may shed light on.

    :param settle_s: how long after its hit an observation is judged.
    :returns: those that were new, in the order given.
    """
    settle_micros = round(settle_s * 1_000_000)
    return [observation for observation in observations if _add(connection, observation, settle_micros)]


def get_due(connection: sqlite3.Connection, *, now: datetime, limit: int) -> list[Observation]:
    """Return the observations that are due, those due longest first."""
    return [read_observation(row) for row in connection.execute(_DUE, (to_micros(now), limit))]


def get_window(connection: sqlite3.Connection, observation: Observation) -> Window:
    """Return what an observation is judged by; where more lies near than fits, the nearest in time."""
    at = to_micros(observation.hit.received_at)
    near = {row[0]: row for row in _find_near(connection, OBSERVATION_FIELDS, observation)}
    # Its own row comes first: a thousand others of the same microsecond must not push it out.
    received_at = OBSERVATION_COLUMNS.index("received_at")
    nearest = sorted(near.values(), key=lambda row: (row[0] != observation.id, abs(row[received_at] - at), row[0]))
    kept = sorted(nearest[:_WINDOW_LIMIT], key=lambda row: (row[received_at], row[0]))
    return Window(
        delivery=deliveries.get_delivery(connection, observation.delivery_id),
        observations=tuple(read_observation(row) for row in kept),
    )


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
    connection.execute(_QUEUE, (observation.id, due_at))
    fields = "o.id, EXISTS (SELECT 1 FROM events WHERE events.observation_id = o.id)"
    judged = {(id_, due_at) for id_, published in _find_near(connection, fields, observation) if published}
    connection.executemany(_QUEUE, judged)
    return True


def _find_near(connection: sqlite3.Connection, fields: str, observation: Observation) -> Iterator[tuple[Any, ...]]:
    """Yield rows of the same delivery and of the same IP address, the nearest of each, some of them twice.

    Both directions of time are walked along an index and end at the limit, so that a flood costs no more than that.
    """
    at = to_micros(observation.hit.received_at)
    yield from connection.execute(f"SELECT {fields} {_FROM} WHERE o.id = ?", (observation.id,))
    for column, value, reach in (
        ("delivery_id", observation.delivery_id, _SAME_DELIVERY_MICROS),
        ("ip", observation.hit.ip, _SAME_IP_MICROS),
    ):
        if value is None:
            continue
        select = f"SELECT {fields} {_FROM} WHERE o.{column} = ? AND o.received_at"
        yield from connection.execute(
            f"{select} BETWEEN ? AND ? ORDER BY o.received_at DESC LIMIT ?", (value, at - reach, at, _WINDOW_LIMIT)
        )
        yield from connection.execute(
            f"{select} > ? AND o.received_at <= ? ORDER BY o.received_at LIMIT ?",
            (value, at, at + reach, _WINDOW_LIMIT),
        )
