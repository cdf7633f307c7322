"""Move hits from the journals into the store, judge them when they have settled, and publish what they are."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from mailnod.assessor import Assessor
from mailnod.clock import Clock
from mailnod.errors import StoreError, describe_error
from mailnod.forward import Forwarder
from mailnod.judge.classify import Judge
from mailnod.model import Observation, Publication, Verdict, Window
from mailnod.plugins import Plugins
from mailnod.report.retention import Retention, Swept, sweep
from mailnod.store.base import REJUDGE_LEASE, WORKER_LEASE, Store
from mailnod.store.holding import LEASE_S, Lease, name_holder
from mailnod.store.integrity import Inspector

__all__ = ["LEASE_S", "PAUSE_S", "Lease", "WorkDone", "Worker", "name_holder"]

log = logging.getLogger("mailnod.worker")

#: Pause between two passes.
PAUSE_S = 0.5
BATCH = 500
#: Pause between two sweeps, and after one that a reader kept from leaving nothing behind.
SWEEP_S = 3600.0
SWEEP_AGAIN_S = 60.0


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
    #: Hits whose raw facts were erased.
    minimised: int = 0

    def __bool__(self) -> bool:
        return bool(self.drained or self.judged or self.minimised)


class Worker:
    """The leased loop behind the collectors; one thread of one process does the work, all others stand by.

    :param journal_folder: where the journals of this host lie.
    :param shared: whether other hosts use the store too: then each of them forwards its own hits, and one of them
        judges.
    :param store_path: the store's file, which is looked at now and then; None where it has none.
    """

    def __init__(
        self,
        *,
        store: Store,
        journal_folder: Path,
        judge: Judge,
        plugins: Plugins,
        clock: Clock,
        settle_s: float,
        retention: Retention | None = None,
        spool_folders: Sequence[Path] = (),
        shared: bool = False,
        store_path: Path | None = None,
    ) -> None:
        self._store = store
        self._inspector = Inspector(store, path=store_path, journal_folder=journal_folder)
        #: Brings what the processes of this host have written down into the store.
        self.forwarder = Forwarder(
            store=store,
            journal_folder=journal_folder,
            plugins=plugins,
            clock=clock,
            settle_s=settle_s,
            spool_folders=spool_folders,
            shared=shared,
        )
        #: Judges as this worker does.
        self.assessor = Assessor(judge=judge, plugins=plugins)
        self._plugins = plugins
        self._clock = clock
        self._settle_s = settle_s
        self._retention = retention or Retention()
        self._name_network = judge.name_network
        self._swept_at: datetime | None = None
        self._secret = secrets.token_hex(4)

    def work_once(self) -> WorkDone | None:
        """Do everything that is due now; None where another process holds the lease.

        :raises StoreError: the store cannot be used; hits stay in their journals.
        """
        shared = self.forwarder.shared
        drained = (self.forwarder.forward_once() or 0) if shared else 0
        lease = Lease(store=self._store, clock=self._clock, holder=self._name_holder())
        if not lease.take():
            return WorkDone(drained=drained) if drained else None
        if not shared:
            drained = self.forwarder.forward(go_on=lease.keep)
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
            if shared:
                # Hits of this host do not wait in their journals until the hits of all hosts are judged.
                drained += self.forwarder.forward_once() or 0
        if not (drained or judged) and lease.keep():
            self._inspector.inspect(now=self._clock.now())
        minimised = self._sweep_in_time(judged, lease.keep)
        return WorkDone(drained=drained, judged=judged, published=published, revised=revised, minimised=minimised)

    def sweep(
        self, *, report: Callable[[int], None] = lambda _: None, go_on: Callable[[], bool] = lambda: True
    ) -> Swept:
        """Erase the raw facts whose time is over; several may do so at once.

        :raises StoreError: the store cannot be used.
        """
        swept = sweep(
            self._store,
            retention=self._retention,
            now=self._clock.now(),
            name_network=self._name_network,
            go_on=go_on,
            report=report,
        )
        return replace(swept, clean=self.forwarder.scrub() and swept.clean)

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

    def _sweep_in_time(self, judged: int, go_on: Callable[[], bool]) -> int:
        """Sweep each hour, and where raw facts are not kept at all, whenever some were judged."""
        now = self._clock.now()
        # The distance counts, whichever way the clock went.
        waited = self._swept_at is None or abs(now - self._swept_at) >= timedelta(seconds=SWEEP_S)
        if not (waited or (judged and self._retention.immediate)):
            return 0
        swept = self.sweep(go_on=go_on)
        if not swept.clean:
            log.info("somebody who is reading holds copies of erased facts; they are erased with the next sweep")
        self._swept_at = now if swept.clean else now - timedelta(seconds=SWEEP_S - SWEEP_AGAIN_S)
        return swept.minimised

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
        if self.forwarder.shared:
            self.forwarder.release()
        try:
            self._store.release_lease(WORKER_LEASE, holder=self._name_holder())
        except StoreError as error:
            log.debug("the lease runs out by itself: %s", error)
