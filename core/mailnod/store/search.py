"""How a filter becomes statements that look at a bounded number of rows."""

# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from mailnod.model import EventFilter, EventPage, EventRecord
from mailnod.store import slots
from mailnod.store.arms import Arm, choose_arms, get_bounds, join_conditions, join_tables
from mailnod.store.conditions import (
    Condition,
    list_conditions,
    list_terms,
)
from mailnod.store.events import get_records
from mailnod.store.observations import find_slot
from mailnod.store.rows import from_micros, to_micros

__all__ = ["count_events", "get_events", "get_judged", "search_events"]

#: So many rows are looked at for one page, which takes some milliseconds.
EFFORT = 1_200
#: A row costs so many times as much where texts are put together to look through them, or where rows are looked up that
#: lie all over the store.
_COSTS = {"text": 5, "subject": 4, "rcpt": 2}
#: So many rows of each arm are looked at whatever they cost: hardly any mail has more.
_LEAST = 5


def search_events(connection: sqlite3.Connection, filter: EventFilter) -> EventPage:
    """Return the newest events that a filter lets through, as far as the effort for one page goes."""
    limit = min(max(filter.limit, 1), 10_000)
    low, high = get_bounds(connection, filter)
    arms, known = choose_arms(connection, filter)
    conditions = list_conditions(connection, filter, known=known)
    cost = max((_COSTS.get(term.field, 1) for term in list_terms(filter) if term not in known), default=1)
    effort = max(EFFORT // cost, limit)
    # Half of the effort is for all arms alike, because none is of use further down than another was looked at. The rest
    # and what an arm leaves are for whichever comes next: how far one came bounds those after it.
    even = max(effort // 2 // max(len(arms), 1), _LEAST)
    spare = max(effort - even * len(arms), 0)
    found: list[int] = []
    floor: int | None = None
    for arm in arms:
        share = even + spare
        above = low if floor is None else floor + 1
        slots_, end, looked_at = _walk(connection, arm, conditions, low=above, high=high, limit=limit, share=share)
        spare = share - looked_at
        found += slots_
        floor = floor if end is None else end
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
    low, high = get_bounds(connection, filter)
    if after is not None:
        last = find_slot(connection, after[1])
        low = max(low, (slots.get_range(to_micros(after[0]))[1] if last is None else last) + 1)
    match, values = join_conditions(list_conditions(connection, filter))
    rows = connection.execute(
        f"SELECT e.slot {join_tables('e', match)} WHERE e.slot BETWEEN ? AND ? AND {match} ORDER BY e.slot LIMIT ?",
        (low, high, *values, min(max(filter.limit, 1), 10_000)),
    )
    return get_records(connection, [slot for (slot,) in rows])[::-1]


def count_events(connection: sqlite3.Connection, filter: EventFilter) -> int:
    """Return how many events a filter lets through."""
    match, values = join_conditions(list_conditions(connection, filter))
    ((number,),) = connection.execute(
        f"SELECT count(*) {join_tables('e', match)} WHERE e.slot BETWEEN ? AND ? AND {match}",
        (*get_bounds(connection, filter), *values),
    ).fetchall()
    return int(number)


def _walk(
    connection: sqlite3.Connection,
    arm: Arm,
    conditions: Sequence[Condition],
    *,
    low: int,
    high: int,
    limit: int,
    share: int,
) -> tuple[list[int], int | None, int]:
    """Return the newest slots of an arm that match, how far it was looked through, and how many rows that took.

    How far: the last slot that was looked at, where there may be more below; None where nothing is left.
    """
    # The conditions are a column, and not where rows are restricted, so that the limit bounds what is looked at. Within
    # a CASE, and nowhere else in a column, SQLite asks no further than the first that does not hold.
    match, values = join_conditions(conditions)
    source = join_tables(arm.table, match)
    slot_ = f"{arm.table}.slot"
    rows = connection.execute(
        f"SELECT e.slot, CASE WHEN {match} THEN 1 ELSE 0 END {source} "
        f"WHERE {arm.where} AND {slot_} BETWEEN ? AND ? ORDER BY {slot_} DESC LIMIT ?",
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
                return found, slot, looked_at
    return found, slot if looked_at == share else None, looked_at
