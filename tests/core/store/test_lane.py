"""The journal of an event loop: nothing waits, and what it says is written is on the disk."""

from __future__ import annotations

import gc
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.store_contract import after, make_observation
from mailnod.model import Observation
from mailnod.store.drain import drain
from mailnod.store.journal import Journal
from mailnod.store.lane import JournalLane
from mailnod.store.sqlite import SQLiteStore

#: How often a process is killed.
KILLS = int(os.environ.get("MAILNOD_KILLS", "20")) // 4
#: Ends a test that hangs.
LIMIT_S = 60

UNTIL_KILLED = """
import os, select, sys
from datetime import UTC, datetime
from pathlib import Path
from mailnod.model import Hit, Observation
from mailnod.store.ids import new_id
from mailnod.store.journal import Journal

lane = Journal(Path(sys.argv[1]), lanes=True).open_lane()
while True:
    batch = []
    for _ in range(7):
        now = datetime.now(UTC)
        hit = Hit(kind="open", method="GET", ip="192.0.2.1", user_agent="Mail", headers={}, received_at=now)
        batch.append(Observation(id=new_id(now), hit=hit, delivery_id=b"8 bytes."))
    begun = lane.begin(batch)
    select.select([lane.fileno()], [], [])
    if lane.finish() and begun:
        os.write(1, b"".join(one.id.hex().encode() + b"\\n" for one in batch))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Name a folder of journals that is not there yet."""
    return tmp_path / "journals"


@pytest.fixture
def journal(folder: Path) -> Iterator[Journal]:
    """Give a journal."""
    journal = Journal(folder, lanes=True)
    yield journal
    journal.close()


@pytest.fixture
def lane(journal: Journal) -> JournalLane:
    """Give a lane whose process is there."""
    lane = journal.open_lane()
    if lane is None:
        pytest.skip("system: has no sockets of the kind")
    assert not lane.begin(make_batch(0, 1))
    assert hear(lane) is None
    return lane


def make_batch(first: int, count: int) -> list[Observation]:
    """Make hits, one after the other."""
    return [make_observation(b"8 bytes.", at=after(number)) for number in range(first, first + count)]


def hear(lane: JournalLane) -> bool | None:
    """Wait until a lane has something to say, and return it."""
    assert select.select([lane.fileno()], [], [], LIMIT_S)[0]
    return lane.finish()


def find_writer(folder: Path) -> int:
    """Return the id of the process that writes to a folder, which its journal bears in its name."""
    (path,) = folder.glob("*.journal")
    return int(path.name.partition("-")[0])


def get_stored(store: SQLiteStore) -> list[bytes]:
    return [observation.id for observation in store.get_due(now=after(1e9), limit=100_000)]


def test_batches_are_on_the_disk_when_the_lane_says_so(
    folder: Path, journal: Journal, lane: JournalLane, store: SQLiteStore
) -> None:
    """Batches of any size follow each other, are drained meanwhile, and each hit comes once."""
    sent: list[Observation] = []
    for number, size in enumerate((1, 7, 16, 300, 2, 33)):
        batch = make_batch(1000 * number, size)
        assert lane.begin(batch)
        assert hear(lane)
        sent += batch
        if number % 2:
            drain(folder, store, settle_s=0)
    journal.close()
    drain(folder, store, settle_s=0)
    assert get_stored(store) == [one.id for one in sent]
    assert (journal.counts.journaled, journal.counts.commits) == (len(sent), 6)
    assert list(folder.iterdir()) == []


def test_one_batch_is_under_way_at_a_time(lane: JournalLane) -> None:
    """A second batch is refused until the first one's end was heard, and hearing it twice says nothing."""
    assert lane.begin(make_batch(0, 3))
    assert not lane.begin(make_batch(10, 3))
    assert hear(lane)
    assert lane.finish() is None
    assert lane.begin(make_batch(20, 3))
    assert hear(lane)


def test_batch_that_is_too_large_goes_another_way(lane: JournalLane) -> None:
    """What no single message takes is refused, and smaller ones go on."""
    assert not lane.begin([make_observation(b"8 bytes.", user_agent="x" * 600) for _ in range(3000)])
    assert lane.begin(make_batch(0, 1))
    assert hear(lane)


def test_nothing_is_taken_before_the_process_is_there_or_after_a_close(folder: Path, journal: Journal) -> None:
    """Hits go the other way meanwhile, and nothing is left of a lane that took none."""
    lane = journal.open_lane()
    assert lane is not None
    assert not lane.begin(make_batch(0, 1))
    journal.close()
    assert not lane.begin(make_batch(0, 1))
    assert not folder.exists()


def test_close_waits_for_what_is_under_way(
    folder: Path, journal: Journal, lane: JournalLane, store: SQLiteStore
) -> None:
    """A process that ends in order leaves no hit on its way, and takes the one that writes along."""
    assert lane.begin(make_batch(0, 5))
    journal.close()
    assert drain(folder, store, settle_s=0) == 5
    assert list(folder.iterdir()) == []


def test_process_that_is_killed_is_noticed_and_followed_by_another(
    folder: Path, journal: Journal, lane: JournalLane, store: SQLiteStore
) -> None:
    """Its batch is for another way, nothing is taken for a second, and then another process goes on."""
    first, lost, last = make_batch(0, 5), make_batch(10, 5), make_batch(20, 5)
    assert lane.begin(first)
    assert hear(lane)
    os.kill(find_writer(folder), signal.SIGSTOP)
    assert lane.begin(lost)
    os.kill(find_writer(folder), signal.SIGKILL)
    assert hear(lane) is False
    assert not lane.begin(last)
    assert not select.select([lane.fileno()], [], [], 0)[0]
    while not lane.begin(last):
        select.select([lane.fileno()], [], [], 0.1)
        lane.finish()
    # What the first process had not read is written by the other one, and does not pass for what was sent later.
    assert hear(lane) is None
    assert hear(lane)
    journal.close()
    drain(folder, store, settle_s=0)
    stored = get_stored(store)
    assert {one.id for one in (*first, *last)} <= set(stored)
    assert len(stored) == len(set(stored))


def test_process_that_stands_still_is_left(
    folder: Path, journal: Journal, lane: JournalLane, store: SQLiteStore
) -> None:
    """A batch that takes too long can be left; the lane takes no other before it is through, and counts none of it."""
    assert lane.begin(make_batch(0, 1))
    assert hear(lane)
    writer = find_writer(folder)
    os.kill(writer, signal.SIGSTOP)
    assert lane.begin(make_batch(10, 5))
    lane.leave()
    assert not lane.begin(make_batch(20, 5))
    os.kill(writer, signal.SIGCONT)
    assert hear(lane)
    assert journal.counts.journaled == 1
    assert lane.begin(make_batch(20, 5))
    assert hear(lane)
    journal.close()
    assert drain(folder, store, settle_s=0) == 11


def test_folder_that_is_gone_is_made_again(
    folder: Path, journal: Journal, lane: JournalLane, store: SQLiteStore
) -> None:
    """What would be written to a file that was removed meanwhile is written to a new one."""
    assert lane.begin(make_batch(0, 5))
    assert hear(lane)
    shutil.rmtree(folder)
    assert lane.begin(make_batch(10, 5))
    assert hear(lane)
    journal.close()
    assert drain(folder, store, settle_s=0) == 5


def test_full_disk_is_told(small_disk: Path) -> None:
    """A batch that finds no room is for another way, and later ones are taken when there is room again."""
    now = [0.0]
    journal = Journal(small_disk / "journals", lanes=True, monotonic=lambda: now[0])
    lane = journal.open_lane()
    assert lane is not None
    assert not lane.begin(make_batch(0, 1))
    assert hear(lane) is None
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space left"):
        ballast.write_bytes(bytes(4_000_000))
    assert lane.begin(make_batch(0, 5))
    assert hear(lane) is False
    ballast.unlink()
    assert not lane.begin(make_batch(0, 5))
    now[0] = 1.0
    assert lane.begin(make_batch(0, 5))
    assert hear(lane)
    journal.close()


def test_lane_that_is_forgotten_leaves_nothing_open(folder: Path, journal: Journal, store: SQLiteStore) -> None:
    """An event loop that ends tells nobody; its lane's process ends with it, and the drain removes its journal."""
    before = len(list(Path("/dev/fd").iterdir()))
    for number in range(3):
        lane = journal.open_lane()
        assert lane is not None
        assert not lane.begin(make_batch(number, 1))
        assert hear(lane) is None
        assert lane.begin(make_batch(number, 1))
        assert hear(lane)
        attendant = lane._attendant
        assert attendant is not None
        del lane
        gc.collect()
        attendant.join(LIMIT_S)
    assert len(list(Path("/dev/fd").iterdir())) == before
    assert drain(folder, store, settle_s=0) == 3
    assert list(folder.iterdir()) == []


def test_count_of_losses_goes_first(journal: Journal, lane: JournalLane) -> None:
    """While losses are to be told of, hits go the way that tells them."""
    journal.lose("open", 3)
    assert not lane.begin(make_batch(0, 1))
    journal.append_all(make_batch(0, 1))
    assert lane.begin(make_batch(1, 1))
    assert hear(lane)


def test_killed_process_has_kept_what_it_acknowledged(folder: Path, store: SQLiteStore) -> None:
    """Killed at any moment, and drained before and after, it loses and doubles nothing (R1)."""
    acknowledged: set[str] = set()
    for _ in range(KILLS):
        command = [sys.executable, "-c", UNTIL_KILLED, str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            acknowledged |= {process.stdout.readline().strip() for _ in range(50)}
            drain(folder, store, settle_s=0)
            process.kill()
            acknowledged |= {line.strip() for line in process.stdout if line.endswith("\n")}
    drain(folder, store, settle_s=0)
    stored = [one.hex() for one in get_stored(store)]
    lost = acknowledged - set(stored)
    print(f"\n{KILLS} kills, {len(acknowledged)} hits answered, {len(lost)} lost")  # noqa: T201
    assert lost == set()
    assert len(stored) == len(set(stored))
