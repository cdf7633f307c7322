"""One object for each process: what must not outlive a fork is made anew after it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["PerProcess"]

T = TypeVar("T")


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
        pid = os.getpid()
        try:
            return self._made[pid]
        except KeyError:
            # One atomic operation instead of a lock, which another thread might hold at the moment of a fork.
            return self._made.setdefault(pid, self._make())
