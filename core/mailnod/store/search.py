"""How a filter becomes statements that look at a bounded number of rows."""

# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from mailnod.model import EventFilter, EventPage, EventRecord, Term
from mailnod.store import slots
from mailnod.store.conditions import (
    Condition,
    Narrowing,
    find_deliveries,
    find_links,
    find_mailings,
    list_conditions,
    list_terms,
)
from mailnod.store.events import get_records
from mailnod.store.observations import find_slot
from mailnod.store.rows import from_micros, to_micros

__all__ = ["count_events", "get_events", "get_judged", "search_events"]

#: So many rows are looked at for one page, which takes some milliseconds.
EFFORT = 1_200
#: A row costs so many times as much where texts are put together to look through them, or recipients are looked up.
_COSTS = {"text": 5, "rcpt": 2}

#: What a run of events needs where nothing else of them is asked for.
_BARE = {"e": "FROM events AS e", "o": "FROM observations AS o CROSS JOIN events AS e ON e.slot = o.slot"}

_SOURCES = {
    "e": "FROM events AS e CROSS JOIN observations AS o ON o.slot = e.slot",
    "o": "FROM observations AS o CROSS JOIN events AS e ON e.slot = o.slot",
}
_JOINS = """
    CROSS JOIN verdicts AS v ON v.id = e.verdict_id
    LEFT JOIN deliveries AS d ON d.seq = o.delivery
    LEFT JOIN mailings AS m ON m.id = d.mailing_id
    LEFT JOIN links AS l ON l.id = o.link_id
"""
#: The columns that an index narrows a filter by, the sharpest first.
_NARROWINGS: dict[str, Callable[[sqlite3.Connection, EventFilter], Narrowing | None]] = {
    "o.delivery": find_deliveries,
    "o.link_id": find_links,
    "e.mailing_id": find_mailings,
}


@dataclass(frozen=True, slots=True)
class _Arm:
    """One run of rows that lie in the order of their slots: all events, or those that an index keeps together."""

    #: The table that it is a run of: events ``e`` or observations ``o``.
    table: str = "e"
    #: What keeps it together, with the value that is bound to it.
    where: str = "TRUE"
    value: tuple[object, ...] = ()


def search_events(connection: sqlite3.Connection, filter: EventFilter) -> EventPage:
    """Return the newest events that a filter lets through, as far as the effort for one page goes."""
    limit = min(max(filter.limit, 1), 10_000)
    low, high = _get_bounds(connection, filter)
    arms, known = _choose_arms(connection, filter)
    conditions = list_conditions(connection, filter, known=known)
    cost = max((_COSTS.get(term.field, 1) for term in list_terms(filter) if term not in known), default=1)
    share = max(EFFORT // cost // max(len(arms), 1), limit)
    found: list[int] = []
    floor: int | None = None
    for arm in arms:
        slots_, end = _walk(connection, arm, conditions, low=low, high=high, limit=limit, share=share)
        found += slots_
        if end is not None:
            floor = end if floor is None else max(floor, end)
    # Below the floor an arm may hold events that were not looked at.
    page = sorted((slot for slot in found if floor is None or slot >= floor), reverse=True)[:limit]
    records = tuple(get_records(connection, page))
    if len(page) == limit:
        return EventPage(records=records, next_id=records[-1].event.id, searched_to=None)
    if floor is None:
        return EventPage(records=records, next_id=None, searched_to=None)
    ((kept,),) = connection.execute("SELECT id FROM observations WHERE slot = ?", (floor,)).fetchall()
    return EventPage(
        records=records,
        next_id=slots.join_id(kept, floor),
        searched_to=from_micros(slots.get_micros(floor)),
    )


def get_events(connection: sqlite3.Connection, filter: EventFilter) -> list[EventRecord]:
    """Return all that a filter lets through, up to its limit, whatever the effort."""
    found: list[EventRecord] = []
    limit = min(max(filter.limit, 1), 10_000)
    rest = filter
    while True:
        page = search_events(connection, replace(rest, limit=limit - len(found)))
        found += page.records
        if page.next_id is None or len(found) >= limit:
            return found
        rest = replace(rest, before_id=page.next_id)


def get_judged(
    connection: sqlite3.Connection, filter: EventFilter, *, after: tuple[datetime, bytes] | None
) -> list[EventRecord]:
    """Return what a filter lets through, oldest first.

    :param after: time and id of the event that the page begins behind.
    """
    low, high = _get_bounds(connection, filter)
    if after is not None:
        last = find_slot(connection, after[1])
        low = max(low, (slots.get_range(to_micros(after[0]))[1] if last is None else last) + 1)
    match, values = _join(list_conditions(connection, filter))
    rows = connection.execute(
        f"SELECT e.slot {_SOURCES['e']} {_JOINS} WHERE e.slot BETWEEN ? AND ? AND {match} ORDER BY e.slot LIMIT ?",
        (low, high, *values, min(max(filter.limit, 1), 10_000)),
    )
    return get_records(connection, [slot for (slot,) in rows])[::-1]


def count_events(connection: sqlite3.Connection, filter: EventFilter) -> int:
    """Return how many events a filter lets through."""
    match, values = _join(list_conditions(connection, filter))
    ((number,),) = connection.execute(
        f"SELECT count(*) {_SOURCES['e']} {_JOINS} WHERE e.slot BETWEEN ? AND ? AND {match}",
        (*_get_bounds(connection, filter), *values),
    ).fetchall()
    return int(number)


def _join(conditions: Sequence[Condition]) -> tuple[str, list[object]]:
    """Return conditions as one, with all values that are bound to it."""
    match = " AND ".join(condition.sql for condition in conditions) or "TRUE"
    return match, [value for condition in conditions for value in condition.values]


def _walk(
    connection: sqlite3.Connection,
    arm: _Arm,
    conditions: Sequence[Condition],
    *,
    low: int,
    high: int,
    limit: int,
    share: int,
) -> tuple[list[int], int | None]:
    """Return the newest slots of an arm that match, and the last one that was looked at where there may be more."""
    # The conditions are a column, and not where rows are restricted, so that the limit bounds what is looked at.
    match, values = _join(conditions)
    source = f"{_SOURCES[arm.table]} {_JOINS}" if conditions else _BARE[arm.table]
    slot_ = f"{arm.table}.slot"
    rows = connection.execute(
        f"SELECT e.slot, {match} {source} WHERE {arm.where} AND {slot_} BETWEEN ? AND ? ORDER BY {slot_} DESC LIMIT ?",
        (*values, *arm.value, low, high, share),
    )
    found: list[int] = []
    looked_at = 0
    slot = None
    for slot, matches in rows:
        looked_at += 1
        if matches:
            found.append(slot)
            if len(found) == limit:
                # The cursor is done with: statements that stay open hold up the end of the transaction.
                rows.close()
                return found, slot
    return found, slot if looked_at == share else None


def _choose_arms(connection: sqlite3.Connection, filter: EventFilter) -> tuple[list[_Arm], Collection[Term]]:
    """Return the runs of rows that hold all that a filter can let through, and the terms that hold of all of them."""
    for column, find in _NARROWINGS.items():
        narrowing = find(connection, filter)
        if narrowing is not None:
            keys, known = narrowing
            return [_Arm(column[0], f"{column} = ?", (key,)) for key in keys], known
    return [_Arm()], ()


def _get_bounds(connection: sqlite3.Connection, filter: EventFilter) -> tuple[int, int]:
    """Return the first and the last slot that a filter lets through."""
    low, high = -(2**63), 2**63 - 1
    if filter.since is not None:
        low = slots.to_slot(to_micros(filter.since))
    if filter.until is not None:
        high = slots.to_slot(to_micros(filter.until)) - 1
    if filter.before_id is not None:
        before = find_slot(connection, filter.before_id)
        micros = slots.read_micros(filter.before_id)
        if before is None and micros is not None:
            # It has moved to an archive since, and its id says when it was.
            before = slots.to_slot(micros)
        high = low if before is None else min(high, before - 1)
    return low, high
