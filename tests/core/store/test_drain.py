"""The drain: every hit reaches the store once, whatever dies, breaks or fills up on the way."""

from __future__ import annotations

import fcntl
import logging
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from zlib import crc32

import pytest

from contracts.store_contract import DENIED, after, make_consent, make_delivery, make_observation
from mailnod.errors import StoreError, StoreUnavailableError
from mailnod.model import Observation
from mailnod.store.drain import count_pending, drain
from mailnod.store.journal import Journal
from mailnod.store.journal_file import open_journal
from mailnod.store.scrub import scrub_journals
from mailnod.store.spool import Spool
from mailnod.store.sqlite import SQLiteStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Name a folder of journals that is not there yet."""
    return tmp_path / "journals"


def fill(folder: Path, count: int, *, user_agent: str = "Mail") -> list[Observation]:
    """Leave a dead owner's journal with so many hits."""
    journal = Journal(folder)
    observations = [make_observation(b"8 bytes.", at=after(i), user_agent=user_agent) for i in range(count)]
    for observation in observations:
        journal.append(observation)
    journal.close()
    return observations


def get_stored(store: SQLiteStore) -> list[bytes]:
    """Return the ids of everything that waits in the store, by time."""
    return [observation.id for observation in store.get_due(now=after(1e9), limit=100_000)]


DRAIN = """
import sys
from pathlib import Path
from mailnod.store.drain import drain
from mailnod.store.sqlite import SQLiteStore

store = SQLiteStore(Path(sys.argv[2]))
print(drain(Path(sys.argv[1]), store, settle_s=0, batch=3, on_recorded=lambda observation: print("+", flush=True)))
"""


class DyingStore(SQLiteStore):
    """A store whose process dies right after its commit."""

    def add_observations(self, observations: Sequence[Observation], *, settle_s: float) -> list[Observation]:
        """Commit, and die."""
        super().add_observations(observations, settle_s=settle_s)
        raise KeyboardInterrupt


def test_missing_folder_holds_nothing(folder: Path, store: SQLiteStore) -> None:
    """Before the first hit there is nothing to drain, and nothing is made."""
    assert drain(folder, store, settle_s=0) == 0
    assert not folder.exists()


def test_dead_owner_s_journal_is_moved_and_removed(folder: Path, store: SQLiteStore) -> None:
    """Batches follow each other until the journal is empty, and then its files are gone."""
    observations = fill(folder, 25)
    assert drain(folder, store, settle_s=0, batch=10) == 25
    assert get_stored(store) == [observation.id for observation in observations]
    assert list(folder.iterdir()) == []


def test_living_owner_s_journal_stays(folder: Path, store: SQLiteStore) -> None:
    """A living owner's rows are moved, its file stays, and it goes on writing to it."""
    journal = Journal(folder)
    for count in (1, 2):
        journal.append(make_observation(b"8 bytes."))
        assert drain(folder, store, settle_s=0) == 1
        assert len(get_stored(store)) == count
    assert len(list(folder.glob("*.journal"))) == 1
    journal.close()


def test_death_after_the_store_s_commit_doubles_nothing(folder: Path, store: SQLiteStore, database: Path) -> None:
    """A drain that dies between the store's commit and the deletion is repeated without harm."""
    observations = fill(folder, 5)
    dying = DyingStore(database)
    with pytest.raises(KeyboardInterrupt):
        drain(folder, dying, settle_s=0)
    dying.close()
    assert drain(folder, store, settle_s=0) == 0
    assert get_stored(store) == [observation.id for observation in observations]
    assert list(folder.iterdir()) == []


def test_killed_drains_lose_and_double_nothing(folder: Path, store: SQLiteStore, database: Path) -> None:
    """A drain that is killed five times at its work, and then repeated, brings every hit into the store once."""
    observations = fill(folder, 1000)
    for _ in range(5):
        command = [sys.executable, "-c", DRAIN, str(folder), str(database)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "+\n"
            process.kill()
    assert 0 < len(get_stored(store)) < 1000
    drain(folder, store, settle_s=0)
    assert get_stored(store) == [observation.id for observation in observations]
    assert list(folder.iterdir()) == []


def test_store_that_is_down_leaves_the_journals(folder: Path, tmp_path: Path, store: SQLiteStore) -> None:
    """Where the store cannot take them, the hits stay where they are and are moved later."""
    fill(folder, 5)
    (tmp_path / "blocked").write_text("")
    with pytest.raises(StoreUnavailableError):
        drain(folder, SQLiteStore(tmp_path / "blocked" / "mailnod.db"), settle_s=0)
    assert drain(folder, store, settle_s=0) == 5


def test_withdrawal_is_checked_again(folder: Path, store: SQLiteStore) -> None:
    """Hits that were written down before the collector knew of a withdrawal are discarded."""
    delivery = make_delivery()
    store.add_deliveries([delivery])
    journal = Journal(folder)
    journal.append(make_observation(delivery.id))
    journal.close()
    store.record_consent("ann@example.com", make_consent(DENIED))
    assert drain(folder, store, settle_s=0) == 0
    assert get_stored(store) == []
    assert list(folder.iterdir()) == []


def test_new_observations_are_reported_after_their_commit(folder: Path, store: SQLiteStore) -> None:
    """The callback gets each observation that is new, once it is in the store, and no known one."""
    observations = fill(folder, 3)
    store.add_observations(observations[:1], settle_s=0)
    seen: list[Observation] = []

    def note(observation: Observation) -> None:
        assert observation.id in get_stored(store)
        seen.append(observation)

    drain(folder, store, settle_s=0, on_recorded=note)
    assert seen == observations[1:]


def test_file_that_is_no_journal_is_set_aside(
    folder: Path, store: SQLiteStore, caplog: pytest.LogCaptureFixture
) -> None:
    """A file of rubbish is renamed, named in the log once, and does not stop the others."""
    (folder).mkdir()
    (folder / "0-rubbish.journal").write_bytes(b"rubbish " * 1000)
    fill(folder, 3)
    with caplog.at_level(logging.ERROR):
        assert drain(folder, store, settle_s=0) == 3
        assert drain(folder, store, settle_s=0) == 0
    assert [path.name for path in folder.iterdir()] == ["0-rubbish.corrupt"]
    assert len(caplog.records) == 1
    assert "0-rubbish.journal" in caplog.text


def test_sound_journal_is_not_set_aside_for_want_of_descriptors(folder: Path, store: SQLiteStore) -> None:
    """A process that has too many files open says nothing of a journal, which is drained once there are less."""
    fill(folder, 3)
    get_stored(store)
    moved, held = 0, []
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, limits[0]), limits[1]))
    try:
        with suppress(OSError):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        # One more is free each time, so that each of the files that a drain opens is once the one that cannot be.
        for _ in range(8):
            os.close(held.pop())
            with suppress(OSError, StoreError):
                moved += drain(folder, store, settle_s=0)
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    moved += drain(folder, store, settle_s=0)
    assert moved == 3
    assert list(folder.iterdir()) == []


def test_readable_hits_of_a_damaged_journal_are_kept(
    folder: Path, store: SQLiteStore, caplog: pytest.LogCaptureFixture
) -> None:
    """From a journal with a broken page in the middle, the hits on both sides of it reach the store, the others count.

    The page is read as one line, so that what was lost is said, and how much of it is not known exactly.
    """
    observations = fill(folder, 200, user_agent="x" * 500)
    (path,) = folder.glob("*.journal")
    data = bytearray(path.read_bytes())
    data[40_960:45_056] = b"\xff" * 4096
    path.write_bytes(data)
    with caplog.at_level(logging.ERROR):
        moved = drain(folder, store, settle_s=0)
    stored = get_stored(store)
    assert 180 < moved < 200
    assert len(stored) == moved
    assert {observations[0].id, observations[-1].id} <= set(stored)
    assert list(folder.iterdir()) == []
    assert [(one.reason, one.hits) for one in store.get_overflow()] == [("lost", 1)]
    assert len(caplog.records) == 1


def test_damage_in_a_living_owner_s_journal_is_passed_over_once(folder: Path, store: SQLiteStore) -> None:
    """Behind a damaged line the drain goes on, the loss counts once, and the owner's next hits come too."""
    journal = Journal(folder)
    for number in range(3):
        journal.append(make_observation(b"8 bytes.", at=after(number)))
    (path,) = folder.glob("*.journal")
    with path.open("r+b") as file:
        file.seek(file.read().index(b"Mail"))
        file.write(b"mAIL")
    for number in range(3, 6):
        drain(folder, store, settle_s=0)
        journal.append(make_observation(b"8 bytes.", at=after(number)))
    journal.close()
    drain(folder, store, settle_s=0)
    assert len(get_stored(store)) == 5
    assert [(one.reason, one.hits) for one in store.get_overflow()] == [("lost", 1)]


def test_line_that_is_on_its_way_waits(folder: Path, store: SQLiteStore) -> None:
    """What a living owner has written in part is neither taken nor counted as lost, and is taken when it is whole."""
    journal = Journal(folder)
    journal.append(make_observation(b"8 bytes.", at=after(0)))
    (path,) = folder.glob("*.journal")
    whole = path.read_bytes()
    assert drain(folder, store, settle_s=0) == 1
    journal.append(make_observation(b"8 bytes.", at=after(1)))
    data = path.read_bytes()
    begin = whole.rindex(b"\n") + 1
    end = data.rindex(b"\n") + 1
    for cut in (begin + 1, (begin + end) // 2, end - 1):
        with path.open("r+b", buffering=0) as file:
            file.seek(cut)
            file.write(bytes(end - cut))
            assert drain(folder, store, settle_s=0) == 0
            file.seek(cut)
            file.write(data[cut:end])
    assert drain(folder, store, settle_s=0) == 1
    assert store.get_overflow() == []
    journal.close()


def test_moved_hits_leave_no_trace_in_a_living_owner_s_journal(folder: Path, store: SQLiteStore) -> None:
    """What was moved is erased from the file at once, and what a drain that died left there is erased by the scrub."""
    journal = Journal(folder)
    journal.append(make_observation(b"8 bytes.", at=after(0), user_agent="Secret Mail"))
    (path,) = folder.glob("*.journal")
    before = path.read_bytes()
    assert drain(folder, store, settle_s=0) == 1
    assert b"Secret" not in path.read_bytes()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(before[4096:])
    assert scrub_journals(folder, until=after(0))
    assert b"Secret" not in path.read_bytes()
    journal.append(make_observation(b"8 bytes.", at=after(1)))
    assert drain(folder, store, settle_s=0) == 1
    journal.close()


def test_owner_of_a_damaged_journal_begins_another(folder: Path, store: SQLiteStore) -> None:
    """When a living owner's journal is set aside, its next hit goes to a new file and is drained."""
    journal = Journal(folder)
    journal.append(make_observation(b"8 bytes."))
    (path,) = folder.glob("*.journal")
    path.write_bytes(b"rubbish " * 1000)
    drain(folder, store, settle_s=0)
    observation = make_observation(b"8 bytes.")
    journal.append(observation)
    journal.close()
    drain(folder, store, settle_s=0)
    assert observation.id in get_stored(store)


@pytest.mark.parametrize("head", ["digit", "huge", "beyond", "name", "zeros"])
def test_damaged_note_of_what_was_moved_hides_and_erases_nothing(folder: Path, store: SQLiteStore, head: str) -> None:
    """Where the first page is damaged, a journal is read from its start, by a living owner's drain too."""
    journal = Journal(folder)
    observations = [make_observation(b"8 bytes.", at=after(number)) for number in range(6)]
    for observation in observations[:4]:
        journal.append(observation)
    drain(folder, store, settle_s=0)
    (path,) = folder.glob("*.journal")
    with path.open("r+b") as file:
        first = file.read(64)
        checked = b"%020d" % 10**9
        file.seek(0)
        file.write(
            {
                "digit": first[:36] + b"7" + first[37:],
                "huge": first[:18] + b"9" * 20 + first[38:],
                "beyond": first[:18] + b"%b %08x" % (checked, crc32(checked)) + first[47:],
                "name": b"x" + first[1:],
                "zeros": bytes(64),
            }[head]
        )
    for observation in observations[4:]:
        journal.append(observation)
        assert count_pending(folder) >= 1
        scrub_journals(folder, until=after(0))
        drain(folder, store, settle_s=0)
    journal.close()
    drain(folder, store, settle_s=0)
    assert get_stored(store) == [observation.id for observation in observations]
    assert list(folder.iterdir()) == []


def test_drain_that_was_left_behind_takes_nothing_back(folder: Path, store: SQLiteStore) -> None:
    """One that stood still while another took over moves no note back into what is erased already."""
    journal = Journal(folder)
    observations = [make_observation(b"8 bytes.", at=after(number)) for number in range(4)]
    for observation in observations[:2]:
        journal.append(observation)
    (path,) = folder.glob("*.journal")
    with open_journal(path) as slow:
        first = next(slow.read())
        assert drain(folder, store, settle_s=0) == 2
        slow.note_taken(first.end)
    for observation in observations[2:]:
        journal.append(observation)
    assert drain(folder, store, settle_s=0) == 2
    journal.close()


def test_zeros_in_the_middle_are_said(folder: Path, store: SQLiteStore, caplog: pytest.LogCaptureFixture) -> None:
    """A sector of zeros costs the lines that it cuts and no other; a power cut leaves such, so no loss is counted."""
    observations = fill(folder, 30)
    (path,) = folder.glob("*.journal")
    with path.open("r+b") as file:
        file.seek(4096 + 1024)
        file.write(bytes(512))
    drain(folder, store, settle_s=0)
    assert {observations[0].id, observations[-1].id} <= set(get_stored(store))
    assert store.get_overflow() == []
    assert "zeros in part" in caplog.text


def test_line_that_is_read_while_it_is_written_is_not_taken_for_damaged(folder: Path, store: SQLiteStore) -> None:
    """A read that catches half of a line, and then the lines behind it, is followed by another one."""
    journal = Journal(folder)
    observations = [make_observation(b"8 bytes.", at=after(number), user_agent="x" * 500) for number in range(1500)]
    journal.append_all(observations)
    (path,) = folder.glob("*.journal")
    written = path.read_bytes()
    with path.open("r+b", buffering=0) as file:
        # What is read at once ends behind this place.
        file.seek(200_000)
        file.write(bytes(len(written) - 200_000))
        with open_journal(path) as reading:
            entries = reading.read()
            taken = [next(entries)]
            file.seek(200_000)
            file.write(written[200_000:])
            taken += entries
    assert [entry.item for entry in taken] == observations
    journal.close()


def test_line_that_is_no_observation_counts_as_lost(folder: Path, store: SQLiteStore) -> None:
    """A line whose checksum is right and whose content is not, as of a defect of ours, costs its own hit alone."""
    fill(folder, 3)
    (path,) = folder.glob("*.journal")
    lines = path.read_bytes()
    line = lines[lines.index(b"\n", 4096) + 1 :].split(b"\n")[0]
    text = line[9:].replace(b'"open"', b'"no"')
    path.write_bytes(lines.replace(line, b"%08x %b" % (crc32(text), text)))
    assert drain(folder, store, settle_s=0, batch=1) == 2
    assert [(one.reason, one.hits) for one in store.get_overflow()] == [("lost", 1)]


def test_journal_copied_back_from_a_backup_doubles_nothing(folder: Path, store: SQLiteStore, tmp_path: Path) -> None:
    """A journal that comes again is known hit by hit."""
    fill(folder, 3)
    shutil.copytree(folder, tmp_path / "backup")
    assert drain(folder, store, settle_s=0) == 3
    assert drain(tmp_path / "backup", store, settle_s=0) == 0
    assert len(get_stored(store)) == 3


def test_leftovers_are_swept(folder: Path, store: SQLiteStore) -> None:
    """A journal of a process that died before it had a name is removed, but not a living one's, nor a new one."""
    folder.mkdir()
    for name in ("1-aa.new", "2-bb.new", "3-cc.new"):
        (folder / name).touch()
        os.utime(folder / name, (0, 0))
    (folder / "3-cc.new").touch()
    with (folder / "2-bb.new").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        drain(folder, store, settle_s=0)
        assert {path.name for path in folder.iterdir()} == {"2-bb.new", "3-cc.new"}


def test_pending_hits_are_counted_where_they_lie(folder: Path, tmp_path: Path) -> None:
    """Hits of every journal count until they are drained, and a damaged one stands in nobody's way."""
    assert count_pending(folder) == 0
    fill(folder, 3)
    live = Journal(folder)
    live.append(make_observation(b"8 bytes.", at=after(9)))
    (folder / "1.journal").write_bytes(b"no journal")
    assert count_pending(folder) == 4
    store = SQLiteStore(tmp_path / "mailnod.db")
    drain(folder, store, settle_s=0)
    assert count_pending(folder) == 0
    live.close()
    store.close()


def test_pending_hit_in_journal_and_spool_counts_once(folder: Path, tmp_path: Path) -> None:
    """A hit that the journal was slow to take may lie in the spool too and is one hit; those there alone count."""
    slow, *_ = fill(folder, 3)
    spool = tmp_path / "spool"
    Spool([spool], limit_bytes=1_000_000).write([slow, make_observation(b"8 bytes.", at=after(9))])
    assert count_pending(folder, spool_folders=[spool, tmp_path / "not there"]) == 4
