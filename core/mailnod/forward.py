"""Bring what the processes of this host have written down into the store.

A journal lies on the disk of its host, so each host empties its own folder, whoever judges. With a store that hosts
share, that happens under a lease for each folder; with one of this host's own, under the worker's. Where a store has an
inbox, hits are safe once they lie there, and whoever forwards takes in what all hosts have brought.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from mailnod.clock import Clock
from mailnod.errors import StoreError, describe_error
from mailnod.model import Observation
from mailnod.plugins import Plugins
from mailnod.settings import MAX_RETENTION_DAYS
from mailnod.store.base import WORKER_LEASE, Inbox, Store
from mailnod.store.drain import drain, name_folder
from mailnod.store.holding import Lease, name_holder
from mailnod.store.scrub import scrub_journals

__all__ = ["Forwarder"]

log = logging.getLogger("mailnod.forward")

#: How many observations are moved in one transaction: of a file, whose lock senders wait for, and of a server.
_BATCH = 500
_SHARED_BATCH = 5000
#: How many observations are taken in from an inbox in one transaction, and how often in one pass: journals do not wait
#: until hits of all hosts are taken in.
_TAKE_IN = 10_000
_TAKE_IN_TIMES = 10
#: Pause between two passes, and the longest one while the store cannot be used.
PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0
#: How often journals are looked through for damage and rid of what was moved long ago, besides the first time.
TEND_S = 3600.0


class Forwarder:
    """Empties one folder of journals; one thread of one process does it, all others stand by.

    :param journal_folder: where the journals of this host lie.
    :param shared: whether other hosts use the store too, each with a folder of its own.
    :param batch: how many observations are moved in one transaction; None takes more where that is a way to go.
    """

    def __init__(
        self,
        *,
        store: Store,
        journal_folder: Path,
        plugins: Plugins,
        clock: Clock,
        settle_s: float,
        spool_folders: Sequence[Path] = (),
        shared: bool = False,
        batch: int | None = None,
    ) -> None:
        self.shared = shared
        self._store = store
        self._journal_folder = journal_folder
        self._plugins = plugins
        self._clock = clock
        self._settle_s = settle_s
        self._spool_folders = tuple(spool_folders)
        self._tended_at: float | None = None
        self._batch = batch or (_SHARED_BATCH if shared else _BATCH)
        self._secret = secrets.token_hex(4)

    def forward(self, *, go_on: Callable[[], bool]) -> int:
        """Move what lies in the folder, for whoever holds the lease.

        :param go_on: asked before each batch; False ends it there.
        :returns: how many observations were new to the store, or were brought to its inbox.
        :raises StoreUnavailableError: the store cannot take them; they stay in their journals.
        """
        now = time.monotonic()
        tend = self._tended_at is None or now - self._tended_at >= TEND_S
        if tend:
            self._tended_at = now
        inbox = self._store if self.shared and isinstance(self._store, Inbox) else None
        tells = self._plugins.has("observation_recorded")
        try:
            moved = drain(
                self._journal_folder,
                self._store if inbox is None else _Bringing(self._store, inbox),
                settle_s=self._settle_s,
                spool_folders=self._spool_folders,
                batch=self._batch,
                on_recorded=self._notify_recorded if tells and inbox is None else None,
                go_on=go_on,
            )
        finally:
            # What cannot be brought does not hold up what others have brought.
            if inbox is not None:
                self._take_in(inbox, go_on, read=tells)
        if tend:
            self.scrub()
        return moved

    def scrub(self) -> bool:
        """Leave nothing of what was moved in the journals; False where one of them is in use at the moment."""
        return scrub_journals(self._journal_folder, until=self._clock.now() - timedelta(days=MAX_RETENTION_DAYS))

    def forward_once(self, *, stop: threading.Event | None = None) -> int | None:
        """Move what lies in the folder now; None where another process is at it.

        :param stop: ends it after the batch under way.
        :raises StoreError: the store cannot be used; observations stay in their journals.
        """
        lease = Lease(store=self._store, clock=self._clock, holder=name_holder(self._secret), name=self._name_lease())
        if not lease.take():
            return None
        return self.forward(go_on=lambda: lease.keep() and not (stop is not None and stop.is_set()))

    def run(self, stop: threading.Event, *, report: Callable[[int, float], None] | None = None) -> None:
        """Forward until told to stop; a store that cannot be used is logged once, and tried again ever more rarely.

        :param report: called after each pass that moved something, with how many observations and in how many seconds.
        """
        pause_s, failing = PAUSE_S, False
        while not stop.is_set():
            started = time.monotonic()
            try:
                moved = self.forward_once(stop=stop)
            except StoreError as error:
                if not failing:
                    log.warning("hits wait in their journals until the store can be used: %s", error)
                pause_s, failing = min(2 * pause_s, LONGEST_PAUSE_S), True
            except Exception as error:
                # The loop must outlive a defect, because nothing would start it again.
                if not failing:
                    log.error("a pass failed and is tried again: %s", describe_error(error))
                pause_s, failing = min(2 * pause_s, LONGEST_PAUSE_S), True
            else:
                if failing:
                    log.warning("the store can be used again")
                pause_s, failing = PAUSE_S, False
                if moved and report is not None:
                    report(moved, time.monotonic() - started)
            stop.wait(pause_s)
        self.release()

    def release(self) -> None:
        """Let another process of this host forward at once, where the calling thread is the one that does."""
        try:
            self._store.release_lease(self._name_lease(), holder=name_holder(self._secret))
        except (StoreError, OSError) as error:
            log.debug("the lease runs out by itself: %s", describe_error(error))

    def _take_in(self, inbox: Inbox, go_on: Callable[[], bool], *, read: bool) -> None:
        """Take in what hosts have brought; what one pass leaves or another process is at waits for the next."""
        for _ in range(_TAKE_IN_TIMES):
            if not go_on():
                return
            batches, new = inbox.take_in(settle_s=self._settle_s, limit=_TAKE_IN, read=read)
            if not batches:
                return
            for observation in new:
                self._notify_recorded(observation)

    def _name_lease(self) -> str:
        if not self.shared:
            return WORKER_LEASE
        return f"forward {name_folder(self._journal_folder)}"

    def _notify_recorded(self, observation: Observation) -> None:
        self._plugins.notify("observation_recorded", observation=observation)


class _Bringing:
    """A store as a drain sees it that brings hits to its inbox."""

    def __init__(self, store: Store, inbox: Inbox) -> None:
        self.add_overflow = store.add_overflow
        self._inbox = inbox

    def add_observations(
        self,
        observations: Sequence[Observation],
        *,
        settle_s: float,  # noqa: ARG002 - When they are due is told when they are taken in.
    ) -> Sequence[Observation]:
        """Bring observations, all of which count as moved."""
        self._inbox.bring_observations(observations)
        return observations
