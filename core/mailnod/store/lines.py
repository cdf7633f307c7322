"""The lines of the rollups as SQLite keeps them: by numbers, moved by signed deltas."""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable

from mailnod.model import Metrics
from mailnod.store.rollups import MEASURES, Accepted, Group, sum_accepted
from mailnod.store.rows import to_text

__all__ = ["Lines", "count_accepted", "get_metrics"]

_MOVE = (
    f"INSERT INTO rollups (scope, key, {', '.join(MEASURES)}) VALUES (?, ?{', ?' * len(MEASURES)}) "
    f"ON CONFLICT (scope, key) DO UPDATE SET {', '.join(f'{name} = {name} + excluded.{name}' for name in MEASURES)}"
)
#: The number of each scope, and how the number of a key is found by its name: everything has 0, a message that of its
#: first delivery, and an hour how many have passed since 1970-01-01 UTC.
_SCOPES = {"all": 0, "message": 1, "campaign": 2, "route": 3, "link": 4, "hour": 5}
_KEYS = {
    "all": "SELECT 0 WHERE ? = ''",
    "message": "SELECT message FROM deliveries WHERE message_id = ? LIMIT 1",
    "campaign": "SELECT id FROM names WHERE name = ?",
    "route": "SELECT id FROM names WHERE name = ?",
    "link": "SELECT id FROM links WHERE value = ?",
    "hour": "SELECT strftime('%s', replace(?, 'Z', '')) / 3600",
}
_NAMES = {
    "all": "'' FROM rollups AS r",
    "message": "d.message_id FROM rollups AS r JOIN deliveries AS d ON d.seq = r.key",
    "campaign": "n.name FROM rollups AS r JOIN names AS n ON n.id = r.key",
    "route": "n.name FROM rollups AS r JOIN names AS n ON n.id = r.key",
    "link": "l.value FROM rollups AS r INDEXED BY rollups_of_links CROSS JOIN links AS l ON l.id = r.key",
    "hour": "strftime('%Y-%m-%dT%H:00Z', r.key * 3600, 'unixepoch') FROM rollups AS r",
}
#: What lines are ordered by, the greatest first; together it tells them apart.
_LARGEST = ("r.deliveries", "r.observed_opens + r.observed_clicks", "-r.key")
_ORDERS = {"campaign": _LARGEST, "route": _LARGEST, "link": ("r.observed_clicks", "r.key")}
_NEWEST = ("r.key",)


class Lines:
    """Deltas that are gathered for one transaction and written at its end."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._deltas: defaultdict[Group, Counter[str]] = defaultdict(Counter)

    def move(self, line: Group, measure: str, delta: int) -> None:
        """Add to one count of a line."""
        self._deltas[line][measure] += delta

    def write(self) -> None:
        """Add what was gathered to the stored counts."""
        rows = []
        for (scope, name), deltas in self._deltas.items():
            row = [deltas[measure] for measure in MEASURES]
            if any(row):
                ((key,),) = self._connection.execute(_KEYS[scope], (name,)).fetchall()
                rows.append((_SCOPES[scope], key, *row))
        self._connection.executemany(_MOVE, rows)
        self._deltas.clear()


def count_accepted(connection: sqlite3.Connection, accepted: Iterable[Accepted]) -> None:
    """Count deliveries that a server accepted; tests must not be among them."""
    lines = Lines(connection)
    for line, counts in sum_accepted(accepted).items():
        for measure, count in zip(MEASURES, counts, strict=False):
            lines.move(line, measure, count)
    lines.write()


def get_metrics(connection: sqlite3.Connection, *, by: str, limit: int, before: str | None) -> list[Metrics]:
    """Return the lines of one scope; "all" has one line, always.

    :param before: the key of a line, after which to go on; None begins with the first.
    """
    order = _ORDERS.get(by, _NEWEST)
    # Bound, the scope would hide from SQLite that the index of links may be used.
    where, values = f"r.scope = {_SCOPES[by]}", list[object]()
    if before is not None:
        where += f" AND ({', '.join(order)}) < (SELECT {', '.join(order)} FROM rollups AS r WHERE {where} AND key = ?)"
        values += connection.execute(_KEYS[by], (to_text(before),)).fetchone() or [None]
    rows = connection.execute(
        f"SELECT {', '.join(f'r.{name}' for name in MEASURES)}, {_NAMES[by]} WHERE {where} "
        f"ORDER BY {', '.join(f'{column} DESC' for column in order)} LIMIT ?",
        (*values, limit),
    )
    found = [Metrics(key=key, **dict(zip(MEASURES, counts, strict=True))) for *counts, key in rows]
    return found or ([Metrics(key="")] if by == "all" and before is None else [])
