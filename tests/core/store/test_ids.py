"""Identifiers: UUIDs of version 7 that rise."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from mailnod.store.ids import new_id

#: Later than any clock that other tests hand in, because ids never go back within a process.
NOW = datetime(2031, 5, 6, 7, 8, 9, 123_456, tzinfo=UTC)


def test_id_is_a_uuid_of_version_7() -> None:
    """Version, variant and the milliseconds stand where RFC 9562, section 5.7 puts them."""
    id_ = uuid.UUID(bytes=new_id(NOW))
    assert id_.version == 7
    assert id_.variant == uuid.RFC_4122
    assert id_.int >> 80 == int(NOW.timestamp() * 1000)


def test_ids_rise_with_the_microsecond() -> None:
    """A later microsecond gives a greater id."""
    ids = [new_id(NOW + timedelta(seconds=1, microseconds=i)) for i in range(3000)]
    assert all(a < b for a, b in pairwise(ids))


def test_ids_rise_while_the_clock_stands_or_goes_back() -> None:
    """Neither a frozen clock nor one that is set back a day repeats or lowers an id."""
    late = NOW + timedelta(seconds=2)
    ids = [new_id(late) for _ in range(5000)] + [new_id(late - timedelta(days=1)) for _ in range(5000)]
    assert all(a < b for a, b in pairwise(ids))


def test_ids_of_many_threads_differ() -> None:
    """Threads that ask at the same moment get different ids."""
    ids: list[bytes] = []
    threads = [threading.Thread(target=lambda: ids.extend(new_id(NOW) for _ in range(500))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 4000
