"""Write judged events to Parquet files without identity, and read them back with DuckDB."""

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

from mailnod.errors import ConfigurationError
from mailnod.model import EventRecord
from mailnod.store.files import sync_path
from mailnod.store.rollups import name_link

if TYPE_CHECKING:
    import duckdb

__all__ = ["COLUMNS", "connect", "quote_path", "read_ids", "write_part"]

#: The columns of a part and their types. No address, Message-ID, subject, metadata, IP address, user agent or header is
#: among them, and of a link neither query nor fragment: an erasure in the store needs no file to be written again. What
#: ``delivery`` stands for only the store knows, for as long as it does. Times are in UTC.
COLUMNS = {
    "id": "UUID",
    "type": "VARCHAR",
    "occurred_at": "TIMESTAMP",
    "delivery": "VARCHAR",
    "campaign": "VARCHAR",
    "route": "VARCHAR",
    "tags": "VARCHAR[]",
    "test": "BOOLEAN",
    "link": "VARCHAR",
    "link_index": "INTEGER",
    "first": "BOOLEAN",
    "revision": "INTEGER",
    "classification": "VARCHAR",
    "machine": "BOOLEAN",
    "counts_for_metrics": "BOOLEAN",
    "probability": "UTINYINT",
    "proxy_type": "VARCHAR",
    "device_type": "VARCHAR",
    "client_type": "VARCHAR",
    "client_name": "VARCHAR",
    "ruleset": "VARCHAR",
}

#: Stands for NULL in the file between us and DuckDB; no value of ours is this long and this odd.
_NULL = "\x01null\x01"
#: DuckDB takes most of the machine's memory where nobody tells it otherwise.
_MEMORY = "512MB"


def connect() -> duckdb.DuckDBPyConnection:
    """Return a DuckDB in memory that fetches nothing.

    :raises ConfigurationError: the extra ``archive`` is not installed.
    """
    try:
        import duckdb
    except ImportError:
        raise ConfigurationError("the archive needs DuckDB; install it with: pip install 'mailnod[archive]'") from None
    connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"})
    connection.execute(f"SET memory_limit = '{_MEMORY}'")
    # What does not fit would lie in the working directory.
    connection.execute("SET temp_directory = '{}'".format(tempfile.gettempdir().replace("'", "''")))
    return connection


def quote_path(path: Path) -> str:
    """Return a path as DuckDB reads files by, which takes some characters for a pattern."""
    return re.sub(r"[*?\[]", r"[\g<0>]", str(path))


def write_part(records: Iterable[EventRecord], target: Path, *, check: Callable[[], None] = lambda: None) -> int:
    """Write events to one file, which stands complete and synced under its name or not at all.

    :param records: in the order in which they are to stand.
    :param check: called before the file gets its name; what it raises leaves everything as it was.
    :returns: how many were written, as the finished file counts them.
    """
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.new")
    with tempfile.TemporaryDirectory(prefix="mailnod-") as folder, connect() as connection:
        rows = Path(folder) / "rows.csv"
        with rows.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            csv.writer(file).writerows(map(_write_row, records))
        columns = ", ".join(f"'{name}': '{type_}'" for name, type_ in COLUMNS.items())
        read = f"read_csv($rows, header = false, auto_detect = false, nullstr = $null, columns = {{{columns}}})"
        # A statement's own parameters cannot name the file that it writes.
        name = str(beside).replace("'", "''")
        connection.execute(
            f"COPY (SELECT * FROM {read}) TO '{name}' (FORMAT parquet, COMPRESSION zstd)",  # noqa: S608
            {"rows": quote_path(rows), "null": _NULL},
        )
        ((written,),) = connection.execute("SELECT count(*) FROM read_parquet($1)", [quote_path(beside)]).fetchall()
    beside.chmod(0o600)
    sync_path(beside)
    check()
    beside.replace(target)
    sync_path(target.parent)
    return int(written)


def read_ids(part: Path) -> list[bytes]:
    """Return the ids of the events in a part."""
    with connect() as connection:
        return [
            id_.bytes for (id_,) in connection.execute("SELECT id FROM read_parquet($1)", [quote_path(part)]).fetchall()
        ]


def _write_row(record: EventRecord) -> Sequence[object]:
    event, delivery = record.event, record.delivery
    verdict = event.verdict
    values = (
        event.id.hex(),
        event.type,
        event.occurred_at.astimezone(UTC).replace(tzinfo=None).isoformat(),
        event.delivery_id.hex(),
        delivery and delivery.envelope.campaign,
        delivery and delivery.decision.route,
        delivery and _write_list(delivery.envelope.tags),
        bool(delivery and delivery.test),
        None if event.url is None else name_link(event.url),
        event.link_index,
        event.first,
        event.seq,
        verdict.classification.value,
        verdict.machine,
        verdict.counts_for_metrics,
        verdict.probability,
        verdict.proxy_type,
        verdict.device_type,
        verdict.client_type,
        verdict.client_name,
        verdict.ruleset,
    )
    return [_NULL if value is None else value for value in values]


def _write_list(items: Sequence[str]) -> str:
    """Return a list as DuckDB reads one from a text, every item in quotes."""
    quoted = (item.replace("\\", "\\\\").replace('"', '\\"') for item in items)
    return "[" + ", ".join(f'"{item}"' for item in quoted) + "]"
