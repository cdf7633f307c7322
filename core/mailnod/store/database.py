"""One SQLite file: how it is opened, how transactions begin and end, and what its errors mean."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from mailnod.errors import StoreBugError, StoreError, StoreUnavailableError
from mailnod.store.processes import PerProcess, fork_gate
from mailnod.store.schema import check_schema, get_version, migrate

__all__ = [
    "Database",
    "OpenFile",
    "end_transaction",
    "explain_error",
    "get_primary_code",
    "open_file",
    "set_wal_mode",
]

#: Result codes that blame the environment (https://www.sqlite.org/rescode.html).
_ENVIRONMENT = {
    sqlite3.SQLITE_PERM: "the database may not be used by this user",
    sqlite3.SQLITE_BUSY: "the database is locked by another process",
    sqlite3.SQLITE_LOCKED: "the database is locked by this process",
    sqlite3.SQLITE_NOMEM: "there is no memory left",
    sqlite3.SQLITE_READONLY: "the database is read-only",
    sqlite3.SQLITE_IOERR: "the disk answers with errors",
    sqlite3.SQLITE_CORRUPT: "the database is damaged; restore it from a backup",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened",
    sqlite3.SQLITE_PROTOCOL: "the database is locked by another process",
    sqlite3.SQLITE_NOLFS: "the file system cannot hold a file of this size",
    sqlite3.SQLITE_AUTH: "the database may not be used by this user",
    sqlite3.SQLITE_NOTADB: "the file is not an SQLite database",
}

#: How long SQLite waits for a write lock before it is asked again.
_ROUND_S = 0.01

#: What a connection keeps of the file at most. With SQLite's own 2 MB, a search in a store of ten million events reads
#: the upper pages of its indexes over and over.
_CACHE_KIB = 8_000

#: After these a connection is not trusted again.
_FATAL = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}


class OpenFile(Protocol):
    """How a file is opened: :func:`open_file`, or another SQLite's connection that behaves as that of ``sqlite3``."""

    def __call__(self, path: Path, *, mode: str, timeout_s: float) -> sqlite3.Connection:
        """Open a database that exists, in autocommit mode and for any thread."""
        ...


def open_file(path: Path, *, mode: str, timeout_s: float) -> sqlite3.Connection:
    """Open a database that exists, in autocommit mode and for any thread.

    :param path: absolute.
    :param mode: "ro" or "rw".
    :param timeout_s: how long statements wait for another process's lock.
    """
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=timeout_s,
        isolation_level=None,
        check_same_thread=False,
    )


def get_primary_code(error: sqlite3.Error) -> int | None:
    """Return the primary result code of an error; None where SQLite gave none."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def explain_error(error: sqlite3.Error | OSError, *, path: Path) -> StoreError:
    """Return the error of ours that says whose fault another is."""
    if isinstance(error, OSError):
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return StoreUnavailableError(f"the disk is full: {str(path)!r}")
        return StoreUnavailableError(f"{str(path)!r} cannot be used: {error.strerror or error}")
    reason = _ENVIRONMENT.get(get_primary_code(error) or 0)
    if reason is not None:
        return StoreUnavailableError(f"{reason}: {str(path)!r} ({error})")
    return StoreBugError(f"SQLite refused a statement on {str(path)!r}: {error}")


def set_wal_mode(connection: sqlite3.Connection, *, timeout_s: float) -> None:
    """Switch a database to write-ahead logging, which SQLite does without waiting for other processes."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if get_primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


@contextlib.contextmanager
def end_transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit the transaction that has begun, or take it back where anything raises."""
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        raise


def truncate_log(connection: sqlite3.Connection) -> bool:
    """Empty a database's write-ahead log; False where a reader or writer still needs it.

    Deleted rows are overwritten in the file (secure_delete), and their old pages stand in the log until then
    (https://www.sqlite.org/pragma.html#pragma_wal_checkpoint).

    :param connection: outside any transaction.
    """
    try:
        ((busy, _, _),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.OperationalError as error:
        if get_primary_code(error) not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise
        return False
    return not busy


class _Connection:
    """A connection of one thread, and the file that it was opened on."""

    def __init__(self, raw: sqlite3.Connection, file: tuple[int, int]) -> None:
        self.raw = raw
        self.file = file
        self.lock = threading.Lock()
        #: What was last set, each by its pragma.
        self.settings = {"synchronous": "FULL"}
        self.closed = False
        #: The schema that it was last found fit for.
        self.version = get_version(raw)
        self._pid = os.getpid()
        fork_gate.keep_in_children(self)

    def set(self, pragma: str, value: str) -> None:
        if self.settings.get(pragma) != value:
            self.raw.execute(f"PRAGMA {pragma} = {value}")
            self.settings[pragma] = value

    def close(self) -> None:
        self.closed = True
        self.raw.close()

    def __del__(self) -> None:
        # A thread has ended. In a forked child the connection is its parent's, and is left alone.
        if not self.closed and os.getpid() == self._pid:
            with fork_gate:
                self.close()


def _begin(connection: _Connection, begin: str, patience_s: float) -> None:
    """Begin a transaction, waiting for another process's lock for so long."""
    deadline = time.monotonic() + patience_s
    # SQLite pauses for longer from try to try. Asked anew each time, it finds the short gaps that a busy worker leaves.
    wait_s = patience_s if begin == "BEGIN" else min(patience_s, _ROUND_S)
    connection.set("busy_timeout", f"{wait_s * 1000:.0f}")
    while True:
        try:
            connection.raw.execute(begin)
        except sqlite3.OperationalError as error:
            if get_primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
        else:
            return


class _Connections:
    """The connections of one process."""

    def __init__(self) -> None:
        self.local = threading.local()
        self.lock = threading.Lock()
        self.all: weakref.WeakSet[_Connection] = weakref.WeakSet()


class Database:
    """A file with a connection for each thread of each process, opened on first use.

    :param path: the file; with its folder it is made on first use, readable by its owner alone.
    :param read_only: never write, migrate or make anything; other processes may write at the same time.
    :param busy_timeout_s: how long a statement waits for another process's lock.
    :param opens: opens the file.
    """

    def __init__(
        self, path: Path, *, read_only: bool = False, busy_timeout_s: float = 5.0, opens: OpenFile = open_file
    ) -> None:
        self.path = path.absolute()
        self._opens = opens
        self._read_only = read_only
        self._busy_timeout_s = busy_timeout_s
        self._connections = PerProcess(_Connections)
        self._was_open = False

    @contextlib.contextmanager
    def read(self, *, patience_s: float | None = None) -> Iterator[sqlite3.Connection]:
        """Give a connection that sees one state of the database throughout.

        :param patience_s: how long a statement waits for another process's lock; None takes the database's own.
        """
        with self._transaction("BEGIN", patience_s=patience_s) as connection:
            yield connection

    @contextlib.contextmanager
    def write(self, *, durable: bool = True, patience_s: float | None = None) -> Iterator[sqlite3.Connection]:
        """Give a connection that holds the write lock; what was written is on disk afterwards, or nothing is.

        :param durable: False leaves the syncing to the next durable write: a killed process loses nothing, a power cut
            may lose the last such writes, whole.
        :param patience_s: how long a statement waits for another process's lock; None takes the database's own.
        """
        if self._read_only:
            raise StoreUnavailableError(f"the database {str(self.path)!r} was opened read-only")
        # Never upgraded from a read: that fails at once, whatever the timeout.
        synchronous = "FULL" if durable else "NORMAL"
        with self._transaction("BEGIN IMMEDIATE", synchronous=synchronous, patience_s=patience_s) as connection:
            yield connection

    def truncate_log(self, *, patience_s: float = 0.1) -> bool:
        """Empty the write-ahead log; False where somebody who reads or writes still needs it.

        :param patience_s: how long they are waited for.
        """
        with fork_gate:
            connection = self._get(self._busy_timeout_s)
            with connection.lock:
                connection.set("busy_timeout", f"{patience_s * 1000:.0f}")
                return truncate_log(connection.raw)

    def close(self) -> None:
        """Close this process's connections, waiting for the transactions that run on them."""
        connections = self._connections.get()
        with connections.lock:
            opened = list(connections.all)
            connections.all.clear()
        for connection in opened:
            with fork_gate, connection.lock:
                connection.close()

    @contextlib.contextmanager
    def _transaction(
        self, begin: str, *, synchronous: str = "FULL", patience_s: float | None
    ) -> Iterator[sqlite3.Connection]:
        connection: _Connection | None = None
        patience_s = self._busy_timeout_s if patience_s is None else min(patience_s, self._busy_timeout_s)
        with fork_gate:
            try:
                connection = self._get(patience_s)
                with connection.lock:
                    raw = connection.raw
                    connection.set("synchronous", synchronous)
                    _begin(connection, begin, patience_s)
                    with end_transaction(raw):
                        self._recheck(connection)
                        yield raw
            except sqlite3.Error as error:
                if connection is not None and get_primary_code(error) in _FATAL:
                    connection.close()
                raise explain_error(error, path=self.path) from error
            except OSError as error:
                raise explain_error(error, path=self.path) from error

    def _recheck(self, connection: _Connection) -> None:
        """Refuse a file that a newer Mailnod has migrated since it was opened, beside which this one must not go on."""
        version = get_version(connection.raw)
        if version != connection.version:
            check_schema(connection.raw, exact=self._read_only)
            connection.version = version

    def _get(self, patience_s: float) -> _Connection:
        connections = self._connections.get()
        connection: _Connection | None = getattr(connections.local, "connection", None)
        if connection is not None and not connection.closed:
            if self._identify() == connection.file:
                return connection
            # Writes to an unlinked file would succeed and be lost.
            connection.close()
        # The first opening of all may have to wait for another process that makes or migrates the file.
        connection = self._open(patience_s if self._was_open else self._busy_timeout_s)
        connections.local.connection = connection
        with connections.lock:
            connections.all.add(connection)
        return connection

    def _identify(self) -> tuple[int, int] | None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    def _open(self, patience_s: float) -> _Connection:
        if self.path.is_dir():
            raise StoreUnavailableError(f"{str(self.path)!r} is a folder; name a file in it, such as 'mailnod.db'")
        if self._identify() is None:
            self._make_file()
        mode = "ro" if self._read_only else "rw"
        raw = self._opens(self.path, mode=mode, timeout_s=patience_s)
        try:
            self._prepare(raw, patience_s)
            file = self._identify()
            if file is None:
                raise StoreUnavailableError(f"the database {str(self.path)!r} vanished while it was opened")
        except BaseException:
            raw.close()
            raise
        self._was_open = True
        return _Connection(raw, file)

    def _make_file(self) -> None:
        # A store that begins anew in a running process would have forgotten every denial.
        if self._was_open:
            raise StoreUnavailableError(
                f"the database {str(self.path)!r} was removed while in use; "
                "put it back from a backup, or restart to begin a new one"
            )
        if self._read_only:
            raise StoreUnavailableError(
                f"there is no database at {str(self.path)!r}; it is made when the app first sends, or name another"
            )
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def _prepare(self, raw: sqlite3.Connection, patience_s: float) -> None:
        raw.execute("PRAGMA trusted_schema = OFF")
        raw.execute("PRAGMA temp_store = MEMORY")
        raw.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        if self._read_only:
            check_schema(raw, exact=True)
            return
        # Before the file is changed in any way, it must be ours.
        check_schema(raw)
        set_wal_mode(raw, timeout_s=patience_s)
        raw.execute("PRAGMA synchronous = FULL")
        raw.execute("PRAGMA foreign_keys = ON")
        raw.execute("PRAGMA secure_delete = ON")
        migrate(raw)
