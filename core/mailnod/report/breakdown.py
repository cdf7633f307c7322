"""Count the events of an archive and of the store together."""

from __future__ import annotations

import tempfile
from itertools import chain
from pathlib import Path
from typing import Literal

from mailnod.errors import ConfigurationError
from mailnod.model import BreakdownLine, EventFilter
from mailnod.report.parquet import connect, quote_path, write_part
from mailnod.store.base import Store
from mailnod.store.pages import list_pages

__all__ = ["BreakdownBy", "break_down"]

BreakdownBy = Literal["month", "campaign", "route", "link", "class", "client", "device"]

_KEYS: dict[BreakdownBy, str] = {
    "month": "strftime(occurred_at, '%Y-%m')",
    "campaign": "campaign",
    "route": "route",
    "link": "link",
    "class": "classification",
    "client": "client_name",
    "device": "device_type",
}
_PAGE = 2_000


def break_down(store: Store, folder: Path, *, by: BreakdownBy, limit: int = 100) -> list[BreakdownLine]:
    """Return the counts of the largest groups, tests left out; months come newest first.

    What an interrupted run has written and not yet removed counts once.

    :param folder: an archive, as :func:`mailnod.report.archive.archive` writes it.
    :raises ConfigurationError: DuckDB is not installed, or the folder is no archive.
    :raises StoreError: the store cannot be read.
    """
    parts = sorted(folder.glob("month=*/*.parquet"))
    if not parts:
        raise ConfigurationError(f"{str(folder)!r} holds no archive: name a folder that 'mailnod archive' wrote to")
    with tempfile.TemporaryDirectory(prefix="mailnod-") as temporary, connect() as connection:
        present = Path(temporary) / "present.parquet"
        pages = list_pages(store, EventFilter(limit=_PAGE))
        write_part(chain.from_iterable(pages), present)
        order = "key DESC" if by == "month" else "count(*) DESC, key"
        rows = connection.execute(
            f"""
            WITH archived AS (SELECT * FROM read_parquet($parts, hive_partitioning = false))
            SELECT coalesce({_KEYS[by]}, '') AS key,
                count(*) FILTER (human AND opened), count(DISTINCT delivery) FILTER (human AND opened),
                count(*) FILTER (human AND NOT opened), count(DISTINCT delivery) FILTER (human AND NOT opened),
                count(*) FILTER (machine AND opened), count(*) FILTER (machine AND NOT opened)
            FROM (
                SELECT *, type = 'message.opened' AS opened, counts_for_metrics AND NOT machine AS human
                FROM (
                    SELECT * FROM archived
                    UNION ALL BY NAME SELECT * FROM read_parquet($present) WHERE id NOT IN (SELECT id FROM archived)
                ) WHERE NOT test
            )
            GROUP BY key ORDER BY {order} LIMIT $limit
            """,  # noqa: S608
            {"parts": [quote_path(part) for part in parts], "present": quote_path(present), "limit": limit},
        ).fetchall()
    names = list(BreakdownLine.__dataclass_fields__)
    return [BreakdownLine(**dict(zip(names, row, strict=True))) for row in rows]
