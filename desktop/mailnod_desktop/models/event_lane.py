"""One thread of its own, for short reads that must not wait behind long work and that share one connection.

A thread of Qt's pool is a new one to Python with each piece of work, so that whatever Python keeps for a thread, such
as an open database, would be made anew each time.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal, Slot

__all__ = ["Lane"]

_log = logging.getLogger(__name__)

_Work = Callable[[], Any]
_Done = Callable[[Any], None]
_Failed = Callable[[Exception], None]


class _Outcome(QObject):
    """Carries a result to the GUI thread by a queued signal."""

    done = Signal(str, int, object)
    failed = Signal(str, int, object)


class Lane(QObject):
    """Runs functions one after the other off the GUI thread; only the newest result of each key comes back."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._queue: queue.SimpleQueue[tuple[str, int, _Work] | None] = queue.SimpleQueue()
        self._number = 0
        self._waiting: dict[str, tuple[int, _Done, _Failed]] = {}
        self._thread: threading.Thread | None = None
        self._outcome = _Outcome()
        self._outcome.done.connect(self._take, Qt.ConnectionType.QueuedConnection)
        self._outcome.failed.connect(self._take_failure, Qt.ConnectionType.QueuedConnection)

    def start(self, key: str, work: _Work, done: _Done, failed: _Failed) -> None:
        """Run work after what was started before it, and hand its result over in the GUI thread.

        :param key: what is started later under the same key replaces what was started before.
        """
        self._number += 1
        self._waiting[key] = (self._number, done, failed)
        if self._thread is None:
            self._thread = threading.Thread(
                target=_run, args=(self._queue, self._waiting, self._outcome), name="mailnod-events", daemon=True
            )
            self._thread.start()
        self._queue.put((key, self._number, work))

    def is_running(self, key: str) -> bool:
        """Whether a result is waited for."""
        return key in self._waiting

    def cancel(self, key: str) -> None:
        """Drop the result of what was started under a key."""
        self._waiting.pop(key, None)

    def close(self) -> None:
        """Drop everything, and wait for the thread to end."""
        self._waiting.clear()
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(10)
            self._thread = None

    @Slot(str, int, object)
    def _take(self, key: str, number: int, result: object) -> None:
        expected = self._waiting.get(key)
        if expected is not None and expected[0] == number:
            del self._waiting[key]
            expected[1](result)

    @Slot(str, int, object)
    def _take_failure(self, key: str, number: int, error: Exception) -> None:
        expected = self._waiting.get(key)
        if expected is not None and expected[0] == number:
            del self._waiting[key]
            expected[2](error)


def _run(
    work: queue.SimpleQueue[tuple[str, int, _Work] | None],
    waiting: dict[str, tuple[int, _Done, _Failed]],
    outcome: _Outcome,
) -> None:
    while (job := work.get()) is not None:
        key, number, function = job
        expected = waiting.get(key)
        if expected is None or expected[0] != number:
            # Nobody wants it any more.
            continue
        try:
            result = function()
        except Exception as error:
            _log.debug("%s failed", key, exc_info=True)
            outcome.failed.emit(key, number, error)
        else:
            outcome.done.emit(key, number, result)
