"""Where a collector writes hits down before it answers: a file for each process, synced at every commit.

No process waits for another one's disk or locks here. Hits that arrive while a commit is under way share the next
one (group commit), so the disk is synced once for all of them.
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
from pathlib import Path
from threading import Lock
from typing import Any

from mailnod.errors import StoreBugError, StoreError, StoreUnavailableError
from mailnod.model import Observation
from mailnod.store.database import end_transaction, explain_error, get_primary_code, set_wal_mode
from mailnod.store.processes import PerProcess, fork_gate
from mailnod.store.rows import OBSERVATION_COLUMNS, list_columns, write_observation

__all__ = ["LOCK_SUFFIX", "SUFFIX", "Journal", "begin_write", "connect"]

#: What journals are called, and the files whose lock says that their owner lives.
SUFFIX = ".journal"
LOCK_SUFFIX = ".lock"

#: How long a commit waits for the drain to delete what it has moved.
_BUSY_TIMEOUT_S = 1.0

#: For how long nothing is tried on a disk that was found full.
_FULL_PAUSE_S = 1.0

#: How long a hit waits for the commit that it shares, should the disk hang.
_PATIENCE_S = 10.0

_CREATE = f"CREATE TABLE IF NOT EXISTS hits (seq INTEGER PRIMARY KEY, {list_columns(OBSERVATION_COLUMNS)})"
_INSERT = f"INSERT INTO hits ({list_columns(OBSERVATION_COLUMNS)}) VALUES (?{', ?' * (len(OBSERVATION_COLUMNS) - 1)})"  # noqa: S608


def connect(path: Path, *, timeout_s: float = _BUSY_TIMEOUT_S) -> sqlite3.Connection:
    """Open a journal that exists; its writes wait so long for another process."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=timeout_s,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def begin_write(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold a journal's write lock; what is written meanwhile is on the disk afterwards, or nothing is."""
    connection.execute("BEGIN IMMEDIATE")
    with end_transaction(connection):
        yield


class Journal:
    """An append-only log of observations; safe to use from any thread and after a fork.

    :param folder: where the journals of all processes lie; made on first use, readable by its owner alone.
    :param monotonic: seconds of a clock that is never set back.
    """

    def __init__(self, folder: Path, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder.absolute()
        self._writer = PerProcess(lambda: _Writer(self._folder, monotonic))

    def append(self, observation: Observation) -> None:
        """Write an observation down; it is on the disk when this returns.

        :raises StoreUnavailableError: where the disk is full, read-only or broken; a later call may succeed again. A
            full disk is tried again after a second.
        """
        self.append_all((observation,))

    def append_all(self, observations: Sequence[Observation]) -> None:
        """Write observations down in one transaction; all of them are on the disk when this returns, or none is.

        :param observations: at least one.
        :raises StoreUnavailableError: as :meth:`append` does.
        """
        self._writer.get().append([write_observation(observation) for observation in observations])

    def close(self) -> None:
        """Close this process's file and leave it to the drain; a later append begins another."""
        self._writer.get().close()


class _Batch:
    """Rows that are committed together."""

    __slots__ = ("done", "error", "rows")

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []
        #: Held until the batch is committed or has failed; a bare lock wakes its waiters faster than an event does.
        self.done = Lock()
        self.done.acquire()
        self.error: BaseException | None = None


class _Writer:
    """The journal of one process."""

    def __init__(self, folder: Path, monotonic: Callable[[], float]) -> None:
        self._folder = folder
        self._monotonic = monotonic
        #: When the disk was found full, and how it said so.
        self._full: tuple[float, sqlite3.Error | OSError] | None = None
        #: Guards the batch that is being filled.
        self._filling = Lock()
        self._batch = _Batch()
        #: Held by whoever commits.
        self._committing = Lock()
        self._file: _File | None = None

    def append(self, rows: Sequence[tuple[Any, ...]]) -> None:
        with self._filling:
            batch = self._batch
            leads = not batch.rows
            batch.rows.extend(rows)
        if leads:
            self._lead(batch)
        else:
            self._wait(batch)
        if batch.error is not None:
            raise _explain(batch.error, self._folder)

    def close(self) -> None:
        with self._committing, fork_gate:
            self._drop_file()

    def _wait(self, batch: _Batch) -> None:
        if not batch.done.acquire(timeout=_PATIENCE_S):
            raise StoreUnavailableError(f"the disk did not take a hit in {_PATIENCE_S:g} s: {str(self._folder)!r}")
        batch.done.release()

    def _lead(self, batch: _Batch) -> None:
        """Commit a batch; those who come while the one before it is written join it."""
        try:
            with self._committing:
                self._seal(batch)
                with fork_gate:
                    self._commit(batch.rows)
        except Exception as error:
            batch.error = error
        except BaseException as error:
            # A signal's exception is this thread's own; the others learn that nothing is certain.
            batch.error = error
            raise
        finally:
            self._seal(batch)
            batch.done.release()

    def _seal(self, batch: _Batch) -> None:
        """Let nobody join a batch any more."""
        with self._filling:
            if self._batch is batch:
                self._batch = _Batch()

    def _commit(self, rows: list[tuple[Any, ...]]) -> None:
        if self._full is not None and self._monotonic() - self._full[0] < _FULL_PAUSE_S:
            raise self._full[1].with_traceback(None)
        self._full = None
        try:
            self._try(rows)
        except (sqlite3.Error, OSError) as error:
            if _is_full(error):
                self._full = self._monotonic(), error
            raise

    def _try(self, rows: list[tuple[Any, ...]]) -> None:
        try:
            self._write(rows)
        except (sqlite3.Error, OSError) as error:
            if _is_full(error):
                # The file is sound, and another one would fare no better.
                raise
            self._drop_file()
            self._write(rows)

    def _write(self, rows: list[tuple[Any, ...]]) -> None:
        if self._file is None:
            self._file = _File(self._folder)
        self._file.write(rows)
        if not self._file.is_in_place():
            # Writes to a file that was unlinked or set aside succeed and are never read.
            self._drop_file()
            self._file = _File(self._folder)
            self._file.write(rows)

    def _drop_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class _File:
    """A journal file that its owner writes to, and the lock that says so."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / f"{os.getpid()}-{secrets.token_hex(8)}{SUFFIX}"
        # The lock comes before the journal, so that no living owner's journal is ever without one. It has a file of its
        # own because closing any descriptor of a database drops SQLite's locks on it.
        self._lock = _take_lock(self._path.with_suffix(LOCK_SUFFIX))
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            self._connection = connect(self._path)
        except BaseException:
            self._remove()
            os.close(self._lock)
            raise
        try:
            set_wal_mode(self._connection, timeout_s=_BUSY_TIMEOUT_S)
            self._connection.execute(_CREATE)
            _sync_folder(folder)
            self._inode = self._path.stat().st_ino
        except BaseException:
            # It holds nothing yet, and on a full disk each hit would leave another.
            self._remove()
            self.close()
            raise

    def write(self, rows: list[tuple[Any, ...]]) -> None:
        with begin_write(self._connection):
            self._connection.executemany(_INSERT, rows)

    def is_in_place(self) -> bool:
        try:
            return self._path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

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


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
