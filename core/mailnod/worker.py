"""Move hits from the journals into the store, judge them when they have settled, and publish what they are."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from mailnod.assessor import Assessor
from mailnod.clock import Clock
from mailnod.errors import StoreError, describe_error
from mailnod.judge.classify import Judge
from mailnod.model import Observation, Publication, Verdict, Window
from mailnod.plugins import Plugins
from mailnod.store.base import REJUDGE_LEASE, WORKER_LEASE, Store
from mailnod.store.drain import drain

__all__ = ["LEASE_S", "PAUSE_S", "Lease", "WorkDone", "Worker", "name_holder"]

log = logging.getLogger("mailnod.worker")

#: How long the lease lives without renewal; another worker takes over after that. One that was paused for longer does
#: no harm when it goes on: the store refuses what it publishes, and takes each observation once.
LEASE_S = 10.0
#: A lease older than this is renewed before the next batch.
RENEW_S = 2.0
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
    """The leased loop behind the collectors; one thread of one process does the work, all others stand by."""

    def __init__(
        self,
        *,
        store: Store,
        journal_folder: Path,
        judge: Judge,
        plugins: Plugins,
        clock: Clock,
        settle_s: float,
        spool_folders: Sequence[Path] = (),
    ) -> None:
        self._store = store
        self._journal_folder = journal_folder
        self._spool_folders = tuple(spool_folders)
        #: Judges as this worker does.
        self.assessor = Assessor(judge=judge, plugins=plugins)
        self._plugins = plugins
        self._clock = clock
        self._settle_s = settle_s
        self._secret = secrets.token_hex(4)

    def work_once(self) -> WorkDone | None:
        """Do everything that is due now; None where another process holds the lease.

        :raises StoreError: the store cannot be used; hits stay in their journals.
        """
        lease = Lease(store=self._store, clock=self._clock, holder=self._name_holder())
        if not lease.take():
            return None
        drained = drain(
            self._journal_folder,
            self._store,
            settle_s=self._settle_s,
            spool_folders=self._spool_folders,
            on_recorded=self._notify_recorded(),
            go_on=lease.keep,
        )
        judged = published = revised = 0
        while lease.keep():
            mark = self._store.get_hit_mark()
            due = self._store.get_due(now=self._clock.now(), limit=BATCH, settle_s=self._settle_s)
            if not due:
                break
            for publication in self._judge_batch(due, mark, lease.holder):
                if publication.previous is None:
                    published += 1
                    self._plugins.notify("event_created", event=publication.event)
                else:
                    revised += 1
                    self._plugins.notify("event_revised", event=publication.event, previous=publication.previous)
            judged += len(due)
        return WorkDone(drained=drained, judged=judged, published=published, revised=revised)

    def run(self, stop: threading.Event, *, report: Callable[[WorkDone], None] | None = None) -> None:
        """Work until told to stop; a store that cannot be used is logged once and tried again.

        :param report: called after each pass that did something.
        """
        failing = False
        while not stop.is_set():
            try:
                done = self.work_once()
                if done is not None:
                    self._give_way()
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

    def _judge_batch(self, due: Sequence[Observation], mark: int, holder: str) -> list[Publication]:
        windows = self._store.get_windows(due)
        judgements = [(o, self._judge(o, window)) for o, window in zip(due, windows, strict=True)]
        return self._store.publish(judgements, now=self._clock.now(), hit_mark=mark, holder=holder)

    def _judge(self, observation: Observation, window: Window) -> Verdict:
        standing = self._store.get_verdicts(observation.id) if observation.purged else []
        return standing[-1][1] if standing else self.assessor.classify(observation, window)

    def _name_holder(self) -> str:
        return name_holder(self._secret)

    def _give_way(self) -> None:
        """Let who judges everything again have a turn, where somebody does."""
        if self._store.get_lease_holder(REJUDGE_LEASE, now=self._clock.now()) is not None:
            self.release_lease()

    def release_lease(self) -> None:
        """Let another worker work at once, where the calling thread holds the lease.

        A lease that cannot be given back runs out by itself.
        """
        try:
            self._store.release_lease(WORKER_LEASE, holder=self._name_holder())
        except StoreError as error:
            log.debug("the lease runs out by itself: %s", error)


def name_holder(secret: str) -> str:
    """Return the name under which the calling thread holds leases: two threads of one process are two workers."""
    return f"{socket.gethostname()}-{os.getpid()}-{threading.get_ident()}-{secret}"


class Lease:
    """A lease as one pass holds it, the worker's unless it is named."""

    def __init__(self, *, store: Store, clock: Clock, holder: str, name: str = WORKER_LEASE) -> None:
        self.holder = holder
        self._name = name
        self._store = store
        self._clock = clock
        self._taken_at: datetime | None = None

    def take(self) -> bool:
        """Take or renew it; False where another worker has it."""
        now = self._clock.now()
        taken = self._store.acquire_lease(self._name, holder=self.holder, now=now, ttl_s=LEASE_S)
        self._taken_at = now if taken else None
        return taken

    def keep(self) -> bool:
        """Renew it where that is time; False where another worker has taken over."""
        age = None if self._taken_at is None else self._clock.now() - self._taken_at
        return (age is not None and timedelta() <= age < timedelta(seconds=RENEW_S)) or self.take()
