"""Leave nothing of moved hits in the journals of processes that are alive."""

from __future__ import annotations

import contextlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from mailnod.store.database import truncate_log
from mailnod.store.drain import CORRUPT_SUFFIX
from mailnod.store.journal_file import SUFFIX, connect
from mailnod.store.processes import fork_gate

__all__ = ["scrub_journals"]

#: How long a living owner is waited for; its next hit must not wait for long either.
_PATIENCE_S = 0.1


def scrub_journals(folder: Path, *, until: datetime) -> bool:
    """Empty the logs of all journals, and remove what was set aside as damaged before a time.

    :param folder: where the journals lie; it need not exist.
    :param until: damaged journals that were last written before this time are removed, raw facts and all.
    :returns: False where a journal is in use at the moment; try again.
    """
    clean = True
    for path in folder.glob(f"*{SUFFIX}"):
        try:
            with fork_gate, contextlib.closing(connect(path, timeout_s=_PATIENCE_S)) as connection:
                clean = truncate_log(connection) and clean
        except sqlite3.Error:
            # One that is damaged is the drain's to set aside, and one that is gone holds nothing.
            clean = clean and not path.exists()
    for path in folder.glob(f"*{CORRUPT_SUFFIX}*"):
        with contextlib.suppress(OSError):
            if datetime.fromtimestamp(path.stat().st_mtime, UTC) < until:
                path.unlink()
    return clean
