"""Counts of hits that were answered and not recorded one by one."""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

from collections.abc import Sequence

from mailnod.model import Overflow, OverflowCount
from mailnod.store.postgres.server import Connection
from mailnod.store.rows import OVERFLOW_COLUMNS, from_micros, list_columns, write_overflow

__all__ = ["add_overflow", "get_overflow"]

_ADD = f"""
    INSERT INTO mailnod.overflow AS old ({list_columns(OVERFLOW_COLUMNS)}) VALUES (%s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (id) DO UPDATE SET count = excluded.count, last_at = excluded.last_at
    WHERE excluded.count > old.count
"""
_GET = """
    SELECT reason, kind, sum(count), count(DISTINCT key), min(first_at), max(last_at)
    FROM mailnod.overflow GROUP BY reason, kind ORDER BY reason, kind
"""


def add_overflow(connection: Connection, overflow: Sequence[Overflow]) -> None:
    """Take counts in; one whose id is there already replaces what is lower."""
    rows = sorted(write_overflow(one) for one in overflow)
    connection.cursor().executemany(_ADD.encode(), rows)


def get_overflow(connection: Connection) -> list[OverflowCount]:
    """Return the sums of each reason and kind."""
    return [
        OverflowCount(
            reason=reason,
            kind=kind,
            hits=int(hits),
            keys=keys,
            first_at=from_micros(first_at),
            last_at=from_micros(last_at),
        )
        for reason, kind, hits, keys, first_at, last_at in connection.execute(_GET)
    ]
