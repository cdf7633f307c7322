"""The lines of the rollups as SQLite keeps them: by numbers, moved by signed deltas."""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime

from mailnod.model import BreakdownLine, Metrics
from mailnod.store.messages import get_messages, move_messages
from mailnod.store.rollups import (
    CELL_MEASURES,
    MEASURES,
    Accepted,
    BreakdownOf,
    Cell,
    CellBy,
    Group,
    name_hour,
    sum_accepted,
)
from mailnod.store.rows import to_text

__all__ = ["Lines", "count_accepted", "get_breakdown", "get_metrics"]

_MOVE = (
    f"INSERT INTO rollups (scope, key, {', '.join(MEASURES)}) VALUES (?, ?{', ?' * len(MEASURES)}) "
    f"ON CONFLICT (scope, key) DO UPDATE SET {', '.join(f'{name} = {name} + excluded.{name}' for name in MEASURES)}"
)
_MOVE_CELL = (
    f"INSERT INTO breakdowns VALUES (?, ?, ?, ?{', ?' * len(CELL_MEASURES)}) ON CONFLICT (scope, name, by, key) "
    f"DO UPDATE SET {', '.join(f'{name} = {name} + excluded.{name}' for name in CELL_MEASURES)}"
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
    "campaign": "n.name FROM rollups AS r JOIN names AS n ON n.id = r.key",
    "route": "n.name FROM rollups AS r JOIN names AS n ON n.id = r.key",
    "link": "l.value FROM rollups AS r INDEXED BY rollups_of_links CROSS JOIN links AS l ON l.id = r.key",
    "hour": "strftime('%Y-%m-%dT%H:00Z', r.key * 3600, 'unixepoch') FROM rollups AS r",
}
#: What lines are ordered by, the greatest first; together it tells them apart.
_LARGEST = ("r.deliveries", "r.observed_opens + r.observed_clicks", "-r.key")
_ORDERS = {"campaign": _LARGEST, "route": _LARGEST, "link": ("r.observed_clicks", "r.key")}
_NEWEST = ("r.key",)

_EVENTS = "(r.human_opens + r.human_clicks + r.machine_opens + r.machine_clicks)"
#: How lines of a breakdown are named, and what comes first.
_CELLS: dict[CellBy, tuple[str, str]] = {
    "hour": ("strftime('%Y-%m-%dT%H:00Z', r.key * 3600, 'unixepoch') FROM breakdowns AS r", "r.key DESC"),
    "link": ("l.value FROM breakdowns AS r JOIN links AS l ON l.id = r.key", f"{_EVENTS} DESC, l.value"),
}


class Lines:
    """Deltas that are gathered for one transaction and written at its end."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._deltas: defaultdict[Group | Cell, Counter[str]] = defaultdict(Counter)

    def move(self, line: Group | Cell, measure: str, delta: int) -> None:
        """Add to one count of a line."""
        self._deltas[line][measure] += delta

    def write(self) -> None:
        """Add what was gathered to the stored counts."""
        rows, cells, messages = list[tuple[int, ...]](), list[tuple[int, ...]](), list[tuple[int, list[int]]]()
        keys: dict[Group, tuple[int, int]] = {}

        def find(scope: str, name: str) -> tuple[int, int]:
            if (scope, name) not in keys:
                ((key,),) = self._connection.execute(_KEYS[scope], (name,)).fetchall()
                keys[scope, name] = _SCOPES[scope], key
            return keys[scope, name]

        for line, deltas in self._deltas.items():
            row = [deltas[measure] for measure in (CELL_MEASURES if isinstance(line, Cell) else MEASURES)]
            if not any(row):
                continue
            if isinstance(line, Cell):
                cells.append((*find(line.of, line.name), *find(line.by, line.key), *row))
            elif line[0] == "message":
                messages.append((find(*line)[1], row))
            else:
                rows.append((*find(*line), *row))
        move_messages(self._connection, messages)
        self._connection.executemany(_MOVE, rows)
        self._connection.executemany(_MOVE_CELL, cells)
        self._deltas.clear()


def count_accepted(connection: sqlite3.Connection, accepted: Iterable[Accepted]) -> None:
    """Count deliveries that a server accepted; tests must not be among them."""
    lines = Lines(connection)
    for line, counts in sum_accepted(accepted).items():
        for measure, count in zip(MEASURES, counts, strict=False):
            lines.move(line, measure, count)
    lines.write()


def get_breakdown(
    connection: sqlite3.Connection,
    of: BreakdownOf,
    name: str,
    *,
    by: CellBy,
    since: datetime | None,
    until: datetime | None,
    limit: int,
) -> list[BreakdownLine]:
    """Return the counts of one campaign or route apart by hours, the newest first, or links, the largest first."""
    named, order = _CELLS[by]
    where, values = f"r.scope = {_SCOPES[of]} AND r.name = ({_KEYS[of]}) AND r.by = {_SCOPES[by]}", [to_text(name)]
    for sign, hour in ((">=", since), ("<", until)):
        if hour is not None:
            where += f" AND r.key {sign} ({_KEYS['hour']})"
            values.append(name_hour(hour))
    rows = connection.execute(
        f"SELECT {', '.join(f'r.{measure}' for measure in CELL_MEASURES)}, {named} "
        f"WHERE {where} AND {_EVENTS} > 0 ORDER BY {order} LIMIT ?",
        (*values, limit),
    )
    return [BreakdownLine(key=key, **dict(zip(CELL_MEASURES, counts, strict=True))) for *counts, key in rows]


def get_metrics(
    connection: sqlite3.Connection, *, by: str, limit: int, before: str | None, key: str | None
) -> list[Metrics]:
    """Return the lines of one scope; "all" has one line, always.

    :param before: the key of a line, after which to go on; None begins with the first.
    :param key: the only line that is asked for; None asks for all.
    """
    if by == "message":
        return get_messages(connection, limit=limit, before=before, key=key)
    order = _ORDERS.get(by, _NEWEST)
    # Bound, the scope would hide from SQLite that the index of links may be used.
    where, values = f"r.scope = {_SCOPES[by]}", list[object]()
    if before is not None:
        where += f" AND ({', '.join(order)}) < (SELECT {', '.join(order)} FROM rollups AS r WHERE {where} AND key = ?)"
        values += connection.execute(_KEYS[by], (to_text(before),)).fetchone() or [None]
    if key is not None:
        where += f" AND r.key = ({_KEYS[by]})"
        values.append(to_text(key))
    rows = connection.execute(
        f"SELECT {', '.join(f'r.{name}' for name in MEASURES)}, {_NAMES[by]} WHERE {where} "
        f"ORDER BY {', '.join(f'{column} DESC' for column in order)} LIMIT ?",
        (*values, limit),
    )
    found = [Metrics(key=name, **dict(zip(MEASURES, counts, strict=True))) for *counts, name in rows]
    return found or ([Metrics(key="")] if by == "all" and before is None and not key else [])
