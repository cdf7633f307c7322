"""Count what a collector does, where the other processes of the same server can read it."""

from __future__ import annotations

import fcntl
import logging
import mmap
import os
import secrets
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from time import monotonic_ns
from typing import Literal, get_args

from mailnod.model import Kind
from mailnod.store.processes import PerProcess

__all__ = ["BUCKETS_S", "Counters", "Counts", "Outcome"]

log = logging.getLogger("mailnod.collect")

#: What became of a hit. "capped" is only counted, "refused" has no genuine token or tag, "untracked" one that allows no
#: tracking of its axis.
Outcome = Literal["recorded", "capped", "lost", "withdrawn", "untracked", "expired", "retired", "refused"]

#: Upper bounds of the histogram of commits; what took longer counts in one more, without a bound.
BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

_HITS: list[tuple[Kind, Outcome]] = [(kind, outcome) for kind in get_args(Kind) for outcome in get_args(Outcome)]
_HIT_CELLS = {hit: cell for cell, hit in enumerate(_HITS)}
#: The cells after those of hits: commits by bucket, their time, then what only counts while the process lives.
_COMMITS = len(_HITS)
_COMMIT_NS = _COMMITS + len(BUCKETS_S) + 1
_SPOOLED = _COMMIT_NS + 1
_WAITING = _SPOOLED + 1
_READ_AT_NS = _WAITING + 1
_CELLS = _READ_AT_NS + 1

_SUFFIX = ".counts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the processes of a server have done since it started."""

    #: How many hits had which kind and outcome.
    hits: Mapping[tuple[Kind, Outcome], int]
    #: How many commits took at most so many seconds as the bound in the same place says; the last have no bound.
    commits: tuple[int, ...]
    #: How long all commits took together.
    commit_s: float
    #: How many hits the spool took, because the journal did not in time.
    spooled: int
    #: How many hits wait for their commit now.
    waiting: int
    #: Since when the oldest of the sets of withdrawals is as it is; None where none was read yet.
    withdrawals_age_s: float | None


class Counters:
    """The counts of one process; safe to use from any thread and after a fork.

    :param folder: where all processes of a server keep theirs, each in a file of its own, and where it stays when the
        process ends; None counts for this process alone.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._own = PerProcess(lambda: _Cells(folder))

    def count(self, kind: Kind, outcome: Outcome, number: int = 1) -> None:
        """Count hits."""
        self._own.get().add(_HIT_CELLS[kind, outcome], number)

    def count_commit(self, took_s: float) -> None:
        """Count a commit."""
        own = self._own.get()
        own.add(_COMMITS + bisect_left(BUCKETS_S, took_s), 1)
        own.add(_COMMIT_NS, int(took_s * 1e9))

    def set_spooled(self, number: int) -> None:
        """Say how many hits of this process the spool took in all."""
        self._own.get().set(_SPOOLED, number)

    def add_waiting(self, number: int) -> None:
        """Say that so many hits more wait for their commit, or, below zero, less."""
        self._own.get().add(_WAITING, number)

    def note_withdrawals_read(self) -> None:
        """Say that the set of withdrawals is as new as it can be."""
        self._own.get().set(_READ_AT_NS, monotonic_ns())

    def read(self) -> Counts:
        """Return the counts of all processes together."""
        own = self._own.get()
        lists = [list(own.cells)] if self._folder is None else list(_read_all(self._folder))
        sums = [sum(column) for column in zip(*lists, strict=True)]
        ages = [monotonic_ns() - cells[_READ_AT_NS] for cells in lists if cells[_READ_AT_NS]]
        return Counts(
            hits={hit: sums[cell] for hit, cell in _HIT_CELLS.items()},
            commits=tuple(sums[_COMMITS:_COMMIT_NS]),
            commit_s=sums[_COMMIT_NS] / 1e9,
            spooled=sums[_SPOOLED],
            waiting=sums[_WAITING],
            withdrawals_age_s=max(ages) / 1e9 if ages else None,
        )


class _Cells:
    """Numbers of 64 bits in memory that other processes may share."""

    def __init__(self, folder: Path | None) -> None:
        self._lock = Lock()
        self._descriptor: int | None = None
        memory: mmap.mmap | bytearray = bytearray(8 * _CELLS)
        if folder is not None:
            try:
                memory = self._share(folder)
            except OSError as error:
                log.warning("this process's counts are missing from the metrics: %s", error.strerror)
        self.cells = memoryview(memory).cast("Q")

    def add(self, cell: int, number: int) -> None:
        with self._lock:
            self.cells[cell] += number

    def set(self, cell: int, number: int) -> None:
        self.cells[cell] = number

    def _share(self, folder: Path) -> mmap.mmap:
        path = folder / f"{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # Held for as long as the process lives, and says that it does.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # A hole in the file that a full disk cannot fill would end the process with SIGBUS.
            os.posix_fallocate(descriptor, 0, 8 * _CELLS)
            memory = mmap.mmap(descriptor, 8 * _CELLS)
        except BaseException:
            os.close(descriptor)
            path.unlink()
            raise
        self._descriptor = descriptor
        return memory


def _read_all(folder: Path) -> Iterator[list[int]]:
    """Yield the cells of every process that counts or has counted in a folder."""
    yield [0] * _CELLS
    for path in folder.glob(f"*{_SUFFIX}"):
        with path.open("rb") as file:
            raw = file.read(8 * _CELLS)
            if len(raw) < 8 * _CELLS:
                # Its process is about to fill it.
                continue
            cells = list(memoryview(raw).cast("Q"))
            if not _is_held(file.fileno()):
                cells[_WAITING] = cells[_READ_AT_NS] = 0
        yield cells


def _is_held(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
