"""Verdicts, and the events that they are published as."""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from mailnod.model import Event, EventFilter, EventPage, EventRecord, Observation, Publication, Verdict
from mailnod.store.conditions import Condition, list_terms
from mailnod.store.events import TYPES
from mailnod.store.postgres.conditions import list_bounds, list_conditions
from mailnod.store.postgres.deliveries import DELIVERY_FIELDS
from mailnod.store.postgres.observations import OBSERVATION_FIELDS, OBSERVATION_JOINS
from mailnod.store.postgres.rollups import Moves
from mailnod.store.postgres.server import Connection
from mailnod.store.rollups import Groups
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
    write_verdict,
)

__all__ = [
    "count_events",
    "find_events",
    "get_events",
    "get_judged",
    "get_verdicts",
    "publish",
    "search_events",
]

_EVENT_FIELDS = f"{list_columns(EVENT_COLUMNS, of='e')}, {list_columns(VERDICT_COLUMNS, of='v')}"
_JOINS = f"""
    {OBSERVATION_JOINS}
    LEFT JOIN mailnod.verdicts AS v
        ON v.observation_id = e.observation_id AND v.seq = e.seq AND v.delivery_id = e.delivery_id
    LEFT JOIN mailnod.deliveries AS d ON d.id = o.delivery_id
"""
_JUDGED = f"""
    SELECT d.message_id, d.campaign, d.route, d.test, {OBSERVATION_FIELDS}, {_EVENT_FIELDS}
    FROM mailnod.observations AS o
    LEFT JOIN mailnod.events AS e ON e.observation_id = o.id AND e.delivery_id = o.delivery_id {_JOINS}
    WHERE o.id = ANY(%s)
"""
_SOURCE = f"""
    FROM mailnod.events AS e
    JOIN mailnod.observations AS o ON o.id = e.observation_id AND o.delivery_id = e.delivery_id {_JOINS}
"""
_RECORDS = f"SELECT {OBSERVATION_FIELDS}, {_EVENT_FIELDS}, {DELIVERY_FIELDS} {_SOURCE}"
_EARLIEST = """
    SELECT asked.delivery_id, asked.type, asked.machine, e.occurred_at, e.observation_id
    FROM unnest(%s::bytea[], %s::text[], %s::boolean[]) AS asked (delivery_id, type, machine),
    LATERAL (
        SELECT occurred_at, observation_id FROM mailnod.events AS e
        WHERE e.delivery_id = asked.delivery_id AND e.type = asked.type AND e.machine = asked.machine AND e.counted
        AND NOT e.observation_id = ANY(%s)
        ORDER BY occurred_at, observation_id LIMIT 1
    ) AS e
"""
_ADD_VERDICTS = f"""
    INSERT INTO mailnod.verdicts (observation_id, delivery_id, seq, published_at, {list_columns(VERDICT_COLUMNS)})
    VALUES (%s, %s, %s, %s{", %s" * len(VERDICT_COLUMNS)})
"""
_SET_EVENTS = """
    INSERT INTO mailnod.events
        (observation_id, delivery_id, seq, type, occurred_at, machine, counted, classification, first)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (observation_id, delivery_id) DO UPDATE SET
        seq = excluded.seq, machine = excluded.machine, counted = excluded.counted,
        classification = excluded.classification, first = excluded.first
"""
_CORRECT = """
    UPDATE mailnod.events AS e SET first = e.observation_id = head.observation_id
    FROM (
        SELECT observation_id FROM mailnod.events
        WHERE delivery_id = %(delivery)s AND type = %(type)s AND machine = %(machine)s AND counted
        ORDER BY occurred_at, observation_id LIMIT 1
    ) AS head
    WHERE e.delivery_id = %(delivery)s AND e.type = %(type)s AND e.machine = %(machine)s
        AND e.first <> (e.observation_id = head.observation_id)
"""

#: How many events one search looks at.
_LOOKED_AT = 5_000

#: What "first" is about: delivery, type of event, and whether a machine is behind it.
_Class = tuple[bytes, str, bool]


def publish(
    connection: Connection, judgements: Sequence[tuple[Observation, Verdict]], *, now: datetime
) -> list[Publication]:
    """Append verdicts, publish or revise events, and move the rollups, in the order of the hits."""
    ordered = sorted(judgements, key=lambda judgement: (judgement[0].hit.received_at, judgement[0].id))
    ids = [observation.id for observation, _ in ordered]
    if not ids:
        return []
    facts = {bytes(row[4]): row for row in connection.execute(_JUDGED.encode(), (ids,))}
    known = [(facts[observation.id], verdict) for observation, verdict in ordered if observation.id in facts]
    earliest = _find_earliest(connection, known, ids)
    moves = Moves()
    published: list[Publication] = []
    for row, verdict in known:
        groups = Groups(message_id=row[0], campaign=row[1], route=row[2])
        observation, previous = _read_facts(row[4:])
        at = observation.hit.received_at, observation.id
        class_ = observation.delivery_id, TYPES[observation.hit.kind], verdict.machine
        counts = verdict.counted_as is not None
        first = counts and at <= earliest.get(class_, at)
        if first:
            earliest[class_] = at
        if previous is not None and previous.verdict == verdict:
            continue
        event = Event(
            id=observation.id,
            type=TYPES[observation.hit.kind],
            delivery_id=observation.delivery_id,
            seq=0 if previous is None else previous.seq + 1,
            verdict=verdict,
            first=first,
            occurred_at=observation.hit.received_at,
            url=observation.hit.url,
            link_index=observation.hit.link_index,
        )
        published.append(Publication(event=event, previous=previous))
        if not row[3]:
            if previous is not None:
                moves.move(previous, groups, sign=-1)
            moves.move(event, groups, sign=1)
    _write(connection, [publication.event for publication in published], now)
    _correct_firsts(connection, published)
    moves.write(connection)
    connection.execute("DELETE FROM mailnod.queue WHERE observation_id = ANY(%s)", (ids,))
    return published


def search_events(connection: Connection, filter: EventFilter, *, key: bytes) -> EventPage:
    """Return one page of what :func:`get_events` would, looking at so many events at most.

    A filter that names messages or recipients is narrowed by their indexes, and needs no such bound.

    :param key: the key under which the store hashes addresses.
    """
    conditions = list(list_conditions(filter, key=key))
    named = any(term.field in ("message", "rcpt") and not term.negated for term in list_terms(filter))
    floor = None if named else _find_floor(connection, filter)
    if floor is not None:
        conditions.append(Condition("(e.occurred_at, e.observation_id) >= (%s, %s)", floor))
    records = tuple(_select(connection, conditions, order="DESC", limit=_cap(filter)))
    if len(records) == _cap(filter):
        return EventPage(records=records, next_id=records[-1].event.id, searched_to=None)
    if floor is None:
        return EventPage(records=records, next_id=None, searched_to=None)
    return EventPage(records=records, next_id=floor[1], searched_to=from_micros(floor[0]))


def get_events(connection: Connection, filter: EventFilter, *, key: bytes) -> list[EventRecord]:
    """Return events with the facts that they were judged from, newest first.

    :param key: the key under which the store hashes addresses.
    """
    return _select(connection, list(list_conditions(filter, key=key)), order="DESC", limit=_cap(filter))


def get_judged(
    connection: Connection, filter: EventFilter, *, after: tuple[datetime, bytes] | None, key: bytes
) -> list[EventRecord]:
    """Return events with the facts that they were judged from, oldest first.

    :param after: time and id of the event that the page begins behind.
    :param key: the key under which the store hashes addresses.
    """
    conditions = list(list_conditions(filter, key=key))
    if after is not None:
        behind = "(e.occurred_at, e.observation_id) > (%s, %s)"
        conditions.append(Condition(behind, (to_micros(after[0]), after[1])))
    return _select(connection, conditions, order="ASC", limit=_cap(filter))


def find_events(connection: Connection, prefix: str, *, limit: int) -> list[EventRecord]:
    """Return the events whose ids begin with some hexadecimal digits, by id."""
    bounds = bytes.fromhex(prefix.ljust(32, "0")), bytes.fromhex(prefix.ljust(32, "f"))
    query = f"{_RECORDS} WHERE e.observation_id BETWEEN %s AND %s ORDER BY e.observation_id LIMIT %s"
    return [_read_record(row) for row in connection.execute(query.encode(), (*bounds, limit))]


def count_events(connection: Connection, filter: EventFilter, *, key: bytes) -> int:
    """Return how many events there are.

    :param key: the key under which the store hashes addresses.
    """
    where, values = _join(list_conditions(filter, key=key))
    ((number,),) = connection.execute(f"SELECT count(*) {_SOURCE} WHERE {where}".encode(), values).fetchall()
    return int(number)


def get_verdicts(connection: Connection, observation_id: bytes) -> list[tuple[datetime, Verdict]]:
    """Return every verdict on an observation, oldest first."""
    columns = list_columns(VERDICT_COLUMNS)
    query = f"SELECT published_at, {columns} FROM mailnod.verdicts WHERE observation_id = %s ORDER BY seq"
    rows = connection.execute(query.encode(), (observation_id,))
    return [(from_micros(published_at), read_verdict(verdict)) for published_at, *verdict in rows]


def _find_earliest(
    connection: Connection, judged: Sequence[tuple[Sequence[Any], Verdict]], ids: Sequence[bytes]
) -> dict[_Class, tuple[datetime, bytes]]:
    """Return time and id of the earliest event of each class that is not judged itself now."""
    at = 4 + OBSERVATION_COLUMNS.index("delivery_id"), 4 + OBSERVATION_COLUMNS.index("kind")
    classes = {(bytes(row[at[0]]), TYPES[row[at[1]]], verdict.machine) for row, verdict in judged}
    if not classes:
        return {}
    columns = [list(column) for column in zip(*classes, strict=True)]
    rows = connection.execute(_EARLIEST, [*columns, list(ids)])
    return {(bytes(row[0]), row[1], row[2]): (from_micros(row[3]), bytes(row[4])) for row in rows}


def _write(connection: Connection, events: Sequence[Event], now: datetime) -> None:
    if not events:
        return
    cursor = connection.cursor()
    published_at = to_micros(now)
    cursor.executemany(
        _ADD_VERDICTS.encode(),
        [(event.id, event.delivery_id, event.seq, published_at, *write_verdict(event.verdict)) for event in events],
    )
    cursor.executemany(
        _SET_EVENTS,
        [
            (
                event.id,
                event.delivery_id,
                event.seq,
                event.type,
                to_micros(event.occurred_at),
                event.verdict.machine,
                event.verdict.counted_as is not None,
                event.verdict.classification.value,
                event.first,
            )
            for event in events
        ],
    )


def _correct_firsts(connection: Connection, published: Sequence[Publication]) -> None:
    """Mark what is the first where a first event came before others, or became something else."""
    events = [event for one in published for event in (one.event, one.previous) if event is not None and event.first]
    classes: set[_Class] = {(event.delivery_id, event.type, event.verdict.machine) for event in events}
    for delivery, type_, machine in sorted(classes):
        connection.execute(_CORRECT.encode(), {"delivery": delivery, "type": type_, "machine": machine})


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


def _find_floor(connection: Connection, filter: EventFilter) -> tuple[int, bytes] | None:
    """Return time and id of the last event that one search looks at; None where there are no more than that."""
    where, values = _join(list_bounds(filter))
    query = f"""
        SELECT e.occurred_at, e.observation_id FROM mailnod.events AS e WHERE {where}
        ORDER BY e.occurred_at DESC, e.observation_id DESC OFFSET {_LOOKED_AT - 1} LIMIT 1
    """
    row = connection.execute(query.encode(), values).fetchone()
    return None if row is None else (row[0], bytes(row[1]))


def _select(connection: Connection, conditions: Sequence[Condition], *, order: str, limit: int) -> list[EventRecord]:
    where, values = _join(conditions)
    query = f"{_RECORDS} WHERE {where} ORDER BY e.occurred_at {order}, e.observation_id {order} LIMIT %s"
    return [_read_record(row) for row in connection.execute(query.encode(), (*values, limit))]


def _join(conditions: Iterable[Condition]) -> tuple[str, list[object]]:
    """Return conditions as one, with all values that are bound to it."""
    found = list(conditions)
    where = " AND ".join(f"({condition.sql})" for condition in found) or "true"
    return where, [value for condition in found for value in condition.values]


def _cap(filter: EventFilter) -> int:
    return min(max(filter.limit, 1), 10_000)
