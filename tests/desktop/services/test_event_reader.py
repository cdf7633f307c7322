"""What the window reads of events is what the store has, part by part."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.store_contract import after, make_delivery, make_observation, make_verdict
from mailnod.model import EventFilter
from mailnod.store.browse import from_time
from mailnod.store.sqlite import SQLiteStore
from mailnod_desktop.services.event_reader import EventReader, find_tail, say_reasons, to_time


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    """Give a store with ten events, one in each second."""
    store = SQLiteStore(tmp_path / "mailnod.db")
    add(store, *range(10))
    yield store
    store.close()


@pytest.fixture
def reader(store: SQLiteStore, tmp_path: Path) -> Iterator[EventReader]:
    """Give a reader of it."""
    reader = EventReader(tmp_path / "mailnod.db")
    yield reader
    reader.close()


def add(store: SQLiteStore, *seconds: float) -> list[bytes]:
    """Publish events at some times, and return their ids."""
    delivery = make_delivery()
    hits = [make_observation(delivery.id, at=after(one)) for one in seconds]
    store.add_observations(hits, settle_s=0)
    store.publish([(hit, make_verdict()) for hit in hits], now=after(9999))
    return [hit.id for hit in hits]


def test_overview_says_what_there_is(reader: EventReader) -> None:
    """The number of events, and when the oldest and the newest were."""
    overview = reader.get_overview()
    assert (overview.events, overview.since, overview.until) == (10, after(0), after(9))


def test_poll_tells_what_a_list_lacks(store: SQLiteStore, reader: EventReader) -> None:
    """Without a write there is nothing to tell; new and late events above a slot are told, and known ones are not."""
    known = reader.find_part(EventFilter(), below=None, effort=1_000).slots
    first = reader.poll(EventFilter(), version=None, after=known[3], known=known)
    assert first is not None
    assert first.new.tolist() == []
    assert reader.poll(EventFilter(), version=first.state.version, after=known[3], known=known) is None
    add(store, 20, 7.5, 2.5)
    tail = reader.poll(EventFilter(), version=first.state.version, after=known[3], known=known)
    assert tail is not None
    assert [to_time(slot) for slot in tail.new] == [after(20), after(7.5)]


def test_comparison_tells_both_sides(store: SQLiteStore, reader: EventReader) -> None:
    """Slots that the list lacks, and slots that the store has no more."""
    known = reader.find_part(EventFilter(), below=None, effort=1_000).slots
    rows = reader.get_rows(known)
    add(store, 3.5, -5)
    store.remove_events([rows[2].id])
    lacking, gone = reader.compare(EventFilter(), known=known, effort=1_000, whole=True)
    assert [to_time(slot) for slot in lacking] == [after(3.5), after(-5)]
    assert gone.tolist() == [known[2]]
    lacking, gone = reader.compare(EventFilter(), known=known[:5], effort=1_000, whole=False)
    assert (lacking.tolist(), gone.tolist()) == ([], [known[2]])


def test_counting_goes_on_where_it_stopped(reader: EventReader) -> None:
    """Buckets come the newest first, within the bounds that were asked for."""
    edges = [after(one) for one in range(11)]
    stop = threading.Event()
    counted = reader.count(EventFilter(), edges, until_bucket=10, down_to=4, stop=stop)
    assert [number for number, _ in counted.counts] == [9, 8, 7, 6, 5, 4]
    assert {sum(counts) for _, counts in counted.counts} == {1}
    assert counted.rest == 4
    stop.set()
    assert reader.count(EventFilter(), edges, until_bucket=4, stop=stop).counts == ()


def test_a_clock_that_is_ahead_hides_nothing() -> None:
    """Where an event says that it is of tomorrow, today's are looked for all the same."""
    now = datetime.now(UTC)
    assert to_time(find_tail(from_time(now + timedelta(days=1)))) < now
    assert to_time(find_tail(from_time(after(0)))) == after(-5)
    assert find_tail(None) < from_time(after(-(10**9)))


def test_reasons_are_said_in_words() -> None:
    """A code that a rule of ours has becomes a sentence, and another one stays."""
    known, unknown = say_reasons(["method.head", "no.such.code"])
    assert known.endswith(".")
    assert known != "method.head"
    assert unknown == "no.such.code"
