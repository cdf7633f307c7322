"""A thread that each process starts for itself on first use, and ends in good order."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable

from mailnod.store.processes import PerProcess

__all__ = ["Background"]

#: How long an ending process waits for the thread's last round.
END_S = 5.0


class _Own:
    """What belongs to one process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.stop = threading.Event()
        self.thread: threading.Thread | None = None


class Background:
    """Runs a loop beside the app.

    :param run: the loop; it returns soon after the event that it is given is set.
    :param name: the thread's name.
    """

    def __init__(self, run: Callable[[threading.Event], None], *, name: str) -> None:
        self._run = run
        self._name = name
        self._own = PerProcess(_Own)

    def start(self) -> None:
        """Start the thread unless it runs in this process.

        :raises RuntimeError: the system has no thread to give; a later call tries again.
        """
        own = self._own.get()
        if own.thread is not None:
            return
        with own.lock:
            if own.thread is not None:
                return
            own.stop = stop = threading.Event()
            thread = threading.Thread(target=self._run, args=(stop,), name=self._name, daemon=True)
            thread.start()
            own.thread = thread
        atexit.register(self.end)

    def end(self) -> None:
        """End this process's thread and wait for it a few seconds; a later start makes another."""
        own = self._own.get()
        with own.lock:
            thread, own.thread = own.thread, None
            own.stop.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(END_S)
        atexit.unregister(self.end)
