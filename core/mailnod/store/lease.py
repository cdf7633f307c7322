"""Expiring leases, so that one worker at a time drains, judges and publishes."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from mailnod.store.rows import to_micros

__all__ = ["acquire", "get_holder", "is_held", "release"]

_ACQUIRE = """
    INSERT INTO lease (name, holder, expires_at) VALUES (:name, :holder, :now + :ttl)
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
    WHERE lease.holder = :holder OR lease.expires_at <= :now OR lease.expires_at > :now + 2 * :ttl
"""


def acquire(connection: sqlite3.Connection, name: str, *, holder: str, now: datetime, ttl_s: float) -> bool:
    """Take or renew a lease.

    One that lasts longer than twice what is asked for was taken by a clock that has since been set back; it counts as
    expired, or nobody would work until that hour comes again.
    """
    values = {"name": name, "holder": holder, "now": to_micros(now), "ttl": round(ttl_s * 1_000_000)}
    return connection.execute(_ACQUIRE, values).rowcount == 1


def is_held(connection: sqlite3.Connection, name: str, *, holder: str) -> bool:
    """Return whether a lease is the holder's; one that ran out stays theirs until another takes it."""
    row = connection.execute("SELECT 1 FROM lease WHERE name = ? AND holder = ?", (name, holder)).fetchone()
    return row is not None


def get_holder(connection: sqlite3.Connection, name: str, *, now: datetime) -> str | None:
    """Return who holds a lease that has not expired."""
    select = "SELECT holder FROM lease WHERE name = ? AND expires_at > ?"
    row = connection.execute(select, (name, to_micros(now))).fetchone()
    return None if row is None else str(row[0])


def release(connection: sqlite3.Connection, name: str, *, holder: str) -> None:
    """Give a lease back, where it is the holder's."""
    connection.execute("DELETE FROM lease WHERE name = ? AND holder = ?", (name, holder))
