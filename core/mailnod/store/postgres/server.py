"""One PostgreSQL database: how connections are made and kept, how transactions begin and end, what errors mean."""

from __future__ import annotations

import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from threading import Event, Lock, Thread
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict

from mailnod.errors import ConfigurationError, StoreBugError, StoreError, StoreUnavailableError
from mailnod.store.postgres.schema import check_schema, migrate
from mailnod.store.processes import PerProcess

__all__ = ["Connection", "Server", "explain_error"]

T = TypeVar("T")

#: What is used where the URL does not say otherwise: a host that is gone is noticed, and another one tried.
_DEFAULTS = {
    "connect_timeout": "3",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
    "fallback_application_name": "mailnod",
}
#: How often a call that waits for the server looks at the clock.
_INTERVAL_S = 0.05
#: After how long without a statement the server ends a transaction that writes.
_IDLE_S = 60
#: How many connections of a process stay open when nobody uses them.
_KEPT = 8

#: Classes of SQLSTATE, and single codes, that blame the environment
#: (https://www.postgresql.org/docs/current/errcodes-appendix.html).
_ENVIRONMENT = {
    "08": "the connection failed",
    "25P03": "the server ended a transaction that stood still",
    "25006": "the server takes no writes: it is a standby, or was one moments ago",
    "28": "the server does not let this user in",
    "3D": "the database does not exist",
    "40": "the server took the transaction back because of another one",
    "42501": "this user lacks a privilege",
    "53": "the server has run out of disk, memory or connections",
    "55P03": "the database is locked by another process",
    "57": "the server is shutting down, starting, or was told to stop the statement",
    "58": "the server's disk or memory answers with errors",
    "XX001": "the database is damaged; restore it from a backup",
    "XX002": "the database is damaged; restore it from a backup",
}


def explain_error(error: psycopg.Error) -> StoreError:
    """Return the error of ours that says whose fault another is; details, which may quote rows, are left out."""
    state = error.sqlstate
    if state is None:
        if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            return StoreUnavailableError(f"PostgreSQL cannot be reached: {' '.join(str(error).split())}")
        return StoreBugError(f"PostgreSQL was asked wrongly: {type(error).__name__}")
    message = error.diag.message_primary or type(error).__name__
    for prefix in (state, state[:2]):
        if prefix in _ENVIRONMENT:
            return StoreUnavailableError(f"{_ENVIRONMENT[prefix]}: {message} (PostgreSQL, {state})")
    return StoreBugError(f"PostgreSQL refused a statement: {message} ({state})")


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection whose every wait ends at a deadline, even where the server has stopped without a word."""

    #: When a call gives up, in seconds of :func:`time.monotonic`.
    deadline = math.inf
    #: Which round of its pool it was made in.
    round = 0

    def wait(self, gen: Generator[Any, Any, T], interval: float = _INTERVAL_S, *args: Any, **options: Any) -> T:
        """Run a conversation with the server until it is over, or the deadline has passed."""
        return super().wait(self._watch(gen), min(interval, _INTERVAL_S), *args, **options)

    def __del__(self, *_: Any) -> None:
        """Leave the socket to libpq, which closes what this process has opened and nothing of its parent's."""

    def _watch(self, conversation: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        try:
            wanted = next(conversation)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() > self.deadline:
                    # What was asked may still happen; nobody waits for it on this connection any more.
                    self.pgconn.finish()
                    raise psycopg.OperationalError("the server did not answer in time")
                wanted = conversation.send(ready)
        except StopIteration as end:
            result: T = end.value
            return result


class _Pool:
    """The connections of one process."""

    def __init__(self) -> None:
        self.idle: deque[Connection] = deque()
        self.lock = Lock()
        #: Connections of an earlier round are closed instead of kept.
        self.round = 0
        #: Whether the schema has been looked at.
        self.is_ready = False

    def drop(self) -> None:
        """Close what is idle, and what is in use as soon as it is given back."""
        with self.lock:
            self.round += 1
            idle, self.idle = self.idle, deque()
        for connection in idle:
            connection.close()

    def give_back(self, connection: Connection) -> None:
        with self.lock:
            if connection.round == self.round and len(self.idle) < _KEPT and not connection.closed:
                self.idle.append(connection)
                return
        connection.close()


class Server:
    """A database with as many connections for each process as its threads need at once, opened on first use.

    :param url: as libpq reads it; several hosts are tried in turn, and one that takes writes is chosen.
    :param read_only: never write or migrate.
    :param timeout_s: how long a transaction may take where nobody says otherwise.
    :raises ConfigurationError: the URL cannot be read.
    """

    def __init__(self, url: str, *, read_only: bool = False, timeout_s: float = 60.0) -> None:
        self._read_only = read_only
        self._timeout_s = timeout_s
        try:
            given = conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            # What libpq says quotes the URL, and the URL holds a password.
            raise ConfigurationError("the URL of the database is none that PostgreSQL's libpq can read") from None
        several = "," in str(given.get("host") or given.get("hostaddr") or "")
        target = {"target_session_attrs": "any" if read_only or not several else "read-write"}
        self._parameters: dict[str, Any] = {**_DEFAULTS, **target, **given}
        self._pools = PerProcess(_Pool)

    @contextlib.contextmanager
    def read(self, *, patience_s: float | None = None) -> Iterator[Connection]:
        """Give a connection that sees one state of the database throughout.

        :param patience_s: how long all of it may take; None takes the server's own.
        """
        with self._transaction("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", patience_s) as connection:
            yield connection

    @contextlib.contextmanager
    def write(self, *, durable: bool = True, patience_s: float | None = None) -> Iterator[Connection]:
        """Give a connection in a transaction; what was written is on disk afterwards, or nothing is.

        :param durable: False leaves the syncing to the server's next one: a killed server may lose the last such
            transactions, whole. True waits for what the server's ``synchronous_commit`` says.
        :param patience_s: how long all of it may take; None takes the server's own.
        """
        if self._read_only:
            raise StoreUnavailableError("the database was opened read-only")
        # A process that stands still must not hold up all others.
        begin = f"BEGIN; SET LOCAL idle_in_transaction_session_timeout = '{_IDLE_S}s'"
        with self._transaction(begin if durable else f"{begin}; SET LOCAL synchronous_commit = off", patience_s) as one:
            yield one

    @contextlib.contextmanager
    def maintain(self) -> Iterator[Connection]:
        """Give a connection outside any transaction, for statements that refuse one."""
        if self._read_only:
            raise StoreUnavailableError("the database was opened read-only")
        with self._transaction("SELECT", None) as connection:
            yield connection

    def close(self) -> None:
        """Close this process's connections; those in use are closed when their transactions end."""
        self._pools.get().drop()

    @contextlib.contextmanager
    def _transaction(self, begin: str, patience_s: float | None) -> Iterator[Connection]:
        pool = self._pools.get()
        timeout_s = self._timeout_s if patience_s is None else min(patience_s, self._timeout_s)
        deadline = time.monotonic() + timeout_s
        try:
            connection = self._begin(pool, begin, deadline, timeout_s)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                _take_back(connection)
                raise
            finally:
                connection.deadline = math.inf
                pool.give_back(connection)
        except psycopg.Error as error:
            raise explain_error(error) from error

    def _begin(self, pool: _Pool, begin: str, deadline: float, timeout_s: float) -> Connection:
        while True:
            try:
                connection, is_new = pool.idle.pop(), False
            except IndexError:
                connection, is_new = self._open(pool, timeout_s), True
            # The first connection of all may have had to wait for a migration.
            connection.deadline = max(deadline, time.monotonic() + timeout_s / 2) if is_new else deadline
            try:
                connection.execute(begin)
            except psycopg.Error:
                connection.close()
                if is_new or time.monotonic() > deadline:
                    raise
                # The server has gone since it was used last; the others will be no better.
                pool.drop()
            else:
                return connection

    def _open(self, pool: _Pool, timeout_s: float) -> Connection:
        """Open a connection, in this thread where there is time, else in one of its own that is not waited for long."""
        if not pool.is_ready or timeout_s >= self._timeout_s:
            return self._connect(pool)
        opening = _Opening(lambda: self._connect(pool))
        return opening.wait(timeout_s, pool.give_back)

    def _connect(self, pool: _Pool) -> Connection:
        connection = Connection.connect(**self._parameters, autocommit=True)
        connection.round = pool.round
        try:
            if not pool.is_ready:
                connection.deadline = time.monotonic() + self._timeout_s
                if self._read_only:
                    check_schema(connection, exact=True)
                else:
                    migrate(connection)
                connection.deadline = math.inf
                pool.is_ready = True
        except BaseException:
            connection.close()
            raise
        return connection


class _Opening:
    """A connection that is being opened in a thread of its own, because libpq waits for two seconds at least."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._done = Event()
        self._lock = Lock()
        self._error: psycopg.Error | StoreError | None = None
        self._connection: Connection | None = None
        self._leave: Callable[[Connection], None] | None = None
        Thread(target=self._run, name="mailnod-connect", daemon=True).start()

    def wait(self, timeout_s: float, leave: Callable[[Connection], None]) -> Connection:
        """Return the connection; where it takes too long, leave it to whoever comes next."""
        if not self._done.wait(timeout_s):
            with self._lock:
                if self._connection is None:
                    self._leave = leave
        if self._connection is not None:
            return self._connection
        raise self._error or psycopg.OperationalError("a connection could not be opened in time")

    def _run(self) -> None:
        try:
            connection = self._connect()
        except (psycopg.Error, StoreError) as error:
            self._error = error
        else:
            with self._lock:
                if self._leave is None:
                    self._connection = connection
                else:
                    self._leave(connection)
        finally:
            self._done.set()


def _take_back(connection: Connection) -> None:
    """End a transaction that has failed; a connection on which that fails too is not used again."""
    try:
        connection.execute("ROLLBACK")
    except psycopg.Error:
        connection.close()
    if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        connection.close()
