"""How hits get from the journals into the store: each once, whatever dies on the way."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from mailnod.model import Observation, Overflow
from mailnod.store.files import try_lock
from mailnod.store.journal_file import NEW_SUFFIX, SUFFIX, NoJournalError, open_journal
from mailnod.store.spool import Take, list_ids, replay, take_entries

__all__ = ["CORRUPT_SUFFIX", "count_pending", "drain", "name_folder"]

#: The file with the name of a folder.
_NAME_FILE = "name"

#: What a file is renamed to that is no journal.
CORRUPT_SUFFIX = ".corrupt"

#: For how long a journal may be without a lock while it is made.
_MAKING_S = 60.0
#: What is added to the name of a living owner's journal, so that it begins another.
_LEFT = "-left"

_log = logging.getLogger(__name__)


class Taking(Protocol):
    """What a drain asks of a store; see :class:`~mailnod.store.base.Store`."""

    def add_observations(self, observations: Sequence[Observation], *, settle_s: float) -> Sequence[Observation]:
        """Take observations in, each once, and return those that are new."""
        ...

    def add_overflow(self, overflow: Sequence[Overflow]) -> None:
        """Take in how many hits were not recorded one by one."""
        ...


def count_pending(folder: Path, *, spool_folders: Sequence[Path] = ()) -> int:
    """Return how many hits lie in the journals and in the spool, each once; a file that cannot be read now has none.

    A hit that the journal was slow to take lies in the spool, and perhaps in both.

    :param folder: where the journals lie; it need not exist.
    :param spool_folders: where hits may lie that no journal took; they need not exist.
    """
    found = list_ids(spool_folders)
    for path in folder.glob(f"*{SUFFIX}"):
        with contextlib.suppress(OSError, NoJournalError), open_journal(path, to_take=False) as journal:
            found.update(entry.item.id for entry in journal.read() if isinstance(entry.item, Observation))
    return len(found)


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
    store: Taking,
    *,
    settle_s: float,
    spool_folders: Sequence[Path] = (),
    batch: int = 500,
    on_recorded: Callable[[Observation], None] | None = None,
    go_on: Callable[[], bool] = lambda: True,
) -> int:
    """Move what every process, living or dead, has written down into the store.

    What was moved is erased from a journal only after the store has committed it; the store takes each observation
    once, so being killed in between does no harm. A dead process's journal is removed once all of it was moved. A line
    that is damaged is counted as a lost hit; a file that is no journal at all is renamed to ``*.corrupt``.

    :param folder: where the journals lie; it need not exist.
    :param settle_s: passed on to :meth:`~mailnod.store.base.Store.add_observations`.
    :param spool_folders: where hits may lie that no journal took; they need not exist.
    :param batch: how many hits are moved in one transaction.
    :param on_recorded: called with each observation that was new to the store, after its commit.
    :param go_on: asked before each batch; False ends the drain there, and what is left waits for the next.
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

    if all(_drain_file(path, take, batch=batch, go_on=go_on) for path in sorted(folder.glob(f"*{SUFFIX}"))):
        all(replay(spool_folder, take, batch=batch, go_on=go_on) for spool_folder in spool_folders)
    for path in folder.glob(f"*{NEW_SUFFIX}"):
        _remove_leftover(path)
    return moved


def _drain_file(path: Path, take: Take, *, batch: int, go_on: Callable[[], bool]) -> bool:
    """Move what lies in one journal; False where it was told to end."""
    try:
        with open_journal(path) as journal:
            if not journal.is_dead and not journal.is_sure:
                # Nobody knows where to begin beside an owner that writes. It goes on in another file with its next hit,
                # and this one is read from its start then.
                if not path.stem.endswith(_LEFT):
                    _log.error("%s is damaged, and is read when its owner has begun another", path.name)
                    path.rename(path.with_stem(path.stem + _LEFT))
                return True
            if not take_entries(path, journal.read(), take, batch=batch, go_on=go_on, note_taken=journal.note_taken):
                return False
            if journal.is_dead:
                # What is not on the disk as zeros when it goes would lie in blocks that are free.
                journal.erase_taken()
                path.unlink(missing_ok=True)
    except NoJournalError as error:
        # A living owner then begins another file.
        _log.error("%s is set aside: %s", path.name, error)
        with contextlib.suppress(OSError):
            path.rename(path.with_suffix(CORRUPT_SUFFIX))
    except OSError as error:
        _log.info("journal %s is drained later: %s", path.name, error.strerror)
    return True


def _remove_leftover(path: Path) -> None:
    """Remove a journal whose owner died before it was locked and named."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            # One that is being made is locked in a moment.
            if time.time() - os.fstat(descriptor).st_mtime > _MAKING_S and try_lock(descriptor):
                path.unlink()
        finally:
            os.close(descriptor)
