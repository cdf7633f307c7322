"""Looking through a store finds what the store itself finds, and never writes to it."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.store_contract import after, make_delivery, make_observation, make_verdict
from core.store.test_search import fill
from mailnod.errors import StoreUnavailableError
from mailnod.model import Classification, EventFilter, Term, TermField
from mailnod.store.browse import Browser, to_time
from mailnod.store.sqlite import SQLiteStore

FIELDS: dict[TermField, tuple[str, ...]] = {
    "rcpt": ("example.com", "@bücher.example"),
    "text": ("e", "%"),
    "tag": ("%", "null"),
    "class": ("genuine", "suspicious"),
    "is": ("first",),
}
FILTERS = [
    EventFilter(),
    EventFilter(kind="click"),
    EventFilter(machine=False, since=after(3), until=after(11)),
    EventFilter(campaign="a_b"),
    EventFilter(recipient="ann@example.com"),
    *(
        EventFilter(terms=(Term(field=field, values=values, negated=negated),))
        for negated in (False, True)
        for field, values in FIELDS.items()
    ),
]


@pytest.fixture
def browser(store: SQLiteStore, database: Path) -> Browser:
    """Give a browser of a store with 45 odd events."""
    fill(store, random.Random(3))
    return Browser(database)


@pytest.mark.parametrize("filter", FILTERS, ids=str)
def test_parts_hold_what_a_search_finds(store: SQLiteStore, browser: Browser, filter: EventFilter) -> None:
    """However small the parts, together they are what the store's own search finds, newest first."""
    expected = [record.event.id for record in store.get_events(replace(filter, limit=10_000))]
    for effort in (1, 100_000):
        found = [slot for part in browser.find_parts(filter, effort=effort) for slot in part.slots]
        assert [row.id for row in browser.get_rows(found)] == expected
    assert browser.count(filter) == len(expected)


def test_many_events_come_in_parts_that_join(store: SQLiteStore, database: Path) -> None:
    """A part ends at its floor, the next one begins below it, and none is missing or doubled."""
    delivery = make_delivery()
    store.add_deliveries([delivery])
    hits = [make_observation(delivery.id, at=after(number / 100)) for number in range(300)]
    store.add_observations(hits, settle_s=0)
    store.publish([(hit, make_verdict()) for hit in hits], now=after(9999))
    browser = Browser(database)
    parts = list(browser.find_parts(EventFilter(), effort=120))
    assert [len(part.slots) for part in parts] == [120, 120, 60]
    assert [slot for part in parts for slot in part.slots] == sorted(
        (slot for part in parts for slot in part.slots), reverse=True
    )
    by_mailing = EventFilter(route=delivery.decision.route)
    assert [slot for part in browser.find_parts(by_mailing, effort=70) for slot in part.slots] == [
        slot for part in parts for slot in part.slots
    ]


def test_a_row_says_what_the_store_knows(store: SQLiteStore, browser: Browser) -> None:
    """Each row agrees with the whole record of its event."""
    records = store.get_events(EventFilter(limit=10_000))
    rows = browser.get_rows(browser.find_part(EventFilter()).slots)
    for row, record in zip(rows, records, strict=True):
        event, delivery, verdict = record.event, record.delivery, record.event.verdict
        assert (row.at, row.url, row.revision, row.first) == (event.occurred_at, event.url, event.seq, event.first)
        assert (row.classification, row.machine) == (verdict.classification, verdict.machine)
        assert (row.reasons, row.client, row.proxy) == (verdict.reason_codes, verdict.client_name, verdict.proxy_type)
        assert row.probability == verdict.probability
        assert row.ip == record.observation.hit.ip
        if delivery is None:
            assert (row.recipient, row.recipients, row.subject, row.test) == (None, 0, None, False)
        else:
            envelope = delivery.envelope
            assert (row.recipient, row.recipients) == (envelope.recipients[0], len(envelope.recipients))
            assert (row.subject, row.message_id) == (envelope.subject, envelope.message_id)
            assert (row.campaign, row.test) == (envelope.campaign, delivery.test)


@pytest.mark.parametrize("filter", FILTERS, ids=str)
def test_timeline_counts_what_a_search_finds(store: SQLiteStore, browser: Browser, filter: EventFilter) -> None:
    """Each bucket holds the filter's events from its beginning up to its end, by class."""
    edges = [after(seconds) for seconds in (-10, 2, 3, 5, 11, 20)]
    records = store.get_events(replace(filter, limit=10_000))
    for number, counts in browser.get_timeline(filter, edges):
        within = [r.event for r in records if edges[number] <= r.event.occurred_at < edges[number + 1]]
        assert counts == tuple(sum(e.verdict.classification is c for e in within) for c in Classification)
    assert [number for number, _ in browser.get_timeline(filter, edges)] == [4, 3, 2, 1, 0]


def test_work_ends_where_it_is_told_to(browser: Browser) -> None:
    """Whoever does not want the rest any more is given none of it."""
    assert list(browser.find_parts(EventFilter(), stop=lambda: True)) == []
    assert list(browser.get_timeline(EventFilter(), [after(0), after(9)], stop=lambda: True)) == []


def test_state_tells_a_write_from_none(store: SQLiteStore, browser: Browser) -> None:
    """The version stays while nobody writes, and is another one after a write; new events are found above a slot."""
    state = browser.get_state()
    assert browser.get_state() == state
    assert state.newest is not None
    assert browser.find_new(EventFilter(), after=state.newest).slots.tolist() == []
    hit = make_observation(make_delivery().id, at=after(600))
    store.add_observations([hit], settle_s=0)
    store.publish([(hit, make_verdict())], now=after(9999))
    later = browser.get_state()
    assert later.version != state.version
    assert later.newest is not None
    assert to_time(later.newest) == after(600)
    assert browser.find_new(EventFilter(), after=state.newest).slots.tolist() == [later.newest]
    assert browser.find_new(EventFilter(kind="click"), after=state.newest).slots.tolist() == []
    assert browser.count_all() == 46


def test_removed_events_are_missing(store: SQLiteStore, browser: Browser) -> None:
    """A slot whose event was removed meanwhile gives no row, and the others give theirs."""
    found = browser.find_part(EventFilter()).slots
    rows = browser.get_rows(found)
    store.remove_events([rows[0].id])
    assert browser.get_rows(found) == rows[1:]


def test_nothing_is_written(store: SQLiteStore, browser: Browser, database: Path) -> None:
    """A browser's connection refuses every statement that would change the file."""
    store.close()
    before = database.read_bytes()
    browser.count(EventFilter())
    list(browser.get_timeline(EventFilter(), [after(0), after(9)]))
    browser.close()
    assert database.read_bytes() == before


def test_missing_foreign_and_older_files_are_told_apart(tmp_path: Path) -> None:
    """Each file that cannot be read is refused with words that say what to do."""
    path = tmp_path / "mailnod.db"
    with pytest.raises(StoreUnavailableError, match="there is no database at .*; it is made when the app first sends"):
        Browser(path).get_state()
    assert not path.exists()
    path.write_bytes(b"no database at all, and longer than the header of one" * 40)
    with pytest.raises(StoreUnavailableError, match="not an SQLite database.*DATABASE setting"):
        Browser(path).get_state()
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE other (x)")
    with pytest.raises(StoreUnavailableError, match="belongs to another program"):
        Browser(path).get_state()
    path.write_bytes(b"")
    with pytest.raises(StoreUnavailableError, match="brings it up to date"):
        Browser(path).get_state()
    with pytest.raises(StoreUnavailableError, match="is a folder"):
        Browser(tmp_path).get_state()


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [("verdicts", "reason_codes", "x"), ("verdicts", "classification", "x"), ("observations", "id", "x")],
)
def test_rows_that_nobody_could_have_written_are_told(
    store: SQLiteStore, browser: Browser, database: Path, table: str, column: str, value: object
) -> None:
    """A file that was damaged or prepared is said to be, whatever stands in it."""
    fill(store, random.Random(1))
    slots = browser.find_part(EventFilter()).slots
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("DROP TRIGGER observations_stay")
        connection.execute(f"UPDATE {table} SET {column} = ?", (value,))
    with pytest.raises(StoreUnavailableError, match="never writes"):
        browser.get_rows(slots)


def test_locked_store_is_told(store: SQLiteStore, browser: Browser, database: Path) -> None:
    """A file that another process holds for itself alone is said to be locked, and to be tried again."""
    store.close()
    browser.close()
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("INSERT INTO names (name) VALUES ('x')")
        with pytest.raises(StoreUnavailableError, match="locked by another process.*try again in a moment"):
            browser.get_state()
        connection.execute("ROLLBACK")


@pytest.mark.skipif(os.geteuid() != 0, reason="root: needed to be somebody else")
@pytest.mark.parametrize("hidden", ["folder", "file", "log"])
def test_file_of_another_user_is_told(tmp_path: Path, hidden: str) -> None:
    """Who may not read the folder, the file, or share the log of a dead process is told to ask for a snapshot."""
    folder = tmp_path / "data"
    store = SQLiteStore(folder / "mailnod.db")
    fill(store, random.Random(1))
    store.close()
    folder.chmod(0o700 if hidden == "folder" else 0o755)
    (folder / "mailnod.db").chmod(0o644 if hidden == "log" else 0o600)
    code = """if True:
        import os, sys
        from pathlib import Path
        from mailnod.errors import StoreUnavailableError
        from mailnod.store.browse import Browser
        os.setuid(65534)
        try:
            print(Browser(Path(sys.argv[1])).get_state())
        except StoreUnavailableError as error:
            print(error)
    """
    for above in [tmp_path, *tmp_path.parents]:
        if above.stat().st_uid == 0 and above != Path("/") and not above.stat().st_mode & 0o001:
            above.chmod(0o711)
    said = subprocess.run(
        [sys.executable, "-c", code, str(folder / "mailnod.db")], capture_output=True, text=True, check=True
    )
    assert "mailnod snapshot" in said.stdout


def test_slots_say_their_times() -> None:
    """The time of a slot is that of the hit."""
    at = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)
    micros = (at - datetime(2020, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert to_time(micros << 12 | 7) == at
