"""Counts for each message, campaign, route, link and hour, moved by signed deltas."""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from mailnod.model import BreakdownLine, Event, Metrics
from mailnod.store.postgres.server import Connection
from mailnod.store.rollups import (
    CELL_MEASURES,
    MEASURES,
    Accepted,
    BreakdownOf,
    Cell,
    CellBy,
    Group,
    Groups,
    list_moves,
    name_hour,
    sum_accepted,
)
from mailnod.store.rows import to_text

__all__ = ["Moves", "count_accepted", "get_breakdown", "get_metrics"]

_ADD = f"""
    INSERT INTO mailnod.rollups AS old (scope, key, {", ".join(MEASURES)})
    SELECT * FROM unnest(%s::text[], %s::text[]{", %s::bigint[]" * len(MEASURES)})
    ON CONFLICT (scope, key) DO UPDATE SET {", ".join(f"{name} = old.{name} + excluded.{name}" for name in MEASURES)}
"""
_ADD_CELLS = f"""
    INSERT INTO mailnod.breakdowns AS old (scope, name, by, key, {", ".join(CELL_MEASURES)})
    SELECT * FROM unnest({", ".join(["%s::text[]"] * 4 + ["%s::bigint[]"] * len(CELL_MEASURES))})
    ON CONFLICT (scope, name, by, key) DO UPDATE SET
    {", ".join(f"{name} = old.{name} + excluded.{name}" for name in CELL_MEASURES)}
"""
_COUNT = """
    INSERT INTO mailnod.delivery_counts AS old (delivery_id, scope, key, measure, events)
    SELECT * FROM unnest(%s::bytea[], %s::text[], %s::text[], %s::text[], %s::bigint[])
    ON CONFLICT (delivery_id, scope, key, measure) DO UPDATE SET events = old.events + excluded.events
    RETURNING delivery_id, scope, key, measure, events
"""
#: What lines are ordered by, the greatest first; together it tells them apart.
_ORDERS = {"hour": ("key",), "message": ("number",)}
_LARGEST = ("deliveries", "observed_opens + observed_clicks", "number")


class Moves:
    """What the publications of one transaction change in the counts, written at its end."""

    def __init__(self) -> None:
        #: Events of each delivery by group and measure, and the lines that share each of these counts.
        self._counts: Counter[tuple[bytes, str, str, str]] = Counter()
        self._lines: dict[tuple[bytes, str, str, str], list[Group | Cell]] = {}

    def move(self, event: Event, groups: Groups, *, sign: int) -> None:
        """Count an event in, or out where a revision takes its place."""
        for counted, lines, measure in list_moves(event, groups):
            key = (event.delivery_id, *counted, measure)
            self._counts[key] += sign
            self._lines[key] = lines

    def write(self, connection: Connection) -> None:
        """Add what was gathered to the stored counts."""
        moved = sorted((key, delta) for key, delta in self._counts.items() if delta)
        if not moved:
            return
        columns = zip(*((*key, delta) for key, delta in moved), strict=True)
        stored = connection.execute(_COUNT, [list(column) for column in columns]).fetchall()
        deltas: defaultdict[Group | Cell, Counter[str]] = defaultdict(Counter)
        for delivery_id, scope, name, measure, events in stored:
            key = (bytes(delivery_id), scope, name, measure)
            before = events - self._counts[key]
            for line in self._lines[key]:
                deltas[line][measure] += self._counts[key]
                deltas[line][f"{measure}_unique"] += (events > 0) - (before > 0)
        _add(connection, deltas)


def count_accepted(connection: Connection, accepted: Iterable[Accepted]) -> None:
    """Count deliveries that a server accepted; tests must not be among them."""
    names = ("deliveries", "deliveries_with_pixel", "deliveries_with_links")
    sums = sum_accepted(accepted)
    _add(connection, {group: dict(zip(names, count, strict=True)) for group, count in sums.items()})


def get_breakdown(
    connection: Connection,
    of: BreakdownOf,
    name: str,
    *,
    by: CellBy,
    since: datetime | None,
    until: datetime | None,
    limit: int,
) -> list[BreakdownLine]:
    """Return the counts of one campaign or route apart by hours, the newest first, or links, the largest first."""
    where, values = "scope = %s AND name = %s AND by = %s", [of, to_text(name), by]
    for sign, hour in ((">=", since), ("<", until)):
        if hour is not None:
            where += f' AND key COLLATE "C" {sign} %s'
            values.append(name_hour(hour))
    events = "human_opens + human_clicks + machine_opens + machine_clicks"
    order = "key DESC" if by == "hour" else f'{events} DESC, key COLLATE "C"'
    query = (
        f"SELECT key, {', '.join(CELL_MEASURES)} FROM mailnod.breakdowns "
        f"WHERE {where} AND {events} > 0 ORDER BY {order} LIMIT %s"
    )
    rows = connection.execute(query.encode(), (*values, limit))
    return [BreakdownLine(key=key, **dict(zip(CELL_MEASURES, counts, strict=True))) for key, *counts in rows]


def get_metrics(connection: Connection, *, by: str, limit: int, before: str | None, key: str | None) -> list[Metrics]:
    """Return the lines of one scope; "all" has one line, always.

    :param before: the key of a line, after which to go on; None begins with the first.
    :param key: the only line that is asked for; None asks for all.
    """
    order = _ORDERS.get(by, _LARGEST)
    where, values = "scope = %s", [by]
    if before is not None:
        last = f"SELECT {', '.join(order)} FROM mailnod.rollups WHERE scope = %s AND key = %s"
        where += f" AND ({', '.join(order)}) < ({last})"
        values += [by, to_text(before)]
    if key is not None:
        where += " AND key = %s"
        values.append(to_text(key))
    query = (
        f"SELECT key, {', '.join(MEASURES)} FROM mailnod.rollups WHERE {where} "
        f"ORDER BY {', '.join(f'{column} DESC' for column in order)} LIMIT %s"
    )
    rows = connection.execute(query.encode(), (*values, limit))
    found = [Metrics(key=name, **dict(zip(MEASURES, counts, strict=True))) for name, *counts in rows]
    return found or ([Metrics(key="")] if by == "all" and before is None and not key else [])


def _add(connection: Connection, deltas: Mapping[Group | Cell, Mapping[str, int]]) -> None:
    """Add to the lines of the rollups, always in the same order, so that nobody waits for each other."""
    cells = sorted(line for line in deltas if isinstance(line, Cell))
    groups = sorted(line for line in deltas if not isinstance(line, Cell))
    for statement, lines, measures in ((_ADD, groups, MEASURES), (_ADD_CELLS, cells, CELL_MEASURES)):
        rows = [(*line, *(deltas[line].get(name, 0) for name in measures)) for line in lines]
        if rows:
            connection.execute(statement, [list(column) for column in zip(*rows, strict=True)])
