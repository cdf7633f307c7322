"""The SQLite store as a file: who may open it, what happens when it breaks, and what it leaves behind."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from contracts.store_contract import DENIED, T0, after, make_consent, make_delivery, make_observation, make_verdict
from mailnod.errors import StoreBugError, StoreUnavailableError
from mailnod.model import DeliveryState, EventFilter, KeptBody
from mailnod.report.retention import Retention, sweep
from mailnod.store.retention import rewrite_raw
from mailnod.store.sqlite import SQLiteStore

IMPORTS = """
import sys
import mailnod.store.sqlite, mailnod.store.journal, mailnod.store.drain, mailnod.store.ids
print("sqlite_utils" in sys.modules)
"""
FORK = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from mailnod.model import ConsentRecord, ConsentState
from mailnod.store.sqlite import SQLiteStore

store = SQLiteStore(Path(sys.argv[1]))

def grant(name):
    record = ConsentRecord(
        recorded_at=datetime.now(UTC), purpose="p", opens=ConsentState.GRANTED, clicks=ConsentState.GRANTED, source="x"
    )
    store.record_consent(name, record)

if sys.argv[2] == "preload":
    grant("parent@example.com")
children = []
for child in range(4):
    pid = os.fork()
    if not pid:
        for i in range(10):
            grant(f"{child}-{i}@example.com")
        # An ordinary exit, which ends the interpreter and all objects in it.
        sys.exit(0)
    children.append(pid)
assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
grant("parent@example.com")
assert store.check() == []
"""


def test_nothing_is_made_before_the_first_call(database: Path) -> None:
    """A store that is made and closed touches no disk."""
    SQLiteStore(database).close()
    assert not database.parent.exists()


def test_file_is_its_owner_s_alone(database: Path, store: SQLiteStore) -> None:
    """The folder, the file and the files that SQLite keeps beside it are closed to other users."""
    store.add_deliveries([make_delivery()])
    assert database.parent.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in database.parent.iterdir()} == {0o600}


def test_heavy_modules_load_on_first_use() -> None:
    """Importing the store does not load sqlite-utils, which costs a tenth of a second."""
    assert subprocess.check_output([sys.executable, "-c", IMPORTS], text=True).strip() == "False"


def test_every_commit_is_synced(store: SQLiteStore) -> None:
    """Connections write ahead, sync every commit, overwrite what is deleted, and check foreign keys."""
    with store._database.write() as connection:
        settings = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "secure_delete", "foreign_keys")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1, "foreign_keys": 1}


def test_reader_sees_what_a_writer_commits(database: Path, store: SQLiteStore) -> None:
    """A read-only store beside a writer sees each commit, also while the writer holds its lock."""
    reader = SQLiteStore(database, read_only=True)
    first, second = make_delivery(), make_delivery()
    store.add_deliveries([first])
    assert reader.get_deliveries() == [first]
    with store._database.write():
        assert reader.get_deliveries() == [first]
    store.add_deliveries([second])
    assert reader.get_deliveries() == [second, first]
    reader.close()


def test_reader_needs_no_writer(database: Path, store: SQLiteStore) -> None:
    """A read-only store opens a file that nobody else has open."""
    store.add_deliveries([make_delivery()])
    store.close()
    reader = SQLiteStore(database, read_only=True)
    assert len(reader.get_deliveries()) == 1
    assert reader.check() == []
    reader.close()


def test_reader_writes_nothing(database: Path, store: SQLiteStore) -> None:
    """A read-only store refuses to write and says why."""
    store.add_deliveries([make_delivery()])
    reader = SQLiteStore(database, read_only=True)
    with pytest.raises(StoreUnavailableError, match="opened read-only"):
        reader.add_deliveries([make_delivery()])
    reader.close()


def test_reader_makes_nothing(database: Path) -> None:
    """A read-only store of a missing file names it and leaves the disk as it is."""
    with pytest.raises(StoreUnavailableError, match=r"no database at '.*mailnod\.db'"):
        SQLiteStore(database, read_only=True).get_deliveries()
    assert not database.parent.exists()


def test_removed_file_is_not_begun_anew(database: Path, store: SQLiteStore) -> None:
    """A database that vanishes in use is an error, because a new one would have forgotten every denial."""
    store.record_consent("ann@example.com", make_consent(DENIED))
    for path in database.parent.iterdir():
        path.unlink()
    with pytest.raises(StoreUnavailableError, match="removed while in use"):
        store.get_consent("ann@example.com", purpose="statistics")
    with pytest.raises(StoreUnavailableError, match="removed while in use"):
        store.add_deliveries([make_delivery()])
    assert not database.exists()


def test_restored_file_is_opened(database: Path, store: SQLiteStore, tmp_path: Path) -> None:
    """A backup that takes the file's place is used from the next call on."""
    delivery = make_delivery()
    store.add_deliveries([delivery])
    store.close()
    backup = database.read_bytes()
    store.add_deliveries([make_delivery()])
    store.close()
    (tmp_path / "backup").write_bytes(backup)
    store.get_deliveries()
    for path in database.parent.iterdir():
        path.unlink()
    (tmp_path / "backup").rename(database)
    assert store.get_deliveries() == [delivery]


def test_file_that_is_no_database_is_reported(tmp_path: Path) -> None:
    """A file of rubbish is an error that names it, in every method, and check says so in words."""
    path = tmp_path / "mailnod.db"
    path.write_bytes(b"rubbish " * 1000)
    store = SQLiteStore(path)
    with pytest.raises(StoreUnavailableError, match=r"not an SQLite database: '.*mailnod\.db'"):
        store.get_deliveries()
    assert "not an SQLite database" in store.check()[0]
    assert path.read_bytes() == b"rubbish " * 1000


def test_damaged_pages_are_found_by_check(database: Path, store: SQLiteStore) -> None:
    """Damage that statements may not notice is found when everything is read."""
    for _ in range(50):
        store.add_deliveries([make_delivery(subject="x" * 500)])
    store.close()
    with database.open("r+b") as file:
        file.seek(database.stat().st_size - 3 * 4096)
        file.write(b"\xff" * 4096 * 2)
    assert store.check() != []


def test_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    """A path below a file is an error of the environment."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailableError, match="file"):
        SQLiteStore(tmp_path / "file" / "mailnod.db").get_deliveries()


def test_directory_is_no_database(tmp_path: Path) -> None:
    """A path that is a folder is an error of the environment."""
    with pytest.raises(StoreUnavailableError, match="is a folder"):
        SQLiteStore(tmp_path).get_deliveries()


def test_full_disk_is_reported_and_recovered_from(small_disk: Path) -> None:
    """On a full disk a write fails whole, reading goes on, and writing too when there is room again."""
    store = SQLiteStore(small_disk / "mailnod.db", monotonic=count(step=60).__next__)
    delivery = make_delivery()
    store.add_deliveries([delivery])
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space left"):
        ballast.write_bytes(bytes(2_000_000))
    with pytest.raises(StoreUnavailableError, match="full"):
        store.add_deliveries([make_delivery(subject="x" * 1_000_000)])
    assert store.get_deliveries() == [delivery]
    ballast.unlink()
    store.add_deliveries([make_delivery()])
    assert len(store.get_deliveries()) == 2
    assert store.check() == []
    store.close()


def test_read_only_disk_is_reported(small_disk: Path) -> None:
    """On a disk that turned read-only calls fail as unavailable, and go on when it can be written again."""
    store = SQLiteStore(small_disk / "mailnod.db", monotonic=count(step=60).__next__)
    store.add_deliveries([make_delivery()])
    store.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StoreUnavailableError, match=r"mailnod\.db"):
        store.add_deliveries([make_delivery()])
    with pytest.raises(StoreUnavailableError, match=r"mailnod\.db"):
        store.get_deliveries()
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    store.add_deliveries([make_delivery()])
    assert len(store.get_deliveries()) == 2
    store.close()


def test_lock_of_another_process_is_reported_after_the_timeout(database: Path, store: SQLiteStore) -> None:
    """A writer that never lets go makes a call fail as unavailable, and the next one succeeds when it has gone."""
    store.add_deliveries([make_delivery()])
    blocker = sqlite3.connect(database, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    impatient = SQLiteStore(database, busy_timeout_s=0.01, monotonic=count(step=60).__next__)
    with pytest.raises(StoreUnavailableError, match="locked"):
        impatient.add_deliveries([make_delivery()])
    assert len(impatient.get_deliveries()) == 1
    blocker.execute("ROLLBACK")
    blocker.close()
    impatient.add_deliveries([make_delivery()])
    impatient.close()


def test_locked_store_costs_a_campaign_one_wait(database: Path, store: SQLiteStore) -> None:
    """After a call that a mail waits for has failed, such calls fail at once for five seconds, and others go on."""
    delivery = make_delivery()
    store.add_deliveries([delivery])
    blocker = sqlite3.connect(database, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    now = [0.0]
    sender = SQLiteStore(database, busy_timeout_s=60, monotonic=lambda: now[0])
    started = time.monotonic()
    with pytest.raises(StoreUnavailableError, match="locked"):
        sender.add_deliveries([make_delivery()])
    assert time.monotonic() - started < 30
    blocker.execute("ROLLBACK")
    blocker.close()
    calls: list[Callable[[], object]] = [
        lambda: sender.add_deliveries([make_delivery()]),
        lambda: sender.set_delivery_states([delivery.id], DeliveryState.ACCEPTED, at=T0),
        lambda: sender.get_consent("ann@example.com", purpose="statistics"),
        sender.get_consent_mark,
    ]
    now[0] = 4.9
    for call in calls:
        with pytest.raises(StoreUnavailableError, match="not tried again for 5 s after: .*locked"):
            call()
    sender.record_consent("ann@example.com", make_consent(DENIED))
    assert len(sender.get_deliveries()) == 1
    now[0] = 5.0
    for call in calls:
        call()
    assert len(sender.get_deliveries()) == 2
    sender.close()


def test_broken_schema_is_our_bug(database: Path, store: SQLiteStore) -> None:
    """A statement that SQLite does not understand is not blamed on the environment."""
    store.add_deliveries([make_delivery()])
    with sqlite3.connect(database) as connection:
        connection.execute("DROP TABLE rollups")
    connection.close()
    with pytest.raises(StoreBugError, match="rollups"):
        store.get_metrics()


def test_failed_call_leaves_nothing_behind(database: Path, store: SQLiteStore) -> None:
    """Where a write fails midway, none of it is kept, and the store goes on."""
    delivery = make_delivery()
    store.add_deliveries([delivery])
    with sqlite3.connect(database) as connection:
        connection.execute("ALTER TABLE rollups RENAME TO gone")
    observation = make_observation(delivery.id)
    store.add_observations([observation], settle_s=0)
    with pytest.raises(StoreBugError):
        store.publish([(observation, make_verdict())], now=T0)
    assert store.get_verdicts(observation.id) == []
    assert store.get_due(now=T0) == [observation]
    with connection:
        connection.execute("ALTER TABLE gone RENAME TO rollups")
    connection.close()
    assert len(store.publish([(observation, make_verdict())], now=T0)) == 1


def test_threads_share_a_store(store: SQLiteStore) -> None:
    """Deliveries written by many threads at once are all there, and ended threads leave no connection open."""

    def work() -> None:
        for _ in range(10):
            store.add_deliveries([make_delivery()])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.get_deliveries(limit=1000)) == 80
    assert len(store._database._connections.get().all) == 1


def test_first_use_by_many_processes_at_once(database: Path) -> None:
    """Processes that open a new store together agree on one schema and one key."""
    command = [sys.executable, "-c", FORK, str(database), "fresh"]
    assert subprocess.run(command, timeout=120).returncode == 0
    with_all = SQLiteStore(database)
    assert len([i for i in range(4) if with_all.get_consent_history(f"{i}-9@example.com")]) == 4
    with_all.close()


def test_fork_opens_anew(database: Path) -> None:
    """Children of a process that used the store write to it, exit, and leave the parent's connection sound."""
    command = [sys.executable, "-c", FORK, str(database), "preload"]
    assert subprocess.run(command, timeout=120).returncode == 0
    store = SQLiteStore(database)
    assert len(store.get_consent_history("parent@example.com")) == 2
    store.close()


def test_erased_recipient_is_in_no_file(database: Path, store: SQLiteStore) -> None:
    """An address stands in one row alone: when it is deleted, no file of the store holds the address."""
    delivery = make_delivery("canary-4711@example.com", "bo@example.com")
    store.add_deliveries([delivery])
    store.record_consent("canary-4711@example.com", make_consent(DENIED))
    with store._database.write() as connection:
        connection.execute("DELETE FROM recipients WHERE address LIKE 'canary%'")
    assert store.get_deliveries()[0].envelope.recipients == ("", "bo@example.com")
    assert store.get_deliveries()[0].recipient is None
    assert store.get_consent("canary-4711@example.com", purpose="statistics").opens is DENIED
    assert store.check() == []
    store.close()
    assert [path for path in database.parent.iterdir() if b"canary-4711" in path.read_bytes()] == []


def test_addresses_stand_in_no_other_table(database: Path, store: SQLiteStore) -> None:
    """Of all tables only recipients holds an address."""
    delivery = make_delivery("canary-4711@example.com")
    store.add_deliveries([delivery])
    store.record_consent("Canary-4711@example.com", make_consent(DENIED))
    observation = make_observation(delivery.id, at=after(1))
    store.add_observations([observation], settle_s=0)
    store.publish([(observation, make_verdict())], now=T0)
    store.get_events(EventFilter(recipient="canary-4711@example.com"))
    store.close()
    connection = sqlite3.connect(database)
    holding = {line.split('"')[1] for line in connection.iterdump() if "canary-4711" in line.lower()}
    connection.close()
    assert holding == {"recipients"}


def test_user_agents_are_stored_once(database: Path, store: SQLiteStore) -> None:
    """A hundred hits by the same client share one user agent."""
    store.add_observations([make_observation(b"8 bytes.", user_agent="Mail") for _ in range(100)], settle_s=0)
    with store._database.read() as connection:
        assert connection.execute("SELECT value FROM user_agents").fetchall() == [("Mail",)]


def test_no_page_keeps_bytes_of_what_was_erased(database: Path, store: SQLiteStore) -> None:
    """Of thousands of clients none can be found in the file once their hits are minimised, however pages split."""
    pick = random.Random(7)
    delivery = make_delivery()
    store.add_deliveries([delivery])
    clients = [f"{pick.getrandbits(64):016x}" for _ in range(2_000)]
    for start in range(0, len(clients), 250):
        hits = [
            make_observation(
                delivery.id,
                at=after(3600 * (start + number)),
                ip=f"10.{client[0:2]}.{client}",
                user_agent=f"Agent/{client}" + "x" * pick.randrange(200),
                headers={"accept": client + "y" * pick.randrange(200)},
            )
            for number, client in enumerate(clients[start : start + 250])
        ]
        store.add_observations(hits, settle_s=0)
        store.publish([(hit, make_verdict()) for hit in hits], now=T0)
        cursor: int | None = 0
        old = max(start - 250, 0)
        while cursor is not None:
            cutoff = after(3600 * old)
            _, cursor = store.minimise(cutoff, cutoffs={}, name_network=lambda _: None, after=cursor)
        assert store.scrub()
        content = b"".join(path.read_bytes() for path in database.parent.iterdir())
        assert [client for client in clients[:old] if client.encode() in content] == []


@pytest.mark.parametrize(("length", "written_anew"), [(10_000, True), (1_000_000, False)])
def test_large_bodies_are_not_all_written_anew(store: SQLiteStore, length: int, written_anew: bool) -> None:
    """A sweep holds no sender up for the time that it would take to write many megabytes of bodies once more."""
    deliveries = [make_delivery() for _ in range(9)]
    store.add_deliveries(deliveries)
    pick = random.Random(5)
    # Of sixteen characters, of which two are compressed to a byte.
    texts = [pick.randbytes(length).hex() for _ in deliveries]
    store.keep_bodies([KeptBody(d.id, (text,), after(60)) for d, text in zip(deliveries, texts, strict=True)])
    with store._database.write() as connection:
        before = connection.total_changes
        rewrite_raw(connection)
        assert (connection.total_changes > before) is written_anew
    assert [store.get_body(delivery.id, now=T0) for delivery in deliveries] == [(text,) for text in texts]


def test_large_bodies_are_erased_some_at_a_time(store: SQLiteStore) -> None:
    """One transaction erases some megabytes at most, and what many share but once; a sweep erases them all."""
    deliveries = [make_delivery() for _ in range(12)]
    store.add_deliveries(deliveries)
    pick = random.Random(6)
    texts = [pick.randbytes(5_000_000).hex() for _ in range(3)]
    kept = [KeptBody(delivery.id, (texts[i // 4],), after(i)) for i, delivery in enumerate(deliveries)]
    store.keep_bodies(kept)
    assert [store.erase_bodies(after(60)) for _ in range(4)] == [4, 4, 4, 0]
    store.keep_bodies(kept)
    swept = sweep(store, retention=Retention(), now=after(60), name_network=lambda _: None)
    assert (swept.bodies, swept.clean) == (12, True)


def test_links_of_a_template_are_stored_once(store: SQLiteStore) -> None:
    """However many deliveries have the same short links, these stand in the store once, and a delivery names them."""
    destinations = {0: "https://shop.example/0", 1: "https://shop.example/1"}
    store.add_deliveries([make_delivery(destinations=destinations) for _ in range(3)])
    store.add_deliveries([make_delivery(destinations=dict(destinations)), make_delivery()])
    with store._database.read() as connection:
        assert connection.execute("SELECT count(*) FROM link_sets").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM short_links").fetchone() == (4,)
