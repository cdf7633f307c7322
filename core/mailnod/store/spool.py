"""Where hits go that no journal takes: a file of lines with checksums, elsewhere, synced before the reply leaves.

It needs nothing but a folder that can be written, and is read back by the drain. A line that was torn or damaged is
passed over, and said.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

from mailnod.model import Observation, Overflow, Recorded
from mailnod.store.entries import Entry, read_entries, write_entries
from mailnod.store.files import sync_path, try_lock

__all__ = ["SPOOL_SUFFIX", "Spool", "Take", "find_folders", "list_ids", "measure", "replay", "take_entries"]

#: Takes observations, and counts of those beyond a cap, into the store.
Take = Callable[[Sequence[Observation], Sequence[Overflow]], None]

#: What the files are called.
SPOOL_SUFFIX = ".spool"

#: Where a spool may lie without being told: what is kept over a restart goes first. No variable of the environment has
#: a say, so that all processes find the same.
_BASES = (Path("/var/tmp"), Path("/tmp"))  # noqa: S108

#: Counts are few and small, and find room where hits find none any more.
_RESERVE_BYTES = 1_000_000

_log = logging.getLogger(__name__)


def find_folders(database: Path, *, chosen: Path | None = None, bases: Sequence[Path] = _BASES) -> tuple[Path, ...]:
    """Return where the spool of a store lies, the place to try first at the head.

    Each store has a folder of its own in them, and each user, so that nobody's hits come into another's store.

    :param database: path of the store.
    :param chosen: a folder that was named for spools; None takes the bases.
    :param bases: folders in which everybody may make one; what lies on another file system than the store comes first.
    """
    name = f"{database.name}-{blake2b(os.fsencode(database.absolute()), digest_size=4).hexdigest()}"
    if chosen is not None:
        return (chosen.absolute() / name,)
    here = _get_device(database)
    ordered = sorted((base for base in bases if base.is_dir()), key=lambda base: _get_device(base) == here)
    return tuple(base / f"mailnod-{os.geteuid()}-{name}" for base in ordered)


def measure(folders: Sequence[Path]) -> tuple[int, int]:
    """Return how many files of a spool there are, and how many bytes they have together."""
    sizes = [size for folder in folders for size in _list_sizes(folder)]
    return len(sizes), sum(sizes)


def list_ids(folders: Sequence[Path]) -> set[bytes]:
    """Return the ids of the hits that lie in a spool; a file that cannot be read now has none."""
    found: set[bytes] = set()
    for folder in folders:
        for path in folder.glob(f"*{SPOOL_SUFFIX}"):
            with contextlib.suppress(OSError), path.open("rb") as lines:
                entries = read_entries(lines, 0, past_zeros=True)
                found.update(entry.item.id for entry in entries if isinstance(entry.item, Observation))
    return found


class Spool:
    """The spool of one process; used by one thread at a time.

    :param folders: where it may lie, in the order in which they are tried; made on first use, readable by their owner
        alone.
    :param limit_bytes: how large the files in a folder may grow together.
    """

    def __init__(self, folders: Sequence[Path], *, limit_bytes: int) -> None:
        self._folders = tuple(folders)
        self._limit_bytes = limit_bytes
        self._name = _make_name()

    def write(self, items: Sequence[Recorded]) -> None:
        """Append hits and counts; they are on a disk when this returns.

        :raises OSError: no folder takes them.
        """
        has_hits = any(isinstance(item, Observation) for item in items)
        # An empty line first, so that whatever was torn before ends there.
        lines = b"\n" + write_entries(items)
        failure = OSError(errno.ENOENT, "there is no folder for a spool")
        for folder in self._folders:
            try:
                self._append(folder, lines, limit_bytes=self._limit_bytes + (0 if has_hits else _RESERVE_BYTES))
            except OSError as error:
                failure = error
            else:
                return
        raise failure

    def _append(self, folder: Path, lines: bytes, *, limit_bytes: int) -> None:
        _make_folder(folder)
        if sum(_list_sizes(folder)) + len(lines) > limit_bytes:
            raise OSError(errno.EFBIG, f"the spool has reached its limit of {limit_bytes:,} bytes", str(folder))
        descriptor = self._open(folder)
        try:
            size = os.fstat(descriptor).st_size
            try:
                _write_whole(descriptor, lines)
                os.fsync(descriptor)
                if size == 0:
                    sync_path(folder)
            except OSError:
                # What was refused may be counted as lost, and should not come back; the checksums see to the rest.
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, size)
                raise
        finally:
            os.close(descriptor)

    def _open(self, folder: Path) -> int:
        """Open the file of this process, or a new one where the drain has it now or has removed it."""
        while True:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(folder / self._name, flags, 0o600)
            try:
                if try_lock(descriptor) and os.fstat(descriptor).st_nlink:
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
            self._name = _make_name()


def replay(folder: Path, take: Take, *, batch: int, go_on: Callable[[], bool]) -> bool:
    """Hand over what lies in a spool, and remove each file when all of it has been taken; see :func:`take_entries`.

    :param folder: it need not exist.
    :returns: False where it was told to end.
    """
    for path in sorted(folder.glob(f"*{SPOOL_SUFFIX}")):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            _log.info("the spool %s is taken in later: %s", path.name, error.strerror)
            continue
        with os.fdopen(descriptor, "rb") as file:
            # Its owner begins another where it finds this one locked.
            if try_lock(descriptor):
                entries = read_entries(file, 0, past_zeros=True)
                if not take_entries(path, entries, take, batch=batch, go_on=go_on):
                    return False
                path.unlink(missing_ok=True)
    return True


def take_entries(
    path: Path,
    entries: Iterable[Entry],
    take: Take,
    *,
    batch: int,
    go_on: Callable[[], bool],
    note_taken: Callable[[int], None] = lambda _: None,
) -> bool:
    """Hand over what lines hold, a batch at a time.

    A line that is damaged counts as a lost hit. One that is zeros in part does not, and is said: a power cut leaves it
    of what nobody was told is safe, and of what was erased.

    :param path: of the file that they are from.
    :param take: returns once what it was given is safe elsewhere; taking the same again must do no harm.
    :param batch: how many hits are handed over at once.
    :param go_on: asked before each batch.
    :param note_taken: called after each batch with the place where it ends in the file, in bytes.
    :returns: False where it was told to end.
    """
    hits: list[Observation] = []
    # Of one id the highest count stands for all others.
    counts: dict[bytes, Overflow] = {}
    damaged: list[int] = []
    torn: list[int] = []
    end = 0

    def flush() -> bool:
        if not (hits or counts or damaged):
            return True
        if not go_on():
            return False
        if damaged:
            said = "%d lines of %s were damaged and are lost; the others are taken in"
            _log.error(said, len(damaged), path.name)
            lost = _count_damaged(path, damaged)
            counts[lost.id] = lost
        take(hits, list(counts.values()))
        note_taken(end)
        hits.clear()
        counts.clear()
        damaged.clear()
        return True

    for item, end, whole in entries:
        if isinstance(item, Observation):
            hits.append(item)
        elif isinstance(item, Overflow):
            known = counts.get(item.id)
            counts[item.id] = item if known is None or item.count > known.count else known
        else:
            (damaged if whole else torn).append(end)
        if len(hits) >= batch and not flush():
            return False
    # What a power cut leaves of the last write is no news.
    _say_torn(path, [place for place in torn if place != end])
    return flush()


def _say_torn(path: Path, places: Sequence[int]) -> None:
    if places:
        _log.warning("%d lines of %s are zeros in part: a power cut, or hits that are lost", len(places), path.name)


def _count_damaged(path: Path, places: Sequence[int]) -> Overflow:
    # Named by the file and the first place, so that they are counted once, however often the file is read.
    id_ = blake2b(os.fsencode(path.name) + b" %d" % places[0], digest_size=16).digest()
    now = datetime.now(UTC)
    return Overflow(id=id_, reason="lost", key="", kind="open", first_at=now, last_at=now, count=len(places))


def _make_name() -> str:
    return f"{os.getpid()}-{secrets.token_hex(8)}{SPOOL_SUFFIX}"


def _make_folder(folder: Path) -> None:
    """Make a folder for this user alone, and refuse one that somebody else has made or may write to."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        sync_path(folder.parent)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise OSError(errno.EPERM, "it is no folder of this user alone (mode 0700)", str(folder))


def _list_sizes(folder: Path) -> Iterator[int]:
    for path in folder.glob(f"*{SPOOL_SUFFIX}"):
        with contextlib.suppress(OSError):
            yield path.stat().st_size


def _get_device(path: Path) -> int | None:
    """Return the device that a path lies on, or will lie on."""
    for place in (path, *path.absolute().parents):
        with contextlib.suppress(OSError):
            return place.stat().st_dev
    return None


def _write_whole(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
