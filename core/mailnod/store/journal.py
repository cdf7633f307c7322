"""Where a collector writes hits down before it answers: a file for each process, synced at every commit.

No process waits for another one's disk or locks here. Where the journal does not take a hit in time (its disk is full,
read-only, broken or slow), a spool elsewhere takes it, and where that fails too, the loss is counted.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from threading import Lock

from mailnod.errors import StoreBugError, StoreError, StoreLateError, StoreUnavailableError
from mailnod.model import Kind, Observation, Overflow, Recorded
from mailnod.store.circuit import Circuit
from mailnod.store.commits import Committer
from mailnod.store.database import OpenFile, end_transaction, explain_error, get_primary_code, open_file, set_wal_mode
from mailnod.store.overflow import ADD_OVERFLOW
from mailnod.store.processes import PerProcess
from mailnod.store.rows import OBSERVATION_COLUMNS, OVERFLOW_COLUMNS, list_columns, write_observation, write_overflow
from mailnod.store.spool import Spool, sync_folder

__all__ = ["LOCK_SUFFIX", "SUFFIX", "Journal", "JournalCounts", "begin_write", "connect"]

Row = tuple[object, ...]

#: What journals are called, and the files whose lock says that their owner lives.
SUFFIX = ".journal"
LOCK_SUFFIX = ".lock"

#: How long a hit waits for journal and spool together, because a reply has a quarter of a second; and what part of that
#: it waits for the journal.
_PATIENCE_S = 0.22
_JOURNAL_SHARE = 0.55

#: How long a hit waits for the journal where there is no spool to turn to.
_PATIENCE_ALONE_S = 10.0

#: How long a commit waits, at most, for the drain to delete what it has moved.
_BUSY_TIMEOUT_S = 1.0

#: For how long nothing is tried on a disk that failed.
_PAUSE_S = 1.0

_CREATE = (
    f"CREATE TABLE IF NOT EXISTS hits (seq INTEGER PRIMARY KEY, {list_columns(OBSERVATION_COLUMNS)})",
    f"CREATE TABLE IF NOT EXISTS overflow ({list_columns(OVERFLOW_COLUMNS)}, PRIMARY KEY (id))",
)
_ROW = f"(?{', ?' * (len(OBSERVATION_COLUMNS) - 1)})"
#: Statements for so many rows at once.
_INSERTS = {
    size: f"INSERT INTO hits ({list_columns(OBSERVATION_COLUMNS)}) VALUES {', '.join([_ROW] * size)}"  # noqa: S608
    for size in (64, 32, 16, 8, 4, 2, 1)
}


def connect(
    path: Path, *, timeout_s: float = _BUSY_TIMEOUT_S, durable: bool = True, opens: OpenFile = open_file
) -> sqlite3.Connection:
    """Open a journal that exists.

    :param timeout_s: how long its writes wait for another process.
    :param durable: False where a power cut may undo what is written.
    :param opens: opens the file.
    """
    connection = opens(path, mode="rw", timeout_s=timeout_s)
    try:
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        connection.execute("PRAGMA secure_delete = ON")
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def begin_write(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold a journal's write lock; what is written meanwhile is there afterwards, or nothing is."""
    connection.execute("BEGIN IMMEDIATE")
    with end_transaction(connection):
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalCounts:
    """What became of the hits of one process since it began; those beyond a cap are not among them."""

    #: Hits that the journal took.
    journaled: int
    #: Hits that the spool took, because the journal did not in time.
    spooled: int
    #: Hits that were answered and that neither took.
    lost: int
    #: Commits of the journal, and how long they took together, in seconds.
    commits: int
    commit_s: float


class Journal:
    """An append-only log of observations; safe to use from any thread and after a fork.

    :param folder: where the journals of all processes lie; made on first use, readable by its owner alone.
    :param spool_folders: where hits go that the journal does not take, in the order in which they are tried. Where
        there are none, a hit waits up to ten seconds for the journal.
    :param patience_s: how long a hit waits altogether where there is a spool.
    :param spool_limit_bytes: how large a spool may grow.
    :param opens: opens the file of a journal.
    :param monotonic: seconds of a clock that is never set back.
    """

    def __init__(
        self,
        folder: Path,
        *,
        spool_folders: Sequence[Path] = (),
        patience_s: float = _PATIENCE_S,
        spool_limit_bytes: int = 256_000_000,
        opens: OpenFile = open_file,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        folder = folder.absolute()
        spool_folders = tuple(spool_folders)

        def make() -> _Recorder:
            spool = Spool(spool_folders, limit_bytes=spool_limit_bytes) if spool_folders else None
            return _Recorder(folder, spool, patience_s=patience_s, opens=opens, monotonic=monotonic)

        self._recorder = PerProcess(make)

    @property
    def counts(self) -> JournalCounts:
        """What became of this process's hits."""
        return self._recorder.get().count()

    def append(self, observation: Observation) -> None:
        """Write an observation down; it is on a disk when this returns.

        :raises StoreError: as :meth:`append_all` does.
        """
        self.append_all((observation,))

    def append_all(self, items: Sequence[Recorded]) -> None:
        """Write down, in one transaction, what is on a disk when this returns.

        :param items: at least one. A count of overflow takes the place of what was written under its id before.
        :raises StoreLateError: neither disk has answered in time; they are written when one does, and counted as lost
            where that fails.
        :raises StoreError: neither the journal nor the spool takes them; a later call may succeed again. What failed
            is not tried again for a second.
        """
        self._recorder.get().record(items)

    def hand_over(self, items: Sequence[Recorded], tell: Callable[[bool], None]) -> Callable[[], bool] | None:
        """Let items be written down with the next commit, and return at once.

        :param items: at least one.
        :param tell: called once, in another thread, with True when they are on a disk, and with False where the journal
            did not take them; it must not raise. In that case they are for :meth:`append_all`.
        :returns: None where the journal takes nothing now; else what may be called by whom it takes too long, and
            returns False where it is too late for that. Otherwise nothing is told any more, and the items are for
            :meth:`append_all`: what is written twice is counted once.
        """
        return self._recorder.get().hand_over(items, tell)

    def lose(self, kind: Kind, number: int = 1) -> None:
        """Count hits that were answered and not written down; their number itself is, once a disk takes it."""
        self._recorder.get().lose(kind, number)

    def close(self) -> None:
        """Close this process's file and leave it to the drain; a later append begins another."""
        self._recorder.get().close()


class _Recorder:
    """What takes the hits of one process: its journal, the spool, and the count of what is lost."""

    def __init__(
        self,
        folder: Path,
        spool: Spool | None,
        *,
        patience_s: float,
        opens: OpenFile,
        monotonic: Callable[[], float],
    ) -> None:
        self._folder = folder
        self._patience_s = patience_s
        journal_s = patience_s * _JOURNAL_SHARE if spool is not None else _PATIENCE_ALONE_S
        writer = _Writer(folder, opens=opens, busy_timeout_s=min(_BUSY_TIMEOUT_S, journal_s * 2 / 3))
        self._journal = Committer[Recorded](
            writer.write, close=writer.drop_file, patience_s=journal_s, name="mailnod-journal"
        )
        self._circuit = Circuit(pause_s=_PAUSE_S, monotonic=monotonic)
        self._spool: Committer[Recorded] | None = None
        if spool is not None:
            self._spool = Committer(spool.write, patience_s=patience_s, fail_late=self._lose_late, name="mailnod-spool")
        #: Guards what follows.
        self._counting = Lock()
        self._journaled = self._spooled = 0
        self._lost: dict[Kind, Overflow] = {}
        #: Whether a disk has the count of what is lost.
        self._told = True

    def count(self) -> JournalCounts:
        with self._counting:
            return JournalCounts(
                journaled=self._journaled,
                spooled=self._spooled,
                lost=sum(overflow.count for overflow in self._lost.values()),
                commits=self._journal.commits,
                commit_s=self._journal.commit_s,
            )

    def record(self, items: Sequence[Recorded]) -> None:
        hits = sum(isinstance(item, Observation) for item in items)
        began_at = time.monotonic()
        if not self._told:
            items = [*items, *self._take_lost()]
        try:
            self._to_journal(items)
        except StoreError as error:
            if self._spool is None:
                raise
            patience_s = began_at + self._patience_s - time.monotonic()
            self._to_spool(self._spool, items, error, patience_s=patience_s)
            with self._counting:
                self._spooled += hits
        else:
            with self._counting:
                self._journaled += hits

    def hand_over(self, items: Sequence[Recorded], tell: Callable[[bool], None]) -> Callable[[], bool] | None:
        if not self._told or self._journal.is_stuck():
            return None

        def finish(error: BaseException | None) -> None:
            failure = None if error is None else _explain(error, self._folder)
            self._circuit.note(failure if isinstance(failure, StoreUnavailableError) else None)
            if failure is None:
                with self._counting:
                    self._journaled += sum(isinstance(item, Observation) for item in items)
            tell(failure is None)

        try:
            self._circuit.check()
            return self._journal.hand_over(items, finish).leave
        except StoreUnavailableError:
            return None

    def lose(self, kind: Kind, number: int) -> None:
        now = datetime.now(UTC)
        with self._counting:
            known = self._lost.get(kind)
            if known is None:
                known = Overflow(
                    id=secrets.token_bytes(16), reason="lost", key="", kind=kind, first_at=now, last_at=now
                )
            self._lost[kind] = replace(known, last_at=now, count=known.count + number)
            self._told = False

    def close(self) -> None:
        if not self._told:
            with contextlib.suppress(StoreError):
                self.record(())
        self._journal.close()
        if self._spool is not None:
            self._spool.close()

    def _take_lost(self) -> list[Overflow]:
        with self._counting:
            # Should this not be written either, whoever lost the hits that come with it will say so again.
            self._told = True
            return list(self._lost.values())

    def _to_journal(self, items: Sequence[Recorded]) -> None:
        if self._journal.is_stuck():
            raise StoreUnavailableError(f"the disk does not answer: {str(self._folder)!r}")
        # A disk that is slow is asked again as soon as it has answered, and one that fails after a pause.
        with self._circuit.guard():
            try:
                written = self._journal.commit(items)
            except StoreError:
                raise
            except BaseException as error:
                raise _explain(error, self._folder) from error
        if not written:
            raise StoreUnavailableError(f"the disk did not take a hit in time: {str(self._folder)!r}")

    def _to_spool(
        self, spool: Committer[Recorded], items: Sequence[Recorded], why: StoreError, *, patience_s: float
    ) -> None:
        try:
            written = spool.commit(items, patience_s=patience_s)
        except (StoreError, OSError) as error:
            raise StoreUnavailableError(f"{why}; and the spool did not take it: {error}") from error
        if not written:
            raise StoreLateError(f"{why}; and the spool has not answered either")

    def _lose_late(self, items: Sequence[Recorded]) -> None:
        for item in items:
            if isinstance(item, Observation):
                self.lose(item.hit.kind, 1)


class _Writer:
    """The journal of one process; used by one thread at a time."""

    def __init__(self, folder: Path, *, opens: OpenFile, busy_timeout_s: float) -> None:
        self._folder = folder
        self._opens = opens
        self._busy_timeout_s = busy_timeout_s
        self._file: _File | None = None

    def write(self, items: Sequence[Recorded]) -> None:
        rows = [write_observation(item) for item in items if isinstance(item, Observation)]
        # A flood writes the same counts again and again; of each the highest is enough.
        counts = sorted((item for item in items if isinstance(item, Overflow)), key=lambda item: item.count)
        overflow = [write_overflow(item) for item in {item.id: item for item in counts}.values()]
        try:
            self._try(rows, overflow)
        except (sqlite3.Error, OSError) as error:
            if _is_full(error):
                # The file is sound, and another one would fare no better.
                raise
            self.drop_file()
            self._try(rows, overflow)

    def drop_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _try(self, rows: Sequence[Row], overflow: Sequence[Row]) -> None:
        self._get_file().write(rows, overflow)
        if not self._get_file().is_in_place():
            # Writes to a file that was unlinked or set aside succeed and are never read.
            self.drop_file()
            self._get_file().write(rows, overflow)

    def _get_file(self) -> _File:
        if self._file is None:
            self._file = _File(self._folder, opens=self._opens, busy_timeout_s=self._busy_timeout_s)
        return self._file


class _File:
    """A journal file that its owner writes to, and the lock that says so."""

    def __init__(self, folder: Path, *, opens: OpenFile, busy_timeout_s: float) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / f"{os.getpid()}-{secrets.token_hex(8)}{SUFFIX}"
        # The lock comes before the journal, so that no living owner's journal is ever without one. It has a file of its
        # own because closing any descriptor of a database drops SQLite's locks on it.
        self._lock = _take_lock(self._path.with_suffix(LOCK_SUFFIX))
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            self._connection = connect(self._path, timeout_s=busy_timeout_s, opens=opens)
        except BaseException:
            self._remove()
            os.close(self._lock)
            raise
        try:
            set_wal_mode(self._connection, timeout_s=busy_timeout_s)
            for statement in _CREATE:
                self._connection.execute(statement)
            sync_folder(folder)
            status = self._path.stat()
            self._identity = status.st_dev, status.st_ino
        except BaseException:
            # It holds nothing yet, and on a full disk each hit would leave another.
            self._remove()
            self.close()
            raise

    def write(self, rows: Sequence[Row], overflow: Sequence[Row]) -> None:
        with begin_write(self._connection):
            self._insert(rows)
            self._connection.executemany(ADD_OVERFLOW, overflow)

    def _insert(self, rows: Sequence[Row]) -> None:
        # Every statement lets go of the interpreter and must win it back from the thread that answers requests, so as
        # few as may be are used.
        start = 0
        for size, statement in _INSERTS.items():
            while len(rows) - start >= size:
                self._connection.execute(statement, tuple(chain.from_iterable(rows[start : start + size])))
                start += size

    def is_in_place(self) -> bool:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return False
        return (status.st_dev, status.st_ino) == self._identity

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()
        os.close(self._lock)

    def _remove(self) -> None:
        for name in (self._path.name, f"{self._path.name}-wal", f"{self._path.name}-shm"):
            with contextlib.suppress(OSError):
                self._path.with_name(name).unlink()
        with contextlib.suppress(OSError):
            self._path.with_suffix(LOCK_SUFFIX).unlink()


def _is_full(error: sqlite3.Error | OSError) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    # The index of the log is a file of its own, and has an error of its own where there is no room for it.
    no_room_for_index = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_IOERR_SHMSIZE
    return no_room_for_index or get_primary_code(error) == sqlite3.SQLITE_FULL


def _explain(error: BaseException, folder: Path) -> StoreError:
    """Return what an appender raises for what went wrong in its batch, a new error for each thread."""
    if isinstance(error, sqlite3.Error | OSError):
        failure = explain_error(error, path=folder)
    elif isinstance(error, Exception):
        failure = StoreBugError(f"a hit could not be written to {str(folder)!r}: {error!r}")
    else:
        failure = StoreUnavailableError(f"the process was interrupted while it wrote to {str(folder)!r}")
    failure.__cause__ = error
    return failure


def _take_lock(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_nlink == 0:
            raise FileNotFoundError(errno.ENOENT, "a drain took the new lock file for a leftover", str(path))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
