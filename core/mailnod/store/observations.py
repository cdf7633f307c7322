"""Raw observations, the queue of those that wait for a verdict, and what lies near each of them."""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from mailnod.model import Hit, Kind, Observation, Window
from mailnod.store import deliveries, slots
from mailnod.store.consents import get_key
from mailnod.store.names import intern_features, intern_raw, intern_text
from mailnod.store.rollups import name_link
from mailnod.store.rows import OBSERVATION_COLUMNS, from_micros, to_micros, to_text, write_observation
from mailnod.store.traces import hash_ip, make_traces
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
    "KINDS",
    "OBSERVATION_FIELDS",
    "OBSERVATION_JOINS",
    "OBSERVATION_WIDTH",
    "add_observations",
    "compose",
    "count_waiting",
    "find_slot",
    "find_stale",
    "get_due",
    "get_mark",
    "get_windows",
]

#: The kinds of hits by their number.
KINDS: tuple[Kind, ...] = ("open", "click")

#: What :func:`compose` reads, of a row of observations ``o`` joined by :data:`OBSERVATION_JOINS`.
OBSERVATION_FIELDS = """
    o.slot, o.id, coalesce(d.id, o.delivery), o.kind, o.method, o.checked, o.link_index, l.value, o.rest,
    s.ip, ua.value, hs.value
"""
OBSERVATION_WIDTH = 12
OBSERVATION_JOINS = """
    LEFT JOIN deliveries AS d ON d.seq = o.delivery
    LEFT JOIN links AS l ON l.id = o.link_id
    LEFT JOIN signals AS s ON s.slot = o.slot
    LEFT JOIN user_agents AS ua ON ua.id = s.user_agent_id
    LEFT JOIN header_sets AS hs ON hs.id = s.headers_id
"""

#: So many of the last arrivals are known by the order in which they came; verdicts on older windows are not published.
_ARRIVALS = 20_000

_FIND_BY_TIME = "SELECT slot FROM observations WHERE slot BETWEEN ? AND ? AND id = ?"
_FIND_WHOLE = "SELECT slot FROM observations WHERE id = ? AND typeof(id) = 'blob'"
_INSERT = """
    INSERT INTO observations
        (slot, id, delivery, kind, method, checked, link_index, link_id, rest, ip_hash, features_id)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_DUE = f"""
    SELECT {OBSERVATION_FIELDS} FROM queue CROSS JOIN observations AS o ON o.slot = queue.slot {OBSERVATION_JOINS}
    WHERE queue.due_at BETWEEN ? AND ? ORDER BY queue.due_at, queue.slot LIMIT ?
"""
_BY_SLOT = f"""
    SELECT {OBSERVATION_FIELDS} FROM observations AS o {OBSERVATION_JOINS}
    WHERE o.slot IN (SELECT value FROM json_each(?)) ORDER BY o.slot
"""
_NEWER = """
    SELECT coalesce(d.id, o.delivery), s.ip, o.slot
    FROM arrivals JOIN observations AS o USING (slot) LEFT JOIN signals AS s USING (slot)
    LEFT JOIN deliveries AS d ON d.seq = o.delivery
    WHERE arrivals.seq > ?
"""
#: Where rows lie near each other: those of one delivery, and those of one address.
_NEAR = {"delivery": "observations WHERE delivery = ? AND slot", "ip": "signals WHERE ip_hash = ? AND slot"}
_QUEUE_JUDGED = {
    column: f"""
        INSERT INTO queue (slot, due_at)
        SELECT near.slot, ? FROM (SELECT slot FROM {near} BETWEEN ? AND ? ORDER BY slot LIMIT ?) AS near
        WHERE EXISTS (SELECT 1 FROM events WHERE events.slot = near.slot)
        ON CONFLICT (slot) DO NOTHING
    """
    for column, near in _NEAR.items()
}


def add_observations(
    connection: sqlite3.Connection, observations: Sequence[Observation], *, settle_s: float
) -> list[Observation]:
    """Take observations in, each once, and queue them and those already judged that they may shed light on.

    :param settle_s: how long after its hit an observation is judged.
    :returns: those that were new, in the order given.
    """
    settle_micros = round(settle_s * 1_000_000)
    key = get_key(connection)
    new = [observation for observation in observations if _add(connection, observation, settle_micros, key)]
    _forget_arrivals(connection)
    by_delivery = [(_refer(connection, observation.delivery_id), observation) for observation in new]
    by_ip = [(_hash_ip(o, key), o) for o in new if o.hit.ip is not None]
    _queue_judged(connection, "delivery", by_delivery, reach=SAME_DELIVERY_MICROS, settle_micros=settle_micros)
    _queue_judged(connection, "ip", by_ip, reach=SAME_IP_MICROS, settle_micros=settle_micros)
    return new


def find_slot(connection: sqlite3.Connection, id: bytes) -> int | None:
    """Return the slot of an observation; None where it is not known."""
    micros = slots.read_micros(id)
    found = None
    if micros is not None:
        half = slots.split_id(id, slots.to_slot(micros))
        found = connection.execute(_FIND_BY_TIME, (*slots.get_range(micros), half)).fetchone()
    found = found or connection.execute(_FIND_WHOLE, (id,)).fetchone()
    return None if found is None else int(found[0])


def get_due(connection: sqlite3.Connection, *, now: datetime, limit: int, settle_s: float | None) -> list[Observation]:
    """Return the observations that are due, those due longest first.

    :param settle_s: the settle time, by which hits from the future are told where nothing else is due; None
        leaves them.
    """
    rows = connection.execute(_DUE, (MIN_INTEGER, to_micros(now), limit)).fetchall()
    if not rows and settle_s is not None:
        latest = get_latest_micros(now, settle_s=settle_s)
        rows = connection.execute(_DUE, (latest + 1, MAX_INTEGER, limit)).fetchall()
    return [compose(row) for row in rows]


def get_mark(connection: sqlite3.Connection) -> int:
    """Return the number of the newest observation; 0 where there is none."""
    ((newest,),) = connection.execute("SELECT coalesce(max(seq), 0) FROM arrivals").fetchall()
    return int(newest)


def find_stale(connection: sqlite3.Connection, observations: Sequence[Observation], *, mark: int) -> set[bytes]:
    """Return the ids of those into whose window an observation has come since a mark.

    Behind a mark that is too old to tell, all are stale.
    """
    ((oldest,),) = connection.execute("SELECT min(seq) FROM arrivals").fetchall()
    if oldest is not None and oldest > mark + 1:
        return {observation.id for observation in observations}
    newer = connection.execute(_NEWER, (mark,))
    return find_near_newer(observations, [(delivery, ip, slots.get_micros(slot)) for delivery, ip, slot in newer])


def count_waiting(connection: sqlite3.Connection) -> int:
    """Return how many observations are in the queue."""
    ((count,),) = connection.execute("SELECT count(*) FROM queue").fetchall()
    return int(count)


def get_windows(connection: sqlite3.Connection, observations: Sequence[Observation]) -> list[Window]:
    """Return what each observation is judged by; where more lies near than fits, the nearest in time.

    Windows of one batch overlap, so what lies in several of them is read once.
    """
    nearest = [_find_nearest(connection, observation) for observation in observations]
    rows = connection.execute(_BY_SLOT, (json.dumps(sorted(set().union(*nearest))),))
    read = {row[0]: compose(row) for row in rows}
    known = {o.delivery_id: deliveries.get_delivery(connection, o.delivery_id) for o in observations}
    return [
        Window(delivery=known[observation.delivery_id], observations=tuple(read[slot] for slot in sorted(near)))
        for observation, near in zip(observations, nearest, strict=True)
    ]


def compose(row: Sequence[Any]) -> Observation:
    """Return the observation of a row whose first columns are :data:`OBSERVATION_FIELDS`."""
    slot, kept, delivery_id, kind, method, checked, link_index, link, rest, *signals = row[:OBSERVATION_WIDTH]
    ip, user_agent, headers = signals
    hit = Hit(
        kind=KINDS[kind],
        method="GET" if method is None else method,
        ip=ip,
        user_agent=user_agent,
        headers=None if headers is None else json.loads(headers),
        received_at=from_micros(slots.get_micros(slot)),
        link_index=link_index,
        url=None if link is None else link + (rest or ""),
    )
    return Observation(id=slots.join_id(kept, slot), hit=hit, delivery_id=delivery_id, checked=bool(checked))


def _find_nearest(connection: sqlite3.Connection, observation: Observation) -> list[int]:
    own = find_slot(connection, observation.id)
    near = {*_find_near(connection, observation), *([] if own is None else [own])}
    at = to_micros(observation.hit.received_at)
    return pick_nearest({slot: slots.get_micros(slot) for slot in near}, at=at, own=own)


def _refer(connection: sqlite3.Connection, delivery_id: bytes) -> int | bytes:
    """Return what observations call a delivery: its number, or its id where it is not known."""
    found = connection.execute("SELECT seq FROM deliveries WHERE id = ?", (delivery_id,)).fetchone()
    return delivery_id if found is None else int(found[0])


def _add(connection: sqlite3.Connection, observation: Observation, settle_micros: int, key: bytes) -> bool:
    delivery_id, hit = observation.delivery_id, observation.hit
    if connection.execute("SELECT 1 FROM suppressed WHERE delivery_id = ?", (delivery_id,)).fetchone():
        return False
    if find_slot(connection, observation.id) is not None:
        return False
    slot = _take_slot(connection, to_micros(hit.received_at))
    url = None if hit.url is None else to_text(hit.url)
    link = None if url is None else name_link(url)
    # Traces are there from the beginning, so that a row does not grow, and its page does not break, when signals go.
    traces = make_traces(hit, key=key)
    row = (
        slot,
        slots.split_id(observation.id, slot),
        _refer(connection, delivery_id),
        KINDS.index(hit.kind),
        None if hit.method == "GET" else to_text(hit.method),
        observation.checked,
        hit.link_index,
        None if link is None else intern_text(connection, "links", link),
        None if url is None or link is None else url[len(link) :] or None,
        traces.ip_hash,
        intern_features(connection, traces),
    )
    connection.execute(_INSERT, row)
    _add_signals(connection, slot, observation, key)
    due_at = to_micros(hit.received_at) + settle_micros
    connection.execute("INSERT INTO queue (slot, due_at) VALUES (?, ?)", (slot, due_at))
    connection.execute("INSERT INTO arrivals (slot) VALUES (?)", (slot,))
    return True


def _take_slot(connection: sqlite3.Connection, micros: int) -> int:
    """Return the first free slot of a microsecond, or of the next one where a stopped clock has filled it."""
    while True:
        first, last = slots.get_range(micros)
        newest = "SELECT max(slot) FROM observations WHERE slot BETWEEN ? AND ?"
        ((taken,),) = connection.execute(newest, (first, last)).fetchall()
        if taken is None:
            return first
        if taken < last:
            return int(taken) + 1
        micros += 1


def _hash_ip(observation: Observation, key: bytes) -> bytes | None:
    ip = observation.hit.ip
    return None if ip is None else hash_ip(to_text(ip), key=key)


def _add_signals(connection: sqlite3.Connection, slot: int, observation: Observation, key: bytes) -> None:
    """Keep what came with a hit besides itself; captured headers and user agents are few, so each is kept once."""
    row = dict(zip(OBSERVATION_COLUMNS, write_observation(observation), strict=True))
    ip, user_agent, headers = row["ip"], row["user_agent"], row["headers"]
    if ip is None and user_agent is None and headers is None:
        return
    connection.execute(
        "INSERT INTO signals (slot, ip, ip_hash, user_agent_id, headers_id) VALUES (?, ?, ?, ?, ?)",
        (
            slot,
            ip,
            _hash_ip(observation, key),
            None if user_agent is None else intern_raw(connection, "user_agents", user_agent, key=key),
            None if headers is None else intern_raw(connection, "header_sets", headers, key=key),
        ),
    )


def _forget_arrivals(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM arrivals WHERE seq <= (SELECT max(seq) FROM arrivals) - ?", (_ARRIVALS,))


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
        first, last = slots.to_slot(start - reach), slots.get_range(end + reach)[1]
        connection.execute(_QUEUE_JUDGED[column], (start + settle_micros, value, first, last, WINDOW_LIMIT))


def _find_near(connection: sqlite3.Connection, observation: Observation) -> Iterator[int]:
    """Yield the slots nearest in time of the same delivery and of the same IP address, some of them twice.

    Both directions of time are walked along an index and end at the limit, so that a flood costs no more than that.
    """
    at = to_micros(observation.hit.received_at)
    here = slots.to_slot(at)
    for column, value, reach in (
        ("delivery", _refer(connection, observation.delivery_id), SAME_DELIVERY_MICROS),
        ("ip", _hash_ip(observation, get_key(connection)), SAME_IP_MICROS),
    ):
        if value is None:
            continue
        earliest, latest = slots.to_slot(at - reach), slots.get_range(at + reach)[1]
        before = f"SELECT slot FROM {_NEAR[column]} BETWEEN ? AND ? ORDER BY slot DESC LIMIT ?"
        later = f"SELECT slot FROM {_NEAR[column]} BETWEEN ? AND ? ORDER BY slot LIMIT ?"
        for statement, start, end in ((before, earliest, here - 1), (later, here, latest)):
            for (slot,) in connection.execute(statement, (value, start, end, WINDOW_LIMIT)):
                yield slot
