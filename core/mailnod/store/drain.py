"""How hits get from the journals into the store: each once, whatever dies on the way."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mailnod.model import Observation, Overflow
from mailnod.store.base import Store
from mailnod.store.database import OpenFile, get_primary_code, open_file
from mailnod.store.journal_file import LOCK_SUFFIX, SUFFIX, begin_write, connect
from mailnod.store.processes import fork_gate
from mailnod.store.rows import OBSERVATION_COLUMNS, OVERFLOW_COLUMNS, list_columns, read_observation, read_overflow
from mailnod.store.spool import list_ids, replay

__all__ = ["CORRUPT_SUFFIX", "count_pending", "drain", "name_folder"]

#: The file with the name of a folder.
_NAME_FILE = "name"

#: What a damaged journal is renamed to.
CORRUPT_SUFFIX = ".corrupt"

#: Takes observations, and counts of those beyond a cap, into the store.
Take = Callable[[Sequence[Observation], Sequence[Overflow]], None]

_log = logging.getLogger(__name__)

#: After these a journal is tried again by the next drain: they tell of the process and its surroundings, such as too
#: many open files, and not of the file. After all others it is set aside, and said so once.
_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_IOERR,
}
#: Errors of input and output that say that the file itself cannot be read.
_UNREADABLE = {
    sqlite3.SQLITE_IOERR_READ,
    sqlite3.SQLITE_IOERR_SHORT_READ,
    sqlite3.SQLITE_IOERR_CORRUPTFS,
}
#: How long a living owner's lock is waited for; one that was stopped in the middle of a commit must not hold up others.
_BUSY_TIMEOUT_S = 0.5

_SELECT = f"SELECT seq, {list_columns(OBSERVATION_COLUMNS)} FROM hits"  # noqa: S608
# A number that is free again is given to the next hit, so the number alone would not do.
_DELETE = "DELETE FROM hits WHERE seq = ? AND id = ?"
_SELECT_OVERFLOW = f"SELECT {list_columns(OVERFLOW_COLUMNS)} FROM overflow"  # noqa: S608
# A count that has risen since it was read stays.
_DELETE_OVERFLOW = "DELETE FROM overflow WHERE id = ? AND count = ?"


def count_pending(folder: Path, *, spool_folders: Sequence[Path] = ()) -> int:
    """Return how many hits lie in the journals and in the spool, each once; a file that cannot be read now has none.

    A hit that the journal was slow to take lies in the spool, and perhaps in both.

    :param folder: where the journals lie; it need not exist.
    :param spool_folders: where hits may lie that no journal took; they need not exist.
    """
    spooled = list_ids(spool_folders)
    pending = len(spooled)
    for path in folder.glob(f"*{SUFFIX}"):
        with contextlib.suppress(sqlite3.Error), fork_gate:
            connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
            with contextlib.closing(connection):
                pending += connection.execute("SELECT count(*) FROM hits").fetchone()[0]
                if spooled:
                    pending -= sum(id_ in spooled for (id_,) in connection.execute("SELECT id FROM hits"))
    return pending


def name_folder(folder: Path) -> str:
    """Return the name that tells a folder of journals from those of all other hosts; it is made on first use.

    Neither the host's name nor the path would do: containers have the same ones.

    :raises OSError: the folder cannot be written.
    """
    path = folder / _NAME_FILE
    with contextlib.suppress(FileNotFoundError):
        return path.read_text(encoding="ascii")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = folder / f"{_NAME_FILE}-{secrets.token_hex(8)}"
    new.write_text(secrets.token_hex(8), encoding="ascii")
    # A link comes into being whole, and the first one stays.
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(new)
    new.unlink()
    return path.read_text(encoding="ascii")


def drain(
    folder: Path,
    store: Store,
    *,
    settle_s: float,
    spool_folders: Sequence[Path] = (),
    batch: int = 500,
    on_recorded: Callable[[Observation], None] | None = None,
    go_on: Callable[[], bool] = lambda: True,
    verify: bool = False,
    opens: OpenFile = open_file,
) -> int:
    """Move what every process, living or dead, has written down into the store.

    Rows leave a journal only after the store has committed them; the store takes each observation once, so being
    killed in between does no harm. A dead process's journal is removed once it is empty. A damaged one is renamed to
    ``*.corrupt``, what is still readable in it is moved, and the others go on.

    :param folder: where the journals lie; it need not exist.
    :param settle_s: passed on to :meth:`~mailnod.store.base.Store.add_observations`.
    :param spool_folders: where hits may lie that no journal took; they need not exist.
    :param batch: how many rows are moved in one transaction.
    :param on_recorded: called with each observation that was new to the store, after its commit.
    :param go_on: asked before each batch; False ends the drain there, and what is left waits for the next.
    :param verify: look for damage in each journal first, which shows by nothing else where it spares the rows.
    :param opens: opens the file of a journal.
    :returns: how many observations were new to the store.
    :raises StoreUnavailableError: where the store cannot take them; they stay in their journals.
    """
    moved = 0

    def take(observations: Sequence[Observation], overflow: Sequence[Overflow]) -> None:
        nonlocal moved
        if overflow:
            store.add_overflow(overflow)
        if not observations:
            return
        new = store.add_observations(observations, settle_s=settle_s)
        moved += len(new)
        if on_recorded is not None:
            for observation in new:
                on_recorded(observation)

    with contextlib.suppress(_EndedError):
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            _try_drain_file(path, take, go_on, batch=batch, verify=verify, opens=opens)
        for spool_folder in spool_folders:
            if not replay(spool_folder, take, batch=batch, go_on=go_on):
                raise _EndedError
    for path in folder.glob(f"*{LOCK_SUFFIX}"):
        _remove_leftovers(path)
    return moved


class _EndedError(Exception):
    """The drain was told to end."""


def _try_drain_file(
    path: Path, take: Take, go_on: Callable[[], bool], *, batch: int, verify: bool, opens: OpenFile
) -> None:
    try:
        try:
            _drain_file(path, take, go_on, batch=batch, verify=verify, opens=opens)
        except sqlite3.Error as error:
            if not _is_passing(error):
                _set_aside(path, error, take, batch=batch)
                return
            _log.info("journal %s is drained later: %s", path.name, error)
    except OSError as error:
        _log.info("journal %s is drained later: %s", path.name, error.strerror)


def _is_passing(error: sqlite3.Error) -> bool:
    return get_primary_code(error) in _PASSING and getattr(error, "sqlite_errorcode", None) not in _UNREADABLE


def _drain_file(
    path: Path, take: Take, go_on: Callable[[], bool], *, batch: int, verify: bool, opens: OpenFile
) -> None:
    lock = path.with_suffix(LOCK_SUFFIX)
    with _own_if_dead(lock) as dead:
        with _open(path, opens) as connection:
            if verify:
                _verify(connection)
            emptied = _move_rows(connection, take, go_on, batch=batch)
        if dead and emptied:
            path.unlink(missing_ok=True)
        elif dead:
            _log.error("journal %s holds rows that cannot be read; it is set aside", path.name)
            _rename(path)


def _verify(connection: sqlite3.Connection) -> None:
    with fork_gate:
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(f"quick_check says: {found}")


@contextlib.contextmanager
def _open(path: Path, opens: OpenFile) -> Iterator[sqlite3.Connection]:
    with fork_gate:
        # What is deleted again after a power cut was taken in before: no owner need wait while that is synced.
        connection = connect(path, timeout_s=_BUSY_TIMEOUT_S, durable=False, opens=opens)
    try:
        yield connection
    finally:
        with fork_gate:
            connection.close()


def _move_rows(connection: sqlite3.Connection, take: Take, go_on: Callable[[], bool], *, batch: int) -> bool:
    """Move all rows that were there at the start.

    :returns: whether none was left behind because no observation can be made of it.
    :raises _EndedError: rows are left behind because it was told to end.
    """
    with fork_gate:
        if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'overflow'").fetchone():
            # Its owner has made the file, and not yet the tables.
            return True
        (last,) = connection.execute("SELECT coalesce(max(seq), 0) FROM hits").fetchone()
    after, emptied = 0, True
    while after < last:
        if not go_on():
            raise _EndedError
        with fork_gate:
            rows = connection.execute(f"{_SELECT} WHERE seq > ? ORDER BY seq LIMIT ?", (after, batch)).fetchall()
        if not rows:
            break
        after = rows[-1][0]
        read = [(row[0], observation) for row in rows if (observation := _try_read(row[1:])) is not None]
        emptied = emptied and len(read) == len(rows)
        take([observation for _, observation in read], ())
        with fork_gate, begin_write(connection):
            connection.executemany(_DELETE, [(seq, observation.id) for seq, observation in read])
    _move_overflow(connection, take)
    return emptied


def _move_overflow(connection: sqlite3.Connection, take: Take) -> None:
    with fork_gate:
        rows = connection.execute(_SELECT_OVERFLOW).fetchall()
    if not rows:
        return
    take((), [overflow for row in rows if (overflow := _try_read_overflow(row)) is not None])
    with fork_gate, begin_write(connection):
        connection.executemany(_DELETE_OVERFLOW, [(row[0], row[-1]) for row in rows])


def _set_aside(path: Path, error: sqlite3.Error, take: Take, *, batch: int) -> None:
    """Rename a damaged journal and move what can be read of it.

    It is renamed first: a living owner then begins another file, and nothing is written after it was read.
    """
    _log.error("journal %s is set aside, and what can be read of it is kept: %s", path.name, error)
    with fork_gate:
        found = list(_salvage(_rename(path)))
    for start in range(0, len(found), batch):
        take(found[start : start + batch], ())


def _rename(path: Path) -> Path:
    aside = path.with_suffix(CORRUPT_SUFFIX)
    # The log goes along under the name that SQLite will look for.
    for end in ("-wal", "-shm", ""):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + end).rename(aside.with_name(aside.name + end))
    return aside


def _salvage(path: Path) -> Iterator[Observation]:
    """Yield what can be read from both ends of a damaged journal, some of it twice."""
    for order in ("ASC", "DESC"):
        with contextlib.suppress(sqlite3.Error), contextlib.closing(connect(path)) as connection:
            for row in connection.execute(f"{_SELECT} ORDER BY seq {order}"):
                observation = _try_read(row[1:])
                if observation is not None:
                    yield observation


def _try_read(row: tuple[Any, ...]) -> Observation | None:
    try:
        observation = read_observation(row)
    except (ValueError, TypeError, OverflowError):
        return None
    return observation if len(observation.id) == 16 and len(observation.delivery_id) == 8 else None


def _try_read_overflow(row: tuple[Any, ...]) -> Overflow | None:
    try:
        return read_overflow(row)
    except (ValueError, TypeError, OverflowError):
        return None


@contextlib.contextmanager
def _own_if_dead(lock: Path) -> Iterator[bool]:
    """Say whether the owner of a journal is gone; if so, hold its lock meanwhile."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield True
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _remove_leftovers(lock: Path) -> None:
    """Remove what a dead owner's journal left beside it, its lock last."""
    journal = lock.with_suffix(SUFFIX)
    with contextlib.suppress(OSError), _own_if_dead(lock) as dead:
        if dead and not journal.exists():
            for end in ("-wal", "-shm"):
                journal.with_name(journal.name + end).unlink(missing_ok=True)
            lock.unlink(missing_ok=True)
