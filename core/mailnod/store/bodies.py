"""The HTML of mail as it was before it was edited, where a route keeps it for some days."""

# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import blake2b

from mailnod.errors import StoreUnavailableError
from mailnod.model import KeptBody
from mailnod.store.rows import from_micros, to_micros

__all__ = ["Packed", "erase_bodies", "erase_bodies_of", "get_kept_body", "hash_body", "keep_bodies", "pack", "unpack"]

#: The parts of bodies, each with what is written of it.
Packed = Mapping[tuple[str, ...], bytes]

#: A delivery that is suppressed by now keeps nothing more.
_FIND = """
    SELECT seq FROM deliveries AS d
    WHERE id = ? AND NOT EXISTS (SELECT 1 FROM suppressed AS s WHERE s.delivery_id = d.id)
"""
_KEEP = "INSERT INTO kept_bodies (delivery, body_id, erase_at) VALUES (?, ?, ?) ON CONFLICT (delivery) DO NOTHING"
_READ = """
    SELECT b.value, k.erase_at FROM deliveries AS d
    JOIN kept_bodies AS k ON k.delivery = d.seq JOIN bodies AS b ON b.id = k.body_id WHERE d.id = ?
"""
_OVER = """
    SELECT k.delivery, k.body_id, length(b.value) FROM kept_bodies AS k JOIN bodies AS b ON b.id = k.body_id
    WHERE k.erase_at <= ? ORDER BY k.erase_at LIMIT ?
"""
#: What is erased is written over, and no sender may wait for more of it than this in one transaction.
_MOST_BYTES = 8_000_000
_ALONE = """
    SELECT k.delivery, k.body_id FROM recipients AS r JOIN delivery_recipients AS dr ON dr.recipient_id = r.id
    JOIN kept_bodies AS k ON k.delivery = dr.delivery
    WHERE r.hash = ?
    AND NOT EXISTS (SELECT 1 FROM delivery_recipients AS o WHERE o.delivery = k.delivery AND o.position <> dr.position)
"""


def pack(bodies: Sequence[KeptBody]) -> Packed:
    """Return what is written of each body, compressed; what several deliveries share once."""
    # ASCII only, so that lone surrogates come back as they went in.
    return {parts: zlib.compress(json.dumps(parts).encode()) for parts in {body.parts for body in bodies}}


def unpack(value: bytes) -> tuple[str, ...]:
    """Return the parts that :func:`pack` was given.

    :raises StoreUnavailableError: it is something else.
    """
    try:
        return tuple(json.loads(zlib.decompress(value)))
    except (zlib.error, ValueError) as error:
        raise StoreUnavailableError(f"a body that was kept is damaged: {error}") from error


def hash_body(value: bytes, *, key: bytes) -> bytes:
    """Return the hash by which a body is told from others.

    :param key: a secret of the store.
    """
    return blake2b(value, key=key, digest_size=16, person=b"body").digest()


def keep_bodies(connection: sqlite3.Connection, bodies: Sequence[KeptBody], packed: Packed, *, key: bytes) -> None:
    """Keep the bodies of deliveries that are known and not suppressed.

    :param key: the store's, under which bodies are hashed.
    """
    known: dict[tuple[str, ...], int] = {}
    for body in bodies:
        for (seq,) in connection.execute(_FIND, (body.delivery_id,)).fetchall():
            if body.parts not in known:
                known[body.parts] = _intern(connection, packed[body.parts], key)
            connection.execute(_KEEP, (seq, known[body.parts], to_micros(body.erase_at)))


def get_kept_body(connection: sqlite3.Connection, delivery_id: bytes) -> KeptBody | None:
    """Return what was kept of a delivery; None where nothing was, or it is erased."""
    for value, erase_at in connection.execute(_READ, (delivery_id,)).fetchall():
        return KeptBody(delivery_id, unpack(value), from_micros(erase_at))
    return None


def erase_bodies(connection: sqlite3.Connection, now: datetime, *, limit: int) -> int:
    """Erase bodies whose days are over, some megabytes of them at most, and return of how many deliveries."""
    rows, sizes = list[tuple[int, int]](), dict[int, int]()
    for delivery, body, size in connection.execute(_OVER, (to_micros(now), limit)).fetchall():
        sizes[body] = size
        if rows and sum(sizes.values()) > _MOST_BYTES:
            break
        rows.append((delivery, body))
    return _erase(connection, rows)


def erase_bodies_of(connection: sqlite3.Connection, recipient: bytes) -> None:
    """Erase the bodies of deliveries that went to one recipient and nobody else."""
    _erase(connection, connection.execute(_ALONE, (recipient,)).fetchall())


def _erase(connection: sqlite3.Connection, rows: Sequence[tuple[int, int]]) -> int:
    connection.executemany("DELETE FROM kept_bodies WHERE delivery = ?", [(delivery,) for delivery, _ in rows])
    connection.executemany(
        "DELETE FROM bodies WHERE id = ? AND NOT EXISTS (SELECT 1 FROM kept_bodies WHERE body_id = bodies.id)",
        [(body,) for body in {body for _, body in rows}],
    )
    return len(rows)


def _intern(connection: sqlite3.Connection, value: bytes, key: bytes) -> int:
    digest = hash_body(value, key=key)
    found = connection.execute("SELECT id FROM bodies WHERE hash = ?", (digest,)).fetchall()
    add = "INSERT INTO bodies (hash, value) VALUES (?, ?) RETURNING id"
    return int((found or connection.execute(add, (digest, value)).fetchall())[0][0])
