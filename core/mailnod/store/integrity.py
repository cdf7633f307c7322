"""Whether the store is sound: looked at now and then by whoever works, and noted where every process can read it.

Damaged pages are noticed by nothing else, because writes to other pages succeed. A store file that was removed or
replaced while nobody had it open is noticed by its number in the file system.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from mailnod.store.base import Store

__all__ = ["Health", "Inspector", "read_health"]

#: The file in the folder of the journals that holds what was found.
_NAME = "health.json"

#: How long a check holds, and for a store of so many bytes or more.
_PERIOD = timedelta(hours=1)
_LARGE_PERIOD = timedelta(days=1)
_LARGE_BYTES = 64_000_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What was found when the store was last looked at."""

    checked_at: datetime
    #: What is wrong, in words; empty where all is well.
    problems: tuple[str, ...]
    #: Device and number of the store's file; None where it has none.
    file: tuple[int, int] | None


def read_health(journal_folder: Path) -> Health | None:
    """Return what was found last; None where nobody has looked yet, or where that cannot be read.

    It reads one small file and never the store.
    """
    try:
        found = json.loads((journal_folder / _NAME).read_text(encoding="utf-8"))
        file = found["file"]
        return Health(
            checked_at=datetime.fromisoformat(found["checked_at"]),
            problems=tuple(map(str, found["problems"])),
            file=None if file is None else (int(file[0]), int(file[1])),
        )
    except (OSError, ValueError, TypeError, LookupError):
        return None


class Inspector:
    """Looks at a store when that is due: each hour, and a store of 64 MB or more each day.

    :param path: the store's file; None where it is on a server.
    :param journal_folder: where what was found is noted; made by the journals, and not by this.
    """

    def __init__(self, store: Store, *, path: Path | None, journal_folder: Path) -> None:
        self._store = store
        self._path = path
        self._journal_folder = journal_folder
        #: Where it could not be noted.
        self._unwritten: Health | None = None

    def inspect(self, *, now: datetime) -> Health | None:
        """Look at the store, note what was found, and log it where it is news.

        :returns: what was found; None where the last look still holds.
        """
        last = self._unwritten or read_health(self._journal_folder)
        file = _identify(self._path)
        if last is not None and last.file == file and timedelta() <= now - last.checked_at < self._get_period():
            return None
        problems = self._store.check(quick=True)
        if last is not None and last.file is not None and last.file != file:
            problems.append(f"the file is another one than on {last.checked_at:%Y-%m-%d %H:%M} UTC")
        health = Health(checked_at=now, problems=tuple(problems), file=file or _identify(self._path))
        if problems and (last is None or health.problems != last.problems):
            _log.error("the store is not sound, restore it from a backup: %s", "; ".join(problems))
        self._unwritten = None if self._write(health) else health
        return health

    def _get_period(self) -> timedelta:
        with contextlib.suppress(OSError):
            if self._path is None or self._path.stat().st_size >= _LARGE_BYTES:
                return _LARGE_PERIOD
        return _PERIOD

    def _write(self, health: Health) -> bool:
        found = {"checked_at": health.checked_at.isoformat(), "problems": health.problems, "file": health.file}
        new = self._journal_folder / f"{_NAME}.{os.getpid()}"
        try:
            new.write_text(json.dumps(found), encoding="utf-8")
            new.replace(self._journal_folder / _NAME)
        except OSError as error:
            _log.debug("what was found about the store is kept in memory: %s", error)
            return False
        return True


def _identify(path: Path | None) -> tuple[int, int] | None:
    if path is None:
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
