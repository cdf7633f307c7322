"""Write events of a store into a file, as ``mailnod events --csv`` and ``--jsonl`` do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from mailnod.model import EventFilter, EventPage
from mailnod.report.rows import COLUMNS, list_columns, list_events
from mailnod.report.writing import Form, open_export, write_rows
from mailnod.store.sqlite import SQLiteStore

__all__ = ["Form", "Target", "Written", "count_events", "export_events", "look_at"]

_STEP = 500

#: What a name of a file leads to.
Target = Literal["none", "folder", "file", "new", "unusable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """How far an export is."""

    rows: int
    #: How far back the search of rare events came; None where it finds enough of them to say so by the rows.
    searched_to: datetime | None


def count_events(path: Path, filter: EventFilter) -> int:
    """Return how many events a filter lets through.

    :raises StoreError: the store cannot be read.
    """
    with closing(SQLiteStore(path, read_only=True)) as store:
        return store.count_events(filter)


def look_at(name: str) -> tuple[Path, Target]:
    """Return the path that somebody typed, and what is there.

    :param name: a tilde at its beginning is the home folder; one that is empty is "none".
    """
    path = Path(name.strip())
    if not name.strip():
        return path, "none"
    try:
        path = path.expanduser()
        if path.is_dir():
            return path, "folder"
        return path, "file" if path.exists() else "new"
    except (OSError, RuntimeError, ValueError):
        # It is too long, or behind a folder that may not be read, or the home of nobody.
        return path, "unusable"


def export_events(
    path: Path, filter: EventFilter, target: Path, form: Form, *, on_progress: Callable[[Written], None]
) -> int:
    """Write the events that a filter lets through, newest first, into a file for its owner alone.

    It bears its name once it is whole; a file of that name is replaced, and left as it was where anything raises.

    :param on_progress: is told now and then; what it raises ends the export.
    :returns: how many rows were written.
    :raises StoreError: the store cannot be read.
    :raises OSError: the file cannot be written.
    """
    if target.exists() and target.samefile(path):
        raise FileExistsError(17, "this is the store itself", str(target))
    written = 0
    searched_to: datetime | None = None

    def note_page(page: EventPage) -> None:
        nonlocal searched_to
        searched_to = page.searched_to
        on_progress(Written(rows=written, searched_to=searched_to))

    def note_row() -> None:
        nonlocal written
        written += 1
        if written % _STEP == 0:
            on_progress(Written(rows=written, searched_to=searched_to))

    with closing(SQLiteStore(path, read_only=True)) as store, open_export(target) as file:
        rows: Iterator[dict[str, object]] = map(list_columns, list_events(store, filter, on_page=note_page))
        write_rows(file, form, COLUMNS, rows, on_row=note_row)
        on_progress(Written(rows=written, searched_to=None))
    return written
