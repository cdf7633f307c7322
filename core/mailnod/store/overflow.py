"""Counts of hits that were answered and not recorded one by one."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from mailnod.model import Overflow, OverflowCount
from mailnod.store.rows import OVERFLOW_COLUMNS, from_micros, list_columns, write_overflow

__all__ = ["ADD_OVERFLOW", "add_overflow", "get_overflow"]

#: Takes the row of a count in; one whose id is there already replaces what is lower.
ADD_OVERFLOW = f"""
    INSERT INTO overflow ({list_columns(OVERFLOW_COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET count = excluded.count, last_at = excluded.last_at
    WHERE excluded.count > overflow.count
"""  # noqa: S608
_GET = """
    SELECT reason, kind, sum(count), count(DISTINCT key), min(first_at), max(last_at)
    FROM overflow GROUP BY reason, kind ORDER BY reason, kind
"""


def add_overflow(connection: sqlite3.Connection, overflow: Sequence[Overflow]) -> None:
    """Take counts in; one whose id is there already replaces what is lower."""
    connection.executemany(ADD_OVERFLOW, [write_overflow(one) for one in overflow])


def get_overflow(connection: sqlite3.Connection) -> list[OverflowCount]:
    """Return the sums of each reason and kind."""
    return [
        OverflowCount(
            reason=reason,
            kind=kind,
            hits=hits,
            keys=keys,
            first_at=from_micros(first_at),
            last_at=from_micros(last_at),
        )
        for reason, kind, hits, keys, first_at, last_at in connection.execute(_GET)
    ]
