"""The journal of an event loop: nothing waits, and what it says is written is on the disk."""

from __future__ import annotations

import errno
import gc
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.store_contract import after, make_observation
from mailnod.model import Observation
from mailnod.store.direct import BLOCK_BYTES, DirectWriter
from mailnod.store.drain import drain
from mailnod.store.journal import Journal
from mailnod.store.lane import JournalLane
from mailnod.store.sqlite import SQLiteStore

#: Ends a test that hangs.
LIMIT_S = 30

UNTIL_KILLED = """
import os, select, sys
from datetime import UTC, datetime
from pathlib import Path
from mailnod.model import Hit, Observation
from mailnod.store.ids import new_id
from mailnod.store.journal import Journal

lane = Journal(Path(sys.argv[1])).open_lane()
while True:
    lane.make_room()
    batch = []
    for _ in range(7):
        now = datetime.now(UTC)
        hit = Hit(kind="open", method="GET", ip="192.0.2.1", user_agent="Mail", headers={}, received_at=now)
        batch.append(Observation(id=new_id(now), hit=hit, delivery_id=b"8 bytes."))
    assert lane.begin(batch)
    select.select([lane.fileno()], [], [])
    assert lane.finish()
    os.write(1, b"".join(one.id.hex().encode() + b"\\n" for one in batch))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Name a folder of journals that is not there yet."""
    return tmp_path / "journals"


@pytest.fixture
def journal(folder: Path) -> Iterator[Journal]:
    """Give a journal."""
    journal = Journal(folder)
    yield journal
    journal.close()


@pytest.fixture
def lane(journal: Journal) -> JournalLane:
    """Give a lane with room."""
    lane = journal.open_lane()
    if lane is None:
        pytest.skip("system: has no writes that need not be waited for")
    lane.make_room()
    if lane.is_low:
        pytest.skip("file system: takes no direct writes")
    return lane


def make_batch(first: int, count: int) -> list[Observation]:
    """Make hits, one after the other."""
    return [make_observation(b"8 bytes.", at=after(number)) for number in range(first, first + count)]


def wait(lane: JournalLane) -> bool | None:
    """Wait until a lane has something to say, and return it."""
    assert select.select([lane.fileno()], [], [], LIMIT_S)[0]
    return lane.finish()


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
        assert wait(lane)
        sent += batch
        if number % 2:
            drain(folder, store, settle_s=0)
    journal.close()
    drain(folder, store, settle_s=0)
    assert get_stored(store) == [one.id for one in sent]
    assert journal.counts.journaled == len(sent)
    assert journal.counts.commits == 6
    assert list(folder.iterdir()) == []


def test_one_batch_is_under_way_at_a_time(lane: JournalLane) -> None:
    """A second batch is refused until the first one's end was heard, and hearing it twice says nothing."""
    assert lane.begin(make_batch(0, 3))
    assert not lane.begin(make_batch(10, 3))
    assert wait(lane)
    assert lane.finish() is None
    assert lane.begin(make_batch(20, 3))
    assert wait(lane)


def test_batch_that_is_too_large_goes_another_way(lane: JournalLane) -> None:
    """What no single write takes is refused, and smaller ones go on."""
    assert not lane.begin([make_observation(b"8 bytes.", user_agent="x" * 600) for _ in range(1000)])
    assert lane.begin(make_batch(0, 1))
    assert wait(lane)


def test_full_file_is_followed_by_the_next(
    folder: Path, journal: Journal, lane: JournalLane, store: SQLiteStore
) -> None:
    """When a file is low another is made beside it, and the loop goes on with that, without a gap."""
    number = 0
    while len(list(folder.glob("*.journal"))) < 3:
        if lane.is_low:
            lane.make_room()
        assert lane.begin(make_batch(number, 300))
        assert wait(lane)
        number += 300
    journal.close()
    assert drain(folder, store, settle_s=0) == number


def test_lane_without_room_takes_nothing(folder: Path, journal: Journal, lane: JournalLane, store: SQLiteStore) -> None:
    """After a close there is no file until room is made again."""
    journal.close()
    assert not lane.begin(make_batch(0, 1))
    lane.make_room()
    assert lane.begin(make_batch(0, 1))
    assert wait(lane)
    journal.close()
    assert drain(folder, store, settle_s=0) == 1


def test_close_waits_for_what_is_under_way(
    folder: Path, journal: Journal, lane: JournalLane, store: SQLiteStore
) -> None:
    """A process that ends in order leaves no hit on its way."""
    assert lane.begin(make_batch(0, 5))
    journal.close()
    assert drain(folder, store, settle_s=0) == 5


def test_batch_in_a_file_that_is_gone_is_not_acknowledged(
    folder: Path, journal: Journal, lane: JournalLane, store: SQLiteStore
) -> None:
    """What was written to a file that was removed meanwhile is for another way, and the next file is used."""
    shutil.rmtree(folder)
    assert lane.begin(make_batch(0, 5))
    assert wait(lane) is False
    assert not lane.begin(make_batch(0, 5))
    lane.make_room()
    assert lane.begin(make_batch(0, 5))
    assert wait(lane)
    journal.close()
    assert drain(folder, store, settle_s=0) == 5


def test_lane_that_is_forgotten_leaves_nothing_open(folder: Path, journal: Journal, store: SQLiteStore) -> None:
    """An event loop that ends tells nobody; its lane's files are closed with it, and the drain removes them."""
    before = len(list(Path("/dev/fd").iterdir()))
    for number in range(3):
        lane = journal.open_lane()
        if lane is None:
            pytest.skip("system: has no writes that need not be waited for")
        lane.make_room()
        if lane.begin(make_batch(number, 1)):
            assert wait(lane)
        del lane
        gc.collect()
    assert len(list(Path("/dev/fd").iterdir())) == before
    drain(folder, store, settle_s=0)
    assert list(folder.iterdir()) == []


def test_count_of_losses_goes_first(journal: Journal, lane: JournalLane) -> None:
    """While losses are to be told of, hits go the way that tells them."""
    journal.lose("open", 3)
    assert not lane.begin(make_batch(0, 1))
    journal.append_all(make_batch(0, 1))
    assert lane.begin(make_batch(1, 1))
    assert wait(lane)


def test_full_disk_makes_no_room_and_keeps_the_peace(small_disk: Path) -> None:
    """Where no file can be made the lane takes nothing, leaves nothing behind, and does not ask again at once."""
    lane = Journal(small_disk / "journals").open_lane()
    if lane is None:
        pytest.skip("system: has no writes that need not be waited for")
    lane.make_room()
    assert not lane.is_low
    assert not lane.begin(make_batch(0, 1))
    assert list((small_disk / "journals").iterdir()) == []


def test_killed_process_has_kept_what_its_lane_acknowledged(
    folder: Path, store: SQLiteStore, lane: JournalLane
) -> None:
    """Killed between two writes or in one, and drained before and after, it loses and doubles nothing (R1)."""
    acknowledged: set[str] = set()
    for _ in range(5):
        command = [sys.executable, "-c", UNTIL_KILLED, str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            acknowledged |= {process.stdout.readline().strip() for _ in range(50)}
            drain(folder, store, settle_s=0)
            process.kill()
            acknowledged |= {line.strip() for line in process.stdout if line.endswith("\n")}
    drain(folder, store, settle_s=0)
    stored = [one.hex() for one in get_stored(store)]
    assert acknowledged - set(stored) == set()
    assert len(stored) == len(set(stored))


def test_refused_write_is_told(tmp_path: Path) -> None:
    """A write that the kernel cannot do raises when it is begun or when it ends, and the writer goes on."""
    try:
        writer = DirectWriter()
    except OSError as error:
        pytest.skip(f"system: {error}")
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        writer.begin(-1, bytes(BLOCK_BYTES), 0)
    descriptor = os.open(tmp_path / "file", os.O_RDONLY | os.O_CREAT)
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
            writer.begin(descriptor, bytes(BLOCK_BYTES), 0)
    finally:
        os.close(descriptor)
    assert writer.end() is None
