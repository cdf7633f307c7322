"""The file of one process's journal: how it is made, written, found to be gone, and opened by others."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from mailnod.model import Observation, Overflow, Recorded
from mailnod.store.database import OpenFile, end_transaction, get_primary_code, open_file, set_wal_mode
from mailnod.store.files import sync_path
from mailnod.store.overflow import ADD_OVERFLOW
from mailnod.store.rows import OBSERVATION_COLUMNS, OVERFLOW_COLUMNS, list_columns, write_observation, write_overflow

__all__ = ["BUSY_TIMEOUT_S", "LOCK_SUFFIX", "SUFFIX", "Writer", "begin_write", "connect"]

Row = tuple[object, ...]

#: What journals are called, and the files whose lock says that their owner lives.
SUFFIX = ".journal"
LOCK_SUFFIX = ".lock"

#: How long a commit waits, at most, for the drain to delete what it has moved.
BUSY_TIMEOUT_S = 1.0

_CREATE = (
    f"CREATE TABLE IF NOT EXISTS hits (seq INTEGER PRIMARY KEY, {list_columns(OBSERVATION_COLUMNS)})",
    f"CREATE TABLE IF NOT EXISTS overflow ({list_columns(OVERFLOW_COLUMNS)}, PRIMARY KEY (id))",
)
#: What stands for a value in a statement, where that is not the value as it is bound; see :func:`_bind`.
_PLACES = {"link_index": "nullif(?, -1)", "url": "nullif(?, '')"}
_ROW = f"({', '.join(_PLACES.get(name, '?') for name in OBSERVATION_COLUMNS)})"
#: How many rows one statement writes, at most.
_MAX_ROWS = 64


@cache
def _make_insert(rows: int) -> str:
    values = ", ".join([_ROW] * rows)
    return f"INSERT INTO hits ({list_columns(OBSERVATION_COLUMNS)}) VALUES {values}"  # noqa: S608


def connect(
    path: Path, *, timeout_s: float = BUSY_TIMEOUT_S, durable: bool = True, opens: OpenFile = open_file
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


class Writer:
    """The journal of one process; used by one thread at a time."""

    def __init__(self, folder: Path, *, opens: OpenFile, busy_timeout_s: float) -> None:
        self._folder = folder
        self._opens = opens
        self._busy_timeout_s = busy_timeout_s
        self._file: _File | None = None

    def write(self, items: Sequence[Recorded]) -> None:
        """Write down hits and counts; they are on the disk when this returns.

        :raises sqlite3.Error, OSError: neither the file nor another one takes them.
        """
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
        """Close the file and leave it to the drain; the next write begins another."""
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
            sync_path(folder)
            status = self._path.stat()
            self._identity = status.st_dev, status.st_ino
        except BaseException:
            # It holds nothing yet, and on a full disk each hit would leave another.
            self._remove()
            self.close()
            raise

    def write(self, rows: Sequence[Row], overflow: Sequence[Row]) -> None:
        # Every statement lets go of the interpreter and must win it back from the thread that answers requests, so as
        # few as may be are used; one alone is a transaction of its own.
        if not overflow and len(rows) <= _MAX_ROWS:
            self._insert(rows)
            return
        with begin_write(self._connection):
            for start in range(0, len(rows), _MAX_ROWS):
                self._insert(rows[start : start + _MAX_ROWS])
            self._connection.executemany(ADD_OVERFLOW, overflow)

    def _insert(self, rows: Sequence[Row]) -> None:
        if rows:
            # Unlike execute(), this does not let go of the interpreter once more to ask for the number of the last row.
            self._connection.executemany(_make_insert(len(rows)), (tuple(chain.from_iterable(map(_bind, rows))),))

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


def _bind(row: Sequence[Any]) -> Row:
    """Return the row of an observation in types that need no adapter.

    For bytes, booleans and None the module looks for one each time, which takes longer than to bind the value.
    """
    id_, delivery_id, *others, link_index, url, checked = row
    number = -1 if link_index is None else link_index
    return (bytearray(id_), bytearray(delivery_id), *others, number, url or "", int(checked))


def _is_full(error: sqlite3.Error | OSError) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    # The index of the log is a file of its own, and has an error of its own where there is no room for it.
    no_room_for_index = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_IOERR_SHMSIZE
    return no_room_for_index or get_primary_code(error) == sqlite3.SQLITE_FULL


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
