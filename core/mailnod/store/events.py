"""Verdicts, and the events that they are published as."""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from mailnod.model import Event, EventFilter, EventRecord, EventType, Kind, Observation, Publication, Verdict
from mailnod.store import consents
from mailnod.store.deliveries import DELIVERY_FIELDS, WENT_TO
from mailnod.store.observations import OBSERVATION_FIELDS
from mailnod.store.rollups import Groups, Rollups
from mailnod.store.rows import (
    DELIVERY_VALUES,
    EVENT_COLUMNS,
    OBSERVATION_COLUMNS,
    VERDICT_COLUMNS,
    from_micros,
    list_columns,
    read_delivery,
    read_event,
    read_observation,
    read_verdict,
    to_micros,
    to_text,
    write_verdict,
)

__all__ = [
    "TYPES",
    "count_events",
    "find_events",
    "get_events",
    "get_judged",
    "get_verdicts",
    "join_conditions",
    "publish",
]

#: What a judged hit of each kind is called.
TYPES: dict[Kind, EventType] = {"open": "message.opened", "click": "message.clicked"}

_EVENT_FIELDS = f"{list_columns(EVENT_COLUMNS, of='e')}, {list_columns(VERDICT_COLUMNS, of='v')}"
_JOINS = """
    LEFT JOIN user_agents AS ua ON ua.id = o.user_agent_id
    LEFT JOIN verdicts AS v ON v.observation_id = e.observation_id AND v.seq = e.seq
    LEFT JOIN deliveries AS d ON d.id = o.delivery_id
"""
_JUDGED = f"""
    SELECT d.message_id, d.campaign, d.route, d.test, {OBSERVATION_FIELDS}, {_EVENT_FIELDS}
    FROM observations AS o LEFT JOIN events AS e ON e.observation_id = o.id {_JOINS}
    WHERE o.id = ?
"""
_RECORDS = f"""
    SELECT {OBSERVATION_FIELDS}, {_EVENT_FIELDS}, {DELIVERY_FIELDS}
    FROM events AS e JOIN observations AS o ON o.id = e.observation_id {_JOINS}
"""
_HAS_EARLIER = """
    SELECT EXISTS (
        SELECT 1 FROM events AS e JOIN verdicts AS v ON v.observation_id = e.observation_id AND v.seq = e.seq
        WHERE e.delivery_id = ? AND e.type = ? AND e.machine = ? AND (e.occurred_at, e.observation_id) < (?, ?)
        AND (v.machine OR v.counts_for_metrics))
"""
_ADD_VERDICT = f"""
    INSERT INTO verdicts (observation_id, seq, published_at, {list_columns(VERDICT_COLUMNS)})
    VALUES (?, ?, ?{", ?" * len(VERDICT_COLUMNS)})
"""
_SET_EVENT = """
    INSERT INTO events (observation_id, seq, type, delivery_id, occurred_at, machine, classification, first)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (observation_id) DO UPDATE SET
        seq = excluded.seq, machine = excluded.machine, classification = excluded.classification, first = excluded.first
"""


def publish(
    connection: sqlite3.Connection, judgements: Sequence[tuple[Observation, Verdict]], *, now: datetime
) -> list[Publication]:
    """Append verdicts, publish or revise events, and move the rollups, in the order of the hits."""
    rollups = Rollups(connection)
    ordered = sorted(judgements, key=lambda judgement: (judgement[0].hit.received_at, judgement[0].id))
    published = [_publish(connection, rollups, observation.id, verdict, now) for observation, verdict in ordered]
    rollups.write()
    connection.executemany("DELETE FROM queue WHERE observation_id = ?", [(judged.id,) for judged, _ in ordered])
    return [publication for publication in published if publication is not None]


def get_events(connection: sqlite3.Connection, filter: EventFilter) -> list[EventRecord]:
    """Return events with the facts that they were judged from, newest first."""
    where, values = join_conditions(_restrict(connection, filter))
    rows = connection.execute(
        f"{_RECORDS} WHERE {where} ORDER BY e.occurred_at DESC, e.observation_id DESC LIMIT ?",
        (*values, min(max(filter.limit, 1), 10_000)),
    )
    return [_read_record(row) for row in rows]


def get_judged(
    connection: sqlite3.Connection, filter: EventFilter, *, after: tuple[datetime, bytes] | None
) -> list[EventRecord]:
    """Return events with the facts that they were judged from, oldest first.

    :param after: time and id of the event that the page begins behind.
    """
    where, values = join_conditions(_restrict(connection, filter))
    if after is not None:
        where += " AND (e.occurred_at, e.observation_id) > (?, ?)"
        values += [to_micros(after[0]), after[1]]
    rows = connection.execute(
        f"{_RECORDS} WHERE {where} ORDER BY e.occurred_at, e.observation_id LIMIT ?",
        (*values, min(max(filter.limit, 1), 10_000)),
    )
    return [_read_record(row) for row in rows]


def find_events(connection: sqlite3.Connection, prefix: str, *, limit: int) -> list[EventRecord]:
    """Return the events whose ids begin with some hexadecimal digits, by id."""
    bounds = bytes.fromhex(prefix.ljust(32, "0")), bytes.fromhex(prefix.ljust(32, "f"))
    where = "e.observation_id BETWEEN ? AND ? ORDER BY e.observation_id LIMIT ?"
    return [_read_record(row) for row in connection.execute(f"{_RECORDS} WHERE {where}", (*bounds, limit))]


def count_events(connection: sqlite3.Connection, filter: EventFilter) -> int:
    """Return how many events there are."""
    where, values = join_conditions(_restrict(connection, filter))
    ((number,),) = connection.execute(
        f"SELECT count(*) FROM events AS e LEFT JOIN deliveries AS d ON d.id = e.delivery_id WHERE {where}", values
    ).fetchall()
    return int(number)


def get_verdicts(connection: sqlite3.Connection, observation_id: bytes) -> list[tuple[datetime, Verdict]]:
    """Return every verdict on an observation, oldest first."""
    rows = connection.execute(
        f"SELECT published_at, {list_columns(VERDICT_COLUMNS)} FROM verdicts WHERE observation_id = ? ORDER BY seq",
        (observation_id,),
    )
    return [(from_micros(published_at), read_verdict(columns)) for published_at, *columns in rows]


def _publish(
    connection: sqlite3.Connection, rollups: Rollups, observation_id: bytes, verdict: Verdict, now: datetime
) -> Publication | None:
    row = connection.execute(_JUDGED, (observation_id,)).fetchone()
    if row is None:
        # It was erased while it was judged.
        return None
    groups = Groups(message_id=row[0], campaign=row[1], route=row[2])
    observation, previous = _read_facts(row[4:])
    if previous is not None and previous.verdict == verdict:
        return None
    event = Event(
        id=observation.id,
        type=TYPES[observation.hit.kind],
        delivery_id=observation.delivery_id,
        seq=0 if previous is None else previous.seq + 1,
        verdict=verdict,
        first=_is_first(connection, observation, verdict),
        occurred_at=observation.hit.received_at,
        url=observation.hit.url,
        link_index=observation.hit.link_index,
    )
    _write(connection, event, now)
    counts = not row[3]
    if counts and (previous is None or previous.verdict.counted_as != verdict.counted_as):
        if previous is not None:
            rollups.move(previous, groups, sign=-1)
        rollups.move(event, groups, sign=1)
    return Publication(event=event, previous=previous)


def _is_first(connection: sqlite3.Connection, observation: Observation, verdict: Verdict) -> bool:
    if verdict.counted_as is None:
        return False
    type_, at = TYPES[observation.hit.kind], to_micros(observation.hit.received_at)
    row = (observation.delivery_id, type_, verdict.machine, at, observation.id)
    return not connection.execute(_HAS_EARLIER, row).fetchone()[0]


def _write(connection: sqlite3.Connection, event: Event, now: datetime) -> None:
    connection.execute(_ADD_VERDICT, (event.id, event.seq, to_micros(now), *write_verdict(event.verdict)))
    machine, classification = event.verdict.machine, event.verdict.classification.value
    occurred_at = to_micros(event.occurred_at)
    row = (event.id, event.seq, event.type, event.delivery_id, occurred_at, machine, classification, event.first)
    connection.execute(_SET_EVENT, row)


def _read_facts(row: Sequence[Any]) -> tuple[Observation, Event | None]:
    """Read an observation and, where its columns are not empty, the event that it was published as."""
    start = len(OBSERVATION_COLUMNS)
    middle = start + len(EVENT_COLUMNS)
    observation = read_observation(row[:start])
    if row[start] is None:
        return observation, None
    verdict = read_verdict(row[middle : middle + len(VERDICT_COLUMNS)])
    return observation, read_event(row[start:middle], observation=observation, verdict=verdict)


def _read_record(row: Sequence[Any]) -> EventRecord:
    observation, event = _read_facts(row)
    assert event is not None, "every row of the statement has an event"  # noqa: S101
    delivery = row[-DELIVERY_VALUES:]
    return EventRecord(
        event=event, observation=observation, delivery=None if delivery[0] is None else read_delivery(delivery)
    )


def join_conditions(conditions: Iterable[tuple[str, Sequence[Any]]]) -> tuple[str, list[Any]]:
    """Return conditions as one, with all values that are bound to it."""
    pairs = list(conditions)
    return " AND ".join(one for one, _ in pairs) or "true", [value for _, bound in pairs for value in bound]


def _restrict(connection: sqlite3.Connection, filter: EventFilter) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield a condition, with the values bound to it, for each wish of a filter."""
    equal = {
        "e.type": None if filter.kind is None else TYPES[filter.kind],
        "e.machine": filter.machine,
        "e.classification": None if filter.classification is None else filter.classification.value,
        "d.route": filter.route,
        "d.campaign": filter.campaign,
        "d.message_id": filter.message_id,
        "coalesce(d.test, 0)": filter.test,
    }
    for column, value in equal.items():
        if value is not None:
            yield f"{column} = ?", [to_text(value) if isinstance(value, str) else value]
    if filter.recipient is not None:
        yield f"e.delivery_id IN ({WENT_TO})", [consents.find_recipient(connection, filter.recipient)]
    if filter.since is not None:
        yield "e.occurred_at >= ?", [to_micros(filter.since)]
    if filter.until is not None:
        yield "e.occurred_at < ?", [to_micros(filter.until)]
    if filter.before_id is not None:
        key = "SELECT occurred_at, observation_id FROM events WHERE observation_id = ?"
        yield f"(e.occurred_at, e.observation_id) < ({key})", [filter.before_id]
