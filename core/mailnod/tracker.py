"""The one object that an adapter holds: it wires settings, plugins, store and the stages together."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mailnod.background import Background
from mailnod.clock import Clock, SystemClock
from mailnod.collect.caps import Caps
from mailnod.collect.collector import Collector, Request
from mailnod.collect.counters import Counters
from mailnod.collect.suppressed import Suppressed
from mailnod.collect.ticks import Lane
from mailnod.collect.wsgi import make_app, wrap_app
from mailnod.errors import ConfigurationError, describe_error
from mailnod.html.plan import Plan
from mailnod.judge.classify import Judge
from mailnod.model import DeliveryState, Envelope, Recorded, Reply
from mailnod.plugins import Plugins
from mailnod.report.retention import Retention
from mailnod.send.consent import ConsentStore
from mailnod.send.override import current_override
from mailnod.send.policy import Layers, pick
from mailnod.send.prepare import Draft, Mailing, Prepared, Preparer, leave
from mailnod.send.wire import WirePlans
from mailnod.settings import Settings, refuse_unknown
from mailnod.store.base import Store
from mailnod.store.engines import PostgresEngine, SQLiteEngine, open_store
from mailnod.store.ids import new_id
from mailnod.store.journal import Journal, JournalCounts
from mailnod.store.spool import find_folders
from mailnod.tokens import NEW_KEYS_HINT, Keyring
from mailnod.worker import WorkDone, Worker

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

__all__ = ["Tracker"]

log = logging.getLogger("mailnod")

#: A store that could not be read for so long is trouble, although hits are taken all the same.
STORE_PATIENCE_S = 30.0


class Tracker:
    """Everything that tracking needs in one app.

    Nothing is opened and no thread started before the first use in a process, and everything is made anew after a fork.

    :param keyring: the keys; None reads the setting ``secret_keys``.
    :param plugins: objects with hook implementations, besides installed ones.
    :param load_entry_points: whether installed plugins take part.
    :param counters: where hits are counted for metrics; None counts for this process alone.
    :param lanes: whether each event loop that answers hits gets a process that writes them down for it.
    :raises ConfigurationError: the setup is wrong; the message names the setting.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        keyring: Keyring | None = None,
        clock: Clock | None = None,
        plugins: Sequence[object] = (),
        load_entry_points: bool = True,
        counters: Counters | None = None,
        lanes: bool = False,
    ) -> None:
        if keyring is None:
            if settings.secret_keys is None:
                raise ConfigurationError(f"MAILNOD_SECRET_KEYS is not set, and links must be signed; {NEW_KEYS_HINT}")
            keyring = Keyring.parse(settings.secret_keys)
        for doubt in keyring.find_doubts():
            log.warning("%s", doubt)
        self.settings = settings
        self.keyring = keyring
        self.clock: Clock = clock or SystemClock()
        built_in = (SQLiteEngine(), PostgresEngine(), ConsentStore(lambda: self.store))
        self.plugins = Plugins([*built_in, *plugins], load_entry_points=load_entry_points)
        #: Where everything is kept; the engine that the settings name.
        self.store: Store = open_store(self.plugins, settings)
        #: Encoded parts of bodies that come again, for adapters.
        self.wire_plans = WirePlans()
        self._preparer = Preparer(settings=settings, keyring=keyring, plugins=self.plugins, store=self.store)
        spool_folders = find_folders(settings.local_path, chosen=settings.spool)
        self._journal = Journal(settings.journal_folder, spool_folders=spool_folders, lanes=lanes)
        self.counters = counters or Counters()
        self._suppressed = Suppressed(
            lambda cursor: self.store.get_suppressed(after=cursor, now=self.clock.now()),
            on_read=self.counters.note_withdrawals_read,
        )
        self.collector = Collector(
            keyring=keyring,
            journal=self._journal,
            suppressed=self._suppressed,
            clock=self.clock,
            new_id=new_id,
            find_destination=self.store.get_destination,
            trusted_proxies=settings.trusted_proxies,
            caps=Caps(token_cap=settings.token_cap, source_cap=settings.source_cap, hide=keyring.hide),
            counters=self.counters,
        )
        self._worker = Worker(
            store=self.store,
            journal_folder=settings.journal_folder,
            spool_folders=spool_folders,
            shared=not isinstance(settings.database, Path),
            store_path=settings.database if isinstance(settings.database, Path) else None,
            judge=Judge(networks=settings.networks_file),
            plugins=self.plugins,
            clock=self.clock,
            settle_s=settings.settle_s,
            retention=Retention.of(settings.routes, days=settings.retention_days),
        )
        self._background = Background(self._worker.run, name="mailnod-worker")
        self._failing: set[str] = set()

    # -- send ---------------------------------------------------------------------------------------------------------

    def prepare(
        self,
        envelope: Envelope,
        parts: Sequence[str],
        *,
        layers: Layers,
        texts: Sequence[str] = (),
        list_unsubscribe: str | None = None,
    ) -> Prepared:
        """Return a message as it should leave, one body for all; never raises: mail goes out whatever tracking does.

        :param parts: the text of each HTML part.
        :param layers: what the message's headers, its attributes and the call wish, by name, lowest precedence first.
            What :func:`~mailnod.send.override.tracking` blocks wish is put below them.
        :param texts: the text of each plain-text part.
        :param list_unsubscribe: the value of that header; links to its targets are left alone.
        """
        draft = Draft(envelope=envelope, parts=tuple(parts), texts=tuple(texts), list_unsubscribe=list_unsubscribe)
        ((copy,),) = self.prepare_batch([(draft, layers)], split=False)
        return copy

    def prepare_each(
        self,
        envelope: Envelope,
        parts: Sequence[str],
        *,
        layers: Layers,
        texts: Sequence[str] = (),
        list_unsubscribe: str | None = None,
    ) -> list[Prepared]:
        """Return a message as it should leave, split where that is wished; never raises.

        Arguments are those of :meth:`prepare`.

        :returns: one copy for all recipients; or, where ``recipient_mode`` is "split", one for each who may be tracked
            and one for all others together. Each copy says whom it is for.
        """
        draft = Draft(envelope=envelope, parts=tuple(parts), texts=tuple(texts), list_unsubscribe=list_unsubscribe)
        (copies,) = self.prepare_batch([(draft, layers)], split=True)
        return copies

    def prepare_batch(self, drafts: Sequence[tuple[Draft, Layers]], *, split: bool) -> list[list[Prepared]]:
        """Return many messages as they should leave, with all their deliveries on disk; never raises.

        That costs one synced transaction, whatever their number. Keep it at some hundred: until the last of them is
        prepared the first does not leave.

        :param drafts: each message with what its headers, its attributes and the call wish, as for :meth:`prepare`.
        :param split: whether messages are split where that is wished.
        :returns: for each message what :meth:`prepare_each` returns.
        """
        mailings = [self._address(draft, layers, split=split) for draft, layers in drafts]
        try:
            outcomes = self._preparer.prepare_all(mailings)
        except Exception as error:
            return [[self._fail_open(draft, describe_error(error))] for draft, _ in drafts]
        if not any(isinstance(outcome, Exception) for outcome in outcomes):
            self._failing.discard("prepare")
        prepared = [
            [self._fail_open(mailing.draft, describe_error(outcome))] if isinstance(outcome, Exception) else outcome
            for mailing, outcome in zip(mailings, outcomes, strict=True)
        ]
        copies = [copy for one in prepared for copy in one]
        if self.settings.worker != "none" and any(copy.changed for copy in copies):
            # Hits of an earlier run may wait in their journals, so the first tracked mail starts the worker too.
            self._start_worker()
        for copy in copies:
            # "Why is there no pixel?" is the first question; reasons hold no address.
            log.debug("%s: %s", "tracked" if copy.changed else "not tracked", "; ".join(copy.decision.reasons))
        return prepared

    def plan(self, html: str, *, route: str | None = None, list_unsubscribe: str | None = None) -> Plan:
        """Return the plan by which a body is rewritten for those who consent; nothing is sent or stored.

        :param route: a route's name; None takes the default route.
        :param list_unsubscribe: the value of that header; links to its targets are left alone.
        :raises RewriteError: the HTML cannot be edited safely; such a body leaves as it is.
        :raises ConfigurationError: the route is unknown, or there is no base URL.
        """
        name = route or self.settings.default_route
        found = self.settings.get_route(name)
        if found is None:
            raise refuse_unknown("route", name, self.settings.routes)
        return self._preparer.plan(html, route=found, list_unsubscribe=list_unsubscribe)

    def accepted(self, *prepared: Prepared) -> None:
        """Note, in one transaction, that the mail server took messages; never raises."""
        self._set_states(prepared, DeliveryState.ACCEPTED)

    def failed(self, *prepared: Prepared) -> None:
        """Note, in one transaction, that the mail server refused messages; never raises."""
        self._set_states(prepared, DeliveryState.FAILED)

    # -- collect ------------------------------------------------------------------------------------------------------

    def reply(self, request: Request) -> Reply:
        """Return the reply to a request for a tracking path, after its hit is on disk; never raises."""
        reply, observation = self.read(request)
        if observation is not None:
            self.record((observation,))
        return reply

    def read(self, request: Request) -> tuple[Reply, Recorded | None]:
        """Return the reply to a request for a tracking path, and what to record before it leaves; never raises.

        Touches no disk, but for a short link. :meth:`reply` is this and :meth:`record` in one.
        """
        if self.settings.worker != "none":
            self._start_worker()
        return self.collector.read(request)

    def record(self, items: Sequence[Recorded]) -> None:
        """Put what :meth:`read` returned on disk, together; never raises."""
        self.collector.record(items)
        self.counters.set_spooled(self._journal.counts.spooled)

    def open_lane(self) -> Lane | None:
        """Return a way to a disk for one event loop, which need not wait; None where there is only :meth:`record`."""
        return self.collector.open_lane()

    @property
    def journal_counts(self) -> JournalCounts:
        """Where this process has written its hits, and how many it has lost."""
        return self._journal.counts

    def find_troubles(self) -> list[str]:
        """Return why hits are not collected as they should be, in words without paths; it is for readiness checks."""
        self._suppressed.start()
        troubles = []
        if self.collector.is_losing:
            troubles.append("hits are lost: neither the journal nor the spool takes them")
        age_s = self._suppressed.get_age_s()
        if age_s is None:
            troubles.append("the store was not read yet")
        elif age_s > STORE_PATIENCE_S:
            troubles.append(f"the store could not be read for {age_s:.0f} s")
        return troubles

    def wrap_wsgi(self, app: WSGIApplication) -> WSGIApplication:
        """Return an app that answers tracking paths itself and hands everything else on, untouched."""
        return wrap_app(app, self.reply, self.settings.get_base_urls())

    def wsgi_app(self) -> WSGIApplication:
        """Return the collector alone, as an app of its own."""
        return make_app(self.reply)

    # -- judge --------------------------------------------------------------------------------------------------------

    def work_once(self) -> WorkDone | None:
        """Drain, judge and publish everything that is due now; None where another process is at it.

        :raises StoreError: the store cannot be used.
        """
        return self._worker.work_once()

    @property
    def worker(self) -> Worker:
        """The loop that drains, judges and publishes."""
        return self._worker

    def close(self) -> None:
        """End this process's threads and close its files; a later use starts them again."""
        self._background.end()
        self._suppressed.close()
        self._journal.close()
        self.store.close()

    def _start_worker(self) -> None:
        try:
            self._background.start()
        except RuntimeError as error:
            self._note("worker", f"the worker cannot start, hits wait in their journals: {describe_error(error)}")
        else:
            self._failing.discard("worker")

    def _address(self, draft: Draft, layers: Layers, *, split: bool) -> Mailing:
        context = current_override()
        if context is not None:
            layers = [("context manager", context), *layers]
        several = split and len(draft.envelope.recipients) > 1
        return Mailing(draft, layers, several and pick(layers, "recipient_mode") == "split")

    def _set_states(self, prepared: Sequence[Prepared], state: DeliveryState) -> None:
        ids = [one.delivery.id for one in prepared if one.delivery is not None]
        if not ids:
            return
        try:
            self.store.set_delivery_states(ids, state, at=self.clock.now())
        except Exception as error:
            self._note("state", f"what became of sent mail was not written: {describe_error(error)}")
        else:
            self._failing.discard("state")

    def _fail_open(self, draft: Draft, why: str) -> Prepared:
        self._note("prepare", f"mail goes out untracked: {why}")
        return leave(draft, route=self.settings.default_route, reasons=[f"tracking failed: {why}"])

    def _note(self, outage: str, message: str) -> None:
        # One line for an outage, and not one for each of its thousand messages.
        if outage not in self._failing:
            log.error("%s", message)
        self._failing.add(outage)
