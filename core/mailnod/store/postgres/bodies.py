"""The HTML of mail as it was before it was edited, where a route keeps it for some days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mailnod.model import KeptBody
from mailnod.store.bodies import Packed, hash_body, unpack
from mailnod.store.postgres import locks
from mailnod.store.postgres.server import Connection
from mailnod.store.rows import from_micros, to_micros

__all__ = ["erase_bodies", "erase_bodies_of", "get_kept_body", "keep_bodies"]

#: A delivery that is suppressed by now keeps nothing more.
_FIND = """
    SELECT id FROM mailnod.deliveries AS d WHERE id = ANY(%s)
    AND NOT EXISTS (SELECT 1 FROM mailnod.suppressed AS s WHERE s.delivery_id = d.id)
"""
_ADD = """
    INSERT INTO mailnod.bodies (hash, value) SELECT * FROM unnest(%s::bytea[], %s::bytea[])
    ON CONFLICT (hash) DO NOTHING
"""
_KEEP = """
    INSERT INTO mailnod.kept_bodies (delivery_id, body, erase_at)
    SELECT * FROM unnest(%s::bytea[], %s::bytea[], %s::bigint[])
    ON CONFLICT (delivery_id) DO NOTHING
"""
_READ = """
    SELECT b.value, k.erase_at FROM mailnod.kept_bodies AS k JOIN mailnod.bodies AS b ON b.hash = k.body
    WHERE k.delivery_id = %s
"""
_OVER = "SELECT delivery_id FROM mailnod.kept_bodies WHERE erase_at <= %s ORDER BY erase_at LIMIT %s"
_ALONE = """
    SELECT k.delivery_id FROM mailnod.recipients AS r
    JOIN mailnod.delivery_recipients AS dr ON dr.recipient_id = r.id
    JOIN mailnod.kept_bodies AS k ON k.delivery_id = dr.delivery_id
    WHERE r.hash = %s AND NOT EXISTS (
        SELECT 1 FROM mailnod.delivery_recipients AS o
        WHERE o.delivery_id = k.delivery_id AND o.position <> dr.position)
"""
_ERASE = "DELETE FROM mailnod.kept_bodies WHERE delivery_id = ANY(%s) RETURNING body"
_ERASE_UNUSED = """
    DELETE FROM mailnod.bodies AS b WHERE hash = ANY(%s)
    AND NOT EXISTS (SELECT 1 FROM mailnod.kept_bodies AS k WHERE k.body = b.hash)
"""


def keep_bodies(connection: Connection, bodies: Sequence[KeptBody], packed: Packed, *, key: bytes) -> None:
    """Keep the bodies of deliveries that are known and not suppressed.

    :param key: the store's, under which bodies are hashed.
    """
    # Whoever erases waits, and finds all that was kept; who has withdrawn before is found here.
    locks.take(connection, "bodies", shared=True)
    fit = {bytes(id_) for (id_,) in connection.execute(_FIND, ([body.delivery_id for body in bodies],))}
    kept = [body for body in bodies if body.delivery_id in fit]
    if not kept:
        return
    hashes = {parts: hash_body(packed[parts], key=key) for parts in {body.parts for body in kept}}
    # Sorted, so that two transactions that bring the same bodies never wait for each other.
    rows = sorted((digest, packed[parts]) for parts, digest in hashes.items())
    connection.execute(_ADD, [[digest for digest, _ in rows], [value for _, value in rows]])
    columns = zip(*((body.delivery_id, hashes[body.parts], to_micros(body.erase_at)) for body in kept), strict=True)
    connection.execute(_KEEP, [list(column) for column in columns])


def get_kept_body(connection: Connection, delivery_id: bytes) -> KeptBody | None:
    """Return what was kept of a delivery; None where nothing was, or it is erased."""
    for value, erase_at in connection.execute(_READ, (delivery_id,)).fetchall():
        return KeptBody(delivery_id, unpack(value), from_micros(erase_at))
    return None


def erase_bodies(connection: Connection, now: datetime, *, limit: int) -> int:
    """Erase bodies whose days are over, and return of how many deliveries."""
    locks.take(connection, "bodies")
    return _erase(connection, [id_ for (id_,) in connection.execute(_OVER, (to_micros(now), limit))])


def erase_bodies_of(connection: Connection, recipient: bytes) -> None:
    """Erase the bodies of deliveries that went to one recipient and nobody else."""
    locks.take(connection, "bodies")
    _erase(connection, [id_ for (id_,) in connection.execute(_ALONE, (recipient,))])


def _erase(connection: Connection, delivery_ids: Sequence[bytes]) -> int:
    if delivery_ids:
        bodies = {bytes(body) for (body,) in connection.execute(_ERASE, (list(delivery_ids),))}
        connection.execute(_ERASE_UNUSED, (list(bodies),))
    return len(delivery_ids)
