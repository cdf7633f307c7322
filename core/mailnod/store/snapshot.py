"""Write a consistent copy of an SQLite store, for a look at it on another machine."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path

from mailnod.errors import StoreUnavailableError
from mailnod.store.database import explain_error
from mailnod.store.files import sync_path
from mailnod.store.schema import check_schema

__all__ = ["write_snapshot"]

#: How many instructions of SQLite's machine pass between two reports: some hundredths of a second.
_STEPS = 1_000_000

#: What a minimised copy lacks: every address and every raw fact of a hit. With a new key, no hash in it can be compared
#: with an address that somebody guesses.
_MINIMISE = (
    "UPDATE recipients SET address = NULL",
    "UPDATE meta SET value = randomblob(32) WHERE name IN ('recipient_key', 'trace_key')",
    "UPDATE deliveries SET subject = '', metadata = '{}'",
    "DELETE FROM signals",
    "DELETE FROM user_agents",
    "DELETE FROM header_sets",
    "DELETE FROM kept_bodies",
    "DELETE FROM bodies",
    "UPDATE observations SET rest = NULL",
    # A domain of few people, and a link with an address in its path, name somebody as well.
    (
        "UPDATE domains SET name = 'domain-' || id || '.invalid' "
        "WHERE (SELECT count(*) FROM recipients WHERE domain_id = domains.id) < 5"
    ),
    "UPDATE links SET value = 'personal link ' || id WHERE instr(value, '@') OR instr(value, '%40')",
    # Short links lead to what senders wrote for each recipient; consents say who recorded them, and under the new key
    # nobody can be found among them.
    "DELETE FROM short_links",
    "DELETE FROM link_sets",
    "DELETE FROM consents",
    "DELETE FROM lease",
)


def write_snapshot(
    source: Path, target: Path, *, minimised: bool = False, report: Callable[[], None] = lambda: None
) -> None:
    """Copy a store into a new file, in one state, while others go on writing to it.

    The copy is compact, holds nothing of what was deleted, and stands complete under its name or not at all.

    :param source: a store's file.
    :param target: the copy; a file of that name is replaced.
    :param minimised: leave out addresses, domains of fewer than five people, subjects, bodies, metadata, consents, the
        raw facts of hits, what personal links have behind their path, and links with an address in it; verdicts,
        counts, campaigns, tags and Message-IDs stay.
    :param report: called many times a second while it goes on.
    :raises StoreUnavailableError: the source cannot be read, or the target cannot be written.
    """
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        # The statement would make the file readable as the umask says.
        os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        _copy(source, beside, report)
        if minimised:
            _minimise(beside, report)
        sync_path(beside)
        beside.replace(target)
        sync_path(target.parent)
    except sqlite3.Error as error:
        raise explain_error(error, path=source) from error
    except OSError as error:
        raise explain_error(error, path=target) from error
    finally:
        for end in ("", "-journal", "-wal", "-shm"):
            beside.with_name(beside.name + end).unlink(missing_ok=True)


def _copy(source: Path, target: Path, report: Callable[[], None]) -> None:
    if not source.exists():
        raise StoreUnavailableError(f"there is no database at {str(source)!r}")
    with contextlib.closing(_open(f"{source.absolute().as_uri()}?mode=ro", report)) as connection:
        check_schema(connection, exact=True)
        connection.execute("VACUUM INTO ?", (str(target),))


def _minimise(path: Path, report: Callable[[], None]) -> None:
    with contextlib.closing(_open(path.absolute().as_uri(), report)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for statement in _MINIMISE:
            connection.execute(statement)
        connection.execute("COMMIT")
        # What was deleted still stands in free pages.
        connection.execute("VACUUM")


def _open(uri: str, report: Callable[[], None]) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.set_progress_handler(report, _STEPS)
    return connection
