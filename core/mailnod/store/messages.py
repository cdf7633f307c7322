"""The counts of messages: there are more of these lines than of all others, so each is packed into one value."""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from mailnod.errors import StoreUnavailableError
from mailnod.model import Metrics
from mailnod.store.rollups import MEASURES
from mailnod.store.rows import to_text

__all__ = ["get_messages", "move_messages", "pack", "pack_messages", "unpack"]

#: Says which counts are there, one bit for each of :data:`~mailnod.store.rollups.MEASURES`.
_MASK_BYTES = 4
_WIDTHS = (1, 2, 4, 8)

_READ = """
    SELECT d.message_id, r.counts FROM message_counts AS r JOIN deliveries AS d ON d.seq = r.message
    WHERE {} ORDER BY r.message DESC LIMIT ?
"""
_NUMBER = "(SELECT message FROM deliveries WHERE message_id = ? LIMIT 1)"
_WRITE = """
    INSERT INTO message_counts (message, counts) VALUES (?, ?)
    ON CONFLICT (message) DO UPDATE SET counts = excluded.counts
"""


def pack(*counts: int) -> bytes:
    """Return counts as bytes: which of them are not 0, and those, all as wide as the largest needs."""
    present = [count for count in counts if count]
    mask = sum(1 << number for number, count in enumerate(counts) if count)
    width = next(w for w in _WIDTHS if all(-(1 << 8 * w - 1) <= count < 1 << 8 * w - 1 for count in present))
    return mask.to_bytes(_MASK_BYTES) + b"".join(count.to_bytes(width, signed=True) for count in present)


def unpack(packed: bytes) -> list[int]:
    """Return the counts that :func:`pack` was given, one for each measure.

    :raises StoreUnavailableError: it is something else.
    """
    mask = int.from_bytes(packed[:_MASK_BYTES])
    width, rest = divmod(len(packed) - _MASK_BYTES, mask.bit_count() or 1)
    if rest or width not in (_WIDTHS if mask else (0,)):
        raise StoreUnavailableError("the counts of a message are damaged; restore the database from a backup")
    values = iter(range(_MASK_BYTES, len(packed), width or 1))
    return [
        int.from_bytes(packed[(at := next(values)) : at + width], signed=True) if mask >> number & 1 else 0
        for number in range(len(MEASURES))
    ]


def move_messages(connection: sqlite3.Connection, deltas: Iterable[tuple[int, Sequence[int]]]) -> None:
    """Add to the counts of messages, each given by its number."""
    for message, added in deltas:
        found = connection.execute("SELECT counts FROM message_counts WHERE message = ?", (message,)).fetchall()
        counts = unpack(found[0][0]) if found else [0] * len(MEASURES)
        connection.execute(_WRITE, (message, pack(*map(sum, zip(counts, added, strict=True)))))


def get_messages(connection: sqlite3.Connection, *, limit: int, before: str | None, key: str | None) -> list[Metrics]:
    """Return the lines of messages, the newest first.

    :param before: the Message-ID after whose line to go on; None begins with the first.
    :param key: the only one that is asked for; None asks for all.
    """
    where, values = "TRUE", list[object]()
    for sign, message in (("<", before), ("=", key)):
        if message is not None:
            where += f" AND r.message {sign} {_NUMBER}"
            values.append(to_text(message))
    rows = connection.execute(_READ.format(where), (*values, limit))
    return [Metrics(key=name, **dict(zip(MEASURES, unpack(counts), strict=True))) for name, counts in rows]


def pack_messages(connection: sqlite3.Connection) -> None:
    """Pack the lines of messages that lie among all others, as they did before."""
    connection.create_function("pack_counts", len(MEASURES), pack, deterministic=True)
    connection.execute(
        f"INSERT INTO message_counts SELECT key, pack_counts({', '.join(MEASURES)}) FROM rollups WHERE scope = 1"
    )
    connection.execute("DELETE FROM rollups WHERE scope = 1")
