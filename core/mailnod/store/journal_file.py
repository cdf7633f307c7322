"""The file of one journal: made ready ahead of what is written, locked by its owner, and read by whoever drains it.

It begins with a page that names it and says how far it was taken into the store. Then come lines as
:mod:`~mailnod.store.entries` writes them, and zeros where nothing was written yet: on a place that is there already a
sync costs half of what it does where a file grows.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from mailnod.store.entries import Entry, read_entries
from mailnod.store.files import File, OpenRaw, RawFile, sync_path, try_lock

__all__ = ["NEW_SUFFIX", "SUFFIX", "JournalFile", "NoJournalError", "Reading", "open_journal"]

#: What journals are called, and one that its owner has not locked yet.
SUFFIX = ".journal"
NEW_SUFFIX = ".new"
#: The size of the first page, and of the blocks that disks are written in.
_PAGE_BYTES = 4096
#: How much is made ready at once, in bytes: a quarter of what there is, between these.
_MIN_ROOM_BYTES = 128 * 1024
_MAX_ROOM_BYTES = 4 * 1024 * 1024
#: How large a file may grow; its owner then begins another, and the drain removes this one.
_MAX_BYTES = 16 * 1024 * 1024
#: How large one is from the start that is written directly: its blocks should be found in one piece.
_DIRECT_BYTES = 4 * 1024 * 1024

_MAGIC = b"mailnod journal 1\n"
#: How far it was taken in, in bytes from the start of the file: twenty digits behind the name.
_TAKEN_AT = len(_MAGIC)
_TAKEN_DIGITS = 20


class NoJournalError(Exception):
    """A file with the name of a journal is none."""


class JournalFile:
    """A journal as its owner writes it; used by one thread at a time.

    :param folder: where it is made, readable by its owner alone.
    :param direct: whether it is also opened so that it can be written without going through the system's memory.
    :param opens: opens the file.
    :raises OSError: it cannot be made; nothing of it is left.
    """

    def __init__(self, folder: Path, *, direct: bool = False, opens: OpenRaw = RawFile) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / f"{os.getpid()}-{secrets.token_hex(8)}{SUFFIX}"
        #: Where the next line is written, and where what was made ready ends; in bytes from the start of the file.
        self.end = _PAGE_BYTES
        self.ready_until = 0
        #: Whether what stands at the end is unknown, because a write failed there.
        self.is_broken = False
        #: For direct writes.
        self._direct: RawFile | None = None
        new = self.path.with_suffix(NEW_SUFFIX)
        self._file: File = opens(new, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            # Under its own name it is never without a lock, so that nobody takes its owner for dead.
            if not try_lock(self._file.descriptor):
                raise FileNotFoundError(f"a drain took the new journal for a leftover: {str(new)!r}")
            if direct:
                self._direct = RawFile(new, os.O_RDWR | getattr(os, "O_DIRECT", 0))
                os.posix_fallocate(self._file.descriptor, 0, _DIRECT_BYTES)
            self._file.write(_MAGIC + b"%020d\n" % _PAGE_BYTES, 0)
            self._make_room(_DIRECT_BYTES - _PAGE_BYTES if direct else _MIN_ROOM_BYTES)
            if direct:
                _forget_pages(self._file.descriptor)
            new.rename(self.path)
            sync_path(folder)
        except BaseException:
            for path in (new, self.path):
                with contextlib.suppress(OSError):
                    path.unlink()
            self.close()
            raise
        status = os.fstat(self._file.descriptor)
        self._identity = status.st_dev, status.st_ino

    @property
    def direct(self) -> int:
        """The descriptor for direct writes; below zero where there is none."""
        return -1 if self._direct is None else self._direct.descriptor

    @property
    def room(self) -> int:
        """How many bytes can be written to places that are ready."""
        return self.ready_until - self.end

    @property
    def is_full(self) -> bool:
        """Whether another file should be begun."""
        return self.end >= _MAX_BYTES

    def write(self, lines: bytes) -> None:
        """Append lines, and return when they are on the disk.

        :raises OSError: they are not. Where :attr:`is_broken`, nothing more can be written here.
        """
        while len(lines) > self.room:
            self._make_room(min(max(self.end // 4, _MIN_ROOM_BYTES), _MAX_ROOM_BYTES))
        try:
            self._file.write(lines, self.end)
            self._file.sync()
        except OSError:
            self.is_broken = True
            # What was refused may be counted as lost, and should not come back.
            with contextlib.suppress(OSError):
                self._file.write(bytes(len(lines)), self.end)
            raise
        self.end += len(lines)

    def is_in_place(self) -> bool:
        """Return whether what is written here will be found: the file is there under its name."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return False
        return (status.st_dev, status.st_ino) == self._identity

    def close(self) -> None:
        """Leave the file to the drain."""
        if self._direct is not None:
            self._direct.close()
        self._file.close()

    def _make_room(self, size: int) -> None:
        """Make so many bytes more of the file ready, and return when that is on the disk."""
        start = max(self.ready_until, _PAGE_BYTES)
        self._file.write(bytes(size), start)
        self._file.sync()
        self.ready_until = start + size


class Reading:
    """A journal as the drain reads it; see :func:`open_journal`."""

    def __init__(self, file: FileIO, path: Path, *, is_dead: bool) -> None:
        self._file = file
        self.path = path
        #: Whether its owner is gone.
        self.is_dead = is_dead
        head = file.read(_TAKEN_AT + _TAKEN_DIGITS)
        digits = head[_TAKEN_AT:]
        if not head.startswith(_MAGIC) or len(digits) < _TAKEN_DIGITS or not digits.isdigit():
            raise NoJournalError("it does not begin as a journal does")
        #: How far it was taken in, in bytes from the start of the file.
        self.taken = max(int(digits), _PAGE_BYTES)

    def read(self) -> Iterator[Entry]:
        """Yield what was not taken in yet.

        Of a living owner's file all before the first line that may still be on its way: one that is not whole, or that
        no readable line follows.
        """
        if self.is_dead:
            yield from read_entries(self._file, self.taken, past_zeros=True)
            return
        damaged: list[Entry] = []
        for entry in read_entries(self._file, self.taken, past_zeros=False):
            if not entry.whole:
                return
            if entry.item is None:
                damaged.append(entry)
                continue
            yield from damaged
            damaged = []
            yield entry

    def note_taken(self, end: int) -> None:
        """Note how far it was taken in, and leave nothing of that in the file.

        A power cut may undo both; what is taken in again does no harm.
        """
        descriptor = self._file.fileno()
        os.pwrite(descriptor, b"%020d" % end, _TAKEN_AT)
        # In this order, because zeros would hide what stands behind them.
        os.pwrite(descriptor, bytes(end - self.taken), self.taken)
        self.taken = end

    def erase_taken(self) -> None:
        """Return when nothing of what was taken in is on the disk."""
        self._file.seek(_PAGE_BYTES)
        at = _PAGE_BYTES
        while at < self.taken:
            part = self._file.read(min(self.taken - at, _MAX_BYTES))
            if not part:
                break
            if part.strip(b"\0"):
                os.pwrite(self._file.fileno(), bytes(len(part)), at)
            at += len(part)
        os.fsync(self._file.fileno())


@contextlib.contextmanager
def open_journal(path: Path, *, to_take: bool = True) -> Iterator[Reading]:
    """Open a journal to read it.

    :param to_take: whether to take it in; it is locked meanwhile where its owner is gone.
    :raises NoJournalError: the file is no journal.
    :raises OSError: it cannot be read now.
    """
    flags = os.O_RDWR if to_take else os.O_RDONLY
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "r+b" if to_take else "rb", buffering=0) as file:
        reading = Reading(file, path, is_dead=to_take and try_lock(descriptor))
        try:
            yield reading
        finally:
            _forget_pages(descriptor)


def _forget_pages(descriptor: int) -> None:
    """Let the system keep no copy in memory of what is on the disk, which a direct write would have to wait for."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
