"""The runs of rows that a search walks through: all events by their time, or those that an index keeps together."""

# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mailnod.model import EventFilter, Term
from mailnod.store import slots
from mailnod.store.conditions import Condition, Narrowing, find_deliveries, find_links, find_mailings
from mailnod.store.observations import find_slot
from mailnod.store.rows import to_micros

__all__ = ["Arm", "choose_arms", "get_bounds", "join_conditions", "join_tables"]

#: How a run of each table comes to its events.
_RUNS = {"e": "FROM events AS e", "o": "FROM observations AS o CROSS JOIN events AS e ON e.slot = o.slot"}
#: What else :mod:`mailnod.store.conditions` speaks of, in an order in which each finds its row by those before it.
_JOINS = {
    "o": "CROSS JOIN observations AS o ON o.slot = e.slot",
    "v": "CROSS JOIN verdicts AS v ON v.id = e.verdict_id",
    "m": "LEFT JOIN mailings AS m ON m.id = e.mailing_id",
    "d": "LEFT JOIN deliveries AS d ON d.seq = o.delivery",
    "l": "LEFT JOIN links AS l ON l.id = o.link_id",
}
#: A table that SQL speaks of.
_LETTERS = re.compile(r"\b([a-z])\.")
#: The columns that an index narrows a filter by, the sharpest first.
_NARROWINGS: dict[str, Callable[[sqlite3.Connection, EventFilter], Narrowing | None]] = {
    "o.delivery": find_deliveries,
    "o.link_id": find_links,
    "e.mailing_id": find_mailings,
}


@dataclass(frozen=True, slots=True)
class Arm:
    """One run of rows that lie in the order of their slots: all events, or those that an index keeps together."""

    #: The table that it is a run of: events ``e`` or observations ``o``.
    table: str = "e"
    #: What keeps it together, with the value that is bound to it.
    where: str = "TRUE"
    value: tuple[object, ...] = ()


def choose_arms(connection: sqlite3.Connection, filter: EventFilter) -> tuple[list[Arm], Collection[Term]]:
    """Return the runs of rows that hold all that a filter can let through, and the terms that hold of all of them."""
    for column, find in _NARROWINGS.items():
        narrowing = find(connection, filter)
        if narrowing is not None:
            keys, known = narrowing
            # The newest first: a search that has filled its page from these has little to look at in older ones.
            return [Arm(column[0], f"{column} = ?", (key,)) for key in sorted(keys, reverse=True)], known
    return [Arm()], ()


def get_bounds(connection: sqlite3.Connection, filter: EventFilter) -> tuple[int, int]:
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


@lru_cache(maxsize=128)
def join_tables(run: str, asked: str) -> str:
    """Return where the rows of a run come from, with the tables that are asked of besides, and no others.

    Events that follow each other refer to mail all over the store, so that a table which nothing asks of would be read
    from another page of the file for nearly each of them.

    :param run: the table that it is a run of, as :class:`Arm` has it.
    :param asked: SQL that speaks of tables by their letters.
    """
    wanted = set(_LETTERS.findall(asked))
    if wanted & {"d", "l"}:
        wanted.add("o")
    return " ".join([_RUNS[run], *(join for table, join in _JOINS.items() if table in wanted and table != run)])


def join_conditions(conditions: Sequence[Condition]) -> tuple[str, list[object]]:
    """Return conditions as one, with all values that are bound to it."""
    match = " AND ".join(condition.sql for condition in conditions) or "TRUE"
    return match, [value for condition in conditions for value in condition.values]
