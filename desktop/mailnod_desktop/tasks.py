"""Work that must not hold up the window: it runs in a pool of threads, and only its newest result comes back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal, Slot

__all__ = ["Cancelled", "Tasks"]

_log = logging.getLogger(__name__)


class Cancelled(Exception):  # noqa: N818
    """Raised by work that was told to end early; nobody is told of it."""


class _Outcome(QObject):
    """Carries a result to the GUI thread by a queued signal."""

    done = Signal(str, int, object)
    failed = Signal(str, int, object)


class _Job(QRunnable):
    def __init__(
        self, key: str, number: int, work: Callable[[threading.Event], Any], stop: threading.Event, outcome: _Outcome
    ) -> None:
        super().__init__()
        self._key, self._number, self._work, self._stop, self._outcome = key, number, work, stop, outcome

    def run(self) -> None:
        if self._stop.is_set():
            # It waited for a thread until nobody wanted it any more.
            return
        try:
            result = self._work(self._stop)
        except Cancelled:
            return
        except Exception as error:
            _log.debug("%s failed", self._key, exc_info=True)
            signal, result = self._outcome.failed, error
        else:
            signal = self._outcome.done
        try:
            signal.emit(self._key, self._number, result)
        except RuntimeError:
            # The window was closed meanwhile.
            _log.debug("%s came too late", self._key)


class Tasks(QObject):
    """Runs functions off the GUI thread.

    Each piece of work has a key; what is started later under the same key replaces what was started before, whose
    result is dropped.
    """

    def __init__(self, parent: QObject | None = None, *, threads: int = 4) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(threads)
        self._numbers: dict[str, int] = {}
        self._waiting: dict[str, tuple[int, Callable[[Any], None], Callable[[Exception], None] | None]] = {}
        self._stops: dict[str, threading.Event] = {}
        self._closed = False
        self._outcome = _Outcome()
        self._outcome.done.connect(self._take)
        self._outcome.failed.connect(self._take_failure)

    def start(
        self,
        key: str,
        work: Callable[[threading.Event], Any],
        done: Callable[[Any], None],
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """Run work in another thread, and hand its result over in this one; after :meth:`close` nothing is begun.

        :param work: is given an event that is set when its result is not wanted any more; it may raise
            :class:`Cancelled` then. It must not touch widgets or models.
        :param done: called on the GUI thread with what ``work`` returned.
        :param failed: called on the GUI thread with what ``work`` raised; None logs it.
        """
        self.cancel(key)
        if self._closed:
            return
        number = self._numbers[key] = self._numbers.get(key, 0) + 1
        stop = self._stops[key] = threading.Event()
        self._waiting[key] = (number, done, failed)
        self._pool.start(_Job(key, number, work, stop, self._outcome))

    def let_go(self, close: Callable[[], object]) -> None:
        """Close something in another thread, because others may still use it; it is done although the window closes."""
        self._pool.start(_Job("close", 0, lambda _: close(), threading.Event(), self._outcome))

    def cancel(self, key: str) -> None:
        """Drop the result of what was started under a key, and tell it to end."""
        if key in self._waiting:
            self._stops[key].set()
            del self._waiting[key]

    def is_running(self, key: str) -> bool:
        """Whether a result is waited for."""
        return key in self._waiting

    def close(self) -> None:
        """Tell everything to end, and wait for it."""
        self._closed = True
        for key in list(self._waiting):
            self.cancel(key)
        self._pool.waitForDone(10_000)

    @Slot(str, int, object)
    def _take(self, key: str, number: int, result: object) -> None:
        expected = self._collect(key, number)
        if expected is not None:
            expected[1](result)

    @Slot(str, int, object)
    def _take_failure(self, key: str, number: int, error: Exception) -> None:
        expected = self._collect(key, number)
        if expected is None:
            return
        if expected[2] is None:
            _log.error("%s failed: %s", key, error)
        else:
            expected[2](error)

    def _collect(
        self, key: str, number: int
    ) -> tuple[int, Callable[[Any], None], Callable[[Exception], None] | None] | None:
        """Return whom to tell; None where something newer was started since, or nobody waits any more."""
        expected = self._waiting.get(key)
        if expected is None or expected[0] != number:
            return None
        del self._waiting[key]
        return expected
