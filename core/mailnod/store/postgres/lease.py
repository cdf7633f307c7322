"""Expiring leases, so that one worker at a time judges and publishes."""

from __future__ import annotations

from datetime import datetime

from mailnod.store.postgres.server import Connection
from mailnod.store.rows import to_micros

__all__ = ["acquire", "get_holder", "is_free", "is_held", "release"]

_FREE = "(lease.holder = %(holder)s OR lease.expires_at <= %(now)s OR lease.expires_at > %(now)s + 2 * %(ttl)s)"
_IS_TAKEN = f"SELECT 1 FROM mailnod.lease WHERE name = %(name)s AND NOT {_FREE}"  # noqa: S608
_ACQUIRE = f"""
    INSERT INTO mailnod.lease (name, holder, expires_at) VALUES (%(name)s, %(holder)s, %(now)s + %(ttl)s)
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
    WHERE {_FREE}
"""  # noqa: S608


def is_free(connection: Connection, name: str, *, holder: str, now: datetime, ttl_s: float) -> bool:
    """Return whether a lease could be taken or renewed; those who stand by write nothing."""
    return connection.execute(_IS_TAKEN, _bind(name, holder, now, ttl_s)).fetchone() is None


def acquire(connection: Connection, name: str, *, holder: str, now: datetime, ttl_s: float) -> bool:
    """Take or renew a lease.

    One that lasts longer than twice what is asked for was taken by a clock that has since been set back; it counts as
    expired, or nobody would work until that hour comes again.
    """
    return connection.execute(_ACQUIRE, _bind(name, holder, now, ttl_s)).rowcount == 1


def is_held(connection: Connection, name: str, *, holder: str) -> bool:
    """Return whether a lease is the holder's, and keep it so until the transaction ends."""
    query = "SELECT 1 FROM mailnod.lease WHERE name = %s AND holder = %s FOR SHARE"
    return connection.execute(query, (name, holder)).fetchone() is not None


def get_holder(connection: Connection, name: str, *, now: datetime) -> str | None:
    """Return who holds a lease that has not expired."""
    query = "SELECT holder FROM mailnod.lease WHERE name = %s AND expires_at > %s"
    row = connection.execute(query, (name, to_micros(now))).fetchone()
    return None if row is None else str(row[0])


def release(connection: Connection, name: str, *, holder: str) -> None:
    """Give a lease back, where it is the holder's."""
    connection.execute("DELETE FROM mailnod.lease WHERE name = %s AND holder = %s", (name, holder))


def _bind(name: str, holder: str, now: datetime, ttl_s: float) -> dict[str, str | int]:
    return {"name": name, "holder": holder, "now": to_micros(now), "ttl": round(ttl_s * 1_000_000)}
