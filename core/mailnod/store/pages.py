"""Go through all events of any store, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from mailnod.model import EventFilter, EventRecord
from mailnod.store.base import Store

__all__ = ["list_pages"]


def list_pages(store: Store, filter: EventFilter) -> Iterator[Sequence[EventRecord]]:
    """Yield events with their latest verdict, oldest first; each page is read when it is asked for.

    :param filter: its limit is that of each page. Events of pages that were given may be removed meanwhile.
    """
    after: tuple[datetime, bytes] | None = None
    while page := store.get_judged(filter, after=after):
        yield page
        after = page[-1].event.occurred_at, page[-1].event.id
