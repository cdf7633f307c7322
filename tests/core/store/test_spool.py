"""The spool: what no journal takes is kept elsewhere, and comes into the store by itself, once."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.store_contract import DENIED, T0, after, make_consent, make_delivery, make_observation
from mailnod.errors import StoreError, StoreUnavailableError
from mailnod.model import Observation, Overflow
from mailnod.store.drain import drain
from mailnod.store.journal import Journal
from mailnod.store.spool import Spool, find_folders, measure
from mailnod.store.sqlite import SQLiteStore

LIMIT = 10_000_000
#: A busy machine's disk must not make a hit late.
LIMIT_S = 60.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Name a folder of journals that cannot be made."""
    (tmp_path / "broken").write_text("")
    return tmp_path / "broken" / "journals"


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """Name a folder for a spool that is not there yet."""
    return tmp_path / "elsewhere" / "spool"


def make_observations(count: int, delivery_id: bytes = b"8 bytes.") -> list[Observation]:
    """Make hits, one after the other."""
    return [make_observation(delivery_id, at=after(i), user_agent="Mail\n\x00\ud800") for i in range(count)]


def get_stored(store: SQLiteStore) -> list[bytes]:
    """Return the ids of everything that waits in the store, by time."""
    return [observation.id for observation in store.get_due(now=after(1e9), limit=100_000)]


def write(spool: Path, items: Sequence[Observation | Overflow]) -> Path:
    """Leave one spool file, each item in a write of its own, and return it."""
    writer = Spool([spool], limit_bytes=LIMIT)
    for item in items:
        writer.write([item])
    (path,) = spool.iterdir()
    return path


def replay(store: SQLiteStore, *spools: Path) -> int:
    """Drain spools alone."""
    return drain(Path("/nonexistent"), store, settle_s=0, spool_folders=spools)


def test_hits_that_no_journal_takes_come_back(folder: Path, spool: Path, store: SQLiteStore) -> None:
    """With a journal that cannot be made every hit goes to the spool, for this user alone, and comes from there."""
    journal = Journal(folder, patience_s=LIMIT_S, spool_folders=[spool])
    observations = make_observations(20)
    for observation in observations:
        journal.append(observation)
    assert (journal.counts.journaled, journal.counts.spooled, journal.counts.lost) == (0, 20, 0)
    assert spool.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in spool.iterdir()} == {0o600}
    assert drain(folder, store, settle_s=0, spool_folders=[spool]) == 20
    assert get_stored(store) == [observation.id for observation in observations]
    assert list(spool.iterdir()) == []
    assert store.get_due(now=after(1e9))[0].hit.user_agent == "Mail\n??"
    journal.close()


def test_journal_is_tried_again_after_a_second(folder: Path, spool: Path, store: SQLiteStore) -> None:
    """A failing journal is left alone for a second, and goes on by itself when it works again."""
    now = [0.0]
    journal = Journal(folder, patience_s=LIMIT_S, spool_folders=[spool], monotonic=lambda: now[0])
    journal.append(make_observation(b"8 bytes."))
    folder.parent.unlink()
    journal.append(make_observation(b"8 bytes."))
    assert not folder.exists()
    now[0] = 1.0
    journal.append(make_observation(b"8 bytes."))
    assert (journal.counts.journaled, journal.counts.spooled) == (1, 2)
    journal.close()
    assert drain(folder, store, settle_s=0, spool_folders=[spool]) == 3


def test_count_of_losses_is_written_whatever_failed_after_them(
    folder: Path, spool: Path, store: SQLiteStore, tmp_path: Path
) -> None:
    """A count beyond a cap that no disk takes either leaves the count of what was lost to be written later."""
    now = [0.0]
    blocked = tmp_path / "blocked"
    blocked.touch()
    journal = Journal(folder, patience_s=LIMIT_S, spool_folders=[blocked], monotonic=lambda: now[0])
    journal.lose("open", 3)
    capped = Overflow(id=bytes(16), reason="token", key="k", kind="open", first_at=after(0), last_at=after(0))
    with pytest.raises(StoreUnavailableError):
        journal.append_all([capped])
    folder.parent.unlink()
    now[0] = 1.0
    journal.append(make_observation(b"8 bytes."))
    journal.close()
    assert drain(folder, store, settle_s=0, spool_folders=[spool]) == 1
    assert [(one.reason, one.hits) for one in store.get_overflow()] == [("lost", 3)]


def test_spool_that_is_read_twice_doubles_nothing(spool: Path, store: SQLiteStore, tmp_path: Path) -> None:
    """A drain that died after the store's commit, before the file was removed, does no harm."""
    path = write(spool, make_observations(3))
    shutil.copytree(spool, tmp_path / "again")
    assert replay(store, spool) == 3
    assert replay(store, tmp_path / "again") == 0
    assert not path.exists()


def test_withdrawal_is_honoured_at_replay(spool: Path, store: SQLiteStore) -> None:
    """Hits in a spool of people who have withdrawn since are discarded."""
    delivery = make_delivery()
    store.add_deliveries([delivery])
    write(spool, make_observations(2, delivery.id))
    store.record_consent("ann@example.com", make_consent(DENIED))
    assert replay(store, spool) == 0
    assert get_stored(store) == []
    assert list(spool.iterdir()) == []


def test_store_that_is_down_leaves_the_spool(spool: Path, store: SQLiteStore, tmp_path: Path) -> None:
    """Where the store cannot take them, hits stay in the spool."""
    write(spool, make_observations(2))
    (tmp_path / "blocked").write_text("")
    with pytest.raises(StoreError):
        replay(SQLiteStore(tmp_path / "blocked" / "mailnod.db"), spool)
    assert replay(store, spool) == 2


@pytest.mark.parametrize("place", ["start", "middle", "end"])
def test_damaged_line_is_passed_over_and_said(
    spool: Path, store: SQLiteStore, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A flipped bit costs its own line, which is logged and counted as lost, once."""
    observations = make_observations(9)
    path = write(spool, observations)
    data = bytearray(path.read_bytes())
    data[{"start": 30, "middle": len(data) // 2, "end": len(data) - 30}[place]] ^= 4
    path.write_bytes(data)
    shutil.copytree(spool, spool.with_name("again"))
    with caplog.at_level(logging.ERROR):
        assert replay(store, spool) == 8
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert replay(store, spool.with_name("again")) == 0
    (lost,) = store.get_overflow()
    assert (lost.reason, lost.hits) == ("lost", 1)


def test_torn_write_costs_nothing_before_and_after_it(
    spool: Path, store: SQLiteStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Wherever a write breaks off, what was written before is whole; nobody was told that the torn one is safe."""
    observations = make_observations(2)
    path = write(spool, observations)
    whole = path.read_bytes()
    size = whole.index(b"\n", 1) + 1
    for cut in range(size, len(whole), 7):
        path.write_bytes(whole[:cut])
        replay(store, spool)
        assert get_stored(store) == [observations[0].id]
    path.write_bytes(whole[: len(whole) - 5] + b"\n" + whole[size:])
    assert replay(store, spool) == 1
    assert len(caplog.records) == 1


def test_rubbish_of_every_kind_is_survived(spool: Path, store: SQLiteStore) -> None:
    """A file of random bytes is read to its end, and removed."""
    path = write(spool, make_observations(1))
    path.write_bytes(secrets.token_bytes(100_000) + b"\n" + path.read_bytes())
    assert replay(store, spool) == 1
    assert list(spool.iterdir()) == []


def test_full_spool_refuses_hits_and_still_takes_counts(folder: Path, spool: Path, store: SQLiteStore) -> None:
    """At its limit a spool takes no more hits; how many were lost is written there, and reaches the store."""
    journal = Journal(folder, patience_s=LIMIT_S, spool_folders=[spool], spool_limit_bytes=2000)
    refused = 0
    for observation in make_observations(20):
        try:
            journal.append(observation)
        except StoreError:
            journal.lose("open")
            refused += 1
    journal.close()
    assert 0 < refused < 20
    assert journal.counts.lost == refused
    assert measure([spool])[1] < 4000
    assert drain(folder, store, settle_s=0, spool_folders=[spool]) == 20 - refused
    (lost,) = store.get_overflow()
    assert (lost.reason, lost.kind, lost.hits) == ("lost", "open", refused)


def test_next_folder_takes_what_the_first_does_not(folder: Path, spool: Path, store: SQLiteStore) -> None:
    """Folders are tried in their order, and all of them are drained."""
    journal = Journal(folder, patience_s=LIMIT_S, spool_folders=[folder.parent / "spool", spool])
    journal.append(make_observation(b"8 bytes."))
    journal.close()
    assert measure([spool])[0] == 1
    assert drain(folder, store, settle_s=0, spool_folders=[folder.parent / "spool", spool]) == 1


def test_file_that_the_drain_reads_is_left_to_it(folder: Path, spool: Path, store: SQLiteStore) -> None:
    """While hits arrive, a drain takes the spool in again and again, and each hit is in the store once."""
    journal = Journal(folder, patience_s=LIMIT_S, spool_folders=[spool])
    observations = make_observations(200)

    def work() -> None:
        for observation in observations:
            journal.append(observation)

    thread = threading.Thread(target=work)
    thread.start()
    moved = 0
    while thread.is_alive():
        moved += drain(folder, store, settle_s=0, spool_folders=[spool])
    thread.join()
    moved += drain(folder, store, settle_s=0, spool_folders=[spool])
    assert moved == 200
    assert get_stored(store) == [observation.id for observation in observations]
    assert list(spool.iterdir()) == []
    journal.close()


def test_drain_that_is_told_to_end_leaves_the_rest(spool: Path, store: SQLiteStore) -> None:
    """A worker that lost its lease stops between two batches, and the file stays."""
    path = write(spool, make_observations(5))
    answers = iter([True, False])
    moved = drain(Path("/nonexistent"), store, settle_s=0, spool_folders=[spool], batch=2, go_on=answers.__next__)
    assert moved == 2
    assert path.exists()
    assert replay(store, spool) == 3


def test_folder_that_others_may_write_to_is_refused(folder: Path, spool: Path) -> None:
    """A folder that somebody prepared, or a link in its place, takes no hit."""
    spool.mkdir(parents=True)
    spool.chmod(0o777)
    link = spool.with_name("link")
    link.symlink_to(spool)
    with pytest.raises(StoreError, match="alone"):
        Journal(folder, patience_s=LIMIT_S, spool_folders=[spool, link]).append(make_observation(b"8 bytes."))
    assert list(spool.iterdir()) == []


def test_each_store_and_user_has_a_place_of_its_own(tmp_path: Path) -> None:
    """The folders differ by the path of the store and by the user, and a chosen folder is the only one."""
    first, second = find_folders(tmp_path / "a" / "mailnod.db"), find_folders(tmp_path / "b" / "mailnod.db")
    assert not set(first) & set(second)
    assert all(str(os.geteuid()) in folder.name for folder in first)
    (chosen,) = find_folders(tmp_path / "a" / "mailnod.db", chosen=tmp_path / "spool")
    assert chosen.parent == tmp_path / "spool"
    assert not chosen.parent.exists()


def test_place_on_another_disk_comes_first(small_disk: Path) -> None:
    """Without a chosen folder, what lies on another file system than the store goes before the rest."""
    here = small_disk.parent
    for bases in ((here, small_disk), (small_disk, here)):
        assert find_folders(here / "mailnod.db", bases=bases)[0].parent == small_disk
        assert find_folders(small_disk / "mailnod.db", bases=bases)[0].parent == here


def test_highest_count_stands_whichever_comes_last(folder: Path, store: SQLiteStore) -> None:
    """A count that comes late or twice changes nothing, through a journal as through a spool."""
    overflow = Overflow(id=bytes(16), reason="token", key="k", kind="click", first_at=T0, last_at=T0, count=5)
    folder = folder.parent.parent / "journals"
    journal = Journal(folder)
    journal.append_all([overflow])
    assert drain(folder, store, settle_s=0) == 0
    journal.append_all([replace(overflow, count=9, last_at=after(9))])
    journal.close()
    drain(folder, store, settle_s=0)
    write(folder.parent / "spool", [replace(overflow, count=7)])
    replay(store, folder.parent / "spool")
    (found,) = store.get_overflow()
    assert (found.hits, found.keys, found.first_at, found.last_at) == (9, 1, T0, after(9))
    assert list(folder.iterdir()) == []
