"""Where hits go that no journal takes: a file of lines with checksums, elsewhere, synced before the reply leaves.

It needs nothing but a folder that can be written, and is read back by the drain. A line that was torn or damaged is
passed over, and said.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from mailnod.model import Observation, Overflow, Recorded
from mailnod.store.files import sync_path
from mailnod.store.rows import read_observation, read_overflow, write_observation, write_overflow

__all__ = ["SPOOL_SUFFIX", "Spool", "find_folders", "list_ids", "measure", "replay"]

#: What the files are called.
SPOOL_SUFFIX = ".spool"

#: Where a spool may lie without being told: what is kept over a restart goes first. No variable of the environment has
#: a say, so that all processes find the same.
_BASES = (Path("/var/tmp"), Path("/tmp"))  # noqa: S108

_CHECK_BYTES = 8
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
                found.update(item.id for item in map(_decode, lines) if isinstance(item, Observation))
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
        hits = [item for item in items if isinstance(item, Observation)]
        counts = sorted((item for item in items if isinstance(item, Overflow)), key=lambda item: item.count)
        # An empty line first, so that whatever was torn before ends there. Of each count the highest is enough.
        kept: list[Recorded] = [*hits, *{item.id: item for item in counts}.values()]
        lines = b"\n" + b"".join(map(_encode, kept))
        failure = OSError(errno.ENOENT, "there is no folder for a spool")
        for folder in self._folders:
            try:
                self._append(folder, lines, limit_bytes=self._limit_bytes + (0 if hits else _RESERVE_BYTES))
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
                if _try_lock(descriptor) and os.fstat(descriptor).st_nlink:
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
            self._name = _make_name()


def replay(
    folder: Path,
    take: Callable[[Sequence[Observation], Sequence[Overflow]], None],
    *,
    batch: int,
    go_on: Callable[[], bool],
) -> bool:
    """Hand over what lies in a spool, and remove each file when all of it has been taken.

    A line that is damaged counts as a lost hit, unless it is the last and has no end, which nobody was told is safe.

    :param folder: it need not exist.
    :param take: returns once what it was given is safe elsewhere; taking the same again must do no harm.
    :param batch: how many hits are handed over at once.
    :param go_on: asked before each batch.
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
            if _try_lock(descriptor):
                if not _replay_lines(path, file, take, batch=batch, go_on=go_on):
                    return False
                path.unlink(missing_ok=True)
    return True


def _replay_lines(
    path: Path,
    lines: Iterator[bytes],
    take: Callable[[Sequence[Observation], Sequence[Overflow]], None],
    *,
    batch: int,
    go_on: Callable[[], bool],
) -> bool:
    hits: list[Observation] = []
    # Of one id the highest count stands for all others.
    counts: dict[bytes, Overflow] = {}
    damaged = 0
    for line in lines:
        item = _decode(line)
        if isinstance(item, Observation):
            hits.append(item)
        elif isinstance(item, Overflow):
            known = counts.get(item.id)
            counts[item.id] = item if known is None or item.count > known.count else known
        elif line.strip() and line.endswith(b"\n"):
            damaged += 1
        if len(hits) >= batch:
            if not go_on():
                return False
            take(hits, [])
            hits = []
    if damaged:
        _log.error("%d lines of the spool %s were damaged and are lost; the others are taken in", damaged, path.name)
        lost = _count_damaged(path, damaged)
        counts[lost.id] = lost
    if not go_on():
        return False
    take(hits, list(counts.values()))
    return True


def _encode(item: Recorded) -> bytes:
    row = write_observation(item) if isinstance(item, Observation) else write_overflow(item)
    values = [value.hex() if isinstance(value, bytes) else value for value in row]
    kind = "hit" if isinstance(item, Observation) else "count"
    text = json.dumps([kind, *values], separators=(",", ":")).encode()
    return _check(text) + b" " + text + b"\n"


def _decode(line: bytes) -> Recorded | None:
    check, _, text = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or check != _check(text):
        return None
    kind, *row = json.loads(text)
    if kind == "count":
        return read_overflow([bytes.fromhex(row[0]), *row[1:]])
    ids: list[Any] = [bytes.fromhex(value) for value in row[:2]]
    return read_observation([*ids, *row[2:]])


def _check(text: bytes) -> bytes:
    return blake2b(text, digest_size=_CHECK_BYTES).hexdigest().encode("ascii")


def _count_damaged(path: Path, number: int) -> Overflow:
    # Named by the file, so that it is counted once, however often the file is read.
    id_ = blake2b(os.fsencode(path.name), digest_size=16).digest()
    now = datetime.now(UTC)
    return Overflow(id=id_, reason="lost", key="", kind="open", first_at=now, last_at=now, count=number)


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


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write_whole(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
