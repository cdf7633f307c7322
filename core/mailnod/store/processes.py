"""What a fork must not break: values that each process makes anew, and a gate that keeps forks out of SQLite.

SQLite guards its memory and its list of open files by mutexes of the whole process. A fork copies them as they stand:
one that another thread holds at that moment stays locked in the child for ever, and the child's first statement hangs.
So every piece of work on SQLite passes :data:`fork_gate`, which a fork closes and waits for. It is one object of the
module, because those mutexes belong to the process and not to any store, and a fork handler is registered for good.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar

__all__ = ["ForkGate", "PerProcess", "fork_gate"]

T = TypeVar("T")

#: How long a fork waits for what runs; longer than a transaction takes, and less than anybody takes for a hang.
_PATIENCE_S = 3.0


class PerProcess(Generic[T]):
    """A value that each process makes for itself on first use.

    Locks, file locks and SQLite connections break when a fork carries them into a child. What a parent made stays
    referenced there, untouched: closing it would tell SQLite that its last user has gone.

    :param make: builds the value; it must not open anything, since two threads may build one at the same time and
        all but one of the values are dropped.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: dict[int, T] = {}

    def get(self) -> T:
        """Return this process's value."""
        # Asked for each time: some servers, such as uWSGI, fork in C and tell Python nothing of it.
        pid = os.getpid()
        try:
            return self._made[pid]
        except KeyError:
            # One atomic operation instead of a lock, which another thread might hold at the moment of a fork.
            return self._made.setdefault(pid, self._make())


class ForkGate:
    """Lets any number of threads work, and a fork only while none of them does.

    It is entered by ``with``, also by a thread that is inside already. Nothing slow and nothing of a user's may run
    inside: a fork waits for it, three seconds at most, because a fork that never comes is worse than a risky one.

    :param patience_s: how long a fork waits.
    """

    def __init__(self, *, patience_s: float = _PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._kept: set[weakref.ref[object]] = set()
        #: What children must find alive, from the moment before the fork; in a child it stays for good.
        self._pinned: list[object] = []
        self._reset()

    def __enter__(self) -> None:
        local = self._local
        depth = getattr(local, "depth", 0)
        if not depth:
            with self._lock:
                while self._forks:
                    self._changed.wait()
                self._inside += 1
        local.depth = depth + 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        local = self._local
        depth = getattr(local, "depth", 0)
        if depth == 1:
            with self._lock:
                self._inside -= 1
                if self._forks:
                    self._changed.notify_all()
        # A child that was forked inside leaves a gate that it has never entered.
        local.depth = max(depth - 1, 0)

    def keep_in_children(self, value: object) -> None:
        """Let a value that lives at a fork live on in the child, whatever becomes of the thread that holds it.

        There the values of all threads but one are dropped, and a connection that goes away closes files that are the
        parent's.

        :param value: what can be weakly referenced; the gate keeps it alive in no other way.
        """
        self._kept.add(weakref.ref(value, self._kept.discard))

    def watch_forks(self) -> None:
        """Close the gate at every fork of this process from now on."""
        os.register_at_fork(before=self._close, after_in_parent=self._open, after_in_child=self._reset)

    def _close(self) -> None:
        depth = getattr(self._local, "depth", 0)
        own = 1 if depth else 0
        # Until the fork is over this thread counts as inside: it must not wait for itself, should the collector of
        # garbage close a connection, or another fork handler use a store.
        self._local.depth = depth + 1
        with self._lock:
            self._forks += 1
            self._changed.wait_for(lambda: self._inside <= own, self._patience_s)
        # A copy in one step, in case that somebody is inside nevertheless.
        self._pinned += [value for ref in self._kept.copy() if (value := ref()) is not None]

    def _open(self) -> None:
        self._local.depth -= 1
        with self._lock:
            self._forks -= 1
            if not self._forks:
                self._pinned = []
            self._changed.notify_all()

    def _reset(self) -> None:
        # It is entered again where garbage is collected while it is held.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._local = threading.local()
        self._inside = 0
        self._forks = 0


#: Held during all work on SQLite.
fork_gate = ForkGate()
fork_gate.watch_forks()
