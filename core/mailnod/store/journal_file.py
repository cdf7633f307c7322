"""The file of one journal: made ready ahead of what is written, locked by its owner, and read by whoever drains it.

It begins with a page that names it and says how far it was taken into the store. Then come lines as
:mod:`~mailnod.store.entries` writes them, and zeros where nothing was written yet: on a place that is there already a
sync costs half of what it does where a file grows. What was taken in is zeros again.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from zlib import crc32

from mailnod.store.entries import Entry, read_entries
from mailnod.store.files import File, OpenRaw, RawFile, sync_path, try_lock

__all__ = ["NEW_SUFFIX", "SUFFIX", "JournalFile", "JournalWriter", "NoJournalError", "Reading", "open_journal"]

#: What journals are called, and one that its owner has not locked yet.
SUFFIX = ".journal"
NEW_SUFFIX = ".new"
#: The size of the first page.
_PAGE_BYTES = 4096
#: How much is made ready at once, in bytes: a quarter of what there is, between these.
_MIN_ROOM_BYTES = 128 * 1024
_MAX_ROOM_BYTES = 4 * 1024 * 1024
#: How large a file may grow; its owner then begins another, and the drain removes this one.
_MAX_BYTES = 16 * 1024 * 1024

_MAGIC = b"mailnod journal 1\n"
#: What the first page begins with: the name, and how far was taken in, in bytes from the start, with a checksum.
_HEAD = re.compile(re.escape(_MAGIC) + rb"([0-9]{20}) ([0-9a-f]{8})\n")
_HEAD_BYTES = len(_MAGIC) + 30


class NoJournalError(Exception):
    """A file with the name of a journal is none."""


class JournalFile:
    """A journal as its owner writes it; used by one thread at a time.

    :param folder: where it is made, readable by its owner alone.
    :param opens: opens the file.
    :raises OSError: it cannot be made; nothing of it is left.
    """

    def __init__(self, folder: Path, *, opens: OpenRaw = RawFile) -> None:
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_path(folder.parent)
        self._path = folder / f"{os.getpid()}-{secrets.token_hex(8)}{SUFFIX}"
        #: Where the next line is written, and where what was made ready ends; in bytes from the start of the file.
        self._end = _PAGE_BYTES
        self._ready_until = _PAGE_BYTES
        #: Whether what stands at the end is unknown, because a write failed there.
        self.is_broken = False
        new = self._path.with_suffix(NEW_SUFFIX)
        self._file: File = opens(new, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            # Under its own name it is never without a lock, so that nobody takes its owner for dead.
            if not try_lock(self._file.descriptor):
                raise FileNotFoundError(errno.ENOENT, "a drain took the new journal for a leftover", str(new))
            self._file.write(_write_head(_PAGE_BYTES), 0)
            self._make_room()
            new.rename(self._path)
            sync_path(folder)
        except BaseException:
            for path in (new, self._path):
                with contextlib.suppress(OSError):
                    path.unlink()
            self._file.close()
            raise
        status = os.fstat(self._file.descriptor)
        self._identity = status.st_dev, status.st_ino

    @property
    def is_full(self) -> bool:
        """Whether another file should be begun."""
        return self._end >= _MAX_BYTES

    def write(self, lines: bytes) -> None:
        """Append lines, and return when they are on the disk.

        :raises OSError: they are not. Where :attr:`is_broken`, nothing more can be written here.
        """
        while self._end + len(lines) > self._ready_until:
            self._make_room()
        try:
            self._file.write(lines, self._end)
            self._file.sync()
        except OSError:
            self.is_broken = True
            # What was refused may be counted as lost, and should not come back.
            with contextlib.suppress(OSError):
                self._file.write(bytes(len(lines)), self._end)
            raise
        self._end += len(lines)

    def is_in_place(self) -> bool:
        """Return whether what is written here will be found: the file is there under its name."""
        try:
            status = self._path.stat()
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._identity

    def close(self) -> None:
        """Leave the file to the drain."""
        self._file.close()

    def _make_room(self) -> None:
        """Make more of the file ready, and return when that is on the disk."""
        more = min(max(self._end // 4, _MIN_ROOM_BYTES), _MAX_ROOM_BYTES)
        self._file.write(bytes(more), self._ready_until)
        self._file.sync()
        self._ready_until += more


class JournalWriter:
    """Writes lines to one journal after the other; used by one thread at a time.

    :param folder: where they are made.
    :param opens: opens their files.
    """

    def __init__(self, folder: Path, *, opens: OpenRaw = RawFile) -> None:
        self._folder = folder
        self._opens = opens
        self._file: JournalFile | None = None

    def write(self, lines: bytes) -> None:
        """Write lines down; they are on the disk when this returns.

        :raises OSError: neither the file nor another one takes them.
        """
        try:
            self._try(lines)
        except OSError as error:
            if self._file is not None and not self._file.is_broken:
                # There is no room; another file would fare no better.
                raise
            self.drop_file()
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            self._try(lines)

    def drop_file(self) -> None:
        """Close the file and leave it to the drain; the next write begins another."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _try(self, lines: bytes) -> None:
        file = self._get_file()
        file.write(lines)
        if not file.is_in_place():
            # What is written to a file that was unlinked or set aside is never read.
            self.drop_file()
            self._get_file().write(lines)

    def _get_file(self) -> JournalFile:
        if self._file is not None and self._file.is_full:
            self.drop_file()
        if self._file is None:
            self._file = JournalFile(self._folder, opens=self._opens)
        return self._file


class Reading:
    """A journal as the drain reads it; see :func:`open_journal`."""

    def __init__(self, file: FileIO, *, is_dead: bool) -> None:
        self._file = file
        #: Whether its owner is gone.
        self.is_dead = is_dead
        self._is_named, self._taken = self._read_head()

    @property
    def is_sure(self) -> bool:
        """Whether it is known how far it was taken in; otherwise that is zeros."""
        return self._taken is not None

    def read(self) -> Iterator[Entry]:
        """Yield what was not taken in yet.

        Of a living owner's file all before the first line that may still be on its way, which no readable line follows.

        :raises NoJournalError: there is no line to be read in it, and it does not begin as a journal does.
        """
        found, unsure = self._is_named, list[Entry]()
        sure_until, looked_again = _PAGE_BYTES if self._taken is None else self._taken, -1
        entries = self._read_from(sure_until)
        while (entry := next(entries, None)) is not None:
            if entry.item is None:
                unsure.append(entry)
            elif unsure and not self.is_dead and looked_again != sure_until:
                # It may have been read while it was written, and its end after that. Owners write in order, so what
                # sound lines follow is there by now.
                entries, unsure, looked_again = self._read_from(sure_until), [], sure_until
            else:
                found = True
                yield from unsure
                unsure = []
                yield entry
                sure_until = entry.end
        if not found:
            raise NoJournalError("it holds nothing that a journal does")
        if self.is_dead:
            yield from unsure

    def _read_from(self, start: int) -> Iterator[Entry]:
        return read_entries(self._file, start, past_zeros=self.is_dead or not self.is_sure)

    def note_taken(self, end: int) -> None:
        """Note how far it was taken in, and leave nothing of that in the file.

        A power cut may undo both; what is taken in again does no harm.
        """
        descriptor = self._file.fileno()
        fcntl.lockf(descriptor, fcntl.LOCK_EX, _PAGE_BYTES)
        try:
            # Another drain, which took this one for dead, may have come further.
            _, taken = self._read_head()
            if taken is None or taken < end:
                os.pwrite(descriptor, _write_head(end), 0)
                # In this order, because zeros would hide what stands behind them. What ends the last line stays, so
                # that no rest of it runs into the next where a power cut has spared only parts.
                start = _PAGE_BYTES if self._taken is None else self._taken
                os.pwrite(descriptor, bytes(end - 1 - start), start)
            self._taken = end
        finally:
            fcntl.lockf(descriptor, fcntl.LOCK_UN, _PAGE_BYTES)

    def erase_taken(self) -> None:
        """Return when nothing of what was taken in is on the disk."""
        self._file.seek(_PAGE_BYTES)
        at = _PAGE_BYTES
        while self._taken is not None and at < self._taken:
            part = self._file.read(min(self._taken - at, _MAX_BYTES))
            if not part:
                break
            if part.strip(b"\0\n"):
                os.pwrite(self._file.fileno(), bytes(len(part) - 1), at)
            at += len(part)
        os.fsync(self._file.fileno())

    def _read_head(self) -> tuple[bool, int | None]:
        """Return whether the first page is a journal's, and how far was taken in; None where that is not known."""
        # Whoever reads lines meanwhile goes on where they stood.
        head = os.pread(self._file.fileno(), _HEAD_BYTES, 0)
        found = _HEAD.match(head)
        if found is None or int(found[2], 16) != crc32(found[1]):
            return head.startswith(_MAGIC), None
        taken = int(found[1])
        return True, taken if _PAGE_BYTES <= taken <= os.fstat(self._file.fileno()).st_size else None


@contextlib.contextmanager
def open_journal(path: Path, *, to_take: bool = True) -> Iterator[Reading]:
    """Open a journal to read it.

    :param to_take: whether to take it in; it is locked meanwhile where its owner is gone.
    :raises OSError: it cannot be read now.
    """
    flags = os.O_RDWR if to_take else os.O_RDONLY
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "r+b" if to_take else "rb", buffering=0) as file:
        yield Reading(file, is_dead=to_take and try_lock(descriptor))


def _write_head(taken: int) -> bytes:
    digits = b"%020d" % taken
    return b"%b%b %08x\n" % (_MAGIC, digits, crc32(digits))
