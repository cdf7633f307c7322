"""A thread that commits what many threads hand it, and callers that wait for it no longer than they may.

Whoever hands something over while a commit is under way shares the next one (group commit), so the disk is synced once
for all of them. The disk is asked by a thread of its own because a call to a disk that hangs cannot be taken back: the
thread stays, and the callers go.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Lock
from typing import Generic, TypeVar

from mailnod.errors import StoreUnavailableError

__all__ = ["Committer"]

T = TypeVar("T")

#: How many items may wait for one commit, unless they come at once; more gather only while a disk hangs.
_MAX_WAITING = 10_000

#: How long the end of a process waits for the last commit.
_CLOSE_S = 5.0


class NoThreadError(StoreUnavailableError):
    """There is no thread to be had, as at the end of a process."""


class Batch(Generic[T]):
    """Items that are committed together."""

    __slots__ = ("done", "error", "items", "late", "over")

    def __init__(self) -> None:
        self.items: list[T] = []
        #: Held until the batch is committed or has failed; a bare lock wakes its waiters faster than an event does.
        self.done = Lock()
        self.done.acquire()
        self.error: BaseException | None = None
        #: Items whose callers have gone.
        self.late: list[T] = []
        self.over = False


class Committer(Generic[T]):
    """Commits items in batches, in one thread; made for one process, and safe to use from any thread of it.

    :param write: returns once all items are on the disk; raises where none of them need be.
    :param close: lets go of what ``write`` has opened.
    :param patience_s: how long a caller waits.
    :param fail_late: called with items whose callers were told that they are being written, where that failed.
    :param name: of the thread.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], None],
        *,
        close: Callable[[], None] = lambda: None,
        patience_s: float,
        fail_late: Callable[[Sequence[T]], None] = lambda _: None,
        name: str,
    ) -> None:
        self._write = write
        self._close = close
        self._patience_s = patience_s
        self._fail_late = fail_late
        self._name = name
        #: Guards the batch that is being filled, and the thread.
        self._filling = Lock()
        self._batch: Batch[T] = Batch()
        self._queue: SimpleQueue[Batch[T] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        #: Held while anything is done to the disk.
        self._working = Lock()
        self._began_at: float | None = None
        #: Commits that succeeded since the process began, and how long they took together, in seconds.
        self.commits = 0
        self.commit_s = 0.0

    def is_stuck(self) -> bool:
        """Return whether a commit has been under way for longer than anybody waits."""
        began_at = self._began_at
        return began_at is not None and time.monotonic() - began_at > self._patience_s

    def commit(self, items: Sequence[T], *, patience_s: float | None = None) -> bool:
        """Hand items over, and wait for their commit, unless the disk hangs already.

        :param patience_s: how long to wait; None for as long as anybody does.
        :returns: whether they are on the disk; False where the disk has not answered yet, and then they are written
            when it does.
        :raises StoreUnavailableError: too much waits for a disk that hangs already.
        :raises Exception: whatever ``write`` raised; the same object for all who shared the commit.
        """
        try:
            with self._filling:
                batch = self._join(items)
        except NoThreadError:
            # A process that is ending starts no thread any more, and still has hits to write down.
            with self._working:
                self._write(items)
            return True
        patience_s = self._patience_s if patience_s is None else max(patience_s, 0)
        if not batch.done.acquire(timeout=0 if self.is_stuck() else patience_s):
            with self._filling:
                if not batch.over:
                    batch.late.extend(items)
                    return False
        else:
            batch.done.release()
        if batch.error is not None:
            raise batch.error
        return True

    def close(self) -> None:
        """Commit what waits, let go of the disk and end the thread; a later commit starts another."""
        with self._filling:
            thread, self._thread = self._thread, None
            queue, self._queue = self._queue, SimpleQueue()
            queue.put(None)
        if thread is not None:
            thread.join(_CLOSE_S)

    def _join(self, items: Sequence[T]) -> Batch[T]:
        batch = self._batch
        # What comes together is in memory anyway, and is no sign of a disk that hangs where nothing waits for it.
        if batch.items and len(batch.items) + len(items) > _MAX_WAITING:
            raise StoreUnavailableError(f"the disk hangs, and {len(batch.items)} hits wait for it already")
        if not batch.items:
            self._start()
            self._queue.put(batch)
        batch.items.extend(items)
        return batch

    def _start(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._run, args=(self._queue,), name=self._name, daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                raise NoThreadError(f"no thread can be started that writes hits down: {error}") from error
            self._thread = thread

    def _run(self, queue: SimpleQueue[Batch[T] | None]) -> None:
        while (batch := queue.get()) is not None:
            with self._working:
                self._commit(batch)
        with self._working:
            self._close()

    def _commit(self, batch: Batch[T]) -> None:
        with self._filling:
            # From here on nobody joins it.
            self._batch = Batch()
        began_at = self._began_at = time.monotonic()
        try:
            self._write(batch.items)
        except BaseException as error:
            batch.error = error
        else:
            self.commits += 1
            self.commit_s += time.monotonic() - began_at
        finally:
            self._began_at = None
        with self._filling:
            batch.over = True
        batch.done.release()
        if batch.error is not None and batch.late:
            self._fail_late(batch.late)
