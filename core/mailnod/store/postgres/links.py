"""Where short links lead: the links of a template once, and for each delivery which template it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from mailnod.model import Delivery
from mailnod.store.postgres.server import Connection
from mailnod.store.rows import write_destinations

__all__ = ["assign", "get_destination"]

_INSERT = """
    INSERT INTO mailnod.link_sets (hash, destinations) SELECT * FROM unnest(%s::bytea[], %s::text[])
    ON CONFLICT (hash) DO NOTHING
"""
_ASSIGN = """
    INSERT INTO mailnod.short_links (delivery_id, link_set) SELECT * FROM unnest(%s::bytea[], %s::bytea[])
    ON CONFLICT (delivery_id) DO NOTHING
"""
_DESTINATIONS = """
    SELECT destinations FROM mailnod.short_links AS sl JOIN mailnod.link_sets AS ls ON ls.hash = sl.link_set
    WHERE sl.delivery_id = %s
"""


def assign(connection: Connection, deliveries: Iterable[Delivery]) -> None:
    """Write down where the short links of deliveries lead, those of one template once."""
    sets: dict[bytes, str] = {}
    assigned: list[tuple[bytes, bytes]] = []
    for delivery in deliveries:
        if delivery.destinations is not None:
            text = write_destinations(delivery.destinations)
            # The same links have the same hash, whichever mail brings them.
            digest = hashlib.blake2b(text.encode(), digest_size=16, person=b"mailnod-linkset").digest()
            sets[digest] = text
            assigned.append((delivery.id, digest))
    if assigned:
        # Sorted, so that two transactions that bring the same sets never wait for each other.
        rows = sorted(sets.items())
        connection.execute(_INSERT, [[digest for digest, _ in rows], [text for _, text in rows]])
        connection.execute(_ASSIGN, [[one for one, _ in assigned], [digest for _, digest in assigned]])


def get_destination(connection: Connection, delivery_id: bytes, index: int) -> str | None:
    """Return where a short link of a delivery leads; None where it has none of that number."""
    for (text,) in connection.execute(_DESTINATIONS, (delivery_id,)).fetchall():
        url = json.loads(text).get(str(index))
        return None if url is None else str(url)
    return None
