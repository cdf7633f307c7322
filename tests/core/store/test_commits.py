"""A thread that commits for many, and callers that wait no longer than they may."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from mailnod.errors import StoreUnavailableError
from mailnod.store.commits import Committer

#: Ends a test that hangs.
LIMIT_S = 30


class Disk:
    """Takes items; hangs and fails where it is told so."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.asked = threading.Event()
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.error: Exception | None = None
        self.closed = 0

    def write(self, items: Sequence[int]) -> None:
        self.asked.set()
        assert self.goes_on.wait(LIMIT_S)
        if self.error is not None:
            raise self.error
        self.batches.append(list(items))

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def make(disk: Disk) -> Iterator[Callable[..., Committer[int]]]:
    """Give a function that makes a committer for the disk."""
    made: list[Committer[int]] = []

    def make_committer(*, patience_s: float = LIMIT_S, **options: object) -> Committer[int]:
        made.append(Committer(disk.write, close=disk.close, patience_s=patience_s, name="test", **options))  # type: ignore[arg-type]
        return made[-1]

    yield make_committer
    disk.goes_on.set()
    for committer in made:
        committer.close()


def test_items_that_wait_share_a_commit(disk: Disk, make: Callable[..., Committer[int]]) -> None:
    """What comes while a commit is under way is written by the next one, together and in order."""
    committer = make()
    disk.goes_on.clear()
    first = threading.Thread(target=committer.commit, args=([1],))
    first.start()
    assert disk.asked.wait(LIMIT_S)
    for number in (2, 3, 4):
        assert not committer.commit([number], patience_s=0)
    disk.goes_on.set()
    assert committer.commit([5])
    first.join(LIMIT_S)
    committer.close()
    assert disk.batches == [[1], [2, 3, 4, 5]]
    assert committer.commits == 2


def test_caller_goes_when_the_disk_hangs(disk: Disk, make: Callable[..., Committer[int]]) -> None:
    """After its patience a caller is told that the item is not on the disk yet; it is written all the same."""
    committer = make(patience_s=0.01)
    disk.goes_on.clear()
    assert not committer.commit([1])
    assert not committer.commit([2])
    assert committer.is_stuck()
    disk.goes_on.set()
    committer.close()
    assert disk.batches == [[1], [2]]
    assert not committer.is_stuck()


def test_items_whose_callers_have_gone_are_named_where_they_fail(
    disk: Disk, make: Callable[..., Committer[int]]
) -> None:
    """Nobody hears of an error that came after the reply, so it is reported."""
    late: list[int] = []
    committer = make(patience_s=0.01, fail_late=late.extend)
    disk.goes_on.clear()
    disk.error = OSError("broken")
    assert not committer.commit([1, 2])
    disk.goes_on.set()
    committer.close()
    assert late == [1, 2]


def test_everybody_in_a_commit_hears_of_its_error(disk: Disk, make: Callable[..., Committer[int]]) -> None:
    """A failed commit raises for each caller, and the next one is tried."""
    committer = make()
    disk.error = OSError("broken")
    for _ in range(2):
        with pytest.raises(OSError, match="broken"):
            committer.commit([1])
    disk.error = None
    assert committer.commit([2])
    assert disk.batches == [[2]]


def test_memory_is_bounded_while_a_disk_hangs(disk: Disk, make: Callable[..., Committer[int]]) -> None:
    """Ten thousand items wait, and more are refused."""
    committer = make()
    disk.goes_on.clear()
    committer.commit([0], patience_s=0)
    assert disk.asked.wait(LIMIT_S)
    committer.commit(range(10_000), patience_s=0)
    with pytest.raises(StoreUnavailableError, match="hangs"):
        committer.commit([1])


def test_items_that_come_at_once_are_taken_however_many(disk: Disk, make: Callable[..., Committer[int]]) -> None:
    """What gathered elsewhere, behind a disk that was slow, is no reason to refuse it where nothing else waits."""
    assert make().commit(range(20_000))
    assert disk.batches == [list(range(20_000))]


def test_closed_committer_begins_anew(disk: Disk, make: Callable[..., Committer[int]]) -> None:
    """A close commits what waits and lets go of the disk; a later commit starts another thread."""
    committer = make()
    committer.close()
    assert disk.closed == 0
    for number in (1, 2):
        committer.commit([number], patience_s=0)
        committer.close()
        assert disk.closed == number
    assert disk.batches == [[1], [2]]
    assert "test" not in {thread.name for thread in threading.enumerate()}


def test_where_no_thread_is_to_be_had_the_caller_writes(
    disk: Disk, make: Callable[..., Committer[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is ending starts no thread any more, and what it commits is on the disk nevertheless."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    committer = make()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert committer.commit([1, 2])
    assert disk.batches == [[1, 2]]
