"""Move old events out of the store into Parquet files, one folder for each month."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mailnod.clock import Clock
from mailnod.errors import ConfigurationError, StoreUnavailableError
from mailnod.model import EventFilter, EventRecord
from mailnod.report.parquet import read_ids, write_part
from mailnod.store.base import ARCHIVE_LEASE, Store
from mailnod.store.holding import Lease, name_holder
from mailnod.store.pages import list_pages

__all__ = ["Archived", "archive"]

#: Events that are read, or removed, at once: nobody who sends or collects waits for long.
PAGE = 2_000
#: Events in one file at most.
PART = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """What one run did."""

    moved: int = 0
    #: Old enough, and kept because their mail was recorded after that time, or may be: another hit would be taken for
    #: the first.
    kept: int = 0
    #: The files that were written, below the archive's folder.
    parts: tuple[str, ...] = ()


def archive(
    store: Store,
    folder: Path,
    *,
    before: datetime,
    clock: Clock,
    report: Callable[[int], None] = lambda _: None,
) -> Archived:
    """Move the events before a time into files, and finish what an earlier run began.

    A file is complete and noted in the store before an event is removed, and each run begins with what the last one
    left: however often it is killed, every event is in the store or in the archive, and in one of them when it is done.
    Counts stay in the store as they are.

    :param folder: where the files go, as ``month=2026-03/*.parquet``; made where it is not there.
    :param before: events of this time and later stay.
        Those of a mail whose links recorded after it stay too, and those of a mail that the store does not know.
    :param report: told how many events were looked at.
    :raises ConfigurationError: DuckDB is not installed, or a file that is needed to finish is not in the folder.
    :raises StoreUnavailableError: another run is at it; two would put the same events into two files.
    :raises StoreError: the store cannot be used.
    """
    holder = name_holder(secrets.token_hex(4))
    lease = Lease(store=store, clock=clock, holder=holder, name=ARCHIVE_LEASE)
    try:
        return _move(store, folder, before=before, lease=lease, report=report)
    finally:
        store.release_lease(ARCHIVE_LEASE, holder=holder)


def _move(store: Store, folder: Path, *, before: datetime, lease: Lease, report: Callable[[int], None]) -> Archived:
    _keep(lease)
    _finish(store, folder, lease)
    moved, kept, names = 0, 0, []
    for month, records, left in _gather(store, before=before, lease=lease, report=report):
        kept += left
        if not records:
            continue
        # The first event's id makes the name: a run that was killed before its part was noted writes the same again.
        name = f"month={month}/{records[0].event.id.hex()}.parquet"
        ids = [record.event.id for record in records]
        written = write_part(records, folder / name, check=lambda: _keep(lease))
        if written != len(ids):
            raise AssertionError(f"{written} of {len(ids)} events are in {name!r}; none was removed")
        store.note_part(name, done=False)
        moved += _remove(store, ids, lease)
        store.note_part(name, done=True)
        names.append(name)
    return Archived(moved=moved, kept=kept, parts=tuple(names))


def _finish(store: Store, folder: Path, lease: Lease) -> None:
    for name in store.get_unfinished_parts():
        if not (folder / name).exists():
            raise ConfigurationError(
                f"an earlier run ended while it moved {name!r}, which is not in {str(folder)!r}: "
                "name the folder that it wrote to"
            )
        _remove(store, read_ids(folder / name), lease)
        store.note_part(name, done=True)


def _remove(store: Store, ids: list[bytes], lease: Lease) -> int:
    removed = 0
    for start in range(0, len(ids), PAGE):
        _keep(lease)
        removed += store.remove_events(ids[start : start + PAGE])
    return removed


def _keep(lease: Lease) -> None:
    if not lease.keep():
        raise StoreUnavailableError("somebody else is moving events into an archive; try again when they have ended")


def _gather(
    store: Store, *, before: datetime, lease: Lease, report: Callable[[int], None]
) -> Iterator[tuple[str, list[EventRecord], int]]:
    """Yield month by month what one file takes, and how many events beside it must stay."""
    month, taken, kept = "", list[EventRecord](), 0
    for page in list_pages(store, EventFilter(until=before, limit=PAGE)):
        for record in page:
            at = record.event.occurred_at
            if taken and (f"{at:%Y-%m}" != month or len(taken) == PART):
                yield month, taken, kept
                taken, kept = [], 0
            month = f"{at:%Y-%m}"
            if _is_over(record, before):
                taken.append(record)
            else:
                kept += 1
        report(len(page))
        _keep(lease)
    yield month, taken, kept


def _is_over(record: EventRecord, before: datetime) -> bool:
    """Return whether no hit of an event's mail was recorded after a time, so that all of them go together."""
    delivery = record.delivery
    return delivery is not None and delivery.expires_at is not None and delivery.expires_at <= before
