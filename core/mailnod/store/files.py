"""Files, and the names of files: written at a place, locked, and brought to the disk."""

from __future__ import annotations

import fcntl
import os
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

__all__ = ["File", "OpenRaw", "RawFile", "sync_path", "try_lock"]


class File(Protocol):
    """A file that is written at places of one's choice."""

    descriptor: int

    def write(self, data: bytes, at: int) -> None:
        """Write bytes at a place, all of them; raises OSError."""
        ...

    def sync(self) -> None:
        """Return when all that was written is on the disk; raises OSError."""
        ...

    def close(self) -> None:
        """Let go of it, and of its lock."""
        ...


#: Opens a file by its path and flags as of :func:`os.open`, which makes it for this user alone.
OpenRaw = Callable[[Path, int], File]


class RawFile:
    """A file of the operating system.

    :param flags: as of :func:`os.open`.
    """

    def __init__(self, path: Path, flags: int) -> None:
        self.descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        # An event loop that ends says so to nobody.
        self._finalizer = weakref.finalize(self, os.close, self.descriptor)
        self._finalizer.atexit = False

    def write(self, data: bytes, at: int) -> None:
        """Write bytes at a place, all of them."""
        rest = memoryview(data)
        while rest:
            written = os.pwrite(self.descriptor, rest, at)
            rest, at = rest[written:], at + written

    def sync(self) -> None:
        """Return when all that was written is on the disk."""
        # What else a full sync would write is the time of the last change.
        (os.fdatasync if hasattr(os, "fdatasync") else os.fsync)(self.descriptor)

    def close(self) -> None:
        """Let go of it, and of its lock; a second time does nothing."""
        self._finalizer()


def sync_path(path: Path) -> None:
    """Return when what was written to a file, or what a folder calls its files, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Lock an open file against everybody else who does so; False where somebody has."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
