"""Leave nothing of moved hits in the journals of processes that are alive."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path

from mailnod.store.drain import CORRUPT_SUFFIX
from mailnod.store.journal_file import SUFFIX, open_journal

__all__ = ["scrub_journals"]


def scrub_journals(folder: Path, *, until: datetime) -> bool:
    """Erase what was taken in from all journals, and remove what was set aside as none before a time.

    :param folder: where the journals lie; it need not exist.
    :param until: files that were set aside and last written before this time are removed, raw facts and all.
    :returns: False where a journal cannot be written at the moment; try again.
    """
    clean = True
    for path in folder.glob(f"*{SUFFIX}"):
        try:
            with open_journal(path) as journal:
                journal.erase_taken()
        except OSError:
            # One that is gone holds nothing.
            clean = clean and not path.exists()
    for path in folder.glob(f"*{CORRUPT_SUFFIX}"):
        with contextlib.suppress(OSError):
            if datetime.fromtimestamp(path.stat().st_mtime, UTC) < until:
                path.unlink()
    return clean
