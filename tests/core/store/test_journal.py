"""The journal: acknowledged means on the disk, in every thread and every process."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
from itertools import count
from pathlib import Path

import pytest

from contracts.store_contract import after, make_observation
from mailnod.errors import StoreUnavailableError
from mailnod.model import HONEYPOT_INDEX, EventFilter, Observation
from mailnod.store.drain import drain
from mailnod.store.files import RawFile
from mailnod.store.journal import Journal
from mailnod.store.sqlite import SQLiteStore

#: How often a process is killed.
KILLS = int(os.environ.get("MAILNOD_KILLS", "20"))

#: What the subprocesses of these tests begin with.
PRELUDE = """
import os, sys, threading
from datetime import UTC, datetime
from pathlib import Path
from mailnod.model import Hit, Observation
from mailnod.store.ids import new_id
from mailnod.store.journal import Journal

journal = Journal(Path(sys.argv[1]), patience_s=60, spool_folders=[Path(folder) for folder in sys.argv[2:]])

def append():
    now = datetime.now(UTC)
    hit = Hit(kind="open", method="GET", ip="192.0.2.1", user_agent="Mail", headers={}, received_at=now)
    observation = Observation(id=new_id(now), hit=hit, delivery_id=b"8 bytes.")
    journal.append(observation)
    os.write(1, observation.id.hex().encode() + b"\\n")
"""
UNDER_LOAD = """
def work():
    while True:
        append()

for _ in range(4):
    threading.Thread(target=work).start()
"""
PREFORKED = """
append()
children = []
for _ in range(4):
    pid = os.fork()
    if not pid:
        threads = [threading.Thread(target=lambda: [append() for _ in range(10)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        os._exit(0)
    children.append(pid)
append()
for pid in children:
    assert os.waitpid(pid, 0)[1] == 0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Name a folder of journals that is not there yet."""
    return tmp_path / "state" / "journals"


def start(script: str, *folders: Path) -> subprocess.Popen[str]:
    """Run a script in a process of its own, with a folder for the journal and folders for spools."""
    command = [sys.executable, "-c", PRELUDE + script, *map(str, folders)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def get_stored(store: SQLiteStore) -> list[str]:
    """Return the ids of everything that waits in the store."""
    return [observation.id.hex() for observation in store.get_due(now=after(1e9), limit=1_000_000)]


def test_nothing_is_opened_before_the_first_append(folder: Path) -> None:
    """A journal that is made, and closed, without a hit leaves no trace."""
    Journal(folder).close()
    assert not folder.exists()


def test_appended_hit_is_in_the_file(folder: Path, store: SQLiteStore) -> None:
    """What was appended can be drained at once, in a folder and files that nobody else may read."""
    journal = Journal(folder)
    observation = make_observation(b"8 bytes.", kind="click", ip=None, user_agent="")
    journal.append(observation)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert drain(folder, store, settle_s=0) == 1
    assert store.get_due(now=after(1)) == [observation]
    journal.close()


def test_hits_that_are_handed_over_together_are_there_together(folder: Path, store: SQLiteStore) -> None:
    """All of a batch can be drained when the call returns."""
    observations = [make_observation(b"8 bytes.", at=after(number)) for number in range(3)]
    journal = Journal(folder)
    journal.append_all(observations)
    assert drain(folder, store, settle_s=0) == 3
    assert store.get_due(now=after(9)) == observations
    journal.close()


def test_hits_of_every_form_come_back_as_they_were(folder: Path, store: SQLiteStore) -> None:
    """What a hit does not have, the first link and the hidden one, and what was not checked, are the same after it."""
    hits = [
        make_observation(b"8 bytes.", at=after(0), link_index=None, url=None),
        make_observation(b"8 bytes.", at=after(1), kind="click", link_index=0, url="https://example.com/"),
        make_observation(b"8 bytes.", at=after(2), kind="click", link_index=HONEYPOT_INDEX, url=None),
        make_observation(b"8 bytes.", at=after(3), ip=None, user_agent="", headers={})._replace(checked=False),
    ]
    journal = Journal(folder)
    journal.append_all(hits)
    journal.close()
    found: list[Observation] = []
    drain(folder, store, settle_s=0, on_recorded=found.append)
    assert found == hits


def test_every_thread_s_hits_are_there(folder: Path, store: SQLiteStore) -> None:
    """Hits of many threads at once are all written, each once."""
    journal = Journal(folder)
    observations = [make_observation(b"8 bytes.", at=after(i)) for i in range(800)]

    def work(part: list[Observation]) -> None:
        for observation in part:
            journal.append(observation)

    threads = [threading.Thread(target=work, args=(observations[i::16],)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    assert drain(folder, store, settle_s=0) == 800
    assert sorted(get_stored(store)) == [observation.id.hex() for observation in observations]


def test_hits_that_wait_share_a_commit(folder: Path, store: SQLiteStore) -> None:
    """While one commit is held up, those who come meanwhile wait for the next one together."""
    gate, syncs = threading.Lock(), []

    class SlowFile(RawFile):
        def sync(self) -> None:
            with gate:
                syncs.append(1)
            super().sync()

    journal = Journal(folder, opens=SlowFile)
    journal.append(make_observation(b"8 bytes."))
    before = len(syncs)
    threads = [
        threading.Thread(target=journal.append, args=(make_observation(b"8 bytes.", at=after(i)),)) for i in range(8)
    ]
    with gate:
        for thread in threads:
            thread.start()
        assert all(thread.is_alive() for thread in threads)
    for thread in threads:
        thread.join()
    journal.close()
    assert drain(folder, store, settle_s=0) == 9
    assert len(syncs) - before <= 8
    assert journal.counts.commits == len(syncs) - before + 1


def test_closed_journal_begins_another_file(folder: Path, store: SQLiteStore) -> None:
    """After a close the next append opens a new file, and both are drained and removed."""
    journal = Journal(folder)
    for _ in range(2):
        journal.append(make_observation(b"8 bytes."))
        journal.close()
    assert len(list(folder.glob("*.journal"))) == 2
    assert drain(folder, store, settle_s=0) == 2
    assert list(folder.iterdir()) == []


def test_file_that_fails_is_left(folder: Path, store: SQLiteStore) -> None:
    """Where a file cannot be written any more, the hit is written to a new one, and none comes twice."""
    failing = False

    class FailingFile(RawFile):
        def sync(self) -> None:
            if failing and not self.is_new:
                raise OSError(errno.EIO, "the disk answers with errors")
            super().sync()

        def __init__(self, path: Path, flags: int) -> None:
            super().__init__(path, flags)
            self.is_new = failing

    journal = Journal(folder, opens=FailingFile)
    journal.append(make_observation(b"8 bytes."))
    failing = True
    journal.append(make_observation(b"8 bytes."))
    journal.close()
    assert len(list(folder.glob("*.journal"))) == 2
    assert drain(folder, store, settle_s=0) == 2


def test_full_file_is_followed_by_another(folder: Path, store: SQLiteStore) -> None:
    """A file that has grown to its limit is left to the drain, and its owner goes on with a new one."""
    journal = Journal(folder)
    observations = [make_observation(b"8 bytes.", user_agent="x" * 4000) for _ in range(4500)]
    for start in range(0, len(observations), 500):
        journal.append_all(observations[start : start + 500])
    journal.append(make_observation(b"8 bytes."))
    assert len(list(folder.glob("*.journal"))) == 2
    assert drain(folder, store, settle_s=0) == 4501
    assert len(list(folder.glob("*.journal"))) == 1
    journal.close()


def test_unlinked_file_loses_nothing_that_was_acknowledged_after(folder: Path, store: SQLiteStore) -> None:
    """A journal that was deleted under its owner is noticed by the next append, which writes to a new one."""
    journal = Journal(folder)
    journal.append(make_observation(b"8 bytes."))
    for path in folder.iterdir():
        path.unlink()
    observation = make_observation(b"8 bytes.")
    journal.append(observation)
    journal.close()
    assert drain(folder, store, settle_s=0) == 1
    assert store.get_due(now=after(1)) == [observation]


def test_removed_folder_is_made_again(folder: Path, store: SQLiteStore) -> None:
    """An append after the whole folder was removed begins anew."""
    journal = Journal(folder)
    journal.append(make_observation(b"8 bytes."))
    shutil.rmtree(folder)
    journal.append(make_observation(b"8 bytes."))
    journal.close()
    assert drain(folder, store, settle_s=0) == 1


def test_folder_that_is_a_file_is_reported(tmp_path: Path) -> None:
    """Where no journal can be made, the append says so and names the place."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailableError, match="file"):
        Journal(tmp_path / "file").append(make_observation(b"8 bytes."))


def test_full_disk_is_reported_and_recovered_from(small_disk: Path, store: SQLiteStore) -> None:
    """On a full disk an append fails, and the same journal goes on when there is room again, a second later."""
    folder = small_disk / "journals"
    now = [0.0]
    journal = Journal(folder, monotonic=lambda: now[0])
    acknowledged = [make_observation(b"8 bytes.")]
    journal.append(acknowledged[0])
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space left"):
        ballast.write_bytes(bytes(2_000_000))
    error = None
    while error is None:
        observation = make_observation(b"8 bytes.")
        try:
            journal.append(observation)
        except StoreUnavailableError as raised:
            error = raised
        else:
            acknowledged.append(observation)
    assert "full" in str(error)
    ballast.unlink()
    with pytest.raises(StoreUnavailableError, match="full"):
        journal.append(make_observation(b"8 bytes."))
    now[0] = 1.0
    acknowledged.append(make_observation(b"8 bytes."))
    journal.append(acknowledged[-1])
    journal.close()
    assert drain(folder, store, settle_s=0) == len(acknowledged)
    assert sorted(get_stored(store)) == [observation.id.hex() for observation in acknowledged]


def test_full_disk_is_not_littered(small_disk: Path, store: SQLiteStore) -> None:
    """Hits on a full disk leave no file behind, and those after it are written down."""
    folder = small_disk / "journals"
    folder.mkdir()
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space left"):
        ballast.write_bytes(bytes(2_000_000))
    journal = Journal(folder, monotonic=count(step=60).__next__)
    for _ in range(10):
        with pytest.raises(StoreUnavailableError):
            journal.append(make_observation(b"8 bytes."))
    assert list(folder.iterdir()) == []
    ballast.unlink()
    journal.append(make_observation(b"8 bytes."))
    journal.close()
    assert drain(folder, store, settle_s=0) == 1


def test_every_forked_process_has_its_own_file(folder: Path, store: SQLiteStore) -> None:
    """After a fork each process writes to a new file, the parent goes on with its own, and each hit is there once."""
    process = start(PREFORKED, folder)
    acknowledged = process.communicate(timeout=120)[0].split()
    assert process.returncode == 0
    assert len(acknowledged) == 2 + 4 * 40
    assert len({path.name.partition("-")[0] for path in folder.glob("*.journal")}) == 5
    assert len(list(folder.glob("*.journal"))) == 5
    assert drain(folder, store, settle_s=0) == len(acknowledged)
    assert sorted(get_stored(store)) == sorted(acknowledged)
    assert list(folder.iterdir()) == []


def test_kill_loses_and_doubles_nothing(folder: Path, store: SQLiteStore, tmp_path: Path) -> None:
    """Killed under load and drained meanwhile, with a sound journal or a broken one, it keeps what it took (R1)."""
    (tmp_path / "broken").write_text("")
    spool = tmp_path / "spool"
    acknowledged: set[str] = set()
    drained = 0
    for number in range(KILLS):
        process = start(UNDER_LOAD, folder if number % 2 else tmp_path / "broken" / "journals", spool)
        assert process.stdout is not None
        acknowledged |= {process.stdout.readline().strip() for _ in range(50)}
        drained += drain(folder, store, settle_s=0, spool_folders=[spool])
        process.kill()
        # A last line may have been cut off, and then nobody was told.
        acknowledged |= {line.strip() for line in process.stdout if line.endswith("\n")}
        process.stdout.close()
        process.wait()
    drained += drain(folder, store, settle_s=0, spool_folders=[spool])
    stored = get_stored(store)
    lost = acknowledged - set(stored)
    print(f"\n{KILLS} kills, {len(acknowledged)} hits answered, {len(lost)} lost")  # noqa: T201
    assert len(acknowledged) >= 50 * KILLS
    assert lost == set()
    assert len(stored) == len(set(stored)) == drained
    assert [*folder.iterdir(), *spool.iterdir()] == []
    assert store.get_events(EventFilter()) == []
