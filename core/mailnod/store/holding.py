"""A lease in the store, as the thread that works under it holds it."""

from __future__ import annotations

import os
import socket
import threading
from datetime import datetime, timedelta

from mailnod.clock import Clock
from mailnod.store.base import WORKER_LEASE, Store

__all__ = ["LEASE_S", "Lease", "name_holder"]

#: How long a lease lives without renewal; another takes over after that. One that was paused for longer does no harm
#: when it goes on: the store refuses what it publishes, and takes each observation once.
LEASE_S = 10.0
#: A lease older than this is renewed before the next batch.
_RENEW_S = 2.0


def name_holder(secret: str) -> str:
    """Return the name under which the calling thread holds leases: two threads of one process are two workers."""
    return f"{socket.gethostname()}-{os.getpid()}-{threading.get_ident()}-{secret}"


class Lease:
    """A lease as one pass holds it.

    :param name: which one; the worker's by default.
    """

    def __init__(self, *, store: Store, clock: Clock, holder: str, name: str = WORKER_LEASE) -> None:
        self.holder = holder
        self._name = name
        self._store = store
        self._clock = clock
        self._taken_at: datetime | None = None

    def take(self) -> bool:
        """Take or renew it; False where another has it."""
        now = self._clock.now()
        taken = self._store.acquire_lease(self._name, holder=self.holder, now=now, ttl_s=LEASE_S)
        self._taken_at = now if taken else None
        return taken

    def keep(self) -> bool:
        """Renew it where that is time; False where another has taken over."""
        age = None if self._taken_at is None else self._clock.now() - self._taken_at
        return (age is not None and timedelta() <= age < timedelta(seconds=_RENEW_S)) or self.take()
