"""Where short links lead: the links of a template once, and for each delivery which template it was."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping

from mailnod.store.rows import write_destinations

__all__ = ["LinkSets", "get_destination"]

_INSERT = "INSERT INTO link_sets (hash, destinations) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING"
_ASSIGN = "INSERT INTO short_links (delivery_id, link_set_id) VALUES (?, ?) ON CONFLICT (delivery_id) DO NOTHING"
_DESTINATIONS = """
    SELECT destinations FROM short_links JOIN link_sets ON link_sets.id = link_set_id WHERE delivery_id = ?
"""


class LinkSets:
    """The link sets that one transaction writes, each once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[str, int] = {}

    def assign(self, delivery_id: bytes, destinations: Mapping[int, str]) -> None:
        """Write down where the short links of a delivery lead."""
        text = write_destinations(destinations)
        if text not in self._known:
            # The same links have the same hash, whichever mail brings them.
            digest = hashlib.blake2b(text.encode(), digest_size=16, person=b"mailnod-linkset").digest()
            self._connection.execute(_INSERT, (digest, text))
            found = self._connection.execute("SELECT id FROM link_sets WHERE hash = ?", (digest,)).fetchall()
            self._known[text] = int(found[0][0])
        self._connection.execute(_ASSIGN, (delivery_id, self._known[text]))


def get_destination(connection: sqlite3.Connection, delivery_id: bytes, index: int) -> str | None:
    """Return where a short link of a delivery leads; None where it has none of that number."""
    for (text,) in connection.execute(_DESTINATIONS, (delivery_id,)).fetchall():
        url = json.loads(text).get(str(index))
        return None if url is None else str(url)
    return None
