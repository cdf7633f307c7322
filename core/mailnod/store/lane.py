"""The journal of one event loop: it is handed hits, and tells by a descriptor when they are on the disk.

Nothing that the loop does here waits. What would have to, such as making a file, is left to a thread.
"""

from __future__ import annotations

import errno
import logging
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

from mailnod.model import Observation, Recorded
from mailnod.store.direct import BLOCK_BYTES, MAX_BYTES, DirectWriter
from mailnod.store.entries import write_entries
from mailnod.store.journal_file import JournalFile

__all__ = ["JournalLane"]

_log = logging.getLogger(__name__)

#: Room for so much is made before it is needed.
_AHEAD_BYTES = 2 * MAX_BYTES
#: For how long nothing is tried after room could not be made.
_PAUSE_S = 1.0
#: How long the end of a process waits for the last commit.
_CLOSE_S = 5.0
_STEP_S = 0.01
#: What says that a file system never takes such writes.
_NEVER = {errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS}


class JournalLane:
    """Commits hits one batch after the other.

    :param folder: where its files are made.
    :param may_take: whether hits may go this way at the moment.
    :param note: called with how many hits a batch had, how many seconds it took, and None or what went wrong.
    :raises OSError: this system has no writes that need not be waited for.
    """

    def __init__(
        self, folder: Path, *, may_take: Callable[[], bool], note: Callable[[int, float, OSError | None], None]
    ) -> None:
        self._folder = folder
        self._may_take = may_take
        self._note = note
        self._writer = DirectWriter()
        #: Held while files are made, grow and are closed.
        self._making = Lock()
        #: Guards what follows; never held for long.
        self._lock = Lock()
        self._file: JournalFile | None = None
        #: The one to go on with, and those that nothing is written to any more.
        self._next: JournalFile | None = None
        self._left: list[JournalFile] = []
        #: Hits of the batch that is under way; None where none is.
        self._hits: int | None = None
        self._began_at = 0.0
        #: When room may be made again after that failed, by the monotonic clock; never where the disk cannot do it.
        self._pause_until = 0.0

    def fileno(self) -> int:
        """Return a descriptor that can be read when :meth:`finish` has something to say."""
        return self._writer.fileno()

    @property
    def is_low(self) -> bool:
        """Whether :meth:`make_room` should be called, in a thread that may wait."""
        file = self._file
        enough = file is not None and file.room >= _AHEAD_BYTES
        return not enough and self._next is None and time.monotonic() >= self._pause_until

    def begin(self, items: Sequence[Recorded]) -> bool:
        """Begin to write hits and counts down, and return at once.

        :returns: False where nothing is taken now: a batch is under way, there is no room, or the disk would have to be
            waited for.
        """
        with self._lock:
            if self._hits is not None or not self._may_take():
                return False
            lines = write_entries(items)
            # The last line is filled up with spaces to the end of its block.
            lines = b"%b%b\n" % (lines[:-1], b" " * (-len(lines) % BLOCK_BYTES))
            file = self._file
            if file is None or file.room < len(lines):
                self._leave_file()
                file = self._file = self._next
                self._next = None
            if file is None or len(lines) > min(file.room, MAX_BYTES):
                return False
            try:
                self._writer.begin(file.direct, lines, file.end)
            except BlockingIOError:
                return False
            except OSError as error:
                self._leave_file()
                self._give_up(error, for_s=math.inf)
                return False
            file.end += len(lines)
            self._hits = sum(isinstance(item, Observation) for item in items)
            self._began_at = time.monotonic()
            return True

    def finish(self) -> bool | None:
        """Return whether the batch that was begun is on the disk; None where it is still under way."""
        return self._finish(wait_s=0.0)

    def make_room(self) -> None:
        """Make a file to go on with, where one is needed; never raises."""
        with self._making:
            self._close_left()
            if self.is_low:
                try:
                    self._next = JournalFile(self._folder, direct=True)
                except OSError as error:
                    self._give_up(error, for_s=math.inf if error.errno in _NEVER else _PAUSE_S)

    def close(self) -> None:
        """Wait for what is under way and leave the file to the drain; :meth:`make_room` begins another."""
        with self._making:
            deadline = time.monotonic() + _CLOSE_S
            # In small steps, because the loop may go on and must not wait.
            while self._hits is not None and time.monotonic() < deadline:
                self._finish(wait_s=_STEP_S)
            with self._lock:
                self._leave_file()
                if self._next is not None:
                    self._left.append(self._next)
                    self._next = None
            self._close_left()

    def _finish(self, *, wait_s: float) -> bool | None:
        with self._lock:
            failure: OSError | None = None
            try:
                if self._writer.end(wait_s=wait_s) is None:
                    return None
            except OSError as error:
                failure = error
            hits, self._hits = self._hits or 0, None
            # What is written to a file that was unlinked is never read.
            if failure is not None or self._file is None or not self._file.is_in_place():
                self._leave_file()
                if isinstance(failure, BlockingIOError):
                    # The disk is sound; only the blocks of this batch could not be had without waiting.
                    self._give_up(failure, for_s=_PAUSE_S)
                elif failure is not None:
                    self._note(0, 0.0, failure)
                return False
            self._note(hits, time.monotonic() - self._began_at, None)
            return True

    def _give_up(self, error: OSError, *, for_s: float) -> None:
        _log.info("hits are written by a thread for %g s: %s", for_s, error)
        self._pause_until = time.monotonic() + for_s

    def _leave_file(self) -> None:
        # It is closed by a thread that may wait, and not while that makes room in it.
        if self._file is not None:
            self._left.append(self._file)
            self._file = None

    def _close_left(self) -> None:
        while self._left:
            self._left.pop().close()
