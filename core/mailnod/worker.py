"""Move hits from the journals into the store, judge them when they have settled, and publish what they are."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mailnod.clock import Clock
from mailnod.errors import StoreError, describe_error
from mailnod.judge.classify import Judge
from mailnod.plugins import Plugins
from mailnod.store.base import Store
from mailnod.store.drain import drain

__all__ = ["WorkDone", "Worker"]

log = logging.getLogger("mailnod.worker")

LEASE = "worker"
#: How long the lease lives without renewal; another process takes over after that. Two workers at once do no harm,
#: because the store takes each observation and each verdict once; the lease only spares the work.
LEASE_S = 10.0
#: Pause between two passes.
PAUSE_S = 0.5
BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkDone:
    """What one pass did."""

    #: Hits that came into the store.
    drained: int = 0
    #: Observations that were judged, again or for the first time.
    judged: int = 0
    #: Events published for the first time.
    published: int = 0
    #: Events that later evidence changed.
    revised: int = 0

    def __bool__(self) -> bool:
        return bool(self.drained or self.judged)


class Worker:
    """The leased loop behind the collectors; one process of many does the work, the others stand by."""

    def __init__(
        self, *, store: Store, journal_folder: Path, judge: Judge, plugins: Plugins, clock: Clock, settle_s: float
    ) -> None:
        self._store = store
        self._journal_folder = journal_folder
        self._judge = judge
        self._plugins = plugins
        self._clock = clock
        self._settle_s = settle_s
        self._secret = secrets.token_hex(4)

    def work_once(self) -> WorkDone | None:
        """Do everything that is due now; None where another process holds the lease.

        :raises StoreError: the store cannot be used; hits stay in their journals.
        """
        if not self._renew_lease():
            return None
        drained = drain(self._journal_folder, self._store, settle_s=self._settle_s, on_recorded=self._notify_recorded())
        judged = published = revised = 0
        while due := self._store.get_due(now=self._clock.now(), limit=BATCH):
            windows = self._store.get_windows(due)
            judgements = [(o, self._judge.classify(o, window)) for o, window in zip(due, windows, strict=True)]
            for publication in self._store.publish(judgements, now=self._clock.now()):
                if publication.previous is None:
                    published += 1
                    self._plugins.notify("event_created", event=publication.event)
                else:
                    revised += 1
                    self._plugins.notify("event_revised", event=publication.event, previous=publication.previous)
            judged += len(due)
            if not self._renew_lease():
                break
        return WorkDone(drained=drained, judged=judged, published=published, revised=revised)

    def run(self, stop: threading.Event, *, report: Callable[[WorkDone], None] | None = None) -> None:
        """Work until told to stop; a store that cannot be used is logged once and tried again.

        :param report: called after each pass that did something.
        """
        failing = False
        while not stop.is_set():
            try:
                done = self.work_once()
            except StoreError as error:
                if not failing:
                    log.warning("hits wait in their journals until the store can be used: %s", error)
                failing = True
            except Exception as error:
                # The thread must outlive a defect, because nothing would start it again.
                if not failing:
                    log.error("a pass failed and is tried again: %s", describe_error(error))
                failing = True
            else:
                failing = False
                if done and report is not None:
                    report(done)
            stop.wait(PAUSE_S)
        self.release_lease()

    def _notify_recorded(self) -> Callable[..., None] | None:
        if not self._plugins.has("observation_recorded"):
            return None
        return lambda observation: self._plugins.notify("observation_recorded", observation=observation)

    def _holder(self) -> str:
        return f"{socket.gethostname()}-{os.getpid()}-{self._secret}"

    def _renew_lease(self) -> bool:
        return self._store.acquire_lease(LEASE, holder=self._holder(), now=self._clock.now(), ttl_s=LEASE_S)

    def release_lease(self) -> None:
        """Let another process work at once; a lease that cannot be given back runs out by itself."""
        try:
            self._store.release_lease(LEASE, holder=self._holder())
        except StoreError as error:
            log.debug("the lease runs out by itself: %s", error)
