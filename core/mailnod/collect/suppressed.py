"""The deliveries of people who have withdrawn their consent, held in memory and at most a second old."""

from __future__ import annotations

import logging
from collections.abc import Callable
from os import getpid
from threading import Event
from time import monotonic

from mailnod.background import Background
from mailnod.errors import describe_error

__all__ = ["Suppressed"]

log = logging.getLogger("mailnod.collect")

REFRESH_S = 1.0
#: How often everything is read anew.
RELOAD_S = 3600.0
#: A set older than this is not trusted to say that a delivery is free.
STALE_S = 2.0


class Suppressed:
    """Answers from memory whether a delivery is suppressed, so that a hit never waits for the store.

    A thread of its own reads what is new each second; it starts with the first question. What a parent has read frees
    no delivery in its child, so that the first question after a fork starts another.

    :param reload_s: how often everything is read anew, so that the set forgets what no longer matters.
    :param load: returns the deliveries suppressed after a cursor, and the new cursor;
        see :meth:`mailnod.store.base.Store.get_suppressed`.
    :param on_read: called whenever it is as new as it can be.
    """

    def __init__(
        self,
        load: Callable[[int], tuple[frozenset[bytes], int]],
        *,
        reload_s: float = RELOAD_S,
        on_read: Callable[[], None] = lambda: None,
    ) -> None:
        self._load = load
        self._on_read = on_read
        self._reload_s = reload_s
        self._background = Background(self._run, name="mailnod-suppressed")
        self._ids: frozenset[bytes] = frozenset()
        self._cursor = 0
        self._reloaded_at = monotonic()
        #: The process that has read, and when.
        self._loaded: tuple[int | None, float] = (None, 0.0)

    def check(self, delivery_id: bytes) -> bool | None:
        """Return True where the delivery is suppressed, False where it is not, None where that is not known now."""
        if delivery_id in self._ids:
            return True
        process, loaded_at = self._loaded
        if process == getpid() and monotonic() - loaded_at < STALE_S:
            return False
        self.start()
        return None

    def start(self) -> None:
        """Start the thread, before any question."""
        try:
            self._background.start()
        except RuntimeError as error:
            log.warning("withdrawals cannot be read: %s", describe_error(error))

    def get_age_s(self) -> float | None:
        """Return for how many seconds nothing new could be read; None where nothing was read yet."""
        process, loaded_at = self._loaded
        return None if process is None else monotonic() - loaded_at

    def refresh(self) -> None:
        """Read what is new now.

        :raises StoreError: the store cannot be read; what is known stays known.
        """
        now = monotonic()
        if now - self._reloaded_at > self._reload_s:
            # Read from the start, the set leaves out those whose tokens no longer record.
            ids, self._cursor = self._load(0)
            self._ids, self._reloaded_at = ids, now
        else:
            new, self._cursor = self._load(self._cursor)
            if new:
                self._ids |= new
        # As old as the question: whoever withdrew while the store took its time may be missing.
        self._loaded = getpid(), now
        self._on_read()

    def close(self) -> None:
        """End the thread; a later question starts another."""
        self._background.end()

    def _run(self, stop: Event) -> None:
        failing = False
        while True:
            try:
                self.refresh()
            except Exception as error:
                # Not only StoreError: nothing would start the thread again, and every hit would stay unchecked.
                if not failing:
                    why = describe_error(error)
                    log.warning("withdrawals cannot be read, hits are recorded unchecked until then: %s", why)
                failing = True
            else:
                failing = False
            if stop.wait(REFRESH_S):
                return
