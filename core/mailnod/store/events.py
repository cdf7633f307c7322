"""Events as they are read: with their latest verdict, and with the facts that they were judged from."""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from mailnod.model import Event, EventRecord, EventType, Kind, Observation, Verdict
from mailnod.store import slots
from mailnod.store.deliveries import DELIVERY_FIELDS, DELIVERY_JOINS
from mailnod.store.observations import OBSERVATION_FIELDS, OBSERVATION_JOINS, OBSERVATION_WIDTH, compose, find_slot
from mailnod.store.rows import VERDICT_COLUMNS, from_micros, list_columns, read_delivery, read_event, read_verdict

__all__ = [
    "JUDGED_FIELDS",
    "JUDGED_JOINS",
    "JUDGED_WIDTH",
    "TYPES",
    "find_events",
    "get_records",
    "get_verdicts",
    "read_judged",
]

#: What an event is called by the kind of its hit.
TYPES: dict[Kind, EventType] = {"open": "message.opened", "click": "message.clicked"}

#: What :func:`read_judged` reads, of a row of observations ``o`` and events ``e`` joined by :data:`JUDGED_JOINS`.
JUDGED_FIELDS = f"{OBSERVATION_FIELDS}, e.revision, e.first, {list_columns(VERDICT_COLUMNS, of='v')}"
JUDGED_JOINS = f"{OBSERVATION_JOINS} LEFT JOIN verdicts AS v ON v.id = e.verdict_id"
JUDGED_WIDTH = OBSERVATION_WIDTH + 2 + len(VERDICT_COLUMNS)

_RECORDS = f"""
    SELECT {JUDGED_FIELDS}, {DELIVERY_FIELDS}
    FROM events AS e CROSS JOIN observations AS o ON o.slot = e.slot {JUDGED_JOINS} {DELIVERY_JOINS}
    WHERE e.slot IN (SELECT value FROM json_each(?)) ORDER BY e.slot DESC
"""
_BY_WHOLE_ID = """
    SELECT slot FROM observations JOIN events USING (slot)
    WHERE typeof(id) = 'blob' AND id BETWEEN ? AND ? ORDER BY id LIMIT ?
"""
_BY_TIME = """
    SELECT slot, id FROM observations JOIN events USING (slot)
    WHERE typeof(id) = 'integer' AND slot BETWEEN ? AND ? ORDER BY slot
"""
_HISTORY = f"""
    SELECT delay, {list_columns(VERDICT_COLUMNS, of="v")} FROM (
        SELECT revision, verdict_id, delay FROM revised WHERE slot = ?
        UNION ALL SELECT revision, verdict_id, delay FROM events WHERE slot = ?
    ) AS h JOIN verdicts AS v ON v.id = h.verdict_id ORDER BY h.revision
"""


def get_records(connection: sqlite3.Connection, found: Iterable[int]) -> list[EventRecord]:
    """Return the events in some slots with the facts that they were judged from, newest first."""
    return [_read_record(row) for row in connection.execute(_RECORDS, (json.dumps(list(found)),))]


def find_events(connection: sqlite3.Connection, prefix: str, *, limit: int) -> list[EventRecord]:
    """Return the events whose ids begin with some hexadecimal digits, by id."""
    low, high = bytes.fromhex(prefix.ljust(32, "0")), bytes.fromhex(prefix.ljust(32, "f"))
    # Ids of which only half is kept begin with the milliseconds of their slots.
    first, last = (int.from_bytes(bound[:6], "big") * 1000 for bound in (low, high))
    bounds = slots.to_slot(first), slots.get_range(last + 999)[1]
    found = [slot for (slot,) in connection.execute(_BY_WHOLE_ID, (low, high, limit))]
    halves: list[int] = []
    for slot, kept in connection.execute(_BY_TIME, bounds):
        if slots.join_id(kept, slot).hex().startswith(prefix):
            halves.append(slot)
        if len(halves) == limit:
            break
    records = get_records(connection, [*found, *halves])
    return sorted(records, key=lambda record: record.event.id)[:limit]


def get_verdicts(connection: sqlite3.Connection, observation_id: bytes) -> list[tuple[datetime, Verdict]]:
    """Return every verdict on an observation, oldest first."""
    slot = find_slot(connection, observation_id)
    if slot is None:
        return []
    rows = connection.execute(_HISTORY, (slot, slot))
    return [(from_micros(slots.get_micros(slot) + delay * 1000), read_verdict(columns)) for delay, *columns in rows]


def read_judged(row: Sequence[Any]) -> tuple[Observation, Event | None]:
    """Read an observation and, where it was judged, the event that it was published as."""
    observation = compose(row)
    seq, first = row[OBSERVATION_WIDTH : OBSERVATION_WIDTH + 2]
    if seq is None:
        return observation, None
    verdict = read_verdict(row[OBSERVATION_WIDTH + 2 : JUDGED_WIDTH])
    columns = (TYPES[observation.hit.kind], seq, first)
    return observation, read_event(columns, observation=observation, verdict=verdict)


def _read_record(row: Sequence[Any]) -> EventRecord:
    observation, event = read_judged(row)
    assert event is not None, "every row of the statement has an event"  # noqa: S101
    delivery = row[JUDGED_WIDTH:]
    return EventRecord(
        event=event, observation=observation, delivery=None if delivery[0] is None else read_delivery(delivery)
    )
