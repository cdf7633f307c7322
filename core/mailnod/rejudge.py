"""Judge stored observations again by the rules, networks and plugins of today; what was said before stays readable.

It goes through the events oldest first, in short batches under the worker's own lease, so that counts and hooks move
as they do in the worker, and so that a worker gets its turn in between.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from mailnod.assessor import Assessor
from mailnod.clock import Clock
from mailnod.errors import StoreUnavailableError
from mailnod.model import EventFilter, EventRecord, Publication, Signal, Verdict
from mailnod.plugins import Plugins
from mailnod.store.base import REJUDGE_LEASE, WORKER_LEASE, Store
from mailnod.worker import PAUSE_S, Lease, name_holder

__all__ = ["EVIDENCE_PURGED", "Batch", "Rejudgement", "Rejudger"]

#: Why a verdict stands that nothing can be said about any more.
EVIDENCE_PURGED = "evidence purged"

BATCH = 200
#: How long one turn under the lease lasts, and the gap behind it: longer than a worker's pause, so that it gets in.
TURN_S = 1.0
GAP_S = PAUSE_S + 0.1
#: How often the lease is asked for while another has it.
POLL_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejudgement:
    """What one observation was judged to be, and what it would be today."""

    record: EventRecord
    #: None where evidence on it or on a hit around it was erased since, and the old verdict stands.
    verdict: Verdict | None
    #: What the new verdict rests on, strongest first.
    signals: tuple[Signal, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything but the version of the rules differs; a version alone is no news."""
        old = self.record.event.verdict
        return self.verdict is not None and replace(self.verdict, ruleset=old.ruleset) != old

    @property
    def flipped(self) -> bool:
        """Whether the class, or whose counts it moves, differs."""
        old, new = self.record.event.verdict, self.verdict
        return new is not None and (old.classification, old.counted_as) != (new.classification, new.counted_as)

    @property
    def gained(self) -> tuple[Signal, ...]:
        """The evidence that the old verdict did not rest on."""
        known = self.record.event.verdict.reason_codes
        return tuple(signal for signal in self.signals if signal.code not in known)

    @property
    def lost(self) -> tuple[str, ...]:
        """The codes of the old verdict's evidence that is none any more."""
        now = () if self.verdict is None else self.verdict.reason_codes
        return tuple(code for code in self.record.event.verdict.reason_codes if code not in now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some events that were gone through, oldest first."""

    #: How many, those included that another version of the rules had judged and that were left out.
    seen: int
    judged: tuple[Rejudgement, ...]
    #: What was published; empty in a preview.
    published: tuple[Publication, ...] = ()
    #: Time of the hit of the last event: who begins there once more misses nothing and repeats little.
    reached: datetime
    #: Where the next batch begins.
    key: tuple[datetime, bytes]


class Rejudger:
    """Goes through what was judged.

    :param assessor: judges as the worker does.
    :param sleep: waits so many seconds.
    """

    def __init__(
        self,
        *,
        store: Store,
        assessor: Assessor,
        plugins: Plugins,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._assessor = assessor
        self._plugins = plugins
        self._clock = clock
        self._sleep = sleep

    def preview(self, filter: EventFilter, *, ruleset: str | None = None) -> Iterator[Batch]:
        """Judge again and write nothing.

        :param filter: which events; its limit does not count.
        :param ruleset: only those whose latest verdict this version of the rules gave; None takes all.
        """
        batch = self._judge(filter, ruleset, None)
        while batch is not None:
            yield batch
            batch = self._judge(filter, ruleset, batch.key)

    def run(
        self,
        filter: EventFilter,
        *,
        ruleset: str | None = None,
        patience_s: float = 60.0,
        on_wait: Callable[[], None] | None = None,
    ) -> Generator[Batch, None, None]:
        """Judge again, append the verdicts that changed, move the counts and tell the plugins.

        It may be broken off after any batch, and begun again at the time that batch reached.

        :param filter: as in :meth:`preview`.
        :param ruleset: as in :meth:`preview`.
        :param patience_s: how long it waits for a worker to let go of the lease.
        :param on_wait: called when it has to wait for the first time.
        :raises StoreUnavailableError: the lease was not to be had, or somebody else judges everything again.
        """
        turns = _Turns(store=self._store, clock=self._clock, sleep=self._sleep, patience_s=patience_s, on_wait=on_wait)
        key: tuple[datetime, bytes] | None = None
        with turns.reserve():
            while True:
                with turns.take() as go_on:
                    while go_on():
                        mark = self._store.get_hit_mark()
                        batch = self._judge(filter, ruleset, key)
                        if batch is None:
                            return
                        batch = self._publish(batch, mark, turns.holder)
                        if batch is None:
                            # Somebody took the lease away while we stood still; the batch is judged once more.
                            break
                        key = batch.key
                        yield batch
                self._sleep(GAP_S)

    def _judge(self, filter: EventFilter, ruleset: str | None, key: tuple[datetime, bytes] | None) -> Batch | None:
        records = self._store.get_judged(replace(filter, limit=BATCH), after=key)
        if not records:
            return None
        wanted = [record for record in records if ruleset in (None, record.event.verdict.ruleset)]
        whole = [record for record in wanted if not record.observation.purged]
        windows = dict(
            zip(
                (record.event.id for record in whole),
                self._store.get_windows([record.observation for record in whole]),
                strict=True,
            )
        )
        judged = []
        for record in wanted:
            window = windows.get(record.event.id)
            if window is not None and window.purged:
                window = None
            verdict, signals = (None, ()) if window is None else self._assessor.explain(record.observation, window)
            judged.append(Rejudgement(record=record, verdict=verdict, signals=signals))
        last = records[-1].event
        key = last.occurred_at, last.id
        return Batch(seen=len(records), judged=tuple(judged), reached=last.occurred_at, key=key)

    def _publish(self, batch: Batch, mark: int, holder: str) -> Batch | None:
        """Publish what changed; None where the lease was lost and nothing was."""
        judgements = [(one.record.observation, one.verdict) for one in batch.judged if one.changed and one.verdict]
        now = self._clock.now()
        published = self._store.publish(judgements, now=now, hit_mark=mark, holder=holder) if judgements else []
        if judgements and not published and self._store.get_lease_holder(WORKER_LEASE, now=now) != holder:
            return None
        for publication in published:
            if publication.previous is not None:
                self._plugins.notify("event_revised", event=publication.event, previous=publication.previous)
        return replace(batch, published=tuple(published))


class _Turns:
    """Turns under the worker's lease, with gaps for the worker between them."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        sleep: Callable[[float], None],
        patience_s: float,
        on_wait: Callable[[], None] | None,
    ) -> None:
        self.holder = name_holder(secrets.token_hex(4))
        self._store = store
        self._sleep = sleep
        self._patience_s = patience_s
        self._on_wait = on_wait
        self._place = Lease(store=store, clock=clock, holder=self.holder, name=REJUDGE_LEASE)
        self._lease = Lease(store=store, clock=clock, holder=self.holder)

    @contextmanager
    def reserve(self) -> Iterator[None]:
        """Keep the place of who judges everything again, which one at a time has."""
        if not self._place.take():
            raise StoreUnavailableError("somebody else judges this store again at the moment; wait until they are done")
        try:
            yield
        finally:
            self._store.release_lease(REJUDGE_LEASE, holder=self.holder)

    @contextmanager
    def take(self) -> Iterator[Callable[[], bool]]:
        """Wait for the lease, and give it back at the end; what it yields says whether the turn lasts."""
        waited_s = 0.0
        while not self._lease.take():
            if self._on_wait is not None:
                self._on_wait()
                self._on_wait = None
            if waited_s >= self._patience_s:
                raise StoreUnavailableError(
                    f"a worker has held the store for {self._patience_s:g} s without a pause; "
                    "wait until hits are judged ('mailnod work' says how many), or stop that worker"
                )
            self._place.keep()
            self._sleep(POLL_S)
            waited_s += POLL_S
        ends_at = time.monotonic() + TURN_S
        try:
            yield lambda: self._place.keep() and self._lease.keep() and time.monotonic() < ends_at
        finally:
            self._store.release_lease(WORKER_LEASE, holder=self.holder)
